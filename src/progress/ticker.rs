//! The time between events: theirs goes on by our clock, at the pace of the run.

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

use crate::events::Event;

/// How fast the time of a run goes, measured by ours.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pace {
    /// Seconds of the run in one of ours: 1 for AWS, 60 for a rehearsal at sixty times the speed.
    pub speed: f64,
}

impl Default for Pace {
    fn default() -> Self {
        Self { speed: 1.0 }
    }
}

/// The time of the events, going on between them. Events carry the server's clock or a simulated
/// one; spans would be wrong if ours ended them.
#[derive(Debug)]
pub(super) struct Clock {
    /// The newest time heard, and when we heard it.
    heard: Option<(Timestamp, Instant)>,
    pace: Pace,
}

impl Clock {
    pub fn new(pace: Pace) -> Self {
        Self { heard: None, pace }
    }

    pub fn hear(&mut self, event: &Event) {
        if self.now().is_none_or(|now| event.at() > now) {
            self.heard = Some((event.at(), Instant::now()));
        }
    }

    /// `None` before the first event.
    pub fn now(&self) -> Option<Timestamp> {
        let (at, heard) = self.heard?;
        let passed = heard.elapsed().as_secs_f64() * self.pace.speed;
        let passed = SignedDuration::try_from_secs_f64(passed).ok()?;
        at.checked_add(passed).ok()
    }
}
