//! `kube-cfn watch`: follows the operations that run on a cluster's stacks, from any caller. Changes nothing, and
//! compares nothing with the definition.

use jiff::Timestamp;

use super::cluster::{Cluster, ClusterArg};
use super::error::{CommandError, Exit};
use super::out::eprint;
use super::run::{self, ProgressOptions, run_id};
use super::{Global, ask};
use crate::apply::{self, RunOutcome, RunReport};
use crate::cloud::StackStatus;
use crate::common::duration::age;
use crate::events::Outcome;
use crate::operation::{self, HolderWatch};
use crate::plan::{self, Survey};
use crate::progress::{Commands, Style};
use crate::stacks::StackKind;

#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    cluster: ClusterArg,
    /// How to show progress
    #[arg(long, value_enum, default_value_t)]
    progress: Style,
}

pub async fn run(global: &Global, args: &Args) -> Result<Exit, CommandError> {
    let cluster = args.cluster.open(global).await?;
    cluster.print_header();
    print_running(&cluster).await;
    let survey = plan::survey(&cluster.cloud, &cluster.name).await?;
    let holder = HolderWatch::new(&cluster.cloud, &cluster.name);
    let is_held = holder.goes_on().await;
    // A run that has just begun has no stack yet.
    if survey.found.is_empty() && !is_held {
        return Err(cluster.no_stacks().await);
    }
    let places = cluster.places();
    let run = run_id();
    let options = ProgressOptions {
        commands: Commands {
            argument: Some(cluster.argument()),
            ..Commands::default()
        },
        ..ProgressOptions::plain(args.progress)
    };
    let report = run::with_progress(options, async |events| {
        let about = apply::Session {
            explain: &places,
            ..apply::Session::new(&run, events)
        };
        let goes_on = async || holder.goes_on().await;
        apply::watch(&survey, &cluster.cloud, &about, goes_on, ask::interrupted()).await
    })
    .await;
    if let Some(line) = holder.silent() {
        eprint(&line);
    }
    if survey.found.is_empty() && report == RunReport::default() {
        return Err(cluster.no_stacks().await);
    }
    for line in notes(&cluster, &survey, &report, is_held) {
        eprint(&line);
    }
    let exit = exit(&cluster, &report)?;
    match unfollowed(&survey) {
        Some(why) => Err(CommandError::other(why)),
        None => Ok(exit),
    }
}

/// Stacks of a kind that this version can't follow.
fn unfollowed(survey: &Survey) -> Option<String> {
    let unknown = survey.found.iter();
    let unknown = unknown.filter(|found| StackKind::parse(&found.kind).is_none());
    let names: Vec<_> = unknown
        .map(|found| format!("{} in {}", found.name, found.status))
        .collect();
    (!names.is_empty()).then(|| {
        format!(
            "not followed, of a kind that this version does not know: {}",
            names.join(", ")
        )
    })
}

/// What was looked at.
fn notes(cluster: &Cluster, survey: &Survey, report: &RunReport, is_held: bool) -> Vec<String> {
    let mut lines = Vec::new();
    // What a deletion changed no status tells, and the survey is older than what was followed.
    let rests = |(_, outcome): &(StackKind, Outcome)| matches!(outcome, Outcome::AtRest(_));
    if !report.outcomes.is_empty() && report.outcomes.iter().all(rests) && !is_held {
        let changes = survey
            .found
            .iter()
            .map(|found| found.updated.unwrap_or(found.created));
        if let Some(last) = changes.max() {
            let ago = age(Timestamp::now().duration_since(last));
            lines.push(format!("last change {last:.0}, {ago} ago"));
        }
    }
    lines.push(match cluster.defined {
        Some(_) => format!(
            "the definition was not compared: `kube-cfn plan {}` does",
            cluster.name
        ),
        None => "no definition was compared: there is none here".to_owned(),
    });
    lines
}

/// The end state of all stacks decides.
fn exit(cluster: &Cluster, report: &RunReport) -> Result<Exit, CommandError> {
    let bad = report.outcomes.iter().filter_map(|(stack, outcome)| {
        let status = outcome.failure()?.status.as_ref();
        let status = status.map_or("no known status", StackStatus::as_str);
        Some(format!("{stack} is in {status}"))
    });
    let bad: Vec<String> = bad.collect();
    let exit = match report.outcome() {
        RunOutcome::Done
        | RunOutcome::Detached
        | RunOutcome::NotBegun
        | RunOutcome::NotLookedAt => {
            return run::exit(report, &cluster.command("watch"));
        }
        RunOutcome::RolledBack => Exit::RolledBack,
        RunOutcome::NeedsManualAction => Exit::NeedsAction,
    };
    let message = format!("{}: {}", cluster.name, bad.join("; "));
    let help = format!("`{}` shows the cause", cluster.command("diagnose"));
    Err(CommandError::new(exit, message).help(help))
}

/// Says which run holds the operation lock, also while it has not begun an operation of CloudFormation yet.
async fn print_running(cluster: &Cluster) {
    match operation::read(&cluster.cloud, &cluster.name).await {
        Ok(None) => {}
        Ok(Some(running)) => eprint(&format!("{running} holds the operation lock")),
        Err(error) => eprint(&format!(
            "whether a run holds the operation lock is not known: {error}"
        )),
    }
}
