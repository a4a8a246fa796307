//! How often is asked, how soon is heard, and which stack goes first.

use std::collections::BTreeMap;

use super::End;
use super::double::{Double, Fault, Script};
use super::fixtures::*;
use crate::cloud::CloudError;
use crate::events::Event;
use crate::stacks::{Stack, StackKind};

const READS: [&str; 3] = ["events", "stack", "moving"];

fn pool(number: usize) -> StackKind {
    StackKind::Pool(format!("n{number:02}"))
}

/// Stacks that need nothing of each other.
fn loose(count: usize) -> Vec<Stack> {
    let one = |number| stack(pool(number), &[("Thing", "AWS::X")], &[]);
    (0..count).map(one).collect()
}

/// Reads in each second of virtual time.
fn reads(double: &Double) -> BTreeMap<u64, usize> {
    let mut all = BTreeMap::new();
    for method in READS {
        for call in double.called(method) {
            let second = call
                .split(' ')
                .next()
                .and_then(|second| second.parse().ok());
            *all.entry(second.expect("a second")).or_insert(0) += 1;
        }
    }
    all
}

/// Seconds from a resource's failure to its telling, for each stack.
fn delays(events: &[Event], failed: i64) -> Vec<i64> {
    let told = |event: &Event| match event {
        Event::Failed { at, .. } => Some(at.as_second() - failed),
        _ => None,
    };
    events.iter().filter_map(told).collect()
}

async fn failing(stacks: usize, ill: usize) -> (Double, Vec<Event>) {
    let double = Double::new();
    for number in 0..stacks {
        let name = pool(number).stack_name(CLUSTER);
        let ends = if number == ill {
            Script {
                events: vec![(100, "Thing", "AWS::X", "CREATE_FAILED", "no capacity")],
                ..Script::well(400, "ROLLBACK_COMPLETE")
            }
        } else {
            let busy = |second| (second, "Thing", "AWS::X", "CREATE_IN_PROGRESS", "");
            Script {
                events: (1..40).map(|step| busy(step * 10)).collect(),
                ..Script::well(400, "CREATE_COMPLETE")
            }
        };
        double.script(&format!("create {name}"), ends);
    }
    let plan = planned(&double, loose(stacks)).await;
    let before = reads(&double);
    let (report, events) = go_as(
        &double,
        plan,
        |session| session.parallel = 50,
        std::future::pending(),
    )
    .await;
    assert_eq!(report.end(), End::RolledBack);
    assert!(before.is_empty());
    (double, events)
}

#[tokio::test(start_paused = true)]
async fn twenty_stacks_are_followed_with_three_calls_a_second_at_most() {
    let (double, events) = failing(20, 7).await;
    let all = reads(&double);
    let most = all.values().max().copied().unwrap_or(0);
    assert!(most <= 3, "{most} calls in one second: {all:?}");
    let sum: usize = all.values().sum();
    let last = all.keys().last().copied().unwrap_or(1);
    assert!(sum as u64 * 10 <= last * 25, "{sum} calls in {last} s");
    // Nineteen others are lively: one poll is some eleven seconds then.
    assert!(
        matches!(delays(&events, 100)[..], [0..=12]),
        "{:?}",
        delays(&events, 100)
    );
}

#[tokio::test(start_paused = true)]
async fn with_few_stacks_a_failure_is_heard_within_seconds() {
    let (double, events) = failing(3, 1).await;
    assert!(
        matches!(delays(&events, 100)[..], [0..=9]),
        "{:?}",
        delays(&events, 100)
    );
    assert!(reads(&double).values().all(|calls| *calls <= 3));
}

/// A lone stack in which nothing is to be seen for ten minutes; seconds until its end was heard.
async fn quiet(with_heartbeat: bool) -> (u64, Double) {
    let double = Double::new();
    double.script(
        "create canary-pool-n00",
        Script::well(603, "CREATE_COMPLETE"),
    );
    let down = CloudError::Unreachable {
        operation: "ListStacks".to_owned(),
        message: "reset".to_owned(),
    };
    if !with_heartbeat {
        double.fault("moving", 10_000, &Fault::Before(down));
    }
    let plan = planned(&double, loose(1)).await;
    let (report, _) = go(&double, plan).await;
    assert_eq!(report.end(), End::Done);
    (double.began.elapsed().as_secs(), double)
}

#[tokio::test(start_paused = true)]
async fn the_heartbeat_hears_an_end_between_two_polls() {
    let (heard, _) = quiet(true).await;
    assert!((603..=610).contains(&heard), "{heard}");
}

#[tokio::test(start_paused = true)]
async fn a_heartbeat_that_fails_changes_no_verdict_and_is_asked_for_less() {
    let (heard, double) = quiet(false).await;
    assert!((603..=625).contains(&heard), "{heard}");
    let beats = double.called("moving").len();
    assert!(beats < 30, "{beats} beats that all fail");
}

