//! Plans on the cloud: kept in a file and restored, with drift, refused by early validation.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use super::*;
use crate::cloud::{
    ChangeSet, Cloud, CloudError, Difference, Drift, Finding, PropertyChange, Replacement,
    StackStatus,
};
use crate::plan::{
    Action, DriftDetection, Plan, PlanOptions, PlanOrigin, SavedPlan, draft, resolve, survey,
};
use crate::stacks::{Stack, StackKind};

const ORIGIN: PlanOrigin<'_> = PlanOrigin {
    account: "111122223333",
    region: "eu-west-1",
    run: "r1",
    made: Timestamp::UNIX_EPOCH,
    tool: "0.1.0",
    definition: "canary.yaml",
    definition_text: "name: canary",
    lock_text: Some("images: {}"),
    images: &BTreeMap::new(),
    running: &[],
};

/// A cluster whose edge is to be updated.
async fn edge() -> (TestCloud, Vec<Stack>) {
    let cloud = TestCloud::standing().await;
    (cloud, altered(&StackKind::Edge))
}

async fn restored(
    cloud: &TestCloud,
    saved: &SavedPlan,
    stacks: Vec<Stack>,
    origin: &PlanOrigin<'_>,
) -> Result<Plan, Vec<String>> {
    let survey = survey(&cloud.cloud, CLUSTER).await.expect("a survey");
    saved.restore(stacks, &survey, origin, &cloud.cloud).await
}

async fn live(cloud: &TestCloud, stacks: Vec<Stack>) -> Plan {
    let allow = BTreeSet::new();
    let terms = PlanOptions {
        drift: DriftDetection::All,
        ..PlanOptions::new("r1", &allow, &allow)
    };
    let survey = survey(&cloud.cloud, CLUSTER).await.expect("a survey");
    let draft = draft(stacks, &survey, &BTreeMap::new());
    resolve(draft, &cloud.cloud, &terms).await.expect("a plan")
}

#[tokio::test(start_paused = true)]
async fn saved_plan_round_trips_through_its_file() {
    let (cloud, stacks) = edge().await;
    let plan = planned(&cloud, stacks.clone()).await;
    let file = serde_json::to_string(&SavedPlan::of(&plan, &ORIGIN)).expect("a file");
    let saved = SavedPlan::read(&file).expect("a plan");
    let back = restored(&cloud, &saved, stacks, &ORIGIN).await;
    assert_eq!(back.as_ref(), Ok(&plan));
    assert_eq!(cloud.called("create_change_set").len(), 1);
    assert_eq!(back.expect("a plan").steps[2].action.word(), "update");
}

#[tokio::test(start_paused = true)]
async fn saved_plan_of_a_new_cluster_round_trips() {
    let cloud = TestCloud::new();
    let plan = planned(&cloud, stacks()).await;
    let saved = SavedPlan::of(&plan, &ORIGIN);
    assert_eq!(restored(&cloud, &saved, stacks(), &ORIGIN).await, Ok(plan));
}

