//! Changing what stands: what is executed, what is passed on, what is refused.

use serde_json::{Value, json};

use super::*;
use crate::apply::RunOutcome;
use crate::cloud::Replacement;
use crate::plan::{Action, Plan, Step};
use crate::stacks::StackKind;

/// The edge gets another load balancer and puts out another host.
fn moved(mut stacks: Vec<Stack>) -> Vec<Stack> {
    stacks[2].template["Outputs"]["ApiHost"]["Value"] = json!("new.example");
    changed(stacks, &StackKind::Edge, "Lb", "Scheme")
}

/// The cluster, with a property of the control plane's machines that follows the host.
fn following(name: &str) -> Vec<Stack> {
    let mut all = stacks();
    *property(&mut all[4], "SlotA", name) = json!({"Ref": "Host"});
    all
}

#[tokio::test(start_paused = true)]
async fn update_executes_the_shown_change_set() {
    let cloud = TestCloud::standing().await;
    let plan = planned(&cloud, altered(&StackKind::Edge)).await;
    let set = plan.steps[2].change_set().expect("a change set").id.clone();
    // What takes the edge's outputs may still see them change.
    let waits = |step: &Step| {
        step.pending
            .iter()
            .any(|input| input.from == StackKind::Edge)
    };
    assert!(plan.steps[4..].iter().all(waits));
    let (report, _) = go(&cloud, plan).await;
    assert_eq!(outcome_lines(&report)[2], "edge Updated");
    assert_eq!(cloud.called("execute"), [format!("0 canary-edge {set}")]);
    assert_eq!(cloud.called("create_change_set").len(), 1);
    assert_eq!(report.outcome(), RunOutcome::Done);
    assert_eq!(cloud.orphans(), 0);
}

#[tokio::test(start_paused = true)]
async fn changed_output_is_passed_to_dependent_stacks() {
    let all = following("MinSize");
    let cloud = TestCloud::standing_as(all.clone()).await;
    let plan = planned(&cloud, moved(all)).await;
    assert_eq!(plan.steps[4].action, Action::NoChange);
    let (report, _) = go(&cloud, plan).await;
    assert_eq!(outcome_lines(&report)[4], "control-plane Updated");
    assert_eq!(outcome_lines(&report)[5], "pool-workers Unchanged");
    let parameters = cloud.found("canary-control-plane").parameters;
    assert_eq!(parameters["Host"], "new.example");
}

#[tokio::test(start_paused = true)]
async fn riskier_change_set_than_shown_is_not_executed() {
    let all = following("AutoScalingGroupName");
    let cloud = TestCloud::standing_as(all.clone()).await;
    let plan = planned(&cloud, moved(all)).await;
    let (report, _) = go(&cloud, plan).await;
    let line = &outcome_lines(&report)[4];
    assert!(
        line.starts_with("control-plane failed: ")
            && line.contains("replace canary-control-plane/SlotA"),
        "{line}"
    );
    assert!(line.contains("look at the plan again"), "{line}");
    assert_eq!(cloud.called("execute").len(), 1);
    assert_eq!(cloud.orphans(), 0);
}

#[tokio::test(start_paused = true)]
async fn database_replacement_is_refused_unless_allowed_and_unprotected() {
    let cloud = TestCloud::standing().await;
    let wanted = changed(stacks(), &StackKind::Database, "Database", MIGHT_REPLACE);
    let plan = planned(&cloud, wanted).await;
    assert!(plan.is_refused());
    let (_, why) = plan.blocked().next().expect("a refusal");
    assert!(
        why.reason
            .contains("canary-database/Database might be replaced"),
        "{}",
        why.reason
    );
    assert!(
        why.remedy
            .contains("--allow-data-loss canary-database/Database"),
        "{}",
        why.remedy
    );
    assert_eq!(plan.steps[3].counts().might_replace, 1);
    crate::plan::discard(&plan, &cloud.cloud).await;
    assert_eq!(cloud.orphans(), 0);

    let mut without = stacks();
    without[3].template["Resources"] = json!({"Other": {"Type": PLAIN, "Properties": {}}});
    let named = ["canary-database/Database"];
    let plan = planned_with(&cloud, without.clone(), &named)
        .await
        .expect("a plan");
    assert!(matches!(plan.steps[3].action, Action::Update(_)));
    assert!(plan.steps[3].risks[0].allowed);

    let mut protected = without;
    protected[3].termination_protection = true;
    let plan = planned_with(&cloud, protected, &named)
        .await
        .expect("a plan");
    let (_, why) = plan.blocked().next().expect("a refusal");
    assert!(why.remedy.contains("`protect: false`"), "{}", why.remedy);
}

