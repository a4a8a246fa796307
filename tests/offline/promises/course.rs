//! The course of one seed: a start, something wanted, runs under faults, runs without; what was
//! promised is checked after each.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use fastrand::Rng;
use kube_cfn::apply::event::Outcome;
use kube_cfn::apply::{self, End, Outputs, Prepare, Report, Session};
use kube_cfn::cloud::simulated::{
    Failing, Faults, How, Kill, Library, Moment, Operation, Simulated, World,
};
use kube_cfn::cloud::{Clock, Cloud, Fate, Store};
use kube_cfn::plan::{self, Plan, Terms};
use kube_cfn::stacks::{KEY_ARN, Source, Stack, StackKind};
use secrecy::SecretString;

use super::clusters::{Family, real, small};

const SECRET: &str = "correct-horse-battery-staple";
/// Runs that may meet faults, then runs that meet none.
const TROUBLED: usize = 3;
const CALM: usize = 4;

/// Keeps a secret before the control plane starts, as the authorities are kept.
struct Keeper<'a>(&'a Simulated);

impl Prepare for Keeper<'_> {
    async fn before(&self, stack: &StackKind, outputs: &Outputs) -> Result<Option<String>, String> {
        let key = outputs.get(&StackKind::Base).and_then(|of| of.get(KEY_ARN));
        let (StackKind::ControlPlane, Some(key)) = (stack, key) else {
            return Ok(None);
        };
        let secret = SecretString::from(SECRET);
        let kept = self.0.keep_secret("/kube-cfn/ca", &secret, key).await;
        kept.map(|kept| Some(format!("{kept:?}")))
            .map_err(|error| error.to_string())
    }
}

/// What one seed decides.
struct Course<'a> {
    cloud: &'a Simulated,
    family: &'static Family,
    wanted: &'static [Stack],
    allow: BTreeSet<String>,
    images: BTreeMap<String, String>,
    verbose: bool,
}

/// How one run ended.
enum Ended {
    Killed,
    NoPlan(String),
    Over(Box<(Plan, Report)>),
}

/// Plays a seed. The error says which promise was broken.
pub async fn play(seed: u64, library: &Library, verbose: bool) -> Result<(), String> {
    let rng = &mut Rng::with_seed(seed);
    let family = if seed % 50 == 7 { real() } else { small() };
    let wanted = rng.choice(&family.variants).unwrap();
    let world = World {
        seed,
        region: family.region.to_owned(),
        failures: failures(rng, wanted),
        ..World::default()
    };
    let cloud = &Simulated::sharing(world, library);
    let name = format!("{}-database/Database", family.cluster);
    let allow = if rng.bool() {
        BTreeSet::from([name])
    } else {
        BTreeSet::new()
    };
    let images = images(cloud, wanted).await;
    let mut course = Course {
        cloud,
        family,
        wanted: &family.variants[0],
        allow: BTreeSet::new(),
        images,
        verbose,
    };
    if rng.bool() {
        course.go("start", 0.0).await?;
    }
    (course.wanted, course.allow) = (wanted, allow);
    for number in 0..TROUBLED {
        let faults = faults(rng, number);
        course.say(&format!("{faults:?}"));
        cloud.revive(faults);
        let stop = if rng.u8(..4) == 0 {
            rng.f64() * 1500.0
        } else {
            0.0
        };
        course.go(&format!("troubled-{number}"), stop).await?;
        if rng.bool() {
            break;
        }
    }
    course.calm().await
}

fn failures(rng: &mut Rng, wanted: &[Stack]) -> Vec<Failing> {
    let count = rng.usize(..3);
    let one = |_| {
        let stack = &wanted[rng.usize(..wanted.len())];
        let ids: Vec<_> = stack.resources().map(|(id, _)| id.to_owned()).collect();
        Failing {
            stack: stack.name.clone(),
            logical_id: ids[rng.usize(..ids.len())].clone(),
            operation: if rng.bool() {
                Operation::Create
            } else {
                Operation::Update
            },
            reason: None,
            times: 1,
        }
    };
    (0..count).map(one).collect()
}

