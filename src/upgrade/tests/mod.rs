//! The way of an upgrade, and each check with what makes it stop.

mod cases;
mod checks;
mod cluster;
mod targets;
