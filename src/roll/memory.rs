//! What a run of a roll remembers from look to look. It is lost with the run: without it a run waits longer, and never
//! does more.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;

use super::control_plane::PROBES;
use super::noted::Noted;
use super::observed::Observed;
use super::step::{Action, REPLACEMENT, Step, Stop};
use crate::cloud::{Instance, PodOwner, PodRef};
use crate::common::clock::elapsed;

/// Looks that a new machine has to pass, and the time between them.
const LOOKS: u32 = 3;
const BETWEEN_LOOKS: Duration = Duration::from_secs(5);
/// What a list has not had for so long is no more.
const ABSENT: Duration = Duration::from_mins(5);

/// What a run remembers.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Memory {
    pub began: Timestamp,
    /// Machines that each group wanted at the first look, without those that did not serve then.
    pub ready_at_start: BTreeMap<String, usize>,
    /// Nodes that passed looks: how many, and when the newest one counted.
    looks: BTreeMap<String, (u32, Timestamp)>,
    /// Since when a group lacks Ready machines, and how many had arrived by then.
    pub(super) lacks: BTreeMap<String, (Timestamp, usize)>,
    /// Nodes that passed all looks once, whatever became of them, by the group of their machine.
    arrived: BTreeMap<String, BTreeSet<String>>,
    /// Groups of which this run has detached or terminated a machine.
    pub(super) touched: BTreeSet<String>,
    /// The group of each machine that this run has tagged: EC2 may not show the tag yet.
    pub(super) marked: BTreeMap<String, String>,
    /// Machines without a node and groups that are listed no more: since when, and in how many looks.
    absent: BTreeMap<String, (Timestamp, u32)>,
    /// Since when machines are waited for that nothing is done with.
    pub(super) idle: BTreeMap<String, Timestamp>,
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

    /// Whether a machine has had no node, or a group was not listed, for so long that it is no gap of a list.
    pub(super) fn is_absent(&self, name: &str, now: Timestamp) -> bool {
        let absent = self.absent.get(name);
        absent.is_some_and(|(since, looks)| *looks >= LOOKS && elapsed(*since, now) >= ABSENT)
    }

    /// How many machines of a group have passed all looks so far.
    pub(super) fn arrived(&self, group: &str) -> usize {
        self.arrived.get(group).map_or(0, BTreeSet::len)
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
            // One that is missing, young, or cordoned by a roll was taken by an earlier run: it is waited for.
            let is_sick = |one: &&Instance| {
                let is_young = one
                    .launched
                    .is_none_or(|launched| elapsed(launched, seen.at) < REPLACEMENT);
                let is_known = seen.nodes.contains_key(&one.id) && !seen.serves(&one.id);
                is_known && !is_young && !seen.is_cordoned_by_roll(&one.id)
            };
            let sick = seen.members(group).filter(is_sick).count();
            let wanted = usize::try_from(group.desired).unwrap_or(usize::MAX);
            self.ready_at_start
                .entry(group.name.clone())
                .or_insert(wanted.saturating_sub(sick));
        }
        if let Some(Ok(members)) = &seen.control_plane.members {
            for member in members {
                let known = self.member_ids.entry(member.slot.clone());
                known.or_insert_with(|| member.id.clone());
            }
        }
        self.count_looks(seen, versions);
        self.note_absent(seen);
        self.note_arrived(seen);
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
        self.note_actions(&step.actions, seen);
        if !seen_is_away {
            let has_pools = step.control_plane_done;
            self.lacks
                .retain(|group, _| !has_pools || step.lacking.contains_key(group));
            // A node counts as incomplete until the API was probed with it: it may be complete for a moment only.
            let is_probed = !step.probes || self.probes.0 >= PROBES;
            self.incomplete
                .retain(|letter, _| !is_probed || step.incomplete.contains(letter));
            self.idle.retain(|id, _| step.idle.contains(id));
        }
        for id in &step.idle {
            self.idle.entry(id.clone()).or_insert(at);
        }
        for letter in &step.incomplete {
            self.incomplete.entry(*letter).or_insert(at);
        }
        if !step.probes && !seen_is_away {
            self.probes = (0, 0);
        }
        for (group, arrived) in &step.lacking {
            let known = self.lacks.entry(group.clone()).or_insert((at, *arrived));
            // Only another machine is progress: one that comes and goes is none.
            if *arrived > known.1 {
                *known = (at, *arrived);
            }
        }
    }

    fn note_actions(&mut self, actions: &[Action], seen: &Observed) {
        for action in actions {
            match action {
                Action::Mark { instance, group } => {
                    self.marked.insert(instance.clone(), group.clone());
                }
                Action::Unmark { instance } => {
                    self.marked.remove(instance);
                }
                Action::Detach { group, .. } => {
                    self.touched.insert(group.clone());
                }
                Action::Terminate { instance } | Action::TerminateInGroup { instance } => {
                    let one = seen.instances.get(instance);
                    let group = one.and_then(|one| one.group.as_ref().or(one.roll.as_ref()));
                    self.touched.extend(group.cloned());
                }
                _ => {}
            }
        }
    }

    fn note_absent(&mut self, seen: &Observed) {
        let alive = || seen.instances.values().filter(|one| one.state.is_alive());
        let nodeless = alive().map(|one| one.id.as_str());
        let nodeless = nodeless.filter(|id| !seen.nodes.contains_key(*id));
        let groups = alive().filter(|one| seen.is_orphan(one));
        let groups = groups.filter_map(|one| one.roll.as_deref());
        let absent: BTreeSet<&str> = nodeless.chain(groups).collect();
        self.absent.retain(|name, _| absent.contains(name.as_str()));
        for name in absent {
            let known = self.absent.entry(name.to_owned()).or_insert((seen.at, 0));
            known.1 = known.1.saturating_add(1);
        }
    }

    fn note_arrived(&mut self, seen: &Observed) {
        for (id, one) in &seen.instances {
            if let Some(group) = one.group.as_ref().filter(|_| self.is_validated(id)) {
                let arrived = self.arrived.entry(group.clone()).or_default();
                arrived.insert(id.clone());
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
