//! A failure that is over, shown as it was when it happened.

use super::after_failure::{AfterFailure, next, unresolved};
use super::failure::{FailureDetail, FirstFailure};
use super::line::{Line, Mark, room};
use crate::cloud::StackStatus;
use crate::common::text::clean;
use crate::events::Diagnosis;
use crate::stacks::StackKind;

/// What a diagnosis says in at most five lines of `width` columns, or in full. `argument` is the cluster as commands
/// name it.
pub fn report(
    argument: &str,
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
        next: next_step(diagnosis, first.has_remedy(), &clean(argument)),
        after_remedy: first.has_remedy() && !diagnosis.is_over,
        ..AfterFailure::default()
    };
    let texts = first.report(stack, &now, room(width), detail);
    Line::group(Mark::Failed, texts, width)
}

/// What comes next. What is over may have been taken back in the definition: the plan says it. Else the cause goes first,
/// or the same fails again.
fn next_step(diagnosis: &Diagnosis, has_remedy: bool, argument: &str) -> String {
    let again = next(Some(diagnosis.operation), argument);
    match &diagnosis.failure.status {
        _ if diagnosis.is_over => format!("kube-cfn plan {argument}"),
        Some(StackStatus::RollbackComplete | StackStatus::RollbackInProgress) if !has_remedy => {
            format!("fix the cause, then {again}")
        }
        Some(_) | None => again,
    }
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
