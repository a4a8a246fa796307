//! Stacks that something went wrong with before: what heals, what is explained, what is left alone.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::sleep;

use super::*;
use crate::apply::{RunOutcome, Session};
use crate::cloud::StackStatus;
use crate::events::Outcome;
use crate::plan::{Action, Guard, Plan, deletion, survey};
use crate::simulated::RollbackFailure;
use crate::stacks::{Stack, StackKind};

const EDGE: &str = "canary-edge";

fn edge() -> Stack {
    stacks().remove(2)
}

/// A cluster whose edge was created by somebody else; its load balancer fails.
async fn failed_creation(edge: &Stack, prepare: impl FnOnce(&TestCloud)) -> TestCloud {
    let cloud = TestCloud::standing().await;
    cloud.removed(EDGE).await;
    cloud.fails(EDGE, "Lb", Operation::Create, "no more load balancers");
    cloud.begin(edge).await;
    prepare(&cloud);
    cloud.rest().await;
    cloud
}

/// The edge is in `ROLLBACK_COMPLETE`.
async fn rolled_back() -> TestCloud {
    failed_creation(&edge(), |_| {}).await
}

/// The edge is in `ROLLBACK_FAILED`: this resource could not be deleted.
async fn rollback_failed(edge: &Stack, id: &str) -> TestCloud {
    let fails = |cloud: &TestCloud| cloud.fails(EDGE, id, Operation::Delete, "in use");
    failed_creation(edge, fails).await
}

/// The edge is in `CREATE_FAILED`.
async fn creation_stopped() -> TestCloud {
    failed_creation(&edge(), |cloud| cloud.without_rollback(EDGE)).await
}

/// The edge is in `UPDATE_FAILED`, with the template of before.
async fn update_stopped() -> TestCloud {
    let cloud = TestCloud::standing().await;
    cloud.fails(EDGE, "Lb", Operation::Update, "it is busy");
    cloud.touch(EDGE, "Lb");
    cloud.without_rollback(EDGE);
    cloud.rest().await;
    cloud
}

/// The edge is under review with these change sets, and nothing in it.
async fn under_review(sets: &[&str]) -> TestCloud {
    let cloud = TestCloud::standing().await;
    cloud.removed(EDGE).await;
    cloud.external(&ExternalChange::ReviewStack {
        stack: EDGE.to_owned(),
        cluster: CLUSTER.to_owned(),
        kind: "edge".to_owned(),
    });
    for name in sets {
        leave_change_set(&cloud, name);
    }
    cloud.set_up();
    cloud
}

fn leave_change_set(cloud: &TestCloud, name: &str) {
    cloud.external(&ExternalChange::ChangeSet {
        stack: EDGE.to_owned(),
        name: name.to_owned(),
    });
}

fn altered_edge() -> Vec<Stack> {
    altered(&StackKind::Edge)
}

fn blocked(plan: &Plan) -> (String, String) {
    let (_, why) = plan.blocked().next().expect("blocked");
    assert!(!why.by_guard);
    (why.reason.clone(), why.remedy.clone())
}

#[tokio::test(start_paused = true)]
async fn stopped_creation_resumes_without_deletion() {
    for (cloud, status) in [
        (creation_stopped().await, StackStatus::CreateFailed),
        (update_stopped().await, StackStatus::UpdateFailed),
    ] {
        assert_eq!(cloud.found(EDGE).status, status);
        let plan = planned(&cloud, altered_edge()).await;
        assert!(matches!(plan.steps[2].action, Action::Update(_)));
        let (report, _) = go(&cloud, plan).await;
        assert_eq!(outcome_lines(&report)[2], "edge Updated", "{status}");
        assert_eq!(cloud.called("delete"), [""; 0]);
    }
}

