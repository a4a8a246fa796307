//! Progress: golden screens, the same facts in all three renderers, and random streams of events.

mod failures;
mod forecast;
mod outcomes;
mod renderers;
pub mod runs;
mod screens;
mod streams;
mod sweep;
mod terminal;
mod waiting;
