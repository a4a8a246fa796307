//! A deterministic CloudFormation in virtual time, with the parameters, buckets and machines beside it, and with what
//! Kubernetes and other people make outside its stacks: the same seed gives the same events. It knows how AWS behaves and fails, not what the calls are for.
//!
//! Every call first applies what was due until now (`engine`), then is answered from the state of that
//! moment (`middleware` decides whether it gets through). Nothing happens between calls, nothing runs
//! beside them. Time is tokio's, which tests pause and a rehearsal speeds up. What a template's rules say
//! and what AWS would answer is reported in AWS's words. Not simulated: imports, nested stacks, hooks,
//! resource-level conditions, programs on machines (their answers are scripted). Machines one by one, and the Kubernetes that
//! runs on them, are in `fleet`.

mod account;
mod answers;
mod boots;
mod changes;
mod changesets;
mod compiled;
mod config;
mod differences;
mod drift;
mod engine;
mod external_change;
mod fleet;
mod inspect;
mod inspected;
mod machines;
mod middleware;
mod names;
mod outside;
mod policy;
mod reasons;
mod remote;
mod rng;
mod scaling;
#[cfg(test)]
pub mod small_cluster;
mod stack;
mod state;
mod store;
mod timing;
mod writes;

use crate::cloud::WriteGate;
use crate::common::Clock;
use std::cell::{Cell, RefCell, RefMut};
use std::rc::Rc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::Notify;
use tokio::time::Instant;

use state::State;

pub use crate::catalog::durations::Operation;
pub use account::SimulatedAccount;
pub use compiled::Library;
pub use config::{
    CallFault, Crash, CrashPoint, FaultKind, Faults, LateEvent, Noise, QUOTA, ResourceFailure,
    RollbackFailure, SimulationConfig,
};
pub use external_change::ExternalChange;
pub use fleet::{
    App, FleetAct, FleetConfig, FleetEntry, FleetFacts, FleetFault, FleetFaultKind, GroupNow,
};
pub use inspect::{Call, Calls, Loss, RemovalCause, Write};
pub use outside::{Balancer, BalancerKind, Maker, OutsideLoss, Place, RemovedBy};
pub use store::StoredParameter;

/// A simulated cloud. Created inside a tokio runtime, whose clock it takes.
pub struct Simulated {
    began: Instant,
    speed: f64,
    state: Rc<RefCell<State>>,
    has_crashed: Cell<bool>,
    crash: Notify,
    gate: WriteGate,
    /// The first process crashes by the faults, every other one by its own.
    is_first: bool,
    own_crash: Option<Crash>,
    own_calls: Cell<u64>,
}

impl std::fmt::Debug for Simulated {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Simulated at {}", self.now())
    }
}

impl Simulated {
    pub fn new(config: SimulationConfig) -> Self {
        Self::sharing(config, &Library::default())
    }

    /// As [`Simulated::new`], with templates that other clouds may have read already.
    pub fn sharing(config: SimulationConfig, library: &Library) -> Self {
        Self {
            began: Instant::now(),
            speed: config.speed.max(0.001),
            state: Rc::new(RefCell::new(State::new(config, library.clone()))),
            has_crashed: Cell::new(false),
            crash: Notify::new(),
            gate: WriteGate::default(),
            is_first: true,
            own_crash: None,
            own_calls: Cell::new(0),
        }
    }

    /// Another process that asks the same cloud at the same time: it crashes by itself, and its crash
    /// counts its own calls.
    #[must_use]
    pub fn another(&self, crash_at: Option<Crash>) -> Self {
        Self {
            began: self.began,
            speed: self.speed,
            state: Rc::clone(&self.state),
            has_crashed: Cell::new(false),
            crash: Notify::new(),
            gate: WriteGate::default(),
            is_first: false,
            own_crash: crash_at,
            own_calls: Cell::new(0),
        }
    }

    /// Ready at the crash of [`Faults::crash_at`]; the call that crashes is never answered.
    pub async fn crashed(&self) {
        loop {
            let notified = self.crash.notified();
            if self.has_crashed.get() {
                return;
            }
            notified.await;
        }
    }

    /// A new process asks the same cloud: its credentials are good, its calls count from one, and these
    /// are the faults. Calls of before are never answered.
    pub fn restart(&self, faults: Faults) {
        self.has_crashed.set(false);
        self.state().restart(faults);
    }

    /// Virtual milliseconds since the beginning.
    fn elapsed(&self) -> i64 {
        rng::whole_milliseconds(self.began.elapsed().as_secs_f64() * self.speed)
    }

    /// The state as it was left; never held over an await.
    fn state(&self) -> RefMut<'_, State> {
        self.state.borrow_mut()
    }

    /// Works on the state of this moment.
    fn with_now<T>(&self, work: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.state();
        state.advance(self.elapsed());
        work(&mut state)
    }
}

impl Clock for Simulated {
    fn now(&self) -> Timestamp {
        stack::timestamp(self.elapsed())
    }

    async fn sleep(&self, time: Duration) {
        tokio::time::sleep(time.div_f64(self.speed)).await;
    }
}

#[cfg(test)]
mod tests;
