//! Everything that needs no emulated AWS: one binary, one module a room.

#[path = "../support/mod.rs"]
mod support;

mod architecture;
mod definitions;
mod kubeconfig;
mod pki;
mod progress;
mod scaffold;
mod tools;
