//! `kube-cfn timeline`: the course of a run, from its local record, or else from AWS's own history.

use std::collections::HashSet;
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use console::Term;
use futures::future::try_join_all;
use serde::Serialize;
use serde_json::Value;

use super::Global;
use super::failure::{Exit, Failure};
use super::out::{self, talk};
use super::session::{self, Known, Target, Whom};
use crate::cloud::{Cloud, CloudError, FoundStack, Operation, StackEvent};
use crate::journal::{self, JournalError, Record, Shelf};
use crate::stacks::StackKind;
use crate::templates::Templates;
use crate::timeline::{self, Detail, Past, Saving, Timeline};

/// Columns where stdout is no terminal.
const COLUMNS: usize = 80;
/// Runs that an error lists at most.
const LISTED: usize = 10;

#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    whom: Whom,
    /// Write the chart as one HTML page instead of printing it
    #[arg(long, value_name = "FILE", conflicts_with_all = ["output", "resources"])]
    html: Option<PathBuf>,
    /// A recorded run [default: the last]
    #[arg(long, value_name = "ID")]
    run: Option<String>,
    /// Show the resources too that took long, were critical or failed
    #[arg(long, conflicts_with = "output")]
    resources: bool,
    /// How to print it
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
}

#[derive(Debug, Clone, Copy, Default, clap::ValueEnum)]
enum Output {
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
    let told = if let Some(told) = recorded(&known, args.run.as_deref())? {
        told
    } else {
        talk(&format!(
            "no run of {} is recorded here: AWS's history is asked",
            known.name
        ));
        remembered(global, args).await?
    };
    match (&args.html, args.output) {
        (Some(file), _) => draw(&told, file)?,
        (None, Output::Json) => {
            out::data(&serde_json::to_string_pretty(&told).map_err(Failure::other)?)?;
        }
        (None, Output::Text) => {
            let detail = if args.resources {
                Detail::Resources
            } else {
                Detail::Stacks
            };
            let size = Term::stdout().size_checked();
            let columns = size.map_or(COLUMNS, |(_, columns)| columns.into());
            out::data(&timeline::text(
                &told.timeline,
                &told.source,
                detail,
                columns,
            ))?;
        }
    }
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
}

/// The run of the local record; needs no credentials. `None` when nothing was recorded here.
fn recorded(known: &Known, wanted: Option<&str>) -> Result<Option<Told>, Failure> {
    let shelf = Shelf::of_user()?;
    let (account, region) = (known.account.as_deref(), known.region.as_deref());
    let records = shelf.search(account, region, &known.name)?;
    if let Some(id) = wanted {
        let record = records.iter().find(|record| record.run == id);
        let record = record.ok_or_else(|| no_such_run(&known.name, id, &records))?;
        let told = read(record)?;
        let empty = || Failure::other(format!("run {id} was ended before anything was recorded"));
        return told.ok_or_else(empty).map(Some);
    }
    for record in &records {
        match read(record) {
            Ok(None) => {}
            Err(error) => talk(&format!("failed to {error}; an earlier record is tried")),
            Ok(told) => return Ok(told),
        }
    }
    Ok(None)
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
        "from the local record, account {}, {}",
        record.account, record.region
    );
    let timeline = Timeline::of(&run.events);
    Ok(timeline.map(|timeline| Told::new(source, timeline)))
}

fn no_such_run(cluster: &str, id: &str, records: &[Record]) -> Failure {
    let missing = Failure::new(
        Exit::Usage,
        format!("{cluster} has no run {id} recorded here"),
    );
    if records.is_empty() {
        return missing.help("without --run, the last one is read from AWS's history");
    }
    let runs = records.iter().take(LISTED).map(|record| {
        let started = record.started.strftime("%Y-%m-%d %H:%M:%S UTC");
        format!("{} ({started})", record.run)
    });
    let runs: Vec<_> = runs.collect();
    let last = if records.len() > LISTED { "last " } else { "" };
    missing.help(format!("the {last}runs are {}", runs.join(", ")))
}

/// The last run as AWS's history of the stacks tells it.
async fn remembered(global: &Global, args: &Args) -> Result<Told, Failure> {
    let target = session::target(global, &args.whom).await?;
    let found = target.cloud.stacks(Some(&target.name)).await?;
    let pasts = found.into_iter().filter_map(|found| {
        let kind = StackKind::parse(&found.kind)?;
        Some(past(&target, kind, found))
    });
    let mut pasts = try_join_all(pasts).await?;
    pasts.sort_by(|a, b| a.kind.cmp(&b.kind));
    let place = format!(
        "account {}, {}",
        target.identity.account, target.identity.region
    );
    let timeline = Timeline::of(&timeline::events_of(&target.name, &pasts));
    let timeline = timeline.ok_or_else(|| {
        let nothing = format!(
            "no run of {}: none is recorded here, and it has no stacks with a history in {place}",
            target.name
        );
        Failure::other(nothing)
            .help("runs of other machines are seen only as long as their stacks live")
    })?;
    Ok(Told::new(format!("from AWS's history, {place}"), timeline))
}

async fn past(target: &Target, kind: StackKind, found: FoundStack) -> Result<Past, CloudError> {
    let newest = Operation {
        stack_id: found.id.clone(),
        token: None,
    };
    let events = target.cloud.events(&newest, &HashSet::new()).await?;
    // Only the sentences come from there: the logical ids do without.
    let template = target.cloud.template(&found.id).await;
    Ok(Past {
        run: events.iter().find_map(run_of),
        template: template.unwrap_or(Value::Null),
        kind,
        found,
        events,
    })
}

/// The run in the token of its request: `kcfn-RUN-STACK-STEP`.
fn run_of(event: &StackEvent) -> Option<String> {
    let token = event.token.as_deref()?.strip_prefix("kcfn-")?;
    let run = token.split('-').next().filter(|run| !run.is_empty())?;
    Some(run.to_owned())
}

/// Writes the page whole or not at all.
fn draw(told: &Told, file: &Path) -> Result<(), Failure> {
    let templates = Templates::new(None).map_err(|error| failed(&error))?;
    let page = timeline::page(&told.timeline, &told.source, &templates);
    let page = page.map_err(|error| failed(&error))?;
    write(file, &page)
        .map_err(|error| Failure::other(format!("failed to write {}: {error}", file.display())))?;
    talk(&format!("wrote {}, {}", file.display(), told.source));
    Ok(())
}

fn write(file: &Path, page: &str) -> io::Result<()> {
    let directory = file.parent().filter(|path| !path.as_os_str().is_empty());
    let mut whole = tempfile::Builder::new()
        .permissions(PermissionsExt::from_mode(0o644))
        .tempfile_in(directory.unwrap_or(Path::new(".")))?;
    whole.write_all(page.as_bytes())?;
    whole.as_file().sync_all()?;
    whole.persist(file)?;
    Ok(())
}

fn failed(error: &dyn std::fmt::Display) -> Failure {
    Failure::other(format!("failed to {error}"))
}

impl From<JournalError> for Failure {
    fn from(error: JournalError) -> Self {
        failed(&error)
    }
}
