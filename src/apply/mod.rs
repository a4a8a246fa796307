//! Executing a plan: every stack starts as soon as its inputs exist, all are followed at once.
//! Emits [`crate::events::Event`]s; knows nothing of how anything looks.
//!
//! [`run()`] drives one state machine for each stack; `stack/mod.rs` has its phases and the table of its
//! transitions. What a run knows is in AWS alone. When it ends early, whatever runs goes on there, and the same
//! command finds it again.

mod cancel;
pub mod cause;
mod delete;
pub mod diagnose;
mod event_tracker;
mod follow;
mod outcome;
mod poller;
mod registry;
mod requests;
mod retained;
mod retry;
mod run;
mod run_context;
mod scheduler;
mod session;
mod stack;
mod stack_result;
mod unexecuted;
mod watch;

#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_scheduler;

use std::collections::BTreeMap;

use crate::events::Outcome;
use crate::stacks::StackKind;

pub use cancel::{Cancellation, What, cancel, cancellations};
pub use delete::delete;
pub use retained::Remains;
pub use run::run;
pub use session::{Meeting, Session};
pub use watch::watch;

/// What stacks put out, by kind.
pub type Outputs = BTreeMap<StackKind, BTreeMap<String, String>>;

/// What has to be done outside CloudFormation before a stack starts.
#[allow(async_fn_in_trait, reason = "one thread, no Send bound wanted")]
pub trait Prepare {
    /// Called before anything of the stack itself, as soon as the outputs of the base are there where the
    /// stack needs the base, beside whatever else the stack waits for. Not called for a stack that
    /// turns out to stay as it is. Has to bear being called again. Returns a line to tell where something
    /// was done; the error says what, why and what to do.
    async fn before(&self, stack: &StackKind, outputs: &Outputs) -> Result<Option<String>, String>;
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Report {
    /// Stacks that came to rest, in the order of the plan.
    pub outcomes: Vec<(StackKind, Outcome)>,
    /// Outputs of all stacks that are as wanted.
    pub outputs: Outputs,
    /// Stacks whose operation goes on in AWS while nobody follows it here.
    pub running: Vec<Running>,
    /// Stacks that were left waiting because of those, or because the run was stopped.
    pub waiting: Vec<StackKind>,
    /// What a deletion leaves behind on purpose.
    pub remains: Vec<Remains>,
    /// Why the end of a run could not be finished, although every stack is gone: one line each.
    pub unfinished: Vec<String>,
}

/// A stack that moves while nobody follows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Running {
    pub stack: StackKind,
    /// Why it is not followed any more.
    pub why: String,
}

/// The one word for a run's end; the worst of its stacks decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Done, or nothing to do (exit code 0).
    Done,
    /// Failed, and everything that failed is back where it was (3).
    RolledBack,
    /// Failed, and a hand is needed (4).
    NeedsHand,
    /// Something still runs or waits; the same command goes on (6).
    Detached,
}

impl Report {
    /// How the run ended.
    pub fn end(&self) -> End {
        let outcomes = || self.outcomes.iter().map(|(_, outcome)| outcome);
        if !self.running.is_empty() || !self.waiting.is_empty() {
            End::Detached
        } else if outcomes().any(|outcome| matches!(outcome, Outcome::Failed(_)))
            || !self.unfinished.is_empty()
        {
            End::NeedsHand
        } else if outcomes().all(Outcome::is_good) {
            End::Done
        } else {
            End::RolledBack
        }
    }
}
