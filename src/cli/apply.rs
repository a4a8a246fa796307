//! `kube-cfn apply`: shows the plan, asks, creates or updates all stacks, writes the kubeconfig, waits
//! for Kubernetes.

mod authorities;

use std::path::PathBuf;

use super::api_access::ApiArgs;
use super::ask::{Interrupt, YesArg};
use super::error::{CommandError, Exit};
use super::out::eprint;
use super::planning::{ConsentArgs, PlanRequest, discard_change_sets, make_plan, refusal};
use super::ready::{self, Until, Wait};
use super::run::{self, ProgressOptions, learned_durations, run_id};
use super::session::{self, Session};
use super::{Global, ask, cancel, kubeconfig, operation, saved};
use crate::apply::{self, RunOutcome, RunReport};
use crate::cloud::aws::Aws;
use crate::cloud::remote::Remote;
use crate::cloud::{Cloud, Store, VersionedParameters};
use crate::common::text::count;
use crate::events::Emitter;
use crate::forecast;
use crate::operation::{Lease, Observation, OperationVerb};
use crate::plan::{Blocked, Check, DriftDetection, Plan};
use crate::progress::Style;
use crate::report::plan::{ForecastInputs, PlanDetail, text, view};
use crate::stacks::{API_HOST, Stack, StackKind};
use authorities::{Authorities, found_control_plane, keep_copy_under};

#[derive(clap::Args)]
pub struct Args {
    /// Name of the definition, the path of its file, or a plan saved by `plan --out`
    #[arg(add = super::completions::definitions(), value_name = "NAME|PLAN")]
    name: String,
    #[command(flatten)]
    consents: ConsentArgs,
    /// Skip drift detection, which takes half a minute or more
    #[arg(long, conflicts_with = "revert_drift")]
    no_drift: bool,
    #[command(flatten)]
    yes: YesArg,
    /// How to show progress
    #[arg(long, value_enum, default_value_t)]
    progress: Style,
    /// Kubeconfig to write [default: as kubectl, $KUBECONFIG or ~/.kube/config]
    #[arg(long, value_name = "FILE")]
    kubeconfig: Option<PathBuf>,
    #[command(flatten)]
    wait: Wait,
}

pub async fn run(global: &Global, args: &Args) -> Result<Exit, CommandError> {
    let PreparedPlan {
        session,
        run,
        plan,
        is_saved,
        seen,
    } = read_or_make_plan(global, args).await?;
    let name = session.spec().name.clone();

    let inputs = ForecastInputs {
        durations: learned_durations(&session, &plan),
        ..ForecastInputs::default()
    };
    let shown = view(&plan, &session.identity, &session.defined, &inputs);
    eprint(text(&shown, PlanDetail::Short).trim_end());
    drop(shown);

    let permitted = match check_and_confirm(&plan, &session, &args.yes) {
        Ok(()) => lock(&plan, &session, &run, seen).await,
        Err(refused) => Err(refused),
    };
    let lease = match permitted {
        Ok(lease) => lease,
        Err(refused) => {
            // The change sets of a saved plan stay with its file.
            if !is_saved {
                discard_change_sets(&plan, &session).await;
            }
            return Err(refused);
        }
    };

    let drifted = plan.drift_needing_action().count();
    let options = ProgressOptions {
        durations: inputs.durations,
        ..ProgressOptions::recorded(args.progress, &run, &name, &session.identity, "apply")
    };
    let stop = Interrupt::default();
    let stopped = stop.wait();
    let report = Box::pin(execute_plan(
        plan,
        &session,
        &run,
        options,
        Some(&lease),
        stopped,
    ))
    .await;
    if report.outcome() == RunOutcome::Done {
        keep_copy_under(&lease, &session, &report.outputs).await;
    }
    let lost = lease.lost_to();
    operation::release(lease, stop.received()).await;
    let subject = session.subject(OperationVerb::Apply);
    if let Some(who) = lost {
        return Err(subject.taken_over(&who));
    }
    if stop.received()
        && let Err(refused) = cancel::offer(subject, &run).await
    {
        eprint(refused.message());
    }
    let exit = run::exit(&report, &format!("kube-cfn apply {name}"))?;

    let edge = report.outputs.get(&StackKind::Edge);
    let Some(host) = edge.and_then(|outputs| outputs.get(API_HOST)) else {
        return remaining_drift(&name, drifted, exit);
    };
    let file = args.kubeconfig.as_deref();
    write_kubeconfig(global, &session, host, &args.wait.api, file).await?;

    let exit = match args.wait.until {
        Until::Stacks => exit,
        Until::Ready => ready::wait(&session, host, &args.wait, args.progress).await?,
    };
    remaining_drift(&name, drifted, exit)
}

/// A run that did all it could is no all-clear where resources differ that it left as they are.
fn remaining_drift(name: &str, drifted: usize, exit: Exit) -> Result<Exit, CommandError> {
    if drifted == 0 || exit != Exit::Done {
        return Ok(exit);
    }
    let what = count(drifted, "resource");
    let message = format!(
        "apply is done, but {what} of {name} changed outside kube-cfn: it leaves that as it is"
    );
    let help = format!("`kube-cfn plan {name}` names the way back of each");
    Err(CommandError::new(Exit::NeedsAction, message).help(help))
}

/// Takes the operation lock, and looks whether the plan that was shown still holds.
async fn lock<'a>(
    plan: &Plan,
    session: &'a Session,
    run: &str,
    seen: Option<Observation>,
) -> Result<Lease<'a, Aws>, CommandError> {
    let subject = session.subject(OperationVerb::Apply);
    let lease = subject.lock(run, seen).await?;
    let again = format!("kube-cfn apply {}", plan.cluster);
    match subject
        .refuse_moved(&again, |now| plan.moved_stacks(now))
        .await
    {
        Ok(()) => Ok(lease),
        Err(moved) => {
            operation::release(lease, false).await;
            Err(moved)
        }
    }
}

