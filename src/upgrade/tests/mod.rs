//! The way of an upgrade, and each check with what makes it stop.

mod checks;
mod targets;