#[tokio::test(start_paused = true)]
async fn allowed_loss_of_unknown_resource_is_an_error_with_hint() {
    let cloud = TestCloud::standing().await;
    let answer = planned_with(&cloud, stacks(), &["canary-database/Databse"]).await;
    let text = answer.expect_err("an unknown name").to_string();
    assert!(
        text.contains("did you mean canary-database/Database?"),
        "{text}"
    );
}

#[tokio::test(start_paused = true)]
async fn changed_create_only_property_is_a_replacement() {
    let cloud = TestCloud::standing().await;
    let mut wanted = stacks();
    *property(&mut wanted[3], "Database", "DBName") = json!("other");
    let plan = planned(&cloud, wanted).await;
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
async fn stack_that_needs_a_new_output_is_deferred() {
    let cloud = TestCloud::standing().await;
    let mut wanted = altered(&StackKind::Network);
    wanted[1].template["Outputs"]["Zone"] = json!({"Value": "z1"});
    takes(&mut wanted[2], "Zone", &StackKind::Network, "Zone");
    let wanted = changed(wanted, &StackKind::Edge, "Nat", "Altered");
    let plan = planned(&cloud, wanted).await;
    assert_eq!(plan.steps[2].action, Action::Deferred);
    assert!(
        plan.steps[2]
            .pending
            .iter()
            .any(|input| input.key == "Zone" && input.now.is_none())
    );
    let (report, _) = go(&cloud, plan).await;
    assert_eq!(outcome_lines(&report)[2], "edge Updated");
    assert_eq!(cloud.found("canary-edge").parameters["Zone"], "z1");
}

#[tokio::test(start_paused = true)]
async fn empty_leftover_is_replaced_and_a_full_one_is_kept() {
    let cloud = rolled_back(&stacks()[2]).await;
    let plan = planned(&cloud, stacks()).await;
    assert_eq!(plan.steps[2].action, Action::Replace);
    let (report, _) = go(&cloud, plan).await;
    assert_eq!(outcome_lines(&report)[2], "edge Created");
    assert_eq!(cloud.called("delete"), ["0 canary-edge"]);

    let mut retaining = stacks().remove(2);
    retaining.template["Resources"]["Lb"]["DeletionPolicy"] = json!("Retain");
    let cloud = rolled_back(&retaining).await;
    let held = cloud.resources(&cloud.found("canary-edge").id).await;
    let held = held.expect("resources");
    let kept = held.iter().find(|one| one.logical_id == "Lb");
    let kept = kept.expect("the load balancer");
    assert_eq!(kept.status.as_str(), "DELETE_SKIPPED");
    let id = kept.physical_id.as_deref().expect("an id");
    let plan = planned(&cloud, stacks()).await;
    let (_, why) = plan.blocked().next().expect("blocked");
    assert!(
        why.reason.contains(&format!("Lb ({id})")) && !why.by_guard,
        "{}",
        why.reason
    );
}

/// A cluster whose edge was created by somebody else, and rolled back.
async fn rolled_back(edge: &Stack) -> TestCloud {
    let (cloud, name) = (TestCloud::standing().await, "canary-edge");
    cloud.removed(name).await;
    cloud.fails(name, "Nat", Operation::Create, "no Elastic IP left");
    cloud.begin(edge).await;
    cloud.rest().await;
    assert_eq!(cloud.found(name).status.as_str(), "ROLLBACK_COMPLETE");
    cloud
}

#[tokio::test(start_paused = true)]
async fn protection_update_needs_no_change_set() {
    let cloud = TestCloud::standing().await;
    let mut wanted = stacks();
    wanted[3].termination_protection = true;
    let plan = planned(&cloud, wanted).await;
    assert!(plan.has_changes());
    let (report, _) = go(&cloud, plan).await;
    assert_eq!(outcome_lines(&report)[3], "database Updated");
    assert_eq!(cloud.called("set_protection"), ["0 canary-database"]);
    assert!(cloud.found("canary-database").termination_protection);
}

#[tokio::test(start_paused = true)]
async fn protection_is_updated_after_a_rolled_back_update() {
    let cloud = TestCloud::standing().await;
    let database = "canary-database";
    cloud.fails(database, "Database", Operation::Update, "storage is full");
    cloud.touch(database, "Database");
    cloud.rest().await;
    let status = cloud.found(database).status;
    assert_eq!(status.as_str(), "UPDATE_ROLLBACK_COMPLETE");
    cloud.amend(database, |it| it.termination_protection = true);
    let plan = planned(&cloud, stacks()).await;
    assert!(plan.has_changes());
    let (report, _) = go(&cloud, plan).await;
    assert_eq!(outcome_lines(&report)[3], "database Updated");
    assert!(!cloud.found("canary-database").termination_protection);
}

/// A policy that keeps these resources.
fn keeps(ids: &[&str]) -> Value {
    let statement = |effect: &str, resource: Value| json!({"Effect": effect, "Action": "Update:*", "Principal": "*", "Resource": resource});
    let mut statements = vec![statement("Allow", json!("*"))];
    if !ids.is_empty() {
        statements.push(statement("Deny", json!(ids)));
    }
    json!({"Statement": statements})
}

/// A plan that replaces the database, which somebody named and the policy keeps.
async fn replacing(cloud: &TestCloud) -> Plan {
    let mut wanted = changed(stacks(), &StackKind::Database, "Database", REPLACES);
    wanted[3].policy = Some(keeps(&["LogicalResourceId/Database"]));
    planned_with(cloud, wanted, &["canary-database/Database"])
        .await
        .expect("a plan")
}

#[tokio::test(start_paused = true)]
async fn stack_policy_is_relaxed_for_an_allowed_loss_and_restored() {
    let cloud = TestCloud::standing().await;
    let plan = replacing(&cloud).await;
    let (report, _) = go(&cloud, plan).await;
    assert_eq!(outcome_lines(&report)[3], "database Updated");
    let policy = keeps(&["LogicalResourceId/Database"]);
    assert_eq!(cloud.policies(), [keeps(&[]), policy]);
}

#[tokio::test(start_paused = true)]
async fn stack_policy_is_restored_when_nothing_was_executed() {
    let cloud = TestCloud::standing().await;
    let plan = replacing(&cloud).await;
    cloud.refuse("execute", "", 1, &refused("ExecuteChangeSet", "no"));
    let (report, _) = go(&cloud, plan).await;
    assert_eq!(report.outcome(), RunOutcome::NeedsManualAction);
    let policy = keeps(&["LogicalResourceId/Database"]);
    assert_eq!(cloud.policies(), [keeps(&[]), policy]);
    assert_eq!(cloud.orphans(), 0);
}

#[tokio::test(start_paused = true)]
async fn stack_policy_resources_are_guarded_without_data() {
    let cloud = TestCloud::standing().await;
    let mut wanted = changed(stacks(), &StackKind::Edge, "Lb", "Scheme");
    wanted[2].policy =
        Some(json!({"Statement": [{"Effect": "Deny", "Resource": "LogicalResourceId/Lb"}]}));
    let plan = planned(&cloud, wanted).await;
    let (_, why) = plan.blocked().next().expect("refused");
    assert!(
        why.reason.contains("canary-edge/Lb would be replaced"),
        "{}",
        why.reason
    );
}
