//! From events to bars: when each stack and each resource began and ended, and how.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::{Ending, ResourceBar, StackBar, Timeline};
use crate::cloud::ResourceStatus;
use crate::cloud::status::Phase;
use crate::common::text::clean;
use crate::events::{Event, Expected, Failure, Outcome, Verb};
use crate::stacks::StackKind;

/// The type under which CloudFormation reports the stack itself.
const STACK_TYPE: &str = "AWS::CloudFormation::Stack";
/// AWS's reason for the second `IN_PROGRESS` of a resource: its configuration is applied.
const CONFIGURED: &str = "Eventual consistency check initiated";

/// All bars, without a critical path yet. `None` without a first event of a run.
pub(super) fn gather(events: &[Event]) -> Option<Timeline> {
    let mut timeline = events.iter().find_map(begun)?;
    for event in events {
        timeline.until = timeline.until.max(event.at());
        match event {
            Event::StackStarted {
                at,
                stack,
                operation,
            } => timeline.stack_mut(stack).start(*at, *operation),
            Event::StackSettled { at, stack, outcome } => {
                timeline.stack_mut(stack).settle(*at, outcome);
            }
            Event::Failed { at, stack, failure } => {
                let bar = timeline.stack_mut(stack);
                bar.failed_at.get_or_insert(*at);
                bar.reason = Some(told(failure));
            }
            Event::RunFinished { at, succeeded } => {
                timeline.ended = Some(*at);
                timeline.succeeded = Some(*succeeded);
            }
            Event::RunStarted { .. }
            | Event::Resource { .. }
            | Event::Note { .. }
            | Event::Readiness { .. } => {}
        }
    }
    for (stack, movements) in movements(events) {
        timeline.stack_mut(stack).take(movements);
    }
    let until = timeline.until;
    timeline.stacks.iter_mut().for_each(|bar| bar.close(until));
    Some(timeline)
}

fn begun(event: &Event) -> Option<Timeline> {
    let Event::RunStarted {
        at,
        run,
        cluster,
        verb,
        stacks,
    } = event
    else {
        return None;
    };
    Some(Timeline {
        cluster: clean(cluster),
        run: clean(run),
        verb: *verb,
        started: *at,
        until: *at,
        ended: None,
        succeeded: None,
        stacks: stacks.iter().map(StackBar::expected).collect(),
        critical: Vec::new(),
    })
}

/// The movements of every stack's resources, in the order of AWS's clock. They are told as they
/// became readable, which is not always as they happened.
fn movements(events: &[Event]) -> BTreeMap<&StackKind, Vec<&Event>> {
    let mut movements: BTreeMap<&StackKind, Vec<&Event>> = BTreeMap::new();
    for event in events {
        if let Event::Resource {
            stack,
            resource_type,
            ..
        } = event
            && resource_type != STACK_TYPE
        {
            movements.entry(stack).or_default().push(event);
        }
    }
    for of_stack in movements.values_mut() {
        of_stack.sort_by_key(|event| event.at());
    }
    movements
}

impl Timeline {
    /// The stack of that kind; one nobody announced gets its place at the end.
    fn stack_mut(&mut self, kind: &StackKind) -> &mut StackBar {
        let known = self.stacks.iter().position(|bar| bar.stack == *kind);
        let index = known.unwrap_or(self.stacks.len());
        if known.is_none() {
            self.stacks.push(StackBar::new(kind.clone()));
        }
        &mut self.stacks[index]
    }
}

impl StackBar {
    fn new(stack: StackKind) -> Self {
        Self {
            stack,
            operation: None,
            begin: None,
            end: None,
            failed_at: None,
            ending: Ending::Waiting,
            reason: None,
            waits_for: Vec::new(),
            critical: false,
            slack: None,
            resources: Vec::new(),
        }
    }

    fn expected(expected: &Expected) -> Self {
        let ending = match expected.operation {
            Some(_) => Ending::Waiting,
            None => Ending::Unchanged,
        };
        Self {
            operation: expected.operation,
            waits_for: expected.needs.clone(),
            ending,
            ..Self::new(expected.stack.clone())
        }
    }

    /// A stack may begin twice in a run: what was in its way is followed first.
    fn start(&mut self, at: Timestamp, operation: Verb) {
        self.begin.get_or_insert(at);
        self.operation = Some(operation);
        self.end = None;
        self.ending = Ending::Open;
    }

