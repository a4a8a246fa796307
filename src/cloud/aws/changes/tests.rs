//! Where a change set stands, and what it is called.

use super::*;

fn described(status: ChangeSetStatus, execution: ExecutionStatus) -> Standing {
    standing(
        &DescribeChangeSetOutput::builder()
            .status(status)
            .execution_status(execution)
            .build(),
    )
}

#[test]
fn a_change_set_is_ready_only_when_it_may_be_executed() {
    use ChangeSetStatus::{CreateComplete, CreateInProgress, DeleteComplete, Failed};
    use ExecutionStatus::{Available, ExecuteComplete, Obsolete, Unavailable};
    assert!(matches!(
        described(CreateComplete, Available),
        Standing::Ready
    ));
    assert!(matches!(
        described(CreateComplete, Unavailable),
        Standing::Pending
    ));
    assert!(matches!(
        described(CreateInProgress, Unavailable),
        Standing::Pending
    ));
    assert!(matches!(
        described(Failed, Unavailable),
        Standing::Failed(_)
    ));
    assert!(matches!(
        described(CreateComplete, Obsolete),
        Standing::Spent(_)
    ));
    assert!(matches!(
        described(CreateComplete, ExecuteComplete),
        Standing::Spent(_)
    ));
    assert!(matches!(
        described(DeleteComplete, Unavailable),
        Standing::Spent(_)
    ));
}

#[test]
fn both_sentences_for_no_change_are_known() {
    assert!(says_nothing_to_do(
        "The submitted information didn't contain changes. Submit different information to \
         create a change set."
    ));
    assert!(says_nothing_to_do("No updates are to be performed."));
    assert!(!says_nothing_to_do(
        "Unresolved resource dependencies [Vpc]"
    ));
}

#[test]
fn a_name_is_made_from_the_token_and_never_too_long() {
    assert_eq!(name("7f-network"), "kube-cfn-7f-network");
    assert_eq!(name(&"x".repeat(128)).len(), 73);
}
