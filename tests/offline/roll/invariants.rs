//! What holds after every step of a roll, and at its end.

use kube_cfn::roll::{Options, RollScope};
use kube_cfn::simulated::{FleetAct, FleetEntry, FleetFacts};

use super::scenario::{Broken, Scenario, broken};

/// Checks every step of one run. `start` is before the first run, `before` before this one.
pub fn hold(
    options: &Options,
    start: &FleetFacts,
    before: &FleetFacts,
    log: &[FleetEntry],
) -> Vec<Broken> {
    let all = log.iter().flat_map(|entry| {
        [
            quorum(entry),
            budgets(entry),
            ready(options, before, entry),
            sizes(start, entry),
            drained(entry),
            extra(options, entry),
            schedulable(entry),
        ]
    });
    all.filter_map(Result::err).collect()
}

/// More than half of etcd's members serve; the only one may be away.
fn quorum(entry: &FleetEntry) -> Result<(), Broken> {
    let (serving, all) = entry.facts.etcd;
    if all > 1 && serving * 2 <= all {
        return broken(
            "quorum",
            &format!("{serving} of {all} serve after {:?}", entry.act),
        );
    }
    Ok(())
}

/// No pod is deleted against its budget.
fn budgets(entry: &FleetEntry) -> Result<(), Broken> {
    match &entry.act {
        FleetAct::Evicted { pod, allowed } | FleetAct::Removed { pod, allowed }
            if allowed.is_some_and(|allowed| allowed <= 0) =>
        {
            broken("budgets", &format!("{pod} is gone against its budget"))
        }
        _ => Ok(()),
    }
}

/// A node that takes pods is cordoned only where as many others take some as its group wants, or had at the start; one
/// fewer with `--surge 0`.
fn ready(options: &Options, before: &FleetFacts, entry: &FleetEntry) -> Result<(), Broken> {
    let FleetAct::Cordoned { node, served: true } = &entry.act else {
        return Ok(());
    };
    let Some(group) = entry.groups_of(node) else {
        return Ok(());
    };
    let Some(now) = entry.facts.groups.get(&group) else {
        return Ok(());
    };
    if now.stack == "control-plane" {
        return Ok(());
    }
    let wanted = usize::try_from(now.desired).unwrap();
    let at_start = before
        .groups
        .get(&group)
        .map_or(wanted, |group| group.serving);
    let fewer = usize::from(options.surge.is_in_place());
    if now.serving + fewer < wanted.min(at_start) {
        let how = format!(
            "{} of {wanted} nodes of {group} are left without {node}",
            now.serving
        );
        return broken("ready", &how);
    }
    Ok(())
}

/// No group wants more or fewer machines, but for what the autoscaler did: the simulation writes that down.
fn sizes(start: &FleetFacts, entry: &FleetEntry) -> Result<(), Broken> {
    for (name, group) in &entry.facts.groups {
        let before = start.groups.get(name).map_or(0, |group| group.desired);
        let by = |facts: &FleetFacts| facts.scaled.get(name).copied().unwrap_or(0);
        let by_autoscaler = by(&entry.facts) - by(start);
        if before.checked_add_signed(by_autoscaler) != Some(group.desired) {
            let how = format!("{name} wants {} machines, not {before}", group.desired);
            return broken("sizes", &how);
        }
    }
    Ok(())
}

/// No machine ends with pods on it, unless Kubernetes has given them up.
fn drained(entry: &FleetEntry) -> Result<(), Broken> {
    match &entry.act {
        FleetAct::Terminated {
            instance,
            pods: 1..,
            is_lost: false,
        } => broken("drained", &format!("{instance} ended with pods on it")),
        _ => Ok(()),
    }
}

/// At most so many machines more than a pool wants, and one that is lent.
fn extra(options: &Options, entry: &FleetEntry) -> Result<(), Broken> {
    let FleetAct::Detached(instance) = &entry.act else {
        return Ok(());
    };
    let stacks = entry.facts.groups.values().map(|group| &group.stack);
    for stack in stacks {
        let of = || {
            entry
                .facts
                .groups
                .values()
                .filter(|group| group.stack == *stack)
        };
        let wanted = of().map(|group| group.desired).sum();
        let detached: usize = of().map(|group| group.detached).sum();
        if detached > options.surge.lanes(wanted) + 1 {
            let how = format!("{detached} machines of {stack} are detached after {instance}");
            return broken("extra", &how);
        }
    }
    Ok(())
}

/// Never are all nodes cordoned.
fn schedulable(entry: &FleetEntry) -> Result<(), Broken> {
    let (ready, cordoned) = entry.facts.nodes;
    let is_by_roll = matches!(entry.act, FleetAct::Cordoned { .. });
    if is_by_roll && ready > 0 && cordoned == ready {
        return broken("schedulable", &format!("all {ready} nodes are cordoned"));
    }
    Ok(())
}

/// At the end every machine is as wanted, and nothing of the roll is left.
pub fn finished(scenario: &Scenario, facts: &FleetFacts) -> Result<(), Broken> {
    if !facts.left.is_empty() {
        return broken("nothing left", &facts.left.join(", "));
    }
    match &scenario.options.scope {
        RollScope::Node(id) if scenario.cloud.fleet_workers().contains(id) => {
            broken("converges", &format!("{id} is still there"))
        }
        RollScope::All | RollScope::Pools | RollScope::ControlPlane
            if !facts.outdated.is_empty() =>
        {
            broken(
                "converges",
                &format!("outdated: {}", facts.outdated.join(", ")),
            )
        }
        _ => Ok(()),
    }
}

trait GroupsOf {
    fn groups_of(&self, node: &str) -> Option<String>;
}

impl GroupsOf for FleetEntry {
    /// The group of a node's machine, the one that it was detached from too.
    fn groups_of(&self, node: &str) -> Option<String> {
        let mut groups = self.facts.groups.iter();
        let found = groups.find(|(_, group)| group.machines.iter().any(|one| one == node));
        found.map(|(name, _)| name.clone())
    }
}
