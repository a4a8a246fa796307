//! Watching a cluster: every operation on its stacks is followed to its end, no matter who began it.
//! Changes nothing.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::pin::pin;
use std::time::Duration;

use futures::future::{Either, select};
use futures::stream::{FuturesUnordered, StreamExt};

use super::follow::OperationEnd;
use super::registry::StackState;
use super::requests::newest;
use super::run_context::RunContext;
use super::stack::{direction, verb};
use super::stack_result::StackResult;
use super::{RunReport, Session};
use crate::cloud::{Cloud, LiveStack, StackStatus, Store};
use crate::events::{Expected, Outcome, Verb};
use crate::plan::status::{WatchAction, on_watch};
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
}

/// Follows every stack of a cluster that moves until all rest, or `stop` is ready. Stacks that rest
/// all the while are `Unchanged`.
pub async fn watch<C: Cloud + Store>(
    survey: &Survey,
    cloud: &C,
    session: &Session<'_>,
    stop: impl Future<Output = ()>,
) -> RunReport {
    let mut kinds: Vec<StackKind> = known(&survey.found).map(|(kind, _)| kind).collect();
    kinds.sort();
    let run = WatchRun {
        survey,
        context: RunContext::new(cloud, session, kinds.iter()),
        followed: RefCell::default(),
    };
    let context = &run.context;
    context.run_started(&survey.cluster, running_verb(survey), expected(survey));
    let end = context.until_end(run.execute(), stop).await;
    let report = context.states.report(end.why());
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

fn expected(survey: &Survey) -> Vec<Expected> {
    let line = |(stack, found): (StackKind, &LiveStack)| Expected {
        operation: moves(found).then(|| verb(&found.status)),
        resources: match survey.templates.get(&found.id) {
            Some(template) if moves(found) => resources_of(template).len(),
            _ => 0,
        },
        needs: Vec::new(),
        span: None,
        stack,
    };
    known(&survey.found).map(line).collect()
}

impl<C: Cloud + Store> WatchRun<'_, C> {
    /// Follows moving stacks, and polls for new ones.
    async fn execute(&self) {
        for (stack, found) in known(&self.survey.found).filter(|(_, found)| !moves(found)) {
            let result = StackResult::with(Outcome::Unchanged, found.outputs.clone());
            self.context.settle(&stack, result).await;
        }
        let mut following = FuturesUnordered::new();
        let follow = |(stack, found)| self.follow(stack, found);
        following.extend(
            self.newly_moving(&self.survey.found)
                .into_iter()
                .map(follow),
        );
        if following.is_empty() {
            return;
        }
        let mut quiet = 0;
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
            // Without an answer the next poll decides.
            if let Ok(found) = self.context.cloud.stacks(Some(&self.survey.cluster)).await {
                following.extend(self.newly_moving(&found).into_iter().map(follow));
                quiet = if following.is_empty() { quiet + 1 } else { 0 };
            }
            look = Box::pin(self.context.cloud.sleep(POLL_INTERVAL));
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
