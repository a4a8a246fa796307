//! The machines of a pool: so many at once, each replaced before it is drained. No machine belongs to a lane: one that was
//! taken out of its group is drained as soon as its group has as many Ready nodes as it wants without it. Pure.

use std::cmp::Reverse;
use std::time::Duration;

use super::drain::{self, Drain};
use super::memory::Memory;
use super::observed::Observed;
use super::select::{Selection, tidy};
use super::step::{Action, LATE, REPLACEMENT, SILENT, Step};
use super::text;
use super::{Options, drain_seconds};
use crate::cloud::{AZ_REBALANCE, Instance, MachineGroup};
use crate::common::clock::elapsed;

/// A machine whose evictions are blocked for longer lends its place.
const LENDS: Duration = Duration::from_mins(5);

/// What decides about one pool.
#[derive(Clone, Copy)]
struct Pool<'a> {
    seen: &'a Observed,
    memory: &'a Memory,
    options: &'a Options,
    selection: &'a Selection,
    stack: &'a str,
}

pub(super) fn next(
    seen: &Observed,
    memory: &Memory,
    options: &Options,
    selection: &Selection,
    stack: &str,
    step: &mut Step,
) {
    let pool = Pool {
        seen,
        memory,
        options,
        selection,
        stack,
    };
    tidy(seen, selection, stack, step);
    if let Some(why) = &seen.away {
        pool.wait_for_api(why, step);
        return;
    }
    for group in seen.groups_of(stack) {
        pool.keep_zones(group, step);
        pool.replace_detached(group, step);
        if options.surge.is_in_place() {
            pool.drain_in_place(group, step);
        }
        pool.wait_for_members(group, step);
        pool.check_replacements(group, step);
    }
    pool.drain_orphans(step);
    if memory.is_stopped(stack) || !step.stops.is_empty() {
        return;
    }
    if let Some(why) = pool.suspended() {
        if pool.is_busy() {
            step.obstacle(stack, "", why);
        } else {
            step.stop(stack, "", why);
        }
    } else if options.surge.is_in_place() {
        pool.begin_in_place(step);
    } else {
        pool.detach_more(step);
    }
}

impl<'a> Pool<'a> {
    fn is_stopped(self) -> bool {
        self.memory.is_stopped(self.stack)
    }

    fn has_work(self) -> bool {
        self.selection.is_any_of(self.seen, self.stack)
    }

    fn wait_for_api(self, why: &str, step: &mut Step) {
        if self.is_stopped() {
            return;
        }
        let since = self.memory.away.unwrap_or(self.seen.at);
        let text = text::away(why);
        let waited = elapsed(since, self.seen.at);
        step.wait_limited((self.stack, ""), (waited, SILENT), text);
    }

    fn keep_zones(self, group: &MachineGroup, step: &mut Step) {
        if self.has_work() && !group.suspended.contains(AZ_REBALANCE) {
            step.actions.push(Action::SuspendRebalancing {
                group: group.name.clone(),
            });
        }
    }

