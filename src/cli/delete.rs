//! `kube-cfn delete`: shows what is lost, asks for the name, deletes, lists what remains.

use super::api_access::origin;
use super::ask::{ConfirmArg, Interrupt};
use super::cluster::{Cluster, ClusterArg};
use super::error::{CommandError, Exit};
use super::operation::Subject;
use super::out::eprint;
use super::run::{self, ProgressOptions, run_id};
use super::{Global, operation};
use crate::access::Cache;
use crate::apply::{self, RunOutcome, RunReport};
use crate::cloud::aws::Aws;
use crate::cloud::{Identity, Store as _};
use crate::common::Clock as _;
use crate::common::text::count;
use crate::etcd;
use crate::events::Emitter;
use crate::journal::RunArchive;
use crate::kubeconfig::{self, LockTries};
use crate::operation::{Lease, OperationVerb};
use crate::plan::deletion::{DeletePlan, Guard};
use crate::plan::{self, deletion};
use crate::progress::Style;
use crate::report::deletion as deletions;
use crate::stacks::{STATE_BUCKET, StackKind, operation_parameter, parameter_path};

#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    cluster: ClusterArg,
    #[command(flatten)]
    confirm: ConfirmArg,
    /// How to show progress
    #[arg(long, value_enum, default_value_t)]
    progress: Style,
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
    if survey.found.is_empty() {
        let left = leftovers(&cluster).await?;
        if left == 0 {
            return nothing_to_delete(&cluster);
        }
        // A deletion that was interrupted after its last stack is finished too.
        let Identity {
            account, region, ..
        } = &cluster.identity;
        eprint(&format!(
            "{} has no stacks in account {account}, region {region}; {} of it are left, as after a deletion that was \
             interrupted: they will be deleted",
            cluster.name,
            count(left, "parameter")
        ));
    } else {
        eprint(deletions::text(&plan).trim_end());
        if let Some(line) = state_bucket(&cluster, &plan).await {
            eprint(&line);
        }
    }
    check_and_confirm(&plan, args)?;
    let run = run_id();
    let lease = subject.lock(&run, seen).await?;
    let again = cluster.command("delete");
    let unmoved = subject.refuse_moved(&again, |now| plan.moved_stacks(now));
    if let Err(moved) = unmoved.await {
        operation::release(lease, false).await;
        return Err(moved);
    }
    let stop = Interrupt::default();
    let mut report = delete(&plan, &cluster, &run, args.progress, (&lease, &stop)).await;
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
    finish(&cluster, &report, lost)
}

/// How many parameters of the cluster there are.
async fn leftovers(cluster: &Cluster) -> Result<usize, CommandError> {
    let path = parameter_path(&cluster.name) + "/";
    Ok(cluster.cloud.parameters_under(&path).await?.len())
}

/// Done where it is known that one looked in the right place: by the definition, the lock file or an earlier run from
/// this machine. Else the cluster was not found, and may well be elsewhere.
fn nothing_to_delete(cluster: &Cluster) -> Result<Exit, CommandError> {
    let Cluster {
        name,
        identity: Identity {
            account, region, ..
        },
        ..
    } = cluster;
    let nothing = format!("{name} has no stacks and no parameters");
    if cluster.confirmed_by.is_none() && !has_run_here(cluster) {
        return Err(cluster.not_found(&nothing));
    }
    eprint(&format!(
        "nothing to delete: {nothing} in account {account}, region {region}"
    ));
    remove_local_access(cluster);
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

fn check_and_confirm(plan: &DeletePlan, args: &Args) -> Result<(), CommandError> {
    if let Some(why) = &plan.refused {
        let exit = if why.by_guard {
            Exit::Refused
        } else {
            Exit::NeedsAction
        };
        return Err(
            CommandError::new(exit, format!("{}; nothing was deleted", why.reason))
                .help(&why.remedy),
        );
    }
    let question = format!("Type {} to delete it", plan.cluster);
    args.confirm.confirm(&question, &plan.cluster)
}

async fn delete(
    plan: &DeletePlan,
    cluster: &Cluster,
    run: &str,
    style: Style,
    (lease, stop): (&Lease<'_, Aws>, &Interrupt),
) -> RunReport {
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
        let work = apply::delete(plan, &cluster.cloud, &about, stop);
        lease.hold(|text| emit.note(None, text), work).await
    })
    .await
}

/// `lost` is the error of a run that lost the operation lock.
fn finish(
    cluster: &Cluster,
    report: &RunReport,
    lost: Option<CommandError>,
) -> Result<Exit, CommandError> {
    let name = &cluster.name;
    for retained in &report.retained {
        eprint(&deletions::retained(retained, &cluster.identity.region));
    }
    for line in &report.unfinished {
        eprint(&format!("!! {line}"));
    }
    if let Some(lost) = lost {
        return Err(lost);
    }
    let exit = run::exit(report, &cluster.command("delete"))?;
    remove_local_access(cluster);
    eprint(&format!("{name} is deleted"));
    Ok(exit)
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
