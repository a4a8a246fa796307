//! `kube-cfn timeline`: the course of a run as a Gantt chart, from its local record or AWS's history.

use std::collections::HashSet;

use console::Term;
use futures::future::join_all;

use super::Global;
use super::failure::{Exit, Failure};
use super::out;
use super::session::{self, Target, Whom};
use crate::apply::event::Event;
use crate::cloud::{Cloud, FoundStack, Operation};
use crate::journal::{self, JournalError, Shelf};
use crate::stacks::StackKind;
use crate::timeline::{Detail, NARROWEST, Past, Timeline, events_of, text};

#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    whom: Whom,
    /// A recorded run by its id [default: the last one]
    #[arg(long, value_name = "ID")]
    run: Option<String>,
    /// Show the resources that took long too
    #[arg(long)]
    resources: bool,
    /// How to print it
    #[arg(short, long, value_enum, default_value_t)]
    output: Form,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
enum Form {
    #[default]
    Text,
    Json,
}

pub async fn run(global: &Global, args: &Args) -> Result<Exit, Failure> {
    let target = session::target(global, &args.whom).await?;
    let (events, source) = match recorded(&target, args.run.as_deref())? {
        Some(events) => (events, "recorded here"),
        None => (history(&target).await?, "from AWS's history"),
    };
    let Some(timeline) = Timeline::of(&events) else {
        let message = format!("nothing is known of a run on {}", target.name);
        return Err(Failure::other(message).help(format!("`{}` makes one", target.again("apply"))));
    };
    let detail = if args.resources {
        Detail::Resources
    } else {
        Detail::Stacks
    };
    let width = Term::stdout()
        .size_checked()
        .map_or(80, |(_, columns)| columns);
    out::data(&match args.output {
        Form::Text => text(
            &timeline,
            source,
            detail,
            usize::from(width.min(160)).max(NARROWEST),
        ),
        Form::Json => serde_json::to_string_pretty(&timeline).map_err(Failure::other)?,
    })?;
    Ok(Exit::Done)
}

/// The events of a recorded run: of the one that is named, else of the last.
fn recorded(target: &Target, run: Option<&str>) -> Result<Option<Vec<Event>>, Failure> {
    let (account, region) = (&target.identity.account, &target.identity.region);
    let records = Shelf::of_user()?.list(account, region, &target.name)?;
    let Some(wanted) = run else {
        return Ok(match records.first() {
            Some(last) => Some(journal::load(&last.path)?.events),
            None => None,
        });
    };
    if let Some(record) = records.iter().find(|record| record.run == wanted) {
        return Ok(Some(journal::load(&record.path)?.events));
    }
    let known: Vec<&str> = records.iter().map(|record| record.run.as_str()).collect();
    let help = match known.as_slice() {
        [] => "none is recorded on this machine".to_owned(),
        known => format!("recorded here, newest first: {}", known.join(", ")),
    };
    let message = format!("there is no record of run {wanted} of {}", target.name);
    Err(Failure::new(Exit::Usage, message).help(help))
}

/// The newest run in AWS's own history.
async fn history(target: &Target) -> Result<Vec<Event>, Failure> {
    let found = target.cloud.stacks(Some(&target.name)).await?;
    let known: Vec<(StackKind, FoundStack)> = found
        .into_iter()
        .filter_map(|found| Some((StackKind::parse(&found.kind)?, found)))
        .collect();
    let pasts = join_all(known.into_iter().map(|one| past(target, one))).await;
    let pasts: Result<Vec<Past>, Failure> = pasts.into_iter().collect();
    Ok(events_of(&target.name, &pasts?))
}

async fn past(target: &Target, (kind, found): (StackKind, FoundStack)) -> Result<Past, Failure> {
    let newest = Operation {
        stack_id: found.id.clone(),
        token: None,
    };
    let events = target.cloud.events(&newest, &HashSet::new()).await?;
    let template = target.cloud.template(&found.id).await.unwrap_or_default();
    let token = events.iter().find_map(|event| event.token.as_deref());
    let run = token.and_then(|token| token.strip_prefix("kcfn-")?.split('-').next());
    Ok(Past {
        run: run.map(str::to_owned),
        kind,
        found,
        events,
        template,
    })
}

impl From<JournalError> for Failure {
    fn from(error: JournalError) -> Self {
        Self::other(format!("failed to {error}"))
    }
}
