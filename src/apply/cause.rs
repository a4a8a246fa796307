//! Which of many failures is the cause, and how it is said: pure, from the events of one operation.
//!
//! The cause is the first real failure in time. Cancelled resources are none, sums of other failures
//! are none, and what fails while a stack goes back never outranks what made it go back.

use crate::catalog::durations::Operation;
use crate::catalog::hints::{self, Hint};
use crate::cloud::status::Phase;
use crate::cloud::{Console, Finding, ResourceStatus, StackEvent, StackStatus};
use crate::events::{Failure, Place, Verb};

/// Where a resource, or a property of it (a path with dots), comes from.
pub type Explain<'a> = dyn Fn(&str, Option<&str>) -> Option<Place> + 'a;

/// How to put resources of a stack into words.
#[derive(Clone, Copy)]
pub struct ResourceLabels<'a> {
    /// The human sentence of a logical id.
    pub sentence: &'a dyn Fn(&str) -> String,
    pub explain: &'a Explain<'a>,
}

/// How many lines of a console go into a reason.
const TAIL: usize = 6;

/// The first real failure in time. The order of a tie is the order in which AWS listed it.
pub fn cause(verb: Verb, events: &[StackEvent]) -> Option<&StackEvent> {
    let turned = turned(verb, events);
    events
        .iter()
        .filter(|event| event.stack_status.is_none())
        .filter(|event| event.status.phase() == Phase::Failed && !is_cancelled(event))
        .min_by_key(|event| {
            (
                turned.is_some_and(|turned| event.at > turned),
                verb != Verb::Delete && event.status.is_delete(),
                event.reason.as_deref().is_some_and(only_sums_up),
                event.at,
            )
        })
}

/// When the stack turned back.
fn turned(verb: Verb, events: &[StackEvent]) -> Option<jiff::Timestamp> {
    let back = |status: &StackStatus| match status {
        StackStatus::DeleteInProgress => verb == Verb::Create,
        other => other.as_str().contains("ROLLBACK"),
    };
    events
        .iter()
        .filter(|event| event.stack_status.as_ref().is_some_and(back))
        .map(|event| event.at)
        .min()
}

/// The failure of an operation that ended in `status`, or is still under way (`None`): its cause,
/// or else what the stack itself says. `None` while nothing failed.
pub fn failure(
    verb: Verb,
    status: Option<&StackStatus>,
    events: &[StackEvent],
    words: &ResourceLabels,
) -> Option<Failure> {
    if let Some(event) = cause(verb, events) {
        return Some(of_resource(status, event, events, words));
    }
    let reason = own_reason(events)?;
    let hint = hints::hint("", None, reason).map(|hint| hint.text);
    Some(Failure {
        hint,
        ..Failure::of_stack(status.cloned(), reason)
    })
}

fn of_resource(
    status: Option<&StackStatus>,
    event: &StackEvent,
    events: &[StackEvent],
    words: &ResourceLabels,
) -> Failure {
    let reason = reason(event, events);
    Failure {
        status: status.cloned(),
        resource: Some((words.sentence)(&event.logical_id)),
        logical_id: Some(event.logical_id.clone()),
        resource_type: Some(event.resource_type.clone()),
        place: (words.explain)(&event.logical_id, None),
        hint: hint(event, &reason).map(|hint| hint.text),
        cancelled: cancelled(event, events, words),
        reason,
    }
}

fn hint(event: &StackEvent, reason: &str) -> Option<Hint> {
    hints::hint(&event.resource_type, operation(&event.status), reason)
}

/// What happened to a resource, by its status.
fn operation(status: &ResourceStatus) -> Option<Operation> {
    match status.as_str().split('_').next()? {
        "CREATE" => Some(Operation::Create),
        "UPDATE" => Some(Operation::Update),
        "DELETE" => Some(Operation::Delete),
        _ => None,
    }
}

/// What the stack itself says of its failure; a sum of other failures only where there is nothing else.
fn own_reason(events: &[StackEvent]) -> Option<&str> {
    let fails = |status: &StackStatus| {
        let word = status.as_str();
        word.ends_with("_FAILED") || word.contains("ROLLBACK")
    };
    let reasons = || {
        let own = events
            .iter()
            .filter(|event| event.stack_status.as_ref().is_some_and(fails));
        own.filter_map(|event| event.reason.as_deref())
    };
    reasons()
        .find(|reason| !only_sums_up(reason))
        .or_else(|| reasons().next())
}

/// Sentences of the resources that were cancelled because of the cause.
fn cancelled(cause: &StackEvent, events: &[StackEvent], words: &ResourceLabels) -> Vec<String> {
    let mut ids: Vec<&str> = Vec::new();
    let failed = |event: &&StackEvent| event.status.phase() == Phase::Failed && is_cancelled(event);
    for event in events.iter().filter(failed) {
        let id = event.logical_id.as_str();
        if id != cause.logical_id && !ids.contains(&id) {
            ids.push(id);
        }
    }
    ids.into_iter().map(words.sentence).collect()
}

