//! From events to bars: when each stack and each resource began and ended, and how.

use jiff::Timestamp;

use super::{Ending, ResourceBar, StackBar, Timeline};
use crate::cloud::ResourceStatus;
use crate::common::text::clean;
use crate::events::{Event, Expected, Failure, Outcome, ResourceOperation, Verb, operations};
use crate::stacks::StackKind;

/// All bars, without a critical path yet. `None` without a first event of a run.
pub(super) fn collect_bars(events: &[Event]) -> Option<Timeline> {
    let mut timeline = events.iter().find_map(run_started)?;
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
                bar.reason = Some(one_line(failure));
            }
            Event::RunFinished { at, succeeded } => {
                timeline.ended = Some(*at);
                timeline.succeeded = Some(*succeeded);
            }
            Event::RunStarted { .. }
            | Event::Resource { .. }
            | Event::Note { .. }
            | Event::Sweep { .. }
            | Event::Roll { .. }
            | Event::Machine { .. }
            | Event::Readiness { .. } => {}
        }
    }
    for (stack, operations) in operations(events) {
        let bars = operations.iter();
        let bars = bars.filter_map(|(first, operation)| ResourceBar::of(first, operation));
        timeline.stack_mut(stack).resources.extend(bars);
    }
    let until = timeline.until;
    timeline.stacks.iter_mut().for_each(|bar| bar.close(until));
    Some(timeline)
}

fn run_started(event: &Event) -> Option<Timeline> {
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

impl Timeline {
    /// The stack of that kind; one that was not announced is added at the end.
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

    /// A stack may begin twice in a run: an operation that was already running is followed first.
    fn start(&mut self, at: Timestamp, operation: Verb) {
        self.begin.get_or_insert(at);
        self.operation = Some(operation);
        self.end = None;
        self.ending = Ending::Open;
    }

    fn settle(&mut self, at: Timestamp, outcome: &Outcome) {
        self.ending = Ending::of(outcome);
        self.end = self.begin.map(|begin| at.max(begin));
        if let Outcome::NotStarted { needs } = outcome {
            self.reason = Some(format!("{needs} did not succeed"));
        } else if let Some(failure) = outcome.failure() {
            self.reason = Some(one_line(failure));
        }
    }

    /// Fits the stack around its resources: it lasts as long as they do and fails when the first one does.
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
            // Without a failed resource it failed as a whole, at its end.
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
    fn of(first: &Event, operation: &ResourceOperation) -> Option<Self> {
        let Event::Resource {
            logical_id,
            resource_type,
            sentence,
            ..
        } = first
        else {
            return None;
        };
        Some(Self {
            logical_id: clean(logical_id),
            sentence: clean(sentence),
            resource_type: clean(resource_type),
            status: ResourceStatus::new(clean(operation.status.as_str())),
            begin: operation.begin,
            configured: operation.applied,
            end: operation.end,
            failed: operation.failed,
            cancelled: operation.cancelled,
            reason: operation.reason.as_deref().map(clean),
            critical: false,
        })
    }
}

/// A failure on one line: the resource, why, and what usually helps.
fn one_line(failure: &Failure) -> String {
    let mut text = clean(&failure.reason);
    if let Some(resource) = &failure.resource {
        text = format!("{}: {text}", clean(resource));
    }
    if let Some(hint) = &failure.hint {
        text = format!("{text}; try: {}", clean(hint));
    }
    text
}
