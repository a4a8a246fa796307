//! Each invariant has a variant of the decisions, or of the simulation, that breaks it: the seeds find every one.

use kube_cfn::cloud::InstanceState;
use kube_cfn::roll::{Action, Memory, Observed, Options, Step, next};

use super::play;
use super::scenario::Variant;

/// So many seeds have to be enough.
const SEEDS: u64 = 150;

fn is_found(invariant: &str, variant: Variant) {
    let mut others = Vec::new();
    for seed in 0..SEEDS {
        match play(seed, variant, false) {
            Err(broken) if broken.iter().any(|one| one.invariant == invariant) => return,
            Err(broken) => others.extend(broken.iter().map(|one| one.invariant)),
            Ok(()) => {}
        }
    }
    panic!("{invariant} is never broken, but {others:?}");
}

fn members(seen: &Observed) -> impl Iterator<Item = (&str, &str)> {
    let pools = seen
        .groups
        .iter()
        .filter(|group| group.stack != "control-plane");
    pools.flat_map(|group| {
        let members = group.members.iter();
        members.map(|member| (group.name.as_str(), member.instance.as_str()))
    })
}

fn is_outdated(seen: &Observed, group: &str, instance: &str) -> bool {
    let wanted = seen.group(group).map(|group| &group.template);
    let one = seen.instances.get(instance);
    one.is_some_and(|one| one.template.as_ref() != wanted && one.state == InstanceState::Running)
}

/// Terminates a second control-plane node while the first one is away.
fn two_slots_at_once(seen: &Observed, memory: &Memory, options: &Options) -> Step {
    let mut step = next(seen, memory, options);
    let slots = seen
        .groups
        .iter()
        .filter(|group| group.stack == "control-plane");
    for group in slots {
        for member in &group.members {
            if is_outdated(seen, &group.name, &member.instance)
                && memory.replaced.contains_key("control-plane")
            {
                step.actions.push(Action::TerminateInGroup {
                    instance: member.instance.clone(),
                });
            }
        }
    }
    step
}

/// Deletes pods where it should evict them.
fn deletes_pods(seen: &Observed, memory: &Memory, options: &Options) -> Step {
    let mut step = next(seen, memory, options);
    for action in &mut step.actions {
        if let Action::Evict { node, pod } = action {
            *action = Action::Remove {
                node: node.clone(),
                pod: pod.clone(),
            };
        }
    }
    step
}

/// Cordons a machine as soon as it is detached, without waiting for its replacement.
fn does_not_wait(seen: &Observed, memory: &Memory, options: &Options) -> Step {
    let mut step = next(seen, memory, options);
    let detached = seen
        .instances
        .values()
        .filter(|one| one.roll.is_some() && one.group.is_none());
    for one in detached.filter(|one| one.state.is_alive()) {
        let node = seen.nodes.get(&one.id);
        if node.is_some_and(|node| !node.is_cordoned) {
            step.actions.push(Action::Cordon {
                node: one.id.clone(),
            });
        }
    }
    step
}

/// Terminates a machine as soon as it is cordoned.
fn does_not_drain(seen: &Observed, memory: &Memory, options: &Options) -> Step {
    let mut step = next(seen, memory, options);
    for node in seen.nodes.values().filter(|node| node.roll.is_some()) {
        step.actions.push(Action::Terminate {
            instance: node.name.clone(),
        });
    }
    step
}

/// Detaches every outdated machine at once.
fn detaches_all(seen: &Observed, memory: &Memory, options: &Options) -> Step {
    let mut step = next(seen, memory, options);
    let outdated = members(seen).filter(|(group, instance)| is_outdated(seen, group, instance));
    for (group, instance) in outdated {
        let (group, instance) = (group.to_owned(), instance.to_owned());
        step.actions.push(Action::Mark {
            instance: instance.clone(),
            group: group.clone(),
        });
        step.actions.push(Action::Detach { group, instance });
    }
    step
}

/// Cordons every node before it begins.
fn cordons_all(seen: &Observed, memory: &Memory, options: &Options) -> Step {
    let mut step = next(seen, memory, options);
    for node in seen.nodes.values().filter(|node| !node.is_cordoned) {
        step.actions.push(Action::Cordon {
            node: node.name.clone(),
        });
    }
    step
}

/// Knows nothing of machines that an earlier run has detached.
fn forgets_detached(seen: &Observed, memory: &Memory, options: &Options) -> Step {
    let mut seen = seen.clone();
    let is_earlier = |id: &String| !memory.evicted.contains(id) && memory.evicted.is_empty();
    for one in seen.instances.values_mut() {
        if one.group.is_none() && is_earlier(&one.id) {
            one.roll = None;
        }
    }
    next(&seen, memory, options)
}

/// Taints new machines too, and takes no taint away.
fn leaves_taints(seen: &Observed, memory: &Memory, options: &Options) -> Step {
    let mut clean = seen.clone();
    for node in clean.nodes.values_mut() {
        node.is_outdated = false;
    }
    let mut step = next(&clean, memory, options);
    for node in seen.nodes.values().filter(|node| !node.is_outdated) {
        step.actions.push(Action::Taint {
            node: node.name.clone(),
            is_outdated: true,
        });
    }
    step
}

/// Never sees that anything is over.
fn never_ends(seen: &Observed, memory: &Memory, options: &Options) -> Step {
    let mut step = next(seen, memory, options);
    step.actions
        .retain(|action| !matches!(action, Action::Terminate { .. }));
    step
}

#[test]
fn broken_quorum_is_found() {
    is_found("quorum", Variant::of(two_slots_at_once));
}

#[test]
fn broken_budget_is_found() {
    is_found("budgets", Variant::of(deletes_pods));
}

#[test]
fn broken_ready_count_is_found() {
    is_found("ready", Variant::of(does_not_wait));
}

#[test]
fn broken_sizes_are_found() {
    let variant = Variant {
        detach_lowers_size: true,
        ..Variant::of(next)
    };
    is_found("sizes", variant);
}

#[test]
fn broken_drain_is_found() {
    is_found("drained", Variant::of(does_not_drain));
}

#[test]
fn broken_surge_is_found() {
    is_found("extra", Variant::of(detaches_all));
}

#[test]
fn cordoned_cluster_is_found() {
    is_found("schedulable", Variant::of(cordons_all));
}

#[test]
fn broken_resumption_is_found() {
    is_found("nothing left", Variant::of(forgets_detached));
}

#[test]
fn roll_without_an_end_is_found() {
    is_found("converges", Variant::of(never_ends));
}

#[test]
fn left_taints_are_found() {
    is_found("nothing left", Variant::of(leaves_taints));
}
