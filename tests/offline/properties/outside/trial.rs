//! The trial of one seed: a cluster, things around it, deletions under faults and changes by others, then deletions
//! without, until nothing is left. What each run came to is checked after it.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::future::pending;
use std::time::Duration;

use fastrand::Rng;
use jiff::Timestamp;
use kube_cfn::apply::{self, Outputs, OutsidePlan, Prerequisites, RunOutcome, RunReport, Session};
use kube_cfn::cloud::outside::{OutsideKind, OutsideResource};
use kube_cfn::cloud::{Cloud, StackStatus, Store};
use kube_cfn::common::Clock;
use kube_cfn::plan::{self, Guard, PlanOptions};
use kube_cfn::simulated::{Faults, Library, Simulated, SimulationConfig};
use kube_cfn::stacks::{StackKind, parameter_path};
use kube_cfn::sweep::{self, Found, Inventory, Scope, kinds};

use super::super::generators::faults;
use super::super::scenario::images;
use super::cluster::Design;
use super::others::{denied, fail_once};
use super::things::{Expected, Things};

/// What somebody takes to read what would be deleted and say yes.
const READING: Duration = Duration::from_secs(12);
/// No run takes longer: the slowest stacks and the longest removal, with rests of throttling.
const LONGEST: Duration = Duration::from_hours(6);
/// About as many calls as a run makes.
const CALLS: u64 = 400;
/// Runs that may meet faults, then runs that meet none.
const TROUBLED: usize = 3;
const CALM: usize = 6;

/// Nothing has to be done outside CloudFormation.
struct Nothing;

impl Prerequisites for Nothing {
    async fn prepare(&self, _: &StackKind, _: &Outputs) -> Result<Option<String>, String> {
        Ok(None)
    }
}

/// What is wrong with the cloud or the caller, to see that the invariants find it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Broken {
    Nothing,
    /// A kind is never listed.
    Hides(OutsideKind),
    /// What is shared with the cluster is listed as its own.
    TakesShared,
    /// Volumes are deleted although they are to be kept.
    DeletesVolumes,
    /// Plain tags on a key count as CloudFormation's own.
    ProvesKeys,
    /// The question leaves out buckets and keys, which go all the same.
    Unsaid,
    /// What is kept is not named at the end.
    Forgets,
}

/// How one run ended.
pub enum Ended {
    Killed,
    /// It was refused before anything, or could not look.
    NoPlan(String),
    Over(Box<RunReport>),
}

/// What one seed decides, and what it has seen.
pub struct Trial<'a> {
    pub things: Things<'a>,
    pub delete_volumes: bool,
    /// Whether a run goes on where a kind could not be looked for.
    accept_unknown: bool,
    /// How many Services, of four, go through the API of the cluster.
    pub released: u8,
    broken: Broken,
    verbose: bool,
    /// Losses before the present run.
    pub losses: Cell<usize>,
    /// What the present run showed before it began.
    pub shown: RefCell<Inventory>,
    /// Since when the present run goes.
    pub began: Cell<Timestamp>,
    /// Whether somebody else acted while the present run went.
    pub meddled: Cell<bool>,
}

