//! Tests that need no AWS, real or emulated.

mod stacks;
mod templates;

#[path = "../support/golden.rs"]
mod golden;
#[path = "../support/specs.rs"]
mod specs;