#[tokio::test(start_paused = true)]
async fn saved_plan_reports_every_reason_at_once() {
    let (cloud, stacks) = edge().await;
    let plan = planned(&cloud, stacks.clone()).await;
    let saved = SavedPlan::of(&plan, &ORIGIN);
    cloud.amend("canary-base", |found| {
        found.updated = Some(Timestamp::UNIX_EPOCH + SignedDuration::from_secs(1));
    });
    cloud.amend("canary-network", |found| {
        found.status = StackStatus::UpdateRollbackComplete;
    });
    cloud.removed("canary-database").await;
    cloud.amend("canary-control-plane", |found| {
        found
            .parameters
            .insert("Host".to_owned(), "other".to_owned());
    });
    let set = plan.steps[2].change_set().expect("a change set");
    cloud.delete_change_set(set).await.expect("gone");
    let mut stacks = stacks;
    stacks[5].template["Description"] = "other".into();
    let origin = PlanOrigin {
        definition_text: "name: canary # changed",
        lock_text: None,
        ..ORIGIN
    };
    let why = restored(&cloud, &saved, stacks, &origin).await;
    assert_eq!(
        why.expect_err("refused"),
        [
            "canary.yaml has changed",
            "the lock file has changed",
            "canary-base was updated since",
            "canary-network was in CREATE_COMPLETE and is in UPDATE_ROLLBACK_COMPLETE",
            &format!("the change set of canary-edge is gone: {}", set.id),
            "canary-database was deleted since",
            "the parameters of canary-control-plane have changed",
            "the template of canary-pool-workers has changed",
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn saved_plan_refuses_another_account_or_region_first() {
    let (cloud, stacks) = edge().await;
    let saved = SavedPlan::of(&planned(&cloud, stacks.clone()).await, &ORIGIN);
    let origin = PlanOrigin {
        account: "444455556666",
        region: "eu-west-2",
        definition_text: "",
        ..ORIGIN
    };
    let why = restored(&cloud, &saved, stacks, &origin).await;
    assert_eq!(
        why.expect_err("refused"),
        [
            "the plan is for account 111122223333, this is 444455556666",
            "the plan is for region eu-west-1, this is eu-west-2",
        ]
    );
    assert!(cloud.called("change_set").is_empty());
}

#[tokio::test(start_paused = true)]
async fn saved_plan_refuses_new_and_deleted_stacks() {
    let cloud = TestCloud::new();
    let plan = planned(&cloud, stacks()).await;
    let saved = SavedPlan::of(&plan, &ORIGIN);
    let mut fewer = stacks();
    fewer.pop();
    let why = restored(&TestCloud::standing().await, &saved, fewer, &ORIGIN).await;
    let why = why.expect_err("refused");
    assert!(why.contains(&"canary-pool-workers is no longer wanted".to_owned()));
    assert!(why.contains(&"canary-pool-workers was created since".to_owned()));
    assert!(why.contains(&"canary-base was created since".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn saved_plan_keeps_allowed_and_refused_losses() {
    for (allow, word) in [
        (&["canary-database/Database"][..], "update"),
        (&[], "blocked"),
    ] {
        let cloud = TestCloud::standing().await;
        let stacks = changed(stacks(), &StackKind::Database, "Database", REPLACES);
        let plan = planned_with(&cloud, stacks.clone(), allow)
            .await
            .expect("a plan");
        assert_eq!(plan.steps[3].action.word(), word);
        let saved = SavedPlan::of(&plan, &ORIGIN);
        assert_eq!(saved.allow.len(), allow.len());
        let back = restored(&cloud, &saved, stacks.clone(), &ORIGIN).await;
        assert_eq!(back, Ok(plan));
        // Protection that was switched on since holds against a loss that was named.
        cloud.amend("canary-database", |f| {
            f.termination_protection = true;
        });
        let back = restored(&cloud, &saved, stacks, &ORIGIN).await;
        assert_eq!(back.is_err(), word == "update");
    }
}

#[test]
fn invalid_saved_plan_is_refused() {
    for (text, part) in [
        ("{", "no plan of kube-cfn"),
        (r#"{"kind": "other"}"#, "`kind` is not kube-cfn/plan"),
        (r#"{"kind": "kube-cfn/plan", "schema": 2}"#, "schema 2"),
        (r#"{"kind": "kube-cfn/plan", "schema": 1}"#, "missing field"),
    ] {
        let error = SavedPlan::read(text).expect_err(text).to_string();
        assert!(error.contains(part), "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn drift_is_read_of_settled_stacks_and_a_refusal_is_not_fatal() {
    let (cloud, stacks) = edge().await;
    let difference = Difference {
        path: "Properties.Name".to_owned(),
        expected: None,
        actual: Some("by-hand".to_owned()),
    };
    let drift = Drift {
        logical_id: "Lb".to_owned(),
        resource_type: LB.to_owned(),
        deleted: false,
        differences: vec![difference],
    };
    assert!(cloud.change_property("canary-edge", "Lb", "Name", json!("by-hand")));
    let denied = CloudError::Denied {
        caller_may_not: "it may not detect drift".to_owned(),
        action: None,
    };
    cloud.refuse("drift", "canary-base", 1, &denied);
    let plan = live(&cloud, stacks.clone()).await;
    assert_eq!(cloud.called("drift").len(), 6);
    assert_eq!(plan.steps[2].drift[0].drift, drift);
    assert!(plan.steps[2].drift[0].overwritten.is_empty());
    assert_eq!(
        plan.steps[0].drift_unknown.as_deref(),
        Some("it may not detect drift")
    );
    assert_eq!(plan.steps[1].drift_unknown, None);
    let (cloud, stacks) = edge().await;
    planned(&cloud, stacks).await;
    assert!(cloud.called("drift").is_empty());
}

#[tokio::test(start_paused = true)]
async fn early_validation_blocks_only_its_stack() {
    let (cloud, stacks) = edge().await;
    let findings = ["one", "two"].map(|reason| Finding {
        logical_id: Some("Lb".to_owned()),
        path: Some("Properties.Name".to_owned()),
        reason: reason.to_owned(),
    });
    let invalid = CloudError::Invalid {
        stack: "canary-edge".to_owned(),
        reason: "two findings".to_owned(),
        findings: findings.to_vec(),
    };
    cloud.refuse("create_change_set", "", 1, &invalid);
    let plan = planned(&cloud, stacks.clone()).await;
    let (kind, why) = plan.blocked().next().expect("blocked");
    assert_eq!((kind, why.by_guard), (&StackKind::Edge, false));
    assert_eq!(
        why.reason,
        "AWS refused the template of canary-edge: two findings"
    );
    assert_eq!(plan.steps[2].findings, findings);
    assert_eq!(plan.blocked().count(), 1);
    let saved = SavedPlan::of(&plan, &ORIGIN);
    assert_eq!(restored(&cloud, &saved, stacks, &ORIGIN).await, Ok(plan));
}

#[tokio::test(start_paused = true)]
async fn unknown_value_names_its_producer() {
    let cloud = TestCloud::standing().await;
    let mut plan = planned(&cloud, altered(&StackKind::ControlPlane)).await;
    let step = &mut plan.steps[4];
    step.action = Action::Update(ChangeSet {
        id: "set".to_owned(),
        stack_id: "canary-control-plane".to_owned(),
        changes: Vec::new(),
        warnings: Vec::new(),
    });
    let property = |after: &str, cause: &str| PropertyChange {
        path: "Properties.UserData".to_owned(),
        before: None,
        after: Some(after.to_owned()),
        recreates: Replacement::No,
        cause: (!cause.is_empty()).then(|| cause.to_owned()),
    };
    let unknown = crate::cloud::KNOWN_AFTER_APPLY;
    for (after, cause, producer) in [
        (unknown, "Host", Some("edge")),
        (unknown, "Volume.Arn", Some("Volume.Arn")),
        (unknown, "", None),
        ("api.example", "Host", None),
        ("x", "Volume.Arn", None),
    ] {
        let is = step.producer(&property(after, cause));
        assert_eq!(is.as_deref(), producer, "{after} {cause}");
    }
}
