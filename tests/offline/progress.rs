//! Progress: golden screens, the same facts in all three showings, and no stream that breaks them.

mod facts;
mod failures;
mod forecast;
pub mod runs;
mod screens;
mod streams;
mod terminal;
mod verdicts;
