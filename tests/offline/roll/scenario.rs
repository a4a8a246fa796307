//! The scenario of one seed: a cluster with new launch templates, rolls under faults that are killed at any call, and the
//! same command until nothing is left.
#![expect(
    clippy::print_stderr,
    reason = "a seed that is played alone says what happens"
)]

use std::collections::BTreeMap;
use std::time::Duration;

use fastrand::Rng;
use kube_cfn::cloud::CloudError;
use kube_cfn::common::Clock;
use kube_cfn::common::clock::elapsed;
use kube_cfn::etcd::{Members, Slot, slots};
use kube_cfn::roll::{
    self, End, Memory, Next, Observed, Options, Roll, RollError, RollScope, Step, Surge,
};
use kube_cfn::simulated::{
    Crash, CrashPoint, Faults, FleetConfig, FleetFacts, Simulated, SimulationConfig,
};

use super::cluster::{self, CLUSTER, Pool, TARGETS};
use super::invariants;

/// Runs of the same command in which something may go wrong, then runs in which nothing does.
const TROUBLED: usize = 3;
const CALM: usize = 5;
/// No run takes longer.
const LONGEST: Duration = Duration::from_hours(12);

/// What is played: the real decisions on the real simulation, or one of both broken.
#[derive(Clone, Copy)]
pub struct Variant {
    pub next: Next,
    pub detach_lowers_size: bool,
}

impl Variant {
    pub fn of(next: Next) -> Self {
        Self {
            next,
            detach_lowers_size: false,
        }
    }
}

/// An invariant that was broken.
#[derive(Debug)]
pub struct Broken {
    pub invariant: &'static str,
    pub how: String,
}

/// What one seed decides.
pub struct Scenario {
    pub cloud: Simulated,
    pub options: Options,
    slots: Vec<Slot>,
    variant: Variant,
    verbose: bool,
}

enum Ended {
    Killed,
    Over(Result<End, RollError>),
}

fn pools(rng: &mut Rng) -> Vec<Pool> {
    let mut pools = vec![Pool {
        name: "workers",
        machines: rng.usize(2..7),
        zones: rng.usize(1..3),
    }];
    if rng.u8(..3) == 0 {
        pools.push(Pool {
            name: "batch",
            machines: rng.usize(1..4),
            zones: 1,
        });
    }
    pools
}

async fn scenario(seed: u64, rng: &mut Rng, variant: Variant, verbose: bool) -> Scenario {
    let cloud = Simulated::new(SimulationConfig {
        seed,
        ..SimulationConfig::default()
    });
    let count = *rng.choice(&[1, 3]).unwrap();
    let surges = [
        Surge::Count(0),
        Surge::Count(1),
        Surge::Count(2),
        Surge::Percent(50),
        Surge::Percent(10),
    ];
    let surge = rng.choice(surges).unwrap();
    let pools = pools(rng);
    let outputs = cluster::create(&cloud, count, &pools).await;
    let zones = pools[0].zones;
    let fleet = cluster::fleet(rng, zones, surge.is_in_place());
    cloud.start_fleet(FleetConfig {
        detach_lowers_size: variant.detach_lowers_size,
        ..fleet
    });
    let scope = match rng.u8(..8) {
        0 => RollScope::ControlPlane,
        1 | 2 => RollScope::All,
        3 => RollScope::Node(victim(&cloud, rng)),
        _ => RollScope::Pools,
    };
    if matches!(scope, RollScope::All | RollScope::ControlPlane) {
        for letter in &["A", "B", "C"][..count] {
            cluster::change(&cloud, "control-plane", &format!("LaunchTemplate{letter}")).await;
        }
    }
    if matches!(scope, RollScope::All | RollScope::Pools) {
        for pool in &pools {
            cluster::change(&cloud, &format!("pool-{}", pool.name), "LaunchTemplate").await;
        }
    }
    let slots = slots(&outputs);
    let stacks = ["control-plane", "pool-workers", "pool-batch"];
    let versions = stacks.map(|stack| (stack.to_owned(), "1.36.2".to_owned()));
    let options = Options {
        scope,
        surge,
        drain_timeout: Duration::from_secs(rng.u64(300..1200)),
        slots: slots.clone(),
        target_group: Some(TARGETS.to_owned()),
        versions: BTreeMap::from(versions),
        etcd_version: Some("3.6.14".to_owned()),
        ..Options::new(CLUSTER)
    };
    Scenario {
        cloud,
        options,
        slots,
        variant,
        verbose,
    }
}

/// Any worker.
fn victim(cloud: &Simulated, rng: &mut Rng) -> String {
    let ids = cloud.fleet_workers();
    rng.choice(ids).unwrap()
}

