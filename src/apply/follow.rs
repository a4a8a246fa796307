//! Following one operation of one stack to its end. A poll that fails never decides a verdict: only
//! the stack's own last event, confirmed by the stack, does.

use std::time::Duration;

use super::cause::ResourceLabels;
use super::event_tracker::EventTracker;
use super::poller::{Poller, WakeReason};
use crate::cloud::{
    Cloud, CloudError, Console, LiveStack, Operation, StackEvent, StackStatus, Store,
};
use crate::events::Emitter;
use crate::events::Verb;
use crate::stacks::StackKind;

/// The end of an operation.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct OperationEnd {
    pub status: StackStatus,
    /// The stack at its end; `None` when it is gone.
    pub found: Option<LiveStack>,
    /// Everything that happened, in the order in which AWS listed it.
    pub events: Vec<StackEvent>,
    /// What a machine said last whose group never reported.
    pub console: Option<Console>,
}

/// Nobody can follow any more; the operation goes on in AWS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum FollowError {
    Lost(String),
    /// Nor can anybody else: the credentials have ended.
    Expired(CloudError),
}

/// What is followed, and how to speak of it.
pub(super) struct FollowedOperation<'a, C> {
    pub poller: &'a Poller<'a, C>,
    pub emit: Emitter<'a, C>,
    pub kind: &'a StackKind,
    pub operation: &'a Operation,
    pub words: ResourceLabels<'a>,
    /// What is done. Where it is a deletion, the stack going away is what was asked for.
    pub verb: Verb,
    pub direction: Direction,
    /// Called when it turns out that the operation is rolled back.
    pub mark_rolling_back: &'a dyn Fn(),
}

/// Which way an operation goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Direction {
    Forward,
    /// A rollback from the start: one that is continued.
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
                    console: tracker.console,
                });
            }
            Ok(None) => tracker.next_wait(),
            Err(error) => tracker.on_poll_error(error, wait)?,
        };
        reason = subscription.wait(wait).await;
    }
}
