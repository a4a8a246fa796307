//! `kube-cfn delete`: shows what is lost and what is kept, asks for the name, deletes, lists what remains.

mod outside;

use self::outside::Outside;
use super::api_access::{ApiArgs, origin};
use super::ask::{ConfirmArg, Interrupt};
use super::cluster::{Cluster, ClusterArg};
use super::error::{CommandError, Exit};
use super::operation::Subject;
use super::out::eprint;
use super::run::{self, ProgressOptions, run_id};
use super::{Global, operation, out};
use crate::access::Cache;
use crate::apply::{self, RunOutcome, RunReport};
use crate::cloud::aws::Aws;
use crate::cloud::{Identity, Store as _};
use crate::common::Clock as _;
use crate::common::text::{count, listed_line};
use crate::etcd;
use crate::events::Emitter;
use crate::journal::RunArchive;
use crate::kubeconfig::{self, LockTries};
use crate::operation::{Lease, OperationVerb};
use crate::plan::deletion::{DeletePlan, Guard};
use crate::plan::{self, Blocked, deletion};
use crate::progress::Style;
use crate::report::deletion::{self as deletions, Stream};
use crate::report::outside::{self as outsides, DeletionView};
use crate::stacks::{STATE_BUCKET, StackKind, operation_parameter, parameter_path};

#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    cluster: ClusterArg,
    #[command(flatten)]
    confirm: ConfirmArg,
    /// Show what would be deleted and what would remain; change nothing
    #[arg(long)]
    plan: bool,
    /// Output format of --plan
    #[arg(short, long, value_enum, default_value_t, requires = "plan")]
    output: PlanFormat,
    /// Delete the volumes of claims too, with all data in them
    #[arg(long)]
    delete_volumes: bool,
    /// Delete although something could not be looked for
    #[arg(long, value_enum, value_name = "WHAT")]
    accept: Option<Accept>,
    /// How to show progress
    #[arg(long, value_enum, default_value_t)]
    progress: Style,
    #[command(flatten)]
    api: ApiArgs,
}

/// What is accepted by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Accept {
    /// Kinds of resources that could not be looked for
    Unknown,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
enum PlanFormat {
    #[default]
    Text,
    Json,
}

pub async fn run(global: &Global, args: &Args) -> Result<Exit, CommandError> {
    let cluster = args.cluster.open(global).await?;
    cluster.print_header();
    let subject = Subject {
        name: &cluster.name,
        cloud: &cluster.cloud,
        identity: &cluster.identity,
        verb: OperationVerb::Delete,
        is_defined: cluster.defined.is_some(),
    };
    let seen = subject.observe().await?;
    let survey = plan::survey(&cluster.cloud, &cluster.name).await?;
    let plan = deletion::deletion(&survey, guard(&cluster));
    let outside = Outside::look(&cluster, &survey, &args.api, args.delete_volumes).await?;
    let left = if survey.found.is_empty() {
        leftovers(&cluster).await?
    } else {
        0
    };
    let again = command(&cluster, args);
    let is_nothing = is_nothing(&survey, left, &outside, args.accept);
    let refused = if is_nothing {
        None
    } else {
        refusal(&plan, args, &outside, &again)
    };
    let view = view(args, &cluster, &plan, &outside, refused.as_ref());
    let is_json = args.plan && args.output == PlanFormat::Json;
    if is_json {
        out::data(&out::json(&outsides::json(&view))?)?;
    }
    if is_nothing && !is_known_here(&cluster, &outside) {
        return Err(cluster.not_found(&has_nothing(&cluster)));
    }
    if !is_json {
        let shown = show(&cluster, &view, left).await;
        print(args, shown.trim_end())?;
    }
    if let Some(why) = &refused {
        return Err(refuse(why));
    }
    if is_nothing {
        return nothing_to_delete(args, &cluster, &outside, &again);
    }
    if args.plan {
        return Ok(Exit::Done);
    }
    args.confirm.confirm(
        &format!("Type {} to delete it", plan.cluster),
        &plan.cluster,
    )?;
    let run = run_id();
    let lease = subject.lock(&run, seen).await?;
    let unmoved = subject.refuse_moved(&again, |now| plan.moved_stacks(now));
    if let Err(moved) = unmoved.await {
        operation::release(lease, false).await;
        return Err(moved);
    }
    let stop = Interrupt::default();
    let work = Work {
        plan: &plan,
        outside: &outside,
        cluster: &cluster,
    };
    let mut report = work.delete(&run, args.progress, (&lease, &stop)).await;
    let lost = lease.lost_to();
    if report.outcome() == RunOutcome::Done {
        if let Err(error) = lease.remove().await {
            let path = operation_parameter(&cluster.name);
            let text = format!("the operation lock {path} is still there: {error}");
            report.unfinished.push(text);
        }
    } else {
        operation::release(lease, stop.received()).await;
    }
    let lost = lost.map(|who| subject.taken_over(&who));
    outside.complete(&mut report);
    finish(&cluster, &report, (lost, args.accept), &again)
}

