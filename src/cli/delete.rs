//! `kube-cfn delete`: shows what is lost and what is kept, asks for the name, deletes, lists what remains.

mod buckets;
mod finish;
mod flags;
mod outside;
mod show;

use self::flags::{Accept, PlanFormat};
use self::outside::Outside;
use super::ask::Interrupt;
use super::cluster::Cluster;
use super::error::{CommandError, Exit};
use super::operation::Subject;
use super::run::{self, ProgressOptions, run_id};
use super::{Global, operation, out};
use crate::apply::{self, RunOutcome, RunReport};
use crate::cloud::aws::Aws;
use crate::cloud::{Identity, Store as _};
use crate::events::Emitter;
use crate::journal::RunArchive;
use crate::operation::{Lease, OperationVerb};
use crate::plan::deletion::{DeletePlan, Guard};
use crate::plan::{self, deletion};
use crate::progress::{Commands, Style};
use crate::report::outside as outsides;
use crate::stacks::{operation_parameter, parameter_path};

pub use self::flags::Args;

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
    let outside = Outside::look(&cluster, (&survey, &plan), args).await?;
    let left = if survey.found.is_empty() {
        leftovers(&cluster).await?
    } else {
        0
    };
    let again = args.command(&cluster);
    let is_nothing = is_nothing(&survey, left, &outside, args);
    let refused = if is_nothing {
        None
    } else {
        show::refusal(&plan, args, &outside, &again)
    };
    let view = show::view(args, &cluster, &plan, &outside, refused.as_ref());
    let is_json = args.plan && args.output == PlanFormat::Json;
    if is_json {
        out::data(&out::json(&outsides::json(&view))?)?;
    }
    if is_nothing && !is_known_here(&cluster, &outside) {
        return Err(cluster.not_found(&finish::has_nothing(&cluster)));
    }
    if !is_json {
        let shown = show::show(&cluster, &view, left);
        show::print(args, shown.trim_end())?;
    }
    if let Some(why) = &refused {
        return Err(show::refuse(why));
    }
    if is_nothing {
        return finish::nothing_to_delete(args, &cluster, &outside, &again);
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
        again: &again,
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
    finish::finish(&cluster, &report, (lost, args), &again)
}

/// How many parameters of the cluster there are.
async fn leftovers(cluster: &Cluster) -> Result<usize, CommandError> {
    let path = parameter_path(&cluster.name) + "/";
    Ok(cluster.cloud.parameters_under(&path).await?.len())
}

/// Whether one looked in the right place: by the definition, the lock file, what is left of it or an earlier run from
/// this machine. Else the cluster was not found, and may well be elsewhere.
fn is_known_here(cluster: &Cluster, outside: &Outside) -> bool {
    // What carries its tags shows that it was here.
    cluster.confirmed_by.is_some() || outside.has_traces() || has_run_here(cluster)
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

/// Whether there is neither a stack nor anything else to remove, as far as one can look.
fn is_nothing(survey: &plan::Survey, parameters: usize, outside: &Outside, args: &Args) -> bool {
    let is_known = outside.plan.shown.unknown.is_empty() || args.accepts(Accept::Unknown);
    survey.found.is_empty() && parameters == 0 && is_known && !outside.has_work()
}

/// What is deleted.
struct Work<'a> {
    plan: &'a DeletePlan,
    outside: &'a Outside,
    cluster: &'a Cluster,
    /// The command that goes on with it.
    again: &'a str,
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
            commands: Commands {
                argument: Some(cluster.argument()),
                again: Some(self.again.to_owned()),
            },
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