/// A plan that can be shown and executed.
struct PreparedPlan {
    session: Session,
    run: String,
    plan: Plan,
    is_saved: bool,
    /// The operation lock as it was found before the plan was made.
    seen: Option<Observation>,
}

/// Reads the plan that the argument names, or makes one for the definition that it names.
async fn read_or_make_plan(global: &Global, args: &Args) -> Result<PreparedPlan, CommandError> {
    let Some(saved) = saved::read(&args.name)? else {
        let session = session::open(global, &args.name).await?;
        session.print_header();
        let seen = session.subject(OperationVerb::Apply).observe().await?;
        let run = run_id();
        let mut request = PlanRequest::new(&args.consents, &run);
        if args.no_drift {
            request.drift = DriftDetection::Off;
        }
        let plan = make_plan(&session, &request).await?;
        return Ok(PreparedPlan {
            session,
            run,
            plan,
            is_saved: false,
            seen,
        });
    };
    if !args.consents.is_empty() || args.no_drift {
        let message = "a saved plan is applied as it was shown, without further consents";
        let help = "give them to `kube-cfn plan NAME --out FILE`";
        return Err(CommandError::new(Exit::Usage, message).help(help));
    }
    let session = saved::open(global, &saved).await?;
    session.print_header();
    let seen = session.subject(OperationVerb::Apply).observe().await?;
    let plan = saved::restore(&saved, &session).await?;
    Ok(PreparedPlan {
        session,
        run: saved.run,
        plan,
        is_saved: true,
        seen,
    })
}

/// Whether the plan may be executed as shown.
fn check_and_confirm(plan: &Plan, session: &Session, yes: &YesArg) -> Result<(), CommandError> {
    let name = &session.spec().name;
    let refused: Vec<Blocked> = match &plan.refused[..] {
        [] => plan
            .blocked()
            .map(|(_, why)| why.clone())
            .filter(|why| why.by_guard)
            .chain(plan.checks.iter().filter_map(Check::blocked))
            .collect(),
        all => all.to_vec(),
    };
    if let Some(error) = refusal(&format!("{name}: refused, nothing was changed"), &refused) {
        return Err(error);
    }
    if plan.blocked().next().is_some() {
        let message = format!("a stack of {name} is blocked; nothing was changed");
        return Err(CommandError::new(Exit::NeedsAction, message));
    }
    if !plan.has_changes() {
        return Ok(());
    }
    let account = &session.identity.account;
    yes.confirm(&format!("Change {name} in account {account} now?"))
}

/// Executes the plan and shows its progress. The first Ctrl-C detaches, and so does the loss of `lease`; a
/// rehearsal has none.
pub async fn execute_plan<C: Cloud + Store + Remote + VersionedParameters>(
    plan: Plan,
    session: &Session<C>,
    run: &str,
    options: ProgressOptions,
    lease: Option<&Lease<'_, C>>,
    stop: impl Future<Output = ()>,
) -> RunReport {
    if !plan.has_changes() {
        return unchanged(&plan);
    }
    let prepare = Authorities {
        cluster: &session.spec().name,
        cloud: &session.cloud,
        control_plane: found_control_plane(&plan),
    };
    let expected = forecast::estimate(&plan, &options.durations);
    let stacks: Vec<Stack> = plan.steps.iter().map(|step| step.stack.clone()).collect();
    run::with_progress(options, async |events| {
        let about = apply::Session {
            remaining: &expected.remaining,
            spans: &expected.stacks,
            explain: &|kind, id, path| session::place(&session.defined, &stacks, kind, id, path),
            ..apply::Session::new(run, events)
        };
        let Some(lease) = lease else {
            return apply::run(plan, &session.cloud, &prepare, &about, stop).await;
        };
        let stop = async {
            tokio::select! {
                () = stop => {}
                () = lease.lost() => {}
            }
        };
        let emit = Emitter {
            events,
            clock: &session.cloud,
        };
        let work = apply::run(plan, &session.cloud, &prepare, &about, stop);
        lease.hold(|text| emit.note(None, text), work).await
    })
    .await
}

/// The report of a run that has nothing to do.
fn unchanged(plan: &Plan) -> RunReport {
    let outputs = plan.steps.iter().filter_map(|step| {
        let found = step.found.as_ref()?;
        Some((step.stack.kind.clone(), found.outputs.clone()))
    });
    RunReport {
        outputs: outputs.collect(),
        ..RunReport::default()
    }
}

/// After a signal, says that the cluster itself is done.
async fn write_kubeconfig(
    global: &Global,
    session: &Session,
    host: &str,
    api: &ApiArgs,
    file: Option<&std::path::Path>,
) -> Result<(), CommandError> {
    let name = &session.spec().name;
    tokio::select! {
        written = kubeconfig::write_exec_entry(global, session, host, api, file) => {
            written.map_err(|failure| {
                let help = format!("`kube-cfn kubeconfig {name} --exec --file FILE` writes it elsewhere");
                failure
                    .context("the cluster is as defined, but its kubeconfig was not written")
                    .help(help)
            })
        }
        () = ask::interrupted() => {
            let message = format!("{name} is done; interrupted before its kubeconfig was written");
            let help = format!("`kube-cfn kubeconfig {name} --exec` writes it");
            Err(CommandError::new(Exit::Interrupted, message).help(help))
        }
    }
}
