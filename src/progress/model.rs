//! What is known of a run, collected from its events alone. Knows no clock and no screen.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::cluster_wait::ClusterWait;
use super::failure::FirstFailure;
use super::line::Mark;
use super::resource::ResourceProgress;
use super::roll::RollProgress;
use super::sweep::Sweeps;
use crate::catalog::durations::Durations;
use crate::cloud::ResourceStatus;
use crate::cloud::status::ResourcePhase;
use crate::common::text::clean;
use crate::events::{Event, Expected, Failure, Outcome, ResourceOperation, Span, Verb};
use crate::stacks::StackKind;

/// A run as its events describe it: [`Model::update`] takes them in, the `view` methods show it.
#[derive(Debug, Clone, Default)]
pub struct Model {
    pub(super) cluster: String,
    /// How commands name it.
    pub(super) commands: Commands,
    pub(super) verb: Option<Verb>,
    pub(super) started: Option<Timestamp>,
    /// The newest time that any event carried.
    pub(super) latest: Option<Timestamp>,
    /// When the run ended, and whether well.
    pub(super) finished: Option<(Timestamp, bool)>,
    pub(super) stacks: Vec<StackProgress>,
    /// What is removed outside the stacks.
    pub(super) sweeps: Sweeps,
    /// The machines that are replaced.
    pub(super) roll: Option<RollProgress>,
    /// The cluster that is waited for once the stacks are done.
    pub(super) wait: Option<ClusterWait>,
    /// Expected durations: they decide what is called slow.
    pub(super) durations: Arc<Durations>,
}

/// The commands that a screen advises.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Commands {
    /// The cluster as commands name it; `None` for its name.
    pub argument: Option<String>,
    /// The command that goes on with the run, with its flags; `None` where the verb and the cluster say it all.
    pub again: Option<String>,
}

/// One stack of the run.
#[derive(Debug, Clone)]
pub(super) struct StackProgress {
    pub kind: StackKind,
    /// `None` when there is nothing to do for it.
    pub operation: Option<Verb>,
    expected: usize,
    pub needs: Vec<StackKind>,
    /// How long its operation usually takes.
    pub span: Option<Span>,
    pub started: Option<Timestamp>,
    pub settled: Option<(Timestamp, Outcome)>,
    pub rolling_back: bool,
    pub resources: BTreeMap<String, ResourceProgress>,
    /// The first real failure in time.
    pub failure: Option<FirstFailure>,
    /// The newest note about it that belongs to no resource.
    pub note: Option<String>,
}

impl Model {
    /// The cluster as commands name it.
    pub(super) fn argument(&self) -> &str {
        self.commands.argument.as_deref().unwrap_or(&self.cluster)
    }

    /// Takes one event in.
    pub fn update(&mut self, event: &Event) {
        let at = event.at();
        self.latest = Some(self.latest.map_or(at, |latest| latest.max(at)));
        match event {
            Event::RunStarted {
                cluster,
                verb,
                stacks,
                ..
            } => {
                self.cluster = clean(cluster);
                self.verb = Some(*verb);
                self.started = Some(at);
                self.finished = None;
                self.stacks = stacks.iter().map(StackProgress::expected).collect();
            }
            Event::StackStarted {
                stack, operation, ..
            } => self.stack_mut(stack).start(at, *operation),
            Event::Resource { stack, .. } => {
                let durations = self.durations.clone();
                self.stack_mut(stack).resource_changed(event, &durations);
            }
            Event::Failed { stack, failure, .. } => self.stack_mut(stack).fail(at, failure),
            Event::StackSettled { stack, outcome, .. } => {
                self.stack_mut(stack).settle(at, outcome);
            }
            Event::Note { stack, text, .. } => {
                if let Some(stack) = stack {
                    self.stack_mut(stack).note = Some(clean(text));
                }
            }
            Event::RunFinished { succeeded, .. } => self.finished = Some((at, *succeeded)),
            Event::Sweep { since, parts, .. } => self.sweeps.update(at, *since, parts),
            Event::Roll { .. } => self.roll = RollProgress::of(event),
            Event::Machine { .. } => {}
            Event::Readiness { .. } => self.wait = ClusterWait::of(event),
        }
    }

