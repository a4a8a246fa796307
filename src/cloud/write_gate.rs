//! Holds back the writes of a process that may have lost the operation lock. The holder of the lock
//! opens the gate for a while with every confirmed renewal; without a lock it is open.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use tokio::sync::Notify;

use crate::common::Clock;
use crate::common::clock::elapsed;

/// How long writes may go out after a confirmation. Well below the time after which others may take the lock:
/// what has gone out has arrived by then.
const CONFIRMED_FOR: Duration = Duration::from_mins(1);

/// The gate that every write of one client passes, but for those of the lock itself. Clones are the same gate.
#[derive(Debug, Clone, Default)]
pub struct WriteGate(Arc<Gate>);

#[derive(Debug, Default)]
struct Gate {
    state: Mutex<GateState>,
    changed: Notify,
}

#[derive(Debug, Clone, Copy, Default)]
enum GateState {
    /// No lock is held: nothing is guarded.
    #[default]
    Open,
    /// The lock was certainly held at this moment.
    Confirmed(Moment),
    /// The lock is lost.
    Closed,
}

/// A moment by two clocks: the steady one stands still while the machine sleeps, the other one may be corrected.
#[derive(Debug, Clone, Copy)]
pub struct Moment {
    steady: Timestamp,
    wall: SystemTime,
}

impl Moment {
    /// Now.
    pub fn now(clock: &impl Clock) -> Self {
        Self {
            steady: clock.now(),
            wall: SystemTime::now(),
        }
    }

    /// How long ago it was: by the clock that says more.
    fn elapsed(self, clock: &impl Clock) -> Duration {
        let wall = self.wall.elapsed().unwrap_or_default();
        elapsed(self.steady, clock.now()).max(wall)
    }
}

impl WriteGate {
    /// Waits until a write may go out.
    pub async fn pass(&self, clock: &impl Clock) {
        loop {
            // It hears from its creation on.
            let changed = self.0.changed.notified();
            if self.is_open(clock) {
                return;
            }
            changed.await;
        }
    }

    /// The lock was held at a moment: writes go out for a while after it.
    pub fn confirm(&self, at: Moment) {
        self.set(GateState::Confirmed(at));
    }

    /// The lock is lost: no write goes out until the gate is opened again.
    pub fn close(&self) {
        self.set(GateState::Closed);
    }

    /// No lock is held any more.
    pub fn open(&self) {
        self.set(GateState::Open);
    }

    fn is_open(&self, clock: &impl Clock) -> bool {
        let state = *self.state();
        match state {
            GateState::Open => true,
            GateState::Confirmed(at) => at.elapsed(clock) < CONFIRMED_FOR,
            GateState::Closed => false,
        }
    }

    fn set(&self, state: GateState) {
        *self.state() = state;
        self.0.changed.notify_waiters();
    }

    fn state(&self) -> MutexGuard<'_, GateState> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::common::SystemClock;

    /// Whether a write goes out at once.
    async fn passes(gate: &WriteGate, clock: &SystemClock) -> bool {
        tokio::select! {
            biased;
            () = gate.pass(clock) => true,
            () = std::future::ready(()) => false,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn writes_go_out_only_shortly_after_a_confirmation() {
        let (gate, clock) = (WriteGate::default(), SystemClock::start());
        assert!(passes(&gate, &clock).await);
        gate.confirm(Moment::now(&clock));
        assert!(passes(&gate, &clock).await);
        clock.sleep(Duration::from_secs(61)).await;
        assert!(!passes(&gate, &clock).await);
        let (waited, ()) = tokio::join!(gate.pass(&clock), async {
            clock.sleep(Duration::from_secs(5)).await;
            gate.confirm(Moment::now(&clock));
        });
        assert_eq!(waited, ());
        gate.close();
        assert!(!passes(&gate, &clock).await);
        gate.open();
        assert!(passes(&gate, &clock).await);
    }

    #[tokio::test(start_paused = true)]
    async fn sleep_of_the_machine_closes_the_gate() {
        let (gate, clock) = (WriteGate::default(), SystemClock::start());
        let before = Moment {
            wall: SystemTime::now() - Duration::from_secs(61),
            ..Moment::now(&clock)
        };
        gate.confirm(before);
        assert!(!passes(&gate, &clock).await);
    }
}
