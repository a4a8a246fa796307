//! Which failure counts, from events as CloudFormation tells them.

use super::*;
use jiff::Timestamp;

const WORDS: ResourceLabels<'static> = ResourceLabels {
    describe: &|id| format!("the {id}"),
    explain: &|id, path| {
        Some(Place {
            template: format!("edge.yaml:{}", id.len()),
            field: path.map(str::to_owned),
        })
    },
};

fn event(second: i64, id: &str, status: &str, reason: &str) -> StackEvent {
    StackEvent {
        id: format!("{second}-{id}-{status}-{reason}"),
        at: Timestamp::from_second(second).expect("a second"),
        logical_id: id.to_owned(),
        physical_id: None,
        resource_type: "AWS::X".to_owned(),
        status: ResourceStatus::new(status),
        reason: (!reason.is_empty()).then(|| reason.to_owned()),
        token: None,
        stack_status: id.is_empty().then(|| StackStatus::from(status)),
    }
}

fn first(verb: Verb, events: &[StackEvent]) -> Option<&str> {
    cause(verb, events).map(|event| event.logical_id.as_str())
}

#[test]
fn first_real_failure_is_the_cause_however_late_it_is_read() {
    let events = [
        event(30, "B", "CREATE_FAILED", "Resource creation cancelled"),
        event(32, "C", "DELETE_FAILED", "is in use"),
        event(31, "A", "CREATE_FAILED", "quota reached"),
        event(30, "D", "UPDATE_FAILED", "Resource update cancelled"),
    ];
    assert_eq!(first(Verb::Create, &events), Some("A"));
}

#[test]
fn first_listed_of_two_simultaneous_failures_is_the_cause() {
    let events = [
        event(30, "B", "CREATE_FAILED", "quota reached"),
        event(30, "A", "CREATE_FAILED", "access denied"),
    ];
    assert_eq!(first(Verb::Create, &events), Some("B"));
}

#[test]
fn rollback_failure_is_not_the_cause_of_an_update_failure() {
    let events = [
        event(1, "", "UPDATE_IN_PROGRESS", ""),
        // A clock of AWS that runs behind: found later, dated earlier than the turn, and a deletion.
        event(9, "New", "DELETE_FAILED", "is in use"),
        event(
            10,
            "Database",
            "UPDATE_FAILED",
            "storage is being optimized",
        ),
        event(
            11,
            "",
            "UPDATE_ROLLBACK_IN_PROGRESS",
            "The following resource(s) failed to update: [Database].",
        ),
        event(20, "Database", "UPDATE_FAILED", "not available"),
        event(
            21,
            "",
            "UPDATE_ROLLBACK_FAILED",
            "The following resource(s) failed to update: [Database].",
        ),
    ];
    let status = StackStatus::UpdateRollbackFailed;
    let found = failure(Verb::Update, Some(&status), &events, &WORDS).expect("a failure");
    assert_eq!(found.reason, "storage is being optimized");
    assert_eq!(found.status, Some(status));
}

#[test]
fn undeletable_resource_is_the_cause_of_a_failed_deletion() {
    let events = [event(
        9,
        "Subnet",
        "DELETE_FAILED",
        "has dependencies and cannot be deleted",
    )];
    let found = failure(Verb::Delete, None, &events, &WORDS).expect("a failure");
    assert_eq!(found.resource.as_deref(), Some("the Subnet"));
    let again = |hint: String| hint.starts_with("`kube-cfn delete NAME` again");
    assert!(found.hint.is_some_and(again));
}

#[test]
fn resource_in_use_advises_a_deletion_of_the_cluster_only_where_it_is_deleted() {
    for verb in [Verb::Create, Verb::Update] {
        let reason = "resource sg-0a1 has a dependent object";
        let events = [event(9, "Group", "DELETE_FAILED", reason)];
        let found = failure(verb, None, &events, &WORDS).expect("a failure");
        let hint = found.hint.expect("a hint");
        assert!(!hint.contains("kube-cfn delete"), "{hint}");
        assert!(hint.contains("`kube-cfn status NAME`"), "{hint}");
    }
}

#[test]
fn summary_event_is_no_cause_while_there_is_another() {
    let sum = "The following resource(s) failed to create: [B, C]. Rollback requested by user.";
    let events = [
        event(3, "Nested", "CREATE_FAILED", sum),
        event(4, "B", "CREATE_FAILED", "quota reached"),
    ];
    assert_eq!(first(Verb::Create, &events), Some("B"));
    let alone = [
        event(3, "", "ROLLBACK_IN_PROGRESS", sum),
        event(
            5,
            "",
            "ROLLBACK_FAILED",
            "Limit for stack has been exceeded",
        ),
    ];
    let found = failure(Verb::Create, None, &alone, &WORDS).expect("a failure");
    assert_eq!(found.reason, "Limit for stack has been exceeded");
    assert!(found.hint.is_some());
}

