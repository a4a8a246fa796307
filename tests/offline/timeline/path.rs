//! The critical path and the slack of small runs, with results calculated manually.

use jiff::SignedDuration;
use kube_cfn::events::{Event, Failure, Outcome, Verb};
use kube_cfn::stacks::StackKind::{self, Base, ControlPlane, Database, Edge, Network};
use kube_cfn::timeline::{Ending, Timeline};

use crate::progress::runs::{self, Run, at, expected, pool};

fn of(run: &Run) -> Timeline {
    Timeline::of(&run.events).expect("a run")
}

fn path(timeline: &Timeline) -> Vec<String> {
    let link = |link: &kube_cfn::timeline::Link| {
        let id = link.logical_id.as_deref().unwrap_or("-");
        let second = |time| at(0).duration_since(time).as_secs().abs();
        format!(
            "{}/{id} {}-{}",
            link.stack,
            second(link.begin),
            second(link.end)
        )
    };
    timeline.critical.iter().map(link).collect()
}

fn slack(timeline: &Timeline, kind: &StackKind) -> Option<i64> {
    let bar = timeline.stacks.iter().find(|bar| bar.stack == *kind)?;
    bar.slack.map(|slack| slack.as_secs())
}

/// base 1-40, network 1-30, edge 31-80 after network, control plane 82-100 after base and edge.
fn chain() -> Run {
    let create = Some(Verb::Create);
    let stacks = vec![
        expected(Base, create, 1, &[]),
        expected(Network, create, 1, &[]),
        expected(Edge, create, 2, &[Network]),
        expected(ControlPlane, create, 0, &[Base, Edge]),
    ];
    let (vpc, nat) = ("Vpc AWS::EC2::VPC Network", "Nat AWS::EC2::NatGateway NAT");
    Run::start(Verb::Create, stacks)
        .stack(1, Base, Verb::Create)
        .stack(1, Network, Verb::Create)
        .resource(2, Network, vpc, "CREATE_IN_PROGRESS")
        .resource(28, Network, vpc, "CREATE_COMPLETE")
        .settled(30, Network, Outcome::Created)
        .stack(31, Edge, Verb::Create)
        .settled(40, Base, Outcome::Created)
        .resource(33, Edge, "Ip AWS::EC2::EIP Address", "CREATE_IN_PROGRESS")
        .resource(33, Edge, "Side AWS::EC2::EIP Other", "CREATE_IN_PROGRESS")
        .resource(43, Edge, "Side AWS::EC2::EIP Other", "CREATE_COMPLETE")
        .resource(50, Edge, "Ip AWS::EC2::EIP Address", "CREATE_COMPLETE")
        .resource(50, Edge, nat, "CREATE_IN_PROGRESS")
        .resource(78, Edge, nat, "CREATE_COMPLETE")
        .settled(80, Edge, Outcome::Created)
        .stack(82, ControlPlane, Verb::Create)
        .settled(100, ControlPlane, Outcome::Created)
        .finished(100, true)
}

#[test]
fn the_path_is_walked_back_from_the_last_end() {
    let timeline = of(&chain());
    assert_eq!(
        path(&timeline),
        [
            "network/Vpc 2-28",
            "edge/Ip 33-50",
            "edge/Nat 50-78",
            "control-plane/- 82-100",
        ]
    );
    let critical = |kind| {
        timeline
            .stacks
            .iter()
            .any(|it| it.stack == kind && it.critical)
    };
    assert!(critical(Network) && critical(Edge) && critical(ControlPlane) && !critical(Base));
}

#[test]
fn slack_ends_where_a_dependent_waits() {
    let timeline = of(&chain());
    assert_eq!(slack(&timeline, &Network), Some(0));
    assert_eq!(slack(&timeline, &Edge), Some(0));
    assert_eq!(slack(&timeline, &ControlPlane), Some(0));
    // The control plane began 2 s after what it waited for, and would have after the base too.
    assert_eq!(slack(&timeline, &Base), Some(40));
}

#[test]
fn without_its_longest_piece_a_run_is_as_long_as_the_next_path() {
    let saving = of(&chain()).saving().expect("a path");
    assert_eq!(saving.longest.logical_id.as_deref(), Some("Nat"));
    // The edge would end at 52 instead of 80, and with it everything 28 s earlier.
    assert_eq!(saving.without_it_seconds, SignedDuration::from_secs(72));
    assert_eq!(saving.then_last, ControlPlane);
}

#[test]
fn a_dependant_may_begin_when_the_configuration_is_applied() {
    let waits = "Eventual consistency check initiated";
    let (first, then) = ("A AWS::X A", "B AWS::X B");
    let run = Run::start(
        Verb::Create,
        vec![expected(Edge, Some(Verb::Create), 2, &[])],
    )
    .stack(0, Edge, Verb::Create)
    .resource(1, Edge, first, "CREATE_IN_PROGRESS")
    .because(10, Edge, first, "CREATE_IN_PROGRESS", Some(waits))
    .resource(10, Edge, then, "CREATE_IN_PROGRESS")
    .resource(30, Edge, first, "CREATE_COMPLETE")
    .resource(40, Edge, then, "CREATE_COMPLETE")
    .settled(41, Edge, Outcome::Created)
    .finished(41, true);
    assert_eq!(path(&of(&run)), ["edge/A 1-10", "edge/B 10-40"]);
}

