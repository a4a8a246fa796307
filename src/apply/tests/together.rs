//! Several runs and people on one cluster: meeting, watching, cancelling, and ending without a verdict.

use std::time::Duration;

use tokio::sync::mpsc::unbounded_channel;
use tokio::time::sleep;

use super::*;
use crate::apply::{
    CancelEffect, Cancellation, OnExternalOperation, RunOutcome, RunReport, Session, cancel,
    cancellations,
};
use crate::cloud::StackStatus;
use crate::events::{Event, Outcome, Retained, Verb};
use crate::plan::{Guard, deletion, survey};
use crate::stacks::StackKind;

#[tokio::test(start_paused = true)]
async fn external_operation_names_the_run_that_began_it() {
    let cloud = TestCloud::standing().await;
    let theirs = &altered(&StackKind::Edge)[2];
    cloud.update(theirs, "kcfn-18a2f-canary-edge-execute").await;
    let since = cloud.now();
    let plan = planned(&cloud, stacks()).await;
    let (report, events) = go(&cloud, plan).await;
    assert_eq!(
        report.outcome(),
        RunOutcome::Done,
        "{:?}",
        outcome_lines(&report)
    );
    let met = format!("UPDATE_IN_PROGRESS since {since:.0}, begun by run 18a2f: following it");
    assert!(notes(&events).contains(&met), "{:?}", notes(&events));
}

