//! Which machines are to be replaced, and what an earlier run has left unfinished. Pure.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

use super::memory::Memory;
use super::observed::Observed;
use super::step::{Action, LATE, REPLACEMENT, Step};
use super::text;
use super::{CONTROL_PLANE, Options, POOL, RollScope};
use crate::cloud::{GroupMember, Instance, InstanceState, MachineGroup};
use crate::common::clock::elapsed;

/// How long EC2 may take to show a tag.
const TAGS: Duration = Duration::from_secs(20);

/// Why a machine is replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// It was launched from another launch-template version than its group's.
    Outdated,
    /// It was launched longer ago than wanted.
    Old,
    /// It was named.
    Named,
    /// An earlier run has taken it out of its group.
    Detached,
}

/// The machines that are to be replaced, by id.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Selection(BTreeMap<String, Reason>);

impl Selection {
    pub(super) fn has(&self, instance: &str) -> bool {
        self.0.contains_key(instance)
    }

    /// Whether machines of a stack are among them.
    pub(super) fn is_any_of(&self, seen: &Observed, stack: &str) -> bool {
        self.0.keys().any(|id| {
            let one = seen.instances.get(id);
            one.is_some_and(|one| one.is_of(stack))
        })
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, Reason)> {
        self.0.iter().map(|(id, reason)| (id.as_str(), *reason))
    }
}

impl Options {
    /// Whether machines of a stack are looked at, by its tag.
    pub(super) fn is_of(&self, stack: &str) -> bool {
        match &self.scope {
            RollScope::All | RollScope::Node(_) => {
                stack == CONTROL_PLANE || stack.starts_with(POOL)
            }
            RollScope::ControlPlane => stack == CONTROL_PLANE,
            RollScope::Pools => stack.starts_with(POOL),
            RollScope::Named(names) => stack
                .strip_prefix(POOL)
                .is_some_and(|name| names.contains(name)),
        }
    }

    /// Why a machine of a group is replaced; `None` for one that stays.
    fn reason(&self, group: &MachineGroup, one: &Instance, began: Timestamp) -> Option<Reason> {
        if let RollScope::Node(named) = &self.scope {
            return (*named == one.id).then_some(Reason::Named);
        }
        // Tags that EC2 gives may come later than the machine.
        let is_new = || {
            one.launched
                .is_none_or(|at| elapsed(at, began) < REPLACEMENT)
        };
        if one.template.is_none() && is_new() {
            return None;
        }
        if one.template.as_ref() != Some(&group.template) {
            return Some(Reason::Outdated);
        }
        let (most, launched) = (self.older_than?, one.launched?);
        // Measured from the start of the run: a new machine does not get old while it waits.
        (elapsed(launched, began) > most).then_some(Reason::Old)
    }
}

/// The machines of the wanted stacks that are to be replaced.
pub(super) fn select(seen: &Observed, memory: &Memory, options: &Options) -> Selection {
    let mut selection = Selection::default();
    for group in seen
        .groups
        .iter()
        .filter(|group| options.is_of(&group.stack))
    {
        for one in seen.members(group) {
            let reason = options.reason(group, one, memory.began);
            selection
                .0
                .extend(reason.map(|reason| (one.id.clone(), reason)));
        }
        let detached = seen.detached(&group.name);
        selection
            .0
            .extend(detached.map(|one| (one.id.clone(), Reason::Detached)));
    }
    for stack in seen.pools() {
        if options.is_of(stack) {
            let orphans = seen.orphans(stack);
            let orphans = orphans.map(|one| (one.id.clone(), Reason::Detached));
            selection.0.extend(orphans);
        }
    }
    selection
}

/// A roll does not end while a machine is to be replaced: one that has only just been launched is in service soon.
pub(super) fn wait_for_service(
    seen: &Observed,
    memory: &Memory,
    selection: &Selection,
    step: &mut Step,
) {
    for (id, _) in selection.iter() {
        let stack = seen.instances.get(id).and_then(|one| one.stack.as_deref());
        let stack = stack.unwrap_or_default();
        let since = memory.idle.get(id).copied().unwrap_or(seen.at);
        let waited = elapsed(since, seen.at);
        let text = text::not_in_service(seen, id);
        step.idle.insert(id.to_owned());
        step.wait_limited((stack, id), (waited, LATE), text);
    }
}

