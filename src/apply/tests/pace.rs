//! How often is asked, how soon is heard, and which stack goes first.

use std::collections::BTreeMap;

use super::*;
use crate::apply::{RunOutcome, Session};
use crate::events::Event;
use crate::stacks::{Stack, StackKind};

const READS: [&str; 3] = ["events", "stack", "in_progress_stacks"];

fn pool(number: usize) -> StackKind {
    StackKind::Pool(format!("n{number:02}"))
}

/// A stack of so many resources of a type that are made one after the other.
fn chain(number: usize, of_type: &str, length: u64, needs: Needs<'_>) -> Stack {
    let ids: Vec<String> = (0..length).map(|at| format!("T{at}")).collect();
    let resources: Vec<_> = ids.iter().map(|id| (id.as_str(), of_type)).collect();
    let mut chain = stack(pool(number), &resources, &[("Out", "out")], needs);
    for pair in ids.windows(2) {
        chain.template["Resources"][&pair[1]]["DependsOn"] = json!(pair[0]);
    }
    chain
}

/// Stacks that need nothing of each other, with much to show for four hundred seconds.
fn loose(count: usize) -> Vec<Stack> {
    let one = |number| chain(number, "AWS::EC2::RouteTable", 32, &[]);
    (0..count).map(one).collect()
}

/// Reads in each second of virtual time.
fn reads(cloud: &TestCloud) -> BTreeMap<u64, usize> {
    let mut all = BTreeMap::new();
    for method in READS {
        for call in cloud.called(method) {
            let second = call.split(' ').next().and_then(|it| it.parse().ok());
            *all.entry(second.expect("a second")).or_insert(0) += 1;
        }
    }
    all
}

/// In no span of time more than the limiter's burst of ten and three a second.
fn assert_limited(reads: &BTreeMap<u64, usize>) {
    for from in reads.keys() {
        let mut sum = 0;
        for (second, calls) in reads.range(from..) {
            sum += calls;
            let limit = 10 + 3 * (second - from + 1);
            assert!(
                sum as u64 <= limit,
                "{sum} from second {from} to {second}: {reads:?}"
            );
        }
    }
}

/// While all of them run, after the first seconds in which they all begin, the followers keep to about
/// three calls a second. What ends at once is read at once.
fn steady(reads: &BTreeMap<u64, usize>) {
    for from in 6..80 {
        let sum: usize = reads.range(from..from + 10).map(|(_, calls)| calls).sum();
        assert!(
            sum <= 30,
            "{sum} calls in ten seconds from {from}: {reads:?}"
        );
    }
}

/// Seconds from a resource's failure to its telling, for each stack.
fn delays(events: &[Event], cloud: &TestCloud) -> Vec<i64> {
    let history = cloud.history();
    let mut failed = history.iter();
    let failed = failed.find(|event| event.reason.as_deref() == Some("no capacity"));
    let failed = failed.expect("a failure").at.as_second();
    let delay = |event: &Event| match event {
        Event::Failed { at, .. } => Some(at.as_second() - failed),
        _ => None,
    };
    events.iter().filter_map(delay).collect()
}

/// One of the stacks fails after a hundred seconds.
async fn failing(stacks: usize, ill: usize) -> (TestCloud, Vec<Event>) {
    let cloud = TestCloud::new();
    let name = pool(ill).stack_name(CLUSTER);
    cloud.fails(&name, "T8", Operation::Create, "no capacity");
    let plan = planned(&cloud, loose(stacks)).await;
    let before = reads(&cloud);
    let (report, events) = go_as(
        &cloud,
        plan,
        |session| session.parallel = 50,
        std::future::pending(),
    )
    .await;
    assert_eq!(report.outcome(), RunOutcome::RolledBack);
    assert!(before.is_empty());
    (cloud, events)
}