/// Milder with every run.
fn faults(rng: &mut Rng, number: usize) -> Faults {
    let most = [0.3, 0.15, 0.05][number.min(2)];
    let mut chance = || if rng.bool() { rng.f64() * most } else { 0.0 };
    let mut faults = Faults {
        throttle: chance(),
        lost_answer: chance(),
        unreachable: chance(),
        stale_read: chance(),
        late_events: chance(),
        duplicate_pages: chance(),
        reorder: chance(),
        ..Faults::default()
    };
    match rng.u8(..5) {
        0 | 1 => {
            faults.kill_after = Some(Kill {
                call: rng.u64(1..150),
                when: if rng.bool() {
                    Moment::BeforeEffect
                } else {
                    Moment::AfterEffect
                },
            });
        }
        2 => faults.expire_after = Some(rng.u64(1..150)),
        _ => {}
    }
    faults
}

async fn images(cloud: &Simulated, stacks: &[Stack]) -> BTreeMap<String, String> {
    let mut images = BTreeMap::new();
    for input in stacks.iter().flat_map(|stack| &stack.inputs) {
        if let Source::Locked { parameter } = &input.source {
            let id = cloud.parameter(parameter).await.unwrap().unwrap();
            images.insert(parameter.clone(), id);
        }
    }
    images
}

