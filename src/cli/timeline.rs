//! `kube-cfn timeline`: the course of a run as a Gantt chart, from its local record, or else from AWS's
//! own history.

use std::collections::HashSet;
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use console::Term;
use futures::future::try_join_all;
use serde::Serialize;

use super::Global;
use super::failure::{Exit, Failure};
use super::out::{self, talk};
use super::session::{self, Known, Target, Whom};
use crate::cloud::{Cloud, CloudError, LiveStack, Operation};
use crate::journal::{self, JournalError, Record, Shelf};
use crate::plan::run_of;
use crate::stacks::StackKind;
use crate::templates::Templates;
use crate::timeline::{self, Detail, Past, Saving, Timeline};

/// Columns where stdout is no terminal.
const COLUMNS: u16 = 80;
/// More make no bar clearer.
const WIDEST: u16 = 160;
/// Runs that an error lists at most.
const LISTED: usize = 10;

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
    /// Write the chart into FILE as well, as one page that needs nothing beside itself
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
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

/// A course, and where it was read.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Told {
    source: String,
    #[serde(flatten)]
    timeline: Timeline,
    saving: Option<Saving>,
}

pub async fn run(global: &Global, args: &Args) -> Result<Exit, Failure> {
    let known = session::known(global, &args.whom)?;
    let recorded = match &args.run {
        Some(run) => Some(named(&known, run)?),
        None => last(&known),
    };
    let told = match recorded {
        Some(told) => told,
        None => remembered(&session::target(global, &args.whom).await?).await?,
    };
    if let Some(file) = &args.html {
        draw(&told, file)?;
    }
    out::data(&match args.output {
        Form::Text => told.text(args.resources),
        Form::Json => serde_json::to_string_pretty(&told).map_err(Failure::other)?,
    })?;
    Ok(Exit::Done)
}

impl Told {
    fn new(source: String, timeline: Timeline) -> Self {
        let saving = timeline.saving();
        Self {
            source,
            timeline,
            saving,
        }
    }

    fn text(&self, resources: bool) -> String {
        let detail = if resources {
            Detail::Resources
        } else {
            Detail::Stacks
        };
        let size = Term::stdout().size_checked();
        let columns = size.map_or(COLUMNS, |(_, columns)| columns.min(WIDEST));
        timeline::text(&self.timeline, &self.source, detail, columns.into())
    }
}

fn records(known: &Known) -> Result<Vec<Record>, JournalError> {
    let (account, region) = (known.account.as_deref(), known.region.as_deref());
    Shelf::of_user()?.search(account, region, &known.name)
}

/// The last run that was recorded here; needs no credentials. Without one there is still AWS's history:
/// a record that can't be read is only said.
fn last(known: &Known) -> Option<Told> {
    let say = |error: JournalError| talk(&format!("failed to {error}"));
    let records = records(known).map_err(say).unwrap_or_default();
    let mut readable = records.iter().filter_map(|record| {
        let told = read(record).map_err(say);
        told.ok().flatten()
    });
    readable.next()
}

/// The recorded run of that id.
fn named(known: &Known, run: &str) -> Result<Told, Failure> {
    let records = records(known)?;
    let Some(record) = records.iter().find(|record| record.run == run) else {
        return Err(no_such_run(&known.name, run, &records));
    };
    let empty = || Failure::other(format!("run {run} was ended before anything was recorded"));
    read(record)?.ok_or_else(empty)
}

/// `None` for a run that was ended before its first event.
fn read(record: &Record) -> Result<Option<Told>, JournalError> {
    let run = journal::load(&record.path)?;
    if run.unread > 0 {
        talk(&format!(
            "left out, as a newer kube-cfn may have written it: {} of the record's lines",
            run.unread
        ));
    }
    let source = format!(
        "recorded here, account {}, {}",
        record.account, record.region
    );
    let timeline = Timeline::of(&run.events);
    Ok(timeline.map(|timeline| Told::new(source, timeline)))
}

fn no_such_run(cluster: &str, run: &str, records: &[Record]) -> Failure {
    let message = format!("there is no record of run {run} of {cluster}");
    let missing = Failure::new(Exit::Usage, message);
    if records.is_empty() {
        return missing.help(
            "none is recorded on this machine; without --run, the last one is read from AWS's history",
        );
    }
    let runs = records.iter().take(LISTED).map(|record| {
        let started = record.started.strftime("%Y-%m-%d %H:%M:%S UTC");
        format!("{} ({started})", record.run)
    });
    let runs: Vec<_> = runs.collect();
    missing.help(format!("recorded here, newest first: {}", runs.join(", ")))
}

/// The newest run as AWS's history of the stacks tells it.
async fn remembered(target: &Target) -> Result<Told, Failure> {
    let mut found = target.cloud.stacks(Some(&target.name)).await?;
    found.sort_by_key(|found| StackKind::parse(&found.kind));
    let pasts = found.into_iter().filter_map(|found| {
        let kind = StackKind::parse(&found.kind)?;
        Some(past(target, kind, found))
    });
    let pasts = try_join_all(pasts).await?;
    let place = format!(
        "account {}, {}",
        target.identity.account, target.identity.region
    );
    let timeline = Timeline::of(&timeline::events_of(&target.name, &pasts));
    let timeline = timeline.ok_or_else(|| {
        let nothing = format!(
            "no run of {} is recorded here, and it has no stacks in {place}",
            target.name
        );
        Failure::other(nothing).help(format!("`{}` makes one", target.again("apply")))
    })?;
    Ok(Told::new(format!("from AWS's history, {place}"), timeline))
}

async fn past(target: &Target, kind: StackKind, found: LiveStack) -> Result<Past, CloudError> {
    let newest = Operation {
        stack_id: found.id.clone(),
        token: None,
    };
    let events = target.cloud.events(&newest, &HashSet::new()).await?;
    // Only the sentences come from there: without it the logical ids stand for them.
    let template = target.cloud.template(&found.id).await.unwrap_or_default();
    let token = events.iter().find_map(|event| event.token.as_deref());
    let run = token.and_then(|token| run_of(token, &found.name));
    Ok(Past {
        run: run.map(str::to_owned),
        kind,
        found,
        events,
        template,
    })
}

/// Writes the page whole or not at all.
fn draw(told: &Told, file: &Path) -> Result<(), Failure> {
    let failed = |error| Failure::other(format!("failed to {error}"));
    let templates = Templates::new(None).map_err(failed)?;
    let page = timeline::page(&told.timeline, &told.source, &templates).map_err(failed)?;
    write(file, &page)
        .map_err(|error| Failure::other(format!("failed to write {}: {error}", file.display())))?;
    talk(&format!("wrote {}", file.display()));
    Ok(())
}

fn write(file: &Path, page: &str) -> io::Result<()> {
    let directory = file.parent().filter(|path| !path.as_os_str().is_empty());
    let mut whole = tempfile::Builder::new()
        .permissions(PermissionsExt::from_mode(0o644))
        .tempfile_in(directory.unwrap_or(Path::new(".")))?;
    whole.write_all(page.as_bytes())?;
    whole.persist(file)?;
    Ok(())
}

impl From<JournalError> for Failure {
    fn from(error: JournalError) -> Self {
        Self::other(format!("failed to {error}"))
    }
}
