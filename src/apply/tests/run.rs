//! A run as its user sees it: what starts when, what ends how, what is executed.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::*;
use crate::apply::{RunOutcome, Session, run};
use crate::events::{Event, Outcome};
use crate::plan::Action;
use crate::stacks::StackKind;

fn seconds(calls: &[String], stack: &str) -> u64 {
    let line = calls
        .iter()
        .find(|call| call.ends_with(&format!("canary-{stack}")));
    let line = line.unwrap_or_else(|| panic!("{stack} was never called: {calls:?}"));
    line.split(' ')
        .next()
        .expect("a second")
        .parse()
        .expect("a number")
}

#[tokio::test(start_paused = true)]
async fn every_stack_starts_as_soon_as_its_inputs_exist() {
    let cloud = TestCloud::new();
    let plan = planned(&cloud, stacks()).await;
    assert!(plan.steps.iter().all(|step| step.action == Action::Create));
    let (report, events) = go(&cloud, plan).await;
    assert_eq!(
        report.outcome(),
        RunOutcome::Done,
        "{:?}",
        outcome_lines(&report)
    );
    let calls = cloud.called("create");
    let starts: Vec<u64> = [
        "base",
        "network",
        "edge",
        "database",
        "control-plane",
        "pool-workers",
    ]
    .map(|stack| seconds(&calls, stack))
    .to_vec();
    assert_eq!(starts[..2], [0, 0]);
    let spans = cloud.spans();
    let end = |stack: &str| spans[&format!("canary-{stack}")].1;
    let took = |stack: &str| end(stack) - spans[&format!("canary-{stack}")].0;
    // Polls are two seconds apart by then; the base runs for 138 seconds.
    let network = end("network");
    assert!(
        (network..=network + 3).contains(&starts[2]) && starts[3] == starts[2],
        "{starts:?}"
    );
    // The control plane waits for the edge, which takes 166 seconds from there.
    let edge = end("edge");
    assert!(
        (edge..=edge + 8).contains(&starts[4]) && starts[5] == starts[4],
        "{starts:?}"
    );
    // The whole takes no longer than network and database one after the other.
    let all = cloud.elapsed().as_secs();
    let least = took("network") + took("database");
    assert!((least..least + 25).contains(&all), "{all}");
    assert!(matches!(events.first(), Some(Event::RunStarted { stacks, .. }) if stacks.len() == 6));
    assert!(matches!(
        events.last(),
        Some(Event::RunFinished {
            succeeded: true,
            ..
        })
    ));
    assert_eq!(cloud.called("upload").len(), 1);
    let prepared = |text: &String| text == "control-plane is prepared";
    assert_eq!(
        notes(&events).iter().filter(|text| prepared(text)).count(),
        1
    );
    assert_eq!(report.outputs[&StackKind::Network]["VpcId"], "vpc-1");
}

#[tokio::test(start_paused = true)]
async fn long_operations_are_polled_less_often() {
    let cloud = TestCloud::new();
    let database: Vec<_> = stacks()
        .into_iter()
        .filter(|s| s.kind == StackKind::Network || s.kind == StackKind::Database)
        .collect();
    let plan = planned(&cloud, database).await;
    let (report, _) = go(&cloud, plan).await;
    assert_eq!(report.outcome(), RunOutcome::Done);
    let polls = cloud
        .called("events")
        .iter()
        .filter(|call| call.ends_with("database"))
        .count();
    assert!((60..120).contains(&polls), "{polls} polls in ten minutes");
}

