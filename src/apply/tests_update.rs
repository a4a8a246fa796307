//! Changing what stands: what is executed, what is passed on, what is refused.

use serde_json::{Value, json};

use super::End;
use super::double::{Double, Fault, Script};
use super::fixtures::*;
use crate::cloud::{ChangeAction, CloudError, Replacement};
use crate::plan::{Action, Plan, Step};
use crate::stacks::{Input, Source, StackKind};

#[tokio::test(start_paused = true)]
async fn an_update_executes_exactly_the_change_set_that_was_shown() {
    let double = standing();
    let lb = change(
        "Lb",
        "AWS::ElasticLoadBalancingV2::LoadBalancer",
        Replacement::No,
    );
    double.answer("canary-edge", vec![lb]);
    let plan = planned(&double, altered(&StackKind::Edge)).await;
    let set = plan.steps[2].change_set().expect("a change set").id.clone();
    // What takes the edge's outputs may still see them change.
    let waits = |step: &Step| {
        step.pending
            .iter()
            .any(|input| input.from == StackKind::Edge)
    };
    assert!(plan.steps[4..].iter().all(waits));
    let (report, _) = go(&double, plan).await;
    assert_eq!(told(&report)[2], "edge Updated");
    assert_eq!(double.called("execute"), [format!("0 {set}")]);
    assert_eq!(double.called("propose").len(), 1);
    assert_eq!(report.end(), End::Done);
    assert_eq!(double.orphans(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_changed_output_of_a_producer_is_passed_on() {
    let double = standing();
    let lb = change(
        "Lb",
        "AWS::ElasticLoadBalancingV2::LoadBalancer",
        Replacement::Yes,
    );
    double.answer("canary-edge", vec![lb]);
    let group = change(
        "SlotA",
        "AWS::AutoScaling::AutoScalingGroup",
        Replacement::No,
    );
    double.answer("canary-control-plane", vec![group]);
    let script = Script {
        outputs: vec![("ApiHost", "new.example")],
        ..Script::well(20, "UPDATE_COMPLETE")
    };
    double.script("execute canary-edge", script);
    let plan = planned(&double, altered(&StackKind::Edge)).await;
    assert_eq!(plan.steps[4].action, Action::Keep);
    let (report, _) = go(&double, plan).await;
    assert_eq!(told(&report)[4], "control-plane Updated");
    assert_eq!(told(&report)[5], "pool-workers Unchanged");
    let stacks = double.stacks.borrow();
    assert_eq!(
        stacks["canary-control-plane"].found.parameters["Host"],
        "new.example"
    );
}

#[tokio::test(start_paused = true)]
async fn what_turns_out_graver_than_shown_is_not_executed() {
    let double = standing();
    double.answer(
        "canary-edge",
        vec![change("Lb", "AWS::X", Replacement::Yes)],
    );
    let slot = "AWS::AutoScaling::AutoScalingGroup";
    double.answer(
        "canary-control-plane",
        vec![change("SlotA", slot, Replacement::Yes)],
    );
    let script = Script {
        outputs: vec![("ApiHost", "new.example")],
        ..Script::well(20, "UPDATE_COMPLETE")
    };
    double.script("execute canary-edge", script);
    let plan = planned(&double, altered(&StackKind::Edge)).await;
    let (report, _) = go(&double, plan).await;
    let line = &told(&report)[4];
    assert!(
        line.starts_with("control-plane failed: ")
            && line.contains("replace canary-control-plane/SlotA"),
        "{line}"
    );
    assert!(line.contains("look at the plan again"), "{line}");
    assert_eq!(double.called("execute").len(), 1);
    assert_eq!(double.orphans(), 0);
}

#[tokio::test(start_paused = true)]
async fn replacing_the_database_is_refused_unless_named_and_unprotected() {
    let double = standing();
    let mut gone = change("Database", "AWS::RDS::DBInstance", Replacement::Might);
    let wanted = || altered(&StackKind::Database);
    double.answer("canary-database", vec![gone.clone()]);
    let plan = planned(&double, wanted()).await;
    assert!(plan.is_refused());
    let (_, why) = plan.blocked().next().expect("a refusal");
    assert!(
        why.reason
            .contains("canary-database/Database might be replaced"),
        "{}",
        why.reason
    );
    assert!(
        why.next
            .contains("--allow-data-loss canary-database/Database"),
        "{}",
        why.next
    );
    assert_eq!(plan.steps[3].counts().might_replace, 1);
    crate::plan::discard(&plan, &double).await;
    assert_eq!(double.orphans(), 0);

    gone.action = ChangeAction::Remove;
    double.answer("canary-database", vec![gone.clone()]);
    let named = ["canary-database/Database"];
    let plan = planned_with(&double, wanted(), &named)
        .await
        .expect("a plan");
    assert!(matches!(plan.steps[3].action, Action::Update(_)));
    assert!(plan.steps[3].risks[0].allowed);

    let mut protected = wanted();
    protected[3].termination_protection = true;
    double.answer("canary-database", vec![gone]);
    let plan = planned_with(&double, protected, &named)
        .await
        .expect("a plan");
    let (_, why) = plan.blocked().next().expect("a refusal");
    assert!(why.next.contains("`protect: false`"), "{}", why.next);
}

#[tokio::test(start_paused = true)]
async fn a_loss_that_names_nothing_is_an_error_with_a_hint() {
    let double = standing();
    let answer = planned_with(&double, stacks(), &["canary-database/Databse"]).await;
    let text = answer.expect_err("an unknown name").to_string();
    assert!(
        text.contains("did you mean canary-database/Database?"),
        "{text}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_changed_create_only_property_counts_even_if_the_endpoint_says_nothing() {
    let double = standing();
    let mut wanted = stacks();
    wanted[3].template["Resources"]["Database"]["Properties"]["DBName"] = "other".into();
    double.answer(
        "canary-database",
        vec![change("Database", "AWS::RDS::DBInstance", Replacement::No)],
    );
    let plan = planned(&double, wanted).await;
    assert!(plan.is_refused());
    let held = plan.steps[3].change_set().expect("shown");
    assert_eq!(held.changes[0].replacement, Replacement::Yes);
    assert_eq!(held.changes[0].properties[0].path, "Properties.DBName");
    assert_eq!(
        held.changes[0].properties[0].after.as_deref(),
        Some("other")
    );
}

#[tokio::test(start_paused = true)]
async fn an_existing_stack_that_needs_a_new_output_is_proposed_later() {
    let double = standing();
    let mut wanted = altered(&StackKind::Network);
    wanted[2].inputs.push(Input {
        parameter: "Zone".to_owned(),
        source: Source::Output {
            stack: StackKind::Network,
            key: "Zone".to_owned(),
        },
    });
    double.answer(
        "canary-network",
        vec![change("Vpc", "AWS::EC2::VPC", Replacement::No)],
    );
    let script = Script {
        outputs: vec![("Zone", "z1")],
        ..Script::well(9, "UPDATE_COMPLETE")
    };
    double.script("execute canary-network", script);
    let plan = planned(&double, wanted).await;
    assert_eq!(plan.steps[2].action, Action::Later);
    assert!(
        plan.steps[2]
            .pending
            .iter()
            .any(|input| input.key == "Zone" && input.now.is_none())
    );
    double.answer(
        "canary-edge",
        vec![change("Nat", "AWS::EC2::NatGateway", Replacement::No)],
    );
    let (report, _) = go(&double, plan).await;
    assert_eq!(told(&report)[2], "edge Updated");
    assert_eq!(
        double.stacks.borrow()["canary-edge"].found.parameters["Zone"],
        "z1"
    );
}

#[tokio::test(start_paused = true)]
async fn an_empty_leftover_is_made_anew_and_a_full_one_is_left_alone() {
    let double = standing();
    amend(&double, "canary-edge", |edge| {
        edge.status = "ROLLBACK_COMPLETE".into();
    });
    let plan = planned(&double, stacks()).await;
    assert_eq!(plan.steps[2].action, Action::Recreate);
    let (report, _) = go(&double, plan).await;
    assert_eq!(told(&report)[2], "edge Created");
    assert_eq!(double.called("delete"), ["0 arn:canary-edge"]);

    amend(&double, "canary-edge", |edge| {
        edge.status = "ROLLBACK_COMPLETE".into();
    });
    double
        .resources
        .borrow_mut()
        .push(crate::cloud::LiveResource {
            logical_id: "Lb".to_owned(),
            physical_id: Some("lb-1".to_owned()),
            resource_type: "AWS::X".to_owned(),
            status: crate::cloud::ResourceStatus::new("DELETE_SKIPPED"),
            reason: None,
        });
    let plan = planned(&double, stacks()).await;
    let (_, why) = plan.blocked().next().expect("blocked");
    assert!(
        why.reason.contains("Lb (lb-1)") && !why.guard,
        "{}",
        why.reason
    );
}

#[tokio::test(start_paused = true)]
async fn protection_alone_is_set_without_a_change_set() {
    let double = standing();
    let mut wanted = stacks();
    wanted[3].termination_protection = true;
    let plan = planned(&double, wanted).await;
    assert!(plan.has_changes());
    let (report, _) = go(&double, plan).await;
    assert_eq!(told(&report)[3], "database Updated");
    assert_eq!(double.called("protect"), ["0 arn:canary-database"]);
    assert!(
        double.stacks.borrow()["canary-database"]
            .found
            .termination_protection
    );
}

#[tokio::test(start_paused = true)]
async fn protection_is_set_also_on_a_stack_whose_last_update_was_rolled_back() {
    let double = standing();
    amend(&double, "canary-database", |database| {
        database.status = "UPDATE_ROLLBACK_COMPLETE".into();
        database.termination_protection = true;
    });
    let plan = planned(&double, stacks()).await;
    assert!(plan.has_changes());
    let (report, _) = go(&double, plan).await;
    assert_eq!(told(&report)[3], "database Updated");
    assert!(
        !double.stacks.borrow()["canary-database"]
            .found
            .termination_protection
    );
}

/// A policy that keeps these resources.
fn keeps(ids: &[&str]) -> Value {
    let mut statements = vec![json!({"Effect": "Allow", "Resource": "*"})];
    if !ids.is_empty() {
        statements.push(json!({"Effect": "Deny", "Resource": ids}));
    }
    json!({"Statement": statements})
}

/// A plan that replaces the database, which somebody named and the policy keeps.
async fn replacing(double: &Double) -> Plan {
    let mut wanted = altered(&StackKind::Database);
    wanted[3].policy = Some(keeps(&["LogicalResourceId/Database"]));
    double.answer(
        "canary-database",
        vec![change("Database", "AWS::RDS::DBInstance", Replacement::Yes)],
    );
    planned_with(double, wanted, &["canary-database/Database"])
        .await
        .expect("a plan")
}

#[tokio::test(start_paused = true)]
async fn the_policy_steps_aside_for_a_named_loss_and_comes_back() {
    let double = standing();
    let plan = replacing(&double).await;
    let (report, _) = go(&double, plan).await;
    assert_eq!(told(&report)[3], "database Updated");
    let policy = keeps(&["LogicalResourceId/Database"]);
    assert_eq!(*double.policies.borrow(), [keeps(&[]), policy]);
}

#[tokio::test(start_paused = true)]
async fn the_policy_comes_back_also_when_nothing_was_executed() {
    let double = standing();
    let plan = replacing(&double).await;
    let refused = CloudError::Refused {
        operation: "ExecuteChangeSet".to_owned(),
        message: "no".to_owned(),
    };
    double.fault("execute", 1, &Fault::Before(refused));
    let (report, _) = go(&double, plan).await;
    assert_eq!(report.end(), End::NeedsHand);
    let policy = keeps(&["LogicalResourceId/Database"]);
    assert_eq!(*double.policies.borrow(), [keeps(&[]), policy]);
    assert_eq!(double.orphans(), 0);
}

#[tokio::test(start_paused = true)]
async fn what_the_policy_keeps_is_guarded_although_it_holds_no_data() {
    let double = standing();
    let mut wanted = altered(&StackKind::Edge);
    wanted[2].policy =
        Some(json!({"Statement": [{"Effect": "Deny", "Resource": "LogicalResourceId/Lb"}]}));
    double.answer(
        "canary-edge",
        vec![change("Lb", "AWS::X", Replacement::Yes)],
    );
    let plan = planned(&double, wanted).await;
    let (_, why) = plan.blocked().next().expect("refused");
    assert!(
        why.reason.contains("canary-edge/Lb would be replaced"),
        "{}",
        why.reason
    );
}
