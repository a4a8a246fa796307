//! What a stack's end means: which outcome, and which of many failures is the cause.

use std::collections::HashSet;

use super::event::{Failure, Outcome, Verb};
use super::follow::{Rest, Subject};
use crate::cloud::status::Phase;
use crate::cloud::{StackEvent, StackStatus};

/// The outcome of an operation that came to rest.
pub(super) fn outcome(verb: Verb, rest: &Rest, subject: &Subject<'_>) -> Outcome {
    use StackStatus as S;
    match (verb, &rest.status) {
        (Verb::Create, S::CreateComplete) => Outcome::Created,
        (Verb::Update, S::UpdateComplete | S::UpdateCompleteCleanupInProgress) => Outcome::Updated,
        (Verb::Delete, S::DeleteComplete) => Outcome::Deleted,
        (Verb::Create, S::RollbackComplete)
        | (Verb::Update, S::UpdateRollbackComplete | S::UpdateRollbackCompleteCleanupInProgress) => {
            Outcome::RolledBack(failure(rest, subject))
        }
        _ => Outcome::Failed(failure(rest, subject)),
    }
}

/// Something went wrong before anything of the stack began, and somebody has to decide.
pub(super) fn refused(status: Option<StackStatus>, reason: impl Into<String>) -> Outcome {
    Outcome::Failed(Failure::of_stack(status, reason))
}

/// Something went wrong before anything of the stack began: it is where it was, and the same run
/// again simply goes on.
pub(super) fn unbegun(reason: impl Into<String>) -> Outcome {
    Outcome::RolledBack(Failure::of_stack(None, reason))
}

pub(super) fn failure(rest: &Rest, subject: &Subject<'_>) -> Failure {
    let status = Some(rest.status.clone());
    if let Some(event) = cause(&rest.events) {
        return of_resource(event, status, &rest.events, subject);
    }
    let of_stack = |event: &&StackEvent| event.stack_status.is_some() && event.reason.is_some();
    let told = rest.events.iter().filter(of_stack).find(|event| {
        let phase = event.status.phase();
        phase == Phase::Failed || event.status.as_str().contains("ROLLBACK")
    });
    let found = || rest.found.as_ref().and_then(|found| found.reason.clone());
    let reason = told
        .and_then(|event| event.reason.clone())
        .or_else(found)
        .unwrap_or_else(|| format!("AWS gives no reason; the stack is in {}", rest.status));
    Failure::of_stack(status, reason)
}

/// A stack that failed because of this resource's event; `events` are all of the operation so far.
pub(super) fn of_resource(
    event: &StackEvent,
    status: Option<StackStatus>,
    events: &[StackEvent],
    subject: &Subject<'_>,
) -> Failure {
    let (place, hint) = (subject.explain)(event);
    Failure {
        status,
        resource: Some((subject.sentence)(&event.logical_id)),
        logical_id: Some(event.logical_id.clone()),
        resource_type: Some(event.resource_type.clone()),
        reason: reason(event),
        place,
        hint,
        cancelled: cancelled(events, subject.sentence),
    }
}

/// The resources that were cancelled, each once, in the order in which AWS told it.
fn cancelled(events: &[StackEvent], sentence: &dyn Fn(&str) -> String) -> Vec<String> {
    let mut met = HashSet::new();
    events
        .iter()
        .filter(|event| event.status.phase() == Phase::Failed && is_cancelled(event))
        .filter(|event| event.stack_status.is_none() && met.insert(&event.logical_id))
        .map(|event| sentence(&event.logical_id))
        .collect()
}

/// The first real failure of an operation that still runs. What an update can't remove at its end is
/// none: the stack is well without it.
pub(super) fn early(events: &[StackEvent]) -> Option<&StackEvent> {
    cause(events).filter(|event| !event.status.is_delete())
}

/// The group of machines whose event says that too few of them reported in time.
pub(super) fn silent_group(event: &StackEvent) -> Option<&str> {
    let waits = event.reason.as_ref()?.contains("SUCCESS signal");
    let group = event.resource_type == "AWS::AutoScaling::AutoScalingGroup";
    let failed = event.status.phase() == Phase::Failed;
    (waits && group && failed).then_some(event.physical_id.as_deref()?)
}

