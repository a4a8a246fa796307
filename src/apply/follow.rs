//! Follows one operation of one stack to its end. A failed poll never decides the outcome: only the stack's
//! own last event, confirmed by the stack, does.

use std::time::Duration;

use super::cause::ResourceLabels;
use super::event_tracker::EventTracker;
use super::poller::{Poller, WakeReason};
use crate::cloud::{Cloud, CloudError, LiveStack, StackEvent, StackOperation, StackStatus, Store};
use crate::events::{BootFinding, Emitter, Verb};
use crate::stacks::StackKind;

/// The end of an operation.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct OperationEnd {
    pub status: StackStatus,
    /// The stack at its end; `None` when it is gone.
    pub found: Option<LiveStack>,
    /// All its events, in the order in which AWS listed them.
    pub events: Vec<StackEvent>,
    /// What a machine said whose group did not boot.
    pub boot: Option<BootFinding>,
}

/// The operation can no longer be followed; AWS continues it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum FollowError {
    Lost(String),
    /// The credentials have expired: no operation can be followed.
    Expired(CloudError),
}

/// An operation to follow, and the names for its events.
pub(super) struct FollowedOperation<'a, C> {
    pub poller: &'a Poller<'a, C>,
    pub emit: Emitter<'a, C>,
    pub kind: &'a StackKind,
    pub operation: &'a StackOperation,
    pub labels: ResourceLabels<'a>,
    /// The kind of operation. Only a deletion may end without a stack.
    pub verb: Verb,
    pub direction: Direction,
    /// Called when it turns out that the operation is rolled back.
    pub mark_rolling_back: &'a dyn Fn(),
}

/// The direction of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Direction {
    Forward,
    /// A continued rollback: a rollback from its start.
    Rollback,
}

/// Follows an operation to its end, emitting every event of its resources once.
pub(super) async fn follow<C: Cloud + Store>(
    subject: &FollowedOperation<'_, C>,
) -> Result<OperationEnd, FollowError> {
    let mut subscription = subject.poller.subscribe(&subject.operation.stack_id);
    let mut tracker = EventTracker::new(subject);
    let mut reason = WakeReason::Time;
    let mut wait = Duration::ZERO;
    loop {
        wait = match tracker.poll(&subscription, reason).await {
            Ok(Some((status, found))) => {
                tracker.last_read().await;
                return Ok(OperationEnd {
                    status,
                    found,
                    events: tracker.events,
                    boot: tracker.boot,
                });
            }
            Ok(None) => tracker.next_wait(),
            Err(error) => tracker.on_poll_error(error, wait)?,
        };
        reason = subscription.wait(wait).await;
    }
}
