//! A whole run: one walk a stack, all at once on one thread, until all rest or the run is stopped.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::Duration;

use futures::future::{Either, join_all, select};
use tokio::time::timeout;

use super::board::{Board, Place};
use super::event::{Expected, Outcome, Verb};
use super::tell::Teller;
use super::{End, Outputs, Prepare, Report, Session, verdict};
use crate::cloud::{ChangeSet, Clock, Cloud, Store};
use crate::plan::{Action, Plan, Step, needs, resources_of};
use crate::stacks::{STATE_BUCKET, Source, Stack, StackKind};

/// What a stopped run still spends on tidying: it has to be gone within a second.
const PARTING: Duration = Duration::from_millis(700);

/// What the walks of one run share.
pub(super) struct Walk<'a, C, P> {
    pub cluster: &'a str,
    pub cloud: &'a C,
    pub prepare: &'a P,
    pub run: &'a str,
    pub tell: Teller<'a, C>,
    pub board: Board,
    /// Change sets that exist and that nobody has executed.
    pub open: RefCell<BTreeMap<StackKind, ChangeSet>>,
}

/// How a stack's walk ended.
pub(super) enum Halt {
    Settled(Box<Settled>),
    /// It runs in AWS, and nobody follows it any more.
    Lost(String),
    /// It waits for a stack that nobody follows any more.
    Left,
}

/// A stack at rest, and what it puts out.
pub(super) struct Settled {
    pub outcome: Outcome,
    pub outputs: BTreeMap<String, String>,
}

impl Halt {
    /// At rest, with these outputs.
    pub fn with(outcome: Outcome, outputs: BTreeMap<String, String>) -> Self {
        Self::Settled(Box::new(Settled { outcome, outputs }))
    }

    /// At rest, with nothing to put out.
    pub fn at_rest(outcome: Outcome) -> Self {
        Self::with(outcome, BTreeMap::new())
    }

    /// Where this puts the stack; tells its outcome.
    pub fn place(self, kind: &StackKind, tell: Teller<'_, impl Clock>) -> Place {
        match self {
            Self::Settled(end) => {
                tell.settled(kind, &end.outcome);
                Place::Settled(end.outcome, end.outputs)
            }
            Self::Lost(why) => Place::Lost(why),
            Self::Left => Place::Left,
        }
    }
}

/// Does what a plan says. Ends when every stack rests, or soon after `stop` is ready; then whatever
/// runs goes on in AWS. Never fails as a whole: the report says it stack by stack.
pub async fn run<C: Cloud + Store>(
    plan: Plan,
    cloud: &C,
    prepare: &impl Prepare,
    session: &Session<'_>,
    stop: impl Future<Output = ()>,
) -> Report {
    let tell = Teller {
        events: session.events,
        clock: cloud,
    };
    tell.run_started(session.run, &plan.cluster, verb(&plan), expected(&plan));
    let walk = Walk {
        cluster: &plan.cluster,
        cloud,
        prepare,
        run: session.run,
        tell,
        board: Board::new(plan.steps.iter().map(|step| &step.stack.kind)),
        open: RefCell::new(change_sets(&plan)),
    };
    let all = join_all(plan.steps.iter().map(|step| walk.stack(step.clone())));
    let stopped = stopped(all, stop).await;
    let mut report = walk.board.report("the run was stopped here");
    let tidied = walk.tidy();
    if stopped {
        // What is left behind is an unexecuted change set: harmless, and the next plan finds it.
        let _ = timeout(PARTING, tidied).await;
    } else {
        tidied.await;
    }
    finish(&mut report, tell);
    report
}

/// Runs `work` until it is done or `stop` is ready. Whether it was stopped.
pub(super) async fn stopped(work: impl Future, stop: impl Future<Output = ()>) -> bool {
    let work = std::pin::pin!(work);
    let stop = std::pin::pin!(stop);
    matches!(select(work, stop).await, Either::Right(_))
}

