//! The 23 statuses of a stack and what they mean for `apply` and `delete`: one exhaustive table.
//! Every next step named here exists, as a command of this tool, of the AWS CLI or in the console.

use super::Blocked;
use crate::cloud::StackStatus;

/// What `apply` does with a stack of a certain status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Means {
    /// At rest and well: compare, and ask AWS only about differences.
    Compare,
    /// At rest, but its template on record may not be the one in force: always ask AWS.
    Ask,
    /// There is no such stack any more.
    Create,
    /// A creation that failed and was undone: can only be deleted, if nothing was kept back.
    LookInside,
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
    Blocked(Blocked),
}

/// What `apply` does with stack `name` in `status`.
pub fn on_apply(status: &StackStatus, cluster: &str, name: &str) -> Means {
    use StackStatus as S;
    match status {
        S::CreateComplete | S::UpdateComplete => Means::Compare,
        S::UpdateRollbackComplete | S::ImportComplete | S::ImportRollbackComplete => Means::Ask,
        S::DeleteComplete => Means::Create,
        S::RollbackComplete => Means::LookInside,
        S::CreateInProgress
        | S::RollbackInProgress
        | S::DeleteInProgress
        | S::UpdateInProgress
        | S::UpdateCompleteCleanupInProgress
        | S::UpdateRollbackInProgress
        | S::UpdateRollbackCompleteCleanupInProgress
        | S::ImportInProgress
        | S::ImportRollbackInProgress => Means::Follow,
        S::CreateFailed
        | S::RollbackFailed
        | S::DeleteFailed
        | S::UpdateFailed
        | S::UpdateRollbackFailed
        | S::ReviewInProgress
        | S::ImportRollbackFailed
        | S::Unknown(_) => Means::Blocked(hand(status, name, &format!("kube-cfn apply {cluster}"))),
    }
}

/// Whether a stack in this status stays and can be worked on: its protection can be set.
pub fn rests(status: &StackStatus) -> bool {
    matches!(on_apply(status, "", ""), Means::Compare | Means::Ask)
}

/// What `delete` does with stack `name` in `status`.
pub fn on_delete(status: &StackStatus, cluster: &str, name: &str) -> Deletes {
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
        S::ReviewInProgress | S::Unknown(_) => {
            Deletes::Blocked(hand(status, name, &format!("kube-cfn delete {cluster}")))
        }
    }
}

/// Why a stack in this status needs a hand, and the next steps; the last is the command `again`.
fn hand(status: &StackStatus, name: &str, again: &str) -> Blocked {
    let aws = |verb: &str| format!("`aws cloudformation {verb} --stack-name {name}`");
    let events = aws("describe-stack-events");
    let delete = aws("delete-stack");
    let rollback = aws("rollback-stack");
    let next = match status {
        StackStatus::CreateFailed => {
            format!("see the cause with {events}, roll it back with {rollback}")
        }
        StackStatus::RollbackFailed => format!(
            "see what is left with {}, remove that, delete the stack with {delete}",
            aws("describe-stack-resources")
        ),
        StackStatus::DeleteFailed => {
            format!("see what stands in the way with {events}, remove that, finish with {delete}")
        }
        StackStatus::UpdateFailed => format!("go back to the last good state with {rollback}"),
        StackStatus::UpdateRollbackFailed => format!(
            "see the cause with {events}, mend it, finish going back with {}",
            aws("continue-update-rollback")
        ),
        StackStatus::ReviewInProgress => {
            format!("have that change set executed or given up (shell: {delete})")
        }
        StackStatus::ImportRollbackFailed => {
            format!("see the cause with {events}, mend it in the CloudFormation console")
        }
        _ => format!(
            "see the stack with {}, perhaps use a newer kube-cfn",
            aws("describe-stacks")
        ),
    };
    Blocked {
        reason: format!("{name} is in {status}: {}", trouble(status)),
        next: format!("{next}, then `{again}` again"),
        guard: false,
    }
}

/// What a status that needs a hand stands for.
fn trouble(status: &StackStatus) -> &'static str {
    match status {
        StackStatus::CreateFailed => {
            "its creation failed and was not rolled back; it may hold resources"
        }
        StackStatus::RollbackFailed => {
            "its creation failed, and so did removing what had been created"
        }
        StackStatus::DeleteFailed => "its deletion began and could not finish",
        StackStatus::UpdateFailed => "its last update failed and was not rolled back",
        StackStatus::UpdateRollbackFailed => {
            "its last update failed, and so did going back; deleting it is not the way out"
        }
        StackStatus::ReviewInProgress => {
            "it is the empty shell of a change set that somebody has under review; this tool makes \
             none like it"
        }
        StackStatus::ImportRollbackFailed => "an import into it failed, and so did undoing that",
        _ => "this version does not know that status",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fmt::Write as _;

    fn table() -> String {
        let unknown = StackStatus::Unknown("REFACTOR_IN_PROGRESS".to_owned());
        let mut text = String::new();
        for status in StackStatus::ALL.iter().chain([&unknown]) {
            let apply = match on_apply(status, "canary", "canary-edge") {
                Means::Blocked(why) => {
                    format!("blocked\n    {}\n    next: {}", why.reason, why.next)
                }
                other => format!("{other:?}"),
            };
            let delete = match on_delete(status, "canary", "canary-edge") {
                Deletes::Blocked(why) => {
                    assert!(why.next.ends_with("`kube-cfn delete canary` again"));
                    "blocked".to_owned()
                }
                other => format!("{other:?}"),
            };
            writeln!(text, "{status}\n  delete: {delete}\n  apply: {apply}").expect("a string");
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
            let follows = on_apply(status, "c", "c-base") == Means::Follow;
            assert_eq!(follows, status.is_moving(), "{status}");
        }
    }
}
