//! A deletion as its user sees it: the order, what refuses, what remains.

use tokio::sync::mpsc::unbounded_channel;

use super::double::{Double, Script};
use super::fixtures::*;
use super::{End, Remains, Report, Session, delete};
use crate::cloud::{LiveResource, ResourceStatus};
use crate::events::{Event, Outcome};
use crate::plan::{DeletePlan, Guard, deletion, survey};
use crate::stacks::StackKind;

async fn plan(double: &Double, guard: Guard) -> DeletePlan {
    deletion(&survey(double, CLUSTER).await.expect("a survey"), guard)
}

async fn gone(double: &Double, guard: Guard) -> (Report, Vec<Event>) {
    let plan = plan(double, guard).await;
    let (events, mut heard) = unbounded_channel();
    let session = Session::new("r1", &events);
    let report = delete(&plan, double, &session, std::future::pending()).await;
    let mut all = Vec::new();
    while let Ok(event) = heard.try_recv() {
        all.push(event);
    }
    (report, all)
}

fn bucket(double: &Double) {
    double.resources.borrow_mut().push(LiveResource {
        logical_id: "StateBucket".to_owned(),
        physical_id: Some("bucket-1".to_owned()),
        resource_type: "AWS::S3::Bucket".to_owned(),
        status: ResourceStatus::new("CREATE_COMPLETE"),
        reason: None,
    });
}

#[tokio::test(start_paused = true)]
async fn stacks_go_in_reverse_and_all_at_once_where_nothing_uses_them() {
    let double = standing();
    bucket(&double);
    for (kind, seconds) in [
        ("database", 300),
        ("edge", 90),
        ("network", 30),
        ("base", 40),
        ("control-plane", 100),
        ("pool-workers", 60),
    ] {
        double.script(
            &format!("delete canary-{kind}"),
            Script::well(seconds, "DELETE_COMPLETE"),
        );
    }
    let (report, events) = gone(&double, Guard::Open).await;
    assert_eq!(report.end(), End::Done, "{:?}", told(&report));
    assert_eq!(report.outcomes.len(), 6);
    let calls = double.called("delete");
    let order: Vec<&str> = calls
        .iter()
        .filter_map(|call| call.rsplit_once("canary-").map(|(_, kind)| kind))
        .collect();
    assert_eq!(order[..3], ["pool-workers", "control-plane", "database"]);
    assert_eq!(order[3], "edge");
    assert!(
        calls[..3].iter().all(|call| call.starts_with("0 ")),
        "{calls:?}"
    );
    // Base and network wait for the database, the longest; the bucket is emptied before the base goes.
    let mut last = order[4..].to_vec();
    last.sort_unstable();
    assert_eq!(last, ["base", "network"]);
    assert_eq!(double.called("empty").len(), 1);
    assert_eq!(double.called("forget").len(), 1);
    assert!(double.called("forget")[0].ends_with("/kube-cfn/canary/"));
    assert!(
        notes(&events)
            .iter()
            .any(|text| text == "bucket bucket-1 emptied of 3 objects")
    );
}

