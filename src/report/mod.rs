//! What plans and surveys look like: as a view that serialises, and as text for 80 columns.

pub mod cluster;
pub mod kubernetes;
pub mod plan;