    fn members(self, group: &'a MachineGroup) -> impl Iterator<Item = &'a Instance> {
        self.seen.members(group)
    }

    /// Why no machine is taken away: a group of one that is to be replaced launches or terminates none.
    fn suspended(self) -> Option<String> {
        let mut groups = self.seen.groups_of(self.stack).filter(|group| {
            let mut members = self.members(group);
            members.any(|one| self.selection.has(&one.id))
        });
        groups.find_map(text::suspended)
    }

    /// Whether machines are on their way out.
    fn is_busy(self) -> bool {
        let mut groups = self.seen.groups_of(self.stack);
        groups.any(|group| self.drains(group) || self.seen.detached(&group.name).next().is_some())
    }

    /// Whether a machine counts as Ready: a new one only after all its looks.
    fn counts(self, one: &Instance) -> bool {
        let is_checked = self.selection.has(&one.id) || self.memory.is_validated(&one.id);
        is_checked && self.seen.serves(&one.id)
    }

    /// Ready machines of a group, those that were detached and not cordoned included.
    fn ready(self, group: &MachineGroup) -> usize {
        let members = self.members(group).filter(|one| self.counts(one)).count();
        let detached = self.seen.detached(&group.name);
        members + detached.filter(|one| self.seen.serves(&one.id)).count()
    }

    /// Whether a group has fewer machines than it wants, where those that are still to be replaced count, whatever they do,
    /// and those that others keep from serving, or that have failed for longer than a machine takes to boot.
    fn lacks(self, group: &MachineGroup) -> bool {
        let settled = |one: &Instance| {
            let is_old = one
                .launched
                .is_some_and(|at| elapsed(at, self.seen.at) >= REPLACEMENT);
            let serves = self.counts(one) || (is_old && self.seen.serves(&one.id));
            self.selection.has(&one.id) || serves || self.is_excused(&one.id)
        };
        let members = self.members(group).filter(|one| settled(one));
        let detached = self.seen.detached(&group.name);
        let detached = detached.filter(|one| self.seen.serves(&one.id));
        let have = members.count() + detached.count();
        have < usize::try_from(group.desired).unwrap_or(usize::MAX)
    }

    /// Whether a roll does not wait for a machine that stays: it has joined, and does not serve for reasons that are not ours.
    fn is_excused(self, id: &str) -> bool {
        self.seen.nodes.get(id).is_some_and(|node| {
            let since = node.since.filter(|_| node.trouble.is_some());
            let fails = since.is_some_and(|since| elapsed(since, self.seen.at) >= REPLACEMENT);
            fails || (node.is_cordoned && node.roll.is_none())
        })
    }

    /// Waits until a group is whole before more of its machines are taken, and before the end where this run has taken some.
    fn wait_for_members(self, group: &MachineGroup, step: &mut Step) {
        let is_ours = self.has_work() || self.memory.touched.contains(&group.name);
        if is_ours && self.lacks(group) && !self.is_stopped() {
            self.waits_for_new(group, "", step);
        }
    }

    /// Goes on with machines whose groups are no more: nothing comes in their place.
    fn drain_orphans(self, step: &mut Step) {
        for one in self.seen.orphans(self.stack) {
            let group = one.roll.as_deref().unwrap_or_default();
            if !self.memory.is_absent(group, self.seen.at) {
                if !self.is_stopped() {
                    let text = format!("looks whether {group} is really no more");
                    step.wait(self.stack, &one.id, text);
                }
            } else if !self.goes_on(&one.id, step) && !self.is_stopped() {
                step.actions.push(cordon(&one.id));
            }
        }
    }

    /// Goes on with a machine out of its group that is cordoned, or has no node. Whether it is one of both.
    fn goes_on(self, id: &str, step: &mut Step) -> bool {
        let is_done = if self.seen.is_cordoned_by_roll(id) {
            self.drained(id, step) == Drain::Done
        } else if self.seen.nodes.contains_key(id) {
            return false;
        } else {
            self.is_nodeless(id, step)
        };
        if is_done {
            step.actions.push(Action::Terminate {
                instance: id.to_owned(),
            });
        }
        true
    }

    /// Whether a machine that the list of nodes lacks has lacked for long: else there may be pods on it.
    fn is_nodeless(self, id: &str, step: &mut Step) -> bool {
        let is_absent = self.memory.is_absent(id, self.seen.at);
        if !is_absent && !self.is_stopped() {
            step.wait(self.stack, id, text::nodeless(id));
        }
        is_absent
    }

    /// Ready machines that a group keeps: as many as it wants, or had at the start.
    fn need(self, group: &MachineGroup) -> usize {
        let wanted = usize::try_from(group.desired).unwrap_or(usize::MAX);
        let at_start = self.memory.ready_at_start.get(&group.name);
        at_start.map_or(wanted, |ready| wanted.min(*ready))
    }

    /// Goes on with the machines that are out of their group.
    fn replace_detached(self, group: &MachineGroup, step: &mut Step) {
        let mut waiting = Vec::new();
        for one in self.seen.detached(&group.name) {
            let id = one.id.as_str();
            if self.goes_on(id, step) || self.is_stopped() {
            } else if self.seen.serves(id) {
                waiting.push(id);
            } else {
                step.actions.push(cordon(id));
            }
        }
        waiting.sort_by_cached_key(|id| (Reverse(drain_seconds(self.seen, id)), (*id).to_owned()));
        let spare = self.ready(group).saturating_sub(self.need(group));
        let (free, others) = waiting.split_at(spare.min(waiting.len()));
        step.actions.extend(free.iter().map(|id| cordon(id)));
        if let Some(first) = others.first() {
            self.waits_for_new(group, first, step);
        }
    }

    fn drained(self, id: &str, step: &mut Step) -> Drain {
        let at = (self.stack, id);
        drain::drain(self.seen, self.memory, self.options, at, step)
    }

    /// Says for which new machine one waits.
    fn waits_for_new(self, group: &MachineGroup, waiting: &str, step: &mut Step) {
        let arrived = self.memory.arrived(&group.name);
        if step.lacking.insert(group.name.clone(), arrived).is_some() {
            return;
        }
        let mut new = self.members(group).filter(|one| !self.counts(one));
        let text = match new.next() {
            Some(one) => text::new_machine(self.seen, &one.id),
            None => text::no_machine(self.seen, group),
        };
        let is_late = self
            .memory
            .lacks
            .get(&group.name)
            .is_some_and(|(since, _)| elapsed(*since, self.seen.at) >= LATE);
        if is_late {
            step.obstacle(self.stack, waiting, text);
        } else {
            step.wait(self.stack, waiting, text);
        }
    }

    /// Stops the pool where a group has had no Ready machine more for too long.
    fn check_replacements(self, group: &MachineGroup, step: &mut Step) {
        let Some((since, _)) = self.memory.lacks.get(&group.name) else {
            return;
        };
        let lacks = step.lacking.contains_key(&group.name);
        if !lacks || self.is_stopped() || elapsed(*since, self.seen.at) < REPLACEMENT {
            return;
        }
        let mut new = self.members(group).filter(|one| !self.counts(one));
        let new = new.next().map(|one| one.id.as_str());
        let reason = text::not_replaced(self.seen, group, new);
        step.stop(self.stack, new.unwrap_or_default(), reason);
    }

    /// Takes more machines out of their groups, as long as places are free.
    fn detach_more(self, step: &mut Step) {
        let groups = || self.seen.groups_of(self.stack);
        let detached = groups().map(|group| self.seen.detached(&group.name).count());
        let free = self.places().saturating_sub(detached.sum());
        let lacks = groups().any(|group| self.lacks(group));
        let mut begun: Vec<(&MachineGroup, &Instance)> = Vec::new();
        let mut fresh: Vec<(&MachineGroup, &Instance)> = Vec::new();
        for group in groups() {
            for one in self
                .members(group)
                .filter(|one| self.selection.has(&one.id))
            {
                if !group.serves(&one.id) {
                    continue;
                }
                let is_begun = one.roll.is_some() || self.seen.is_cordoned_by_roll(&one.id);
                if lacks && !is_begun {
                    continue;
                }
                let of = if is_begun { &mut begun } else { &mut fresh };
                of.push((group, one));
            }
        }
        let expected = |one: &Instance| drain_seconds(self.seen, &one.id);
        if self.is_proven() {
            fresh.sort_by_cached_key(|(_, one)| (Reverse(expected(one)), one.id.clone()));
        } else {
            // The first one is alone: what it takes, everything takes longer.
            fresh.sort_by_cached_key(|(_, one)| (expected(one), one.id.clone()));
        }
        for (group, one) in begun.into_iter().chain(fresh).take(free) {
            step.actions.push(Action::Mark {
                instance: one.id.clone(),
                group: group.name.clone(),
            });
            step.actions.push(Action::Detach {
                group: group.name.clone(),
                instance: one.id.clone(),
            });
        }
    }

    /// How many machines may be out of their groups at once.
    fn places(self) -> usize {
        let groups = || self.seen.groups_of(self.stack);
        let wanted = groups()
            .map(|group| group.desired)
            .fold(0, u32::saturating_add);
        let lanes = if self.is_proven() {
            self.options.surge.lanes(wanted)
        } else {
            1
        };
        let mut detached = groups().flat_map(|group| self.seen.detached(&group.name));
        let lends = detached.any(|one| {
            let blocked = self.memory.blocked_since(self.seen, &one.id);
            blocked.is_some_and(|since| elapsed(since, self.seen.at) > LENDS)
        });
        lanes + usize::from(lends && self.is_proven())
    }

    /// Whether one machine was replaced whole: more new ones have joined than old ones are on their way out.
    fn is_proven(self) -> bool {
        let (mut new, mut validated, mut detached) = (0, 0, 0);
        for group in self.seen.groups_of(self.stack) {
            detached += self.seen.detached(&group.name).count();
            for one in self
                .members(group)
                .filter(|one| !self.selection.has(&one.id))
            {
                new += 1;
                validated += usize::from(self.counts(one));
            }
        }
        validated > 0 && new > detached
    }

    /// Goes on with the machine that is drained in its group.
    fn drain_in_place(self, group: &MachineGroup, step: &mut Step) {
        for one in self.members(group) {
            let id = one.id.as_str();
            let is_begun = self.seen.is_cordoned_by_roll(id);
            if self.selection.has(id) && is_begun && self.drained(id, step) == Drain::Done {
                step.actions.push(Action::TerminateInGroup {
                    instance: id.to_owned(),
                });
            }
        }
    }

    /// Whether a machine of a group is being drained in it.
    fn drains(self, group: &MachineGroup) -> bool {
        let mut members = self.members(group);
        members.any(|one| self.selection.has(&one.id) && self.seen.is_cordoned_by_roll(&one.id))
    }

    /// Cordons the next machine, once all others are Ready.
    fn begin_in_place(self, step: &mut Step) {
        let groups = || self.seen.groups_of(self.stack);
        if self.is_busy() || groups().any(|group| self.lacks(group)) {
            return;
        }
        let members = groups().flat_map(|group| self.members(group));
        let selected = members.filter(|one| self.selection.has(&one.id));
        // One that serves nobody first, then the longest drain.
        let next = selected.min_by_key(|one| {
            let id = one.id.as_str();
            (
                self.seen.serves(id),
                Reverse(drain_seconds(self.seen, id)),
                id,
            )
        });
        match next {
            Some(one) if self.seen.nodes.contains_key(&one.id) => {
                step.actions.push(cordon(&one.id));
            }
            Some(one) if self.is_nodeless(&one.id, step) => {
                step.actions.push(Action::TerminateInGroup {
                    instance: one.id.clone(),
                });
            }
            _ => {}
        }
    }
}

fn cordon(node: &str) -> Action {
    Action::Cordon {
        node: node.to_owned(),
    }
}