/// How many parameters of the cluster there are.
async fn leftovers(cluster: &Cluster) -> Result<usize, CommandError> {
    let path = parameter_path(&cluster.name) + "/";
    Ok(cluster.cloud.parameters_under(&path).await?.len())
}

/// What is shown, and on which stream.
fn view<'a>(
    args: &Args,
    cluster: &'a Cluster,
    plan: &'a DeletePlan,
    outside: &'a Outside,
    refused: Option<&'a Blocked>,
) -> DeletionView<'a> {
    DeletionView {
        plan,
        inventory: &outside.plan.shown,
        kubernetes: &outside.seen,
        delete_volumes: outside.plan.delete_volumes,
        account: &cluster.identity.account,
        region: &cluster.identity.region,
        refused,
        accepts_unknown: args.accept == Some(Accept::Unknown),
        stream: if args.plan {
            Stream::Stdout
        } else {
            Stream::Stderr
        },
    }
}

/// A plan is data, what is shown before a question is a message.
fn print(args: &Args, text: &str) -> Result<(), CommandError> {
    if args.plan {
        return out::text(text);
    }
    eprint(text);
    Ok(())
}

/// Whether one looked in the right place: by the definition, the lock file, what is left of it or an earlier run from
/// this machine. Else the cluster was not found, and may well be elsewhere.
fn is_known_here(cluster: &Cluster, outside: &Outside) -> bool {
    // What carries its tags shows that it was here.
    cluster.confirmed_by.is_some() || outside.has_traces() || has_run_here(cluster)
}

fn has_nothing(cluster: &Cluster) -> String {
    format!("{} has no stacks and no parameters", cluster.name)
}

/// Nothing is left that this command deletes. What stacks left and it does not delete is no good end.
fn nothing_to_delete(
    args: &Args,
    cluster: &Cluster,
    outside: &Outside,
    again: &str,
) -> Result<Exit, CommandError> {
    let Identity {
        account, region, ..
    } = &cluster.identity;
    if outside.has_orphans() {
        let message = format!(
            "what stacks of {} have left is still there; see above",
            cluster.name
        );
        let help = format!("delete it with the commands above, then `{again}` looks again");
        return Err(CommandError::new(Exit::NeedsAction, message).help(help));
    }
    let nothing = has_nothing(cluster);
    let known = if outside.plan.shown.unknown.is_empty() {
        ""
    } else {
        "; not everything was looked for"
    };
    eprint(&format!(
        "nothing to delete: {nothing} in account {account}, region {region}{known}"
    ));
    if !args.plan {
        remove_local_access(cluster);
    }
    Ok(Exit::Done)
}

/// Whether a run on this cluster, in this account and region, was recorded here.
fn has_run_here(cluster: &Cluster) -> bool {
    let Identity {
        account, region, ..
    } = &cluster.identity;
    let records = RunArchive::of_user()
        .and_then(|archive| archive.search(Some(account), Some(region), &cluster.name));
    records.is_ok_and(|records| !records.is_empty())
}

fn guard(cluster: &Cluster) -> Guard {
    match &cluster.defined {
        Some(defined) if defined.spec.protect => Guard::Protected,
        Some(_) => Guard::Open,
        None => Guard::Undefined,
    }
}

/// What is deleted with the state bucket, where the base's stack goes.
async fn state_bucket(cluster: &Cluster, plan: &DeletePlan) -> Option<String> {
    let base = plan
        .steps
        .iter()
        .find(|step| step.kind == StackKind::Base)?;
    let bucket = base.found.outputs.get(STATE_BUCKET)?;
    let snapshots = etcd::list(&cluster.cloud, bucket).await;
    let snapshots = snapshots
        .map(|all| all.found)
        .map_err(|error| error.to_string());
    let (region, now) = (&cluster.identity.region, cluster.cloud.now());
    Some(deletions::state_bucket(bucket, &snapshots, region, now))
}

/// The same command with the flags that decide what goes.
fn command(cluster: &Cluster, args: &Args) -> String {
    let mut command = cluster.command("delete");
    if args.delete_volumes {
        command.push_str(" --delete-volumes");
    }
    if let Some(Accept::Unknown) = args.accept {
        command.push_str(" --accept unknown");
    }
    if let Some(server) = args.api.server() {
        command.extend([" --server ", server]);
    }
    command
}

/// Whether there is neither a stack nor anything else to remove, as far as one can look.
fn is_nothing(
    survey: &plan::Survey,
    parameters: usize,
    outside: &Outside,
    accepted: Option<Accept>,
) -> bool {
    let is_known = outside.plan.shown.unknown.is_empty() || accepted == Some(Accept::Unknown);
    survey.found.is_empty() && parameters == 0 && is_known && !outside.has_work()
}

