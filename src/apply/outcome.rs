//! What a stack's end means: which outcome it is.

use super::cause::{self, ResourceLabels};
use super::follow::OperationEnd;
use crate::cloud::{StackEvent, StackStatus};
use crate::events::{Failure, Outcome, Verb};

/// The outcome of an operation that came to end.
pub(super) fn outcome(verb: Verb, end: &OperationEnd, labels: &ResourceLabels<'_>) -> Outcome {
    use StackStatus as S;
    match (verb, &end.status) {
        (Verb::Create, S::CreateComplete) => Outcome::Created,
        (Verb::Update, S::UpdateComplete | S::UpdateCompleteCleanupInProgress) => Outcome::Updated,
        (Verb::Delete, S::DeleteComplete) => Outcome::Deleted,
        (Verb::Create, S::RollbackComplete)
        | (Verb::Update, S::UpdateRollbackComplete | S::UpdateRollbackCompleteCleanupInProgress) => {
            Outcome::RolledBack(failure(verb, end, labels))
        }
        _ => Outcome::Failed(failure(verb, end, labels)),
    }
}

/// Why an operation did not end as wanted.
fn failure(verb: Verb, end: &OperationEnd, labels: &ResourceLabels<'_>) -> Failure {
    let status = &end.status;
    if let Some(failure) = cause::failure(verb, Some(status), &end.events, labels) {
        return match &end.boot {
            Some(boot) if cause::is_signal_failure(&failure) => boot.explain(failure),
            _ => failure,
        };
    }
    let found = end.found.as_ref().and_then(|found| found.reason.clone());
    let reason = found.unwrap_or_else(|| format!("AWS gives no reason; the stack is in {status}"));
    Failure::of_stack(Some(status.clone()), reason)
}

/// What an update that succeeded could not remove: it is no part of the stack any more.
pub(super) fn not_removed<'a>(
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::apply::cause::cause;
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

    fn plain() -> ResourceLabels<'static> {
        ResourceLabels {
            describe: &|id| id.to_owned(),
            explain: &|_, _| None,
        }
    }

    fn ended(status: &str, events: Vec<StackEvent>) -> OperationEnd {
        OperationEnd {
            status: status.into(),
            found: None,
            events,
            boot: None,
        }
    }

    #[test]
    fn first_real_failure_is_the_cause_however_late_it_is_read() {
        let events = [
            event(30, "B", "CREATE_FAILED", "Resource creation cancelled"),
            event(32, "C", "DELETE_FAILED", "is in use"),
            event(31, "A", "CREATE_FAILED", "quota reached"),
            event(30, "D", "UPDATE_FAILED", "Resource update cancelled"),
        ];
        assert_eq!(
            cause(Verb::Create, &events).map(|e| e.logical_id.as_str()),
            Some("A")
        );
    }

    #[test]
    fn stack_reason_counts_without_failed_resource() {
        let own = event(3, "", "ROLLBACK_IN_PROGRESS", "Parameter X is wrong");
        let end = ended("ROLLBACK_COMPLETE", vec![own]);
        let Outcome::RolledBack(why) = outcome(Verb::Create, &end, &plain()) else {
            panic!("rolled back")
        };
        assert_eq!(why.reason, "Parameter X is wrong");
        assert_eq!(why.resource, None);
    }

    #[test]
    fn only_the_requested_status_is_a_success() {
        let word = |verb, status: &str| {
            let end = outcome(verb, &ended(status, Vec::new()), &plain());
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
    fn resources_that_an_update_could_not_remove_are_reported() {
        let events = [event(1, "Old", "DELETE_FAILED", "is in use")];
        assert_eq!(not_removed(&Outcome::Updated, &events).count(), 1);
        assert_eq!(not_removed(&Outcome::Created, &events).count(), 0);
    }
}
