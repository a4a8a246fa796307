//! What waits, stops and obstacles say: what, where, why, and what helps. Pure.

use super::estimate::covers;
use super::memory::{Blocked, Memory};
use super::observed::Observed;
use super::step::Action;
use super::{CONTROL_PLANE, Options, drain};
use crate::cloud::{
    Budget, Instance, MachineGroup, NodeResources, NodeState, PodOwner, PodPhase, PodRef, PodState,
};
use crate::common::clock::elapsed;
use crate::common::duration;
use crate::common::text::{count, one_line};

/// `shop/web-7c`
pub(super) fn name(pod: &PodRef) -> String {
    format!("{}/{}", pod.namespace, pod.name)
}

fn budget_name(budget: &Budget) -> String {
    format!("{}/{}", budget.namespace, budget.name)
}

pub(super) fn away(why: &str) -> String {
    format!("the Kubernetes API does not answer: {why}")
}

pub(super) fn of_slot(letter: char, fault: &str) -> String {
    format!("control-plane node {letter}: {fault}")
}

pub(super) fn incomplete(reason: &str) -> String {
    format!("{reason}; not complete after 15 minutes, and no further node is replaced")
}

pub(super) fn large_database(member: &str, bytes: u64) -> String {
    let mib = bytes >> 20;
    format!(
        "the database of etcd member {member} has {mib} MiB, more than 60 % of its quota of 4 GiB: compact and defragment it first"
    )
}

pub(super) fn volumes_attached(number: usize) -> String {
    match number {
        1 => "1 volume is still attached".to_owned(),
        number => format!("{number} volumes are still attached"),
    }
}

/// `pod shop/once belongs to no controller and would not come back: --lose-pod shop/once`
pub(super) fn no_controller(pod: &PodState) -> String {
    let name = name(&pod.pod);
    format!("pod {name} belongs to no controller and would not come back: --lose-pod {name}")
}

/// `pod shop/web-1 is covered by PDBs shop/a and shop/b: Kubernetes can't evict it`
pub(super) fn several_budgets(pod: &PodRef, budgets: &[&Budget]) -> String {
    let names: Vec<String> = budgets.iter().map(|budget| budget_name(budget)).collect();
    format!(
        "pod {} is covered by PDBs {}: Kubernetes can't evict it",
        name(pod),
        names.join(" and ")
    )
}

/// `shop/pdb web allows 0 of 3 disruptions (healthy 2, wants 3)`
pub(super) fn budget_numbers(budget: &Budget) -> String {
    format!(
        "{}/pdb {} allows {} of {} disruptions (healthy {}, wants {})",
        budget.namespace,
        budget.name,
        budget.allowed,
        budget.expected,
        budget.healthy,
        budget.desired_healthy
    )
}

/// Why a pod is not evicted now, with the numbers of its budget and the pods that it waits for.
pub(super) fn blocked(seen: &Observed, pod: &PodState, blocked: &Blocked) -> String {
    let pod_name = name(&pod.pod);
    let several: Vec<&Budget> = seen
        .budgets
        .iter()
        .filter(|budget| covers(budget, pod))
        .collect();
    if !blocked.by_budget || several.len() > 1 {
        return format!("{pod_name}: {}", one_line(&blocked.why));
    }
    let Some(budget) = seen.budgets.iter().find(|budget| covers(budget, pod)) else {
        return format!("{pod_name}: {}", one_line(&blocked.why));
    };
    let since = duration::elapsed(seen.at.duration_since(blocked.since));
    let unhealthy = seen.pods.iter().filter(|other| covers(budget, other));
    let waits: Vec<String> = unhealthy
        .filter_map(|other| {
            let trouble = other.trouble.as_ref().filter(|_| other.ending.is_none())?;
            let place = match &other.node {
                Some(node) => format!("on {node}"),
                None => "without a node".to_owned(),
            };
            Some(format!("{} ({trouble} {place})", name(&other.pod)))
        })
        .take(3)
        .collect();
    let waits = match waits.as_slice() {
        [] => String::new(),
        waits => format!(": waits for {}", waits.join(", ")),
    };
    format!("{pod_name} for {since}: {}{waits}", budget_numbers(budget))
}

/// A pod that has not ended a minute after its grace period.
pub(super) fn does_not_end(seen: &Observed, pod: &PodState) -> String {
    let name = name(&pod.pod);
    let node = pod.node.as_deref().unwrap_or_default();
    let is_away = seen
        .nodes
        .get(node)
        .is_some_and(|node| node.trouble.is_some());
    if pod.finalizers.is_empty() && is_away {
        return format!("{name} does not end: the kubelet of {node} does not answer");
    }
    if pod.finalizers.is_empty() {
        let grace = count(
            usize::try_from(pod.grace_seconds).unwrap_or(usize::MAX),
            "second",
        );
        return format!("{name} does not end within its {grace}");
    }
    format!(
        "{name} does not end: finalizers {}",
        pod.finalizers.join(", ")
    )
}