/// Everything that is shown before consent.
async fn show(cluster: &Cluster, view: &DeletionView<'_>, parameters: usize) -> String {
    let Identity {
        account, region, ..
    } = &cluster.identity;
    let mut text = String::new();
    if view.plan.steps.is_empty() {
        // A deletion that was interrupted after its last stack is finished too.
        let left = match parameters {
            0 => String::new(),
            some => format!("; {} will be deleted", count(some, "parameter")),
        };
        let line = format!(
            "{} has no stacks in account {account}, region {region}{left}",
            cluster.name
        );
        text = listed_line("", &line) + "\n";
    } else {
        text.push_str(&deletions::text(view.plan, view.stream));
        if let Some(line) = state_bucket(cluster, view.plan).await {
            text.push_str(&(line + "\n"));
        }
    }
    text.push_str(&outsides::deletion(view));
    text
}

/// Why what is there may not be deleted, or can't be.
fn refusal(plan: &DeletePlan, args: &Args, outside: &Outside, again: &str) -> Option<Blocked> {
    let unknown = match args.accept {
        Some(Accept::Unknown) => None,
        None => outside.refusal(again),
    };
    plan.refused
        .clone()
        .or_else(|| outside.unanswered())
        .or(unknown)
}

fn refuse(why: &Blocked) -> CommandError {
    let exit = if why.by_guard {
        Exit::Refused
    } else {
        Exit::NeedsAction
    };
    let message = format!("{}; nothing was deleted", why.reason);
    CommandError::new(exit, message).help(&why.remedy)
}

/// What is deleted.
struct Work<'a> {
    plan: &'a DeletePlan,
    outside: &'a Outside,
    cluster: &'a Cluster,
}

impl Work<'_> {
    async fn delete(
        &self,
        run: &str,
        style: Style,
        (lease, stop): (&Lease<'_, Aws>, &Interrupt),
    ) -> RunReport {
        let cluster = self.cluster;
        let options = ProgressOptions {
            argument: Some(cluster.argument()),
            ..ProgressOptions::recorded(style, run, &cluster.name, &cluster.identity, "delete")
        };
        run::with_progress(options, async |events| {
            let about = apply::Session::new(run, events);
            let stop = async {
                tokio::select! {
                    () = stop.wait() => {}
                    () = lease.lost() => {}
                }
            };
            let emit = Emitter {
                events,
                clock: &cluster.cloud,
            };
            let plans = (self.plan, &self.outside.plan);
            let release = self.outside.release(cluster, emit);
            let work = apply::delete(plans, &cluster.cloud, &about, release, stop);
            lease.hold(|text| emit.note(None, text), work).await
        })
        .await
    }
}

/// `lost` is the error of a run that lost the operation lock.
fn finish(
    cluster: &Cluster,
    report: &RunReport,
    (lost, accepted): (Option<CommandError>, Option<Accept>),
    again: &str,
) -> Result<Exit, CommandError> {
    let (name, region) = (&cluster.name, &cluster.identity.region);
    let kept = outsides::remains(&report.outside, &report.retained, region);
    for line in kept
        .iter()
        .chain(&outsides::orphans(&report.outside, region))
    {
        eprint(line);
    }
    for line in &report.unfinished {
        eprint(&format!("!! {line}"));
    }
    if let Some(lost) = lost {
        return Err(lost);
    }
    if let Some(why) = &report.refused {
        return Err(CommandError::refused(&why.reason).help(&why.remedy));
    }
    let exit = run::exit(report, again)?;
    remove_local_access(cluster);
    if report.outside.unknown.is_empty() {
        eprint(&format!("{name} is deleted"));
        return Ok(exit);
    }
    let message =
        format!("the stacks of {name} are deleted; what else there is of it is not known");
    match accepted {
        Some(Accept::Unknown) => {
            eprint(&message);
            Ok(exit)
        }
        None => Err(CommandError::other(message).help(format!("`{again}` looks again"))),
    }
}

/// Removes the kubeconfig entry and the cached credentials of a deleted cluster. What can't be removed
/// gives no access any more: it is only reported.
fn remove_local_access(cluster: &Cluster) {
    let (name, origin) = (&cluster.name, origin(&cluster.identity));
    let removed = kubeconfig::KubeconfigPaths::of_environment()
        .and_then(|files| kubeconfig::remove(&files, name, &origin, LockTries::USUAL));
    match removed {
        Ok(paths) => {
            for path in paths {
                eprint(&format!("removed {name} from {}", path.display()));
            }
        }
        Err(error) => eprint(&format!(
            "{name} was not removed from your kubeconfig: {error}"
        )),
    }
    if let Err(error) = Cache::of_user().and_then(|cache| cache.forget(name)) {
        eprint(&format!("the cached credentials of {name} stay: {error}"));
    }
}