#[tokio::test(start_paused = true)]
async fn twenty_stacks_are_polled_within_the_rate_limit() {
    let (cloud, events) = failing(20, 7).await;
    let all = reads(&cloud);
    assert_limited(&all);
    steady(&all);
    let sum: usize = all.values().sum();
    let last = all.keys().last().copied().unwrap_or(1);
    assert!(sum as u64 * 10 <= last * 25, "{sum} calls in {last} s");
    // Nineteen others are lively: one poll is some eleven seconds then.
    assert!(
        matches!(delays(&events, &cloud)[..], [0..=12]),
        "{:?}",
        delays(&events, &cloud)
    );
}

#[tokio::test(start_paused = true)]
async fn failure_of_few_stacks_is_emitted_within_seconds() {
    let (cloud, events) = failing(3, 1).await;
    assert!(
        matches!(delays(&events, &cloud)[..], [0..=9]),
        "{:?}",
        delays(&events, &cloud)
    );
    let all = reads(&cloud);
    assert_limited(&all);
    // Three followers and the common poll.
    let (sum, last) = (
        all.values().sum::<usize>(),
        all.keys().last().copied().unwrap_or(1),
    );
    assert!(sum as u64 * 10 <= last * 25, "{sum} calls in {last} s");
    steady(&all);
}

/// A lone stack in which nothing is to be seen for ten minutes; by how many seconds its end was seen late.
async fn quiet(with_heartbeat: bool) -> (u64, TestCloud) {
    let cloud = TestCloud::new();
    if !with_heartbeat {
        cloud.refuse("in_progress_stacks", "", 10_000, &unreachable("ListStacks"));
    }
    let alone = chain(0, "AWS::RDS::DBInstance", 1, &[]);
    let plan = planned(&cloud, vec![alone]).await;
    let (report, _) = go(&cloud, plan).await;
    assert_eq!(report.outcome(), RunOutcome::Done);
    let (_, end) = cloud.spans()["canary-pool-n00"];
    assert!(end > 600, "{end}");
    (cloud.elapsed().as_secs() - end, cloud)
}

#[tokio::test(start_paused = true)]
async fn poller_notices_an_end_between_two_polls() {
    let (late, _) = quiet(true).await;
    assert!(late <= 7, "{late}");
}

#[tokio::test(start_paused = true)]
async fn failing_poller_changes_no_outcome_and_backs_off() {
    let (late, cloud) = quiet(false).await;
    assert!(late <= 22, "{late}");
    let beats = cloud.called("in_progress_stacks").len();
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
    let mut lengths = Vec::new();
    for number in 0..count {
        let earlier = number as u64;
        let wanted = chance(&mut seed, 3).min(earlier);
        let mut all: Vec<usize> = (0..wanted)
            .map(|_| usize::try_from(chance(&mut seed, earlier)).expect("small"))
            .collect();
        all.sort_unstable();
        all.dedup();
        needs.push(all);
        lengths.push(1 + chance(&mut seed, 76));
    }
    // Five seconds a resource, and what CloudFormation takes around them.
    let seconds: Vec<u64> = lengths.iter().map(|length| 16 + 5 * length).collect();
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
        chain(number, PLAIN, lengths[number], &inputs)
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
    let cloud = TestCloud::new();
    let plan = planned(&cloud, graph.stacks.clone()).await;
    let (events, _heard) = unbounded_channel();
    let session = Session {
        remaining,
        parallel,
        ..Session::new("r1", &events)
    };
    let report = go_in(&cloud, plan, &session, std::future::pending()).await;
    assert_eq!(
        report.outcome(),
        RunOutcome::Done,
        "{:?}",
        outcome_lines(&report)
    );
    cloud.elapsed().as_secs()
}

#[tokio::test(start_paused = true)]
async fn longest_path_first_is_never_slower_than_fifo() {
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
async fn run_with_enough_permits_takes_its_longest_path() {
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
async fn parallel_limit_is_respected() {
    let graph = graph(3, 10);
    let serial: u64 = graph.seconds.iter().sum();
    let took = makespan(&graph, &graph.remaining, 1).await;
    assert!(took >= serial, "{took} against {serial}");
}
