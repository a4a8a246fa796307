//! What is shown before consent, and why it may not be deleted.

use super::flags::{Accept, Args};
use super::outside::Outside;
use crate::cli::cluster::Cluster;
use crate::cli::error::{CommandError, Exit};
use crate::cli::out;
use crate::cli::out::eprint;
use crate::cloud::Identity;
use crate::common::Clock as _;
use crate::common::text::{count, listed_line};
use crate::plan::Blocked;
use crate::plan::deletion::DeletePlan;
use crate::report::deletion::{self as deletions, Stream};
use crate::report::outside::{self as outsides, DeletionView};

/// What is shown, and on which stream.
pub fn view<'a>(
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
        obstacles: &outside.obstacles,
        buckets: &outside.buckets,
        account: &cluster.identity.account,
        region: &cluster.identity.region,
        refused,
        accepts_unknown: args.accepts(Accept::Unknown),
        accepts_obstacles: args.accepts(Accept::Obstacles),
        stream: if args.plan {
            Stream::Stdout
        } else {
            Stream::Stderr
        },
    }
}

/// A plan is data, what is shown before a question is a message.
pub fn print(args: &Args, text: &str) -> Result<(), CommandError> {
    if args.plan {
        return out::text(text);
    }
    eprint(text);
    Ok(())
}

/// Everything that is shown before consent.
pub fn show(cluster: &Cluster, view: &DeletionView<'_>, parameters: usize) -> String {
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
    }
    for bucket in view.buckets {
        let line = outsides::state_bucket(bucket, region, cluster.cloud.now());
        text.push_str(&(line + "\n"));
    }
    text.push_str(&outsides::deletion(view));
    text
}

/// Why what is there may not be deleted, or can't be.
pub fn refusal(plan: &DeletePlan, args: &Args, outside: &Outside, again: &str) -> Option<Blocked> {
    let unless = |what, why: Option<Blocked>| why.filter(|_| !args.accepts(what));
    let unknown = || unless(Accept::Unknown, outside.refusal(again));
    let obstacles = || {
        unless(
            Accept::Obstacles,
            outsides::refusal(&outside.obstacles, again),
        )
    };
    plan.refused
        .clone()
        .or_else(|| outside.unanswered())
        .or_else(unknown)
        .or_else(obstacles)
}

pub fn refuse(why: &Blocked) -> CommandError {
    let exit = if why.by_guard {
        Exit::Refused
    } else {
        Exit::NeedsAction
    };
    let message = format!("{}; nothing was deleted", why.reason);
    CommandError::new(exit, message).help(&why.remedy)
}
