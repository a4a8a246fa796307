//! What every kind of run shares: the cloud, its events, its followers and the states of its stacks.

use std::cell::RefCell;
use std::pin::pin;

use futures::future::{Either, select};

use super::cause::ResourceLabels;
use super::follow::{Direction, FollowError, FollowedOperation, OperationEnd, follow};
use super::last_look::LastSeen;
use super::outcome;
use super::poller::Poller;
use super::registry::{StackState, StackStates};
use super::retry::with_retry;
use super::stack_result::{StackResult, unanswered};
use super::{RunOutcome, RunReport, Session};
use crate::cloud::{Cloud, CloudError, StackOperation, Store};
use crate::events::Emitter;
use crate::events::{Expected, Outcome, Verb};
use crate::stacks::StackKind;

/// What the stacks of one run share.
pub(super) struct RunContext<'a, C> {
    pub cloud: &'a C,
    pub session: &'a Session<'a>,
    pub emit: Emitter<'a, C>,
    pub states: StackStates,
    pub poller: Poller<'a, C>,
    /// The stacks that were followed, as they were at the end.
    pub last_seen: RefCell<LastSeen>,
}

/// Why a run is over.
pub(super) enum RunEnd {
    Completed,
    Stopped,
    /// The credentials expired; the error as text.
    Expired(String),
}

impl RunEnd {
    /// Why running operations are no longer followed.
    pub fn why(&self) -> &str {
        match self {
            Self::Expired(why) => why,
            Self::Completed | Self::Stopped => "the run was stopped here",
        }
    }
}

impl<'a, C: Cloud + Store> RunContext<'a, C> {
    pub fn new<'k>(
        cloud: &'a C,
        session: &'a Session<'a>,
        stacks: impl Iterator<Item = &'k StackKind>,
    ) -> Self {
        let emit = Emitter {
            events: session.events,
            clock: cloud,
        };
        Self {
            cloud,
            session,
            emit,
            states: StackStates::new(stacks),
            poller: Poller::new(cloud),
            last_seen: RefCell::default(),
        }
    }

    pub fn run_started(&self, cluster: &str, verb: Verb, stacks: Vec<Expected>) {
        let run = self.session.run;
        self.emit.run_started(run, cluster, verb, stacks);
    }

    /// Runs `work` with the poller beside it, until it is done, `stop` is ready or the credentials expire.
    pub async fn until_end(&self, work: impl Future, stop: impl Future<Output = ()>) -> RunEnd {
        let (work, poll) = (pin!(work), pin!(self.poller.poll_forever()));
        let (stop, expired) = (pin!(stop), pin!(self.poller.expired()));
        match select(select(work, poll), select(stop, expired)).await {
            Either::Left(_) => RunEnd::Completed,
            Either::Right((Either::Left(_), _)) => RunEnd::Stopped,
            Either::Right((Either::Right((why, _)), _)) => RunEnd::Expired(why),
        }
    }

    /// Emits the last events of a run. A run that is not followed to its end has no outcome.
    pub fn finish(&self, report: &RunReport, end: &RunEnd) {
        if let RunEnd::Expired(why) = end {
            let text = format!("nothing more is started, AWS continues what runs: {why}");
            self.emit.note(None, text);
        }
        for running in &report.running {
            let text = format!("continues in AWS, no longer followed: {}", running.reason);
            self.emit.note(Some(&running.stack), text);
        }
        match report.outcome() {
            RunOutcome::Detached => {}
            end => self.emit.run_finished(end == RunOutcome::Done),
        }
    }

    /// Sends a request before any operation on a stack: if it fails, none is started. `doing` says what it
    /// is for.
    pub async fn ask<T>(
        &self,
        doing: &str,
        request: impl AsyncFnMut(&C) -> Result<T, CloudError>,
    ) -> Result<T, StackResult> {
        let answer = with_retry(self.cloud, request).await;
        answer.map_err(|error| unanswered(doing, error))
    }

    /// Waits until all of these stacks are as wanted.
    pub async fn await_stacks(&self, stacks: &[StackKind]) -> Result<(), StackResult> {
        for stack in stacks {
            match self.states.last(stack).await {
                Some(StackState::Settled(outcome, _)) if outcome.is_good() => {}
                Some(StackState::Settled(..)) | None => {
                    let needs = stack.clone();
                    return Err(StackResult::at_rest(Outcome::NotStarted { needs }));
                }
                Some(_) => return Err(StackResult::Left),
            }
        }
        Ok(())
    }

    /// Follows an operation to its end, no matter who began it, and returns its outcome.
    pub async fn follow(
        &self,
        stack: &StackKind,
        describe: &dyn Fn(&str) -> String,
        operation: &StackOperation,
        verb: Verb,
        direction: Direction,
    ) -> Result<(Outcome, OperationEnd), FollowError> {
        let explain = |id: &str, path: Option<&str>| (self.session.explain)(stack, id, path);
        let explain = &explain;
        let subject = FollowedOperation {
            poller: &self.poller,
            emit: self.emit,
            kind: stack,
            operation,
            labels: ResourceLabels { describe, explain },
            verb,
            direction,
            mark_rolling_back: &|| self.states.mark_rolling_back(stack),
        };
        let end = follow(&subject).await?;
        if let Some(found) = &end.found {
            self.last_seen
                .borrow_mut()
                .insert(stack.clone(), found.clone());
        }
        Ok((outcome::outcome(verb, &end, &subject.labels), end))
    }

    /// Publishes the result of a stack. Never returns when the credentials expired: the whole run stops.
    pub async fn settle(&self, stack: &StackKind, result: StackResult) {
        let state = match result {
            StackResult::Settled(outcome, outputs) => {
                self.emit.settled(stack, &outcome);
                StackState::Settled(outcome, outputs)
            }
            StackResult::Lost(why) => StackState::Lost(why),
            StackResult::Left => StackState::Left,
            StackResult::Expired(error) => {
                self.poller.expire(&error);
                return std::future::pending().await;
            }
        };
        self.states.set(stack, state);
    }
}