/// The first real failure in time. The order of a tie is the order in which AWS told it.
pub(super) fn cause(events: &[StackEvent]) -> Option<&StackEvent> {
    events
        .iter()
        .filter(|event| event.stack_status.is_none())
        .filter(|event| event.status.phase() == Phase::Failed && !is_cancelled(event))
        .min_by_key(|event| event.at)
}

/// What an update that succeeded could not remove: it is no part of the stack any more.
pub(super) fn stranded<'a>(
    outcome: &Outcome,
    events: &'a [StackEvent],
) -> impl Iterator<Item = &'a StackEvent> {
    let updated = *outcome == Outcome::Updated;
    let stays = |event: &&StackEvent| event.status.as_str() == "DELETE_FAILED";
    events
        .iter()
        .filter(move |event| updated && event.stack_status.is_none())
        .filter(stays)
}

fn is_cancelled(event: &StackEvent) -> bool {
    event
        .reason
        .as_deref()
        .is_some_and(Failure::is_cancellation)
}

fn reason(event: &StackEvent) -> String {
    let silent = || format!("AWS gives no reason for {}", event.status);
    event.reason.clone().unwrap_or_else(silent)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cloud::ResourceStatus;
    use jiff::Timestamp;

    fn event(second: i64, id: &str, status: &str, reason: &str) -> StackEvent {
        StackEvent {
            id: format!("{second}-{id}-{status}"),
            at: Timestamp::from_second(second).expect("a second"),
            logical_id: id.to_owned(),
            physical_id: None,
            resource_type: "AWS::X".to_owned(),
            status: ResourceStatus::new(status),
            reason: (!reason.is_empty()).then(|| reason.to_owned()),
            token: None,
            stack_status: id.is_empty().then(|| StackStatus::from(status)),
        }
    }

    fn rest(status: &str, events: Vec<StackEvent>) -> Rest {
        Rest {
            status: status.into(),
            found: None,
            events,
        }
    }

    #[test]
    fn the_first_real_failure_in_time_is_the_cause_however_late_it_is_read() {
        let events = [
            event(30, "B", "CREATE_FAILED", "Resource creation cancelled"),
            event(32, "C", "DELETE_FAILED", "is in use"),
            event(31, "A", "CREATE_FAILED", "quota reached"),
            event(30, "D", "UPDATE_FAILED", "Resource update cancelled"),
        ];
        assert_eq!(cause(&events).map(|e| e.logical_id.as_str()), Some("A"));
    }

    #[test]
    fn a_stack_without_a_failed_resource_gives_its_own_reason() {
        let own = event(3, "", "ROLLBACK_IN_PROGRESS", "Parameter X is wrong");
        let end = rest("ROLLBACK_COMPLETE", vec![own]);
        let Outcome::RolledBack(why) = outcome(Verb::Create, &end, str::to_owned) else {
            panic!("rolled back")
        };
        assert_eq!(why.reason, "Parameter X is wrong");
        assert_eq!(why.resource, None);
    }

    #[test]
    fn only_the_status_that_was_asked_for_is_a_success() {
        let word = |verb, status: &str| {
            let end = outcome(verb, &rest(status, Vec::new()), str::to_owned);
            match end {
                Outcome::RolledBack(_) => "rolled back",
                Outcome::Failed(_) => "failed",
                good => {
                    assert!(good.is_good());
                    "good"
                }
            }
        };
        for status in StackStatus::ALL {
            let text = status.as_str();
            let create = match text {
                "CREATE_COMPLETE" => "good",
                "ROLLBACK_COMPLETE" => "rolled back",
                _ => "failed",
            };
            assert_eq!(word(Verb::Create, text), create, "{text}");
            let delete = if text == "DELETE_COMPLETE" {
                "good"
            } else {
                "failed"
            };
            assert_eq!(word(Verb::Delete, text), delete, "{text}");
            let update = match text {
                "UPDATE_COMPLETE" | "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS" => "good",
                _ if text.starts_with("UPDATE_ROLLBACK_COMPLETE") => "rolled back",
                _ => "failed",
            };
            assert_eq!(word(Verb::Update, text), update, "{text}");
        }
    }

    #[test]
    fn what_an_update_could_not_remove_is_told_although_it_succeeded() {
        let events = [event(1, "Old", "DELETE_FAILED", "is in use")];
        assert_eq!(stranded(&Outcome::Updated, &events).count(), 1);
        assert_eq!(stranded(&Outcome::Created, &events).count(), 0);
    }
}
