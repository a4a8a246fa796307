//! Watching a cluster: every operation on its stacks is followed to its end, no matter who began it.
//! Changes nothing.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::pin::pin;
use std::time::Duration;

use futures::future::{Either, select};
use futures::stream::{FuturesUnordered, StreamExt};

use super::follow::OperationEnd;
use super::registry::StackState;
use super::requests::newest;
use super::run_context::{RunContext, RunEnd};
use super::stack::{direction, verb};
use super::stack_result::StackResult;
use super::{RunReport, Session};
use crate::cloud::{Cloud, CloudError, LiveStack, StackStatus, Store};
use crate::events::{Expected, Failure, Outcome, Verb};
use crate::plan::recovery::is_ours;
use crate::plan::status::{WatchAction, on_watch, trouble_at_rest};
use crate::plan::{Survey, resources_of};
use crate::stacks::{StackKind, description};

/// Time between two searches for newly moving stacks.
const POLL_INTERVAL: Duration = Duration::from_secs(10);
/// Polls in a row without a moving stack before the watch ends: a run takes a moment from one stack to
/// the next.
const QUIET_POLLS: usize = 2;

struct WatchRun<'a, C> {
    survey: &'a Survey,
    context: RunContext<'a, C>,
    /// By ARN, so that a stack that was deleted and created again is another one. One that nobody can
    /// follow any more stays in it.
    followed: RefCell<BTreeSet<String>>,
    /// What was seen of each stack that has not moved.
    at_rest: RefCell<BTreeMap<StackKind, LiveStack>>,
    /// Whether a run held the operation lock and went on, when that was last looked at.
    is_held: Cell<bool>,
}

/// Follows every stack of a cluster that moves until all rest and no run that may move them `goes_on`, or `stop` is
/// ready. Stacks that rest all the while are `AtRest`, or `Failed` where their status says so. Compares nothing with a
/// definition.
pub async fn watch<C: Cloud + Store>(
    survey: &Survey,
    cloud: &C,
    session: &Session<'_>,
    goes_on: impl AsyncFn() -> bool,
    stop: impl Future<Output = ()>,
) -> RunReport {
    let mut kinds: Vec<StackKind> = known(&survey.found).map(|(kind, _)| kind).collect();
    kinds.sort();
    let run = WatchRun {
        survey,
        context: RunContext::new(cloud, session, kinds.iter()),
        followed: RefCell::default(),
        at_rest: RefCell::default(),
        is_held: Cell::new(false),
    };
    let context = &run.context;
    context.run_started(&survey.cluster, running_verb(survey), expected(survey));
    let end = context.until_end(run.execute(&goes_on), stop).await;
    let mut report = context.states.report(end.why());
    report.unwatched = run.is_held.get() && !matches!(end, RunEnd::Completed);
    context.finish(&report, &end);
    report
}

fn known(found: &[LiveStack]) -> impl Iterator<Item = (StackKind, &LiveStack)> {
    let kind = |found: &LiveStack| StackKind::parse(&found.kind);
    found.iter().filter_map(move |one| Some((kind(one)?, one)))
}

fn moves(found: &LiveStack) -> bool {
    on_watch(&found.status) == WatchAction::Follow
}

/// The kind of the running operations.
fn running_verb(survey: &Survey) -> Verb {
    let moving = || survey.found.iter().filter(|found| moves(found));
    let verbs = || moving().map(|found| verb(&found.status));
    if moving().next().is_some() && verbs().all(|verb| verb == Verb::Delete) {
        Verb::Delete
    } else if verbs().any(|verb| verb == Verb::Create) {
        Verb::Create
    } else {
        Verb::Update
    }
}

/// The stacks that move: nothing is announced of the others.
fn expected(survey: &Survey) -> Vec<Expected> {
    let line = |(stack, found): (StackKind, &LiveStack)| Expected {
        operation: Some(verb(&found.status)),
        resources: survey
            .templates
            .get(&found.id)
            .map_or(0, |template| resources_of(template).len()),
        needs: Vec::new(),
        span: None,
        stack,
    };
    let moving = known(&survey.found).filter(|(_, found)| moves(found));
    moving.map(line).collect()
}

