//! The time between events: it continues by our clock, at the pace of the run.

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

use crate::events::Event;

/// How fast the time of a run goes, measured by ours.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pace {
    /// Seconds of the run per real second: 1 for AWS, 60 for a rehearsal at sixty times the speed.
    pub speed: f64,
}

impl Default for Pace {
    fn default() -> Self {
        Self { speed: 1.0 }
    }
}

/// The time of the events, continued between them. Events carry the server's clock or a simulated
/// one; spans would be wrong if ours ended them.
#[derive(Debug)]
pub(super) struct Ticker {
    /// The newest time of an event, and when it was received.
    newest: Option<(Timestamp, Instant)>,
    pace: Pace,
}

impl Ticker {
    pub fn new(pace: Pace) -> Self {
        Self { newest: None, pace }
    }

    pub fn observe(&mut self, event: &Event) {
        if self.now().is_none_or(|now| event.at() > now) {
            self.newest = Some((event.at(), Instant::now()));
        }
    }

    /// `None` before the first event.
    pub fn now(&self) -> Option<Timestamp> {
        let (at, received) = self.newest?;
        let passed = received.elapsed().as_secs_f64() * self.pace.speed;
        let passed = SignedDuration::try_from_secs_f64(passed).ok()?;
        at.checked_add(passed).ok()
    }
}
