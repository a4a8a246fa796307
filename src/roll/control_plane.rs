//! The control-plane nodes: one after the other, the leader of etcd last, each only while every other one is complete. Pure.

use std::time::Duration;

use super::drain::{self, Drain};
use super::memory::Memory;
use super::observed::Observed;
use super::select::{Selection, tidy};
use super::step::{Action, LATE, REPLACEMENT, SILENT, Step};
use super::{CONTROL_PLANE, Options, RollScope, text};
use crate::cloud::{Instance, PodState, image_version};
use crate::common::clock::elapsed;
use crate::common::text::count;
use crate::etcd::{MAX_DATABASE, Member, Slot};

/// Good probes of the API in a row, one a second, before the next node and at the end.
pub const PROBES: u32 = 60;
/// So many bad ones are too many.
const BAD_PROBES: u32 = 60;
/// How old the machines of the other nodes are at least.
const SETTLED: Duration = Duration::from_mins(1);
/// Revisions that a member may be behind another.
const REVISIONS: u64 = 1000;

/// A control-plane node with its group and its machine.
struct View<'a> {
    slot: &'a Slot,
    machine: Option<&'a Instance>,
    is_selected: bool,
    /// What is missing for it to be complete.
    faults: Vec<String>,
}

impl View<'_> {
    fn letter(&self) -> char {
        self.slot.letter()
    }

    fn id(&self) -> &str {
        self.machine.map_or("", |one| one.id.as_str())
    }
}

pub(super) fn next(
    seen: &Observed,
    memory: &Memory,
    options: &Options,
    selection: &Selection,
    step: &mut Step,
) {
    let has_work =
        selection.is_any_of(seen, CONTROL_PLANE) || memory.replaced.contains_key(CONTROL_PLANE);
    tidy(seen, selection, CONTROL_PLANE, step);
    if memory.is_stopped(CONTROL_PLANE) {
        return;
    }
    if matches!(options.scope, RollScope::Node(_)) && !has_work {
        return;
    }
    if let Some(why) = &seen.away {
        return wait_for_api(seen, memory, why, step);
    }
    let views: Vec<View> = options
        .slots
        .iter()
        .map(|slot| view(seen, memory, options, selection, slot))
        .collect();
    for one in views.iter().filter(|one| !one.faults.is_empty()) {
        step.incomplete.insert(one.letter());
    }
    let is_current = |one: &&View| one.is_selected && seen.is_cordoned_by_roll(one.id());
    if let Some(current) = views.iter().find(is_current) {
        return replace(seen, memory, options, &views, current, step);
    }
    let others_wait = views.iter().filter(|one| !one.is_selected);
    let missing: Vec<&View> = others_wait.filter(|one| !one.faults.is_empty()).collect();
    if !missing.is_empty() {
        return wait_for(seen, memory, &missing, step);
    }
    if (has_work || views.iter().any(|one| is_new(memory, one))) && !is_probed(memory, &views, step)
    {
        return;
    }
    if let Some(first) = first(seen, &views) {
        begin(seen, memory, &views, first, step);
    }
}

/// The next one: one that serves nobody first, then the followers by letter, the leader last.
fn first<'a>(seen: &Observed, views: &'a [View<'a>]) -> Option<&'a View<'a>> {
    let selected = views.iter().filter(|one| one.is_selected);
    selected.min_by_key(|one| {
        let leads = member(seen, one.slot).is_some_and(|member| member.leader);
        (one.faults.is_empty(), leads, one.letter())
    })
}