#[test]
fn no_failure_without_failed_events() {
    let events = [
        event(1, "", "CREATE_IN_PROGRESS", "User Initiated"),
        event(2, "A", "CREATE_IN_PROGRESS", "Resource creation Initiated"),
    ];
    assert_eq!(failure(Verb::Create, None, &events, &WORDS), None);
}

#[test]
fn failure_names_its_place_and_cancelled_resources() {
    let events = [
        event(
            5,
            "Nat",
            "CREATE_FAILED",
            "The maximum number of addresses has been reached.",
        ),
        event(6, "Lb", "CREATE_FAILED", "Resource creation cancelled"),
        event(6, "Lb", "CREATE_FAILED", "Resource creation cancelled"),
        event(6, "Route", "CREATE_FAILED", "Resource creation cancelled"),
    ];
    let found = failure(Verb::Create, None, &events, &WORDS).expect("a failure");
    assert_eq!(found.cancelled, ["the Lb", "the Route"]);
    assert_eq!(found.place.expect("a place").template, "edge.yaml:3");
    assert!(found.hint.is_some_and(|hint| hint.contains("L-0263D0A3")));
}

#[test]
fn hook_failure_includes_its_findings() {
    let events = [
        event(
            5,
            "Bucket",
            "CREATE_IN_PROGRESS",
            "Hook failed with message: buckets are encrypted here",
        ),
        event(
            6,
            "Bucket",
            "CREATE_FAILED",
            "The following hook(s) failed: [Our::Guard::Hook]",
        ),
    ];
    let found = failure(Verb::Create, None, &events, &WORDS).expect("a failure");
    assert_eq!(
        found.reason,
        "The following hook(s) failed: [Our::Guard::Hook]: Hook failed with message: buckets are encrypted here"
    );
}

#[test]
fn early_validation_failure_shows_its_findings() {
    let finding = |id: Option<&str>, path: Option<&str>, reason: &str| Finding {
        logical_id: id.map(str::to_owned),
        path: path.map(str::to_owned),
        reason: reason.to_owned(),
    };
    let found = [
        finding(
            Some("Db"),
            Some("Properties.DBInstanceClas"),
            "Unsupported property",
        ),
        finding(Some("Db"), Some("Properties.Engine"), "Unknown value"),
        finding(Some("Vpc"), None, "Name taken"),
    ];
    let found = refused("Validation failed", &found, &WORDS);
    assert_eq!(
        found.reason,
        "DBInstanceClas: Unsupported property; Engine: Unknown value; Vpc: Name taken"
    );
    assert_eq!(found.resource.as_deref(), Some("the Db"));
    let place = found.place.expect("a place");
    assert_eq!(place.field.as_deref(), Some("Properties.DBInstanceClas"));
    assert_eq!(
        refused("Validation failed", &[], &WORDS).reason,
        "Validation failed"
    );
}

/// Of every way in which AWS says that machines did not boot: no field of the definition is the cause.
#[test]
fn signal_failure_has_no_place_and_a_hint() {
    for reason in [
        "Received 0 SUCCESS signal(s) out of 1.  Unable to satisfy 100% requirement",
        "Received 1 FAILURE signal(s) out of 1.  Unable to satisfy 100% MinSuccessfulInstancesPercent requirement",
        "Received FAILURE signal with UniqueId i-0a1b",
    ] {
        let events = [event(5, "Slot", "CREATE_FAILED", reason)];
        let found = failure(Verb::Create, None, &events, &WORDS).expect("a failure");
        assert!(is_signal_failure(&found), "{reason}");
        assert_eq!(found.place, None, "{reason}");
        assert!(found.hint.is_some(), "{reason}");
    }
    let quota = [event(5, "Slot", "CREATE_FAILED", "quota reached")];
    let found = failure(Verb::Create, None, &quota, &WORDS).expect("a failure");
    assert!(found.place.is_some());
}

#[test]
fn signal_event_names_the_instance() {
    for (reason, instance) in [
        (
            "Received FAILURE signal with UniqueId i-0a1b",
            Some("i-0a1b"),
        ),
        (
            "Received FAILURE signal with UniqueId i-0a1b. More",
            Some("i-0a1b"),
        ),
        ("Received SUCCESS signal with UniqueId i-0a1b", None),
        ("Received FAILURE signal with UniqueId 7", None),
        ("Received 1 FAILURE signal(s) out of 1", None),
    ] {
        assert_eq!(signalling_instance(reason), instance, "{reason}");
    }
}
