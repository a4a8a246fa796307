//! Time that is asked for instead of taken, so that a run can be simulated.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

/// The time of a run: the real one, or a simulated one. Work on a cloud waits and measures by it alone.
#[allow(async_fn_in_trait, reason = "one thread, no Send bound wanted")]
pub trait Clock {
    /// Never goes back.
    fn now(&self) -> Timestamp;

    async fn sleep(&self, time: Duration);
}

/// Time from one moment to a later one; zero if it is not later.
pub fn elapsed(from: Timestamp, to: Timestamp) -> Duration {
    to.duration_since(from)
        .max(SignedDuration::ZERO)
        .unsigned_abs()
}
