//! A whole run: one walk a stack, all at once on one thread, until all rest or the run is stopped.

use crate::common::Clock;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::Duration;

use futures::future::{Either, join_all, select};

use super::board::{Board, Place};
use super::halt::{Halt, failed, unbegun};
use super::pulse::Pulse;
use super::scheduler::{Joined, Scheduler};
use super::tell::Teller;
use super::{End, Meeting, Outputs, Prepare, Report, Session};
use crate::cloud::{ChangeSet, Cloud, Protection, Store};
use crate::events::{Expected, Outcome, Verb};
use crate::plan::{Action, Plan, Step, needs, resources_of};
use crate::stacks::{STATE_BUCKET, Source, Stack, StackKind};

/// What a stopped run still spends on tidying: it has to be gone within a second.
const PARTING: Duration = Duration::from_millis(700);

/// What the walks of one run share.
pub(super) struct Walk<'a, C, P> {
    pub cluster: &'a str,
    pub cloud: &'a C,
    pub prepare: &'a P,
    pub session: &'a Session<'a>,
    pub tell: Teller<'a, C>,
    pub board: Board,
    pub pulse: Pulse<'a, C>,
    pub scheduler: Scheduler,
    pub joined: Option<Joined>,
    /// Change sets that exist and that nobody has executed.
    pub open: RefCell<BTreeMap<StackKind, ChangeSet>>,
    /// Stacks whose policy stepped aside for an update that has not begun, with what it shall be.
    pub relaxed: RefCell<BTreeMap<StackKind, (String, Protection)>>,
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
    tell.run_started(
        session.run,
        &plan.cluster,
        verb(&plan),
        expected(&plan, session),
    );
    let board = Board::new(plan.steps.iter().map(|step| &step.stack.kind));
    let joined = Joined::of(&plan);
    let place = joined.as_ref().and_then(|joined| board.watch(&joined.kind));
    let walk = Walk {
        cluster: &plan.cluster,
        cloud,
        prepare,
        session,
        tell,
        board,
        pulse: Pulse::new(cloud),
        scheduler: Scheduler::new(session.parallel, place),
        joined,
        open: RefCell::new(change_sets(&plan)),
        relaxed: RefCell::default(),
    };
    let all = walk.all(&plan);
    let over = over(all, &walk.pulse, stop).await;
    let mut report = walk.board.report(over.why());
    match &over {
        Over::Done => walk.tidy().await,
        Over::Stopped => {
            // What is left behind is an unexecuted change set: harmless, and the next plan finds it.
            let tidied = std::pin::pin!(walk.tidy());
            let time = std::pin::pin!(cloud.sleep(PARTING));
            select(tidied, time).await;
        }
        // Nothing can be asked any more.
        Over::Expired(_) => {}
    }
    finish(&mut report, &over, tell);
    report
}

/// Why the work of a run is over.
pub(super) enum Over {
    Done,
    Stopped,
    /// The credentials ended, said in words.
    Expired(String),
}

impl Over {
    /// Why what still runs is not followed any more.
    pub fn why(&self) -> &str {
        match self {
            Self::Expired(why) => why,
            Self::Done | Self::Stopped => "the run was stopped here",
        }
    }
}

/// Runs `work` with the heartbeat beside it, until it is done, `stop` is ready or the credentials end.
pub(super) async fn over<C: Cloud>(
    work: impl Future,
    pulse: &Pulse<'_, C>,
    stop: impl Future<Output = ()>,
) -> Over {
    let work = std::pin::pin!(work);
    let beat = std::pin::pin!(pulse.beat());
    let stop = std::pin::pin!(stop);
    let expired = std::pin::pin!(pulse.expired());
    match select(select(work, beat), select(stop, expired)).await {
        Either::Left(_) => Over::Done,
        Either::Right((Either::Left(_), _)) => Over::Stopped,
        Either::Right((Either::Right((why, _)), _)) => Over::Expired(why),
    }
}

/// The last words of a run. One that is not followed to its end has no verdict.
pub(super) fn finish(report: &mut Report, over: &Over, tell: Teller<'_, impl Clock>) {
    if let Over::Expired(why) = over {
        let text = format!("everything is left as it is, nothing more is begun: {why}");
        tell.note(None, text);
    }
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

fn expected(plan: &Plan, session: &Session<'_>) -> Vec<Expected> {
    let line = |step: &Step| {
        let all = resources_of(&step.stack.template).len();
        let (operation, resources) = match &step.action {
            Action::Create | Action::Recreate => (Some(Verb::Create), all),
            Action::Update(set) => (Some(Verb::Update), set.changes.len()),
            Action::Later | Action::Follow(_) | Action::Continue { .. } => {
                (Some(Verb::Update), all)
            }
            Action::Keep | Action::Blocked(_) => (None, 0),
        };
        Expected {
            stack: step.stack.kind.clone(),
            operation,
            resources,
            needs: needs(&step.stack),
            span: session.spans.get(&step.stack.kind).copied(),
        }
    };
    plan.steps.iter().map(line).collect()
}

impl<C: Cloud + Store, P: Prepare> Walk<'_, C, P> {
    async fn all(&self, plan: &Plan) {
        if self.session.meeting == Meeting::Stop && self.meets(plan).await {
            return;
        }
        let all = join_all(plan.steps.iter().map(|step| self.stack(step.clone())));
        self.scheduler.run(all).await;
    }

    async fn stack(&self, step: Step) {
        let kind = step.stack.kind.clone();
        let (Ok(end) | Err(end)) = self.advance(step).await;
        end.settle(&kind, &self.board, &self.pulse, self.tell).await;
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

    /// Does what has to be done outside CloudFormation before a stack starts, as soon as the base is there
    /// if the stack needs it. Does nothing without the base: waiting for the needs says so.
    pub async fn prepare_stack(&self, stack: &Stack) -> Result<(), Halt> {
        if needs(stack).contains(&StackKind::Base) {
            match self.board.rest(&StackKind::Base).await {
                Some(Place::Settled(outcome, _)) if outcome.is_good() => {}
                _ => return Ok(()),
            }
        }
        let outputs = self.board.outputs();
        let done = self.prepare.before(&stack.kind, &outputs).await;
        if let Some(done) = done.map_err(unbegun)? {
            self.tell.note(Some(&stack.kind), done);
        }
        Ok(())
    }

    /// The state bucket, as soon as the base is done.
    pub fn bucket(&self) -> Option<String> {
        let outputs = self.board.outputs();
        outputs.get(&StackKind::Base)?.get(STATE_BUCKET).cloned()
    }

    /// Sets back every policy that stepped aside for nothing, and removes every change set that nobody
    /// executed.
    async fn tidy(&self) {
        for (kind, (id, wanted)) in self.relaxed.take() {
            if let Err(error) = self.cloud.set_protection(&id, &wanted).await {
                let text = format!(
                    "its stack policy still steps aside for a loss that did not happen: {error}; \
                     the next apply sets it back"
                );
                self.tell.note(Some(&kind), text);
            }
        }
        let left: Vec<(StackKind, ChangeSet)> = self.open.take().into_iter().collect();
        let discards = left.iter().map(|(kind, set)| async move {
            if let Err(error) = self.cloud.delete_change_set(set).await {
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
