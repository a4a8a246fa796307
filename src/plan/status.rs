//! The 23 statuses of a stack and what they mean for `apply`, `delete` and `watch`: one exhaustive
//! table. What can be healed is healed; the rest names the one command that does it.

use super::Blocked;
use crate::cloud::StackStatus;

/// What `apply` does with a stack of a certain status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Means {
    /// At rest and well: compare, and ask AWS only about differences.
    Compare,
    /// At rest, but its template on record may not be the one in force: always ask AWS.
    Ask,
    /// Its last operation failed and was not rolled back; it may hold resources. An update goes on
    /// from where it stopped. Never deleted.
    Resume,
    /// There is no such stack any more.
    Create,
    /// What it holds decides: an empty leftover is made anew, anything else names what is in the way.
    LookInside,
    /// Going back failed half way: explained, then gone on with.
    Continue,
    /// Something runs: follow it, then look again.
    Follow,
    /// Needs a hand first.
    Blocked(Blocked),
}

/// What `delete` does with a stack of a certain status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Deletes {
    Delete,
    /// A deletion runs already.
    Follow,
    /// Something else runs: wait for its end, then delete.
    FollowThenDelete,
    Gone,
    /// The shell of a change set: deleted if all its change sets are this tool's.
    Shell,
    Blocked(Blocked),
}

/// What `watch` does with a stack of a certain status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Watches {
    /// Something runs: followed to its end.
    Follow,
    /// Nothing to see.
    Rests,
    /// There is no such stack any more.
    Gone,
}

/// What `apply` does with stack `name` in `status`.
pub fn on_apply(status: &StackStatus, name: &str) -> Means {
    use StackStatus as S;
    match status {
        S::CreateComplete | S::UpdateComplete => Means::Compare,
        S::UpdateRollbackComplete | S::ImportComplete | S::ImportRollbackComplete => Means::Ask,
        S::CreateFailed | S::UpdateFailed => Means::Resume,
        S::DeleteComplete => Means::Create,
        S::RollbackComplete | S::RollbackFailed | S::DeleteFailed | S::ReviewInProgress => {
            Means::LookInside
        }
        S::UpdateRollbackFailed => Means::Continue,
        S::CreateInProgress
        | S::RollbackInProgress
        | S::DeleteInProgress
        | S::UpdateInProgress
        | S::UpdateCompleteCleanupInProgress
        | S::UpdateRollbackInProgress
        | S::UpdateRollbackCompleteCleanupInProgress
        | S::ImportInProgress
        | S::ImportRollbackInProgress => Means::Follow,
        S::ImportRollbackFailed | S::Unknown(_) => Means::Blocked(hand(status, name)),
    }
}

/// Whether a stack in this status stays and can be worked on: its protection can be set.
pub fn rests(status: &StackStatus) -> bool {
    matches!(on_apply(status, ""), Means::Compare | Means::Ask)
}

/// Whether machines of a stack in this status may run Kubernetes: then its version is not changed. One
/// whose creation was rolled back serves nobody. One in `CREATE_FAILED` kept what it had made, and may serve; so may one
/// in a status that this version does not know.
pub fn runs(status: &StackStatus) -> bool {
    use StackStatus as S;
    match status {
        S::CreateInProgress
        | S::CreateComplete
        | S::CreateFailed
        | S::UpdateInProgress
        | S::UpdateCompleteCleanupInProgress
        | S::UpdateComplete
        | S::UpdateFailed
        | S::UpdateRollbackInProgress
        | S::UpdateRollbackFailed
        | S::UpdateRollbackCompleteCleanupInProgress
        | S::UpdateRollbackComplete
        | S::ImportInProgress
        | S::ImportComplete
        | S::ImportRollbackInProgress
        | S::ImportRollbackFailed
        | S::ImportRollbackComplete
        | S::Unknown(_) => true,
        S::RollbackInProgress
        | S::RollbackFailed
        | S::RollbackComplete
        | S::DeleteInProgress
        | S::DeleteFailed
        | S::DeleteComplete
        | S::ReviewInProgress => false,
    }
}

/// Whether the template on record is certainly the one that the machines of the stack come from.
pub fn template_in_force(status: &StackStatus) -> bool {
    matches!(
        status,
        StackStatus::CreateInProgress
            | StackStatus::CreateComplete
            | StackStatus::CreateFailed
            | StackStatus::UpdateComplete
            | StackStatus::UpdateCompleteCleanupInProgress
    )
}

/// What `delete` does with stack `name` in `status`.
pub fn on_delete(status: &StackStatus, name: &str) -> Deletes {
    use StackStatus as S;
    match status {
        S::CreateFailed
        | S::CreateComplete
        | S::RollbackFailed
        | S::RollbackComplete
        | S::DeleteFailed
        | S::UpdateComplete
        | S::UpdateFailed
        | S::UpdateRollbackFailed
        | S::UpdateRollbackComplete
        | S::ImportComplete
        | S::ImportRollbackFailed
        | S::ImportRollbackComplete => Deletes::Delete,
        S::DeleteInProgress => Deletes::Follow,
        S::CreateInProgress
        | S::RollbackInProgress
        | S::UpdateInProgress
        | S::UpdateCompleteCleanupInProgress
        | S::UpdateRollbackInProgress
        | S::UpdateRollbackCompleteCleanupInProgress
        | S::ImportInProgress
        | S::ImportRollbackInProgress => Deletes::FollowThenDelete,
        S::DeleteComplete => Deletes::Gone,
        S::ReviewInProgress => Deletes::Shell,
        S::Unknown(_) => Deletes::Blocked(hand(status, name)),
    }
}

