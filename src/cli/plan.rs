//! `kube-cfn plan`: what apply would do, stack by stack; changes nothing.

use std::path::{Path, PathBuf};

use super::error::{CommandError, Exit};
use super::out::{self, eprint};
use super::planning::{ConsentArgs, PlanRequest, discard_change_sets, make_plan};
use super::run::{learned_durations, run_id};
use super::session::{self, Session};
use super::{Global, saved};
use crate::cloud::ChangeSetLifetime;
use crate::common::Clock;
use crate::common::files::{self, Written};
use crate::common::text::{count, listed_line};
use crate::forecast::live_prices;
use crate::plan::{DriftDetection, Plan};
use crate::report::plan::{ForecastInputs, PlanDetail, markdown, text, view};

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
    consents: ConsentArgs,
    /// Save the plan and its change sets, for `apply FILE`; `-` is stdout
    #[arg(long, value_name = "FILE", conflicts_with = "revert_drift")]
    out: Option<PathBuf>,
    /// Skip drift detection, which takes half a minute or more
    #[arg(long, conflicts_with = "revert_drift")]
    no_drift: bool,
    /// List every resource of new stacks
    #[arg(long)]
    full: bool,
    /// Use AWS's price list instead of the built-in prices
    #[arg(long)]
    live_prices: bool,
    /// Exit with 2 when there is something to change, or drift that needs action
    #[arg(long)]
    detailed_exitcode: bool,
    /// Output format
    #[arg(short, long, value_enum, default_value_t)]
    output: PlanFormat,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
enum PlanFormat {
    #[default]
    Text,
    Json,
    /// For a pull request
    Markdown,
}

pub async fn run(global: &Global, args: &Args) -> Result<Exit, CommandError> {
    let session = session::open(global, &args.name).await?;
    session.print_header();
    let run = run_id();
    let request = PlanRequest::new(&args.consents, &run);
    let request = PlanRequest {
        lifetime: match args.out {
            Some(_) => ChangeSetLifetime::Persistent,
            None => ChangeSetLifetime::Run,
        },
        drift: match request.drift {
            _ if args.no_drift => DriftDetection::Off,
            DriftDetection::ChangedOnly => DriftDetection::All,
            other @ (DriftDetection::Revert | DriftDetection::All | DriftDetection::Off) => other,
        },
        ..request
    };
    let plan = make_plan(&session, &request).await?;
    let inputs = forecast_inputs(&plan, &session, args.live_prices).await;
    let shown = show(&plan, &session, &inputs, args);
    let saved = match (&args.out, &shown) {
        (Some(path), Ok(())) => save(path, &plan, &session, &request),
        _ => Ok(false),
    };
    if !matches!(saved, Ok(true)) {
        discard_change_sets(&plan, &session).await;
    }
    shown?;
    saved?;
    exit(&plan, args)
}

/// Saves a plan; not one that apply would refuse.
fn save(
    path: &Path,
    plan: &Plan,
    session: &Session,
    request: &PlanRequest<'_>,
) -> Result<bool, CommandError> {
    if plan.is_refused() || plan.blocked().next().is_some() {
        eprint("no plan was saved: apply would refuse it");
        return Ok(false);
    }
    saved::can_be_saved(plan)?;
    let written = saved::write(path, plan, session, request)?;
    let path = path.display();
    let next = match written {
        Written::File => format!(
            "saved as {path}; next: `kube-cfn apply {path}`, which does exactly this or nothing"
        ),
        Written::Stream => format!(
            "the plan was written to {path}; next: `kube-cfn apply FILE` with the file in which it \
             ends, which does exactly this or nothing"
        ),
        Written::Nowhere => format!("the plan was not saved: {path} keeps nothing"),
    };
    eprint(&listed_line("", &next));
    Ok(written != Written::Nowhere)
}

/// What the forecast is made with. Where AWS gives no price, the built-in one is used.
async fn forecast_inputs(plan: &Plan, session: &Session, live: bool) -> ForecastInputs {
    let inputs = ForecastInputs {
        durations: learned_durations(session, plan),
        ..ForecastInputs::default()
    };
    if !live {
        return inputs;
    }
    let region = &session.identity.region;
    let cloud = &session.cloud;
    let ask = async |service: &str, filters: &[(&str, &str)]| cloud.price(service, filters).await;
    let (prices, failed) = live_prices(plan, region, inputs.prices, cloud.now(), ask).await;
    if let Some(error) = failed {
        eprint(&format!(
            "AWS's price list did not answer everything, built-in prices are used instead: {error}"
        ));
    }
    ForecastInputs { prices, ..inputs }
}

fn show(
    plan: &Plan,
    session: &Session,
    inputs: &ForecastInputs,
    args: &Args,
) -> Result<(), CommandError> {
    let view = view(plan, &session.identity, &session.defined, inputs);
    let detail = if args.full {
        PlanDetail::Full
    } else {
        PlanDetail::Short
    };
    let (shown, is_data) = match args.output {
        PlanFormat::Text => (text(&view, detail), false),
        PlanFormat::Markdown => (markdown(&view), false),
        PlanFormat::Json => (out::json(&view)?, true),
    };
    // `--out -`: stdout is the saved plan's.
    if args.out.as_deref().is_some_and(files::is_stdout) {
        eprint(shown.trim_end());
        return Ok(());
    }
    if is_data {
        out::data(&shown)
    } else {
        out::text(&shown)
    }
}

/// Drift that needs action is something to change. Where it is unknown, a caller who asks whether there is anything gets
/// no all-clear, unless it asked not to look.
fn exit(plan: &Plan, args: &Args) -> Result<Exit, CommandError> {
    if plan.is_refused() {
        return Ok(Exit::Refused);
    }
    if plan.blocked().next().is_some() {
        return Ok(Exit::NeedsAction);
    }
    if !args.detailed_exitcode {
        return Ok(Exit::Done);
    }
    if plan.has_changes() || plan.drift_needing_action().next().is_some() {
        return Ok(Exit::Changes);
    }
    let mut unread = plan.steps.iter().flat_map(|step| &step.sizes.unknown);
    if let Some(first) = unread.next() {
        let more = match unread.count() {
            0 => String::new(),
            more => format!("; and {more} more, see ?? in the plan"),
        };
        let message = format!("whether anything is to be done is unknown: {first}{more}");
        let help = "ask for the actions that the plan names, or leave out `--detailed-exitcode`";
        return Err(CommandError::other(message).help(help));
    }
    match plan.drift_unknown() {
        Some((stacks, why)) if !args.no_drift => {
            let stacks = count(stacks, "stack");
            let message = format!("whether anything differs is unknown in {stacks}: {why}");
            let help = "`--no-drift` compares the templates alone";
            Err(CommandError::other(message).help(help))
        }
        Some(_) | None => Ok(Exit::Done),
    }
}