impl Course<'_> {
    #[expect(
        clippy::print_stderr,
        reason = "a seed that is replayed tells its course"
    )]
    fn say(&self, text: &str) {
        if self.verbose {
            eprintln!("{} {text}", self.cloud.now());
        }
    }

    async fn planned(&self, run: &str) -> Result<Plan, String> {
        let survey = plan::survey(self.cloud, self.family.cluster).await;
        let survey = survey.map_err(|error| error.to_string())?;
        let draft = plan::draft(self.wanted.to_vec(), &survey, &self.images);
        let skip = BTreeSet::new();
        let terms = Terms {
            run,
            allow: &self.allow,
            skip: &skip,
        };
        let plan = plan::complete(draft, self.cloud, &terms).await;
        plan.map_err(|error| error.to_string())
    }

    /// One process: plan and apply, until it ends, is killed, or is stopped after `stop` seconds.
    async fn go(&self, run: &str, stop: f64) -> Result<Ended, String> {
        let (events, mut heard) = tokio::sync::mpsc::unbounded_channel();
        let work = async {
            let plan = match self.planned(run).await {
                Ok(plan) => plan,
                Err(why) => return Ended::NoPlan(why),
            };
            let session = Session::new(run, &events);
            let stopped = async {
                if stop > 0.0 {
                    self.cloud.sleep(Duration::from_secs_f64(stop)).await;
                } else {
                    std::future::pending::<()>().await;
                }
            };
            let keeper = Keeper(self.cloud);
            let report = apply::run(plan.clone(), self.cloud, &keeper, &session, stopped).await;
            Ended::Over(Box::new((plan, report)))
        };
        let ended = tokio::select! {
            biased;
            () = self.cloud.killed() => Ended::Killed,
            ended = work => ended,
            () = tokio::time::sleep(Duration::from_secs(7 * 86_400)) =>
                return Err(format!("{run} does not end in a week")),
        };
        while let Ok(event) = heard.try_recv() {
            let text = serde_json::to_string(&event).unwrap();
            self.say(&text);
            if text.contains(SECRET) {
                return Err(format!("{run} tells a secret: {text}"));
            }
        }
        if let Ended::Over(over) = &ended {
            self.verdict(run, &over.1)?;
        }
        self.nothing_lost()?;
        Ok(ended)
    }

    /// What the report says is what is so.
    fn verdict(&self, run: &str, report: &Report) -> Result<(), String> {
        self.say(&format!("{run}: {:?}", report.end()));
        let stacks = self.cloud.stacks_now();
        let status = |kind: &StackKind| {
            let name = kind.stack_name(self.family.cluster);
            let mut all = stacks.iter().rev();
            let found = all.find(|found| found.name == name);
            found.map_or("none".to_owned(), |found| found.status.to_string())
        };
        for (kind, outcome) in &report.outcomes {
            let is = status(kind);
            let well = is.starts_with("CREATE_COMPLETE") || is.starts_with("UPDATE_COMPLETE");
            let moves = is.ends_with("IN_PROGRESS") && !is.contains("CLEANUP");
            if (outcome.is_good() && !well) || moves {
                return Err(format!(
                    "{run}: {kind} is {is}, but was told as {outcome:?}"
                ));
            }
            if let Outcome::RolledBack(why) = outcome
                && let Some(told) = &why.status
                && !is.starts_with(&told.to_string().replace("_CLEANUP_IN_PROGRESS", ""))
            {
                return Err(format!("{run}: {kind} is {is}, but was told as {told}"));
            }
        }
        if report.end() == End::Done && report.outcomes.len() != self.wanted.len() {
            return Err(format!("{run}: done without all stacks"));
        }
        Ok(())
    }

    fn nothing_lost(&self) -> Result<(), String> {
        for loss in self.cloud.losses() {
            let name = format!("{}/{}", loss.stack, loss.logical_id);
            let ours = matches!(loss.how, How::StackDeleted | How::Replaced | How::Dropped);
            if ours && loss.fate != Fate::Retain && !self.allow.contains(&name) {
                return Err(format!("{name} was lost without leave: {loss:?}"));
            }
        }
        Ok(())
    }

    /// Runs without faults come to what is wanted, unless a guard refuses it.
    async fn calm(&self) -> Result<(), String> {
        self.cloud.revive(Faults::default());
        let mut last = String::new();
        for number in 0..CALM {
            let ended = self.go(&format!("calm-{number}"), 0.0).await?;
            let (plan, report) = match ended {
                Ended::Over(over) => *over,
                Ended::Killed => return Err("killed without faults".to_owned()),
                Ended::NoPlan(why) => return Err(format!("no plan without faults: {why}")),
            };
            if report.end() == End::Detached {
                return Err(format!("detached without faults: {report:?}"));
            }
            if report.end() == End::Done {
                return self.converged().await;
            }
            if plan.is_refused() {
                return self.once();
            }
            last = format!("{:?}", report.outcomes);
        }
        Err(format!("does not converge: {last}"))
    }

    async fn converged(&self) -> Result<(), String> {
        for stack in self.wanted {
            let all = self.cloud.stacks_now();
            let found = all.iter().rev().find(|found| found.name == stack.name);
            let found = found.ok_or(format!("{} is not there", stack.name))?;
            let template = self.cloud.template(&found.id).await;
            if template.as_ref() != Ok(&stack.template) {
                return Err(format!("{} has another template than wanted", stack.name));
            }
        }
        let writes = self.cloud.writes().len();
        let plan = self.planned("after").await?;
        if plan.has_changes() {
            let actions: Vec<_> = plan.steps.iter().map(|step| &step.action).collect();
            return Err(format!("done, but a plan has changes: {actions:?}"));
        }
        if self.cloud.writes().len() != writes {
            return Err("a plan wrote".to_owned());
        }
        let left = self.cloud.lying_about();
        if !left.is_empty() {
            return Err(format!("change sets are left: {left:?}"));
        }
        if self.cloud.texts().iter().any(|text| text.contains(SECRET)) {
            return Err("CloudFormation was told a secret".to_owned());
        }
        self.once()
    }

    /// Nothing was asked for twice.
    fn once(&self) -> Result<(), String> {
        let mut standing = BTreeSet::new();
        let mut asked = BTreeSet::new();
        for write in self.cloud.writes() {
            let twice = match write.verb {
                "create" => !standing.insert(write.stack.clone()),
                "delete" => !standing.remove(&write.stack),
                _ => false,
            };
            let token = write.token.clone();
            let again = token.is_some_and(|token| !asked.insert((write.verb, token)));
            if twice || again {
                return Err(format!("twice: {write:?}"));
            }
        }
        Ok(())
    }
}
