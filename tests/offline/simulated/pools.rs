//! Many pools on a cloud whose pools complete only after the control plane answers: they never block its start,
//! whatever the limit of concurrent stack operations.

use kube_cfn::common::Clock;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::*;

/// What a definition may have at most.
const POOLS: usize = 20;
/// What may lie between the end of a stack and the start of one that waited for it: it is polled for.
const SOON: i64 = 20;

/// The shipped canary with many pools.
fn many(pools: usize, database: bool) -> ClusterSpec {
    let mut spec = shipped("canary");
    let first = spec.pools[0].clone();
    spec.pools = (0..pools)
        .map(|number| {
            let mut pool = first.clone();
            pool.name = format!("n{number:02}");
            pool.min = 1;
            pool
        })
        .collect();
    spec.database = spec.database.filter(|_| database);
    spec
}

/// What has to be done before the control plane starts, and the time that it takes.
struct Authorities<'a>(&'a Simulated, Duration);

impl Prerequisites for Authorities<'_> {
    async fn prepare(
        &self,
        stack: &StackKind,
        outputs: &Outputs,
    ) -> Result<Option<String>, String> {
        if *stack == StackKind::ControlPlane {
            assert!(outputs.contains_key(&StackKind::Base), "{outputs:?}");
            self.0.sleep(self.1).await;
        }
        Ok(None)
    }
}

/// Eighteen requests, one after another.
const USUAL: Duration = Duration::from_secs(2);

/// One run with so many stacks in operation at once; none says: as many as usual.
async fn run(
    cloud: &Simulated,
    (spec, stacks): (&ClusterSpec, &[Stack]),
    name: &str,
    parallel: Option<usize>,
    stop: impl Future<Output = ()>,
) -> RunReport {
    let plan = planned(cloud, spec, stacks, name).await;
    let (events, _heard) = unbounded_channel();
    let mut session = Session::new(name, &events);
    session.parallel = parallel.unwrap_or(session.parallel);
    apply::run(plan, cloud, &Authorities(cloud, USUAL), &session, stop).await
}

/// From the first event to the last of every stack's newest operation, by its name.
fn spans(cloud: &Simulated) -> BTreeMap<String, (Timestamp, Timestamp)> {
    let mut all: BTreeMap<String, (Timestamp, Timestamp)> = BTreeMap::new();
    for event in cloud.history() {
        let Some(status) = &event.stack_status else {
            continue;
        };
        let begins = ["CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS"].contains(&status.as_str());
        let span = all.entry(event.logical_id).or_insert((event.at, event.at));
        span.0 = if begins { event.at } else { span.0 };
        span.1 = event.at;
    }
    all
}

/// How many stacks were in operation at the busiest moment.
fn busiest(spans: &BTreeMap<String, (Timestamp, Timestamp)>) -> usize {
    let at = |moment: Timestamp| {
        let runs = |(from, to): &&(Timestamp, Timestamp)| *from <= moment && moment < *to;
        spans.values().filter(runs).count()
    };
    let most = spans.values().map(|(from, _)| at(*from)).max();
    most.unwrap_or_default()
}

fn seconds(from: Timestamp, to: Timestamp) -> i64 {
    to.duration_since(from).as_secs()
}

/// A definition is created from nothing, and nothing starves.
async fn comes_up(pools: usize, database: bool, parallel: Option<usize>) {
    let what = format!("{pools} pools, database: {database}, parallel: {parallel:?}");
    let spec = many(pools, database);
    let stacks = design(&spec);
    let cloud = Simulated::new(world(&spec));
    let began = cloud.now();
    let report = run(&cloud, (&spec, &stacks), "first", parallel, pending()).await;
    assert_eq!(
        report.outcome(),
        RunOutcome::Done,
        "{what}: {:#?}",
        report.outcomes
    );
    assert_eq!(statuses(&cloud), only("CREATE_COMPLETE"), "{what}");
    let spans = spans(&cloud);
    let control_plane = spans["canary-control-plane"];
    let edge = spans["canary-edge"];
    let after = seconds(edge.1, control_plane.0);
    assert!(
        (0..=SOON).contains(&after),
        "{what}: {after} s after the edge"
    );
    let most = parallel.unwrap_or(10);
    assert!(busiest(&spans) <= most, "{what}: {}", busiest(&spans));
    let pools = spans.iter().filter(|(name, _)| name.contains("-pool-"));
    let pools: Vec<_> = pools.map(|(_, span)| *span).collect();
    assert!(
        pools.iter().all(|(from, _)| *from >= control_plane.0),
        "{what}"
    );
    assert!(pools.iter().all(|(_, to)| *to > control_plane.1), "{what}");
    let beside = pools
        .iter()
        .filter(|(from, _)| *from < control_plane.1)
        .count();
    let room = most - 1 - usize::from(database && most > 1);
    assert_eq!(beside, room.min(pools.len()), "{what}: they boot beside it");
    // None waits for its signals as long as CloudFormation would.
    let longest = pools.iter().map(|(from, to)| seconds(*from, *to)).max();
    assert!(longest < Some(25 * 60), "{what}: {longest:?} s");
    // Fixed, so that a change of the order is seen: every stack once, none waiting for a timeout.
    let whole = seconds(began, cloud.now());
    let serial: i64 = spans.values().map(|(from, to)| seconds(*from, *to)).sum();
    assert!(whole < serial + 60 * 15, "{what}: {whole} s of {serial} s");
}

