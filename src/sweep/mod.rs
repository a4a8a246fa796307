//! What a cluster has in its account outside its stacks, and how it is removed: what Kubernetes made (load balancers, their
//! security groups, volumes), machines that a roll has detached, what stacks left behind. What others put into the VPC is
//! named and never touched. One table of kinds ([`kinds`]) serves `delete`, `status` and `doctor`.

mod classify;
mod inventory;
pub mod kinds;
pub mod kubernetes;
mod listing;
mod obstacles;
mod owner;
mod past;
mod purpose;
mod remove;
mod scope;

pub use classify::has_interface;
pub use inventory::{Found, Inventory, UnknownKind, look};
pub use kubernetes::Seen;
pub use obstacles::{Cause, Going, Obstacle, Obstacles, Unchecked, obstacles};
pub use owner::{Disposition, Owner, Past, Purpose};
pub use past::began;
pub use remove::{Orphan, SweepReport, Turn, Wish, remove};
pub use scope::{Held, HeldKind, Scope};

#[cfg(test)]
mod tests;