fn is_cancelled(event: &StackEvent) -> bool {
    let reason = event.reason.as_deref();
    reason.is_some_and(Failure::is_cancellation)
}

/// Whether a reason only says that others failed, or nothing at all.
fn only_sums_up(reason: &str) -> bool {
    reason.starts_with("The following resource(s) failed to")
        || reason.starts_with("Embedded stack ")
        || reason.starts_with("Resource creation Initiated")
}

/// A failure's reason. A hook says in an event of its own what it found; the failure names it only.
fn reason(event: &StackEvent, events: &[StackEvent]) -> String {
    let Some(reason) = event.reason.clone() else {
        return format!("AWS gives no reason for {}", event.status);
    };
    if !is_hooks(&reason) || reason.contains("] : ") {
        return reason;
    }
    let said = events
        .iter()
        .filter(|other| other.logical_id == event.logical_id && other.id != event.id)
        .filter_map(|other| other.reason.as_deref())
        .rfind(|said| says_what_a_hook_found(said));
    match said {
        Some(said) => format!("{reason}: {said}"),
        None => reason,
    }
}

fn is_hooks(reason: &str) -> bool {
    reason.starts_with("The following hook(s)")
}

fn says_what_a_hook_found(reason: &str) -> bool {
    let text = reason.to_lowercase();
    text.contains("hook") && !is_hooks(reason) && !text.starts_with("hook invocations complete")
}

/// The failure of a stack whose template early validation refused: what it found first, with its place.
pub fn refused(reason: &str, findings: &[Finding], words: &ResourceLabels) -> Failure {
    let Some(first) = findings.iter().find(|found| found.logical_id.is_some()) else {
        let reasons: Vec<&str> = findings.iter().map(|found| found.reason.as_str()).collect();
        let reason = if reasons.is_empty() {
            reason.to_owned()
        } else {
            reasons.join("; ")
        };
        let hint = hints::hint("", None, &reason).map(|hint| hint.text);
        return Failure {
            hint,
            ..Failure::of_stack(None, reason)
        };
    };
    let id = first.logical_id.as_deref().unwrap_or_default();
    let reasons: Vec<String> = findings.iter().map(|found| one(found, id)).collect();
    let reason = reasons.join("; ");
    let hint = hints::hint("", None, &reason)
        .or_else(|| hints::hint("", None, "early validation"))
        .map(|hint| hint.text);
    Failure {
        resource: Some((words.sentence)(id)),
        logical_id: Some(id.to_owned()),
        place: (words.explain)(id, first.path.as_deref()),
        hint,
        ..Failure::of_stack(None, reason)
    }
}

/// A finding on one line; another resource than `id` is named.
fn one(found: &Finding, id: &str) -> String {
    let other = found.logical_id.as_deref().filter(|other| *other != id);
    let path = found
        .path
        .as_deref()
        .map(|path| path.trim_start_matches("Properties."));
    let place: Vec<&str> = other.into_iter().chain(path).collect();
    if place.is_empty() {
        return found.reason.clone();
    }
    format!("{}: {}", place.join(" "), found.reason)
}

/// Whether a group of machines failed because they never reported, or reported that they failed: a signal
/// carries no reason, so the console of one of them says more than AWS.
pub fn is_silence(failure: &Failure) -> bool {
    let of_type = failure.resource_type.as_deref().unwrap_or_default();
    hints::hint(of_type, None, &failure.reason).is_some_and(|hint| hint.cause == "signalTimeout")
}

/// The same failure with what a machine said last: the line that looks most like trouble in front.
#[must_use]
pub fn with_console(failure: Failure, console: &Console) -> Failure {
    let lines: Vec<&str> = console
        .lines
        .iter()
        .map(|line| bare(line))
        .filter(|line| !line.is_empty())
        .collect();
    let tail = lines
        .get(lines.len().saturating_sub(TAIL)..)
        .unwrap_or_default();
    let Some(last) = lines.iter().rfind(|line| sounds_bad(line)).or(lines.last()) else {
        return failure;
    };
    let aws = failure.reason.trim_end_matches('.');
    let reason = format!(
        "{aws}; {}: {last} (last lines: {})",
        console.instance,
        tail.join(" | ")
    );
    Failure { reason, ..failure }
}

/// A line of a console without the time since boot and the name of the unit.
fn bare(line: &str) -> &str {
    let line = line.trim();
    let line = match line.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((time, rest)) if time.trim().parse::<f64>().is_ok() => rest.trim(),
        _ => line,
    };
    match line.split_once("]: ") {
        Some((unit, rest)) if !unit.contains(' ') && unit.contains('[') => rest.trim(),
        _ => line,
    }
}

fn sounds_bad(line: &str) -> bool {
    let text = line.to_lowercase();
    [
        "error",
        "fail",
        "fatal",
        "denied",
        "timed out",
        "timeout",
        "refused",
        "not found",
        "no space",
        "panic",
    ]
    .iter()
    .any(|word| text.contains(word))
}

#[cfg(test)]
mod tests;
