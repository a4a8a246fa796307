//! Which of many failures is the cause, and how it is told: pure, from the events of one operation.

use std::collections::HashSet;

use super::event::{Failure, Place, Verb};
use crate::cloud::status::Phase;
use crate::cloud::{Console, StackEvent, StackStatus};

/// Where a resource, or a property of it (a path with dots), comes from.
pub type Explain<'a> = dyn Fn(&str, Option<&str>) -> Option<Place> + 'a;

/// How to put resources of a stack into words.
#[derive(Clone, Copy)]
pub struct Words<'a> {
    /// The human sentence of a logical id.
    pub sentence: &'a dyn Fn(&str) -> String,
    pub explain: &'a Explain<'a>,
}

/// How many lines of a console go into a reason.
const TAIL: usize = 6;

/// The first real failure in time. The order of a tie is the order in which AWS told it. What an
/// update could not remove at its end never outranks what failed before.
pub fn cause(verb: Verb, events: &[StackEvent]) -> Option<&StackEvent> {
    events
        .iter()
        .filter(|event| event.stack_status.is_none())
        .filter(|event| event.status.phase() == Phase::Failed && !is_cancelled(event))
        .min_by_key(|event| (verb != Verb::Delete && event.status.is_delete(), event.at))
}

/// The failure of an operation that ended in `status`, or is still under way: its cause, or else
/// what the stack itself says. `None` while nothing failed.
pub fn failure(
    verb: Verb,
    status: Option<&StackStatus>,
    events: &[StackEvent],
    words: &Words<'_>,
) -> Option<Failure> {
    if let Some(event) = cause(verb, events) {
        let silent = || format!("AWS gives no reason for {}", event.status);
        return Some(Failure {
            status: status.cloned(),
            resource: Some((words.sentence)(&event.logical_id)),
            logical_id: Some(event.logical_id.clone()),
            resource_type: Some(event.resource_type.clone()),
            reason: event.reason.clone().unwrap_or_else(silent),
            place: (words.explain)(&event.logical_id, None),
            hint: None,
            cancelled: cancelled(events, words),
        });
    }
    let own = |event: &&StackEvent| event.stack_status.is_some() && event.reason.is_some();
    let told = events.iter().filter(own).find(|event| {
        let phase = event.status.phase();
        phase == Phase::Failed || event.status.as_str().contains("ROLLBACK")
    });
    let reason = told.and_then(|event| event.reason.clone())?;
    Some(Failure::of_stack(status.cloned(), reason))
}

/// The resources that were cancelled, each once, in the order in which AWS told it.
fn cancelled(events: &[StackEvent], words: &Words<'_>) -> Vec<String> {
    let mut met = HashSet::new();
    events
        .iter()
        .filter(|event| event.status.phase() == Phase::Failed && is_cancelled(event))
        .filter(|event| met.insert(&event.logical_id))
        .map(|event| (words.sentence)(&event.logical_id))
        .collect()
}

fn is_cancelled(event: &StackEvent) -> bool {
    let reason = event.reason.as_deref();
    reason.is_some_and(Failure::is_cancellation)
}

/// Whether a group of machines failed because they never reported: then the console of one of them
/// says more than AWS.
pub fn is_silence(failure: &Failure) -> bool {
    let group = failure.resource_type.as_deref() == Some("AWS::AutoScaling::AutoScalingGroup");
    group && failure.reason.contains("SUCCESS signal")
}

/// The same failure with what a machine said last.
#[must_use]
pub fn with_console(failure: Failure, console: &Console) -> Failure {
    let skipped = console.lines.len().saturating_sub(TAIL);
    let tail: Vec<&str> = console
        .lines
        .iter()
        .skip(skipped)
        .map(|line| line.trim())
        .collect();
    if tail.is_empty() {
        return failure;
    }
    let (instance, tail) = (&console.instance, tail.join(" | "));
    let reason = format!("{}; {instance} said last: {tail}", failure.reason);
    Failure { reason, ..failure }
}
