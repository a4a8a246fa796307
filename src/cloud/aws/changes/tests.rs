//! The state of a change set and the meaning of its messages.

use super::*;

fn described(status: ChangeSetStatus, execution: ExecutionStatus) -> ChangeSetState {
    state_of(
        &DescribeChangeSetOutput::builder()
            .status(status)
            .execution_status(execution)
            .build(),
    )
}

#[test]
fn change_set_is_ready_when_executable() {
    use ChangeSetStatus::{CreateComplete, CreateInProgress, DeleteComplete, Failed};
    use ExecutionStatus::{Available, ExecuteComplete, Obsolete, Unavailable};
    assert!(matches!(
        described(CreateComplete, Available),
        ChangeSetState::Ready
    ));
    assert!(matches!(
        described(CreateComplete, Unavailable),
        ChangeSetState::Pending
    ));
    assert!(matches!(
        described(CreateInProgress, Unavailable),
        ChangeSetState::Pending
    ));
    assert!(matches!(
        described(Failed, Unavailable),
        ChangeSetState::Failed(_)
    ));
    assert!(matches!(
        described(CreateComplete, Obsolete),
        ChangeSetState::NotExecutable(_)
    ));
    assert!(matches!(
        described(CreateComplete, ExecuteComplete),
        ChangeSetState::NotExecutable(_)
    ));
    assert!(matches!(
        described(DeleteComplete, Unavailable),
        ChangeSetState::NotExecutable(_)
    ));
}

#[test]
fn both_messages_for_no_change_are_recognised() {
    assert!(is_no_change(
        "The submitted information didn't contain changes. Submit different information to \
         create a change set."
    ));
    assert!(is_no_change("No updates are to be performed."));
    assert!(!is_no_change("Unresolved resource dependencies [Vpc]"));
}

#[test]
fn early_validation_messages_are_recognised() {
    for reason in [
        "The following hook(s)/validation failed: [AWS::EarlyValidation::PropertyValidation]. To \
         troubleshoot Early Validation errors, use the DescribeEvents API for detailed failure \
         information.",
        "Validation failed with 1 error(s). Call DescribeEvents to retrieve the full list",
    ] {
        assert!(is_early_validation(reason), "{reason}");
    }
    assert!(!is_early_validation(
        "The following hook(s) failed: [MyOrg::Buckets::Private]"
    ));
}
