//! Several runs and people on one cluster: meeting, watching, cancelling, and ending without a verdict.

use std::time::Duration;

use tokio::sync::mpsc::unbounded_channel;
use tokio::time::sleep;

use super::double::{Double, Fault, Script};
use super::fixtures::*;
use super::{Cancellation, End, Meeting, Remains, Report, Session, What, cancel, cancellations};
use crate::cloud::{Cloud, CloudError, LiveResource, ResourceStatus};
use crate::events::{Event, Outcome, Verb};
use crate::plan::{Guard, deletion, survey};
use crate::stacks::StackKind;

fn expired() -> CloudError {
    CloudError::Credentials {
        reason: "the token has expired".to_owned(),
        help: "log in again".to_owned(),
    }
}

fn unreachable() -> CloudError {
    CloudError::Unreachable {
        operation: "PutObject".to_owned(),
        message: "connection reset".to_owned(),
    }
}

#[tokio::test(start_paused = true)]
async fn who_began_what_runs_is_said_where_it_can_be_known() {
    let double = standing();
    double.begun_by(
        "canary-edge",
        "UPDATE",
        "execute",
        "kcfn-18a2f-canary-edge-execute",
    );
    let plan = planned(&double, stacks()).await;
    let (report, events) = go(&double, plan).await;
    assert_eq!(report.end(), End::Done, "{:?}", told(&report));
    let met = "UPDATE_IN_PROGRESS since 1970-01-01T00:00:00Z, begun by run 18a2f: following it";
    assert!(
        notes(&events).iter().any(|text| text == met),
        "{:?}",
        notes(&events)
    );
}

