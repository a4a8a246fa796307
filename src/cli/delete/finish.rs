//! How a deletion ends: what remains, what could not be removed, and what is taken away on this machine.

use super::Args;
use super::flags::Accept;
use super::outside::Outside;
use crate::access::Cache;
use crate::apply::RunReport;
use crate::cli::api_access::origin;
use crate::cli::cluster::Cluster;
use crate::cli::error::{CommandError, Exit};
use crate::cli::out::eprint;
use crate::cli::run;
use crate::cloud::Identity;
use crate::common::text::listed_line;
use crate::kubeconfig::{self, LockTries};
use crate::report::outside as outsides;

pub fn has_nothing(cluster: &Cluster) -> String {
    format!("{} has no stacks and no parameters", cluster.name)
}

/// Nothing is left that this command deletes. What stacks left and it does not delete is no good end.
pub fn nothing_to_delete(
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
    let text = format!("nothing to delete: {nothing} in account {account}, region {region}{known}");
    eprint(&listed_line("", &text));
    if !args.plan {
        remove_local_access(cluster);
    }
    Ok(Exit::Done)
}

/// `lost` is the error of a run that lost the operation lock.
pub fn finish(
    cluster: &Cluster,
    report: &RunReport,
    (lost, args): (Option<CommandError>, &Args),
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
    for line in report.unfinished.iter().chain(&report.waiting_for_stacks) {
        eprint(&listed_line("!! ", line));
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
    if args.accepts(Accept::Unknown) {
        eprint(&message);
        return Ok(exit);
    }
    Err(CommandError::other(message).help(format!("`{again}` looks again")))
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