/// Plays a seed. The error says which invariant was broken.
pub async fn play(
    seed: u64,
    design: &Design,
    library: &Library,
    (broken, verbose): (Broken, bool),
) -> Result<(), String> {
    let rng = &mut Rng::with_seed(seed);
    let config = SimulationConfig {
        seed,
        ..SimulationConfig::default()
    };
    let cloud = &Simulated::sharing(config, library);
    create(cloud, design).await?;
    let trial = Trial {
        things: Things::new(cloud, design),
        delete_volumes: rng.u8(..3) == 0,
        accept_unknown: rng.bool(),
        released: rng.u8(..5),
        broken,
        verbose,
        losses: Cell::new(0),
        shown: RefCell::default(),
        began: Cell::new(cloud.now()),
        meddled: Cell::new(false),
    };
    match broken {
        Broken::Nothing | Broken::DeletesVolumes | Broken::Unsaid | Broken::Forgets => {}
        Broken::ProvesKeys => cloud.distort_listings(|kind, all| {
            if kind == OutsideKind::Key {
                all.iter_mut().for_each(prove);
            }
        }),
        Broken::Hides(kind) => cloud.distort_listings(move |listed, all| {
            if listed == kind {
                all.clear();
            }
        }),
        Broken::TakesShared => {
            cloud.distort_listings(|_, all| all.iter_mut().for_each(take_shared));
        }
    }
    let has_foreign = rng.bool();
    for _ in 0..rng.usize(1..8) {
        if !has_foreign || rng.u8(..3) > 0 {
            trial.things.add_own(rng);
        } else {
            trial.things.add_foreign(rng);
        }
    }
    let parameter = parameter_path(design.cluster) + "/x";
    let put = cloud.put_parameter_if_absent(&parameter, "y").await;
    put.map_err(|error| error.to_string())?;
    if rng.u8(..4) == 0 {
        fail_once(rng, cloud, design);
    }
    cloud.sleep(Duration::from_secs(rng.u64(1..600))).await;
    if rng.u8(..3) == 0 {
        trial.delete_in_console(rng).await;
    }
    for number in 0..TROUBLED {
        // Milder than elsewhere: looks that fail end a run before it has begun.
        let mut faults = faults(rng, number + 1, CALLS, design.stacks, &[]);
        faults.calls.extend(denied(rng, &trial.things));
        cloud.restart(faults);
        let others = (rng.u8(..3) == 0).then(|| rng.f64() * 1500.0);
        let stop = if rng.u8(..5) == 0 {
            rng.f64() * 1500.0
        } else {
            0.0
        };
        trial
            .run(
                &format!("troubled-{number}"),
                stop,
                others.map(|after| (after, rng.fork())),
            )
            .await?;
        if rng.bool() {
            break;
        }
    }
    trial.calm().await
}

fn take_shared(resource: &mut OutsideResource) {
    for value in resource
        .tags
        .values_mut()
        .filter(|value| *value == "shared")
    {
        "owned".clone_into(value);
    }
}

/// CloudFormation's tag of the stack that the plain ones name.
fn prove(key: &mut OutsideResource) {
    let of = ["kube-cfn/cluster", "kube-cfn/stack"].map(|name| key.tag(name).unwrap_or_default());
    let arn = format!(
        "arn:aws:cloudformation:eu-west-1:1:stack/{}/7",
        of.join("-")
    );
    key.tags
        .insert("aws:cloudformation:stack-id".to_owned(), arn);
}

async fn create(cloud: &Simulated, design: &Design) -> Result<(), String> {
    let images = images(cloud, design.stacks).await;
    let survey = plan::survey(cloud, design.cluster).await;
    let survey = survey.map_err(|error| error.to_string())?;
    let draft = plan::draft(design.stacks.to_vec(), &survey, &images);
    let (allow, skip) = (BTreeSet::new(), BTreeSet::new());
    let options = PlanOptions::new("create", &allow, &skip);
    let plan = plan::resolve(draft, cloud, &options).await;
    let plan = plan.map_err(|error| error.to_string())?;
    let (events, _heard) = tokio::sync::mpsc::unbounded_channel();
    let session = Session::new("create", &events);
    let report = apply::run(plan, cloud, &Nothing, &session, pending()).await;
    match report.outcome() {
        RunOutcome::Done => Ok(()),
        other => Err(format!("the creation ended as {other:?}: {report:?}")),
    }
}

