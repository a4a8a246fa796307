//! Drift on the simulated AWS: what a plan makes of it, and what a run that sets it back leaves.

use super::*;
use crate::plan::{Action, Code, DriftDetection, DriftState};

/// A plan that looks for drift in this way.
async fn looking(cloud: &TestCloud, stacks: Vec<Stack>, drift: DriftDetection) -> Plan {
    let allow = BTreeSet::new();
    let terms = PlanOptions {
        drift,
        ..PlanOptions::new("r1", &allow, &allow)
    };
    let survey = survey(&cloud.cloud, CLUSTER).await.expect("a survey");
    let wanted = draft(stacks, &survey, &BTreeMap::new());
    resolve(wanted, &cloud.cloud, &terms).await.expect("a plan")
}

#[tokio::test(start_paused = true)]
async fn drift_needing_action_is_found_by_a_run_that_would_change_nothing() {
    let cloud = TestCloud::standing().await;
    assert!(cloud.change_property("canary-edge", "Lb", "Name", json!("by-hand")));
    let plan = looking(&cloud, stacks(), DriftDetection::ChangedOnly).await;
    assert!(!plan.has_changes());
    let found: Vec<_> = plan.drift_needing_action().collect();
    assert_eq!(found.len(), 1, "{found:?}");
    let way = found[0].remedy.as_deref().expect("a remedy");
    assert_eq!(
        way,
        "to set it back: `kube-cfn apply canary --revert-drift`"
    );
    // Where it changes another stack it looks there alone.
    let other = altered(&StackKind::Base);
    let plan = looking(&cloud, other, DriftDetection::ChangedOnly).await;
    assert_eq!(plan.drift_needing_action().count(), 0);
    assert!(plan.steps.iter().any(|step| !step.drift_checked));
}

#[tokio::test(start_paused = true)]
async fn drift_is_set_back_and_what_is_gone_created_again() {
    for gone in [false, true] {
        let cloud = TestCloud::standing().await;
        if gone {
            assert!(cloud.delete_resource("canary-edge", "Lb"));
        } else {
            assert!(cloud.change_property("canary-edge", "Lb", "Name", json!("by-hand")));
        }
        let plan = looking(&cloud, stacks(), DriftDetection::Revert).await;
        let edge = &plan.steps[2];
        assert!(matches!(edge.action, Action::Update(_)), "{edge:?}");
        assert_eq!(edge.drift[0].state, DriftState::Overwritten);
        assert_eq!(plan.drift_needing_action().count(), 0);
        let others = plan.steps.iter().filter(|step| step.reverts_drift);
        assert_eq!(others.count(), 1, "one stack differs");
        let (report, _) = go(&cloud, plan).await;
        assert!(
            outcome_lines(&report)
                .iter()
                .all(|line| !line.contains("failed")),
            "{report:?}"
        );
        let plan = looking(&cloud, stacks(), DriftDetection::All).await;
        assert!(
            plan.steps.iter().all(|step| step.drift.is_empty()),
            "{gone}"
        );
        assert!(!plan.has_changes());
    }
}

#[tokio::test(start_paused = true)]
async fn update_of_a_stack_with_a_gone_resource_is_blocked_before_any_stack() {
    let cloud = TestCloud::standing().await;
    assert!(cloud.delete_resource("canary-edge", "Lb"));
    let plan = looking(
        &cloud,
        altered(&StackKind::Edge),
        DriftDetection::ChangedOnly,
    )
    .await;
    let (kind, why) = plan.blocked().next().expect("blocked");
    assert_eq!(*kind, StackKind::Edge);
    assert!(why.reason.contains("was deleted outside"), "{why:?}");
    assert!(why.remedy.contains("--revert-drift"), "{why:?}");
    assert!(!why.by_guard);
}

#[tokio::test(start_paused = true)]
async fn drift_that_could_not_be_looked_for_is_unknown() {
    let cloud = TestCloud::standing().await;
    let denied = CloudError::Denied {
        caller_may_not: "it may not detect drift".to_owned(),
        action: None,
    };
    cloud.refuse("drift", "canary-base", 1, &denied);
    let plan = looking(&cloud, stacks(), DriftDetection::ChangedOnly).await;
    assert_eq!(plan.drift_unknown(), Some((1, "it may not detect drift")));
    assert!(!plan.steps[0].drift_checked);
}

#[tokio::test(start_paused = true)]
async fn stack_in_which_aws_sets_something_not_back_is_not_reverted() {
    let wanted = with_database(&[("AllocatedStorage", "20"), ("MaxAllocatedStorage", "100")]);
    let cloud = TestCloud::standing_as(wanted.clone()).await;
    let change = |path: &str, value| {
        assert!(cloud.change_property("canary-database", "Database", path, value));
    };
    change("AllocatedStorage", json!("40"));
    let plan = looking(&cloud, wanted.clone(), DriftDetection::All).await;
    assert!(plan.steps[3].drift.is_empty());
    assert_eq!(plan.steps[3].sizes.grown[0].live, "40");
    assert_eq!(plan.drift_needing_action().count(), 0);
    change("MultiAZ", json!("true"));
    let plan = looking(&cloud, wanted, DriftDetection::Revert).await;
    assert!(!plan.has_changes());
    let found: Vec<_> = plan.drift_needing_action().collect();
    let way = found[0].remedy.as_deref().expect("a remedy");
    assert!(
        way.contains("AllocatedStorage into the definition")
            && way.ends_with("`kube-cfn apply canary --revert-drift`"),
        "{way}"
    );
}

