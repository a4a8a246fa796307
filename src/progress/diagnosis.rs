//! A failure that is over, shown as it was when it happened.

use super::after_failure::{AfterFailure, next, unresolved};
use super::failure::{FailureDetail, FirstFailure};
use super::line::{Line, Mark, room};
use crate::cloud::StackStatus;
use crate::common::text::clean;
use crate::events::Diagnosis;
use crate::stacks::StackKind;

/// What a diagnosis says in at most five lines of `width` columns, or in full.
pub fn report(
    cluster: &str,
    stack: &StackKind,
    diagnosis: &Diagnosis,
    width: usize,
    detail: FailureDetail,
) -> Vec<Line> {
    let failure = &diagnosis.failure;
    let status = diagnosis.resource_status.as_ref();
    let status = status.map(|word| clean(word.as_str()));
    let when = diagnosis.at.strftime("%Y-%m-%d %H:%M UTC");
    let first = FirstFailure::from_verdict(diagnosis.at, failure, status, diagnosis.took);
    let first = first.with_moment(format!("at {when}"));
    let now = AfterFailure {
        state: state(failure.status.as_ref()),
        cancelled: failure.cancelled.len(),
        next: next(Some(diagnosis.operation), &clean(cluster)),
        after_remedy: first.has_remedy(),
        ..AfterFailure::default()
    };
    let texts = first.report(stack, &now, room(width), detail);
    Line::group(Mark::Failed, texts, width)
}

/// What a stack's status means afterwards.
fn state(status: Option<&StackStatus>) -> String {
    use StackStatus as S;
    match status {
        Some(S::RollbackComplete | S::UpdateRollbackComplete | S::ImportRollbackComplete) => {
            "rolled back".to_owned()
        }
        Some(
            S::RollbackInProgress
            | S::UpdateRollbackInProgress
            | S::UpdateRollbackCompleteCleanupInProgress
            | S::ImportRollbackInProgress,
        ) => "rolling back".to_owned(),
        Some(status) if status.is_in_progress() => clean(status.as_str()),
        other => unresolved(other),
    }
}
