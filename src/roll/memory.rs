//! What a run of a roll remembers from look to look. It is lost with the run: without it a run waits longer, and never
//! does more.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;

use super::noted::Noted;
use super::observed::Observed;
use super::step::{Step, Stop};
use crate::cloud::{PodOwner, PodRef};
use crate::common::clock::elapsed;

/// Looks that a new machine has to pass, and the time between them.
const LOOKS: u32 = 3;
const BETWEEN_LOOKS: Duration = Duration::from_secs(5);

/// What a run remembers.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Memory {
    pub began: Timestamp,
    /// Nodes of each group that were Ready and took pods at the first look.
    pub ready_at_start: BTreeMap<String, usize>,
    /// Nodes that passed looks: how many, and when the newest one counted.
    looks: BTreeMap<String, (u32, Timestamp)>,
    /// Since when a group lacks Ready machines, and how many it had then.
    pub(super) lacks: BTreeMap<String, (Timestamp, usize)>,
    /// Pods whose eviction is blocked.
    pub blocked: BTreeMap<PodRef, Blocked>,
    /// Nodes of which a pod was evicted in this run.
    pub evicted: BTreeSet<String>,
    /// Since when the pods of a cordoned node are gone.
    pub(super) empty_since: BTreeMap<String, Timestamp>,
    /// Why stacks stopped.
    pub stops: Vec<Stop>,
    /// Ids of etcd's members at the first look, by the letter of their slot.
    pub member_ids: BTreeMap<String, String>,
    /// Since when a control-plane node is not complete.
    pub incomplete: BTreeMap<char, Timestamp>,
    /// Probes of the API since the control plane was complete: good ones, and bad ones.
    pub probes: (u32, u32),
    /// Whether the control plane was as wanted: pools do not wait for it again.
    pub control_plane_done: bool,
    /// Since when the Kubernetes API does not answer.
    pub away: Option<Timestamp>,
    /// Machines that this run has seen gone after it terminated them, by stack.
    pub replaced: BTreeMap<String, BTreeSet<String>>,
    pub(super) noted: Noted,
}

/// A pod that can't be evicted now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blocked {
    pub since: Timestamp,
    pub why: String,
    /// Whether a budget does it, which time may change.
    pub by_budget: bool,
}

impl Memory {
    pub fn new(began: Timestamp) -> Self {
        Self {
            began,
            ..Self::default()
        }
    }

    /// Whether no further machine of a stack is replaced.
    pub fn is_stopped(&self, stack: &str) -> bool {
        self.stops.iter().any(|stop| stop.stack == stack)
    }

    /// Whether a new machine has passed all its looks.
    pub fn is_validated(&self, node: &str) -> bool {
        self.looks
            .get(node)
            .is_some_and(|(count, _)| *count >= LOOKS)
    }

    /// Since when a machine's eviction is blocked by a budget.
    pub(super) fn blocked_since(&self, seen: &Observed, node: &str) -> Option<Timestamp> {
        let pods = seen.pods_on(node).filter(|pod| pod.ending.is_none());
        let blocked = pods.filter_map(|pod| self.blocked.get(&pod.pod));
        blocked
            .filter(|blocked| blocked.by_budget)
            .map(|blocked| blocked.since)
            .min()
    }

    /// Takes in a look.
    pub fn observe(&mut self, seen: &Observed, versions: &BTreeMap<String, String>) {
        if seen.away.is_some() {
            self.away.get_or_insert(seen.at);
            return;
        }
        self.away = None;
        self.noted.observe(seen);
        for group in &seen.groups {
            let members = group.members.iter().map(|member| member.instance.as_str());
            let detached = seen.detached(&group.name).map(|one| one.id.as_str());
            let all = members.chain(detached);
            let ready = all.filter(|id| seen.serves(id)).count();
            self.ready_at_start
                .entry(group.name.clone())
                .or_insert(ready);
        }
        if let Some(Ok(members)) = &seen.control_plane.members {
            for member in members {
                let known = self.member_ids.entry(member.slot.clone());
                known.or_insert_with(|| member.id.clone());
            }
        }
        self.count_looks(seen, versions);
        let is_there = |pod: &PodRef| seen.pods.iter().any(|known| known.pod == *pod);
        self.blocked.retain(|pod, _| is_there(pod));
        self.note_empty(seen);
    }

    /// Takes in the step that was decided by a look.
    pub fn remember(&mut self, step: &Step, seen: &Observed) {
        let (at, seen_is_away) = (seen.at, seen.away.is_some());
        self.noted.remember(step, seen);
        self.stops.extend(step.stops.iter().cloned());
        self.control_plane_done |= step.control_plane_done;
        if !seen_is_away {
            let has_pools = step.control_plane_done;
            self.lacks
                .retain(|group, _| !has_pools || step.lacking.contains_key(group));
            self.incomplete
                .retain(|letter, _| step.incomplete.contains(letter));
        }
        for letter in &step.incomplete {
            self.incomplete.entry(*letter).or_insert(at);
        }
        if !step.probes && !seen_is_away {
            self.probes = (0, 0);
        }
        for (group, ready) in &step.lacking {
            let known = self.lacks.entry(group.clone()).or_insert((at, *ready));
            if *ready != known.1 {
                *known = (at, *ready);
            }
        }
    }

    fn count_looks(&mut self, seen: &Observed, versions: &BTreeMap<String, String>) {
        let failing = without_system(seen);
        let good: BTreeSet<&String> = seen
            .nodes
            .keys()
            .filter(|node| !failing.contains(node.as_str()) && passes(seen, versions, node))
            .collect();
        self.looks.retain(|node, _| good.contains(node));
        for node in good {
            let Some((count, last)) = self.looks.get_mut(node) else {
                self.looks.insert(node.clone(), (1, seen.at));
                continue;
            };
            if elapsed(*last, seen.at) >= BETWEEN_LOOKS {
                *count = count.saturating_add(1);
                *last = seen.at;
            }
        }
    }

    fn note_empty(&mut self, seen: &Observed) {
        let drained: Vec<&String> = seen
            .nodes
            .keys()
            .filter(|node| seen.is_cordoned_by_roll(node))
            .filter(|node| !seen.pods_on(node).any(super::drain::has_to_go))
            .collect();
        self.empty_since.retain(|node, _| drained.contains(&node));
        for node in drained {
            self.empty_since.entry(node.clone()).or_insert(seen.at);
        }
    }
}

/// Nodes on which a pod that Kubernetes itself runs on each node (network, proxy, storage) is not Ready.
fn without_system(seen: &Observed) -> BTreeSet<&str> {
    let of_system = seen
        .pods
        .iter()
        .filter(|pod| pod.owner == PodOwner::DaemonSet && pod.pod.namespace == "kube-system");
    let failing = of_system.filter(|pod| pod.trouble.is_some());
    failing.filter_map(|pod| pod.node.as_deref()).collect()
}

/// Whether a node is Ready, takes pods and has the version that its stack boots.
fn passes(seen: &Observed, versions: &BTreeMap<String, String>, node: &str) -> bool {
    let stack = seen.instances.get(node).and_then(|one| one.stack.as_ref());
    let wanted = stack.and_then(|stack| versions.get(stack));
    let version = seen.nodes.get(node).map(|node| node.version.as_str());
    let has_version = wanted
        .is_none_or(|wanted| version.is_some_and(|has| has.trim_start_matches('v') == wanted));
    seen.serves(node) && has_version
}