/// The last words of a run. One that is not followed to its end has no verdict.
pub(super) fn finish(report: &mut Report, tell: Teller<'_, impl Clock>) {
    for running in &report.running {
        tell.note(
            Some(&running.stack),
            format!("goes on in AWS, not followed any more: {}", running.why),
        );
    }
    match report.end() {
        End::Detached => {}
        end => tell.run_finished(end == End::Done),
    }
}

fn change_sets(plan: &Plan) -> BTreeMap<StackKind, ChangeSet> {
    let set = |step: &Step| Some((step.stack.kind.clone(), step.change_set()?.clone()));
    plan.steps.iter().filter_map(set).collect()
}

fn verb(plan: &Plan) -> Verb {
    let exists = plan.steps.iter().any(|step| step.found.is_some());
    if exists { Verb::Update } else { Verb::Create }
}

fn expected(plan: &Plan) -> Vec<Expected> {
    let line = |step: &Step| {
        let all = resources_of(&step.stack.template).len();
        let (operation, resources) = match &step.action {
            Action::Create | Action::Recreate => (Some(Verb::Create), all),
            Action::Update(set) => (Some(Verb::Update), set.changes.len()),
            Action::Later | Action::Follow(_) => (Some(Verb::Update), all),
            Action::Keep | Action::Blocked(_) => (None, 0),
        };
        Expected {
            stack: step.stack.kind.clone(),
            operation,
            resources,
            needs: needs(&step.stack),
            span: None,
        }
    };
    plan.steps.iter().map(line).collect()
}

impl<C: Cloud + Store, P: Prepare> Walk<'_, C, P> {
    async fn stack(&self, step: Step) {
        let kind = step.stack.kind.clone();
        let (Ok(end) | Err(end)) = self.advance(step).await;
        self.board.set(&kind, end.place(&kind, self.tell));
    }

    /// Waits for everything that a stack needs.
    pub async fn await_needs(&self, stack: &Stack) -> Result<Outputs, Halt> {
        for needs in needs(stack) {
            match self.board.rest(&needs).await {
                Some(Place::Settled(outcome, _)) if outcome.is_good() => {}
                Some(Place::Settled(..)) | None => {
                    return Err(Halt::at_rest(Outcome::NotStarted { needs }));
                }
                Some(_) => return Err(Halt::Left),
            }
        }
        Ok(self.board.outputs())
    }

    /// The state bucket, as soon as the base is done.
    pub fn bucket(&self) -> Option<String> {
        let outputs = self.board.outputs();
        outputs.get(&StackKind::Base)?.get(STATE_BUCKET).cloned()
    }

    /// Removes every change set that nobody executed.
    async fn tidy(&self) {
        let left: Vec<(StackKind, ChangeSet)> = self.open.take().into_iter().collect();
        let discards = left.iter().map(|(kind, set)| async move {
            if let Err(error) = self.cloud.discard(set).await {
                let text = format!("a change set that was not executed stays behind: {error}");
                self.tell.note(Some(kind), text);
            }
        });
        join_all(discards).await;
    }
}

/// Values for all parameters of a stack, now that what it needs is done.
pub(super) fn resolve(step: &Step, outputs: &Outputs) -> Result<BTreeMap<String, String>, Halt> {
    let mut parameters = step.parameters.clone();
    for input in &step.stack.inputs {
        let Source::Output { stack, key } = &input.source else {
            continue;
        };
        let Some(value) = outputs.get(stack).and_then(|of| of.get(key)) else {
            let reason = format!(
                "{stack} is done but has no output {key}, which is wanted for {}; \
                 was its template overridden?",
                input.parameter
            );
            return Err(failed(reason));
        };
        parameters.insert(input.parameter.clone(), value.clone());
    }
    Ok(parameters)
}

/// A stack that failed before anything of it began.
pub(super) fn failed(reason: impl Into<String>) -> Halt {
    Halt::at_rest(verdict::refused(None, reason))
}