#[tokio::test(start_paused = true)]
async fn unresumable_stack_names_one_command() {
    let cloud = creation_stopped().await;
    let no = refused("CreateChangeSet", "is in CREATE_FAILED");
    cloud.refuse("create_change_set", EDGE, 1, &no);
    let rollback = "`aws cloudformation rollback-stack --region eu-west-1 --stack-name canary-edge` \
                    returns it to the last good state";
    let (reason, next) = blocked(&planned(&cloud, stacks()).await);
    assert!(reason.contains("is in CREATE_FAILED"), "{reason}");
    assert_eq!(next, rollback);

    // Nothing differs, and what failed stays failed.
    let cloud = update_stopped().await;
    let (reason, next) = blocked(&planned(&cloud, stacks()).await);
    assert!(reason.contains("it would change nothing"), "{reason}");
    assert_eq!(next, rollback);

    let plan = planned(&cloud, altered_edge()).await;
    let no = refused("ExecuteChangeSet", "use the disable-rollback parameter");
    cloud.refuse("execute", "", 1, &no);
    let (report, _) = go(&cloud, plan).await;
    assert!(
        outcome_lines(&report)[2].contains(rollback),
        "{:?}",
        outcome_lines(&report)
    );
    assert_eq!(cloud.orphans(), 0);
}

/// The edge is in `UPDATE_ROLLBACK_FAILED`: its load balancer was busy on the way back.
async fn stuck() -> TestCloud {
    let cloud = TestCloud::standing().await;
    cloud.fails(EDGE, "Nat", Operation::Update, "no address left");
    busy(&cloud, "the load balancer is busy");
    let both = changed(altered_edge(), &StackKind::Edge, "Nat", "Altered");
    cloud.update(&both[2], "somebody-else").await;
    cloud.rest().await;
    let status = cloud.found(EDGE).status;
    assert_eq!(status, StackStatus::UpdateRollbackFailed);
    cloud
}

/// The next rollback of the edge fails at its load balancer.
fn busy(cloud: &TestCloud, reason: &str) {
    let failure = RollbackFailure {
        stack: EDGE.to_owned(),
        logical_id: "Lb".to_owned(),
        reason: Some(reason.to_owned()),
        times: 1,
    };
    cloud.change_faults(|faults| faults.rollback_fails.push(failure));
}

#[tokio::test(start_paused = true)]
async fn failed_rollback_is_explained_continued_and_updated() {
    let cloud = stuck().await;
    let plan = planned(&cloud, altered_edge()).await;
    let Action::Continue { stuck, skip } = &plan.steps[2].action else {
        panic!("{:?}", plan.steps[2].action)
    };
    let all: Vec<String> = stuck.iter().map(crate::plan::StuckResource::text).collect();
    assert_eq!(all, ["the Lb of edge (Lb): the load balancer is busy"]);
    assert!(skip.is_empty() && plan.has_changes());
    let (report, events) = go(&cloud, plan).await;
    assert_eq!(outcome_lines(&report)[2], "edge Updated");
    assert_eq!(cloud.called("continue_rollback").len(), 1);
    assert_eq!(cloud.called("execute").len(), 1);
    let note = |text: &String| text.contains("being rolled back");
    assert!(!notes(&events).iter().any(note), "{:?}", notes(&events));
}