/// What a machine is in its group that can't be replaced yet.
pub(super) fn not_in_service(seen: &Observed, id: &str) -> String {
    let mut members = seen.groups.iter().flat_map(|group| {
        let members = group.members.iter();
        members.map(move |member| (group, member))
    });
    match members.find(|(_, member)| member.instance == id) {
        Some((group, member)) => format!(
            "waits for {id} to be in service: it is {} in {}",
            member.lifecycle, group.name
        ),
        None => format!("waits for {id} to be in service"),
    }
}

/// Why no machine of a group is taken away: processes of it that are suspended.
pub(super) fn suspended(group: &MachineGroup) -> Option<String> {
    let needed = ["Launch", "Terminate"];
    let suspended: Vec<&str> = needed
        .into_iter()
        .filter(|process| group.suspended.contains(*process))
        .collect();
    (!suspended.is_empty()).then(|| {
        format!(
            "{} of {} is suspended, so no machine of it is replaced: resume it first",
            suspended.join(" and "),
            group.name
        )
    })
}

/// `pool-workers boots Kubernetes 1.37.1, but control-plane node i-0a runs v1.36.4: …`
pub(super) fn too_new(stack: &str, wanted: &str, node: &str, version: &str) -> String {
    format!(
        "{stack} boots Kubernetes {wanted}, but control-plane node {node} runs {version}, and no kubelet may be newer than an API server: --control-plane first, or --all"
    )
}

/// A machine of which it is not known what it was launched from.
pub(super) fn no_template(id: &str) -> String {
    format!(
        "EC2 doesn't say from which launch template {id} was launched, so it may be current: replace it by name, --node {id}"
    )
}

/// `waits for the node of i-0a: …`
pub(super) fn nodeless(id: &str) -> String {
    format!(
        "waits for the node of {id}: the Kubernetes API does not list it, and it counts as empty only after 5 minutes"
    )
}

/// What a new machine still lacks.
pub(super) fn new_machine(seen: &Observed, id: &str) -> String {
    match seen.nodes.get(id) {
        None => format!("waits for {id}, which boots"),
        Some(node) => match &node.trouble {
            Some(trouble) => format!("waits for {id}: {}", one_line(trouble)),
            None => format!("waits for {id}, which is checked"),
        },
    }
}

/// Why a group has no machine in the place of one.
pub(super) fn no_machine(seen: &Observed, group: &MachineGroup) -> String {
    match last_failure(seen, &group.name) {
        Some(failure) => format!("{} has launched no machine yet: {failure}", group.name),
        None => format!("waits for {} to launch a machine", group.name),
    }
}

/// What a group failed to do last, in AWS's words.
pub(super) fn last_failure(seen: &Observed, group: &str) -> Option<String> {
    let newest = seen.activities.get(group)?.first()?;
    if newest.status != "Failed" && newest.status != "Cancelled" {
        return None;
    }
    newest.message.as_deref().map(one_line)
}

/// Why a pool stops: no Ready machine more for a quarter of an hour.
pub(super) fn not_replaced(seen: &Observed, group: &MachineGroup, new: Option<&str>) -> String {
    let state = match new {
        Some(id) => new_machine(seen, id),
        None => no_machine(seen, group),
    };
    format!("no replacement is Ready after 15 minutes: {state}; no further machine is replaced")
}

/// Why Kubernetes has not answered what would move a pod.
fn unanswered_of<'a>(
    memory: &'a Memory,
    node: &str,
    pod: &PodState,
) -> Option<&'a (jiff::Timestamp, String)> {
    let (node, pod) = (node.to_owned(), pod.pod.clone());
    let (evict, remove) = (
        Action::Evict {
            node: node.clone(),
            pod: pod.clone(),
        },
        Action::Remove { node, pod },
    );
    let all = &memory.noted.unanswered;
    all.get(&evict).or_else(|| all.get(&remove))
}

/// Why a drain has ended without success.
pub(super) fn timed_out(
    seen: &Observed,
    memory: &Memory,
    options: &Options,
    node: &str,
    pods: &[&PodState],
    is_uncordoned: bool,
) -> String {
    let most = duration::elapsed(
        options
            .drain_timeout
            .try_into()
            .unwrap_or(jiff::SignedDuration::MAX),
    );
    let reasons: Vec<String> = pods
        .iter()
        .filter_map(|pod| {
            if let Some(known) = memory.blocked.get(&pod.pod) {
                Some(blocked(seen, pod, known))
            } else if pod.ending.is_some() {
                Some(does_not_end(seen, pod))
            } else if let Some((_, why)) = unanswered_of(memory, node, pod) {
                Some(format!("{}: {}", name(&pod.pod), one_line(why)))
            } else if pod.owner == PodOwner::Nobody && !options.may_lose(pod) {
                Some(no_controller(pod))
            } else {
                None
            }
        })
        .take(3)
        .collect();
    let left = count(pods.len(), "pod");
    let reasons = match reasons.as_slice() {
        [] => String::new(),
        reasons => format!(": {}", reasons.join("; ")),
    };
    let state = if is_uncordoned {
        "uncordoned, for no pod was evicted"
    } else {
        "still cordoned"
    };
    format!("{node} is not empty after {most}, {left} left{reasons}; {state}")
}

