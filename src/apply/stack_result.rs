//! How a stack's part of a run ends, and the words for a stack of which nothing began.

use std::collections::BTreeMap;

use super::follow::FollowError;
use crate::cloud::{CloudError, StackStatus};
use crate::events::{Failure, Outcome};
use crate::plan::Blocked;

/// How a stack's part of a run ended, well or not.
pub(super) enum StackResult {
    /// At rest, with what it puts out.
    Settled(Box<Outcome>, BTreeMap<String, String>),
    /// It runs in AWS, and nobody follows it any more.
    Lost(String),
    /// It waits for a stack that nobody follows any more.
    Left,
    /// The credentials ended: the whole run detaches, wherever its stacks are.
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

    /// At rest, with nothing to put out.
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

/// A stack of which nothing began, because somebody has to decide first.
pub(super) fn failed(reason: impl Into<String>) -> StackResult {
    StackResult::at_rest(Outcome::Failed(Failure::of_stack(None, reason)))
}

/// The same in the plan's words, for a stack in `status`.
pub(super) fn blocked(status: Option<StackStatus>, why: &Blocked) -> StackResult {
    let reason = format!("{}; {}", why.reason, why.remedy);
    StackResult::at_rest(Outcome::Failed(Failure::of_stack(status, reason)))
}

/// A stack of which nothing began: it is where it was, and the same command again simply resumes.
pub(super) fn unbegun(reason: impl Into<String>) -> StackResult {
    StackResult::at_rest(Outcome::RolledBack(Failure::of_stack(None, reason)))
}

/// The same for a request that AWS did not answer well; `doing` says what for.
pub(super) fn unanswered(doing: &str, error: CloudError) -> StackResult {
    match error {
        CloudError::Credentials { .. } => StackResult::Expired(error),
        _ if doing.is_empty() => unbegun(error.to_string()),
        _ => unbegun(format!("{doing}: {error}")),
    }
}

/// No answer came, and what was asked may have happened all the same.
pub(super) fn unknown(error: &CloudError) -> StackResult {
    StackResult::Lost(format!("{error}; whether it began is not known"))
}