/// What keeps a node from being taken away now: another one that is not complete, or that has only just come.
fn obstacle(seen: &Observed, views: &[View], of: &View) -> Option<String> {
    for other in views.iter().filter(|other| other.letter() != of.letter()) {
        if let Some(fault) = other.faults.first() {
            return Some(text::of_slot(other.letter(), fault));
        }
        let launched = other.machine.and_then(|one| one.launched);
        if launched.is_some_and(|launched| elapsed(launched, seen.at) < SETTLED) {
            return Some(text::of_slot(
                other.letter(),
                "its machine is younger than a minute",
            ));
        }
    }
    let Some(Ok(members)) = &seen.control_plane.members else {
        return Some("the members of etcd are not known".to_owned());
    };
    if let Some(fault) = membership_fault(members, &seen.control_plane.alarms, views.len()) {
        return Some(fault);
    }
    let serving = || members.iter().filter(|member| member.serves);
    if let Some(large) = serving().find(|member| member.bytes > MAX_DATABASE) {
        return Some(text::large_database(&large.name, large.bytes));
    }
    let newest = serving().map(|member| member.revision).max().unwrap_or(0);
    let late = serving().find(|member| newest.saturating_sub(member.revision) > REVISIONS);
    late.map(|late| format!("etcd member {} is behind the others", late.name))
}

/// What of etcd as a whole keeps every node where it is.
fn membership_fault(members: &[Member], alarms: &[String], slots: usize) -> Option<String> {
    if !alarms.is_empty() {
        return Some(format!("etcd has the alarm {}", alarms.join(", ")));
    }
    if members.len() != slots {
        return Some(format!(
            "etcd has {}, not one for each of {}",
            count(members.len(), "member"),
            count(slots, "control-plane node")
        ));
    }
    members.iter().find_map(|member| {
        let name = if member.name.is_empty() {
            &member.id
        } else {
            &member.name
        };
        if member.learner {
            Some(format!("etcd member {name} has no vote yet"))
        } else if !member.started {
            Some(format!("etcd member {name} has never started"))
        } else if member.slot.is_empty() {
            Some(format!("etcd member {name} is of no control-plane node"))
        } else {
            None
        }
    })
}

/// A node can't be taken away now: said, and for a quarter of an hour at most.
fn held(seen: &Observed, memory: &Memory, id: &str, obstacle: String, step: &mut Step) {
    step.is_held = true;
    let since = memory.noted.held.unwrap_or(seen.at);
    let waited = elapsed(since, seen.at);
    step.wait_limited((CONTROL_PLANE, id), (waited, Duration::ZERO), obstacle);
}

fn begin(seen: &Observed, memory: &Memory, views: &[View], one: &View, step: &mut Step) {
    if let Some(obstacle) = obstacle(seen, views, one) {
        return held(seen, memory, one.id(), obstacle, step);
    }
    let instance = one.id().to_owned();
    if seen.nodes.contains_key(&instance) {
        step.actions.push(Action::Cordon { node: instance });
    } else if memory.is_absent(&instance, seen.at) {
        step.actions.push(Action::TerminateInGroup { instance });
    } else {
        step.wait(CONTROL_PLANE, one.id(), text::nodeless(&instance));
    }
}

/// Whether etcd's leadership has come to a node that is cordoned and not drained yet, while another one could go first.
fn leads_too_early(seen: &Observed, memory: &Memory, views: &[View], current: &View) -> bool {
    let leads = |one: &View| member(seen, one.slot).is_some_and(|member| member.leader);
    let could_go = |one: &View| one.is_selected && one.letter() != current.letter() && !leads(one);
    leads(current) && !memory.evicted.contains(current.id()) && views.iter().any(could_go)
}

/// Goes on with the node that is cordoned.
fn replace(
    seen: &Observed,
    memory: &Memory,
    options: &Options,
    views: &[View],
    current: &View,
    step: &mut Step,
) {
    let id = current.id();
    if leads_too_early(seen, memory, views, current) {
        step.actions.push(Action::Uncordon {
            node: id.to_owned(),
        });
        return;
    }
    if drain::drain(seen, memory, options, (CONTROL_PLANE, id), step) == Drain::Waits {
        return;
    }
    if let Some(obstacle) = obstacle(seen, views, current) {
        return held(seen, memory, id, obstacle, step);
    }
    step.actions.push(Action::TerminateInGroup {
        instance: id.to_owned(),
    });
}

