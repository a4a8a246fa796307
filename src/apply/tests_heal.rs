//! Stacks that something went wrong with before: what heals, what is explained, what is left alone.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::json;
use tokio::time::sleep;

use super::double::{Double, Fault, Script};
use super::fixtures::*;
use super::{End, Session, delete};
use crate::cloud::{CloudError, LiveResource, OpenChangeSet, Replacement, ResourceStatus};
use crate::events::Outcome;
use crate::plan::{Action, Guard, Plan, deletion, survey};
use crate::stacks::StackKind;

fn refused(operation: &str, message: &str) -> CloudError {
    CloudError::Refused {
        operation: operation.to_owned(),
        message: message.to_owned(),
    }
}

fn in_status(status: &str) -> Double {
    let double = standing();
    amend(&double, "canary-edge", |edge| edge.status = status.into());
    double
}

fn lb() -> crate::cloud::ResourceChange {
    change(
        "Lb",
        "AWS::ElasticLoadBalancingV2::LoadBalancer",
        Replacement::No,
    )
}

fn holds(double: &Double, id: &str, of_type: &str, status: &str) {
    double.resources.borrow_mut().push(LiveResource {
        logical_id: id.to_owned(),
        physical_id: Some(format!("{id}-1")),
        resource_type: of_type.to_owned(),
        status: ResourceStatus::new(status),
        reason: None,
    });
}

fn blocked(plan: &Plan) -> (String, String) {
    let (_, why) = plan.blocked().next().expect("blocked");
    assert!(!why.guard);
    (why.reason.clone(), why.next.clone())
}

