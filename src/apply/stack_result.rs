//! The result of a stack in a run, and the results of stacks for which no operation began.

use std::collections::BTreeMap;

use super::follow::FollowError;
use crate::cloud::{CloudError, StackStatus};
use crate::events::{Failure, Outcome};
use crate::plan::Blocked;

/// The result of a stack in a run, good or bad.
pub(super) enum StackResult {
    /// At rest, with its outputs.
    Settled(Box<Outcome>, BTreeMap<String, String>),
    /// It runs in AWS and is no longer followed.
    Lost(String),
    /// It waits for a stack that is no longer followed.
    Left,
    /// The credentials expired: the whole run detaches.
    Expired(CloudError),
}

impl From<FollowError> for StackResult {
    fn from(error: FollowError) -> Self {
        match error {
            FollowError::Lost(why) => Self::Lost(why),
            FollowError::Expired(error) => Self::Expired(error),
        }
    }
}

impl StackResult {
    /// At rest, with these outputs.
    pub fn with(outcome: Outcome, outputs: BTreeMap<String, String>) -> Self {
        Self::Settled(Box::new(outcome), outputs)
    }

    /// At rest, without outputs.
    pub fn at_rest(outcome: Outcome) -> Self {
        Self::with(outcome, BTreeMap::new())
    }

    /// A continued rollback is a change, although nothing was left to do after it.
    pub fn changed(self) -> Self {
        match self {
            Self::Settled(outcome, outputs) if *outcome == Outcome::Unchanged => {
                Self::with(Outcome::Updated, outputs)
            }
            other => other,
        }
    }
}

/// No operation began, and manual action is needed.
pub(super) fn failed(reason: impl Into<String>) -> StackResult {
    StackResult::at_rest(Outcome::Failed(Failure::of_stack(None, reason)))
}

/// The same with the reason and remedy of the plan, for a stack in `status`.
pub(super) fn blocked(status: Option<StackStatus>, why: &Blocked) -> StackResult {
    let reason = format!("{}; {}", why.reason, why.remedy);
    StackResult::at_rest(Outcome::Failed(Failure::of_stack(status, reason)))
}

/// No operation began: the stack is unchanged, and re-running the same command resumes.
pub(super) fn unbegun(reason: impl Into<String>) -> StackResult {
    StackResult::at_rest(Outcome::NotBegun(Failure::of_stack(None, reason)))
}

/// The same for a failed request; `doing` says what it was for.
pub(super) fn unanswered(doing: &str, error: CloudError) -> StackResult {
    match error {
        CloudError::Credentials { .. } => StackResult::Expired(error),
        _ if doing.is_empty() => unbegun(error.to_string()),
        _ => unbegun(format!("{doing}: {error}")),
    }
}

/// A request without an answer: it may have had its effect.
pub(super) fn unknown(error: &CloudError) -> StackResult {
    StackResult::Lost(format!("{error}; whether it began is not known"))
}