    /// The stack of that kind; one that was not announced is added at the end.
    fn stack_mut(&mut self, kind: &StackKind) -> &mut StackProgress {
        let known = self.stacks.iter().position(|stack| stack.kind == *kind);
        let index = known.unwrap_or(self.stacks.len());
        if known.is_none() {
            self.stacks.push(StackProgress::new(kind.clone()));
        }
        &mut self.stacks[index]
    }

    pub(super) fn stack(&self, kind: &StackKind) -> Option<&StackProgress> {
        self.stacks.iter().find(|stack| stack.kind == *kind)
    }

    /// Stacks that need nothing more, of all.
    pub(super) fn stacks_done(&self) -> (usize, usize) {
        let done = self.stacks.iter().filter(|stack| stack.is_done()).count();
        (done, self.stacks.len())
    }

    /// Resources that are as the run wants them, of all it touches.
    pub(super) fn resources_done(&self) -> (usize, usize) {
        self.stacks.iter().fold((0, 0), |(done, all), stack| {
            let (more_done, more) = stack.resources_done();
            (done + more_done, all + more)
        })
    }

    /// How long the run has taken at `now`, or took.
    pub(super) fn elapsed(&self, now: Timestamp) -> SignedDuration {
        let end = self.finished.map_or(now, |(at, _)| at);
        self.started
            .map_or(SignedDuration::ZERO, |start| end.duration_since(start))
    }

    /// The running resource of the whole run that it waits for longest, with its stack.
    pub(super) fn slowest(&self, now: Timestamp) -> Option<(&StackKind, &ResourceProgress)> {
        self.stacks
            .iter()
            .filter(|stack| stack.settled.is_none())
            .filter_map(|stack| Some((&stack.kind, stack.slowest(now)?)))
            .max_by_key(|(_, resource)| resource.remaining(now))
    }

    /// The stacks that `stack` still waits for.
    pub(super) fn awaited<'a>(
        &'a self,
        stack: &'a StackProgress,
    ) -> impl Iterator<Item = &'a StackKind> {
        let done = |kind: &StackKind| self.stack(kind).is_none_or(StackProgress::is_done);
        stack.needs.iter().filter(move |kind| !done(kind))
    }
}

impl StackProgress {
    fn new(kind: StackKind) -> Self {
        Self {
            kind,
            operation: None,
            expected: 0,
            needs: Vec::new(),
            span: None,
            started: None,
            settled: None,
            rolling_back: false,
            resources: BTreeMap::new(),
            failure: None,
            note: None,
        }
    }

    fn expected(wanted: &Expected) -> Self {
        Self {
            operation: wanted.operation,
            expected: wanted.resources,
            needs: wanted.needs.clone(),
            span: wanted.span,
            ..Self::new(wanted.stack.clone())
        }
    }

    fn start(&mut self, at: Timestamp, operation: Verb) {
        let fresh = Self::new(self.kind.clone());
        *self = Self {
            operation: Some(operation),
            // What was expected belongs to the announced operation, not to one that prepares it.
            expected: self.expected,
            needs: std::mem::take(&mut self.needs),
            span: self.span,
            started: Some(at),
            note: self.note.take(),
            ..fresh
        };
    }

    fn resource_changed(&mut self, event: &Event, durations: &Arc<Durations>) {
        let Event::Resource {
            at,
            logical_id,
            resource_type,
            sentence,
            status,
            reason,
            ..
        } = event
        else {
            return;
        };
        self.started.get_or_insert(*at);
        self.note = None;
        if event.is_of_stack() {
            self.rolling_back |= self.is_rollback(status);
        } else {
            self.rolling_back |= self.failure.is_some() && status.phase() == ResourcePhase::Running;
            let (operation, rolling_back) = (self.operation, self.rolling_back);
            let reason = reason.as_deref();
            let known = self.resources.entry(logical_id.clone());
            let resource = known
                .and_modify(|known| known.step(status, *at, reason))
                .or_insert_with(|| {
                    let new = ResourceOperation::new(*at, status, reason);
                    ResourceProgress::new(resource_type, new, durations.clone())
                });
            resource.description = clean(sentence);
            resource.update_done(operation, rolling_back);
        }
        let cancelled = reason.as_deref().is_some_and(Failure::is_cancellation);
        let earlier = self.failure.as_ref().is_none_or(|first| *at < first.at);
        // The stack's own failure only sums up those of its resources.
        if status.phase() == ResourcePhase::Failed && !cancelled && earlier && !event.is_of_stack()
        {
            let after = self.resources.get(logical_id).map(|known| known.span(*at));
            let seen = FirstFailure::from_event(*at, status, reason.as_deref());
            self.failure = Some(seen.of(sentence, logical_id, after));
        }
    }

