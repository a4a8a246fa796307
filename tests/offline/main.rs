//! Everything that needs no network and no tool: one binary, one module a room.

#[path = "../support/mod.rs"]
mod support;

mod definitions;
mod scaffold;
