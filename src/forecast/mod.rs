//! What a plan will take: how long each stack and the whole run last, what the cluster costs in an hour
//! and a month, and what is out of service meanwhile. Weighs plans; asks nobody and prints nothing.

pub mod cost;
pub mod estimate;
mod live_prices;
mod meters;
pub mod outage;
pub mod price_list;
pub mod prices;
pub mod remaining;
pub mod upkeep;

pub use estimate::{Estimate, estimate};
pub use live_prices::live_prices;
