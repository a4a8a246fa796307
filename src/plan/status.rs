//! The 23 statuses of a stack and what they mean for `apply`, `delete` and `watch`: one exhaustive
//! table. A stack that this tool can't recover names the one command that does it.

use super::{Blocked, Code};
use crate::cloud::{LiveStack, StackRef, StackStatus};

/// What `apply` does with a stack of a certain status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ApplyAction {
    /// At rest and well: compare, and ask AWS only about differences.
    Compare,
    /// At rest, but its template on record may not be the one in force: always ask AWS.
    Ask,
    /// Its last operation failed and was not rolled back; it may hold resources. An update goes on
    /// from where it stopped. Never deleted.
    Resume,
    /// There is no such stack any more.
    Create,
    /// What it holds decides: an empty leftover is replaced, anything else names what is in the way.
    LookInside,
    /// Its rollback failed: explained, then continued.
    Continue,
    /// Something runs: follow it, then look again.
    Follow,
    /// Needs manual action first.
    Blocked(Blocked),
}

/// What `delete` does with a stack of a certain status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeleteAction {
    Delete,
    /// A deletion runs already.
    Follow,
    /// Something else runs: wait for its end, then delete.
    FollowThenDelete,
    Gone,
    /// The placeholder of a change set: deleted if all its change sets are this tool's.
    Placeholder,
    Blocked(Blocked),
}

/// What `watch` does with a stack of a certain status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WatchAction {
    /// Something runs: followed to its end.
    Follow,
    /// Nothing to see.
    Rests,
    /// There is no such stack any more.
    Gone,
}

/// What is known of the Kubernetes version that the machines of a stack run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum RunningMachines {
    /// None runs: its creation was rolled back, or it is being deleted.
    None,
    /// Some may run, and come from the template on record. One in `CREATE_FAILED` kept what it had made.
    OfTemplate,
    /// Some may run; the template on record may not be the one that they come from.
    Unsure,
}

/// For questions whose answer names no stack.
const NOBODY: StackRef<'static> = StackRef { name: "", id: "" };

/// The table: what `apply` and `delete` do with a stack in `status`, and what its machines run.
fn row(status: &StackStatus, stack: StackRef<'_>) -> (ApplyAction, DeleteAction, RunningMachines) {
    use ApplyAction as A;
    use DeleteAction as D;
    use RunningMachines as M;
    use StackStatus as S;
    match status {
        S::CreateInProgress | S::UpdateCompleteCleanupInProgress => {
            (A::Follow, D::FollowThenDelete, M::OfTemplate)
        }
        S::CreateComplete | S::UpdateComplete => (A::Compare, D::Delete, M::OfTemplate),
        S::CreateFailed => (A::Resume, D::Delete, M::OfTemplate),
        S::RollbackInProgress => (A::Follow, D::FollowThenDelete, M::None),
        S::RollbackComplete | S::RollbackFailed | S::DeleteFailed => {
            (A::LookInside, D::Delete, M::None)
        }
        S::DeleteInProgress => (A::Follow, D::Follow, M::None),
        S::DeleteComplete => (A::Create, D::Gone, M::None),
        S::ReviewInProgress => (A::LookInside, D::Placeholder, M::None),
        S::UpdateInProgress
        | S::UpdateRollbackInProgress
        | S::UpdateRollbackCompleteCleanupInProgress
        | S::ImportInProgress
        | S::ImportRollbackInProgress => (A::Follow, D::FollowThenDelete, M::Unsure),
        S::UpdateFailed => (A::Resume, D::Delete, M::Unsure),
        S::UpdateRollbackFailed => (A::Continue, D::Delete, M::Unsure),
        S::UpdateRollbackComplete | S::ImportComplete | S::ImportRollbackComplete => {
            (A::Ask, D::Delete, M::Unsure)
        }
        S::ImportRollbackFailed => (
            A::Blocked(manual_action(status, stack)),
            D::Delete,
            M::Unsure,
        ),
        S::Unknown(_) => {
            let why = manual_action(status, stack);
            (A::Blocked(why.clone()), D::Blocked(why), M::Unsure)
        }
    }
}

/// What `apply` does with a stack in `status`.
pub fn on_apply(status: &StackStatus, stack: StackRef<'_>) -> ApplyAction {
    row(status, stack).0
}

/// What `delete` does with a stack in `status`.
pub fn on_delete(status: &StackStatus, stack: StackRef<'_>) -> DeleteAction {
    row(status, stack).1
}

/// What `watch` does with a stack in `status`. One that this version does not know is followed if its
/// word says that it moves: following changes nothing.
pub fn on_watch(status: &StackStatus) -> WatchAction {
    match status {
        _ if status.is_in_progress() => WatchAction::Follow,
        StackStatus::DeleteComplete => WatchAction::Gone,
        _ => WatchAction::Rests,
    }
}

/// Whether a stack in this status stays and can be worked on: its protection can be set.
pub fn rests(status: &StackStatus) -> bool {
    matches!(
        on_apply(status, NOBODY),
        ApplyAction::Compare | ApplyAction::Ask
    )
}

/// Whether `apply` goes on with what a stack in this status holds; else it is created, or what it holds decides.
pub fn stays(status: &StackStatus) -> bool {
    match on_apply(status, NOBODY) {
        ApplyAction::Create | ApplyAction::LookInside => false,
        ApplyAction::Compare
        | ApplyAction::Ask
        | ApplyAction::Resume
        | ApplyAction::Continue
        | ApplyAction::Follow
        | ApplyAction::Blocked(_) => true,
    }
}

