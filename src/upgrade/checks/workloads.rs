//! What runs in the cluster and can hold a drain, or would not run afterwards.

use super::nodes::api;
use super::{Check, Facts, Finding, or_pass};
use std::collections::BTreeSet;

use crate::catalog::kubernetes;
use crate::cloud::{Backend, Extension, Webhook};
use crate::common::text::count;
use crate::roll::{Obstacle, Waiver};
use crate::upgrade::Verdict;

/// How many endpoints a webhook that fails closed should have, so that a drained node does not take the last.
const LEAST_ENDPOINTS: usize = 2;

pub(super) fn removed(facts: &Facts) -> Vec<Finding> {
    let (check, to) = (Check::RemovedObjects, &facts.target.to);
    let pods = match &facts.pods {
        Ok(pods) => pods,
        Err(why) => return vec![Finding::unknown(check, why, api(facts))],
    };
    let runs = kubernetes::minor(to).is_some_and(|row| row.git_repo);
    let found = pods.iter().filter(|pod| pod.has_git_repo && !runs);
    let found = found.map(|pod| {
        let name = format!("{}/{}", pod.pod.namespace, pod.pod.name);
        let says = format!("pod {name} has a volume of the kind gitRepo, which {to} does not run");
        Finding::fail(
            check,
            says,
            "an init container that clones into an emptyDir",
        )
    });
    or_pass(
        found.collect(),
        check,
        format!("none in {}", count(pods.len(), "pod")),
    )
}

/// What would block a drain for good: budgets, and volumes that can be placed nowhere.
pub(super) fn budgets(facts: &Facts) -> Vec<Finding> {
    blocked(facts, Check::Budgets, "each pod can be evicted")
}

/// Pods that nobody would make again, and how many lose data of their machine.
pub(super) fn pods(facts: &Facts) -> Vec<Finding> {
    let check = Check::Pods;
    let mut findings = blocked(facts, check, "each pod would come back");
    let machines = facts
        .forecast
        .iter()
        .flat_map(|forecast| &forecast.machines);
    let lost: usize = machines.map(|one| one.loses_data).sum();
    if lost > 0 {
        let says = format!(
            "the data of emptyDir ends with the machine of {}",
            count(lost, "pod")
        );
        findings.retain(|finding| finding.verdict != Verdict::Pass);
        findings.push(Finding::warn(
            check,
            says,
            "nothing, unless that data matters",
        ));
    }
    findings
}

/// What a roll foresees that is about a check, each obstacle once: a budget stands at every machine with a pod of it.
fn blocked(facts: &Facts, check: Check, well: &str) -> Vec<Finding> {
    let forecast = match &facts.forecast {
        Ok(forecast) => forecast,
        Err(why) => return vec![Finding::unknown(check, why, api(facts))],
    };
    let machines = forecast.machines.iter();
    let obstacles: BTreeSet<&Obstacle> = machines.flat_map(|one| &one.obstacles).collect();
    let of_check = |one: &&&Obstacle| match one.waiver {
        Some(Waiver::LosePod(_)) => check == Check::Pods,
        Some(Waiver::EvictAnyway(_)) | None => check == Check::Budgets,
    };
    let found = obstacles.iter().filter(of_check).map(|one| {
        let next = "change that first";
        match &one.waiver {
            Some(waiver) => Finding::fail(check, &one.text, next).by(waiver.to_string()),
            None if one.refuses => Finding::fail(check, &one.text, next),
            None => Finding::warn(check, &one.text, next),
        }
    });
    or_pass(found.collect(), check, well)
}

/// Webhooks that refuse requests while nothing answers, conversions and APIs whose service is away.
pub(super) fn webhooks(facts: &Facts) -> Vec<Finding> {
    let check = Check::Webhooks;
    let mut findings = Vec::new();
    let mut number = 0;
    match &facts.webhooks {
        Err(why) => findings.push(Finding::unknown(check, why, api(facts))),
        Ok(all) => {
            number += all.len();
            findings.extend(all.iter().filter_map(webhook));
        }
    }
    match &facts.extensions {
        Err(why) => findings.push(Finding::unknown(check, why, api(facts))),
        Ok(all) => {
            number += all.len();
            findings.extend(all.iter().filter_map(extension));
        }
    }
    or_pass(
        findings,
        check,
        format!("{number} found, each has something that answers"),
    )
}

/// A webhook that would hold the drain of the machine that its last pod is on. Of one outside the cluster nothing is known.
fn webhook(one: &Webhook) -> Option<Finding> {
    let check = Check::Webhooks;
    let about = if one.is_about_pods {
        "pods or nodes"
    } else {
        "some objects"
    };
    match &one.backend {
        Backend::Url(url) => {
            let says = format!(
                "{} asks {url}, which is outside the cluster: not looked at",
                one.name
            );
            Some(Finding::warn(check, says, "see that it answers"))
        }
        Backend::Service { ready, .. } if *ready >= LEAST_ENDPOINTS => None,
        Backend::Service { name, ready } => {
            let says = format!(
                "{} refuses {about} while the Service {name} does not answer, which has {ready} ready",
                one.name
            );
            let next = "two replicas on two nodes, or failurePolicy: Ignore";
            Some(match (ready, one.is_about_pods) {
                (0, true) => Finding::fail(check, says, next),
                _ => Finding::warn(check, says, next),
            })
        }
    }
}

fn extension(one: &Extension) -> Option<Finding> {
    let why = match (&one.trouble, &one.backend) {
        (Some(trouble), _) => trouble.clone(),
        (None, Backend::Service { name, ready: 0 }) => format!("the Service {name} has none ready"),
        (None, _) => return None,
    };
    let says = format!("{}: {why}", one.name);
    Some(Finding::warn(
        Check::Webhooks,
        says,
        "what serves it has to run first",
    ))
}