#[tokio::test(start_paused = true)]
async fn twenty_pools_and_no_database_come_up_with_the_usual_number_at_once() {
    comes_up(POOLS, false, None).await;
}

#[tokio::test(start_paused = true)]
async fn pools_never_starve_the_control_plane() {
    for database in [false, true] {
        for parallel in [1, 2, 9, 30] {
            comes_up(POOLS, database, Some(parallel)).await;
        }
        comes_up(9, database, None).await;
    }
}

#[tokio::test(start_paused = true)]
async fn pools_update_beside_a_running_control_plane() {
    let spec = many(POOLS - 1, false);
    let cloud = Simulated::new(world(&spec));
    let report = run(&cloud, (&spec, &design(&spec)), "first", None, pending()).await;
    assert_eq!(report.outcome(), RunOutcome::Done, "{:#?}", report.outcomes);
    let mut more = many(POOLS, false);
    for pool in &mut more.pools {
        pool.volume_gib += 10;
        pool.max += 1;
    }
    more.control_plane.etcd_volume_gib += 10;
    for parallel in [1, 10] {
        let report = run(
            &cloud,
            (&more, &design(&more)),
            "more",
            Some(parallel),
            pending(),
        )
        .await;
        assert_eq!(report.outcome(), RunOutcome::Done, "{:#?}", report.outcomes);
        for pool in &mut more.pools {
            pool.volume_gib += 10;
        }
    }
    let failed = cloud
        .history()
        .into_iter()
        .find(|event| event.status.as_str().contains("FAILED"));
    assert_eq!(failed, None);
}

/// Stops the first run once the control plane is on its way, and goes on with another one.
async fn resumed(parallel: usize, failures: Vec<ResourceFailure>) -> (Simulated, RunReport) {
    let spec = many(POOLS, false);
    let stacks = design(&spec);
    let cloud = Simulated::new(SimulationConfig {
        failures,
        ..world(&spec)
    });
    let begun = async {
        while !spans(&cloud).contains_key("canary-control-plane") {
            cloud.sleep(Duration::from_secs(1)).await;
        }
        cloud.sleep(Duration::from_secs(20)).await;
    };
    let report = run(&cloud, (&spec, &stacks), "first", Some(parallel), begun).await;
    assert_eq!(report.outcome(), RunOutcome::Detached, "{report:#?}");
    let again = (&spec, stacks.as_slice());
    let report = run(&cloud, again, "second", Some(parallel), pending()).await;
    (cloud, report)
}

#[tokio::test(start_paused = true)]
async fn following_stacks_of_another_run_takes_no_permit() {
    for parallel in [1, 2, 10] {
        let (cloud, report) = resumed(parallel, Vec::new()).await;
        assert_eq!(
            report.outcome(),
            RunOutcome::Done,
            "{parallel}: {:#?}",
            report.outcomes
        );
        assert_eq!(statuses(&cloud), only("CREATE_COMPLETE"), "{parallel}");
    }
}

