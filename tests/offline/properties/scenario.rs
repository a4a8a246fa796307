//! The scenario of one seed: a start, a wanted state, runs under faults and changes by others, runs
//! without; in some a deletion and a second creation. The invariants are checked after each run.

use kube_cfn::common::Clock;
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::future::{Future, pending};
use std::time::Duration;

use fastrand::Rng;
use kube_cfn::apply::{self, Outputs, OutsidePlan, Prerequisites, RunOutcome, RunReport, Session};
use kube_cfn::cloud::Store;
use kube_cfn::events::Event;
use kube_cfn::plan::DriftDetection;
use kube_cfn::plan::{self, Guard, Plan, PlanOptions};
use kube_cfn::simulated::{Faults, Library, Simulated, SimulationConfig};
use kube_cfn::stacks::{KEY_ARN, Source, Stack, StackKind, parameter_path};
use secrecy::SecretString;
use tokio::sync::mpsc::UnboundedSender;

use super::clusters::{Family, real, small, tiny};
use super::generators::{Hand, failures, faults, hand};

pub const SECRET: &str = "correct-horse-battery-staple";
/// Runs that may meet faults, then runs that meet none.
const TROUBLED: usize = 3;
const CALM: usize = 5;
/// What somebody takes to read a plan and say yes; longer than any read is behind.
const READING: Duration = Duration::from_secs(12);

/// Keeps a secret before the control plane starts, as the authorities are kept.
struct Keeper<'a>(&'a Scenario<'a>);

impl Prerequisites for Keeper<'_> {
    async fn prepare(
        &self,
        stack: &StackKind,
        outputs: &Outputs,
    ) -> Result<Option<String>, String> {
        let key = outputs.get(&StackKind::Base).and_then(|of| of.get(KEY_ARN));
        let (StackKind::ControlPlane, Some(key)) = (stack, key) else {
            return Ok(None);
        };
        let secret = SecretString::from(SECRET);
        let scenario = self.0;
        let name = scenario.secret();
        let kept = scenario.cloud.put_secret_if_absent(&name, &secret, key);
        let kept = kept.await.map_err(|error| error.to_string())?;
        Ok(Some(format!("{kept:?} {secret:?}")))
    }
}

/// What one seed decides, and what it has seen.
pub struct Scenario<'a> {
    pub cloud: &'a Simulated,
    pub family: &'static Family,
    pub wanted: &'static [Stack],
    /// What may be lost, by `--allow-data-loss`.
    pub allow: BTreeSet<String>,
    /// What deletions named before they began.
    pub named: RefCell<BTreeSet<String>>,
    images: BTreeMap<String, String>,
    drift: DriftDetection,
    /// Writes before the present wish.
    pub era: usize,
    /// Whether the present run may meet faults.
    pub troubled: Cell<bool>,
    /// Stacks that somebody else moved since the present wish.
    pub moved: RefCell<BTreeSet<String>>,
    /// Stacks that somebody else ever moved.
    pub hands: RefCell<BTreeSet<String>>,
    /// Stacks that somebody else left a change set with, and the writes before it.
    pub theirs: RefCell<BTreeMap<String, usize>>,
    verbose: bool,
}

/// What a run was.
pub enum Done {
    Applied(Box<Plan>),
    Deleted,
}

/// How one run ended.
pub enum Ended {
    Killed,
    NoPlan(String),
    Over(Done, Box<RunReport>),
}

/// Plays a seed. The error says which invariant was broken.
pub async fn play(seed: u64, library: &Library, verbose: bool) -> Result<(), String> {
    let rng = &mut Rng::with_seed(seed);
    let family = match seed % 80 {
        7 => real(),
        even if even % 8 == 0 => small(),
        _ => tiny(),
    };
    let wanted = rng.choice(&family.variants).unwrap();
    let failures = failures(rng, wanted);
    let world = SimulationConfig {
        seed,
        region: family.region.to_owned(),
        failures: failures.clone(),
        ..SimulationConfig::default()
    };
    let cloud = &Simulated::sharing(world, library);
    let mut scenario = Scenario {
        cloud,
        family,
        wanted: &family.variants[0],
        allow: BTreeSet::new(),
        named: RefCell::default(),
        images: images(cloud, wanted).await,
        drift: if rng.u8(..8) == 0 {
            DriftDetection::All
        } else {
            DriftDetection::Off
        },
        era: 0,
        troubled: Cell::new(false),
        moved: RefCell::default(),
        hands: RefCell::default(),
        theirs: RefCell::default(),
        verbose,
    };
    if rng.u8(..3) > 0 {
        scenario.apply("start", 0.0, None).await?;
        scenario.once()?;
    }
    scenario.begin_era();
    scenario.wanted = wanted;
    if rng.bool() {
        let name = format!("{}-database/Database", family.cluster);
        scenario.allow.insert(name);
    }
    for number in 0..TROUBLED {
        let faults = faults(rng, number, family.calls, wanted, &failures);
        scenario.restart(faults);
        let meddling = meddling(rng, &scenario);
        scenario
            .apply(&format!("troubled-{number}"), stop(rng), meddling)
            .await?;
        if rng.bool() {
            break;
        }
    }
    scenario.calm().await?;
    if rng.u8(..4) > 0 {
        return Ok(());
    }
    scenario.begin_era();
    scenario.restart(faults(rng, 1, family.calls, wanted, &failures));
    scenario.delete("troubled", stop(rng)).await?;
    scenario.away().await?;
    if rng.bool() {
        scenario.begin_era();
        scenario.calm().await?;
    }
    Ok(())
}

