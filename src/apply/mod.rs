//! Executing a plan: every stack starts as soon as its inputs exist, all are followed at once.
//! Emits [`crate::events::Event`]s; knows nothing of how anything looks.
//!
//! [`run()`] drives one state machine for each stack; `stack/mod.rs` has its phases and the table of its
//! transitions. All state is in AWS. When a run ends early, AWS continues its operations, and the same
//! command follows them again.

mod boot;
mod cancel;
pub mod cause;
mod delete;
pub mod diagnose;
mod event_tracker;
mod follow;
mod last_look;
mod outcome;
mod outside;
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

use std::collections::BTreeMap;

use crate::events::{Outcome, Retained};
use crate::plan::Blocked;
use crate::stacks::StackKind;
use crate::sweep::SweepReport;

pub use cancel::{CancelEffect, Cancellation, cancel, cancellations};
pub use delete::delete;
pub use outside::{OutsidePlan, Released};
pub use run::run;
pub use session::{OnExternalOperation, Session};
pub use watch::watch;

/// The outputs of stacks, by kind.
pub type Outputs = BTreeMap<StackKind, BTreeMap<String, String>>;

/// What has to be done outside CloudFormation before a stack starts.
#[allow(async_fn_in_trait, reason = "one thread, no Send bound wanted")]
pub trait Prerequisites {
    /// Called before any operation on the stack, in parallel with its wait for other stacks. A stack that
    /// needs the base waits for the outputs of the base first. Not called for a stack that does not
    /// change. Must be idempotent. Returns a line for the user if it did something; the error says what
    /// failed, why, and what to do.
    async fn prepare(&self, stack: &StackKind, outputs: &Outputs)
    -> Result<Option<String>, String>;
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RunReport {
    /// Stacks that settled, in the order of the plan.
    pub outcomes: Vec<(StackKind, Outcome)>,
    /// Outputs of all stacks that are as wanted.
    pub outputs: Outputs,
    /// Stacks whose operation continues in AWS and is no longer followed here.
    pub running: Vec<RunningStack>,
    /// Stacks that did not start because of those, or because the run was stopped.
    pub waiting: Vec<StackKind>,
    /// Whether the run that holds the operation lock goes on, and is no longer watched.
    pub unwatched: bool,
    /// Resources that a deletion leaves behind on purpose.
    pub retained: Vec<Retained>,
    /// What a deletion found and removed outside the stacks.
    pub outside: SweepReport,
    /// Why a deletion was refused before its first stack, although it was confirmed.
    pub refused: Option<Blocked>,
    /// Cleanup that failed although every stack is gone: one line each.
    pub unfinished: Vec<String>,
    /// What a deletion has not come to, as stacks are still there: one line each.
    pub waiting_for_stacks: Vec<String>,
    /// What a last look at all stacks found otherwise than the run left it: one line each.
    pub changed_since: Vec<String>,
    /// Why that look failed: then nothing is known of the stacks that the run did not follow to their end.
    pub not_looked_at: Option<String>,
}

/// A stack whose operation continues and is no longer followed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunningStack {
    pub stack: StackKind,
    /// Why it is no longer followed.
    pub reason: String,
}

/// The outcome of a whole run: that of its worst stack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunOutcome {
    /// Done, or nothing to do (exit code 0).
    Done,
    /// Failed, and every failed stack that had begun was rolled back (3).
    RolledBack,
    /// Not everything was done, because a stack could not be begun; nothing failed in AWS (1).
    NotBegun,
    /// Failed, and needs manual action (4).
    NeedsManualAction,
    /// Something still runs or waits; the same command resumes it (6).
    Detached,
    /// Done as far as each stack said, but the last look at all of them failed (1).
    NotLookedAt,
}

impl RunReport {
    /// How the run ended.
    pub fn outcome(&self) -> RunOutcome {
        let outcomes = || self.outcomes.iter().map(|(_, outcome)| outcome);
        if !self.running.is_empty() || !self.waiting.is_empty() || self.unwatched {
            RunOutcome::Detached
        } else if outcomes().any(|outcome| matches!(outcome, Outcome::Failed(_)))
            || !self.unfinished.is_empty()
            || !self.changed_since.is_empty()
            || !self.outside.left.is_empty()
        {
            RunOutcome::NeedsManualAction
        } else if outcomes().any(|outcome| matches!(outcome, Outcome::RolledBack(_))) {
            RunOutcome::RolledBack
        } else if !outcomes().all(Outcome::is_good) {
            RunOutcome::NotBegun
        } else if self.not_looked_at.is_some() {
            RunOutcome::NotLookedAt
        } else {
            RunOutcome::Done
        }
    }
}