    /// Whether a status of the stack itself says that it is rolled back.
    fn is_rollback(&self, status: &ResourceStatus) -> bool {
        status.as_str().contains("ROLLBACK")
            || (status.is_delete() && self.operation == Some(Verb::Create))
    }

    fn settle(&mut self, at: Timestamp, outcome: &Outcome) {
        self.settled = Some((at, outcome.clone()));
        self.note = None;
        match outcome {
            Outcome::RolledBack(failure)
            | Outcome::NotBegun(failure)
            | Outcome::Failed(failure) => self.fail(at, failure),
            // An update that succeeded may have left something behind.
            Outcome::Updated => {
                self.failure = self.failure.take().filter(FirstFailure::is_leftover);
            }
            Outcome::Created
            | Outcome::Unchanged
            | Outcome::AtRest(_)
            | Outcome::Deleted
            | Outcome::NotStarted { .. } => self.failure = None,
        }
    }

    /// The verdict's failure, with what was seen of the same resource.
    fn fail(&mut self, at: Timestamp, failure: &Failure) {
        let seen = self
            .failure
            .take()
            .filter(|seen| seen.logical_id.is_some() && seen.logical_id == failure.logical_id);
        let failed_at = seen.as_ref().map_or(at, |seen| seen.at);
        let after = seen.as_ref().and_then(|seen| seen.after);
        let status = seen.and_then(|seen| seen.status);
        self.failure = Some(FirstFailure::from_verdict(
            failed_at, failure, status, after,
        ));
    }

    pub fn mark(&self) -> Mark {
        match &self.settled {
            Some((_, outcome)) if outcome.is_good() => Mark::Done,
            Some((_, Outcome::RolledBack(_))) => Mark::RollingBack,
            Some((_, Outcome::NotStarted { .. })) => Mark::Waiting,
            Some(_) => Mark::Failed,
            None if self.rolling_back => Mark::RollingBack,
            None if self.failure.is_some() => Mark::Failed,
            None if self.started.is_some() => Mark::Running,
            None if self.operation.is_none() => Mark::Done,
            None => Mark::Waiting,
        }
    }

    /// Whether its operation runs in AWS.
    pub fn is_in_progress(&self) -> bool {
        let works = matches!(
            self.mark(),
            Mark::Running | Mark::RollingBack | Mark::Failed
        );
        self.settled.is_none() && works
    }

    /// Whether it was only looked at: nothing of it moved.
    pub fn is_at_rest(&self) -> bool {
        let looked_at = match &self.settled {
            Some((_, Outcome::AtRest(_))) => true,
            Some((_, Outcome::Failed(failure))) => failure.status.is_some(),
            Some(_) | None => false,
        };
        looked_at && self.operation.is_none() && self.started.is_none()
    }

    pub fn is_done(&self) -> bool {
        self.mark() == Mark::Done
    }

    /// How long it took, or has taken at `now`. `None` before its start.
    pub fn span(&self, now: Timestamp) -> Option<SignedDuration> {
        let end = self.settled.as_ref().map_or(now, |(at, _)| *at);
        Some(end.duration_since(self.started?))
    }

    pub fn resources_done(&self) -> (usize, usize) {
        let done = self.resources.values().filter(|known| known.done).count();
        let all = self.expected.max(self.resources.len());
        // The outcome counts for all resources: an operation that is followed late has events that were not seen.
        let done = match &self.settled {
            Some((_, outcome)) if outcome.is_good() => all,
            Some((_, Outcome::RolledBack(_) | Outcome::NotBegun(_))) => 0,
            _ => done,
        };
        (done, all)
    }

    /// The running resource that the stack waits for longest.
    pub fn slowest(&self, now: Timestamp) -> Option<&ResourceProgress> {
        self.resources
            .values()
            .filter(|known| known.is_running())
            .max_by_key(|known| known.remaining(now))
    }

    /// What could not be deleted.
    pub fn stuck(&self) -> impl Iterator<Item = &str> {
        self.resources
            .values()
            .filter(|known| known.phase() == ResourcePhase::Failed && known.status().is_delete())
            .map(|known| known.description.as_str())
    }
}
