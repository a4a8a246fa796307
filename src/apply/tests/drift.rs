//! Drift on the simulated AWS: what a plan makes of it, and what a run that sets it back leaves.

use super::*;
use crate::plan::{Action, DriftDetection, DriftState};

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
    let mut wanted = stacks();
    *property(&mut wanted[3], "Database", "AllocatedStorage") = json!("20");
    let cloud = TestCloud::standing_as(wanted.clone()).await;
    let change = |path: &str, value| {
        assert!(cloud.change_property("canary-database", "Database", path, value));
    };
    change("AllocatedStorage", json!("40"));
    let plan = looking(&cloud, wanted.clone(), DriftDetection::All).await;
    assert_eq!(plan.steps[3].drift[0].state, DriftState::Expected);
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