/// Sometimes a run is stopped after some seconds.
fn stop(rng: &mut Rng) -> f64 {
    if rng.u8(..4) == 0 {
        rng.f64() * 1500.0
    } else {
        0.0
    }
}

/// Sometimes somebody does something after some seconds.
fn meddling(rng: &mut Rng, scenario: &Scenario<'_>) -> Option<(f64, Hand)> {
    let hand = hand(rng, scenario.family.cluster, scenario.wanted);
    (rng.u8(..3) == 0).then(|| (rng.f64() * 800.0, hand))
}

pub async fn images(cloud: &Simulated, stacks: &[Stack]) -> BTreeMap<String, String> {
    let mut images = BTreeMap::new();
    for input in stacks.iter().flat_map(|stack| &stack.inputs) {
        if let Source::Locked { parameter } = &input.source {
            let id = cloud.parameter(parameter).await.unwrap().unwrap();
            images.insert(parameter.clone(), id);
        }
    }
    images
}

impl Scenario<'_> {
    #[expect(
        clippy::print_stderr,
        reason = "a seed that is replayed prints its events"
    )]
    pub fn say(&self, text: impl FnOnce() -> String) {
        if self.verbose {
            eprintln!("{} {}", self.cloud.now(), text());
        }
    }

    pub fn secret(&self) -> String {
        parameter_path(self.family.cluster) + "/ca"
    }

    fn restart(&self, faults: Faults) {
        self.say(|| format!("{faults:?}"));
        self.troubled.set(faults != Faults::default());
        self.cloud.restart(faults);
    }

    /// Something new is wanted from here on.
    fn begin_era(&mut self) {
        self.era = self.cloud.writes().len();
        self.moved.borrow_mut().clear();
    }

    pub async fn planned(&self, run: &str) -> Result<Plan, String> {
        let survey = plan::survey(self.cloud, self.family.cluster).await;
        let survey = survey.map_err(|error| error.to_string())?;
        let draft = plan::draft(self.wanted.to_vec(), &survey, &self.images);
        let skip = BTreeSet::new();
        let terms = PlanOptions {
            drift: self.drift,
            ..PlanOptions::new(run, &self.allow, &skip)
        };
        let plan = plan::resolve(draft, self.cloud, &terms).await;
        plan.map_err(|error| error.to_string())
    }

    async fn applied(&self, run: &str, stop: f64, events: &UnboundedSender<Event>) -> Ended {
        let plan = match self.planned(run).await {
            Ok(plan) => plan,
            Err(why) => return Ended::NoPlan(why),
        };
        self.cloud.sleep(READING).await;
        let session = Session::new(run, events);
        let stopped = self.stopped(stop);
        let keeper = Keeper(self);
        let report = apply::run(plan.clone(), self.cloud, &keeper, &session, stopped).await;
        Ended::Over(Done::Applied(Box::new(plan)), Box::new(report))
    }

    async fn deleted(&self, run: &str, stop: f64, events: &UnboundedSender<Event>) -> Ended {
        let survey = match plan::survey(self.cloud, self.family.cluster).await {
            Ok(survey) => survey,
            Err(error) => return Ended::NoPlan(error.to_string()),
        };
        let plan = plan::deletion(&survey, Guard::Open);
        for step in &plan.steps {
            let names = step.losses().into_iter();
            let names = names.map(|loss| format!("{}/{}", step.found.name, loss.logical_id));
            self.named.borrow_mut().extend(names);
        }
        let session = Session::new(run, events);
        let outside = OutsidePlan::default();
        let released = std::future::ready(Ok(Vec::new()));
        let stopped = self.stopped(stop);
        let report =
            apply::delete((&plan, &outside), self.cloud, &session, released, stopped).await;
        Ended::Over(Done::Deleted, Box::new(report))
    }

    async fn stopped(&self, after: f64) {
        if after > 0.0 {
            self.cloud.sleep(Duration::from_secs_f64(after)).await;
        } else {
            pending::<()>().await;
        }
    }

    async fn apply(
        &self,
        run: &str,
        stop: f64,
        hand: Option<(f64, Hand)>,
    ) -> Result<Ended, String> {
        let (events, heard) = tokio::sync::mpsc::unbounded_channel();
        let work = self.applied(run, stop, &events);
        self.process(run, work, hand, heard).await
    }

    async fn delete(&self, run: &str, stop: f64) -> Result<Ended, String> {
        let (events, heard) = tokio::sync::mpsc::unbounded_channel();
        let run = format!("delete-{run}-{}", self.era);
        let work = self.deleted(&run, stop, &events);
        self.process(&run, work, None, heard).await
    }

    /// One process, until it ends, crashes, or is stopped.
    async fn process(
        &self,
        run: &str,
        work: impl Future<Output = Ended>,
        hand: Option<(f64, Hand)>,
        mut heard: tokio::sync::mpsc::UnboundedReceiver<Event>,
    ) -> Result<Ended, String> {
        let (before, began) = (self.cloud.writes().len(), self.cloud.now());
        let ended = tokio::select! {
            biased;
            () = self.cloud.crashed() => Ended::Killed,
            ended = work => ended,
            never = self.handled(hand) => never,
            () = tokio::time::sleep(Duration::from_hours(7 * 24)) =>
                return Err(format!("{run} does not end in a week")),
        };
        let mut seen = Vec::new();
        while let Ok(event) = heard.try_recv() {
            // As a record keeps it.
            let text = serde_json::to_string(&event).unwrap();
            self.say(|| text.clone());
            if text.contains(SECRET) {
                return Err(format!("{run} tells a secret: {text}"));
            }
            seen.push(event);
        }
        if let Ended::NoPlan(why) = &ended {
            self.say(|| format!("{run} has no plan: {why}"));
        }
        if let Ended::Over(done, report) = &ended {
            self.say(|| format!("{run}: {:?}", report.outcome()));
            self.verdict(run, done, report, (before, began))
                .and_then(|()| Self::events_match(report, &seen))
                .map_err(|why| format!("{run}: {why}"))?;
        }
        self.nothing_lost()?;
        Ok(ended)
    }

    /// Somebody does something; nobody ends a run by it.
    async fn handled(&self, hand: Option<(f64, Hand)>) -> Ended {
        if let Some((after, hand)) = hand {
            self.cloud.sleep(Duration::from_secs_f64(after)).await;
            let before = self.cloud.writes().len();
            let acted = hand.act(self.cloud);
            self.say(|| format!("{hand:?}: {acted}"));
            if let Some(stack) = hand.moves().filter(|_| acted) {
                self.moved.borrow_mut().insert(stack.to_owned());
                self.hands.borrow_mut().insert(stack.to_owned());
            }
            if let Some(stack) = hand.leaves().filter(|_| acted) {
                self.theirs.borrow_mut().insert(stack.to_owned(), before);
            }
        }
        pending().await
    }

    /// Runs without faults come to what is wanted, unless a guard refuses it. What needs
    /// a hand gets it.
    async fn calm(&self) -> Result<(), String> {
        self.restart(Faults::default());
        let mut last = String::new();
        for number in 0..CALM {
            let run = format!("calm-{}-{number}", self.era);
            let (plan, report) = match self.apply(&run, 0.0, None).await? {
                Ended::Over(Done::Applied(plan), report) => (plan, report),
                Ended::NoPlan(why) => return Err(format!("no plan without faults: {why}")),
                _ => return Err("killed without faults".to_owned()),
            };
            match report.outcome() {
                RunOutcome::Detached => return Err(format!("detached without faults: {report:?}")),
                RunOutcome::Done => return self.converged().await,
                _ if self.rightly_refused(&plan)? => return self.tidy(),
                _ => last = format!("{:?}", report.outcomes),
            }
            self.lend_hand(&plan);
            self.cloud.sleep(Duration::from_hours(1)).await;
        }
        if self.is_stuck() {
            return self.tidy();
        }
        Err(format!("does not converge: {last}"))
    }

    /// Deletions without faults leave nothing.
    async fn away(&self) -> Result<(), String> {
        self.restart(Faults::default());
        let mut last = String::new();
        for number in 0..CALM {
            match self.delete(&format!("calm-{number}"), 0.0).await? {
                Ended::Over(_, report) if report.outcome() == RunOutcome::Done => {
                    return self.gone().await;
                }
                Ended::Over(_, report) => last = format!("{:?}", report.outcomes),
                Ended::NoPlan(why) => last = why,
                Ended::Killed => return Err("killed without faults".to_owned()),
            }
        }
        Err(format!("does not go away: {last}"))
    }

    async fn converged(&self) -> Result<(), String> {
        let writes = self.cloud.writes().len();
        let plan = self.planned("after").await?;
        if plan.has_changes() {
            let actions: Vec<_> = plan.steps.iter().map(|step| &step.action).collect();
            return Err(format!("done, but a plan has changes: {actions:?}"));
        }
        if self.cloud.writes().len() != writes {
            return Err("a plan wrote".to_owned());
        }
        self.tidy()
    }

    async fn gone(&self) -> Result<(), String> {
        match self.cloud.secret(&self.secret()).await {
            Ok(None) => self.tidy(),
            other => Err(format!("deleted, but its secret is still kept: {other:?}")),
        }
    }
}