fn wait_for(seen: &Observed, memory: &Memory, missing: &[&View], step: &mut Step) {
    for one in missing {
        let fault = one.faults.first().map_or("", String::as_str);
        let mut reason = text::of_slot(one.letter(), fault);
        let since = memory.incomplete.get(&one.letter());
        let waited = since
            .map(|since| elapsed(*since, seen.at))
            .unwrap_or_default();
        if waited >= LATE
            && let Some(activity) = text::last_failure(seen, &one.slot.group)
        {
            reason = format!("{reason}; {activity}");
        }
        if waited >= REPLACEMENT {
            reason = text::incomplete(&reason);
        }
        step.wait_limited((CONTROL_PLANE, one.id()), (waited, LATE), reason);
    }
}

/// Whether a machine is so young that a run before this one may have launched it, and was interrupted.
fn is_new(memory: &Memory, one: &View) -> bool {
    let launched = one.machine.and_then(|one| one.launched);
    !one.is_selected && launched.is_some_and(|at| elapsed(at, memory.began) < REPLACEMENT)
}

/// Whether the API has answered for a minute since the newest node was complete.
fn is_probed(memory: &Memory, views: &[View], step: &mut Step) -> bool {
    let replaced =
        memory.replaced.contains_key(CONTROL_PLANE) || views.iter().any(|one| is_new(memory, one));
    let (good, bad) = memory.probes;
    step.probes = replaced;
    if !replaced || good >= PROBES {
        return true;
    }
    let text = format!("the API answers: {good} of {PROBES} probes in a row, {bad} failed");
    if bad >= BAD_PROBES {
        step.stop(CONTROL_PLANE, "", text);
    } else {
        step.wait(CONTROL_PLANE, "", text);
    }
    false
}

fn wait_for_api(seen: &Observed, memory: &Memory, why: &str, step: &mut Step) {
    let begun = memory.incomplete.values().min().copied();
    let since = [begun, memory.away].into_iter().flatten().min();
    let waited = since
        .map(|since| elapsed(since, seen.at))
        .unwrap_or_default();
    // Probes that have begun go on: they say more than one request.
    step.probes = memory.probes != (0, 0);
    step.wait_limited((CONTROL_PLANE, ""), (waited, SILENT), text::away(why));
}

fn member<'a>(seen: &'a Observed, slot: &Slot) -> Option<&'a Member> {
    let Some(Ok(members)) = &seen.control_plane.members else {
        return None;
    };
    let letter = slot.letter().to_string();
    members.iter().find(|member| member.slot == letter)
}

fn view<'a>(
    seen: &'a Observed,
    memory: &Memory,
    options: &Options,
    selection: &Selection,
    slot: &'a Slot,
) -> View<'a> {
    let Some(group) = seen.group(&slot.group) else {
        return View {
            slot,
            machine: None,
            is_selected: false,
            faults: vec![format!("AWS lists no group {}", slot.group)],
        };
    };
    let machine = seen.members(group).next();
    let mut faults = Vec::new();
    match machine {
        None => faults.push(text::no_machine(seen, group)),
        Some(one) if !group.serves(&one.id) => {
            faults.push(format!("{} is not in service", one.id));
        }
        Some(one) => faults.extend(node_faults(seen, options, one)),
    }
    let is_new = machine.is_some_and(|one| one.template.as_ref() == Some(&group.template));
    faults.extend(member_fault(seen, memory, options, slot, is_new));
    faults.extend(machine.and_then(|one| target_fault(seen, options, &one.id)));
    View {
        slot,
        machine,
        is_selected: machine.is_some_and(|one| selection.has(&one.id)),
        faults,
    }
}

