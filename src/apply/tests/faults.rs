//! A run against a cloud that answers late, twice, wrongly or not at all.

use std::time::Duration;

use super::*;
use crate::apply::{RunOutcome, RunReport};
use crate::cloud::CloudError;
use crate::events::{Event, Outcome};
use crate::plan::{Action, Plan};
use crate::simulated::FaultKind;
use crate::stacks::{Stack, StackKind};

fn throttled() -> CloudError {
    CloudError::Throttled("Rate exceeded".to_owned())
}

/// The network alone, altered.
fn altered_network() -> Vec<Stack> {
    altered_in(network(), &StackKind::Network)
}

fn outcome(report: &RunReport) -> &Outcome {
    &report.outcomes.first().expect("one outcome").1
}

#[tokio::test(start_paused = true)]
async fn failed_polls_never_change_the_outcome() {
    let cloud = TestCloud::new();
    let plan = planned(&cloud, network()).await;
    cloud.refuse("events", "", 12, &throttled());
    cloud.refuse("stack", "", 3, &unreachable("DescribeStacks"));
    let (report, events) = go(&cloud, plan).await;
    assert_eq!(*outcome(&report), Outcome::Created);
    assert_eq!(report.outputs[&StackKind::Network]["VpcId"], "vpc-1");
    let count = notes(&events)
        .iter()
        .filter(|text| text.contains("can't be read at the moment"))
        .count();
    assert!((1..=2).contains(&count), "{:?}", notes(&events));
}

#[tokio::test(start_paused = true)]
async fn failure_is_reported_although_the_last_polls_fail() {
    let cloud = TestCloud::new();
    let reason = "limit of 5 VPCs reached";
    cloud.fails("canary-network", "Vpc", Operation::Create, reason);
    let plan = planned(&cloud, network()).await;
    cloud.refuse("stack", "", 4, &throttled());
    let (report, _) = go(&cloud, plan).await;
    assert_eq!(
        outcome_lines(&report),
        ["network rolled back: limit of 5 VPCs reached"]
    );
}

#[tokio::test(start_paused = true)]
async fn ten_minutes_without_answers_detach() {
    let cloud = TestCloud::new();
    let plan = planned(&cloud, network()).await;
    cloud.refuse("events", "", 200, &unreachable("DescribeStackEvents"));
    let (report, _) = go(&cloud, plan).await;
    assert_eq!(report.outcome(), RunOutcome::Detached);
    assert!(report.outcomes.is_empty());
    assert!(report.running[0].reason.contains("connection reset"));
}

#[tokio::test(start_paused = true)]
async fn expired_credentials_detach_and_dependent_stacks_wait() {
    let cloud = TestCloud::new();
    let plan = planned(&cloud, stacks()).await;
    cloud.refuse("events", "canary-edge", 9, &expired());
    let (report, events) = go(&cloud, plan).await;
    assert_eq!(report.outcome(), RunOutcome::Detached);
    // Base, edge and database, all in the same moment: the first that hears it tells everybody.
    assert_eq!(report.running.len(), 3, "{:?}", outcome_lines(&report));
    let expired = |why: &str| why.contains("the token has expired");
    assert!(
        report
            .running
            .iter()
            .all(|running| expired(&running.reason))
    );
    assert_eq!(report.waiting.len(), 2);
    assert!(notes(&events).iter().any(|text| {
        text.starts_with("nothing more is started, AWS continues what runs") && expired(text)
    }));
    let settled = |event: &&Event| matches!(event, Event::StackSettled { stack, .. } if *stack == StackKind::Edge);
    assert_eq!(events.iter().filter(settled).count(), 0);
}

