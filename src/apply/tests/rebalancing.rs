//! `AZRebalance` in groups over several zones, and the sizes that run, through plans and runs.

use super::*;
use crate::apply::RunOutcome;
use crate::cloud::LiveStack;
use crate::plan::Action;

const GROUP_ID: &str = "Group";

/// The small cluster with a pool over two zones.
fn regional(max: u32) -> Vec<Stack> {
    let mut stacks = stacks();
    for stack in &mut stacks {
        if stack.kind == StackKind::Pool("workers".to_owned()) {
            *property(stack, GROUP_ID, "VPCZoneIdentifier") = json!(["subnet-a", "subnet-b"]);
            *property(stack, GROUP_ID, "MinSize") = json!("1");
            *property(stack, GROUP_ID, "MaxSize") = json!(max.to_string());
        }
    }
    stacks
}

fn pool(cloud: &TestCloud) -> LiveStack {
    cloud.found("canary-pool-workers")
}

fn denied(action: &str) -> CloudError {
    CloudError::Denied {
        caller_may_not: format!("the caller may not {action}"),
        action: Some(action.to_owned()),
    }
}

fn rebalancing(cloud: &TestCloud) -> Vec<String> {
    cloud.rebalancing_groups("canary-pool-workers")
}

#[tokio::test(start_paused = true)]
async fn new_pool_over_several_zones_has_its_rebalancing_suspended() {
    let cloud = TestCloud::standing_as(regional(5)).await;
    assert_eq!(rebalancing(&cloud), Vec::<String>::new());
    let plan = planned(&cloud, regional(5)).await;
    assert!(!plan.has_changes());
    let groups = cloud.calls().by_verb()["suspend"];
    assert_eq!(groups, 1, "the control plane's groups have one zone each");
}

#[tokio::test(start_paused = true)]
async fn resumed_rebalancing_is_a_change_that_the_next_run_makes() {
    let cloud = TestCloud::standing_as(regional(5)).await;
    assert!(cloud.resume("canary-pool-workers", GROUP_ID));
    let before = pool(&cloud);
    let plan = planned(&cloud, regional(5)).await;
    assert!(plan.has_changes());
    let (report, events) = go(&cloud, plan).await;
    assert_eq!(report.outcome(), RunOutcome::Done);
    assert!(outcome_lines(&report).contains(&"pool-workers Updated".to_owned()));
    let said = notes(&events);
    assert!(
        said.iter()
            .any(|note| note.starts_with("suspended AZRebalance")),
        "{said:?}"
    );
    assert_eq!(rebalancing(&cloud), Vec::<String>::new());
    assert_eq!(pool(&cloud), before, "CloudFormation has nothing to do");
    assert!(!planned(&cloud, regional(5)).await.has_changes());
}

#[tokio::test(start_paused = true)]
async fn rebalancing_that_can_not_be_suspended_fails_the_stack_and_the_next_run_does_it() {
    let cloud = TestCloud::new();
    cloud.refuse("suspend", "", 1, &denied("autoscaling:SuspendProcesses"));
    let plan = planned(&cloud, regional(5)).await;
    let (report, _) = go(&cloud, plan).await;
    assert_eq!(report.outcome(), RunOutcome::NeedsManualAction);
    let lines = outcome_lines(&report).join("\n");
    assert!(
        lines.contains(
            "AZRebalance could not be suspended: the caller may not autoscaling:SuspendProcesses"
        ),
        "{lines}"
    );
    let plan = planned(&cloud, regional(5)).await;
    assert!(plan.has_changes());
    let (report, _) = go(&cloud, plan).await;
    assert_eq!(report.outcome(), RunOutcome::Done);
    assert_eq!(rebalancing(&cloud), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn lost_answer_to_a_suspension_is_asked_again() {
    let cloud = TestCloud::new();
    cloud.strike(
        "suspend",
        "",
        2,
        FaultKind::AnswerLost(unreachable("suspend")),
    );
    let plan = planned(&cloud, regional(5)).await;
    let (report, _) = go(&cloud, plan).await;
    assert_eq!(report.outcome(), RunOutcome::Done);
    assert_eq!(rebalancing(&cloud), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn pool_in_the_place_of_a_leftover_has_its_rebalancing_suspended() {
    let cloud = TestCloud::new();
    cloud.fails(
        "canary-pool-workers",
        GROUP_ID,
        Operation::Create,
        "no capacity",
    );
    let plan = planned(&cloud, regional(5)).await;
    go(&cloud, plan).await;
    let plan = planned(&cloud, regional(5)).await;
    assert!(plan.steps.iter().any(|step| step.action == Action::Replace));
    let (report, _) = go(&cloud, plan).await;
    assert_eq!(
        report.outcome(),
        RunOutcome::Done,
        "{:?}",
        outcome_lines(&report)
    );
    assert_eq!(rebalancing(&cloud), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn maximum_below_the_running_size_is_refused() {
    let cloud = TestCloud::standing_as(regional(5)).await;
    assert!(cloud.scale("canary-pool-workers", GROUP_ID, 4));
    let plan = planned(&cloud, regional(3)).await;
    assert!(plan.is_refused());
    let (kind, why) = plan.blocked().next().expect("refused");
    assert_eq!(kind.to_string(), "pool-workers");
    assert!(why.remedy.starts_with("write `max: 4`"), "{}", why.remedy);
    let plan = planned(&cloud, regional(4)).await;
    let (report, _) = go(&cloud, plan).await;
    assert_eq!(report.outcome(), RunOutcome::Done);
}

#[tokio::test(start_paused = true)]
async fn denied_read_of_a_group_is_unknown_in_the_plan() {
    let cloud = TestCloud::standing_as(regional(5)).await;
    cloud.refuse(
        "group",
        "",
        9,
        &denied("autoscaling:DescribeAutoScalingGroups"),
    );
    let plan = planned(&cloud, regional(3)).await;
    let steps = plan
        .steps
        .iter()
        .filter(|step| step.stack.kind.to_string() == "pool-workers");
    let steps: Vec<_> = steps.collect();
    assert!(matches!(steps[0].action, Action::Update(_)));
    let unknown = &steps[0].sizes.unknown;
    assert_eq!(unknown.len(), 1, "{unknown:?}");
    assert!(
        unknown[0].contains("how many machines run") && unknown[0].contains("the caller may not"),
        "{unknown:?}"
    );
}