#[tokio::test(start_paused = true)]
async fn what_an_earlier_deletion_left_outside_its_stacks_goes_unless_protected() {
    let double = Double::new();
    let (report, _) = gone(&double, Guard::Protected).await;
    assert_eq!(report.end(), End::Done);
    assert!(double.called("forget").is_empty());
    let (report, _) = gone(&double, Guard::Open).await;
    assert_eq!(report.end(), End::Done);
    assert_eq!(double.called("forget").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn protection_refuses_and_nothing_is_touched() {
    let double = standing();
    let refused = plan(&double, Guard::Protected)
        .await
        .refused
        .expect("refused");
    assert!(refused.guard && refused.reason.contains("`protect: true`"));
    amend(&double, "canary-database", |it| {
        it.termination_protection = true;
    });
    let refused = plan(&double, Guard::Open).await.refused.expect("refused");
    assert_eq!(
        refused.reason,
        "termination protection is on for canary-database"
    );
    assert!(refused.next.contains("`protect: false`"));
    let (report, _) = gone(&double, Guard::Open).await;
    assert_eq!(report.end(), End::NeedsHand);
    assert_eq!(double.called("delete"), [""; 0]);
    assert_eq!(double.called("forget"), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn what_blocks_a_deletion_is_named_and_a_second_run_goes_on() {
    let double = standing();
    let stuck = Script {
        events: vec![(
            20,
            "Vpc",
            "AWS::EC2::VPC",
            "DELETE_FAILED",
            "has dependencies and cannot be deleted",
        )],
        ..Script::well(25, "DELETE_FAILED")
    };
    double.script("delete canary-network", stuck);
    let (report, _) = gone(&double, Guard::Open).await;
    let Some((_, Outcome::Failed(why))) = report
        .outcomes
        .iter()
        .find(|(kind, _)| *kind == StackKind::Network)
    else {
        panic!("the network was stuck: {:?}", told(&report))
    };
    assert_eq!(why.resource.as_deref(), Some("the Vpc of network"));
    assert_eq!(why.reason, "has dependencies and cannot be deleted");
    assert_eq!(report.end(), End::NeedsHand);
    assert_eq!(double.called("forget"), [""; 0]);

    double.scripts.borrow_mut().clear();
    let (report, _) = gone(&double, Guard::Open).await;
    assert_eq!(told(&report), ["network Deleted"]);
    assert_eq!(double.called("forget").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_remains_is_listed() {
    let double = standing();
    let done = |id, of_type, status| Script {
        events: vec![(5, id, of_type, status, "")],
        ..Script::well(9, "DELETE_COMPLETE")
    };
    double.script(
        "delete canary-database",
        done("Database", "AWS::RDS::DBInstance", "DELETE_COMPLETE"),
    );
    double.script(
        "delete canary-base",
        done("Key", "AWS::KMS::Key", "DELETE_COMPLETE"),
    );
    double.script(
        "delete canary-network",
        done("Vpc", "AWS::EC2::VPC", "DELETE_SKIPPED"),
    );
    let (report, _) = gone(&double, Guard::Open).await;
    assert_eq!(report.remains.len(), 3, "{:?}", report.remains);
    let begins = report.remains.iter().find_map(|left| match left {
        Remains::Snapshot { begins_with, .. } => begins_with.clone(),
        _ => None,
    });
    assert_eq!(
        begins.as_deref(),
        Some("canary-database-snapshot-database-")
    );
    let days = report.remains.iter().find_map(|left| match left {
        Remains::Key { days, .. } => Some(*days),
        _ => None,
    });
    assert_eq!(days, Some(30));
    let kept = |left: &Remains| matches!(left, Remains::Kept { sentence, .. } if sentence == "the Vpc of network");
    assert!(report.remains.iter().any(kept));
}

#[tokio::test(start_paused = true)]
async fn a_deletion_under_way_is_followed_and_a_moving_stack_is_waited_for() {
    let double = standing();
    double.elsewhere("canary-database", "DELETE", "delete");
    double.script("execute canary-edge", Script::well(50, "UPDATE_COMPLETE"));
    double.elsewhere("canary-edge", "UPDATE", "execute");
    let (report, _) = gone(&double, Guard::Open).await;
    assert_eq!(report.end(), End::Done, "{:?}", told(&report));
    let calls = double.called("delete");
    assert!(
        !calls.iter().any(|call| call.ends_with("database")),
        "{calls:?}"
    );
    assert!(calls.iter().any(|call| call.ends_with("edge")));
}

#[tokio::test(start_paused = true)]
async fn nothing_left_to_delete_is_no_error() {
    let double = Double::new();
    let (report, _) = gone(&double, Guard::Open).await;
    assert_eq!(report.end(), End::Done);
    assert_eq!(double.called("forget").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_stack_of_an_unknown_kind_stops_the_deletion() {
    let double = standing();
    amend(&double, "canary-edge", |it| it.kind = "mesh".to_owned());
    let refused = plan(&double, Guard::Open).await.refused.expect("refused");
    assert!(refused.reason.contains("\"mesh\""), "{}", refused.reason);
}

#[tokio::test(start_paused = true)]
async fn the_empty_leftover_of_a_failed_creation_goes_although_it_was_protected() {
    let double = standing();
    amend(&double, "canary-database", |it| {
        it.termination_protection = true;
        it.status = "ROLLBACK_COMPLETE".into();
    });
    let (report, _) = gone(&double, Guard::Open).await;
    assert_eq!(report.end(), End::Done, "{:?}", told(&report));
    assert_eq!(double.called("protect"), ["0 arn:canary-database"]);
}