#[tokio::test(start_paused = true)]
async fn external_operation_fails_the_run_on_request() {
    let cloud = TestCloud::standing().await;
    cloud.removed("canary-database").await;
    cloud.touch("canary-edge", "Lb");
    let plan = planned(&cloud, stacks()).await;
    let stops =
        |session: &mut Session<'_>| session.on_external_operation = OnExternalOperation::Fail;
    let (report, _) = go_as(&cloud, plan, stops, std::future::pending()).await;
    assert_eq!(report.outcome(), RunOutcome::Detached);
    let why = &report.running[0].reason;
    assert!(
        why.starts_with("UPDATE_IN_PROGRESS since ") && why.ends_with("begun elsewhere"),
        "{why}"
    );
    assert_eq!(cloud.called("create"), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn expired_credentials_start_no_operation() {
    let cloud = TestCloud::new();
    let plan = planned(&cloud, stacks()).await;
    cloud.refuse("create", "canary-network", 1, &expired());
    let (report, events) = go(&cloud, plan).await;
    assert_eq!(report.outcome(), RunOutcome::Detached);
    assert_eq!(
        report.running.len(),
        1,
        "the base was just begun: {:?}",
        report.running
    );
    assert_eq!(report.waiting.len(), 5);
    assert_eq!(cloud.called("create").len(), 2);
    assert!(cloud.elapsed() < Duration::from_secs(2));
    let verdict = |event: &Event| matches!(event, Event::RunFinished { .. });
    assert!(!events.iter().any(verdict));
}

#[tokio::test(start_paused = true)]
async fn stack_that_never_began_needs_no_manual_action() {
    let cloud = TestCloud::new();
    let plan = planned(&cloud, stacks()).await;
    cloud.refuse("upload", "", 9, &unreachable("PutObject"));
    let (report, _) = go(&cloud, plan).await;
    let line = &outcome_lines(&report)[4];
    assert!(
        line.starts_with("control-plane not begun: uploading node/1.tar.gz"),
        "{line}"
    );
    assert_eq!(report.outcome(), RunOutcome::NotBegun);
}

async fn watched(cloud: &TestCloud, stop: impl Future<Output = ()>) -> (RunReport, Vec<Event>) {
    watched_while(cloud, async || false, stop).await
}

/// Watches beside a run that holds the operation lock as long as it `goes_on`.
async fn watched_while(
    cloud: &TestCloud,
    goes_on: impl AsyncFn() -> bool,
    stop: impl Future<Output = ()>,
) -> (RunReport, Vec<Event>) {
    let found = survey(&cloud.cloud, CLUSTER).await.expect("a survey");
    let (events, heard) = unbounded_channel();
    let session = Session::new("w1", &events);
    cloud.began.set(cloud.now());
    let report = crate::apply::watch(&found, &cloud.cloud, &session, goes_on, stop).await;
    (report, received(heard))
}

#[tokio::test(start_paused = true)]
async fn watch_follows_running_and_new_operations_without_changes() {
    let cloud = TestCloud::standing().await;
    let reason = "storage is full";
    cloud.fails("canary-database", "Database", Operation::Update, reason);
    cloud.touch("canary-edge", "Lb");
    let (report, events) = tokio::join!(watched(&cloud, std::future::pending()), async {
        sleep(Duration::from_secs(25)).await;
        cloud.touch("canary-database", "Database");
    })
    .0;
    let mut lines = outcome_lines(&report);
    lines.sort();
    assert_eq!(
        lines,
        [
            "base at rest in CREATE_COMPLETE",
            "control-plane at rest in CREATE_COMPLETE",
            "database rolled back: storage is full",
            "edge Updated",
            "network at rest in CREATE_COMPLETE",
            "pool-workers at rest in CREATE_COMPLETE",
        ]
    );
    assert_eq!(report.outcome(), RunOutcome::RolledBack);
    assert!(matches!(
        &events[0],
        Event::RunStarted {
            verb: Verb::Update,
            ..
        }
    ));
    for method in [
        "create",
        "execute",
        "set_protection",
        "delete",
        "create_change_set",
        "delete_change_set",
    ] {
        assert_eq!(cloud.called(method), [""; 0], "{method}");
    }
}

#[tokio::test(start_paused = true)]
async fn watch_of_settled_stacks_ends_at_once_and_detaches_on_stop() {
    let cloud = TestCloud::standing().await;
    let (report, _) = watched(&cloud, std::future::pending()).await;
    assert_eq!(report.outcome(), RunOutcome::Done);
    let lines = outcome_lines(&report);
    assert_eq!(lines[0], "base at rest in CREATE_COMPLETE", "{lines:?}");
    assert_eq!(report.outcomes.len(), 6);
    assert!(cloud.elapsed() < Duration::from_secs(1));
    cloud.remove("canary-edge");
    let (report, events) = watched(&cloud, sleep(Duration::from_secs(3))).await;
    assert_eq!(report.outcome(), RunOutcome::Detached);
    assert_eq!(report.running[0].stack, StackKind::Edge);
    assert!(matches!(
        &events[0],
        Event::RunStarted {
            verb: Verb::Delete,
            ..
        }
    ));
}

/// A run holds the lock from its first moment on, before it has a stack, and between two stacks.
#[tokio::test(start_paused = true)]
async fn watch_stays_with_the_run_that_holds_the_lock() {
    let cloud = TestCloud::new();
    let goes_on = async || cloud.elapsed() < Duration::from_secs(100);
    let begin = async {
        sleep(Duration::from_mins(1)).await;
        let plan = planned(&cloud, stacks()).await;
        go(&cloud, plan).await
    };
    let ((report, events), _) = tokio::join!(
        watched_while(&cloud, goes_on, std::future::pending()),
        begin
    );
    assert_eq!(report.outcome(), RunOutcome::Done);
    let lines = outcome_lines(&report);
    assert!(lines.iter().any(|line| line == "base Created"), "{lines:?}");
    let waits = |event: &Event| matches!(event, Event::Note { text, .. } if text.contains("waiting for the run"));
    assert!(events.iter().any(waits));

    let cloud = TestCloud::standing().await;
    let stop = sleep(Duration::from_mins(5));
    let (report, events) = watched_while(&cloud, async || true, stop).await;
    assert!(cloud.elapsed() >= Duration::from_secs(290));
    assert_eq!(report.outcome(), RunOutcome::Detached, "no all-clear");
    let verdict = |event: &Event| matches!(event, Event::RunFinished { .. });
    assert!(!events.iter().any(verdict));
}

async fn offered(cloud: &TestCloud) -> Vec<Cancellation> {
    let found = cloud.stacks(Some(CLUSTER)).await.expect("stacks");
    let all = cancellations(&found, &cloud.cloud).await;
    all.into_iter().map(|one| one.expect("an offer")).collect()
}

async fn done(cloud: &TestCloud, all: &[Cancellation]) -> Vec<String> {
    let answers = cancel(all, &cloud.cloud, "r1").await;
    answers
        .into_iter()
        .map(|(stack, said)| format!("{stack}: {}", said.expect("done")))
        .collect()
}

#[tokio::test(start_paused = true)]
async fn cancel_rolls_back_updates_and_never_deletes_data() {
    let cloud = TestCloud::standing().await;
    cloud.touch("canary-edge", "Lb");
    let all = offered(&cloud).await;
    assert_eq!(all.len(), 1);
    assert_eq!(all[0].effect, CancelEffect::RollsBack);
    done(&cloud, &all).await;
    assert_eq!(cloud.called("cancel_update"), ["0 canary-edge"]);
    cloud.rest().await;
    let status = cloud.found("canary-edge").status;
    assert_eq!(status, StackStatus::UpdateRollbackComplete);

    let cloud = TestCloud::standing().await;
    let database = creating_database(&cloud).await;
    let all = offered(&cloud).await;
    assert_eq!(all[0].effect, CancelEffect::Deleted);
    // Between the offer and the yes the database is done, and the stack is not.
    cloud.sleep(Duration::from_secs(595)).await;
    let said = done(&cloud, &all).await;
    let id = &database_of(&cloud, &database).await;
    assert!(
        said[0].contains(&format!("Database ({id}) is complete and may hold data")),
        "{said:?}"
    );
    assert_eq!(cloud.called("delete"), [""; 0]);
    assert!(matches!(
        &offered(&cloud).await[0].effect,
        CancelEffect::LeftAlone(_)
    ));
    cloud.rest().await;

    creating_database(&cloud).await;
    let all = offered(&cloud).await;
    done(&cloud, &all).await;
    assert_eq!(cloud.called("delete").len(), 1);
    assert_eq!(cloud.called("set_protection").len(), 1);
    // What has begun something else since it was shown is left alone.
    let updating = TestCloud::standing().await;
    updating.touch("canary-edge", "Lb");
    let shown = offered(&updating).await;
    updating.rest().await;
    updating.sleep(Duration::from_secs(5)).await;
    updating.touch("canary-edge", "Lb");
    let said = done(&updating, &shown).await;
    assert!(said[0].contains("it has moved on since"), "{said:?}");
    assert_eq!(updating.called("cancel_update"), [""; 0]);
    // What rests by now is left alone.
    cloud.sleep(Duration::from_mins(10)).await;
    let said = done(&cloud, &all).await;
    assert!(said[0].contains("nothing to cancel"), "{said:?}");
}

/// Somebody else has just begun to create the database again, protected. The stack's ARN.
async fn creating_database(cloud: &TestCloud) -> String {
    cloud.removed("canary-database").await;
    cloud.begin(&stacks()[3]).await;
    cloud.amend("canary-database", |it| it.termination_protection = true);
    cloud.sleep(Duration::from_secs(10)).await;
    cloud.set_up();
    cloud.found("canary-database").id
}

async fn database_of(cloud: &TestCloud, stack: &str) -> String {
    let held = cloud.resources(stack).await.expect("resources");
    held[0].physical_id.clone().expect("a database")
}

async fn deleting(cloud: &TestCloud, stop: impl Future<Output = ()>) -> RunReport {
    let found = survey(&cloud.cloud, CLUSTER).await.expect("a survey");
    let plan = deletion(&found, Guard::Open);
    let (events, _heard) = unbounded_channel();
    let session = Session::new("r1", &events);
    delete_stacks(&plan, cloud, &session, stop).await
}

#[tokio::test(start_paused = true)]
async fn detached_deletion_lists_retained_resources_and_unstarted_stacks() {
    let mut snapshots = stacks();
    snapshots[3].template["Resources"]["Database"]["DeletionPolicy"] = json!("Snapshot");
    let cloud = TestCloud::standing_as(snapshots).await;
    cloud.removed("canary-edge").await;
    cloud.begin(&stacks()[2]).await;
    let report = deleting(&cloud, sleep(Duration::from_secs(30))).await;
    assert_eq!(report.outcome(), RunOutcome::Detached);
    let edge = report
        .running
        .iter()
        .find(|one| one.stack == StackKind::Edge);
    assert_eq!(
        edge.map(|one| one.reason.as_str()),
        Some("its CREATE_IN_PROGRESS continues; its deletion has not begun")
    );
    let begins = report.retained.iter().find_map(|left| match left {
        Retained::Snapshot { begins_with, .. } => begins_with.as_deref(),
        _ => None,
    });
    assert_eq!(begins, Some("canary-database-snapshot-database-"));
}

#[tokio::test(start_paused = true)]
async fn expired_credentials_detach_a_deletion() {
    let cloud = TestCloud::standing().await;
    cloud.refuse("events", "canary-database", 9, &expired());
    let report = deleting(&cloud, std::future::pending()).await;
    assert_eq!(report.outcome(), RunOutcome::Detached);
    let good = |(_, outcome): &(StackKind, Outcome)| outcome.is_good();
    assert!(report.outcomes.iter().all(good));
    assert!(
        report
            .running
            .iter()
            .all(|one| one.reason.contains("expired"))
    );
}

/// Waits until a stack is gone for good.
async fn gone(cloud: &TestCloud, stack: &str) {
    while cloud.found(stack).status != StackStatus::DeleteComplete {
        cloud.sleep(Duration::from_secs(1)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn stack_that_goes_while_others_change_is_named_at_the_end() {
    let cloud = TestCloud::standing().await;
    let plan = planned(&cloud, altered(&StackKind::Database)).await;
    let ((report, _), ()) = tokio::join!(go(&cloud, plan), async {
        sleep(Duration::from_secs(2)).await;
        cloud.remove("canary-pool-workers");
    });
    assert!(outcome_lines(&report).contains(&"pool-workers Unchanged".to_owned()));
    assert_eq!(
        report.changed_since,
        ["canary-pool-workers is gone: somebody deleted it meanwhile"]
    );
    assert_eq!(report.outcome(), RunOutcome::NeedsManualAction);
}

#[tokio::test(start_paused = true)]
async fn stack_that_was_made_again_is_another_one() {
    let cloud = TestCloud::standing().await;
    let plan = planned(&cloud, altered(&StackKind::Database)).await;
    let ((report, _), ()) = tokio::join!(go(&cloud, plan), async {
        sleep(Duration::from_secs(2)).await;
        cloud.remove("canary-pool-workers");
        gone(&cloud, "canary-pool-workers").await;
        cloud.begin(&stacks()[5]).await;
    });
    let [line] = &report.changed_since[..] else {
        panic!("{:?}", report.changed_since)
    };
    let start =
        "canary-pool-workers was deleted and made again by somebody else, and is in CREATE_";
    assert!(line.starts_with(start), "{line}");
}

#[tokio::test(start_paused = true)]
async fn last_look_bears_reads_that_lag_and_says_when_it_fails() {
    let cloud = TestCloud::standing().await;
    let plan = planned(&cloud, altered(&StackKind::Edge)).await;
    cloud.strike(
        "stacks",
        "",
        2,
        crate::simulated::FaultKind::Stale(Duration::from_mins(30)),
    );
    let (report, _) = go(&cloud, plan).await;
    assert_eq!(report.outcome(), RunOutcome::Done, "{report:?}");
    let plan = planned(&cloud, stacks()).await;
    cloud.refuse("stacks", "", 99, &unreachable("DescribeStacks"));
    let (report, _) = go(&cloud, plan).await;
    assert_eq!(report.outcome(), RunOutcome::NotLookedAt);
}

#[tokio::test(start_paused = true)]
async fn base_stays_when_a_stack_that_uses_it_came_back() {
    let cloud = TestCloud::standing().await;
    let (report, ()) = tokio::join!(deleting(&cloud, std::future::pending()), async {
        gone(&cloud, "canary-pool-workers").await;
        cloud.begin(&stacks()[5]).await;
    });
    assert_eq!(report.outcome(), RunOutcome::NeedsManualAction);
    let lines = outcome_lines(&report);
    let kept = |kind: &str| {
        let start = format!("{kind} failed: it is kept: canary-pool-workers is there, in CREATE_");
        lines.iter().any(|line| line.starts_with(&start))
    };
    assert!(kept("base"), "{lines:?}");
    assert!(report.changed_since[0].starts_with("canary-pool-workers is there"));
    assert_eq!(cloud.called("delete_parameters_under"), [""; 0]);
    assert_ne!(
        cloud.found("canary-base").status,
        StackStatus::DeleteComplete
    );
}
