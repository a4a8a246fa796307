//! Time behind a trait, so that a run can be simulated.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

/// The time of a run: the real one, or a simulated one. Work on a cloud waits and measures by it alone.
#[allow(async_fn_in_trait, reason = "one thread, no Send bound wanted")]
pub trait Clock {
    /// Never goes back.
    fn now(&self) -> Timestamp;

    async fn sleep(&self, time: Duration);
}

/// The real time: the wall clock's when the program began, continued by the steady clock, so that a
/// corrected wall clock changes no wait.
#[derive(Debug, Clone, Copy)]
pub struct SystemClock {
    began: (Timestamp, Instant),
}

impl SystemClock {
    pub fn start() -> Self {
        Self {
            began: (Timestamp::now(), Instant::now()),
        }
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let (wall, steady) = self.began;
        wall.checked_add(steady.elapsed()).unwrap_or(wall)
    }

    async fn sleep(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }
}

/// Time from one moment to a later one; zero if it is not later.
pub fn elapsed(from: Timestamp, to: Timestamp) -> Duration {
    to.duration_since(from)
        .max(SignedDuration::ZERO)
        .unsigned_abs()
}
