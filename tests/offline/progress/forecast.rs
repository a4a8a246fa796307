//! Expected durations on a screen, and the time between events.

use kube_cfn::events::{Event, Expected, Outcome, Span, Verb};
use kube_cfn::progress::{Model, Pace, Renderer, follow};
use kube_cfn::stacks::StackKind::{ControlPlane, Database, Edge, Network};

use super::runs::{DATABASE, NAT, Run, at, expected, halfway};
use super::terminal::Memory;

fn three() -> Run {
    let stacks = [
        (expected(Edge, Some(Verb::Create), 3, &[]), 100, 130),
        (expected(Database, Some(Verb::Create), 3, &[]), 150, 190),
        (
            expected(ControlPlane, Some(Verb::Create), 3, &[Edge]),
            90,
            120,
        ),
    ];
    let known = |(known, from, to)| Expected {
        span: Some(Span { from, to }),
        ..known
    };
    Run::start(Verb::Create, stacks.map(known).to_vec())
        .stack(0, Edge, Verb::Create)
        .stack(0, Database, Verb::Create)
}

fn screen(run: &Run, second: i64) -> Vec<String> {
    let mut model = Model::default();
    run.events.iter().for_each(|event| model.update(event));
    let view = model.view(at(second), 80, 24);
    view.iter().map(ToString::to_string).collect()
}

#[test]
fn remaining_time_is_the_longest_remaining_path() {
    let run = three();
    assert!(
        screen(&run, 0)[0].contains("  eta 3-4m  "),
        "190 to 250 s: {:?}",
        screen(&run, 0)
    );
    assert!(
        screen(&run, 60)[0].contains("  eta 2-3m  "),
        "{:?}",
        screen(&run, 60)
    );
    let run = run
        .settled(90, Edge, Outcome::Created)
        .stack(91, ControlPlane, Verb::Create);
    assert!(
        screen(&run, 130)[0].contains("  eta 51s-1m  "),
        "{:?}",
        screen(&run, 130)
    );
}

#[test]
fn the_marker_follows_the_critical_path() {
    let starred = |run: &Run, second| {
        let rows = screen(run, second);
        let rows: Vec<String> = rows.into_iter().filter(|row| row.contains('*')).collect();
        assert_eq!(rows.len(), 1, "{rows:?}");
        rows[0].split_whitespace().nth(1).unwrap().to_owned()
    };
    let run = three();
    assert_eq!(starred(&run, 10), "edge*");
    let run = run
        .settled(40, Edge, Outcome::Created)
        .stack(41, ControlPlane, Verb::Create);
    assert_eq!(starred(&run, 60), "database*");
}

#[test]
fn an_overdue_stack_shows_no_remaining_time() {
    let run = three();
    assert!(
        screen(&run, 150)[0].contains("  eta over 2m  "),
        "{:?}",
        screen(&run, 150)
    );
    let run = run
        .settled(90, Edge, Outcome::Created)
        .stack(91, ControlPlane, Verb::Create)
        .settled(170, ControlPlane, Outcome::Created);
    assert!(
        screen(&run, 400)[0].contains("  eta overdue  "),
        "{:?}",
        screen(&run, 400)
    );
}

#[test]
fn remaining_time_needs_durations_of_every_stack() {
    let stacks = vec![expected(Network, Some(Verb::Create), 3, &[])];
    let run = Run::start(Verb::Create, stacks).stack(0, Network, Verb::Create);
    assert!(!screen(&run, 10)[0].contains("eta"));
}

#[test]
fn a_settling_resource_is_marked_until_it_is_complete() {
    let run = three().resource(5, Edge, NAT, "CREATE_IN_PROGRESS");
    let run = run.because(
        50,
        Edge,
        NAT,
        "CREATE_IN_PROGRESS",
        Some("Eventual consistency check initiated"),
    );
    let row = |run: &Run| {
        screen(run, 60)
            .into_iter()
            .find(|row| row.contains("edge"))
            .unwrap()
    };
    assert!(row(&run).ends_with("55s ~2m applied"), "{}", row(&run));
    let run = run.resource(58, Edge, NAT, "CREATE_COMPLETE");
    assert!(!row(&run).contains("applied"), "{}", row(&run));
}

#[test]
fn a_failure_is_printed_once_per_cause() {
    let printed = |run: &Run| {
        let memory = Memory::default();
        let mut live = memory.live();
        run.events
            .iter()
            .for_each(|event| live.render(event).expect("an event"));
        memory.text().matches("NatGatewayA) CREATE_FAILED").count()
    };
    let failure = |reason: &str| kube_cfn::events::Failure {
        resource: Some("NAT gateway in eu-west-1a".to_owned()),
        logical_id: Some("NatGatewayA".to_owned()),
        ..kube_cfn::events::Failure::of_stack(None, reason)
    };
    let run = three()
        .resource(5, Edge, NAT, "CREATE_IN_PROGRESS")
        .because(20, Edge, NAT, "CREATE_FAILED", Some("quota"))
        .failed(20, Edge, failure("quota"))
        .failed(22, Edge, failure("quota"));
    assert_eq!(printed(&run), 1);
    let run = run.settled(40, Edge, Outcome::RolledBack(failure("quota")));
    assert_eq!(printed(&run), 1, "the end of it is no new cause");
    let run = run.failed(41, Edge, failure("another cause"));
    assert_eq!(printed(&run), 2);
}

/// Keeps the last moment of a tick.
#[derive(Default)]
struct Watch(Option<jiff::Timestamp>);

impl Renderer for &mut Watch {
    fn render(&mut self, _: &Event) -> std::io::Result<()> {
        Ok(())
    }

    fn tick(&mut self, now: jiff::Timestamp) -> std::io::Result<()> {
        self.0 = Some(now);
        Ok(())
    }

    fn finish(&mut self, now: jiff::Timestamp) -> std::io::Result<()> {
        self.tick(now)
    }
}

#[tokio::test(start_paused = true)]
async fn a_rehearsal_at_sixty_times_the_speed_counts_sixty_times_the_time() {
    let (sender, receiver) = tokio::sync::mpsc::unbounded_channel();
    let mut watch = Watch::default();
    let run = halfway().resource(176, Database, DATABASE, "CREATE_IN_PROGRESS");
    let silent = async move {
        for event in run.events {
            sender.send(event).expect("somebody listens");
        }
        tokio::time::sleep(std::time::Duration::from_secs(10)).await;
    };
    let shown = follow(&mut watch, receiver, Pace { speed: 60.0 });
    let (shown, ()) = tokio::join!(shown, silent);
    shown.expect("shown");
    let passed = watch.0.expect("a time").duration_since(at(176)).as_secs();
    assert!((600..=601).contains(&passed), "{passed}");
}
