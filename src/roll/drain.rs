//! How a cordoned machine gets rid of its pods: evicted within their budgets, until none is left and no volume names it.
//! Pure. What each wait says is in `text`.

use std::time::Duration;

use jiff::Timestamp;

use super::Options;
use super::memory::Memory;
use super::observed::Observed;
use super::step::{Action, Step};
use super::text;
use crate::cloud::{NodeState, PodOwner, PodPhase, PodState};
use crate::common::clock::elapsed;

/// Between the label that takes a node out of load balancers and the first eviction: load balancers have heard of it by then.
const BALANCERS: Duration = Duration::from_secs(5);
/// How long volumes may take to detach. EBS forces a detach after six minutes
/// (kubernetes, attach-detach controller: `maxWaitForUnmountDuration`).
const VOLUMES: Duration = Duration::from_mins(6);
/// A pod that ends this much later than its grace period is stuck.
const STUCK: Duration = Duration::from_mins(1);
/// A node that has not reported for so long has lost its pods: Kubernetes has given them up by then
/// (`node.kubernetes.io/unreachable`, tolerated for 300 s).
pub(super) const LOST: Duration = Duration::from_mins(5);

/// How far a drain is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Drain {
    /// The machine may be terminated.
    Done,
    /// It goes on.
    Waits,
}

/// Whether a drain has to move a pod: what belongs to the machine itself stays.
pub(super) fn has_to_go(pod: &PodState) -> bool {
    !matches!(pod.owner, PodOwner::Static | PodOwner::DaemonSet)
}

/// Whether the pods of a node are lost already, as its kubelet has not reported for minutes, by the clock of Kubernetes. A
/// kubelet that reports that it isn't Ready still runs its pods.
pub(super) fn is_lost(node: &NodeState, now: Timestamp) -> bool {
    let since = node.since.filter(|_| node.is_silent);
    since.is_some_and(|since| elapsed(since, now) >= LOST)
}

/// Goes on with the drain of a node that a roll has cordoned. A machine without a node has nothing to drain.
pub(super) fn drain(
    seen: &Observed,
    memory: &Memory,
    options: &Options,
    (stack, node): (&str, &str),
    step: &mut Step,
) -> Drain {
    let Some(state) = seen.nodes.get(node) else {
        return Drain::Done;
    };
    if state.is_silent && memory.noted.silent_for(node, seen.at) >= LOST {
        return silent(seen, memory, (stack, node), step);
    }
    let noted = state.roll.as_deref().and_then(|time| time.parse().ok());
    let cordoned = memory.noted.cordoned_at(node, noted);
    let cordoned: Timestamp = cordoned.unwrap_or(memory.began);
    if elapsed(cordoned, seen.at) < BALANCERS {
        step.wait(stack, node, "load balancers stop using it");
        return Drain::Waits;
    }
    let pods: Vec<&PodState> = seen.pods_on(node).filter(|pod| has_to_go(pod)).collect();
    if pods.is_empty() {
        return volumes(seen, memory, (stack, node), step);
    }
    if state.is_silent && memory.noted.was_lost(node) {
        step.wait(stack, node, "its kubelet is watched for 5 minutes");
        return Drain::Waits;
    }
    if elapsed(cordoned.max(memory.began), seen.at) >= options.drain_timeout {
        time_out(seen, memory, options, (stack, node), &pods, step);
        return Drain::Waits;
    }
    for pod in pods {
        move_pod(seen, memory, options, (stack, node), pod, step);
    }
    Drain::Waits
}