#[tokio::test(start_paused = true)]
async fn creation_with_lost_answer_is_found_by_its_token() {
    let cloud = TestCloud::new();
    let plan = planned(&cloud, network()).await;
    let lost = FaultKind::AnswerLost(unreachable("CreateStack"));
    cloud.strike("create", "", 1, lost);
    let (report, _) = go(&cloud, plan).await;
    assert_eq!(*outcome(&report), Outcome::Created);
    assert_eq!(cloud.called("create").len(), 2);
    assert_eq!(cloud.all_stacks().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn execution_with_lost_answer_is_found_by_its_token() {
    let cloud = TestCloud::standing().await;
    let plan = planned(&cloud, altered_network()).await;
    let lost = FaultKind::AnswerLost(unreachable("ExecuteChangeSet"));
    cloud.strike("execute", "", 1, lost);
    let (report, _) = go(&cloud, plan).await;
    assert_eq!(outcome_lines(&report), ["network Updated"]);
}

/// The answer of the first try is lost, the second one is refused although the first had its effect.
fn lost_then(cloud: &TestCloud, verb: &'static str, error: CloudError) {
    cloud.strike(verb, "", 1, FaultKind::Refused(error));
    cloud.strike(verb, "", 1, FaultKind::AnswerLost(unreachable(verb)));
}

#[tokio::test(start_paused = true)]
async fn lost_requests_are_found_by_their_token_when_the_next_try_is_refused() {
    let conflict = |text: &str| CloudError::Conflict(text.to_owned());
    let cloud = TestCloud::new();
    let plan = planned(&cloud, network()).await;
    lost_then(&cloud, "create", conflict("canary-network already exists"));
    let (report, _) = go(&cloud, plan).await;
    assert_eq!(outcome_lines(&report), ["network Created"]);

    let cloud = TestCloud::standing().await;
    let plan = planned(&cloud, altered_network()).await;
    let gone = CloudError::NotFound("change set".to_owned());
    lost_then(&cloud, "execute", gone);
    let (report, events) = go(&cloud, plan).await;
    assert_eq!(outcome_lines(&report), ["network Updated"]);
    assert!(
        notes(&events)
            .iter()
            .all(|text| !text.contains("following it"))
    );
}

#[tokio::test(start_paused = true)]
async fn lost_requests_may_have_begun_when_the_credentials_expire_or_nothing_can_be_listed() {
    let cloud = TestCloud::standing().await;
    let plan = planned(&cloud, altered_network()).await;
    lost_then(&cloud, "execute", expired());
    cloud.refuse("events", "", 9, &unreachable("DescribeStackEvents"));
    let (report, _) = go(&cloud, plan).await;
    assert_eq!(report.outcome(), RunOutcome::Detached);
    assert_eq!(report.running.len(), 1, "{:?}", report.waiting);

    let cloud = TestCloud::new();
    let plan = planned(&cloud, network()).await;
    let exists = CloudError::Conflict("canary-network already exists".to_owned());
    lost_then(&cloud, "create", exists);
    cloud.refuse("stacks", "", 9, &unreachable("DescribeStacks"));
    let (report, _) = go(&cloud, plan).await;
    assert_eq!(report.outcome(), RunOutcome::Detached);
    assert_eq!(report.running.len(), 1, "{:?}", report.waiting);
}

#[tokio::test(start_paused = true)]
async fn write_without_answer_is_no_failure() {
    let cloud = TestCloud::new();
    let plan = planned(&cloud, network()).await;
    cloud.refuse("create", "", 9, &unreachable("CreateStack"));
    let (report, _) = go(&cloud, plan).await;
    assert_eq!(report.outcome(), RunOutcome::Detached);
    assert!(
        report.running[0]
            .reason
            .contains("whether it began is not known")
    );
}

#[tokio::test(start_paused = true)]
async fn second_run_follows_the_first() {
    let cloud = TestCloud::new();
    let plan = planned(&cloud, network()).await;
    assert_eq!(plan.steps[0].action, Action::Create);
    // Between plan and apply somebody else creates the same stack.
    cloud.begin(&network()[0]).await;
    let (report, events) = go(&cloud, plan).await;
    assert_eq!(outcome_lines(&report), ["network Unchanged"]);
    assert_eq!(report.outputs[&StackKind::Network]["VpcId"], "vpc-1");
    assert!(
        notes(&events)
            .iter()
            .any(|text| text.contains("begun elsewhere: following it"))
    );
}

#[tokio::test(start_paused = true)]
async fn update_delayed_by_another_run_is_replanned() {
    let cloud = TestCloud::standing().await;
    let plan = planned(&cloud, altered_network()).await;
    cloud.touch("canary-network", "Vpc");
    let (report, _) = go(&cloud, plan).await;
    assert_eq!(outcome_lines(&report), ["network Updated"]);
    assert_eq!(cloud.called("create_change_set").len(), 2);
    assert_eq!(cloud.orphans(), 0);
}

#[tokio::test(start_paused = true)]
async fn foreign_stack_of_the_same_name_is_left_alone() {
    let cloud = TestCloud::new();
    let mut theirs = network().remove(0);
    theirs
        .tags
        .insert(TAG_CLUSTER.to_owned(), "other".to_owned());
    cloud.begin(&theirs).await;
    cloud.rest().await;
    let plan = planned(&cloud, network()).await;
    let (report, _) = go(&cloud, plan).await;
    let line = &outcome_lines(&report)[0];
    assert!(
        line.contains("already exists; it does not belong to canary"),
        "{line}"
    );
    assert_eq!(report.outcome(), RunOutcome::NeedsManualAction);
}

#[tokio::test(start_paused = true)]
async fn running_operation_is_followed_then_updated() {
    let cloud = TestCloud::standing().await;
    cloud.touch("canary-network", "Vpc");
    let plan = planned(&cloud, altered_network()).await;
    assert!(matches!(plan.steps[0].action, Action::Follow(_)));
    let (report, _) = go(&cloud, plan).await;
    assert_eq!(outcome_lines(&report), ["network Updated"]);
}

#[tokio::test(start_paused = true)]
async fn unplanned_replacement_after_following_is_refused() {
    let mut with_table = network();
    let resources = [("Vpc", "AWS::EC2::VPC"), ("Table", "AWS::EC2::RouteTable")];
    let outputs = [("VpcId", "vpc-1")];
    with_table[0] = stack(StackKind::Network, &resources, &outputs, &[]);
    let cloud = TestCloud::standing_as(with_table.clone()).await;
    cloud.touch("canary-network", "Vpc");
    let wanted = changed(with_table, &StackKind::Network, "Table", "VpcId");
    let plan = planned(&cloud, wanted).await;
    let (report, _) = go(&cloud, plan).await;
    assert!(
        outcome_lines(&report)[0].contains("replace canary-network/Table"),
        "{:?}",
        outcome_lines(&report)
    );
    assert_eq!(cloud.called("execute"), [""; 0]);
    assert_eq!(cloud.orphans(), 0);
}

#[tokio::test(start_paused = true)]
async fn failed_plan_leaves_no_change_set() {
    let cloud = TestCloud::standing().await;
    let mut wanted = stacks();
    for kind in stacks().into_iter().map(|stack| stack.kind) {
        wanted = altered_in(wanted, &kind);
    }
    cloud.refuse("create_change_set", "canary-edge", 1, &throttled());
    let answer = planned_with(&cloud, wanted, &[]).await;
    assert!(answer.is_err());
    assert_eq!(cloud.orphans(), 0);
}

#[tokio::test(start_paused = true)]
async fn stale_status_after_a_request_is_not_the_end() {
    let cloud = TestCloud::standing().await;
    let reason = "no such storage";
    cloud.fails("canary-database", "Database", Operation::Update, reason);
    let plan: Plan = planned(&cloud, altered(&StackKind::Database)).await;
    // For some time every read shows the status of before.
    let stale = FaultKind::Stale(Duration::from_mins(1));
    cloud.strike("stack", "canary-database", 8, stale.clone());
    cloud.strike("in_progress_stacks", "", 8, stale);
    let (report, _) = go(&cloud, plan).await;
    assert_eq!(
        outcome_lines(&report)[3],
        "database rolled back: no such storage",
        "{:?}",
        cloud.called("stack")
    );
}

#[tokio::test(start_paused = true)]
async fn change_set_removed_by_another_run_is_created_again() {
    let cloud = TestCloud::standing().await;
    let plan = planned(&cloud, altered_network()).await;
    // The other run wants the same, and was quicker.
    cloud.update(&altered_network()[0], "somebody-else").await;
    cloud.rest().await;
    let (report, events) = go(&cloud, plan).await;
    assert_eq!(outcome_lines(&report), ["network Unchanged"]);
    assert!(
        notes(&events)
            .iter()
            .any(|text| text.starts_with("changed outside this run"))
    );
}

#[tokio::test(start_paused = true)]
async fn stack_that_others_keep_changing_fails() {
    let cloud = TestCloud::standing().await;
    let plan = planned(&cloud, altered_network()).await;
    let busy = CloudError::Conflict("is being updated".to_owned());
    cloud.refuse("execute", "", 9, &busy);
    let (report, _) = go(&cloud, plan).await;
    assert!(
        outcome_lines(&report)[0].contains("another run or person keeps changing"),
        "{:?}",
        outcome_lines(&report)
    );
    assert_eq!(cloud.called("execute").len(), 3);
    assert_eq!(cloud.orphans(), 0);
}
