//! `kube-cfn timeline`: a run as a Gantt chart, from its local record, or else from AWS's
//! own history.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use console::Term;
use futures::future::try_join_all;
use serde::Serialize;

use super::Global;
use super::cluster::{Cluster, ClusterArg, ClusterFilter};
use super::error::{CommandError, Exit};
use super::out::{self, TextFormat, eprint};
use crate::cloud::{Cloud, CloudError, LiveStack, StackOperation};
use crate::common::files::{self, Written};
use crate::journal::{self, JournalError, Record, RunArchive};
use crate::plan::run_of;
use crate::stacks::StackKind;
use crate::templates::Templates;
use crate::timeline::{self, ChartDetail, Saving, StackHistory, Timeline};

/// Columns where stdout is no terminal.
const COLUMNS: u16 = 80;
/// Wider bars are not clearer.
const WIDEST: u16 = 160;
/// Runs that an error lists at most.
const LISTED: usize = 10;

#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    cluster: ClusterArg,
    /// A recorded run by its id [default: the last one]
    #[arg(long, value_name = "ID")]
    run: Option<String>,
    /// Also show the resources that took long
    #[arg(long)]
    resources: bool,
    /// Also write the chart to FILE, as one self-contained HTML page; `-` writes it alone, to stdout
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Output format
    #[arg(short, long, value_enum, default_value_t)]
    output: TextFormat,
}

/// A timeline, and where it was read.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct TimelineView {
    source: String,
    #[serde(flatten)]
    timeline: Timeline,
    saving: Option<Saving>,
}

pub async fn run(global: &Global, args: &Args) -> Result<Exit, CommandError> {
    let filter = args.cluster.filter(global)?;
    let recorded = match &args.run {
        Some(run) => Some(recorded_by_id(&filter, run)?),
        None => last_recorded(&filter),
    };
    let view = match recorded {
        Some(view) => view,
        None => from_aws(&args.cluster.open(global).await?).await?,
    };
    if let Some(file) = &args.html {
        write_page(&view, file)?;
        // `--html -`: stdout is the page's.
        if files::is_stdout(file) {
            return Ok(Exit::Done);
        }
    }
    match args.output {
        TextFormat::Text => out::text(&view.text(args.resources))?,
        TextFormat::Json => out::data(&out::json(&view)?)?,
    }
    Ok(Exit::Done)
}

impl TimelineView {
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
            ChartDetail::Resources
        } else {
            ChartDetail::Stacks
        };
        let size = Term::stdout().size_checked();
        let columns = size.map_or(COLUMNS, |(_, columns)| columns.min(WIDEST));
        timeline::text(&self.timeline, &self.source, detail, columns.into())
    }
}

fn records(filter: &ClusterFilter) -> Result<Vec<Record>, JournalError> {
    let (account, region) = (filter.account.as_deref(), filter.region.as_deref());
    RunArchive::of_user()?.search(account, region, &filter.name)
}

/// The last run that was recorded here; needs no credentials. Without one there is still AWS's history:
/// a record that can't be read is only reported.
fn last_recorded(filter: &ClusterFilter) -> Option<TimelineView> {
    let report = |error: JournalError| eprint(&format!("failed to {error}"));
    let records = records(filter).map_err(report).unwrap_or_default();
    let mut readable = records.iter().filter_map(|record| {
        let view = load_record(record).map_err(report);
        view.ok().flatten()
    });
    readable.next()
}

/// The recorded run of that id.
fn recorded_by_id(filter: &ClusterFilter, run: &str) -> Result<TimelineView, CommandError> {
    let records = records(filter)?;
    let Some(record) = records.iter().find(|record| record.run == run) else {
        return Err(no_such_run(&filter.name, run, &records));
    };
    let empty = || CommandError::other(format!("run {run} was ended before anything was recorded"));
    load_record(record)?.ok_or_else(empty)
}

/// `None` for a run that was ended before its first event.
fn load_record(record: &Record) -> Result<Option<TimelineView>, JournalError> {
    let run = journal::load(&record.path)?;
    if run.unknown_lines > 0 {
        eprint(&format!(
            "{} lines of the record are left out: a newer kube-cfn may have written them",
            run.unknown_lines
        ));
    }
    let source = format!(
        "recorded here, account {}, {}",
        record.account, record.region
    );
    let timeline = Timeline::of(&run.events);
    Ok(timeline.map(|timeline| TimelineView::new(source, timeline)))
}

fn no_such_run(cluster: &str, run: &str, records: &[Record]) -> CommandError {
    let message = format!("there is no record of run {run} of {cluster}");
    let missing = CommandError::new(Exit::Usage, message);
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

/// The newest run by AWS's history of the stacks.
async fn from_aws(cluster: &Cluster) -> Result<TimelineView, CommandError> {
    let mut found = cluster.cloud.stacks(Some(&cluster.name)).await?;
    found.sort_by_key(|found| StackKind::parse(&found.kind));
    let histories = found.into_iter().filter_map(|found| {
        let kind = StackKind::parse(&found.kind)?;
        Some(stack_history(cluster, kind, found))
    });
    let histories = try_join_all(histories).await?;
    let place = format!(
        "account {}, {}",
        cluster.identity.account, cluster.identity.region
    );
    let timeline = Timeline::of(&timeline::events_of(&cluster.name, &histories));
    let timeline = timeline.ok_or_else(|| {
        let name = &cluster.name;
        cluster.without_stacks(&format!(
            "no run of {name} is recorded here, and it has no stacks"
        ))
    })?;
    Ok(TimelineView::new(
        format!("from AWS's history, {place}"),
        timeline,
    ))
}

async fn stack_history(
    cluster: &Cluster,
    kind: StackKind,
    found: LiveStack,
) -> Result<StackHistory, CloudError> {
    let newest = StackOperation {
        stack_id: found.id.clone(),
        token: None,
    };
    let events = cluster.cloud.events(&newest, &HashSet::new()).await?;
    // Only for the descriptions of resources: without it the logical ids are shown.
    let template = cluster.cloud.template(&found.id).await.unwrap_or_default();
    let token = events.iter().find_map(|event| event.token.as_deref());
    let run = token.and_then(|token| run_of(token, &found.name));
    Ok(StackHistory {
        run: run.map(str::to_owned),
        kind,
        found,
        events,
        template,
    })
}

/// Writes the page into a file, whole or not at all, or into a stream.
fn write_page(view: &TimelineView, file: &Path) -> Result<(), CommandError> {
    let failed = |error| CommandError::other(format!("failed to {error}"));
    let templates = Templates::new(None).map_err(failed)?;
    let page = timeline::page(&view.timeline, &view.source, &templates).map_err(failed)?;
    let written = files::output(file, &page, files::PUBLIC).map_err(|error| {
        CommandError::other(format!("failed to write {}: {error}", file.display()))
    })?;
    if written == Written::File {
        eprint(&format!("wrote {}", file.display()));
    }
    Ok(())
}

impl From<JournalError> for CommandError {
    fn from(error: JournalError) -> Self {
        Self::other(format!("failed to {error}"))
    }
}
