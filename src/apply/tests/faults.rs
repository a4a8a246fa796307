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
async fn polls_that_fail_never_change_the_verdict() {
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
async fn a_failure_stays_a_failure_when_the_last_polls_fail() {
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
async fn ten_minutes_without_any_answer_end_in_detaching_not_in_a_verdict() {
    let cloud = TestCloud::new();
    let plan = planned(&cloud, network()).await;
    cloud.refuse("events", "", 200, &unreachable("DescribeStackEvents"));
    let (report, _) = go(&cloud, plan).await;
    assert_eq!(report.outcome(), RunOutcome::Detached);
    assert!(report.outcomes.is_empty());
    assert!(report.running[0].reason.contains("connection reset"));
}

#[tokio::test(start_paused = true)]
async fn credentials_that_expire_detach_and_leave_the_dependants_waiting() {
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
async fn a_creation_whose_answer_was_lost_is_found_by_its_token() {
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
async fn an_execution_whose_answer_was_lost_is_found_by_its_token() {
    let cloud = TestCloud::standing().await;
    let plan = planned(&cloud, altered_network()).await;
    let lost = FaultKind::AnswerLost(unreachable("ExecuteChangeSet"));
    cloud.strike("execute", "", 1, lost);
    let (report, _) = go(&cloud, plan).await;
    assert_eq!(outcome_lines(&report), ["network Updated"]);
}

#[tokio::test(start_paused = true)]
async fn a_write_that_is_never_answered_is_not_called_a_failure() {
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
async fn the_second_of_two_runs_follows_the_first_and_keeps_its_work() {
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
async fn an_update_held_up_by_another_run_is_looked_at_again_before_it_goes_on() {
    let cloud = TestCloud::standing().await;
    let plan = planned(&cloud, altered_network()).await;
    cloud.touch("canary-network", "Vpc");
    let (report, _) = go(&cloud, plan).await;
    assert_eq!(outcome_lines(&report), ["network Updated"]);
    assert_eq!(cloud.called("propose").len(), 2);
    assert_eq!(cloud.orphans(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_stack_of_that_name_that_is_not_ours_is_left_alone() {
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
async fn what_runs_already_is_followed_then_brought_up_to_date() {
    let cloud = TestCloud::standing().await;
    cloud.touch("canary-network", "Vpc");
    let plan = planned(&cloud, altered_network()).await;
    assert!(matches!(plan.steps[0].action, Action::Follow(_)));
    let (report, _) = go(&cloud, plan).await;
    assert_eq!(outcome_lines(&report), ["network Updated"]);
}

#[tokio::test(start_paused = true)]
async fn after_following_nothing_is_replaced_that_was_not_shown() {
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
async fn a_failed_plan_leaves_no_change_set_behind() {
    let cloud = TestCloud::standing().await;
    let mut wanted = stacks();
    for kind in stacks().into_iter().map(|stack| stack.kind) {
        wanted = altered_in(wanted, &kind);
    }
    cloud.refuse("propose", "canary-edge", 1, &throttled());
    let answer = planned_with(&cloud, wanted, &[]).await;
    assert!(answer.is_err());
    assert_eq!(cloud.orphans(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_stale_old_status_right_after_the_call_is_not_the_end() {
    let cloud = TestCloud::standing().await;
    let reason = "no such storage";
    cloud.fails("canary-database", "Database", Operation::Update, reason);
    let plan: Plan = planned(&cloud, altered(&StackKind::Database)).await;
    // For some time every read shows the status of before.
    let stale = FaultKind::Stale(Duration::from_mins(1));
    cloud.strike("stack", "canary-database", 8, stale.clone());
    cloud.strike("moving", "", 8, stale);
    let (report, _) = go(&cloud, plan).await;
    assert_eq!(
        outcome_lines(&report)[3],
        "database rolled back: no such storage",
        "{:?}",
        cloud.called("stack")
    );
}

#[tokio::test(start_paused = true)]
async fn a_change_set_that_another_run_swept_away_is_asked_for_again() {
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
async fn a_stack_that_never_comes_to_rest_for_us_is_given_up() {
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