impl<C: Cloud + Store> WatchRun<'_, C> {
    /// Follows moving stacks, and polls for new ones.
    async fn execute(&self, goes_on: &impl AsyncFn() -> bool) {
        for (stack, found) in known(&self.survey.found).filter(|(_, found)| !moves(found)) {
            self.settle_at_rest(stack, found).await;
        }
        let mut following = FuturesUnordered::new();
        let follow = |(stack, found)| self.follow(stack, found);
        following.extend(
            self.newly_moving(&self.survey.found)
                .into_iter()
                .map(follow),
        );
        self.is_held.set(goes_on().await);
        if following.is_empty() {
            if !self.is_held.get() {
                return;
            }
            let text = "no stack moves: waiting for the run that holds the operation lock";
            self.context.emit.note(None, text.to_owned());
        }
        let mut quiet = 0;
        let mut last = Vec::new();
        let mut look = Box::pin(self.context.cloud.sleep(POLL_INTERVAL));
        while quiet < QUIET_POLLS {
            let ended = async {
                if following.next().await.is_none() {
                    std::future::pending::<()>().await;
                }
            };
            if let Either::Left(_) = select(pin!(ended), &mut look).await {
                continue;
            }
            // Before the stacks: what the run did last is seen then.
            self.is_held.set(goes_on().await);
            match self.context.cloud.stacks(Some(&self.survey.cluster)).await {
                Ok(found) => {
                    following.extend(self.newly_moving(&found).into_iter().map(follow));
                    let is_quiet = following.is_empty() && !self.is_held.get();
                    quiet = if is_quiet { quiet + 1 } else { 0 };
                    last = found;
                }
                Err(error @ CloudError::Credentials { .. }) => self.context.poller.expire(&error),
                // Without an answer the next poll decides.
                Err(_) => {}
            }
            look = Box::pin(self.context.cloud.sleep(POLL_INTERVAL));
        }
        self.look_again(&last).await;
    }

    /// Publishes a stack that does not move, by its status alone.
    async fn settle_at_rest(&self, stack: StackKind, found: &LiveStack) {
        let status = &found.status;
        // The placeholder of a saved plan waits for it to be applied.
        let sets = self.survey.placeholders.get(&found.id);
        let waits = sets.is_some_and(|sets| is_ours(sets));
        let outcome = match trouble_at_rest(found).filter(|_| !waits) {
            Some(why) => Outcome::Failed(Failure::of_stack(Some(status.clone()), why.reason)),
            None => Outcome::AtRest(status.clone()),
        };
        let result = StackResult::with(outcome, found.outputs.clone());
        self.context.states.add(&stack);
        self.context.settle(&stack, result).await;
        self.at_rest.borrow_mut().insert(stack, found.clone());
    }

    /// What moved between two polls was not followed: its end counts all the same.
    async fn look_again(&self, last: &[LiveStack]) {
        let before = self.at_rest.take();
        for (stack, was) in &before {
            let now = known(last).find(|(kind, _)| kind == stack);
            match now {
                None => {
                    let gone = StackResult::at_rest(Outcome::Deleted);
                    self.context.settle(stack, gone).await;
                }
                Some((_, now)) if now.id == was.id && now.status == was.status => {}
                Some((kind, now)) => self.settle_at_rest(kind, now).await,
            }
        }
        for (stack, found) in known(last) {
            if self.context.states.watch(&stack).is_none() {
                self.settle_at_rest(stack, found).await;
            }
        }
    }

    /// Moving stacks that are not followed yet.
    fn newly_moving(&self, found: &[LiveStack]) -> Vec<(StackKind, LiveStack)> {
        let mut followed = self.followed.borrow_mut();
        let moving = known(found).filter(|(_, one)| moves(one));
        let new = moving.filter(|(_, one)| followed.insert(one.id.clone()));
        new.map(|(stack, one)| (stack, one.clone())).collect()
    }

    async fn follow(&self, stack: StackKind, found: LiveStack) {
        let verb = verb(&found.status);
        self.at_rest.borrow_mut().remove(&stack);
        self.context.states.add(&stack);
        self.context.states.set(&stack, StackState::Running);
        self.context.emit.started(&stack, verb);
        let template = self.survey.templates.get(&found.id);
        let text = |id: &str| {
            let sentence = template.and_then(|template| description(template, id));
            sentence.unwrap_or(id).to_owned()
        };
        let (operation, direction) = (newest(&found.id), direction(&found.status));
        let end = self
            .context
            .follow(&stack, &text, &operation, verb, direction);
        let result = match end.await {
            Ok((outcome, rest)) => {
                self.followed.borrow_mut().remove(&found.id);
                let outcome = imported(outcome, &rest);
                let outputs = rest.found.map(|found| found.outputs).unwrap_or_default();
                StackResult::with(outcome, outputs)
            }
            Err(error) => error.into(),
        };
        self.context.settle(&stack, result).await;
    }
}

/// The outcome of an operation that somebody else began; an import is one more kind of update.
fn imported(outcome: Outcome, rest: &OperationEnd) -> Outcome {
    match (&rest.status, outcome) {
        (StackStatus::ImportComplete, _) => Outcome::Updated,
        (StackStatus::ImportRollbackComplete, Outcome::Failed(why)) => Outcome::RolledBack(why),
        (_, outcome) => outcome,
    }
}