    fn settle(&mut self, at: Timestamp, outcome: &Outcome) {
        let (ending, failure) = match outcome {
            Outcome::Created => (Ending::Created, None),
            Outcome::Updated => (Ending::Updated, None),
            Outcome::Deleted => (Ending::Deleted, None),
            Outcome::Unchanged => (Ending::Unchanged, None),
            Outcome::RolledBack(failure) => (Ending::RolledBack, Some(failure)),
            Outcome::Failed(failure) => (Ending::Failed, Some(failure)),
            Outcome::NotStarted { .. } => (Ending::NotStarted, None),
        };
        self.ending = ending;
        self.end = self.begin.map(|begin| at.max(begin));
        match (outcome, failure) {
            (_, Some(failure)) => self.reason = Some(told(failure)),
            (Outcome::NotStarted { needs }, None) => {
                self.reason = Some(format!("{needs} did not succeed"));
            }
            _ => {}
        }
    }

    fn take(&mut self, movements: Vec<&Event>) {
        for event in movements {
            let Event::Resource {
                at,
                logical_id,
                status,
                reason,
                ..
            } = event
            else {
                continue;
            };
            let last = self
                .resources
                .iter_mut()
                .rev()
                .find(|bar| bar.logical_id == *logical_id)
                .filter(|bar| bar.goes_on_with(status));
            match last {
                Some(bar) => bar.step(*at, status, reason.as_deref()),
                None => self.resources.extend(ResourceBar::begin(event)),
            }
        }
    }

    /// Makes the ends meet: a stack holds its resources, and fails where its first one does.
    fn close(&mut self, until: Timestamp) {
        let first = self.resources.iter().map(|bar| bar.begin).min();
        if let Some(first) = first {
            self.begin = Some(self.begin.map_or(first, |begin| begin.min(first)));
            if self.ending == Ending::Waiting {
                self.ending = Ending::Open;
            }
        }
        let last = self.resources.iter().filter_map(|bar| bar.end).max();
        self.end = match (self.end, last) {
            (Some(end), Some(last)) => Some(end.max(last)),
            (end, _) => end,
        };
        let failures = self.resources.iter().filter(|bar| bar.failed);
        let failed = failures.filter_map(|bar| bar.end).min();
        let bad = matches!(self.ending, Ending::RolledBack | Ending::Failed);
        self.failed_at = match (failed, self.begin) {
            (Some(at), _) => Some(at),
            // Without a resource to blame it failed as a whole, at its end.
            (None, Some(_)) if bad => self.failed_at.or(self.end).or(Some(until)),
            _ => self.failed_at,
        };
        // What an update could not remove after it succeeded is no failure of the update.
        if matches!(self.ending, Ending::Updated | Ending::Created) {
            self.failed_at = None;
        }
    }
}

impl ResourceBar {
    fn begin(event: &Event) -> Option<Self> {
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
            return None;
        };
        let mut bar = Self {
            logical_id: clean(logical_id),
            sentence: clean(sentence),
            resource_type: clean(resource_type),
            status: status.clone(),
            begin: *at,
            configured: None,
            end: None,
            failed: false,
            cancelled: false,
            reason: None,
            critical: false,
        };
        bar.step(*at, status, reason.as_deref());
        Some(bar)
    }

    /// Whether a status belongs to the same operation as those before.
    fn goes_on_with(&self, status: &ResourceStatus) -> bool {
        let verb = |status: &ResourceStatus| status.as_str().split('_').next().map(str::to_owned);
        self.end.is_none() && verb(&self.status) == verb(status)
    }

    fn step(&mut self, at: Timestamp, status: &ResourceStatus, reason: Option<&str>) {
        self.status = ResourceStatus::new(clean(status.as_str()));
        let phase = status.phase();
        if phase == Phase::Running && reason.is_some_and(|text| text.starts_with(CONFIGURED)) {
            self.configured.get_or_insert(at);
        }
        if matches!(phase, Phase::Done | Phase::Failed | Phase::Skipped) {
            self.end = Some(at);
        }
        if phase == Phase::Failed {
            self.cancelled = reason.is_some_and(Failure::is_cancellation);
            self.failed = !self.cancelled;
            self.reason = reason.map(clean);
        }
    }
}

/// A failure on one line: the resource, why, and what usually helps.
fn told(failure: &Failure) -> String {
    let mut text = clean(&failure.reason);
    if let Some(resource) = &failure.resource {
        text = format!("{}: {text}", clean(resource));
    }
    if let Some(hint) = &failure.hint {
        text = format!("{text}; try: {}", clean(hint));
    }
    text
}