/// A roll does not end while a machine may be one that an earlier run has just detached: EC2 shows its tag soon.
pub(super) fn wait_for_tags(seen: &Observed, memory: &Memory, step: &mut Step) {
    for one in seen.strays() {
        let since = memory.idle.get(&one.id).copied().unwrap_or(seen.at);
        step.idle.insert(one.id.clone());
        if elapsed(since, seen.at) < TAGS {
            let stack = one.stack.as_deref().unwrap_or_default();
            let text = format!(
                "looks whether {}, which is in no group, belongs to a roll",
                one.id
            );
            step.wait(stack, &one.id, text);
        }
    }
}

/// Keeps the taint on the machines that are to be replaced, and on no other; once the roll is over, on none.
pub(super) fn taints(seen: &Observed, selection: &Selection, is_over: bool, step: &mut Step) {
    if seen.away.is_some() {
        return;
    }
    for node in seen.nodes.values() {
        let is_of_pool = seen
            .instances
            .get(&node.name)
            .is_some_and(|one| !one.is_of(CONTROL_PLANE));
        let is_outdated = is_of_pool && selection.has(&node.name) && !is_over;
        if node.is_outdated != is_outdated {
            step.actions.push(Action::Taint {
                node: node.name.clone(),
                is_outdated,
            });
        }
    }
}

/// Takes back what a roll has put on machines that stay, and deletes the Node objects of those that are gone.
pub(super) fn tidy(seen: &Observed, selection: &Selection, stack: &str, step: &mut Step) {
    let members = seen.groups_of(stack).flat_map(|group| &group.members);
    for GroupMember { instance, .. } in members {
        let one = seen.instances.get(instance);
        if one.is_some_and(|one| one.roll.is_some() && one.state.is_alive())
            && !selection.has(instance)
        {
            step.actions.push(Action::Unmark {
                instance: instance.clone(),
            });
        }
    }
    if seen.away.is_some() {
        return;
    }
    for node in seen.nodes.values() {
        let one = seen.instances.get(&node.name);
        let is_of = one.is_none_or(|one| one.is_of(stack));
        if !is_of || (node.roll.is_none() && one.is_none_or(|one| one.roll.is_none())) {
            continue;
        }
        let is_gone = match one {
            Some(one) => !one.state.is_alive(),
            // EC2 lists a terminated machine for about an hour.
            None => node.trouble.is_some(),
        };
        let is_ending = one.is_some_and(|one| one.state != InstanceState::Terminated);
        if is_gone && is_ending && node.is_silent {
            // What runs on it may still write to its volumes: Kubernetes gives them to others once the Node is gone.
            step.wait(
                stack,
                &node.name,
                format!("waits for the end of {}", node.name),
            );
        } else if is_gone {
            step.actions.push(Action::DeleteNode {
                node: node.name.clone(),
                uid: node.uid.clone(),
            });
        } else if one.is_some() && node.roll.is_some() && !selection.has(&node.name) {
            step.actions.push(Action::Uncordon {
                node: node.name.clone(),
            });
        }
    }
}

/// What an earlier run has left: machines that it took out of their groups, and nodes that it cordoned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unfinished {
    /// The tag of its stack; `None` where EC2 does not say.
    pub stack: Option<String>,
    pub instance: String,
    pub is_detached: bool,
    /// When a roll cordoned it, by the clock of its machine: the value of the annotation.
    pub cordoned: Option<String>,
    pub launched: Option<Timestamp>,
}

/// What a roll has left unfinished, by id; nothing where none was interrupted.
pub fn unfinished(seen: &Observed) -> Vec<Unfinished> {
    let alive = seen.instances.values().filter(|one| one.state.is_alive());
    let left = alive.filter_map(|one| {
        let node = seen.nodes.get(&one.id);
        let cordoned = node.and_then(|node| node.roll.clone());
        (one.roll.is_some() || cordoned.is_some()).then(|| Unfinished {
            stack: one.stack.clone(),
            instance: one.id.clone(),
            is_detached: one.roll.is_some() && one.group.is_none(),
            cordoned,
            launched: one.launched,
        })
    });
    left.collect()
}
