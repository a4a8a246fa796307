//! Plans, clusters and lists as views that serialise, and as text for 80 columns.

pub mod authorities;
pub mod certificates;
pub mod cluster;
pub mod clusters;
pub mod deletion;
mod format;
pub mod grants;
pub mod images;
pub mod kubernetes;
pub mod outside;
pub mod plan;
pub mod protection;
pub mod roll;
pub mod snapshots;
pub mod upgrade;
