//! What stands between a question and its answer: counting, dying, expired credentials, throttling,
//! requests and answers that get lost, reads that are behind.

use std::future::pending;

use fastrand::Rng;

use super::Simulated;
use super::config::CrashPoint;
use super::rng::{happens, stream};
use super::state::State;
use crate::cloud::CloudError;

/// A die for every kind of misfortune.
pub(super) struct FaultRng {
    unreachable: Rng,
    throttle: Rng,
    lost: Rng,
    stale: Rng,
    duplicate: Rng,
    reorder: Rng,
}

/// Whether a call changes anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    None,
    Some,
}

/// How a call gets through.
enum Admission {
    Open,
    Crashed,
    Refused(CloudError),
}

impl FaultRng {
    pub(super) fn new(seed: u64) -> Self {
        let die = |purpose| stream(seed, &["die", purpose], 0);
        Self {
            unreachable: die("unreachable"),
            throttle: die("throttle"),
            lost: die("lost"),
            stale: die("stale"),
            duplicate: die("duplicate"),
            reorder: die("reorder"),
        }
    }
}

impl Simulated {
    /// One call: what is due happens, the call gets through or not, has its effect, is answered or not.
    pub(super) async fn call<T>(
        &self,
        verb: &'static str,
        effect: Effect,
        work: impl FnOnce(&mut State) -> Result<T, CloudError>,
    ) -> Result<T, CloudError> {
        match self.admit(verb) {
            Admission::Open => {}
            Admission::Crashed => return pending().await,
            Admission::Refused(error) => return Err(error),
        }
        let answer = self.with_now(work);
        if self.crashes(CrashPoint::AfterEffect) {
            return pending().await;
        }
        if effect == Effect::Some && self.state().loses_answer() {
            return Err(unreachable(
                verb,
                "the connection was closed before an answer came",
            ));
        }
        answer
    }

    fn admit(&self, verb: &'static str) -> Admission {
        if self.has_crashed.get() {
            return Admission::Crashed;
        }
        let second = u64::try_from(self.elapsed() / 1000).unwrap_or_default();
        {
            let mut state = self.state();
            state.calls.push((second, verb));
            state.counted += 1;
        }
        if self.crashes(CrashPoint::BeforeEffect) {
            return Admission::Crashed;
        }
        self.state()
            .refusal(verb)
            .map_or(Admission::Open, Admission::Refused)
    }

    /// Whether the one who asks dies at this point of the present call.
    fn crashes(&self, when: CrashPoint) -> bool {
        let state = self.state();
        let crash = state.env.faults.crash_at;
        if !crash.is_some_and(|crash| crash.call <= state.counted && crash.when == when) {
            return false;
        }
        self.has_crashed.set(true);
        self.crash.notify_waiters();
        true
    }
}

impl State {
    fn refusal(&mut self, verb: &str) -> Option<CloudError> {
        let faults = &self.env.faults;
        if faults
            .expire_after
            .is_some_and(|after| self.counted > after)
        {
            return Some(CloudError::Credentials {
                reason: "The security token included in the request is expired".to_owned(),
                help: "get new ones (`aws sso login`), then run the same command again".to_owned(),
            });
        }
        if happens(&mut self.fault_rng.unreachable, faults.unreachable) {
            return Some(unreachable(verb, "it took too long to connect"));
        }
        if happens(&mut self.fault_rng.throttle, faults.throttle) {
            return Some(CloudError::Throttled(verb.to_owned()));
        }
        None
    }

    fn loses_answer(&mut self) -> bool {
        happens(&mut self.fault_rng.lost, self.env.faults.lost_answer)
    }

    /// The moment as of which a read of stacks is answered.
    pub(super) fn as_of(&mut self) -> i64 {
        let faults = &self.env.faults;
        if !happens(&mut self.fault_rng.stale, faults.stale_read) {
            return self.now;
        }
        let most = i64::try_from(faults.stale_for.as_millis()).unwrap_or(i64::MAX);
        self.now - self.fault_rng.stale.i64(0..=most.max(0))
    }

    /// An answer about events, as it arrives.
    pub(super) fn garbled<T: Clone>(&mut self, mut events: Vec<T>) -> Vec<T> {
        let faults = &self.env.faults;
        if happens(&mut self.fault_rng.duplicate, faults.duplicate_pages) {
            let again = self.fault_rng.duplicate.usize(0..=events.len());
            events.extend(events.clone().into_iter().take(again));
        }
        if happens(&mut self.fault_rng.reorder, faults.reorder) {
            self.fault_rng.reorder.shuffle(&mut events);
        }
        events
    }
}

fn unreachable(verb: &str, message: &str) -> CloudError {
    CloudError::Unreachable {
        operation: verb.to_owned(),
        message: message.to_owned(),
    }
}