/// `node i-0a hasn't answered for 12m00s: its 7 pods are lost already; terminated without a drain`
pub(super) fn lost(seen: &Observed, node: &str) -> Option<String> {
    let state = seen.nodes.get(node)?;
    if !drain::is_lost(state, seen.at) {
        return None;
    }
    let since = elapsed(state.since?, seen.at);
    let since = duration::elapsed(since.try_into().unwrap_or(jiff::SignedDuration::MAX));
    let pods = seen
        .pods_on(node)
        .filter(|pod| drain::has_to_go(pod))
        .count();
    let pods = count(pods, "pod");
    Some(format!(
        "{node} hasn't answered for {since}: its {pods} are lost already; terminated without a drain"
    ))
}

/// A node that stopped reporting while it was to be drained.
pub(super) fn fell_silent(node: &str) -> String {
    format!(
        "the kubelet of {node} has not reported for 5 minutes: its pods can't be drained, and whether they run is not known; \
         fix the machine, or re-run: a machine that is silent from the start is shown before you consent, and ended without a drain"
    )
}

pub(super) fn most_are_silent(silent: usize, all: usize) -> String {
    format!(
        "{silent} of {all} nodes have not reported for 5 minutes: that is no fault of one machine; none is ended without a drain"
    )
}

/// What was still attached when a machine was ended.
pub(super) fn volumes_left(seen: &Observed, node: &str) -> Option<String> {
    let attached = seen.attachments.iter().filter(|one| one.node == node);
    let volumes: Vec<&str> = attached.map(|one| one.volume.as_str()).collect();
    (!volumes.is_empty()).then(|| {
        format!(
            "still attached after 6 minutes: {}; EBS detaches them by force",
            volumes.join(", ")
        )
    })
}

/// Pods that no node takes, while a roll moves pods: the stack that is rolled, and the text. One that has only just been
/// made may find a place.
pub(super) fn homeless(seen: &Observed, memory: &Memory) -> Option<(String, String)> {
    let mut evicted = memory.evicted.iter();
    let stack = evicted.find_map(|node| seen.instances.get(node)?.stack.clone())?;
    let waits = |pod: &&PodState| {
        pod.node.is_none() && pod.ending.is_none() && pod.phase == PodPhase::Pending
    };
    let all: Vec<&PodState> = seen.pods.iter().filter(waits).collect();
    let first = all.first()?;
    let trouble = first.trouble.as_deref().map(one_line).unwrap_or_default();
    let text = format!(
        "{} without a node: {} {trouble}",
        count(all.len(), "pod"),
        name(&first.pod)
    );
    Some((stack, text.trim_end().to_owned()))
}

/// `shop/db-0 may find no place: its volume is in eu-west-1b, and no other machine is there`
pub(super) fn no_place(seen: &Observed, one: &Instance, pod: &PodState) -> Option<String> {
    if pod.volume_zones.is_empty() {
        return None;
    }
    let is_place = |other: &&Instance| {
        let is_worker = !other.is_of(CONTROL_PLANE);
        other.id != one.id && is_worker && seen.serves(&other.id)
    };
    let mut others = seen.instances.values().filter(is_place);
    let fits = |other: &Instance| {
        let node = seen.nodes.get(&other.id);
        let has_room = node.is_some_and(|node| free(seen, node).covers(pod.requests));
        other.state.is_alive() && pod.volume_zones.contains(&other.zone) && has_room
    };
    if others.any(fits) {
        return None;
    }
    let zones = pod.volume_zones.join(", ");
    let cpu = pod.requests.milli_cpu;
    Some(format!(
        "{} may find no place: its volume is in {zones}, and no other machine there has {cpu}m CPU free",
        name(&pod.pod)
    ))
}

/// What a node still has for pods.
struct Free {
    milli_cpu: u64,
    memory_bytes: u64,
}

impl Free {
    fn covers(&self, wanted: NodeResources) -> bool {
        self.milli_cpu >= wanted.milli_cpu && self.memory_bytes >= wanted.memory_bytes
    }
}

fn free(seen: &Observed, node: &NodeState) -> Free {
    let used = seen
        .pods_on(&node.name)
        .filter(|pod| pod.phase != PodPhase::Finished);
    let (cpu, memory) = used.fold((0_u64, 0_u64), |(cpu, memory), pod| {
        (
            cpu.saturating_add(pod.requests.milli_cpu),
            memory.saturating_add(pod.requests.memory_bytes),
        )
    });
    Free {
        milli_cpu: node.allocatable.milli_cpu.saturating_sub(cpu),
        memory_bytes: node.allocatable.memory_bytes.saturating_sub(memory),
    }
}