#[tokio::test(start_paused = true)]
async fn failure_stops_only_dependent_stacks() {
    let cloud = TestCloud::new();
    cloud.fails(
        "canary-edge",
        "Nat",
        Operation::Create,
        "no Elastic IP left",
    );
    let plan = planned(&cloud, stacks()).await;
    let (report, events) = go(&cloud, plan).await;
    assert_eq!(
        outcome_lines(&report),
        [
            "base Created",
            "network Created",
            "edge rolled back: no Elastic IP left",
            "database Created",
            "control-plane not started: edge",
            "pool-workers not started: edge",
        ]
    );
    assert_eq!(report.outcome(), RunOutcome::RolledBack);
    let Some((_, Outcome::RolledBack(why))) = report.outcomes.get(2) else {
        panic!("the edge was rolled back")
    };
    assert_eq!(why.resource.as_deref(), Some("the Nat of edge"));
    let first = notes(&events)
        .into_iter()
        .find(|text| text.contains("rolled back"));
    // Not CloudFormation's list of what failed, which names no cause.
    assert_eq!(first.as_deref(), Some("failed and is being rolled back"));
}

#[tokio::test(start_paused = true)]
async fn second_run_changes_nothing() {
    let cloud = TestCloud::standing().await;
    let plan = planned(&cloud, stacks()).await;
    assert!(
        !plan.has_changes(),
        "{:?}",
        plan.steps.iter().map(|s| &s.action).collect::<Vec<_>>()
    );
    assert!(plan.steps.iter().all(|step| step.pending.is_empty()));
    let (report, _) = go(&cloud, plan).await;
    assert_eq!(report.outcome(), RunOutcome::Done);
    assert!(
        report
            .outcomes
            .iter()
            .all(|(_, outcome)| *outcome == Outcome::Unchanged)
    );
    for method in [
        "create_change_set",
        "create",
        "execute",
        "set_protection",
        "upload",
        "events",
    ] {
        assert_eq!(cloud.called(method), [""; 0], "{method}");
    }
}

#[tokio::test(start_paused = true)]
async fn prerequisites_run_after_the_base_and_their_failure_stops_the_stack() {
    let cloud = TestCloud::new();
    let plan = planned(&cloud, stacks()).await;
    let (events, _heard) = tokio::sync::mpsc::unbounded_channel();
    let session = Session::new("r1", &events);
    let prepared = Prepared {
        refuses: Some(StackKind::ControlPlane),
        ..Prepared::default()
    };
    let report = run(
        plan,
        &cloud.cloud,
        &prepared,
        &session,
        std::future::pending(),
    )
    .await;
    assert_eq!(
        outcome_lines(&report)[4],
        "control-plane not begun: no authorities"
    );
    // Nothing of it began: run again, it goes on.
    assert_eq!(report.outcome(), RunOutcome::NotBegun);
    let asked = prepared.asked.borrow();
    let (_, known) = asked
        .iter()
        .find(|(kind, _)| *kind == StackKind::ControlPlane)
        .expect("asked");
    assert!(known.contains(&StackKind::Base) && !known.contains(&StackKind::Edge));
    assert!(
        !cloud
            .called("create")
            .iter()
            .any(|call| call.ends_with("control-plane"))
    );
}

#[tokio::test(start_paused = true)]
async fn stop_detaches_within_a_second_and_cancels_nothing() {
    let cloud = TestCloud::standing().await;
    cloud.removed("canary-edge").await;
    let pool = StackKind::Pool("workers".to_owned());
    let wanted = altered_in(altered(&StackKind::Database), &pool);
    let plan = planned(&cloud, wanted).await;
    let began = Instant::now();
    let (report, events) = go_until(&cloud, plan, sleep(Duration::from_millis(70_500))).await;
    assert!(began.elapsed() < Duration::from_millis(71_500));
    assert_eq!(report.outcome(), RunOutcome::Detached);
    let running: Vec<String> = report.running.iter().map(|r| r.stack.to_string()).collect();
    assert_eq!(running, ["edge", "database"]);
    assert_eq!(
        report.waiting,
        [StackKind::ControlPlane, StackKind::Pool("workers".into())]
    );
    assert_eq!(cloud.orphans(), 0, "nothing unexecuted stays behind");
    assert_eq!(cloud.called("delete"), [""; 0]);
    assert!(
        notes(&events)
            .iter()
            .any(|text| text.starts_with("continues in AWS"))
    );
    let verdict = |event: &Event| matches!(event, Event::RunFinished { .. });
    assert!(!events.iter().any(verdict), "nothing failed: it goes on");
}
