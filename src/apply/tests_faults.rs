//! A run against a cloud that answers late, twice, wrongly or not at all.

use std::time::Duration;

use tokio::time::sleep;

use super::double::{Fault, Script, found};
use super::fixtures::*;
use super::{End, Report};
use crate::cloud::{CloudError, Replacement};
use crate::events::{Event, Outcome};
use crate::plan::{Action, Plan};
use crate::stacks::{Stack, StackKind};

fn throttled() -> CloudError {
    CloudError::Throttled("Rate exceeded".to_owned())
}

fn unreachable(operation: &str) -> CloudError {
    CloudError::Unreachable {
        operation: operation.to_owned(),
        message: "connection reset".to_owned(),
    }
}

fn expired() -> CloudError {
    CloudError::Credentials {
        reason: "the token has expired".to_owned(),
        help: "log in again".to_owned(),
    }
}

/// The network alone: one stack is enough for most faults.
fn network() -> Vec<Stack> {
    let mut all = stacks();
    all.retain(|stack| stack.kind == StackKind::Network);
    all
}

fn outcome(report: &Report) -> &Outcome {
    &report.outcomes.first().expect("one outcome").1
}

#[tokio::test(start_paused = true)]
async fn polls_that_fail_never_change_the_verdict() {
    let double = double();
    let plan = planned(&double, network()).await;
    double.fault("events", 12, &Fault::Before(throttled()));
    double.fault("stack", 3, &Fault::Before(unreachable("DescribeStacks")));
    let (report, events) = go(&double, plan).await;
    assert_eq!(*outcome(&report), Outcome::Created);
    assert_eq!(report.outputs[&StackKind::Network]["VpcId"], "vpc-1");
    let told = notes(&events)
        .iter()
        .filter(|text| text.contains("can't be seen"))
        .count();
    assert!((1..=2).contains(&told), "{:?}", notes(&events));
}

#[tokio::test(start_paused = true)]
async fn a_failure_stays_a_failure_when_the_last_polls_fail() {
    let double = double();
    double.script(
        "create canary-network",
        Script {
            events: vec![(
                3,
                "Vpc",
                "AWS::EC2::VPC",
                "CREATE_FAILED",
                "limit of 5 VPCs reached",
            )],
            ..Script::well(9, "ROLLBACK_COMPLETE")
        },
    );
    let plan = planned(&double, network()).await;
    double.fault("stack", 4, &Fault::Before(throttled()));
    let (report, _) = go(&double, plan).await;
    assert_eq!(
        told(&report),
        ["network rolled back: limit of 5 VPCs reached"]
    );
}

#[tokio::test(start_paused = true)]
async fn ten_minutes_without_any_answer_end_in_detaching_not_in_a_verdict() {
    let double = double();
    let plan = planned(&double, network()).await;
    double.fault(
        "events",
        200,
        &Fault::Before(unreachable("DescribeStackEvents")),
    );
    let (report, _) = go(&double, plan).await;
    assert_eq!(report.end(), End::Detached);
    assert!(report.outcomes.is_empty());
    assert!(report.running[0].why.contains("connection reset"));
}