#[tokio::test(start_paused = true)]
async fn a_run_that_shall_not_meet_another_says_what_runs_and_leaves() {
    let double = standing();
    double.elsewhere("canary-edge", "UPDATE", "execute");
    double.stacks.borrow_mut().remove("canary-database");
    let plan = planned(&double, stacks()).await;
    let stops = |session: &mut Session<'_>| session.meeting = Meeting::Stop;
    let (report, _) = go_as(&double, plan, stops, std::future::pending()).await;
    assert_eq!(report.end(), End::Detached);
    let why = &report.running[0].why;
    assert!(
        why.starts_with("UPDATE_IN_PROGRESS since ") && why.ends_with("begun elsewhere"),
        "{why}"
    );
    assert_eq!(double.called("create"), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn expired_credentials_stop_every_beginning() {
    let double = double();
    let plan = planned(&double, stacks()).await;
    double.fault("create canary-network", 1, &Fault::Before(expired()));
    let (report, events) = go(&double, plan).await;
    assert_eq!(report.end(), End::Detached);
    assert_eq!(
        report.running.len(),
        1,
        "the base was just begun: {:?}",
        report.running
    );
    assert_eq!(report.waiting.len(), 5);
    assert_eq!(double.called("create").len(), 2);
    assert!(double.began.elapsed() < Duration::from_secs(2));
    let verdict = |event: &Event| matches!(event, Event::RunFinished { .. });
    assert!(!events.iter().any(verdict));
}

#[tokio::test(start_paused = true)]
async fn what_never_began_needs_no_hand() {
    let double = double();
    let plan = planned(&double, stacks()).await;
    double.fault("upload", 9, &Fault::Before(unreachable()));
    let (report, _) = go(&double, plan).await;
    let line = &told(&report)[4];
    assert!(
        line.starts_with("control-plane not begun: uploading node/1.tar.gz"),
        "{line}"
    );
    assert_eq!(report.end(), End::RolledBack);
}

async fn watched(double: &Double, stop: impl Future<Output = ()>) -> (Report, Vec<Event>) {
    let found = survey(double, CLUSTER).await.expect("a survey");
    let (events, mut heard) = unbounded_channel();
    let session = Session::new("w1", &events);
    let report = super::watch(&found, double, &session, stop).await;
    let mut all = Vec::new();
    while let Ok(event) = heard.try_recv() {
        all.push(event);
    }
    (report, all)
}

#[tokio::test(start_paused = true)]
async fn watching_follows_what_runs_and_what_begins_then_and_changes_nothing() {
    let double = standing();
    double.script("execute canary-edge", Script::well(60, "UPDATE_COMPLETE"));
    let failing = Script {
        events: vec![(
            9,
            "Database",
            "AWS::RDS::DBInstance",
            "UPDATE_FAILED",
            "storage is full",
        )],
        ..Script::well(40, "UPDATE_ROLLBACK_COMPLETE")
    };
    double.script("execute canary-database", failing);
    double.elsewhere("canary-edge", "UPDATE", "execute");
    let (report, events) = tokio::join!(watched(&double, std::future::pending()), async {
        sleep(Duration::from_secs(65)).await;
        double.elsewhere("canary-database", "UPDATE", "execute");
    })
    .0;
    let mut lines = told(&report);
    lines.sort();
    assert_eq!(
        lines,
        [
            "base Unchanged",
            "control-plane Unchanged",
            "database rolled back: storage is full",
            "edge Updated",
            "network Unchanged",
            "pool-workers Unchanged",
        ]
    );
    assert_eq!(report.end(), End::RolledBack);
    assert!(matches!(
        &events[0],
        Event::RunStarted {
            verb: Verb::Update,
            ..
        }
    ));
    for method in [
        "create", "execute", "protect", "delete", "propose", "discard",
    ] {
        assert_eq!(double.called(method), [""; 0], "{method}");
    }
}

#[tokio::test(start_paused = true)]
async fn watching_what_rests_ends_at_once_and_a_stop_detaches() {
    let double = standing();
    let (report, _) = watched(&double, std::future::pending()).await;
    assert_eq!(report.end(), End::Done);
    assert_eq!(report.outcomes.len(), 6);
    assert!(double.began.elapsed() < Duration::from_secs(1));
    double.elsewhere("canary-edge", "DELETE", "delete");
    double.script("delete canary-edge", Script::well(500, "DELETE_COMPLETE"));
    let (report, events) = watched(&double, sleep(Duration::from_secs(3))).await;
    assert_eq!(report.end(), End::Detached);
    assert_eq!(report.running[0].stack, StackKind::Edge);
    assert!(matches!(
        &events[0],
        Event::RunStarted {
            verb: Verb::Delete,
            ..
        }
    ));
}

fn held(double: &Double, status: &str) {
    double.resources.borrow_mut().push(LiveResource {
        logical_id: "Database".to_owned(),
        physical_id: Some("db-1".to_owned()),
        resource_type: "AWS::RDS::DBInstance".to_owned(),
        status: ResourceStatus::new(status),
        reason: None,
    });
}

async fn offered(double: &Double) -> Vec<Cancellation> {
    let found = double.stacks(Some(CLUSTER)).await.expect("stacks");
    let all = cancellations(&found, double).await;
    all.into_iter().map(|one| one.expect("an offer")).collect()
}

async fn done(double: &Double, all: &[Cancellation]) -> Vec<String> {
    let answers = cancel(all, double, "r1").await;
    answers
        .into_iter()
        .map(|(stack, said)| format!("{stack}: {}", said.expect("done")))
        .collect()
}

#[tokio::test(start_paused = true)]
async fn an_update_is_cancelled_and_a_creation_given_up_but_never_with_data() {
    let double = standing();
    double.elsewhere("canary-edge", "UPDATE", "execute");
    let all = offered(&double).await;
    assert_eq!(all.len(), 1);
    assert_eq!(all[0].what, What::GoesBack);
    done(&double, &all).await;
    assert_eq!(double.called("cancel"), ["0 arn:canary-edge"]);

    let double = standing();
    double.elsewhere("canary-database", "CREATE", "create");
    amend(&double, "canary-database", |it| {
        it.termination_protection = true;
    });
    held(&double, "CREATE_IN_PROGRESS");
    let all = offered(&double).await;
    assert_eq!(all[0].what, What::Deleted);
    // Between the offer and the yes the database is done.
    double.resources.borrow_mut().clear();
    held(&double, "CREATE_COMPLETE");
    let said = done(&double, &all).await;
    assert!(
        said[0].contains("Database (db-1) is complete and may hold data"),
        "{said:?}"
    );
    assert_eq!(double.called("delete"), [""; 0]);
    assert!(matches!(&offered(&double).await[0].what, What::Stays(_)));
    double.resources.borrow_mut().clear();
    done(&double, &all).await;
    assert_eq!(double.called("delete").len(), 1);
    assert_eq!(double.called("protect").len(), 1);
    // What rests by now is left alone.
    sleep(Duration::from_secs(20)).await;
    let said = done(&double, &all).await;
    assert!(said[0].contains("nothing to cancel"), "{said:?}");
}

async fn deleting(double: &Double, stop: impl Future<Output = ()>) -> Report {
    let found = survey(double, CLUSTER).await.expect("a survey");
    let plan = deletion(&found, Guard::Open);
    let (events, _heard) = unbounded_channel();
    let session = Session::new("r1", &events);
    super::delete(&plan, double, &session, stop).await
}

#[tokio::test(start_paused = true)]
async fn leaving_a_deletion_names_what_it_will_leave_and_what_has_not_begun() {
    let double = standing();
    let mut snapshots = stacks().remove(3).template;
    snapshots["Resources"]["Database"]["DeletionPolicy"] = "Snapshot".into();
    double
        .stacks
        .borrow_mut()
        .get_mut("canary-database")
        .expect("it stands")
        .template = snapshots;
    double.script(
        "delete canary-database",
        Script::well(300, "DELETE_COMPLETE"),
    );
    double.script("create canary-edge", Script::well(300, "CREATE_COMPLETE"));
    double.elsewhere("canary-edge", "CREATE", "create");
    let report = deleting(&double, sleep(Duration::from_secs(30))).await;
    assert_eq!(report.end(), End::Detached);
    let edge = report
        .running
        .iter()
        .find(|one| one.stack == StackKind::Edge);
    assert_eq!(
        edge.map(|one| one.why.as_str()),
        Some("its CREATE_IN_PROGRESS goes on; its deletion has not begun")
    );
    let begins = report.remains.iter().find_map(|left| match left {
        Remains::Snapshot { begins_with, .. } => begins_with.as_deref(),
        _ => None,
    });
    assert_eq!(begins, Some("canary-database-snapshot-database-"));
}

#[tokio::test(start_paused = true)]
async fn credentials_that_expire_while_deleting_detach_everything() {
    let double = standing();
    let plain = Script::well(300, "DELETE_COMPLETE");
    double.script("delete canary-database", plain);
    double.fault("events arn:canary-database", 9, &Fault::Before(expired()));
    let report = deleting(&double, std::future::pending()).await;
    assert_eq!(report.end(), End::Detached);
    let good = |(_, outcome): &(StackKind, Outcome)| outcome.is_good();
    assert!(report.outcomes.iter().all(good));
    assert!(report.running.iter().all(|one| one.why.contains("expired")));
}
