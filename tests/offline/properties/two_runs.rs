//! Two runs at once on one cluster, killed or stopped at any moment: never two that both write, and a re-run
//! always ends.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use fastrand::Rng;
use futures::future::{Either, select};
use kube_cfn::apply::{self, Outputs, OutsidePlan, Prerequisites, RunOutcome, Session};
use kube_cfn::cloud::{Cloud, CloudError};
use kube_cfn::common::Clock;
use kube_cfn::operation::{self, Claim, OperationVerb};
use kube_cfn::plan::{self, Guard, PlanOptions};
use kube_cfn::simulated::{Crash, CrashPoint, Faults, Library, Simulated, SimulationConfig};
use kube_cfn::stacks::{Stack, StackKind, operation_parameter};

use crate::support::share;

use super::clusters::{Family, small, tiny};
use super::scenario::images;

/// What somebody takes to read a plan and say yes.
const READING: Duration = Duration::from_secs(12);

/// Nothing has to be done outside CloudFormation.
struct Nothing;

impl Prerequisites for Nothing {
    async fn prepare(&self, _: &StackKind, _: &Outputs) -> Result<Option<String>, String> {
        Ok(None)
    }
}

/// One process that does what a person has asked for.
struct Process<'a> {
    cloud: Simulated,
    family: &'static Family,
    wanted: &'static [Stack],
    images: &'a BTreeMap<String, String>,
    verb: OperationVerb,
    /// Names the run and its machine.
    run: String,
    /// Whether it goes without a lock, as an earlier version did.
    is_unlocked: bool,
}

impl Process<'_> {
    /// What `kube-cfn apply` and `delete` do. `None` for a run that was refused or could not look.
    async fn work(&self) -> Option<RunOutcome> {
        let (cloud, cluster) = (&self.cloud, self.family.cluster);
        let seen = match operation::observe(cloud, cluster).await {
            Ok(found) => found.map(|(seen, _)| seen),
            Err(_) => return None,
        };
        let survey = plan::survey(cloud, cluster).await.ok()?;
        let database = format!("{cluster}-database/Database");
        let (allow, skip) = (BTreeSet::from([database]), BTreeSet::new());
        let applied = match self.verb {
            OperationVerb::Apply => {
                let draft = plan::draft(self.wanted.to_vec(), &survey, self.images);
                let options = PlanOptions::new(&self.run, &allow, &skip);
                Some(plan::resolve(draft, cloud, &options).await.ok()?)
            }
            OperationVerb::Delete | OperationVerb::Roll | OperationVerb::Other => None,
        };
        let deletion = plan::deletion(&survey, Guard::Open);
        cloud.sleep(READING).await;
        let mut claim = Claim::new(cluster, self.verb, &self.run, "arn", cloud.now());
        claim.process.boot = Some(self.run.clone());
        let (events, _heard) = tokio::sync::mpsc::unbounded_channel();
        let session = Session::new(&self.run, &events);
        let outside = OutsidePlan::default();
        let released = || std::future::ready(Ok(Vec::new()));
        let both = (&deletion, &outside);
        if self.is_unlocked {
            let never = std::future::pending();
            let report = match applied {
                Some(plan) => apply::run(plan, cloud, &Nothing, &session, never).await,
                None => apply::delete(both, cloud, &session, released(), never).await,
            };
            return Some(report.outcome());
        }
        let lease = operation::acquire(cloud, claim, seen, |_| ()).await.ok()?;
        let moved = self.moved(applied.as_ref(), &deletion).await;
        if !matches!(moved, Ok(moved) if moved.is_empty()) {
            lease.release(Duration::from_secs(5)).await;
            return None;
        }
        let work = async {
            match applied {
                Some(plan) => apply::run(plan, cloud, &Nothing, &session, lease.lost()).await,
                None => apply::delete(both, cloud, &session, released(), lease.lost()).await,
            }
        };
        let report = lease.hold(|_| (), work).await;
        if report.outcome() == RunOutcome::Done && self.verb == OperationVerb::Delete {
            let _ = lease.remove().await;
        } else {
            lease.release(Duration::from_secs(5)).await;
        }
        Some(report.outcome())
    }

    async fn moved(
        &self,
        applied: Option<&plan::Plan>,
        deletion: &plan::DeletePlan,
    ) -> Result<Vec<String>, CloudError> {
        let now = self.cloud.stacks(Some(self.family.cluster)).await?;
        Ok(match applied {
            Some(plan) => plan.moved_stacks(&now),
            None => deletion.moved_stacks(&now),
        })
    }

    /// The same, killed by its own crash, or without processor time for a while.
    async fn play(&self, stall: Option<(Duration, Duration)>) -> Option<RunOutcome> {
        let work = pin!(self.work());
        let stalled = async {
            let Some((at, length)) = stall else {
                return work.await;
            };
            match select(work, pin!(self.cloud.sleep(at))).await {
                Either::Left((ended, _)) => ended,
                Either::Right(((), work)) => {
                    self.cloud.sleep(length).await;
                    work.await
                }
            }
        };
        tokio::select! {
            biased;
            () = self.cloud.crashed() => None,
            ended = stalled => ended,
        }
    }
}