/// Plays a seed. The error says which invariant was broken.
pub async fn play(seed: u64, variant: Variant, verbose: bool) -> Result<(), Vec<Broken>> {
    let one = |broken: Result<(), Broken>| broken.map_err(|broken| vec![broken]);
    let rng = &mut Rng::with_seed(seed);
    let scenario = scenario(seed, rng, variant, verbose).await;
    let start = scenario.cloud.fleet_facts();
    if verbose {
        eprintln!("{:#?}\n{start:#?}", scenario.options);
    }
    for run in 0..TROUBLED + CALM {
        let is_troubled = run < TROUBLED;
        if !is_troubled {
            scenario.cloud.repair_fleet();
        }
        let crash = (is_troubled && rng.bool()).then(|| Crash {
            call: crash_call(rng),
            when: *rng
                .choice(&[CrashPoint::BeforeEffect, CrashPoint::AfterEffect])
                .unwrap(),
        });
        let noise = if is_troubled && rng.u8(..3) == 0 {
            0.02
        } else {
            0.0
        };
        scenario.cloud.restart(Faults {
            crash_at: crash,
            throttle: noise,
            lost_answer: noise,
            ..Faults::default()
        });
        let before = scenario.cloud.fleet_facts();
        let since = scenario.cloud.fleet_log().len();
        let ended = scenario.run().await;
        let log = scenario.cloud.fleet_log();
        let all = invariants::hold(&scenario.options, &start, &before, &log[since..]);
        if !all.is_empty() {
            return Err(all);
        }
        match ended.map_err(|broken| vec![broken])? {
            Ended::Killed => {}
            Ended::Over(Ok(End::Finished)) => {
                return one(invariants::finished(
                    &scenario,
                    &scenario.cloud.fleet_facts(),
                ));
            }
            Ended::Over(Ok(End::Stopped(reasons))) => {
                if verbose {
                    eprintln!("stopped: {reasons:#?}");
                }
                if reasons.is_empty() || reasons.iter().any(|stop| stop.text.is_empty()) {
                    return one(broken("reasons", "it stopped without a reason"));
                }
                // Somebody reads the reasons and removes the cause.
                scenario.cloud.repair_fleet();
                scenario.cloud.sleep(Duration::from_mins(10)).await;
            }
            Ended::Over(Err(error)) => {
                let is_passing = matches!(&error, RollError::Cloud(error) if is_passing(error));
                if !is_passing {
                    return one(broken("errors", &error.to_string()));
                }
            }
        }
    }
    let facts: FleetFacts = scenario.cloud.fleet_facts();
    one(broken("converges", &format!("it does not end: {facts:?}")))
}

fn is_passing(error: &CloudError) -> bool {
    error.is_transient()
}

pub fn broken(invariant: &'static str, how: &str) -> Result<(), Broken> {
    Err(Broken {
        invariant,
        how: how.to_owned(),
    })
}

/// The decisions, each said aloud.
fn spoken(seen: &Observed, memory: &Memory, options: &Options) -> Step {
    let step = roll::next(seen, memory, options);
    eprintln!("{} {step:?}", seen.at);
    step
}

/// Most kills come early, where most is decided.
fn crash_call(rng: &mut Rng) -> u64 {
    let most = *rng.choice(&[30, 200, 1500]).unwrap();
    rng.u64(1..most)
}

impl Scenario {
    async fn run(&self) -> Result<Ended, Broken> {
        let (events, mut heard) = tokio::sync::mpsc::unbounded_channel();
        let members = Members {
            cloud: &self.cloud,
            slots: self.slots.clone(),
            on_step: &|_| {},
        };
        let nodes: &Simulated = &self.cloud;
        let roll = Roll {
            next: if self.verbose {
                spoken
            } else {
                self.variant.next
            },
            ..Roll::new((&self.cloud, nodes, &members), &self.options, &events)
        };
        let began = self.cloud.now();
        let ended = tokio::select! {
            biased;
            ended = roll.run() => Ended::Over(ended),
            () = self.cloud.crashed() => Ended::Killed,
            () = self.cloud.sleep(LONGEST) => {
                let facts = self.cloud.fleet_facts();
                return Err(Broken { invariant: "converges", how: format!("no end after {LONGEST:?}: {facts:?}") });
            }
        };
        while let Ok(event) = heard.try_recv() {
            if self.verbose {
                eprintln!("{} {event:?}", event.at());
            }
        }
        if self.verbose {
            eprintln!("a run of {:?}", elapsed(began, self.cloud.now()));
        }
        Ok(ended)
    }
}
