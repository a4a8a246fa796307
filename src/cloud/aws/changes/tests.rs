//! Where a change set stands, and what its sentences mean.

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
fn the_sentences_of_early_validation_are_known() {
    for reason in [
        "The following hook(s)/validation failed: [AWS::EarlyValidation::PropertyValidation]. To \
         troubleshoot Early Validation errors, use the DescribeEvents API for detailed failure \
         information.",
        "Validation failed with 1 error(s). Call DescribeEvents to retrieve the full list",
    ] {
        assert!(speaks_of_validation(reason), "{reason}");
    }
    assert!(!speaks_of_validation(
        "The following hook(s) failed: [MyOrg::Buckets::Private]"
    ));
}
