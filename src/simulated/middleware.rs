//! What is between a request and its answer: counting, crashes, expired credentials, throttling,
//! requests and answers that get lost, reads that are behind.

use std::future::pending;

use fastrand::Rng;

use super::Simulated;
use super::config::{CrashPoint, FaultKind};
use super::inspect::Call;
use super::rng::{happens, stream};
use super::state::State;
use crate::cloud::CloudError;

/// A stream of chance for every kind of fault.
pub(super) struct FaultRng {
    unreachable: Rng,
    throttle: Rng,
    lost: Rng,
    stale: Rng,
    duplicate: Rng,
    reorder: Rng,
    turns: Rng,
}

/// Whether a call changes anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Access {
    Read,
    Write,
    /// Changes the operation lock alone: passes no gate.
    Lock,
}

/// How a call gets through.
enum Admission {
    /// With the scripted fault for it.
    Open(Option<FaultKind>),
    Crashed,
    Refused(CloudError),
}

impl FaultRng {
    pub(super) fn new(seed: u64) -> Self {
        let of = |purpose| stream(seed, &["die", purpose], 0);
        Self {
            unreachable: of("unreachable"),
            throttle: of("throttle"),
            lost: of("lost"),
            stale: of("stale"),
            duplicate: of("duplicate"),
            reorder: of("reorder"),
            turns: of("turns"),
        }
    }
}

impl Simulated {
    /// A call that changes nothing.
    pub(super) async fn read<T>(
        &self,
        verb: &'static str,
        about: &str,
        work: impl FnOnce(&mut State) -> Result<T, CloudError>,
    ) -> Result<T, CloudError> {
        self.call(verb, about, Access::Read, work).await
    }

    /// A call that changes something.
    pub(super) async fn write<T>(
        &self,
        verb: &'static str,
        about: &str,
        work: impl FnOnce(&mut State) -> Result<T, CloudError>,
    ) -> Result<T, CloudError> {
        self.gate.pass(self).await;
        self.call(verb, about, Access::Write, work).await
    }

    /// A call that changes the operation lock alone.
    pub(super) async fn lock<T>(
        &self,
        verb: &'static str,
        about: &str,
        work: impl FnOnce(&mut State) -> Result<T, CloudError>,
    ) -> Result<T, CloudError> {
        self.call(verb, about, Access::Lock, work).await
    }

    /// One call: what is due happens, the call gets through or not, has its effect, is answered or not.
    async fn call<T>(
        &self,
        verb: &'static str,
        about: &str,
        access: Access,
        work: impl FnOnce(&mut State) -> Result<T, CloudError>,
    ) -> Result<T, CloudError> {
        self.yield_to_others().await;
        let fault = match self.admit(verb, about) {
            Admission::Open(fault) => fault,
            Admission::Crashed => return pending().await,
            Admission::Refused(error) => return Err(error),
        };
        self.state().lag = match &fault {
            Some(FaultKind::Stale(by)) => i64::try_from(by.as_millis()).unwrap_or(i64::MAX),
            Some(FaultKind::Refused(_) | FaultKind::AnswerLost(_)) | None => 0,
        };
        let answer = self.with_now(work);
        if self.crashes(CrashPoint::AfterEffect) {
            return pending().await;
        }
        self.yield_to_others().await;
        if let Some(FaultKind::AnswerLost(error)) = fault {
            return Err(error);
        }
        if access != Access::Read && self.state().loses_answer() {
            return Err(unreachable(
                verb,
                "the connection was closed before an answer came",
            ));
        }
        answer
    }

    async fn yield_to_others(&self) {
        let turns = self.state().turns();
        for _ in 0..turns {
            tokio::task::yield_now().await;
        }
    }

    fn admit(&self, verb: &'static str, about: &str) -> Admission {
        if self.has_crashed.get() {
            return Admission::Crashed;
        }
        let second = u64::try_from(self.elapsed() / 1000).unwrap_or_default();
        {
            let mut state = self.state();
            let about = state.by_name(about);
            state.calls.push(Call {
                second,
                verb,
                about,
            });
            state.call_count += 1;
            self.own_calls.set(self.own_calls.get() + 1);
        }
        if self.crashes(CrashPoint::BeforeEffect) {
            return Admission::Crashed;
        }
        let mut state = self.state();
        match state.scripted() {
            Some(FaultKind::Refused(error)) => Admission::Refused(error),
            fault => state
                .refusal(verb)
                .map_or(Admission::Open(fault), Admission::Refused),
        }
    }

    /// Whether the process that asks crashes at this point of the present call.
    fn crashes(&self, when: CrashPoint) -> bool {
        let state = self.state();
        let (crash, calls) = if self.is_first {
            (state.env.faults.crash_at, state.call_count)
        } else {
            (self.own_crash, self.own_calls.get())
        };
        if !crash.is_some_and(|crash| crash.call <= calls && crash.when == when) {
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
            .is_some_and(|after| self.call_count > after)
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

    /// The scripted fault for the newest call, if there is one.
    fn scripted(&mut self) -> Option<FaultKind> {
        let call = self.calls.last()?;
        let word = call.about.split(' ').next().unwrap_or_default();
        for fault in &mut self.env.faults.calls {
            let fits = fault.verb.is_none_or(|verb| verb == call.verb)
                && fault.about.as_ref().is_none_or(|about| about == word);
            if !fits || fault.times == 0 {
                continue;
            }
            if fault.after == 0 {
                fault.times -= 1;
                return Some(fault.kind.clone());
            }
            fault.after -= 1;
        }
        None
    }

    /// What a call is about, with the name of a stack in the place of its ARN.
    fn by_name(&self, about: &str) -> String {
        let (first, rest) = about.split_at(about.find(' ').unwrap_or(about.len()));
        let stack = self.stacks.iter().find(|stack| stack.live.id == first);
        stack.map_or_else(
            || about.to_owned(),
            |stack| format!("{}{rest}", stack.live.name),
        )
    }

    fn turns(&mut self) -> u32 {
        self.fault_rng.turns.u32(self.env.faults.turns.clone())
    }

    fn loses_answer(&mut self) -> bool {
        happens(&mut self.fault_rng.lost, self.env.faults.lost_answer)
    }

    /// As of when a read of the store is answered.
    pub(super) fn stored_as_of(&self) -> i64 {
        self.now.saturating_sub(self.lag)
    }

    /// As of when a read of stacks is answered.
    pub(super) fn as_of(&mut self) -> i64 {
        if self.lag > 0 {
            return self.now - self.lag;
        }
        let faults = &self.env.faults;
        if !happens(&mut self.fault_rng.stale, faults.stale_read) {
            return self.now;
        }
        let most = i64::try_from(faults.stale_for.as_millis()).unwrap_or(i64::MAX);
        self.now - self.fault_rng.stale.i64(0..=most.max(0))
    }

    /// An answer about events, as it arrives.
    pub(super) fn with_delivery_faults<T: Clone>(&mut self, mut events: Vec<T>) -> Vec<T> {
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
