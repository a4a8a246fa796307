//! What every module may use: time and retries, text and spans for people, digests, whole files, tag names.

pub mod clock;
pub mod digest;
pub mod duration;
pub mod files;
pub mod retry;
pub mod tags;
pub mod text;

pub use clock::Clock;
