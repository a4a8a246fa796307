//! What every module may use: time and retries, text and spans for people, digests, whole files, YAML,
//! tag names.

pub mod clock;
pub mod digest;
pub mod duration;
pub mod files;
pub mod retry;
pub mod tags;
pub mod text;
pub mod yaml;

pub use clock::{Clock, SystemClock};
