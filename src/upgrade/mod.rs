//! The upgrade of Kubernetes on a running cluster: to which version it may go, what is checked before it begins, and the
//! phases in which it goes. What was seen ([`Facts`]) is data; the checks are pure. Must not know how facts are read, or how
//! anything looks.

mod check;
mod checks;
mod facts;
mod look;
mod phase;
mod target;

#[cfg(test)]
mod tests;

pub use check::{Accepted, Check, Finding, Report, Verdict};
pub use checks::run;
pub use facts::{ApiServer, Capacity, Download, Fact, Facts, StaticPods};
pub use look::{Known, Sources, look};
pub use phase::{Phase, Progress, remaining};
pub use target::{Direction, Target, TargetError, Wanted, resolve};
