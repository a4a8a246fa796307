//! The configuration of a simulation: seed, speed, what fails, how unreliable the
//! cloud is.

use std::ops::RangeInclusive;
use std::time::Duration;

use crate::catalog::durations::Operation;
use crate::cloud::CloudError;

/// The configuration of a simulated cloud.
#[derive(Debug, Clone, PartialEq)]
pub struct SimulationConfig {
    /// The same seed and the same questions at the same times give the same answers.
    pub seed: u64,
    /// Twelve digits.
    pub account: String,
    pub region: String,
    /// Virtual seconds a real one; 1 on tokio's paused clock. Nothing below a thousandth counts.
    pub speed: f64,
    pub noise: Noise,
    pub faults: Faults,
    pub failures: Vec<ResourceFailure>,
}

/// How long things take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Noise {
    /// As long as half of them do: the median, exactly.
    None,
    /// Log-normal through the median and the ninth decile of the catalogue.
    #[default]
    Seeded,
}

/// The cause for which the machines of a group are not launched.
pub const QUOTA: &str = "quota";

/// A resource that fails.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResourceFailure {
    /// Name of the stack.
    pub stack: String,
    pub logical_id: String,
    pub operation: Operation,
    /// AWS's words; without them, usual ones for the type.
    pub reason: Option<String>,
    /// Of a group of machines: the code of the cause for which they don't boot
    /// ([`BootCause`](crate::catalog::boot_causes::BootCause)), or [`QUOTA`]; in place of `reason`.
    pub boot: Option<&'static str>,
    /// How often; then it works.
    pub times: u32,
}

/// A resource that can't be brought back to what it was while an update is rolled back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RollbackFailure {
    /// Name of the stack.
    pub stack: String,
    pub logical_id: String,
    /// AWS's words; without them, usual ones for the type.
    pub reason: Option<String>,
    /// How often; then it works.
    pub times: u32,
}

/// An event that can be read only later than it happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LateEvent {
    pub logical_id: String,
    pub status: &'static str,
    pub by: Duration,
}

/// A fault at certain calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallFault {
    /// Name of the trait's method; `None` for all.
    pub verb: Option<&'static str>,
    /// The first word of what the call is about ([`Call::about`](super::Call)); `None` for all.
    pub about: Option<String>,
    /// How many of these calls go well before.
    pub after: u32,
    /// How many calls it affects then.
    pub times: u32,
    pub kind: FaultKind,
}

/// What happens to a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FaultKind {
    /// It has no effect.
    Refused(CloudError),
    /// It has its effect, and the caller gets this error.
    AnswerLost(CloudError),
    /// A read is answered as of so long ago.
    Stale(Duration),
}

/// How unreliable the cloud is. Chances are between 0 and 1, a call each; all off by default.
#[derive(Debug, Clone, PartialEq)]
pub struct Faults {
    /// Chance that AWS asks to slow down.
    pub throttle: f64,
    /// Chance that a write has its effect and no answer arrives.
    pub lost_answer: f64,
    /// Chance that a request never reaches AWS.
    pub unreachable: f64,
    /// Chance that the state of a stack is answered as it was a while ago.
    pub stale_read: f64,
    /// How long ago at most.
    pub stale_for: Duration,
    /// Chance that an event can be read only later than it happened.
    pub late_events: f64,
    /// How much later at most.
    pub late_for: Duration,
    /// Chance that an answer about events has some of them twice.
    pub duplicate_pages: f64,
    /// Chance that an answer about events comes in any order.
    pub reorder: f64,
    /// After this many calls every one is refused: the credentials are no longer valid.
    pub expire_after: Option<u64>,
    pub crash_at: Option<Crash>,
    pub rollback_fails: Vec<RollbackFailure>,
    /// Scripted faults; the first that fits a call applies.
    pub calls: Vec<CallFault>,
    pub late: Vec<LateEvent>,
    /// How many turns other tasks get before a call has its effect, and again before it is answered.
    pub turns: RangeInclusive<u32>,
}

/// When the process that asks crashes: the call is never answered, nor is any after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Crash {
    /// Number of the call, the first is 1, counted from the start or the last revival.
    pub call: u64,
    pub when: CrashPoint,
}

/// Where in a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CrashPoint {
    BeforeEffect,
    AfterEffect,
}

impl Default for Faults {
    fn default() -> Self {
        Self {
            throttle: 0.0,
            lost_answer: 0.0,
            unreachable: 0.0,
            stale_read: 0.0,
            stale_for: Duration::from_secs(10),
            late_events: 0.0,
            late_for: Duration::from_secs(8),
            duplicate_pages: 0.0,
            reorder: 0.0,
            expire_after: None,
            crash_at: None,
            rollback_fails: Vec::new(),
            calls: Vec::new(),
            late: Vec::new(),
            turns: 0..=0,
        }
    }
}

impl Default for SimulationConfig {
    fn default() -> Self {
        Self {
            seed: 1,
            account: "123456789012".to_owned(),
            region: "eu-west-1".to_owned(),
            speed: 1.0,
            noise: Noise::Seeded,
            faults: Faults::default(),
            failures: Vec::new(),
        }
    }
}