/// The usual stacks with a database of these properties.
fn with_database(properties: &[(&str, &str)]) -> Vec<Stack> {
    let mut wanted = stacks();
    for (name, value) in properties {
        *property(&mut wanted[3], "Database", name) = json!(value);
    }
    wanted
}

#[tokio::test(start_paused = true)]
async fn setting_back_names_the_backups_that_it_deletes() {
    let wanted = with_database(&[("BackupRetentionPeriod", "7")]);
    let cloud = TestCloud::standing_as(wanted.clone()).await;
    let days = json!("30");
    assert!(cloud.change_property("canary-database", "Database", "BackupRetentionPeriod", days));
    let plan = looking(&cloud, wanted, DriftDetection::Revert).await;
    let (kind, why) = plan.blocked().next().expect("refused");
    assert_eq!((kind, why.code), (&StackKind::Database, Code::DataLoss));
    let name = "--allow-data-loss canary-database/Database.BackupRetentionPeriod";
    assert!(why.by_guard && why.remedy.contains(name), "{why:?}");
}

#[tokio::test(start_paused = true)]
async fn setting_back_never_terminates_machines_that_run() {
    let mut wanted = stacks();
    *property(&mut wanted[5], "Group", "MaxSize") = json!("4");
    let cloud = TestCloud::standing_as(wanted.clone()).await;
    assert!(cloud.change_property("canary-pool-workers", "Group", "MaxSize", json!("10")));
    assert!(cloud.scale("canary-pool-workers", "Group", 8));
    let plan = looking(&cloud, wanted, DriftDetection::Revert).await;
    let (_, why) = plan.blocked().next().expect("refused");
    assert_eq!(why.code, Code::MaxBelowRunning);
    assert!(why.reason.starts_with("8 machines run"), "{why:?}");
}

#[tokio::test(start_paused = true)]
async fn setting_back_plans_no_downgrade_of_the_engine() {
    let wanted = with_database(&[("EngineVersion", "18.4"), ("MultiAZ", "false")]);
    let cloud = TestCloud::standing_as(wanted.clone()).await;
    let change = |path: &str, value| {
        assert!(cloud.change_property("canary-database", "Database", path, value));
    };
    change("EngineVersion", json!("18.5"));
    change("MultiAZ", json!("true"));
    let plan = looking(&cloud, wanted, DriftDetection::Revert).await;
    assert!(!plan.has_changes(), "{:?}", plan.steps[3].action);
    let found: Vec<_> = plan.drift_needing_action().collect();
    let way = found[0].remedy.as_deref().expect("a remedy");
    assert!(way.contains("EngineVersion into the definition"), "{way}");
    // Written down, the rest can be set back.
    let written = with_database(&[("EngineVersion", "18.5"), ("MultiAZ", "false")]);
    let plan = looking(&cloud, written.clone(), DriftDetection::ChangedOnly).await;
    assert!(plan.steps[3].sizes.grown.is_empty());
    let (report, _) = go(&cloud, plan).await;
    assert_eq!(outcome_lines(&report)[3], "database Updated");
    change("MultiAZ", json!("true"));
    let plan = looking(&cloud, written, DriftDetection::Revert).await;
    let action = &plan.steps[3].action;
    assert!(matches!(action, Action::Update(_)), "{action:?}");
}

#[tokio::test(start_paused = true)]
async fn loss_of_a_stack_that_waits_for_others_is_refused_before_the_first() {
    let cloud = TestCloud::standing_as(with_database(&[("BackupRetentionPeriod", "30")])).await;
    let mut wanted = with_database(&[("BackupRetentionPeriod", "7")]);
    // An output that the network does not have yet.
    wanted[1].template["Outputs"]["Later"] = json!({"Value": "later"});
    takes(&mut wanted[3], "Later", &StackKind::Network, "Later");
    let name = "canary-database/Database.BackupRetentionPeriod";
    let plan = planned(&cloud, wanted.clone()).await;
    let (_, why) = plan.blocked().next().expect("refused");
    assert!(why.by_guard && why.remedy.contains(name), "{why:?}");
    // What is named is allowed to the end, and so is what only the change set of the run shows.
    *property(&mut wanted[3], "Database", REPLACES) = json!({"Ref": "Later"});
    let both = [name, "canary-database/Database"];
    let plan = planned_with(&cloud, wanted.clone(), &[name])
        .await
        .expect("a plan");
    assert_eq!(plan.steps[3].action, Action::Deferred);
    let (report, _) = go(&cloud, plan).await;
    assert!(!outcome_lines(&report)[3].contains("Updated"), "{report:?}");
    let plan = planned_with(&cloud, wanted, &both).await.expect("a plan");
    let (report, _) = go(&cloud, plan).await;
    assert_eq!(outcome_lines(&report)[3], "database Updated");
}