#[tokio::test(start_paused = true)]
async fn rollback_alone_is_a_change() {
    let cloud = stuck().await;
    let plan = planned(&cloud, stacks()).await;
    let (report, _) = go(&cloud, plan).await;
    assert_eq!(outcome_lines(&report)[2], "edge Updated");
    assert_eq!(cloud.called("execute"), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn rollback_that_fails_again_names_the_skip_flag() {
    let cloud = stuck().await;
    busy(&cloud, "still busy");
    let plan = planned(&cloud, stacks()).await;
    let (report, _) = go(&cloud, plan).await;
    assert_eq!(outcome_lines(&report)[2], "edge failed: still busy");
    let Some((_, Outcome::Failed(why))) = report.outcomes.get(2) else {
        panic!("{:?}", outcome_lines(&report))
    };
    let hint = why.hint.as_deref().unwrap_or_default();
    assert!(hint.contains("`--skip-resource canary-edge/Lb`"), "{hint}");
    assert_eq!(report.outcome(), RunOutcome::NeedsManualAction);

    let wrong = planned_under(&cloud, stacks(), &[], &["canary-edge/Nat"]).await;
    let text = wrong.expect_err("not stuck").to_string();
    assert!(text.contains("these do: canary-edge/Lb"), "{text}");
    let plan = planned_under(&cloud, stacks(), &[], &["canary-edge/Lb"]).await;
    let another = |session: &mut Session<'_>| session.run = "r2";
    let plan = plan.expect("a plan");
    let (report, _) = go_as(&cloud, plan, another, std::future::pending()).await;
    assert_eq!(
        report.outcome(),
        RunOutcome::Done,
        "{:?}",
        outcome_lines(&report)
    );
    let calls = cloud.called("continue_rollback");
    assert!(calls[1].ends_with("canary-edge Lb"), "{calls:?}");
}

#[tokio::test(start_paused = true)]
async fn unplanned_rollback_replaces_nothing() {
    let cloud = stuck().await;
    let graver = changed(stacks(), &StackKind::Edge, "Lb", "Scheme");
    let plan = planned(&cloud, graver).await;
    let (report, _) = go(&cloud, plan).await;
    assert!(
        outcome_lines(&report)[2].contains("replace canary-edge/Lb"),
        "{:?}",
        outcome_lines(&report)
    );
    assert_eq!(cloud.called("execute"), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn delete_failed_stack_names_blocking_resources() {
    let cloud = TestCloud::standing().await;
    cloud.fails(EDGE, "Lb", Operation::Delete, "has targets");
    cloud.removed(EDGE).await;
    let (reason, next) = blocked(&planned(&cloud, stacks()).await);
    assert!(
        reason.ends_with("blocked by: the Lb of edge (Lb): has targets"),
        "{reason}"
    );
    assert!(
        next.contains("delete-stack --region eu-west-1 --stack-name canary-edge`"),
        "{next}"
    );
}

#[tokio::test(start_paused = true)]
async fn leftover_is_deleted_unless_it_holds_data() {
    let cloud = rollback_failed(&edge(), "Nat").await;
    assert_eq!(cloud.found(EDGE).status, StackStatus::RollbackFailed);
    let plan = planned(&cloud, stacks()).await;
    assert_eq!(plan.steps[2].action, Action::Replace);
    let (report, _) = go(&cloud, plan).await;
    assert_eq!(outcome_lines(&report)[2], "edge Created");

    let mut with_data = edge();
    let database = stacks().remove(3).template["Resources"]["Database"].clone();
    with_data.template["Resources"]["Database"] = database;
    let cloud = rollback_failed(&with_data, "Database").await;
    let held = cloud.resources(&cloud.found(EDGE).id).await;
    let held = held.expect("resources").into_iter();
    let id = held.filter(|one| one.logical_id == "Database");
    let id: String = id.filter_map(|one| one.physical_id).collect();
    let (reason, _) = blocked(&planned(&cloud, stacks()).await);
    assert!(reason.contains(&format!("Database ({id})")), "{reason}");
}

#[tokio::test(start_paused = true)]
async fn undeletable_leftover_names_the_reason() {
    let cloud = rollback_failed(&edge(), "Nat").await;
    cloud.fails(EDGE, "Nat", Operation::Delete, "still in use");
    let plan = planned(&cloud, stacks()).await;
    let (report, _) = go(&cloud, plan).await;
    assert_eq!(outcome_lines(&report)[2], "edge failed: still in use");
    assert_eq!(cloud.called("create"), [""; 0]);
}

async fn deleted(cloud: &TestCloud) -> RunReport {
    let found = survey(&cloud.cloud, CLUSTER).await.expect("a survey");
    let plan = deletion(&found, Guard::Open);
    let (events, _heard) = unbounded_channel();
    let session = Session::new("r1", &events);
    delete_stacks(&plan, cloud, &session, std::future::pending()).await
}

#[tokio::test(start_paused = true)]
async fn own_review_stack_is_deleted_and_a_foreign_one_is_kept() {
    let cloud = under_review(&["kube-cfn-kcfn-7f3a"]).await;
    let plan = planned(&cloud, stacks()).await;
    assert_eq!(plan.steps[2].action, Action::Replace);
    let (report, _) = go(&cloud, plan).await;
    assert_eq!(outcome_lines(&report)[2], "edge Created");

    let cloud = under_review(&["kube-cfn-kcfn-7f3a", "by-hand"]).await;
    let (reason, next) = blocked(&planned(&cloud, stacks()).await);
    assert!(reason.contains("this tool did not make it"), "{reason}");
    assert!(next.contains("delete-stack"), "{next}");
    let report = deleted(&cloud).await;
    assert_eq!(report.outcome(), RunOutcome::NeedsManualAction);
    assert_eq!(cloud.called("delete"), [""; 0]);

    let cloud = under_review(&["kube-cfn-kcfn-7f3a"]).await;
    let report = deleted(&cloud).await;
    assert_eq!(
        report.outcome(),
        RunOutcome::Done,
        "{:?}",
        outcome_lines(&report)
    );
}

/// The database's policy, and stacks that want it.
fn guarded() -> (Value, Vec<Stack>) {
    let policy = json!({"Statement": [
        {"Effect": "Allow", "Action": "Update:*", "Principal": "*", "Resource": "*"},
        {"Effect": "Deny", "Action": "Update:*", "Principal": "*",
            "Resource": ["LogicalResourceId/Database"]},
    ]});
    let mut all = stacks();
    all[3].policy = Some(policy.clone());
    (policy, all)
}

#[tokio::test(start_paused = true)]
async fn stack_policy_that_a_crashed_run_left_relaxed_is_restored() {
    let (policy, wanted) = guarded();
    let cloud = TestCloud::standing_as(wanted.clone()).await;
    let relaxed = Protection {
        termination: false,
        policy: Some(json!({"Statement": []})),
    };
    let id = cloud.found("canary-database").id;
    cloud.set_protection(&id, &relaxed).await.expect("relaxed");
    let plan = planned(&cloud, wanted.clone()).await;
    assert_eq!(plan.steps[3].action, Action::NoChange);
    assert!(plan.steps[3].needs_protection_update() && plan.has_changes());
    let (report, _) = go(&cloud, plan).await;
    assert_eq!(outcome_lines(&report)[3], "database Updated");
    assert_eq!(cloud.policy_of("canary-database").await, Some(policy));
    assert!(!planned(&cloud, wanted).await.has_changes());
}

#[tokio::test(start_paused = true)]
async fn stack_policy_is_restored_when_the_run_is_stopped_before_the_update() {
    let (policy, guarded) = guarded();
    let cloud = TestCloud::standing_as(guarded.clone()).await;
    let wanted = changed(guarded, &StackKind::Database, "Database", REPLACES);
    let named = ["canary-database/Database"];
    let plan = planned_with(&cloud, wanted, &named).await.expect("a plan");
    // The stop falls between the policy and the execution: setting it has no answer yet.
    let lost = FaultKind::AnswerLost(unreachable("SetStackPolicy"));
    cloud.strike("set_protection", "", 1, lost);
    let (report, _) = go_until(&cloud, plan, sleep(Duration::from_millis(500))).await;
    assert_eq!(report.outcome(), RunOutcome::Detached);
    assert_eq!(cloud.called("execute"), [""; 0]);
    assert_eq!(cloud.policy_of("canary-database").await, Some(policy));
    assert_eq!(cloud.orphans(), 0);
}

#[tokio::test(start_paused = true)]
async fn leftover_is_inspected_again_before_deletion() {
    let cloud = under_review(&["kube-cfn-kcfn-7f3a"]).await;
    let plan = planned(&cloud, stacks()).await;
    leave_change_set(&cloud, "by-hand");
    let (report, _) = go(&cloud, plan).await;
    assert!(
        outcome_lines(&report)[2].contains("this tool did not make it"),
        "{:?}",
        outcome_lines(&report)
    );
    assert_eq!(cloud.called("delete"), [""; 0]);

    // Another run is just deleting it: that is followed, and the stack is created afterwards.
    let cloud = rolled_back().await;
    let plan = planned(&cloud, stacks()).await;
    cloud.remove(EDGE);
    let (report, events) = go(&cloud, plan).await;
    let followed = |text: &&str| text.contains("DELETE_IN_PROGRESS");
    assert!(
        notes(&events).iter().any(|text| followed(&&**text)),
        "{:?}",
        notes(&events)
    );
    assert_eq!(outcome_lines(&report)[2], "edge Created");
    assert_eq!(cloud.called("delete"), [""; 0]);

    // Another run was quicker: its creation is followed, not deleted.
    let cloud = rolled_back().await;
    let plan = planned(&cloud, stacks()).await;
    cloud.removed(EDGE).await;
    cloud.begin(&edge()).await;
    let theirs = cloud.found(EDGE).id;
    cloud.set_up();
    let (report, _) = go(&cloud, plan).await;
    assert_eq!(outcome_lines(&report)[2], "edge Unchanged");
    assert_eq!(cloud.found(EDGE).id, theirs);
    assert_eq!(cloud.effects(), [""; 0]);
}