/// What is wrong with a stack that rests, and the one command that helps; `None` where nothing is, or
/// where it does not rest.
pub fn trouble_at_rest(found: &LiveStack) -> Option<Blocked> {
    match on_apply(&found.status, found.named()) {
        ApplyAction::Compare | ApplyAction::Ask | ApplyAction::Create | ApplyAction::Follow => None,
        ApplyAction::Resume | ApplyAction::LookInside | ApplyAction::Continue => {
            Some(manual_action(&found.status, found.named()))
        }
        ApplyAction::Blocked(why) => Some(why),
    }
}

/// Whether machines of a stack in this status may run Kubernetes: then its version is not changed.
pub fn runs(status: &StackStatus) -> bool {
    row(status, NOBODY).2 != RunningMachines::None
}

/// Whether the template on record is certainly the one that the machines of the stack come from.
pub fn template_in_force(status: &StackStatus) -> bool {
    row(status, NOBODY).2 == RunningMachines::OfTemplate
}

/// Why a stack in this status needs manual action, and the one command that helps.
pub fn manual_action(status: &StackStatus, stack: StackRef<'_>) -> Blocked {
    use StackStatus as S;
    const UNDO: (&str, &str) = ("rollback-stack", "returns it to the last good state");
    const DELETE: (&str, &str) = ("delete-stack", "removes this stack alone");
    let (trouble, (verb, effect)) = match status {
        S::CreateFailed => (
            "its creation failed and was not rolled back; it may hold resources",
            UNDO,
        ),
        S::UpdateFailed => ("its last update failed and was not rolled back", UNDO),
        S::RollbackComplete => ("its creation failed and was rolled back", DELETE),
        S::RollbackFailed => ("its creation failed, and so did its rollback", DELETE),
        S::DeleteFailed => ("its deletion failed", DELETE),
        S::UpdateRollbackFailed => (
            "its last update failed, and so did its rollback; do not delete it",
            ("continue-update-rollback", "continues the rollback"),
        ),
        S::ReviewInProgress => (
            "it is the placeholder of a change set under review; this tool did not make it",
            (
                "delete-stack",
                "deletes it, unless its owner executes the change set",
            ),
        ),
        S::ImportRollbackFailed => (
            "an import into it failed, and so did its rollback",
            ("describe-stack-events", "shows the cause"),
        ),
        _ => (
            "this version does not know that status; perhaps a newer kube-cfn does",
            ("describe-stacks", "shows the stack"),
        ),
    };
    let options = stack.options();
    Blocked::by_state(
        Code::StackStatus,
        format!("{} is in {status}: {trouble}", stack.name),
        format!("`aws cloudformation {verb}{options}` {effect}"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fmt::Write as _;

    const EDGE: StackRef<'static> = StackRef {
        name: "canary-edge",
        id: "arn:aws:cloudformation:eu-west-1:111122223333:stack/canary-edge/1",
    };

    /// Every `code` in a text.
    fn commands(text: &str) -> usize {
        text.matches('`').count() / 2
    }

    fn blocked(why: &Blocked) -> String {
        assert_eq!(commands(&why.remedy), 1, "one command: {}", why.remedy);
        format!("blocked\n    {}\n    next: {}", why.reason, why.remedy)
    }

    fn table() -> String {
        let moving = StackStatus::Unknown("REFACTOR_IN_PROGRESS".to_owned());
        let resting = StackStatus::Unknown("REFACTOR_COMPLETE".to_owned());
        let mut text = String::new();
        for status in StackStatus::ALL.iter().chain([&moving, &resting]) {
            let apply = match on_apply(status, EDGE) {
                ApplyAction::Blocked(why) => blocked(&why),
                ApplyAction::LookInside => {
                    let why = manual_action(status, EDGE);
                    format!("recreate if it may go, else {}", blocked(&why))
                }
                ApplyAction::Resume => {
                    let why = manual_action(status, EDGE);
                    format!("an update from there, else {}", blocked(&why))
                }
                other => format!("{other:?}"),
            };
            let delete = match on_delete(status, EDGE) {
                DeleteAction::Blocked(why) => blocked(&why),
                other => format!("{other:?}"),
            };
            let watch = on_watch(status);
            let version = match (runs(status), template_in_force(status)) {
                (false, _) => "none runs",
                (true, true) => "of its output, or of its template",
                (true, false) => "of its output",
            };
            writeln!(
                text,
                "{status}\n  apply: {apply}\n  delete: {delete}\n  watch: {watch:?}\n  version: {version}"
            )
            .expect("a string");
        }
        text
    }

    #[test]
    fn status_table_covers_every_status() {
        assert_eq!(StackStatus::ALL.len(), 23);
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cases/plan/statuses.txt");
        let held = std::fs::read_to_string(path).unwrap_or_default();
        let now = table();
        if held != now && std::env::var_os("UPDATE").is_some() {
            std::fs::write(path, &now).expect("the table can be written");
        }
        assert_eq!(now, held, "UPDATE=1 rewrites {path}");
    }

    #[test]
    fn moving_stack_is_followed() {
        for status in StackStatus::ALL {
            let follows = on_apply(status, EDGE) == ApplyAction::Follow;
            assert_eq!(follows, status.is_in_progress(), "{status}");
            let watched = on_watch(status) == WatchAction::Follow;
            assert_eq!(watched, status.is_in_progress(), "{status}");
        }
    }

    #[test]
    fn manual_action_names_one_command() {
        for status in StackStatus::ALL {
            assert_eq!(commands(&manual_action(status, EDGE).remedy), 1, "{status}");
        }
    }
}
