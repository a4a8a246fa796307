//! What the stacks and the catalogue say of the versions.

use std::collections::BTreeMap;

use super::{Check, Facts, Finding, or_pass};
use crate::catalog::addons;
use crate::common::text::count;
use crate::upgrade::Direction;

/// Where the versions of an upgrade stand: it goes up by a patch or one minor.
pub(super) fn step(facts: &Facts) -> Finding {
    let (from, to) = (&facts.target.from, &facts.target.to);
    let says = match facts.target.direction {
        Direction::Same => format!("{to} is what the control plane's stack has already"),
        Direction::Patch => format!("{from} to {to}, a patch"),
        Direction::Minor => format!("{from} to {to}, one minor"),
    };
    Finding::pass(Check::VersionStep, says)
}

/// Every stack at rest, and each with a version that is known.
pub(super) fn stacks(facts: &Facts) -> Vec<Finding> {
    let moving = facts.unsettled.iter().map(|(stack, status)| {
        let says = format!("stack {stack} is in {status}");
        let next = format!("`kube-cfn status {}`", facts.cluster);
        Finding::fail(Check::Stacks, says, next)
    });
    let unknown = facts.stacks.iter().filter_map(|(stack, version)| {
        let why = version.as_ref().err()?;
        let why = format!("the version that stack {stack} boots ({why})");
        let next = format!("`kube-cfn plan {}`", facts.cluster);
        Some(Finding::unknown(Check::Stacks, &why, next))
    });
    let stacks = count(facts.stacks.len(), "stack");
    let says = format!("{stacks} with machines, none with an operation");
    or_pass(moving.chain(unknown).collect(), Check::Stacks, says)
}

/// Nobody else changes the cluster now.
pub(super) fn lock(facts: &Facts) -> Finding {
    let next = format!("`kube-cfn watch {}`", facts.cluster);
    match &facts.lock {
        Err(why) => Finding::unknown(Check::Lock, why, next),
        Ok(Some(holder)) => Finding::fail(Check::Lock, format!("{holder} holds it"), next),
        Ok(None) => Finding::pass(Check::Lock, "nobody holds it"),
    }
}

pub(super) fn drift(facts: &Facts) -> Vec<Finding> {
    let next = format!(
        "`kube-cfn plan {0}`, then `kube-cfn apply {0}`",
        facts.cluster
    );
    let found = match &facts.drift {
        Err(why) => vec![Finding::unknown(Check::Drift, why, next)],
        Ok(all) => {
            let fail = |says: &String| Finding::fail(Check::Drift, says, &next);
            all.iter().map(fail).collect()
        }
    };
    or_pass(
        found,
        Check::Drift,
        "launch templates and groups are as their stacks say",
    )
}

/// Every file of the version answers at its address. Those without, by the reason.
pub(super) fn downloads(facts: &Facts) -> Vec<Finding> {
    let check = Check::Downloads;
    let next = "reach them from here, or name a `mirror` in the definition";
    let mut failed: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for download in &facts.downloads {
        if let Err(why) = &download.answer {
            failed.entry(why).or_default().push(&download.url);
        }
    }
    let found = failed.into_iter().map(|(why, urls)| {
        let others = match urls.len() {
            1 => String::new(),
            more => format!(" and {}", count(more - 1, "other file")),
        };
        let why = format!(
            "{}{others}: {why}",
            urls.first().copied().unwrap_or_default()
        );
        Finding::unknown(check, &why, next)
    });
    let files = count(facts.downloads.len(), "file");
    or_pass(
        found.collect(),
        check,
        format!("{files} of {} found", facts.target.to),
    )
}

/// The catalogue has a version of every addon for the wanted minor.
pub(super) fn addons(facts: &Facts) -> Finding {
    let (check, to) = (Check::Addons, &facts.target.to);
    let minor = format!("{}.{}", to.major, to.minor);
    let Some(all) = addons::of(to) else {
        let says = format!("this program has no addons for Kubernetes {minor}");
        return Finding::fail(check, says, "a newer kube-cfn");
    };
    Finding::pass(
        check,
        format!("{} addons have a version for {minor}", all.len()),
    )
}
