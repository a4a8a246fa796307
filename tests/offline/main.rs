//! Everything that needs no network and no tool: one binary, one module a room.

#[path = "../support/mod.rs"]
mod support;

mod architecture;
mod definitions;
mod progress;
mod scaffold;