impl Trial<'_> {
    #[expect(
        clippy::print_stderr,
        reason = "a seed that is replayed prints its events"
    )]
    pub fn say(&self, text: impl FnOnce() -> String) {
        if self.verbose {
            eprintln!("{} {}", self.cloud().now(), text());
        }
    }

    pub fn cloud(&self) -> &Simulated {
        self.things.cloud
    }

    pub fn cluster(&self) -> &str {
        self.things.design.cluster
    }

    /// What `kube-cfn delete` does.
    async fn work(&self, run: &str, stop: f64) -> Ended {
        let cloud = self.cloud();
        let no_plan = |error: String| Ended::NoPlan(error);
        let survey = match plan::survey(cloud, self.cluster()).await {
            Ok(survey) => survey,
            Err(error) => return no_plan(error.to_string()),
        };
        let scope = match Scope::of(cloud, self.cluster(), &survey.found).await {
            Ok(scope) => scope,
            Err(error) => return no_plan(error.to_string()),
        };
        let shown = match sweep::look(cloud, &scope).await {
            Ok(shown) => shown,
            Err(error) => return no_plan(error.to_string()),
        };
        if !shown.unknown.is_empty() && !self.accept_unknown {
            return no_plan(format!("unknown: {:?}", shown.unknown));
        }
        let mut said = shown.clone();
        if self.broken == Broken::Unsaid {
            let is_said = |one: &Found| !kinds::row(one.resource.kind).is_last;
            said.found.retain(is_said);
        }
        self.shown.replace(said);
        let plan = plan::deletion(&survey, Guard::Open);
        if let Some(why) = &plan.refused {
            return no_plan(format!("{why:?}"));
        }
        cloud.sleep(READING).await;
        let (events, mut heard) = tokio::sync::mpsc::unbounded_channel();
        let session = Session::new(run, &events);
        let outside = OutsidePlan {
            scope,
            shown,
            delete_volumes: self.delete_volumes || self.broken == Broken::DeletesVolumes,
        };
        let stopped = async {
            if stop > 0.0 {
                cloud.sleep(Duration::from_secs_f64(stop)).await;
            } else {
                pending::<()>().await;
            }
        };
        let release = async {
            self.release().await;
            Ok(Vec::new())
        };
        let mut report = apply::delete((&plan, &outside), cloud, &session, release, stopped).await;
        if self.broken == Broken::Forgets {
            report.outside.kept.clear();
        }
        while let Ok(event) = heard.try_recv() {
            self.say(|| serde_json::to_string(&event).unwrap_or_default());
        }
        Ended::Over(Box::new(report))
    }

    /// One process, until it ends, crashes, or is stopped.
    async fn run(&self, run: &str, stop: f64, others: Option<(f64, Rng)>) -> Result<Ended, String> {
        let cloud = self.cloud();
        self.losses.set(cloud.outside_losses().len());
        self.shown.replace(Inventory::default());
        self.began.set(cloud.now());
        self.meddled.set(false);
        let ended = tokio::select! {
            biased;
            () = cloud.crashed() => Ended::Killed,
            ended = self.work(run, stop) => ended,
            () = self.meddle(others) => Ended::Killed,
            () = tokio::time::sleep(LONGEST) => return Err(format!("{run} does not end in {LONGEST:?}")),
        };
        self.say(|| match &ended {
            Ended::Killed => format!("{run}: killed"),
            Ended::NoPlan(why) => format!("{run}: no plan: {why}"),
            Ended::Over(report) => format!("{run}: {:?} {:#?}", report.outcome(), report.outside),
        });
        self.check(&ended).map_err(|why| format!("{run}: {why}"))?;
        Ok(ended)
    }

    /// Deletions without faults come to an end, when what only somebody else can do is done.
    async fn calm(&self) -> Result<(), String> {
        self.cloud().restart(Faults::default());
        let mut last = String::new();
        for number in 0..CALM {
            match self.run(&format!("calm-{number}"), 0.0, None).await? {
                Ended::Over(report) if report.outcome() == RunOutcome::Done => {
                    return self.gone(&report).await;
                }
                Ended::Over(report) => {
                    last = format!(
                        "{:?} {:?} {:?}",
                        report.outcomes, report.outside.left, report.unfinished
                    );
                }
                Ended::NoPlan(why) => return Err(format!("no plan without faults: {why}")),
                Ended::Killed => return Err("killed without faults".to_owned()),
            }
            self.lend_hand();
            self.cloud().sleep(Duration::from_mins(30)).await;
        }
        Err(format!("does not end: {last}"))
    }

    async fn gone(&self, report: &RunReport) -> Result<(), String> {
        let standing = self.cloud().stacks(Some(self.cluster())).await;
        let standing = standing.map_err(|error| error.to_string())?;
        let there = |status: &StackStatus| *status != StackStatus::DeleteComplete;
        if standing.iter().any(|found| there(&found.status)) {
            return Err(format!("deleted, but there are {standing:?}"));
        }
        let path = parameter_path(self.cluster());
        let left = self.cloud().parameters_under(&path).await;
        if !matches!(&left, Ok(left) if left.is_empty()) {
            return Err(format!("deleted, but there are parameters: {left:?}"));
        }
        self.everything_gone(report)
    }

    pub fn is_foreign(&self, thing: &OutsideResource) -> bool {
        self.things.expected(thing.kind, &thing.id) == Expected::Foreign
    }
}