/// A node that this run has not heard of for minutes: only one that was so from the start, which was shown before the
/// consent, is ended with what ran on it; and none while most of the nodes are silent, as then it is the network, or the
/// API, that fails.
fn silent(seen: &Observed, memory: &Memory, (stack, node): (&str, &str), step: &mut Step) -> Drain {
    let silent = seen.nodes.values().filter(|node| node.is_silent).count();
    let are_most = silent * 2 > seen.nodes.len();
    if memory.noted.was_lost(node) && !are_most {
        return Drain::Done;
    }
    let is_stopped = |stop: &super::Stop| stop.stack == stack && stop.instance == node;
    if !memory.stops.iter().any(is_stopped) {
        let reason = if are_most {
            text::most_are_silent(silent, seen.nodes.len())
        } else {
            text::fell_silent(node)
        };
        step.stop(stack, node, reason);
    }
    Drain::Waits
}

fn move_pod(
    seen: &Observed,
    memory: &Memory,
    options: &Options,
    (stack, node): (&str, &str),
    pod: &PodState,
    step: &mut Step,
) {
    if let Some(since) = pod.ending {
        let most = Duration::from_secs(pod.grace_seconds).saturating_add(STUCK);
        if elapsed(since, seen.at) > most {
            step.obstacle(stack, node, text::does_not_end(seen, pod));
        } else {
            step.wait(stack, node, format!("{} ends", text::name(&pod.pod)));
        }
        return;
    }
    let remove = || Action::Remove {
        node: node.to_owned(),
        pod: pod.pod.clone(),
    };
    if pod.phase == PodPhase::Finished {
        step.actions.push(remove());
        return;
    }
    if pod.owner == PodOwner::Nobody && !options.may_lose(pod) {
        step.obstacle(stack, node, text::no_controller(pod));
        return;
    }
    if let Some(blocked) = memory.blocked.get(&pod.pod) {
        if blocked.by_budget && options.breaks_budget(seen, pod) {
            step.actions.push(remove());
            return;
        }
        step.obstacle(stack, node, text::blocked(seen, pod, blocked));
    }
    step.actions.push(Action::Evict {
        node: node.to_owned(),
        pod: pod.pod.clone(),
    });
}

/// After the last pod: the volumes that are still attached.
fn volumes(
    seen: &Observed,
    memory: &Memory,
    (stack, node): (&str, &str),
    step: &mut Step,
) -> Drain {
    let attached = seen.attachments.iter();
    let count = attached.filter(|one| one.node == node).count();
    let since = memory.empty_since.get(node).copied().unwrap_or(seen.at);
    if count == 0 || elapsed(since, seen.at) >= VOLUMES {
        return Drain::Done;
    }
    step.wait(stack, node, text::volumes_attached(count));
    Drain::Waits
}

fn time_out(
    seen: &Observed,
    memory: &Memory,
    options: &Options,
    (stack, node): (&str, &str),
    pods: &[&PodState],
    step: &mut Step,
) {
    let is_stopped = |stop: &super::Stop| stop.stack == stack && stop.instance == node;
    if memory.stops.iter().any(is_stopped) {
        return;
    }
    let is_untouched =
        !memory.evicted.contains(node) && pods.iter().all(|pod| pod.ending.is_none());
    let is_ours = seen.nodes.get(node).is_some_and(|node| !node.was_cordoned);
    if is_untouched {
        step.actions.push(Action::Uncordon {
            node: node.to_owned(),
        });
    }
    let reason = text::timed_out(seen, memory, options, node, pods, is_untouched && is_ours);
    step.stop(stack, node, reason);
}

impl Options {
    pub(super) fn may_lose(&self, pod: &PodState) -> bool {
        let name = (pod.pod.namespace.clone(), pod.pod.name.clone());
        self.lose_pods.contains(&name)
    }

    /// Whether every budget of a pod may be broken.
    pub(super) fn breaks_budget(&self, seen: &Observed, pod: &PodState) -> bool {
        let mut budgets = seen
            .budgets
            .iter()
            .filter(|budget| super::estimate::covers(budget, pod))
            .peekable();
        budgets.peek().is_some()
            && budgets.all(|budget| {
                let name = (budget.namespace.clone(), budget.name.clone());
                self.evict_anyway.contains(&name)
            })
    }
}
