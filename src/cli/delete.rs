//! `kube-cfn delete`: shows what is lost, wants the name typed, deletes, lists what remains.

use std::fmt::Write;

use console::style;

use super::ending::Showing;
use super::failure::{Exit, Failure};
use super::kubeconfig::origin;
use super::out::{self, talk};
use super::plan::run_id;
use super::session::{self, Target, Whom};
use super::{Global, ask, ending};
use crate::access::Cache;
use crate::apply::{self, Remains, Report};
use crate::cloud::Identity;
use crate::kubeconfig::{self, Patience};
use crate::plan::deletion::{DeletePlan, Guard};
use crate::plan::{self, deletion};
use crate::progress::Style;

#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    whom: Whom,
    /// The cluster's name once more, instead of typing it when asked
    #[arg(long, value_name = "NAME")]
    yes: Option<String>,
    /// How to show progress
    #[arg(long, value_enum, default_value_t)]
    progress: Style,
}

pub async fn run(global: &Global, args: &Args) -> Result<Exit, Failure> {
    let target = session::target(global, &args.whom).await?;
    target.introduce();
    let survey = plan::survey(&target.cloud, &target.name).await?;
    let plan = deletion::deletion(&survey, guard(&target));
    if plan.steps.is_empty() && plan.refused.is_some() {
        let name = &target.name;
        talk(&format!("nothing to delete: {name} has no stacks here"));
        return Ok(Exit::Done);
    }
    if plan.steps.is_empty() {
        // A deletion that was interrupted after its last stack is finished too.
        talk(&format!(
            "nothing to delete: {} has no stacks here; what an earlier deletion left goes now",
            target.name
        ));
    } else {
        talk(text(&plan).trim_end());
    }
    agree(&plan, args)?;
    let report = demolish(&plan, &target, args.progress).await;
    finish(&target, &report)
}

fn guard(target: &Target) -> Guard {
    match &target.defined {
        Some(defined) if defined.spec.protect => Guard::Protected,
        _ => Guard::Open,
    }
}

/// What goes, and what data goes with it.
fn text(plan: &DeletePlan) -> String {
    let mut text = String::new();
    for step in &plan.steps {
        // Writing to a String can't fail.
        let _ = writeln!(
            text,
            "{} {}",
            style("-").for_stderr().red(),
            step.found.name
        );
        for loss in step.losses().iter().filter(|loss| loss.is_data()) {
            let fate = match (loss.policy.as_str(), loss.resource_type.as_str()) {
                ("Snapshot", _) => "a last snapshot is taken",
                ("Retain" | "RetainExceptOnCreate", _) => "kept",
                (_, "AWS::KMS::Key") => "disabled, deleted for good some days later",
                _ => "deleted for good",
            };
            let told = format!("{} ({}): {fate}", loss.sentence, loss.logical_id);
            let _ = writeln!(text, "{}", out::listed_line("    ", &told));
        }
    }
    text
}

fn agree(plan: &DeletePlan, args: &Args) -> Result<(), Failure> {
    if let Some(why) = &plan.refused {
        let exit = if why.by_guard {
            Exit::Refused
        } else {
            Exit::NeedsHand
        };
        return Err(
            Failure::new(exit, format!("{}; nothing was deleted", why.reason)).help(&why.remedy),
        );
    }
    match &args.yes {
        Some(name) if *name == plan.cluster => Ok(()),
        Some(other) => Err(Failure::refused(format!(
            "--yes {other} is not {}; nothing was deleted",
            plan.cluster
        ))),
        None => ask::typed(
            &format!("Type {} to delete it", plan.cluster),
            &plan.cluster,
        ),
    }
}

async fn demolish(plan: &DeletePlan, target: &Target, style: Style) -> Report {
    let run = run_id();
    let showing = Showing::recorded(style, &run, &target.name, &target.identity, "delete");
    ending::watched(showing, async |events| {
        let about = apply::Session::new(&run, events);
        apply::delete(plan, &target.cloud, &about, ask::interrupted()).await
    })
    .await
}

fn finish(target: &Target, report: &Report) -> Result<Exit, Failure> {
    let name = &target.name;
    for remains in &report.remains {
        talk(&out::listed_line("remains: ", &remaining(remains)));
    }
    for line in &report.unfinished {
        talk(&format!("!! {line}"));
    }
    let exit = ending::exit(report, &target.again("delete"))?;
    forget(target);
    talk(&format!("{name} is gone"));
    Ok(exit)
}

/// Removes what this machine knows of a cluster that is gone. What can't be removed opens nothing
/// any more: it is said, and the deletion stays a success.
fn forget(target: &Target) {
    let Target { name, identity, .. } = target;
    let Identity {
        account, region, ..
    } = identity;
    let removed = kubeconfig::Target::of_environment().and_then(|files| {
        kubeconfig::remove(&files, name, &origin(account, region), Patience::USUAL)
    });
    match removed {
        Ok(paths) => {
            for path in paths {
                talk(&format!("removed {name} from {}", path.display()));
            }
        }
        Err(error) => talk(&format!(
            "{name} was not removed from your kubeconfig: {error}"
        )),
    }
    if let Err(error) = Cache::of_user().and_then(|cache| cache.forget(name)) {
        talk(&format!("the cached credentials of {name} stay: {error}"));
    }
}

/// One line for something that a deletion leaves on purpose.
fn remaining(remains: &Remains) -> String {
    match remains {
        Remains::Kept {
            stack,
            sentence,
            physical_id,
            ..
        } => {
            let id = physical_id.as_deref().unwrap_or("without a known id");
            format!("{sentence} of {stack}, kept by its template: {id}")
        }
        Remains::Snapshot {
            sentence,
            of,
            name,
            begins_with,
            ..
        } => {
            let of = of.as_deref().unwrap_or("unknown");
            match (name, begins_with) {
                (Some(name), _) => format!("last snapshot of {sentence} ({of}): {name}"),
                (None, Some(begin)) => {
                    format!("last snapshot of {sentence} ({of}): its name begins with {begin}")
                }
                (None, None) => format!("last snapshot of {sentence} ({of})"),
            }
        }
        Remains::Key {
            physical_id, days, ..
        } => format!(
            "key {}: disabled, and deleted for good in {days} days",
            physical_id.as_deref().unwrap_or("of the cluster")
        ),
    }
}
