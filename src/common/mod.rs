//! What every module may use and nothing else explains: time, retries, tag names, YAML.

pub mod clock;
pub mod retry;
pub mod tags;
pub mod yaml;

pub use clock::Clock;
