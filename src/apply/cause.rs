//! Finds the root cause among many failures: pure, from the events of one operation.
//!
//! The cause is the first real failure in time. Cancelled resources do not count, nor do summaries of
//! other failures; a failure during a rollback never outranks the one that started it.

use crate::catalog::durations::Operation;
use crate::catalog::hints::{self, Hint};
use crate::cloud::status::ResourcePhase;
use crate::cloud::{Finding, ResourceStatus, StackEvent, StackStatus};
use crate::events::{Failure, Place, Verb};

/// Where a resource, or a property of it (a path with dots), comes from.
pub type Explain<'a> = dyn Fn(&str, Option<&str>) -> Option<Place> + 'a;

/// How to name the resources of a stack: what each is, and where it comes from.
#[derive(Clone, Copy)]
pub struct ResourceLabels<'a> {
    /// The description of a logical id.
    pub describe: &'a dyn Fn(&str) -> String,
    pub explain: &'a Explain<'a>,
}

/// The first real failure in time. The order of a tie is the order in which AWS listed it.
pub fn cause(verb: Verb, events: &[StackEvent]) -> Option<&StackEvent> {
    let rollback = rollback_began(verb, events);
    events
        .iter()
        .filter(|event| event.stack_status.is_none())
        .filter(|event| event.status.phase() == ResourcePhase::Failed && !is_cancelled(event))
        .min_by_key(|event| {
            (
                rollback.is_some_and(|began| event.at > began),
                verb != Verb::Delete && event.status.is_delete(),
                event.reason.as_deref().is_some_and(only_sums_up),
                event.at,
            )
        })
}

/// When the rollback began.
fn rollback_began(verb: Verb, events: &[StackEvent]) -> Option<jiff::Timestamp> {
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
    labels: &ResourceLabels,
) -> Option<Failure> {
    if let Some(event) = cause(verb, events) {
        return Some(of_resource(verb, status, event, events, labels));
    }
    let reason = own_reason(events)?;
    let hint = hints::hint("", None, reason).map(|hint| hint.text);
    Some(Failure {
        hint,
        ..Failure::of_stack(status.cloned(), reason)
    })
}

fn of_resource(
    verb: Verb,
    status: Option<&StackStatus>,
    event: &StackEvent,
    events: &[StackEvent],
    labels: &ResourceLabels,
) -> Failure {
    let reason = reason(event, events);
    Failure {
        status: status.cloned(),
        resource: Some((labels.describe)(&event.logical_id)),
        logical_id: Some(event.logical_id.clone()),
        resource_type: Some(event.resource_type.clone()),
        // No field of the definition makes machines fail to boot.
        place: (!is_about_signals(&event.resource_type, &reason))
            .then(|| (labels.explain)(&event.logical_id, None))
            .flatten(),
        hint: hint(event, &reason).map(|hint| match (verb, hint.text_on_deletion) {
            (Verb::Delete, Some(text)) => text.to_owned(),
            (Verb::Create | Verb::Update | Verb::Delete, _) => hint.text,
        }),
        cancelled: cancelled(event, events, labels),
        lines: Vec::new(),
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

/// Descriptions of the resources that were cancelled because of the cause.
fn cancelled(cause: &StackEvent, events: &[StackEvent], labels: &ResourceLabels) -> Vec<String> {
    let mut ids: Vec<&str> = Vec::new();
    let failed =
        |event: &&StackEvent| event.status.phase() == ResourcePhase::Failed && is_cancelled(event);
    for event in events.iter().filter(failed) {
        let id = event.logical_id.as_str();
        if id != cause.logical_id && !ids.contains(&id) {
            ids.push(id);
        }
    }
    ids.into_iter().map(labels.describe).collect()
}

fn is_cancelled(event: &StackEvent) -> bool {
    let reason = event.reason.as_deref();
    reason.is_some_and(Failure::is_cancellation)
}

/// Whether a reason only summarises other failures, or says nothing.
pub(super) fn only_sums_up(reason: &str) -> bool {
    reason.starts_with("The following resource(s) failed to")
        || reason.starts_with("Embedded stack ")
        || reason.starts_with("Resource creation Initiated")
}

/// A failure's reason. The findings of a hook are in an event of its own; the failure only names it.
fn reason(event: &StackEvent, events: &[StackEvent]) -> String {
    let Some(reason) = event.reason.clone() else {
        return format!("AWS gives no reason for {}", event.status);
    };
    if !names_a_hook(&reason) || reason.contains("] : ") {
        return reason;
    }
    let finding = events
        .iter()
        .filter(|other| other.logical_id == event.logical_id && other.id != event.id)
        .filter_map(|other| other.reason.as_deref())
        .rfind(|reason| is_hook_finding(reason));
    match finding {
        Some(finding) => format!("{reason}: {finding}"),
        None => reason,
    }
}

fn names_a_hook(reason: &str) -> bool {
    reason.starts_with("The following hook(s)")
}

fn is_hook_finding(reason: &str) -> bool {
    let text = reason.to_lowercase();
    text.contains("hook") && !names_a_hook(reason) && !text.starts_with("hook invocations complete")
}

/// The failure of a stack whose template early validation refused: the first finding, with its place.
pub fn refused(reason: &str, findings: &[Finding], labels: &ResourceLabels) -> Failure {
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
        resource: Some((labels.describe)(id)),
        logical_id: Some(id.to_owned()),
        place: (labels.explain)(id, first.path.as_deref()),
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
/// carries no reason, so one of the machines says more than AWS.
pub fn is_signal_failure(failure: &Failure) -> bool {
    let of_type = failure.resource_type.as_deref().unwrap_or_default();
    is_about_signals(of_type, &failure.reason)
}

fn is_about_signals(resource_type: &str, reason: &str) -> bool {
    hints::hint(resource_type, None, reason).is_some_and(|hint| hint.cause == "signalTimeout")
}

/// The machine that a reason of AWS names as the sender of a FAILURE signal.
pub(super) fn signalling_instance(reason: &str) -> Option<&str> {
    signalled(reason, "FAILURE")
}

/// The machine that a reason of AWS names as the sender of a SUCCESS signal.
pub(super) fn booted_instance(reason: &str) -> Option<&str> {
    signalled(reason, "SUCCESS")
}

fn signalled<'a>(reason: &'a str, signal: &str) -> Option<&'a str> {
    let (_, rest) = reason.split_once(signal)?;
    let rest = rest.strip_prefix(" signal with UniqueId ")?;
    let id = rest.split_whitespace().next()?.trim_end_matches('.');
    id.starts_with("i-").then_some(id)
}

#[cfg(test)]
mod tests;