/// A graph of stacks with seconds for each, and the longest way from each to the end.
struct Graph {
    stacks: Vec<Stack>,
    seconds: Vec<u64>,
    remaining: BTreeMap<StackKind, f64>,
    critical: u64,
}

/// The same numbers for the same seed.
fn chance(seed: &mut u64, below: u64) -> u64 {
    *seed = seed
        .wrapping_mul(6_364_136_223_846_793_005)
        .wrapping_add(1_442_695_040_888_963_407);
    (*seed >> 33) % below
}

fn graph(seed: u64, count: usize) -> Graph {
    let mut seed = seed;
    let mut needs: Vec<Vec<usize>> = Vec::new();
    let mut seconds = Vec::new();
    for number in 0..count {
        let earlier = number as u64;
        let wanted = chance(&mut seed, 3).min(earlier);
        let mut all: Vec<usize> = (0..wanted)
            .map(|_| usize::try_from(chance(&mut seed, earlier)).expect("small"))
            .collect();
        all.sort_unstable();
        all.dedup();
        needs.push(all);
        seconds.push(20 + chance(&mut seed, 380));
    }
    let mut remaining = seconds.clone();
    for number in (0..count).rev() {
        for need in &needs[number] {
            remaining[*need] = remaining[*need].max(seconds[*need] + remaining[number]);
        }
    }
    let stacks = needs.iter().enumerate().map(|(number, needs)| {
        let names: Vec<String> = needs.iter().map(|need| format!("P{need}")).collect();
        let inputs = needs.iter().zip(&names);
        let inputs: Vec<_> = inputs
            .map(|(need, name)| (name.as_str(), pool(*need), "Out"))
            .collect();
        stack(pool(number), &[("Thing", "AWS::X")], &inputs)
    });
    Graph {
        stacks: stacks.collect(),
        critical: remaining.iter().max().copied().unwrap_or(0),
        remaining: remaining
            .iter()
            .enumerate()
            .map(|(n, left)| (pool(n), f64::from(u32::try_from(*left).expect("small"))))
            .collect(),
        seconds,
    }
}

/// Seconds that a run takes in the given order.
async fn makespan(graph: &Graph, remaining: &BTreeMap<StackKind, f64>, parallel: usize) -> u64 {
    let double = Double::new();
    for (number, seconds) in graph.seconds.iter().enumerate() {
        let script = Script {
            outputs: vec![("Out", "out")],
            ..Script::well(*seconds, "CREATE_COMPLETE")
        };
        double.script(
            &format!("create {}", pool(number).stack_name(CLUSTER)),
            script,
        );
    }
    let plan = planned(&double, graph.stacks.clone()).await;
    let (events, _heard) = tokio::sync::mpsc::unbounded_channel();
    let session = super::Session {
        remaining,
        parallel,
        ..super::Session::new("r1", &events)
    };
    let prepared = Prepared::default();
    let report = super::run(plan, &double, &prepared, &session, std::future::pending()).await;
    assert_eq!(report.end(), End::Done, "{:?}", told(&report));
    double.began.elapsed().as_secs()
}

#[tokio::test(start_paused = true)]
async fn the_longest_way_first_is_never_worse_than_first_come_first_served() {
    let none = BTreeMap::new();
    let (mut ordered, mut fifo) = (0, 0);
    for seed in 0..12 {
        let graph = graph(seed, 14);
        let longest = makespan(&graph, &graph.remaining, 3).await;
        let first = makespan(&graph, &none, 3).await;
        // Polls find an end some seconds late, by chance sooner or later.
        assert!(
            longest <= first + first / 25,
            "seed {seed}: {longest} against {first}"
        );
        ordered += longest;
        fifo += first;
    }
    assert!(ordered < fifo, "{ordered} against {fifo}");
}

#[tokio::test(start_paused = true)]
async fn with_room_for_all_a_run_takes_as_long_as_its_longest_way() {
    for seed in 20..26 {
        let graph = graph(seed, 14);
        let took = makespan(&graph, &graph.remaining, 14).await;
        let most = graph.critical + graph.critical / 20;
        assert!(
            (graph.critical..=most).contains(&took),
            "seed {seed}: {took} against {}",
            graph.critical
        );
    }
}

#[tokio::test(start_paused = true)]
async fn no_more_stacks_are_in_operation_at_once_than_allowed() {
    let graph = graph(3, 10);
    let serial: u64 = graph.seconds.iter().sum();
    let took = makespan(&graph, &graph.remaining, 1).await;
    assert!(took >= serial, "{took} against {serial}");
}