#[tokio::test(start_paused = true)]
async fn pools_wait_for_a_control_plane_whose_authorities_take_long() {
    let spec = many(POOLS, false);
    let stacks = design(&spec);
    let cloud = Simulated::new(world(&spec));
    let plan = planned(&cloud, &spec, &stacks, "first").await;
    let (events, _heard) = unbounded_channel();
    let session = Session::new("first", &events);
    let authorities = Authorities(&cloud, Duration::from_mins(20));
    let report = apply::run(plan, &cloud, &authorities, &session, pending()).await;
    assert_eq!(report.outcome(), RunOutcome::Done, "{:#?}", report.outcomes);
    assert_eq!(statuses(&cloud), only("CREATE_COMPLETE"));
}

fn silent(times: u32) -> Vec<ResourceFailure> {
    vec![ResourceFailure {
        stack: "canary-control-plane".to_owned(),
        logical_id: "SlotA".to_owned(),
        operation: Operation::Create,
        reason: None,
        boot: None,
        times,
    }]
}

#[tokio::test(start_paused = true)]
async fn a_failed_control_plane_of_another_run_is_recreated_before_its_pools_time_out() {
    for parallel in [2, 10] {
        let (cloud, report) = resumed(parallel, silent(1)).await;
        assert_eq!(
            report.outcome(),
            RunOutcome::Done,
            "{parallel}: {:#?}",
            report.outcomes
        );
        let made = |status: &str| {
            let standing = cloud.all_stacks().into_iter();
            standing
                .filter(|found| found.status.as_str() == status)
                .count()
        };
        // What is left of the control plane was deleted first; no pool was made twice.
        assert_eq!(
            (made("CREATE_COMPLETE"), made("DELETE_COMPLETE")),
            (POOLS + 4, 1)
        );
    }
}

#[tokio::test(start_paused = true)]
async fn pools_are_not_started_for_a_failed_control_plane() {
    let spec = many(POOLS, false);
    let cloud = Simulated::new(SimulationConfig {
        failures: silent(1),
        ..world(&spec)
    });
    let report = run(&cloud, (&spec, &design(&spec)), "first", None, pending()).await;
    assert_eq!(
        report.outcome(),
        RunOutcome::RolledBack,
        "{:#?}",
        report.outcomes
    );
    let not_started = |(_, outcome): &&(StackKind, Outcome)| {
        let needs = StackKind::ControlPlane;
        *outcome == Outcome::NotStarted { needs }
    };
    // Nine had begun beside it: with nothing to join they end at their timeout.
    let count = report.outcomes.iter().filter(not_started).count();
    assert_eq!(count, POOLS - 9, "{:#?}", report.outcomes);
    let waited = spans(&cloud)["canary-pool-n00"];
    let waited = waited.1.duration_since(waited.0);
    assert!(waited > SignedDuration::from_mins(25), "{waited:?}");
}

/// `kube-cfn rehearse` of the canary with twenty pools and no database: exit code, stdout and stderr.
fn rehearsed(arguments: &[&str]) -> (Option<i32>, String) {
    let text = Path::new(env!("CARGO_MANIFEST_DIR")).join("clusters/canary.yaml");
    let text = std::fs::read_to_string(text).unwrap();
    let (before, rest) = text.split_once("\npools:\n").unwrap();
    let (_, after) = rest.split_once("\nprotect:").unwrap();
    let pool = |number| {
        format!("  - name: n{number:02}\n    instanceTypes: [m7g.large]\n    min: 1\n    max: 2\n")
    };
    let pools: String = (0..POOLS).map(pool).collect();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("canary.yaml");
    std::fs::write(&path, format!("{before}\npools:\n{pools}\nprotect:{after}")).unwrap();
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_kube-cfn"))
        .args([
            "rehearse",
            "--speed",
            "0",
            "--seed",
            "7",
            "--progress",
            "json",
        ])
        .args(arguments)
        .arg(&path)
        .current_dir(directory.path())
        .output()
        .unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(said).unwrap())
}

#[test]
fn a_rehearsal_knows_that_pools_join_the_control_plane() {
    let (code, said) = rehearsed(&[]);
    assert_eq!(code, Some(0), "{said}");
    let (code, said) = rehearsed(&["--fail", "control-plane/SlotA"]);
    assert_eq!(code, Some(3), "{said}");
    let of = |word: &str| {
        let is = |line: &&str| line.contains("\"stackSettled\"") && line.contains("\"pool-n");
        said.lines()
            .filter(is)
            .filter(|line| line.contains(word))
            .count()
    };
    assert_eq!(
        (of("rolledBack"), of("notStarted")),
        (9, POOLS - 9),
        "{said}"
    );
}