/// What the node of a machine lacks: Ready, and its API server and etcd as static pods; of a new machine at the wanted version.
fn node_faults(seen: &Observed, options: &Options, one: &Instance) -> Vec<String> {
    let id = one.id.as_str();
    let Some(node) = seen.nodes.get(id) else {
        return vec![format!("{id} has not joined")];
    };
    let mut faults = Vec::new();
    if let Some(trouble) = &node.trouble {
        faults.push(format!("its node is not Ready: {trouble}"));
    }
    let group = one.group.as_deref().and_then(|name| seen.group(name));
    let is_new = group.is_some_and(|group| one.template.as_ref() == Some(&group.template));
    let wanted = options.versions.get(CONTROL_PLANE).filter(|_| is_new);
    if let Some(wanted) = wanted
        && node.version.trim_start_matches('v') != wanted.as_str()
    {
        faults.push(format!("its kubelet runs {}, not v{wanted}", node.version));
    }
    let server = format!("kube-apiserver-{id}");
    faults.extend(static_pod_fault(seen, id, &server, wanted));
    let etcd = options.etcd_version.as_ref().filter(|_| is_new);
    faults.extend(static_pod_fault(seen, id, &format!("etcd-{id}"), etcd));
    faults
}

fn static_pod_fault(
    seen: &Observed,
    node: &str,
    name: &str,
    wanted: Option<&String>,
) -> Option<String> {
    let mut pods = seen.pods_on(node);
    let Some(pod) = pods.find(|pod| pod.pod.name == name) else {
        return Some(format!("{name} does not run yet"));
    };
    if let Some(trouble) = &pod.trouble {
        return Some(format!("{name} is not Ready: {trouble}"));
    }
    let wanted = wanted?;
    (!runs(pod, wanted)).then(|| format!("{name} does not run {wanted} yet"))
}

/// Whether an image of a pod has this version as its tag: `v1.36.4`, `3.6.14-0`.
fn runs(pod: &PodState, version: &str) -> bool {
    let mut tags = pod.images.iter().filter_map(|image| image_version(image));
    tags.any(|tag| {
        let build = tag.strip_prefix(version);
        build.is_some_and(|build| build.is_empty() || build.starts_with('-'))
    })
}

fn member_fault(
    seen: &Observed,
    memory: &Memory,
    options: &Options,
    slot: &Slot,
    is_new: bool,
) -> Option<String> {
    match &seen.control_plane.members {
        None => return Some("the members of etcd are not known".to_owned()),
        Some(Err(why)) => return Some(format!("the members of etcd are not known: {why}")),
        Some(Ok(_)) => {}
    }
    let Some(member) = member(seen, slot) else {
        return Some("etcd has no member for it".to_owned());
    };
    let known = memory.member_ids.get(&member.slot);
    let wanted = options.etcd_version.as_ref().filter(|_| is_new);
    if member.learner {
        Some(format!("etcd member {} has no vote yet", member.name))
    } else if !member.serves {
        Some(format!("etcd member {} does not serve", member.name))
    } else if known.is_some_and(|id| *id != member.id) {
        Some(format!(
            "etcd member {} is another one than before",
            member.name
        ))
    } else if wanted.is_some_and(|wanted| member.version != **wanted) {
        Some(format!(
            "etcd member {} runs {}",
            member.name, member.version
        ))
    } else {
        None
    }
}

fn target_fault(seen: &Observed, options: &Options, id: &str) -> Option<String> {
    options.target_group.as_ref()?;
    let targets = match &seen.control_plane.targets {
        Some(Ok(targets)) => targets,
        Some(Err(why)) => return Some(format!("its load balancer does not say: {why}")),
        None => return Some("its load balancer was not asked".to_owned()),
    };
    let Some(target) = targets.iter().find(|target| target.instance == id) else {
        return Some("its load balancer does not know it yet".to_owned());
    };
    let reason = target.reason.clone().unwrap_or_default();
    (!target.is_healthy).then(|| format!("its load balancer finds it unhealthy: {reason}"))
}