#[tokio::test(start_paused = true)]
async fn a_creation_that_stopped_half_way_goes_on_and_nothing_is_deleted() {
    for status in ["CREATE_FAILED", "UPDATE_FAILED"] {
        let double = in_status(status);
        double.answer("canary-edge", vec![lb()]);
        let plan = planned(&double, stacks()).await;
        assert!(matches!(plan.steps[2].action, Action::Update(_)));
        let (report, _) = go(&double, plan).await;
        assert_eq!(told(&report)[2], "edge Updated", "{status}");
        assert_eq!(double.called("delete"), [""; 0]);
    }
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_resumed_names_the_one_command() {
    let double = in_status("CREATE_FAILED");
    let no = refused("CreateChangeSet", "is in CREATE_FAILED");
    double.fault("propose canary-edge", 1, &Fault::Before(no));
    let rollback = "`aws cloudformation rollback-stack --stack-name canary-edge` goes back to \
                    the last good state";
    let (reason, next) = blocked(&planned(&double, stacks()).await);
    assert!(reason.contains("is in CREATE_FAILED"), "{reason}");
    assert_eq!(next, rollback);
    // Nothing differs, and what failed stays failed.
    let (reason, next) = blocked(&planned(&double, stacks()).await);
    assert!(reason.contains("it would change nothing"), "{reason}");
    assert_eq!(next, rollback);

    double.answer("canary-edge", vec![lb()]);
    let plan = planned(&double, stacks()).await;
    let no = refused("ExecuteChangeSet", "use the disable-rollback parameter");
    double.fault("execute", 1, &Fault::Before(no));
    let (report, _) = go(&double, plan).await;
    assert!(told(&report)[2].contains(rollback), "{:?}", told(&report));
    assert_eq!(double.orphans(), 0);
}

/// The edge is in `UPDATE_ROLLBACK_FAILED`: its load balancer was busy on the way back.
async fn stuck() -> Double {
    let double = standing();
    let busy = Script {
        events: vec![
            (
                1,
                "Nat",
                "AWS::EC2::NatGateway",
                "UPDATE_FAILED",
                "no address left",
            ),
            (
                2,
                "",
                "",
                "UPDATE_ROLLBACK_IN_PROGRESS",
                "failed to update: [Nat]",
            ),
            (3, "Nat", "AWS::EC2::NatGateway", "UPDATE_COMPLETE", ""),
            (
                4,
                "Lb",
                "AWS::X",
                "UPDATE_FAILED",
                "the load balancer is busy",
            ),
        ],
        ..Script::well(5, "UPDATE_ROLLBACK_FAILED")
    };
    double.script("execute canary-edge", busy);
    double.elsewhere("canary-edge", "UPDATE", "execute");
    sleep(Duration::from_secs(6)).await;
    double.scripts.borrow_mut().remove("execute canary-edge");
    double
}

#[tokio::test(start_paused = true)]
async fn a_rollback_that_failed_is_explained_gone_on_with_and_then_updated() {
    let double = stuck().await;
    let plan = planned(&double, altered(&StackKind::Edge)).await;
    let Action::Continue { stuck, skip } = &plan.steps[2].action else {
        panic!("{:?}", plan.steps[2].action)
    };
    let all: Vec<String> = stuck.iter().map(crate::plan::Stuck::told).collect();
    assert_eq!(all, ["the Lb of edge (Lb): the load balancer is busy"]);
    assert!(skip.is_empty() && plan.has_changes());
    double.answer("canary-edge", vec![lb()]);
    let (report, events) = go(&double, plan).await;
    assert_eq!(told(&report)[2], "edge Updated");
    assert_eq!(double.called("continue").len(), 1);
    assert_eq!(double.called("execute").len(), 1);
    let note = |text: &String| text.contains("being rolled back");
    assert!(!notes(&events).iter().any(note), "{:?}", notes(&events));
}

#[tokio::test(start_paused = true)]
async fn going_back_alone_is_a_change() {
    let double = stuck().await;
    let plan = planned(&double, stacks()).await;
    let (report, _) = go(&double, plan).await;
    assert_eq!(told(&report)[2], "edge Updated");
    assert_eq!(double.called("execute"), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_rollback_that_fails_again_says_how_to_skip_and_a_skip_is_passed_on() {
    let double = stuck().await;
    let again = Script {
        events: vec![(3, "Lb", "AWS::X", "UPDATE_FAILED", "still busy")],
        ..Script::well(5, "UPDATE_ROLLBACK_FAILED")
    };
    double.script("continue canary-edge", again);
    let plan = planned(&double, stacks()).await;
    let (report, _) = go(&double, plan).await;
    assert_eq!(told(&report)[2], "edge failed: still busy");
    let Some((_, Outcome::Failed(why))) = report.outcomes.get(2) else {
        panic!("{:?}", told(&report))
    };
    let hint = why.hint.as_deref().unwrap_or_default();
    assert!(hint.contains("`--skip canary-edge/Lb`"), "{hint}");
    assert_eq!(report.end(), End::NeedsHand);

    double.scripts.borrow_mut().remove("continue canary-edge");
    let wrong = planned_under(&double, stacks(), &[], &["canary-edge/Nat"]).await;
    let text = wrong.expect_err("not stuck").to_string();
    assert!(text.contains("these are: canary-edge/Lb"), "{text}");
    let plan = planned_under(&double, stacks(), &[], &["canary-edge/Lb"]).await;
    let (report, _) = go(&double, plan.expect("a plan")).await;
    assert_eq!(report.end(), End::Done, "{:?}", told(&report));
    let calls = double.called("continue");
    assert!(calls[1].ends_with("arn:canary-edge Lb"), "{calls:?}");
}

#[tokio::test(start_paused = true)]
async fn after_going_back_nothing_is_replaced_that_was_not_shown() {
    let double = stuck().await;
    let plan = planned(&double, altered(&StackKind::Edge)).await;
    let mut graver = lb();
    graver.replacement = Replacement::Yes;
    double.answer("canary-edge", vec![graver]);
    let (report, _) = go(&double, plan).await;
    assert!(
        told(&report)[2].contains("replace canary-edge/Lb"),
        "{:?}",
        told(&report)
    );
    assert_eq!(double.called("execute"), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_deletion_that_failed_names_what_is_in_the_way() {
    let double = standing();
    let script = Script {
        events: vec![
            (1, "Nat", "AWS::EC2::NatGateway", "DELETE_COMPLETE", ""),
            (2, "Lb", "AWS::X", "DELETE_FAILED", "has targets"),
        ],
        ..Script::well(3, "DELETE_FAILED")
    };
    double.script("delete canary-edge", script);
    double.elsewhere("canary-edge", "DELETE", "delete");
    sleep(Duration::from_secs(4)).await;
    let (reason, next) = blocked(&planned(&double, stacks()).await);
    assert!(
        reason.ends_with("in the way: the Lb of edge (Lb): has targets"),
        "{reason}"
    );
    assert!(
        next.contains("delete-stack --stack-name canary-edge`"),
        "{next}"
    );
}

#[tokio::test(start_paused = true)]
async fn what_a_failed_creation_left_goes_unless_it_holds_data() {
    let double = in_status("ROLLBACK_FAILED");
    holds(&double, "Nat", "AWS::EC2::NatGateway", "DELETE_FAILED");
    let plan = planned(&double, stacks()).await;
    assert_eq!(plan.steps[2].action, Action::Recreate);
    let (report, _) = go(&double, plan).await;
    assert_eq!(told(&report)[2], "edge Created");

    let double = in_status("ROLLBACK_FAILED");
    holds(&double, "Database", "AWS::RDS::DBInstance", "DELETE_FAILED");
    let (reason, _) = blocked(&planned(&double, stacks()).await);
    assert!(reason.contains("Database (Database-1)"), "{reason}");
}

#[tokio::test(start_paused = true)]
async fn a_leftover_that_will_not_go_says_why() {
    let double = in_status("ROLLBACK_COMPLETE");
    let script = Script {
        events: vec![(2, "Nat", "AWS::EC2::NatGateway", "DELETE_FAILED", "in use")],
        ..Script::well(3, "DELETE_FAILED")
    };
    double.script("delete canary-edge", script);
    let plan = planned(&double, stacks()).await;
    let (report, _) = go(&double, plan).await;
    assert_eq!(told(&report)[2], "edge failed: in use");
    assert_eq!(double.called("create"), [""; 0]);
}

fn lies(double: &Double, name: &str) {
    let set = OpenChangeSet {
        id: format!("arn:{name}"),
        name: name.to_owned(),
        created: Timestamp::UNIX_EPOCH,
    };
    let mut others = double.others.borrow_mut();
    others
        .entry("arn:canary-edge".to_owned())
        .or_default()
        .push(set);
}

async fn deleted(double: &Double) -> super::Report {
    let found = survey(double, CLUSTER).await.expect("a survey");
    let plan = deletion(&found, Guard::Open);
    let (events, _heard) = tokio::sync::mpsc::unbounded_channel();
    let session = Session::new("r1", &events);
    delete(&plan, double, &session, std::future::pending()).await
}

#[tokio::test(start_paused = true)]
async fn a_shell_of_our_own_goes_and_a_foreign_one_is_never_touched() {
    let double = in_status("REVIEW_IN_PROGRESS");
    lies(&double, "kube-cfn-kcfn-7f3a");
    let plan = planned(&double, stacks()).await;
    assert_eq!(plan.steps[2].action, Action::Recreate);
    let (report, _) = go(&double, plan).await;
    assert_eq!(told(&report)[2], "edge Created");

    let double = in_status("REVIEW_IN_PROGRESS");
    lies(&double, "kube-cfn-kcfn-7f3a");
    lies(&double, "by-hand");
    let (reason, next) = blocked(&planned(&double, stacks()).await);
    assert!(reason.contains("this tool did not make it"), "{reason}");
    assert!(next.contains("delete-stack"), "{next}");
    let report = deleted(&double).await;
    assert_eq!(report.end(), End::NeedsHand);
    assert_eq!(double.called("delete"), [""; 0]);

    let double = in_status("REVIEW_IN_PROGRESS");
    lies(&double, "kube-cfn-kcfn-7f3a");
    let report = deleted(&double).await;
    assert_eq!(report.end(), End::Done, "{:?}", told(&report));
}

/// The database's policy, and stacks that want it.
fn guarded() -> (serde_json::Value, Vec<crate::stacks::Stack>) {
    let policy = json!({"Statement": [
        {"Effect": "Allow", "Resource": "*"},
        {"Effect": "Deny", "Resource": ["LogicalResourceId/Database"]},
    ]});
    let mut all = stacks();
    all[3].policy = Some(policy.clone());
    (policy, all)
}

#[tokio::test(start_paused = true)]
async fn a_policy_that_a_killed_run_left_relaxed_is_set_back_by_the_next() {
    let double = standing();
    let (policy, wanted) = guarded();
    double.policies.borrow_mut().push(json!({"Statement": []}));
    let plan = planned(&double, wanted.clone()).await;
    assert_eq!(plan.steps[3].action, Action::Keep);
    assert!(plan.steps[3].reprotects() && plan.has_changes());
    let (report, _) = go(&double, plan).await;
    assert_eq!(told(&report)[3], "database Updated");
    assert_eq!(double.policies.borrow().last(), Some(&policy));
    assert!(!planned(&double, wanted).await.has_changes());
}

#[tokio::test(start_paused = true)]
async fn a_policy_that_stepped_aside_for_nothing_comes_back_at_parting() {
    let double = standing();
    let (policy, mut wanted) = guarded();
    wanted[3].template["Description"] = "altered".into();
    let gone = change("Database", "AWS::RDS::DBInstance", Replacement::Yes);
    double.answer("canary-database", vec![gone]);
    let named = ["canary-database/Database"];
    let plan = planned_with(&double, wanted, &named).await.expect("a plan");
    // The stop falls between the policy and the execution: setting it has no answer yet.
    let lost = CloudError::Unreachable {
        operation: "SetStackPolicy".to_owned(),
        message: "reset".to_owned(),
    };
    double.fault("protect", 1, &Fault::After(lost));
    let (report, _) = go_until(&double, plan, sleep(Duration::from_millis(500))).await;
    assert_eq!(report.end(), End::Detached);
    assert_eq!(double.called("execute"), [""; 0]);
    assert_eq!(double.policies.borrow().last(), Some(&policy));
    assert_eq!(double.orphans(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_leftover_is_looked_at_once_more_before_it_goes() {
    let double = in_status("REVIEW_IN_PROGRESS");
    lies(&double, "kube-cfn-kcfn-7f3a");
    let plan = planned(&double, stacks()).await;
    lies(&double, "by-hand");
    let (report, _) = go(&double, plan).await;
    assert!(
        told(&report)[2].contains("this tool did not make it"),
        "{:?}",
        told(&report)
    );
    assert_eq!(double.called("delete"), [""; 0]);

    // Another run was quicker: its creation is followed, not deleted.
    let double = in_status("ROLLBACK_COMPLETE");
    let plan = planned(&double, stacks()).await;
    double.elsewhere("canary-edge", "CREATE", "create");
    let (report, _) = go(&double, plan).await;
    assert_eq!(told(&report)[2], "edge Unchanged");
    assert_eq!(double.called("delete"), [""; 0]);
    assert_eq!(double.called("create"), [""; 0]);
}
