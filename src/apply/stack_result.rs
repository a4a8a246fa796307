//! How a stack's walk ends, and the words for a stack of which nothing began.

use std::collections::BTreeMap;

use super::follow::FollowError;
use super::outcome;
use super::poller::Poller;
use super::registry::{StackState, StackStates};
use super::tell::Teller;
use crate::cloud::{Cloud, CloudError};
use crate::events::Outcome;
use crate::stacks::StackKind;

/// How a stack's walk ended.
pub(super) enum StackResult {
    Settled(Box<Settled>),
    /// It runs in AWS, and nobody follows it any more.
    Lost(String),
    /// It waits for a stack that nobody follows any more.
    Left,
    /// The credentials ended: the whole run detaches, wherever its stacks stand.
    Expired(CloudError),
}

/// A stack at rest, and what it puts out.
pub(super) struct Settled {
    pub outcome: Outcome,
    pub outputs: BTreeMap<String, String>,
}

impl From<FollowError> for StackResult {
    fn from(astray: FollowError) -> Self {
        match astray {
            FollowError::Lost(why) => Self::Lost(why),
            FollowError::Expired(error) => Self::Expired(error),
        }
    }
}

impl StackResult {
    /// At rest, with these outputs.
    pub fn with(outcome: Outcome, outputs: BTreeMap<String, String>) -> Self {
        Self::Settled(Box::new(Settled { outcome, outputs }))
    }

    /// At rest, with nothing to put out.
    pub fn at_rest(outcome: Outcome) -> Self {
        Self::with(outcome, BTreeMap::new())
    }

    /// Puts the stack where it ended; tells its outcome. Never returns when the credentials ended: the
    /// run stops as a whole.
    pub async fn settle<C: Cloud>(
        self,
        kind: &StackKind,
        board: &StackStates,
        pulse: &Poller<'_, C>,
        tell: Teller<'_, C>,
    ) {
        let place = match self {
            Self::Settled(end) => {
                tell.settled(kind, &end.outcome);
                StackState::Settled(Box::new(end.outcome), end.outputs)
            }
            Self::Lost(why) => StackState::Lost(why),
            Self::Left => StackState::Left,
            Self::Expired(error) => {
                pulse.expire(&error);
                return std::future::pending().await;
            }
        };
        board.set(kind, place);
    }
}

impl StackResult {
    /// What was mended on the way is a change, although nothing was left to do after it.
    pub fn changed(mut self) -> Self {
        if let Self::Settled(end) = &mut self
            && end.outcome == Outcome::Unchanged
        {
            end.outcome = Outcome::Updated;
        }
        self
    }
}

/// A stack of which nothing began, because somebody has to decide first.
pub(super) fn failed(reason: impl Into<String>) -> StackResult {
    StackResult::at_rest(outcome::refused(None, reason))
}

/// A stack of which nothing began: run again, it simply goes on.
pub(super) fn unbegun(reason: impl Into<String>) -> StackResult {
    StackResult::at_rest(outcome::unbegun(reason))
}

/// The same for a question that AWS did not answer well; `doing` says what for.
pub(super) fn unanswered(doing: &str, error: CloudError) -> StackResult {
    match error {
        CloudError::Credentials { .. } => StackResult::Expired(error),
        _ if doing.is_empty() => unbegun(error.to_string()),
        _ => unbegun(format!("{doing}: {error}")),
    }
}
