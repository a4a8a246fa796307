//! `kube-cfn plan`: what apply would do, stack by stack; changes nothing.

use crate::common::Clock;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use futures::future::join_all;
use jiff::Timestamp;
use semver::Version;

use super::failure::{Exit, Failure};
use super::lock::{self, Refresh};
use super::out::{self, talk};
use super::session::{self, Session};
use super::standing::{Standing, standing};
use super::{Global, ask, saved};
use crate::catalog::durations::{self, Durations};
use crate::cloud::{ChangeSetLifetime, Cloud, Identity, Store};
use crate::forecast::cost;
use crate::journal::{self, Shelf};
use crate::plan::{self, Look, Plan, PlanError, Terms};
use crate::report::plan::{Detail, Scales, markdown, text, view};
use crate::stacks::StackKind;

impl Allowed {
    /// Whether nothing is allowed or skipped.
    pub fn is_empty(&self) -> bool {
        let Self {
            allow_data_loss,
            skip,
            running,
        } = self;
        allow_data_loss.is_empty() && skip.is_empty() && running.is_empty()
    }
}

/// How many past runs are learned from.
const RUNS: usize = 20;

#[derive(clap::Args)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "flags, each a switch of its own"
)]
pub struct Args {
    /// Name of the definition, or the path of its file
    #[arg(add = super::completions::definitions())]
    name: String,
    #[command(flatten)]
    allowed: Allowed,
    /// Keep the plan in a file for `apply FILE`, with its change sets
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Do not look for changes made by hand: that takes AWS half a minute or more
    #[arg(long)]
    no_drift: bool,
    /// List every resource of new stacks
    #[arg(long)]
    full: bool,
    /// Ask AWS's price list instead of the built-in prices
    #[arg(long)]
    live_prices: bool,
    /// Exit with 2 when there is something to change
    #[arg(long)]
    detailed_exitcode: bool,
    /// How to print the plan
    #[arg(short, long, value_enum, default_value_t)]
    output: Form,
}

/// What somebody allows by name, and what they say that AWS does not.
#[derive(clap::Args, Default)]
pub struct Allowed {
    /// Let this resource be replaced or removed with the data in it; may be repeated
    #[arg(long, value_name = "STACK/RESOURCE")]
    allow_data_loss: Vec<String>,
    /// Where going back failed: leave this resource as it is and go on; may be repeated
    #[arg(long, value_name = "STACK/RESOURCE")]
    skip: Vec<String>,
    /// The Kubernetes version that a stack runs, where the plan says that it is not known; may be repeated
    #[arg(long, value_name = "STACK=VERSION", value_parser = running)]
    pub running: Vec<(StackKind, Version)>,
}

/// `control-plane=1.36.4`.
fn running(text: &str) -> Result<(StackKind, Version), String> {
    let (stack, version) = text.split_once('=').ok_or("it takes STACK=VERSION")?;
    let kind = StackKind::parse(stack).filter(StackKind::has_machines);
    let kind = kind.ok_or("the stacks with machines are control-plane and pool-NAME")?;
    let version = version
        .parse()
        .map_err(|_| format!("{version} is not a version such as 1.36.4"))?;
    Ok((kind, version))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
enum Form {
    #[default]
    Text,
    Json,
    /// Fit for a pull request
    Markdown,
}

pub async fn run(global: &Global, args: &Args) -> Result<Exit, Failure> {
    let session = session::open(global, &args.name).await?;
    session.introduce();
    let run = run_id();
    let asking = Asking {
        lifetime: match args.out {
            Some(_) => ChangeSetLifetime::Persistent,
            None => ChangeSetLifetime::Run,
        },
        drift: if args.no_drift {
            Look::Away
        } else {
            Look::Live
        },
        ..Asking::new(&args.allowed, &run)
    };
    let plan = make(&session, &asking).await?;
    let scales = scales(&plan, &session, args.live_prices).await;
    let shown = show(&plan, &session, &scales, args);
    let exit = exit(&plan, args.detailed_exitcode);
    let kept = match (&args.out, &shown) {
        (Some(path), Ok(())) => keep(path, &plan, &session, &asking),
        _ => Ok(false),
    };
    if !matches!(kept, Ok(true)) {
        drop_change_sets(&plan, &session).await;
    }
    shown?;
    kept?;
    Ok(exit)
}

/// Saves a plan; not one that apply would refuse.
fn keep(path: &Path, plan: &Plan, session: &Session, asking: &Asking<'_>) -> Result<bool, Failure> {
    if plan.blocked().next().is_some() {
        talk("no plan was saved: apply would refuse it");
        return Ok(false);
    }
    saved::can_be_kept(plan)?;
    saved::write(path, plan, session, asking)?;
    let path = path.display();
    let told = format!(
        "saved as {path}; next: `kube-cfn apply {path}`, which does exactly this or nothing"
    );
    talk(&out::listed_line("", &told));
    Ok(true)
}

/// What the plan is weighed with. A price that AWS does not tell stays the built-in one.
async fn scales(plan: &Plan, session: &Session, live_prices: bool) -> Scales {
    let mut scales = Scales {
        durations: learned(session),
        ..Scales::default()
    };
    if !live_prices {
        return scales;
    }
    let region = &session.identity.region;
    let asked = cost::wanted_by(plan, region).into_iter().filter_map(|key| {
        let query = key.query()?;
        Some(async move {
            let filters: Vec<(&str, &str)> = query
                .filters
                .iter()
                .map(|(name, value)| (*name, value.as_str()))
                .collect();
            (key, session.cloud.price(query.service, &filters).await)
        })
    });
    let mut told = Vec::new();
    let mut refused = None;
    for (key, answer) in join_all(asked).await {
        match answer {
            Ok(Some(usd)) => told.push((key, usd)),
            Ok(None) => {}
            Err(error) => refused = Some(error),
        }
    }
    if let Some(error) = refused {
        talk(&format!(
            "AWS's price list could not be asked for everything, built-in prices stand in: {error}"
        ));
    }
    let today = session.cloud.now().strftime("%Y-%m-%d").to_string();
    scales.prices = scales.prices.overlay(told, &today);
    scales
}

fn show(plan: &Plan, session: &Session, scales: &Scales, args: &Args) -> Result<(), Failure> {
    let view = view(plan, &session.identity, &session.defined, scales);
    let detail = if args.full {
        Detail::Full
    } else {
        Detail::Short
    };
    out::data(&match args.output {
        Form::Text => text(&view, detail),
        Form::Markdown => markdown(&view),
        Form::Json => serde_json::to_string_pretty(&view).map_err(Failure::other)?,
    })
}

fn exit(plan: &Plan, detailed: bool) -> Exit {
    if plan.is_refused() {
        Exit::Refused
    } else if plan.blocked().next().is_some() {
        Exit::NeedsHand
    } else if detailed && plan.has_changes() {
        Exit::Changes
    } else {
        Exit::Done
    }
}

/// What a plan is asked for with.
pub struct Asking<'a> {
    pub allowed: &'a Allowed,
    /// Names the run.
    pub run: &'a str,
    pub refresh: Refresh,
    pub lifetime: ChangeSetLifetime,
    pub drift: Look,
}

