//! What a stack's end means: which outcome, and which of many failures is the cause.

use super::event::{Failure, Outcome, Verb};
use super::follow::Rest;
use crate::cloud::status::Phase;
use crate::cloud::{StackEvent, StackStatus};

/// What CloudFormation writes at resources that it gave up because another one had failed.
const CANCELLED: [&str; 4] = [
    "resource creation cancelled",
    "resource update cancelled",
    "resource deletion cancelled",
    "resource operation cancelled",
];

/// The outcome of an operation that came to rest.
pub(super) fn outcome(verb: Verb, rest: &Rest, sentence: impl Fn(&str) -> String) -> Outcome {
    use StackStatus as S;
    match (verb, &rest.status) {
        (Verb::Create, S::CreateComplete) => Outcome::Created,
        (Verb::Update, S::UpdateComplete | S::UpdateCompleteCleanupInProgress) => Outcome::Updated,
        (Verb::Delete, S::DeleteComplete) => Outcome::Deleted,
        (Verb::Create, S::RollbackComplete)
        | (Verb::Update, S::UpdateRollbackComplete | S::UpdateRollbackCompleteCleanupInProgress) => {
            Outcome::RolledBack(failure(rest, sentence))
        }
        _ => Outcome::Failed(failure(rest, sentence)),
    }
}

/// Something went wrong before anything of the stack began.
pub(super) fn refused(status: Option<StackStatus>, reason: impl Into<String>) -> Outcome {
    Outcome::Failed(Failure {
        status,
        resource: None,
        logical_id: None,
        reason: reason.into(),
    })
}

fn failure(rest: &Rest, sentence: impl Fn(&str) -> String) -> Failure {
    let status = Some(rest.status.clone());
    if let Some(event) = cause(&rest.events) {
        return Failure {
            status,
            resource: Some(sentence(&event.logical_id)),
            logical_id: Some(event.logical_id.clone()),
            reason: reason(event),
        };
    }
    let of_stack = |event: &&StackEvent| event.stack_status.is_some() && event.reason.is_some();
    let told = rest.events.iter().filter(of_stack).find(|event| {
        let phase = event.status.phase();
        phase == Phase::Failed || event.status.as_str().contains("ROLLBACK")
    });
    let found = || rest.found.as_ref().and_then(|found| found.reason.clone());
    Failure {
        resource: None,
        logical_id: None,
        reason: told
            .and_then(|event| event.reason.clone())
            .or_else(found)
            .unwrap_or_else(|| format!("AWS gives no reason; the stack is in {}", rest.status)),
        status,
    }
}

/// The first real failure in time. The order of a tie is the order in which AWS told it.
pub(super) fn cause(events: &[StackEvent]) -> Option<&StackEvent> {
    events
        .iter()
        .filter(|event| event.stack_status.is_none())
        .filter(|event| event.status.phase() == Phase::Failed && !is_cancelled(event))
        .min_by_key(|event| event.at)
}

fn is_cancelled(event: &StackEvent) -> bool {
    let Some(reason) = event.reason.as_deref().map(str::to_lowercase) else {
        return false;
    };
    CANCELLED.iter().any(|text| reason.contains(text))
}

fn reason(event: &StackEvent) -> String {
    let silent = || format!("AWS gives no reason for {}", event.status);
    event.reason.clone().unwrap_or_else(silent)
}
