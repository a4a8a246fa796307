//! A failure of the past, told as it was told when it happened.

use super::failure::{Detail, Pinned, marked};
use super::now::{Now, next, unresolved};
use super::text::{Line, room};
use crate::apply::diagnose::Diagnosis;
use crate::cloud::StackStatus;
use crate::common::text::clean;
use crate::stacks::StackKind;

/// What a diagnosis says in at most five lines of `width` columns, or in full.
pub fn report(
    cluster: &str,
    stack: &StackKind,
    diagnosis: &Diagnosis,
    width: usize,
    detail: Detail,
) -> Vec<Line> {
    let failure = &diagnosis.failure;
    let status = diagnosis.resource_status.as_ref();
    let status = status.map(|word| clean(word.as_str()));
    let when = diagnosis.at.strftime("%Y-%m-%d %H:%M UTC");
    let pinned = Pinned::told(diagnosis.at, failure, status, diagnosis.took);
    let pinned = pinned.dated(format!("at {when}"));
    let now = Now {
        state: state(failure.status.as_ref()),
        cancelled: failure.cancelled.len(),
        next: next(Some(diagnosis.operation), &clean(cluster)),
        ..Now::default()
    };
    marked(&pinned.report(stack, &now, room(width), detail), width)
}

/// What a stack's status says to somebody who comes afterwards.
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
        Some(status) if status.is_moving() => clean(status.as_str()),
        other => unresolved(other),
    }
}