#[tokio::test(start_paused = true)]
async fn credentials_that_expire_detach_and_leave_the_dependants_waiting() {
    let double = double();
    let plan = planned(&double, stacks()).await;
    double.script("create canary-edge", Script::well(500, "CREATE_COMPLETE"));
    double.fault("events arn:canary-edge", 9, &Fault::Before(expired()));
    let (report, events) = go(&double, plan).await;
    assert_eq!(report.end(), End::Detached);
    // Base, edge and database, all in the same moment: the first that hears it tells everybody.
    assert_eq!(report.running.len(), 3, "{:?}", told(&report));
    let expired = |why: &str| why.contains("the token has expired");
    assert!(report.running.iter().all(|running| expired(&running.why)));
    assert_eq!(report.waiting.len(), 2);
    assert!(notes(&events).iter().any(|text| {
        text.starts_with("everything is left as it is, nothing more is begun") && expired(text)
    }));
    let settled = |event: &&Event| matches!(event, Event::StackSettled { stack, .. } if *stack == StackKind::Edge);
    assert_eq!(events.iter().filter(settled).count(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_creation_whose_answer_was_lost_is_found_by_its_token() {
    let double = double();
    let plan = planned(&double, network()).await;
    double.fault("create", 1, &Fault::After(unreachable("CreateStack")));
    let (report, _) = go(&double, plan).await;
    assert_eq!(*outcome(&report), Outcome::Created);
    assert_eq!(double.called("create").len(), 2);
    assert_eq!(double.stacks.borrow().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_execution_whose_answer_was_lost_is_found_by_its_token() {
    let double = standing();
    double.answer(
        "canary-network",
        vec![change("Vpc", "AWS::EC2::VPC", Replacement::No)],
    );
    let mut wanted = network();
    wanted[0].template["Description"] = "altered".into();
    let plan = planned(&double, wanted).await;
    double.fault("execute", 1, &Fault::After(unreachable("ExecuteChangeSet")));
    let (report, _) = go(&double, plan).await;
    assert_eq!(told(&report), ["network Updated"]);
}

#[tokio::test(start_paused = true)]
async fn a_write_that_is_never_answered_is_not_called_a_failure() {
    let double = double();
    let plan = planned(&double, network()).await;
    double.fault("create", 9, &Fault::Before(unreachable("CreateStack")));
    let (report, _) = go(&double, plan).await;
    assert_eq!(report.end(), End::Detached);
    assert!(
        report.running[0]
            .why
            .contains("whether it began is not known")
    );
}

#[tokio::test(start_paused = true)]
async fn the_second_of_two_runs_follows_the_first_and_keeps_its_work() {
    let double = double();
    let plan = planned(&double, network()).await;
    assert_eq!(plan.steps[0].action, Action::Create);
    // Between plan and apply somebody else creates the same stack.
    let mut theirs = found(CLUSTER, "canary-network", "CREATE_IN_PROGRESS");
    theirs.tags.clone_from(&network()[0].tags);
    double.put(theirs, network().remove(0).template);
    double.elsewhere("canary-network", "CREATE", "create");
    let (report, events) = go(&double, plan).await;
    assert_eq!(told(&report), ["network Unchanged"]);
    assert_eq!(report.outputs[&StackKind::Network]["VpcId"], "vpc-1");
    assert!(
        notes(&events)
            .iter()
            .any(|text| text.contains("begun elsewhere: following it"))
    );
}

#[tokio::test(start_paused = true)]
async fn an_update_held_up_by_another_run_is_looked_at_again_before_it_goes_on() {
    let double = standing();
    let mut wanted = network();
    wanted[0].template["Description"] = "altered".into();
    for _ in 0..2 {
        double.answer(
            "canary-network",
            vec![change("Vpc", "AWS::EC2::VPC", Replacement::No)],
        );
    }
    let plan = planned(&double, wanted).await;
    double.elsewhere("canary-network", "UPDATE", "execute");
    double.fault(
        "execute",
        1,
        &Fault::Before(CloudError::Conflict("is in UPDATE_IN_PROGRESS".to_owned())),
    );
    let (report, _) = go(&double, plan).await;
    assert_eq!(told(&report), ["network Updated"]);
    assert_eq!(double.called("propose").len(), 2);
    assert_eq!(double.orphans(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_stack_of_that_name_that_is_not_ours_is_left_alone() {
    let double = double();
    double.put(
        found("other", "canary-network", "CREATE_COMPLETE"),
        serde_json::json!({}),
    );
    let plan = planned(&double, network()).await;
    let (report, _) = go(&double, plan).await;
    let line = &told(&report)[0];
    assert!(
        line.contains("already exists; it does not belong to canary"),
        "{line}"
    );
    assert_eq!(report.end(), End::NeedsHand);
}

#[tokio::test(start_paused = true)]
async fn what_runs_already_is_followed_then_brought_up_to_date() {
    let double = standing();
    double.script(
        "execute canary-network",
        Script::well(60, "UPDATE_COMPLETE"),
    );
    double.elsewhere("canary-network", "UPDATE", "execute");
    let mut wanted = network();
    wanted[0].template["Description"] = "altered".into();
    double.answer(
        "canary-network",
        vec![change("Vpc", "AWS::EC2::VPC", Replacement::No)],
    );
    let plan = planned(&double, wanted).await;
    assert!(matches!(plan.steps[0].action, Action::Follow(_)));
    let (report, _) = go(&double, plan).await;
    assert_eq!(told(&report), ["network Updated"]);
}

#[tokio::test(start_paused = true)]
async fn after_following_nothing_is_replaced_that_was_not_shown() {
    let double = standing();
    double.elsewhere("canary-network", "UPDATE", "execute");
    let mut wanted = network();
    wanted[0].template["Description"] = "altered".into();
    double.answer(
        "canary-network",
        vec![change("Table", "AWS::EC2::RouteTable", Replacement::Yes)],
    );
    let plan = planned(&double, wanted).await;
    let (report, _) = go(&double, plan).await;
    assert!(
        told(&report)[0].contains("replace canary-network/Table"),
        "{:?}",
        told(&report)
    );
    assert_eq!(double.called("execute"), [""; 0]);
    assert_eq!(double.orphans(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_failed_plan_leaves_no_change_set_behind() {
    let double = standing();
    double.answer(
        "canary-network",
        vec![change("Vpc", "AWS::EC2::VPC", Replacement::No)],
    );
    let mut wanted = stacks();
    for stack in &mut wanted {
        stack.template["Description"] = "altered".into();
    }
    double.fault("propose canary-edge", 1, &Fault::Before(throttled()));
    let answer = planned_with(&double, wanted, &[]).await;
    assert!(answer.is_err());
    assert_eq!(double.orphans(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_stale_old_status_right_after_the_call_is_not_the_end() {
    let double = standing();
    double.answer(
        "canary-network",
        vec![change("Vpc", "AWS::EC2::VPC", Replacement::No)],
    );
    double.script(
        "execute canary-network",
        Script {
            events: vec![(90, "Vpc", "AWS::EC2::VPC", "UPDATE_FAILED", "no such peer")],
            ..Script::well(95, "UPDATE_ROLLBACK_COMPLETE")
        },
    );
    let mut wanted = network();
    wanted[0].template["Description"] = "altered".into();
    let plan: Plan = planned(&double, wanted).await;
    let stale = async {
        // For some seconds every read shows the status of before.
        for _ in 0..15 {
            sleep(Duration::from_secs(1)).await;
            amend(&double, "canary-network", |it| {
                it.status = "CREATE_COMPLETE".into();
            });
        }
        for _ in 0..2 {
            sleep(Duration::from_secs(25)).await;
            amend(&double, "canary-network", |it| {
                it.status = "UPDATE_IN_PROGRESS".into();
            });
        }
        std::future::pending::<()>().await;
    };
    let (report, _) = go_until(&double, plan, stale).await;
    assert_eq!(told(&report), ["network rolled back: no such peer"]);
}

#[tokio::test(start_paused = true)]
async fn a_change_set_that_another_run_swept_away_is_asked_for_again() {
    let double = standing();
    let mut wanted = network();
    wanted[0].template["Description"] = "altered".into();
    double.answer(
        "canary-network",
        vec![change("Vpc", "AWS::EC2::VPC", Replacement::No)],
    );
    let plan = planned(&double, wanted.clone()).await;
    // The other run wants the same, and was quicker.
    double.open.borrow_mut().clear();
    double
        .stacks
        .borrow_mut()
        .get_mut("canary-network")
        .expect("it stands")
        .template = wanted.remove(0).template;
    let (report, events) = go(&double, plan).await;
    assert_eq!(told(&report), ["network Unchanged"]);
    assert!(
        notes(&events)
            .iter()
            .any(|text| text.starts_with("changed elsewhere"))
    );
}

#[tokio::test(start_paused = true)]
async fn a_stack_that_never_comes_to_rest_for_us_is_given_up() {
    let double = standing();
    let mut wanted = network();
    wanted[0].template["Description"] = "altered".into();
    for _ in 0..9 {
        double.answer(
            "canary-network",
            vec![change("Vpc", "AWS::EC2::VPC", Replacement::No)],
        );
    }
    let plan = planned(&double, wanted).await;
    let busy = CloudError::Conflict("is being updated".to_owned());
    double.fault("execute", 9, &Fault::Before(busy));
    let (report, _) = go(&double, plan).await;
    assert!(
        told(&report)[0].contains("somebody else keeps moving"),
        "{:?}",
        told(&report)
    );
    assert_eq!(double.called("execute").len(), 3);
    assert_eq!(double.orphans(), 0);
}
