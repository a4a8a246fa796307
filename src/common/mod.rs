//! What every module may use: time and retries, text and spans for people and terminals, digests, whole
//! files, processes, YAML, tag names, the region in an ARN.

pub mod arn;
pub mod clock;
pub mod digest;
pub mod duration;
pub mod files;
pub mod process;
pub mod retry;
pub mod tags;
pub mod terminal;
pub mod text;
pub mod yaml;

pub use clock::{Clock, SystemClock};