#[test]
fn events_that_came_late_change_nothing() {
    let timeline = of(&chain());
    let mut events = chain().events;
    let late = events
        .iter()
        .position(|event| matches!(event, Event::Resource { .. }));
    let late = events.remove(late.expect("one"));
    let last = events.len() - 1;
    events.insert(last, late);
    assert_eq!(Timeline::of(&events), Some(timeline));
}

#[test]
fn a_failed_run_ends_with_its_rollback() {
    let timeline = of(&runs::failed());
    let edge = timeline
        .stacks
        .iter()
        .find(|bar| bar.stack == Edge)
        .expect("there");
    assert_eq!(
        (edge.ending, edge.failed_at),
        (Ending::RolledBack, Some(at(262)))
    );
    let nat: Vec<_> = edge
        .resources
        .iter()
        .filter(|it| it.logical_id == "NatGatewayA")
        .collect();
    assert_eq!(nat.len(), 2, "made, then taken back");
    let balancer = edge
        .resources
        .iter()
        .find(|it| it.logical_id == "ApiBalancer");
    assert!(balancer.is_some_and(|it| it.cancelled && !it.failed));
    let pool = timeline
        .stacks
        .iter()
        .find(|bar| bar.stack == pool("workers"))
        .expect("there");
    assert_eq!(
        (pool.ending, pool.begin, pool.slack),
        (Ending::NotStarted, None, None)
    );
    assert_eq!(timeline.succeeded, Some(false));
    // The edge held nobody up who began: it could have taken until the database was done.
    assert_eq!(slack(&timeline, &Edge), Some(650 - 335));
    assert_eq!(
        path(&timeline).last().map(String::as_str),
        Some("database/Database 66-640")
    );
}

#[test]
fn a_run_that_was_left_alone_has_a_path_but_no_slack() {
    let mut events = runs::whole().events;
    events.retain(|event| event.at() <= at(200));
    let timeline = Timeline::of(&events).expect("a run");
    assert_eq!((timeline.ended, timeline.succeeded), (None, None));
    assert!(timeline.stacks.iter().all(|bar| bar.slack.is_none()));
    let database = timeline
        .stacks
        .iter()
        .find(|bar| bar.stack == Database)
        .expect("there");
    assert_eq!((database.ending, database.end), (Ending::Open, None));
    assert!(!timeline.critical.is_empty());
}

#[test]
fn an_update_that_left_something_behind_is_no_failure() {
    let run = Run::start(
        Verb::Update,
        vec![expected(Edge, Some(Verb::Update), 1, &[])],
    )
    .stack(0, Edge, Verb::Update)
    .resource(1, Edge, "A AWS::X A", "DELETE_IN_PROGRESS")
    .because(9, Edge, "A AWS::X A", "DELETE_FAILED", Some("in use"))
    .settled(10, Edge, Outcome::Updated)
    .finished(10, true);
    let timeline = of(&run);
    assert_eq!(timeline.stacks[0].failed_at, None);
    assert!(timeline.stacks[0].resources[0].failed);
}

#[test]
fn a_stack_that_failed_before_it_started_is_listed() {
    let refused = Outcome::Failed(Failure::of_stack(None, "no credentials"));
    let run = Run::start(
        Verb::Create,
        vec![expected(Edge, Some(Verb::Create), 1, &[])],
    )
    .settled(1, Edge, refused)
    .finished(1, false);
    let timeline = of(&run);
    assert_eq!(timeline.stacks[0].ending, Ending::Failed);
    assert_eq!(timeline.stacks[0].reason.as_deref(), Some("no credentials"));
    assert_eq!((timeline.critical.len(), timeline.saving()), (0, None));
}

#[test]
fn without_a_start_event_there_is_no_run() {
    assert_eq!(Timeline::of(&[]), None);
    assert_eq!(Timeline::of(&chain().events[1..]), None);
}

/// Stacks that need each other can't be, but a record may be broken.
#[test]
fn a_dependency_cycle_ends_the_path() {
    let create = Some(Verb::Create);
    let stacks = vec![
        expected(Base, create, 1, &[Edge]),
        expected(Edge, create, 1, &[Base]),
    ];
    let run = Run::start(Verb::Create, stacks)
        .stack(1, Base, Verb::Create)
        .stack(2, Edge, Verb::Create)
        .settled(5, Base, Outcome::Created)
        .settled(6, Edge, Outcome::Created)
        .finished(6, true);
    assert_eq!(path(&of(&run)), ["base/- 1-5", "edge/- 2-6"]);
}
