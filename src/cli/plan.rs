//! `kube-cfn plan`: what apply would do, stack by stack; changes nothing.

use std::collections::BTreeSet;

use futures::future::join_all;
use jiff::Timestamp;

use super::failure::{Exit, Failure};
use super::lock::{self, Refresh};
use super::out::{self, talk};
use super::session::{self, Session};
use super::show::plan::{Detail, Scales, markdown, text, view};
use super::{Global, ask};
use crate::catalog::durations::Durations;
use crate::cloud::{Clock, Cloud, Identity, Store};
use crate::journal::{self, Shelf};
use crate::plan::cost;
use crate::plan::{self, Plan, PlanError, Terms};

/// How many past runs are learned from.
const RUNS: usize = 20;

#[derive(clap::Args)]
pub struct Args {
    /// Name of the definition, or the path of its file
    #[arg(add = super::completions::definitions())]
    name: String,
    #[command(flatten)]
    allowed: Allowed,
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

/// The losses that somebody named.
#[derive(clap::Args, Default)]
pub struct Allowed {
    /// Let this resource be replaced or removed with the data in it; may be repeated
    #[arg(long, value_name = "STACK/RESOURCE")]
    allow_data_loss: Vec<String>,
    /// Where going back failed: leave this resource as it is and go on; may be repeated
    #[arg(long, value_name = "STACK/RESOURCE")]
    skip: Vec<String>,
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
    let plan = make(&session, &args.allowed, &run_id(), Refresh::Missing).await?;
    let scales = scales(&plan, &session, args.live_prices).await;
    let shown = show(&plan, &session, &scales, args);
    drop_change_sets(&plan, &session).await;
    shown?;
    Ok(exit(&plan, args.detailed_exitcode))
}

/// What the plan is weighed with. A price that AWS does not tell stays the built-in one.
async fn scales(plan: &Plan, session: &Session, live_prices: bool) -> Scales {
    let mut scales = Scales {
        durations: learned(&session.identity, &session.spec().name),
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
    let view = view(plan, &session.identity, scales);
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

/// Surveys, compares and asks for change sets. Whoever gets the plan executes or drops them; when
/// somebody wants out before, they are dropped here.
pub async fn make<C: Cloud + Store>(
    session: &Session<C>,
    allowed: &Allowed,
    run: &str,
    refresh: Refresh,
) -> Result<Plan, Failure> {
    let mut work = std::pin::pin!(propose(session, allowed, run, refresh));
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
    allowed: &Allowed,
    run: &str,
    refresh: Refresh,
) -> Result<Plan, Failure> {
    let stacks = session::design(&session.defined)?;
    let images = lock::images(session, &stacks, refresh).await?;
    let survey = plan::survey(&session.cloud, &session.spec().name).await?;
    let draft = plan::draft(stacks, &survey, &images.ids());
    let allow: BTreeSet<String> = allowed.allow_data_loss.iter().cloned().collect();
    let skip: BTreeSet<String> = allowed.skip.iter().cloned().collect();
    let terms = Terms::new(run, &allow, &skip);
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
pub fn learned(place: &Identity, cluster: &str) -> Durations {
    let mut durations = Durations::builtin();
    let records =
        Shelf::of_user().and_then(|shelf| shelf.list(&place.account, &place.region, cluster));
    let runs: Vec<journal::Run> = records
        .unwrap_or_default()
        .iter()
        .take(RUNS)
        .filter_map(|record| journal::load(&record.path).ok())
        .collect();
    for ((operation, key), seconds) in journal::samples(&runs) {
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
            unknown @ (PlanError::UnknownResource { .. } | PlanError::NotStuck { .. }) => {
                Self::new(Exit::Usage, unknown)
            }
        }
    }
}
