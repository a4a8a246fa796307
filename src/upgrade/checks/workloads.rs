//! What runs in the cluster and can hold a drain, or would not run afterwards.

use super::nodes::api;
use super::{Check, Facts, Finding, or_pass};
use crate::cloud::{Backend, Budget, Extension, PodOwner, PodPhase, PodState, Webhook};
use crate::upgrade::RemovedObject;

/// How many endpoints a webhook that fails closed should have, so that a drained node does not take the last.
const LEAST_ENDPOINTS: usize = 2;

pub(super) fn removed(facts: &Facts) -> Vec<Finding> {
    let check = Check::RemovedObjects;
    let found = match &facts.removed_objects {
        Err(why) => vec![Finding::unknown(check, why, api(facts))],
        Ok(all) => {
            let fail = |one: &RemovedObject| {
                let says = format!(
                    "{} has {}, which {} does not run",
                    one.object, one.because, facts.target.to
                );
                Finding::fail(check, says, "change or delete it first")
            };
            all.iter().map(fail).collect()
        }
    };
    or_pass(found, check, "none found")
}

/// Budgets that can never allow an eviction, and pods under two of them, which Kubernetes can't evict.
pub(super) fn budgets(facts: &Facts) -> Vec<Finding> {
    let check = Check::Budgets;
    let (pods, budgets) = match (&facts.pods, &facts.budgets) {
        (Ok(pods), Ok(budgets)) => (pods, budgets),
        (Err(why), _) | (_, Err(why)) => return vec![Finding::unknown(check, why, api(facts))],
    };
    let mut findings: Vec<_> = budgets
        .iter()
        .filter(|budget| budget.expected > 0 && budget.desired_healthy >= budget.expected)
        .map(|budget| {
            let name = format!("{}/{}", budget.namespace, budget.name);
            let says = format!(
                "{name} can never allow an eviction: it wants {} of {} pods healthy",
                budget.desired_healthy, budget.expected
            );
            let next = "more replicas, or a budget that allows one";
            Finding::fail(check, says, next).by(format!("--evict-anyway {name}"))
        })
        .collect();
    let is_evicted = |pod: &&PodState| {
        matches!(pod.owner, PodOwner::Controller(_) | PodOwner::Nobody)
            && pod.phase != PodPhase::Finished
    };
    for pod in pods.iter().filter(is_evicted) {
        let of_pod: Vec<_> = budgets
            .iter()
            .filter(|budget| covers(budget, pod))
            .collect();
        let [first, second, ..] = of_pod.as_slice() else {
            continue;
        };
        let says = format!(
            "pod {}/{} is covered by the budgets {} and {}: Kubernetes can't evict it",
            pod.pod.namespace, pod.pod.name, first.name, second.name
        );
        let accept = format!("--evict-anyway {}/{}", first.namespace, first.name);
        findings.push(Finding::fail(check, says, "one budget for each pod").by(accept));
    }
    or_pass(
        findings,
        check,
        format!("{} budgets, each can allow an eviction", budgets.len()),
    )
}

fn covers(budget: &Budget, pod: &PodState) -> bool {
    budget.namespace == pod.pod.namespace && budget.selector.selects(&pod.labels)
}

/// Pods that nobody would make again, and how many lose data of their machine.
pub(super) fn pods(facts: &Facts) -> Vec<Finding> {
    let check = Check::Pods;
    let pods = match &facts.pods {
        Ok(pods) => pods,
        Err(why) => return vec![Finding::unknown(check, why, api(facts))],
    };
    let runs = |pod: &&PodState| pod.phase != PodPhase::Finished;
    let alone = pods
        .iter()
        .filter(runs)
        .filter(|pod| pod.owner == PodOwner::Nobody);
    let mut findings: Vec<_> = alone
        .map(|pod| {
            let name = format!("{}/{}", pod.pod.namespace, pod.pod.name);
            let says = format!("pod {name} belongs to no controller and would not come back");
            let next = "delete it, or give it a controller";
            Finding::fail(check, says, next).by(format!("--lose-pod {name}"))
        })
        .collect();
    let loses =
        |pod: &&PodState| pod.loses_local_data && matches!(pod.owner, PodOwner::Controller(_));
    let lost = pods.iter().filter(runs).filter(loses).count();
    if lost > 0 {
        let says =
            format!("{lost} pods lose the data of their emptyDir when their machine is replaced");
        findings.push(Finding::warn(
            check,
            says,
            "nothing, unless that data matters",
        ));
    }
    or_pass(
        findings,
        check,
        format!("{} pods, each would come back", pods.len()),
    )
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