/// What `watch` does with a stack in `status`. One that this version does not know is followed if its
/// word says that it moves: following changes nothing.
pub fn on_watch(status: &StackStatus) -> Watches {
    use StackStatus as S;
    match status {
        S::CreateInProgress
        | S::RollbackInProgress
        | S::DeleteInProgress
        | S::UpdateInProgress
        | S::UpdateCompleteCleanupInProgress
        | S::UpdateRollbackInProgress
        | S::UpdateRollbackCompleteCleanupInProgress
        | S::ImportInProgress
        | S::ImportRollbackInProgress => Watches::Follow,
        S::DeleteComplete => Watches::Gone,
        S::CreateFailed
        | S::CreateComplete
        | S::RollbackFailed
        | S::RollbackComplete
        | S::DeleteFailed
        | S::UpdateComplete
        | S::UpdateFailed
        | S::UpdateRollbackFailed
        | S::UpdateRollbackComplete
        | S::ReviewInProgress
        | S::ImportComplete
        | S::ImportRollbackFailed
        | S::ImportRollbackComplete => Watches::Rests,
        S::Unknown(_) => {
            if status.is_moving() {
                Watches::Follow
            } else {
                Watches::Rests
            }
        }
    }
}

/// Why a stack in this status needs a hand, and the one command that helps.
pub fn hand(status: &StackStatus, name: &str) -> Blocked {
    let aws = |verb: &str| format!("`aws cloudformation {verb} --stack-name {name}`");
    let next = match status {
        StackStatus::CreateFailed | StackStatus::UpdateFailed => {
            format!("{} goes back to the last good state", aws("rollback-stack"))
        }
        StackStatus::RollbackFailed | StackStatus::RollbackComplete | StackStatus::DeleteFailed => {
            format!("{} removes this stack alone", aws("delete-stack"))
        }
        StackStatus::UpdateRollbackFailed => {
            format!("{} goes on with it", aws("continue-update-rollback"))
        }
        StackStatus::ReviewInProgress => format!(
            "whoever made that change set executes it, or gives it up with {}",
            aws("delete-stack")
        ),
        StackStatus::ImportRollbackFailed => {
            format!("{} tells the cause", aws("describe-stack-events"))
        }
        _ => format!("{} shows the stack", aws("describe-stacks")),
    };
    Blocked {
        reason: format!("{name} is in {status}: {}", trouble(status)),
        next,
        guard: false,
    }
}

/// What a status that needs a hand stands for.
fn trouble(status: &StackStatus) -> &'static str {
    match status {
        StackStatus::CreateFailed => {
            "its creation failed and was not rolled back; it may hold resources"
        }
        StackStatus::RollbackComplete => "its creation failed and was undone",
        StackStatus::RollbackFailed => {
            "its creation failed, and so did removing what had been created"
        }
        StackStatus::DeleteFailed => "its deletion began and could not finish",
        StackStatus::UpdateFailed => "its last update failed and was not rolled back",
        StackStatus::UpdateRollbackFailed => {
            "its last update failed, and so did going back; deleting it is not the way out"
        }
        StackStatus::ReviewInProgress => {
            "it is the shell of a change set that somebody has under review; this tool did not \
             make it"
        }
        StackStatus::ImportRollbackFailed => "an import into it failed, and so did undoing that",
        _ => "this version does not know that status; perhaps a newer kube-cfn does",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fmt::Write as _;

    /// Every `code` in a text.
    fn commands(text: &str) -> usize {
        text.matches('`').count() / 2
    }

    fn blocked(why: &Blocked) -> String {
        assert_eq!(commands(&why.next), 1, "one command: {}", why.next);
        format!("blocked\n    {}\n    next: {}", why.reason, why.next)
    }

    fn table() -> String {
        let moving = StackStatus::Unknown("REFACTOR_IN_PROGRESS".to_owned());
        let resting = StackStatus::Unknown("REFACTOR_COMPLETE".to_owned());
        let mut text = String::new();
        for status in StackStatus::ALL.iter().chain([&moving, &resting]) {
            let apply = match on_apply(status, "canary-edge") {
                Means::Blocked(why) => blocked(&why),
                Means::LookInside => {
                    let why = hand(status, "canary-edge");
                    format!("recreate if it may go, else {}", blocked(&why))
                }
                Means::Resume => {
                    let why = hand(status, "canary-edge");
                    format!("an update from there, else {}", blocked(&why))
                }
                other => format!("{other:?}"),
            };
            let delete = match on_delete(status, "canary-edge") {
                Deletes::Blocked(why) => blocked(&why),
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
    fn every_status_has_its_line_in_the_table() {
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
    fn whatever_moves_is_followed_and_nothing_at_rest_is() {
        for status in StackStatus::ALL {
            let follows = on_apply(status, "c-base") == Means::Follow;
            assert_eq!(follows, status.is_moving(), "{status}");
            let watched = on_watch(status) == Watches::Follow;
            assert_eq!(watched, status.is_moving(), "{status}");
        }
    }

    #[test]
    fn whatever_needs_a_hand_names_one_command() {
        for status in StackStatus::ALL {
            assert_eq!(commands(&hand(status, "canary-edge").next), 1, "{status}");
        }
    }
}
