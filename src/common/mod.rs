//! What every module may use and nothing else explains: time, retries, tag names.

pub mod clock;
pub mod retry;
pub mod tags;

pub use clock::{Clock, SystemClock};