impl<'a> Asking<'a> {
    /// For a run that follows at once: it looks for changes made by hand where it would change something.
    pub fn new(allowed: &'a Allowed, run: &'a str) -> Self {
        Self {
            allowed,
            run,
            refresh: Refresh::Missing,
            lifetime: ChangeSetLifetime::Run,
            drift: Look::Changed,
        }
    }
}

/// Surveys, compares and asks for change sets. Whoever gets the plan executes or drops them; when
/// somebody wants out before, they are dropped here.
pub async fn make<C: Cloud + Store>(
    session: &Session<C>,
    asking: &Asking<'_>,
) -> Result<Plan, Failure> {
    let mut work = std::pin::pin!(propose(session, asking));
    tokio::select! {
        plan = &mut work => return plan,
        () = ask::interrupted() => {}
    }
    talk(
        "interrupted: removing the change sets that were asked for; \
         Ctrl-C once more leaves them, they do no harm",
    );
    tokio::select! {
        plan = work => if let Ok(plan) = plan {
            drop_change_sets(&plan, session).await;
        },
        () = ask::interrupted() => {}
    }
    let message = "interrupted; nothing was changed";
    Err(Failure::new(Exit::Interrupted, message))
}

async fn propose<C: Cloud + Store>(
    session: &Session<C>,
    asking: &Asking<'_>,
) -> Result<Plan, Failure> {
    let allowed = asking.allowed;
    let Standing {
        survey,
        stacks,
        refused,
    } = standing(session, &allowed.running).await?;
    // A plan that is refused writes no lock file and looks for no drift.
    let (refresh, look) = if refused.is_empty() {
        (asking.refresh, asking.drift)
    } else {
        (Refresh::Rehearsed, Look::Away)
    };
    let images = lock::images(session, &stacks, refresh).await?;
    let draft = plan::draft(stacks, &survey, &images.ids()).refuse(refused);
    let allow: BTreeSet<String> = allowed.allow_data_loss.iter().cloned().collect();
    let skip: BTreeSet<String> = allowed.skip.iter().cloned().collect();
    let terms = Terms {
        lifetime: asking.lifetime,
        drift: look,
        ..Terms::new(asking.run, &allow, &skip)
    };
    Ok(plan::complete(draft, &session.cloud, &terms).await?)
}

/// Removes change sets that nobody will execute; what stays is only said, it does no harm.
pub async fn drop_change_sets<C: Cloud>(plan: &Plan, session: &Session<C>) {
    for error in plan::discard(plan, &session.cloud).await {
        talk(&format!(
            "a change set could not be removed, it will never be executed: {error}"
        ));
    }
}

/// How long things take, with what this cluster's own runs from this machine have shown. A record that
/// can't be read teaches nothing.
pub fn learned<C>(session: &Session<C>) -> Durations {
    let Identity {
        account, region, ..
    } = &session.identity;
    let mut durations = Durations::builtin();
    let records = Shelf::of_user();
    let records = records.and_then(|shelf| shelf.list(account, region, &session.spec().name));
    let runs: Vec<journal::Run> = records
        .unwrap_or_default()
        .iter()
        .take(RUNS)
        .filter_map(|record| journal::load(&record.path).ok())
        .collect();
    if runs.is_empty() {
        return durations;
    }
    let stacks = session::design(&session.defined).unwrap_or_default();
    let body = |kind: &StackKind, id: &str| {
        let stack = stacks.iter().find(|stack| stack.kind == *kind)?;
        stack.template["Resources"].get(id)
    };
    let named = |operation, kind: &StackKind, id: &str, of_type: &str| {
        durations::key(operation, of_type, body(kind, id))
    };
    for ((operation, key), seconds) in journal::samples(&runs, &named) {
        durations.learn(operation, &key, &seconds);
    }
    durations
}

/// A name for this run, from which the tokens of its requests derive.
pub fn run_id() -> String {
    format!("{:x}", Timestamp::now().as_nanosecond())
}

impl From<PlanError> for Failure {
    fn from(error: PlanError) -> Self {
        match error {
            PlanError::Cloud(error) => error.into(),
            unknown @ (PlanError::UnknownResource { .. }
            | PlanError::NotStuck { .. }
            | PlanError::VersionNotAsked { .. }) => Self::new(Exit::Usage, unknown),
        }
    }
}