/// The run that a write belongs to, by its token.
fn run_of(token: &str) -> Option<&str> {
    token.strip_prefix("kcfn-")?.split('-').next()
}

/// No run writes again after another one has begun to.
fn one_at_a_time(cloud: &Simulated) -> Result<(), String> {
    let mut over: BTreeSet<String> = BTreeSet::new();
    let mut present = String::new();
    for write in cloud.writes() {
        if !["create", "execute", "delete", "continue_rollback"].contains(&write.verb) {
            continue;
        }
        let Some(run) = write.token.as_deref().and_then(run_of) else {
            continue;
        };
        if run != present {
            over.insert(std::mem::replace(&mut present, run.to_owned()));
        }
        if over.contains(run) {
            return Err(format!("{run} writes again after another run: {write:?}"));
        }
    }
    Ok(())
}

async fn scenario(seed: u64, library: &Library, is_unlocked: bool) -> Result<(), String> {
    let rng = &mut Rng::with_seed(seed);
    let family = if seed.is_multiple_of(8) {
        small()
    } else {
        tiny()
    };
    let wanted: &'static [Stack] = rng.choice(&family.variants).expect("variants");
    let config = SimulationConfig {
        seed,
        region: family.region.to_owned(),
        ..SimulationConfig::default()
    };
    let world = &Simulated::sharing(config, library);
    let images = &images(world, wanted).await;
    let process = |run: &str, verb, wanted: &'static [Stack], crash| Process {
        cloud: world.another(crash),
        family,
        wanted,
        images,
        verb,
        run: run.to_owned(),
        is_unlocked,
    };
    let calm = |run: &str| process(run, OperationVerb::Apply, wanted, None);
    if rng.bool() {
        let first = process("start", OperationVerb::Apply, &family.variants[0], None);
        let ended = first.play(None).await;
        if ended != Some(RunOutcome::Done) {
            return Err(format!("the start ended as {ended:?}"));
        }
    }
    let chance = [0.0, 0.03][rng.usize(..2)];
    world.restart(Faults {
        throttle: chance,
        lost_answer: chance,
        turns: 0..=3,
        ..Faults::default()
    });
    let mut one = |run: &str| {
        let verb = [OperationVerb::Apply, OperationVerb::Delete][rng.usize(..2)];
        let when = [CrashPoint::BeforeEffect, CrashPoint::AfterEffect][rng.usize(..2)];
        let crash = (rng.u8(..3) == 0).then(|| Crash {
            call: rng.u64(1..family.calls),
            when,
        });
        let stall = (rng.u8(..3) == 0).then(|| {
            let (at, length) = (rng.f64() * 120.0, 60.0 + rng.f64() * 240.0);
            (Duration::from_secs_f64(at), Duration::from_secs_f64(length))
        });
        let longest = [20.0, 150.0][rng.usize(..2)];
        let wait = Duration::from_secs_f64(rng.f64() * longest);
        (process(run, verb, wanted, crash), stall, wait)
    };
    let pair = [one("left"), one("right")];
    let play = async |(process, stall, wait): &(Process<'_>, Option<_>, Duration)| {
        world.sleep(*wait).await;
        process.play(*stall).await
    };
    let [left, right] = &pair;
    ends(async { tokio::join!(play(left), play(right)) }).await?;
    one_at_a_time(world)?;
    world.restart(Faults::default());
    let mut last = None;
    for number in 0..5 {
        let again = calm(&format!("calm{number}"));
        last = ends(again.play(None)).await?;
        if last == Some(RunOutcome::Done) {
            one_at_a_time(world)?;
            if is_unlocked {
                return Ok(());
            }
            let name = operation_parameter(family.cluster);
            let held = operation::read(world, family.cluster).await;
            let there = world.parameters().contains_key(&name);
            return match held {
                Ok(None) if there => Ok(()),
                held => Err(format!("the lock is left behind: {held:?}")),
            };
        }
    }
    Err(format!("a re-run does not end well: {last:?}"))
}

async fn ends<T>(work: impl Future<Output = T>) -> Result<T, String> {
    let week = Duration::from_hours(7 * 24);
    let ended = tokio::time::timeout(week, work).await;
    ended.map_err(|_| "it does not end in a week".to_owned())
}

fn broken(seeds: std::ops::Range<u64>, is_unlocked: bool) -> Vec<String> {
    let library = Library::default();
    let failing = |seed| {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        let runtime = builder.enable_time().start_paused(true).build().unwrap();
        let played = runtime.block_on(scenario(seed, &library, is_unlocked));
        played.err().map(|why| format!("seed {seed}: {why}"))
    };
    seeds.filter_map(failing).take(5).collect()
}

#[test]
fn two_runs_never_write_both() {
    let broken = broken(share::seeds(0..400), false);
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

/// The same without the lock: the invariant can be broken, and the test sees it.
#[test]
fn two_runs_without_the_lock_do() {
    let broken = broken(0..60, true);
    let both = |why: &String| why.contains("writes again after another run");
    assert!(broken.iter().any(both), "{broken:?}");
}
