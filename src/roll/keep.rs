//! Keeps the cluster autoscaler from removing what a roll has launched: a replacement is empty until the first machine is
//! drained, and a group whose size it lowers replaces no machine. Pure.

use super::memory::Memory;
use super::observed::Observed;
use super::select::Selection;
use super::step::{Action, REPLACEMENT, Step};
use super::{CONTROL_PLANE, Options};
use crate::common::clock::elapsed;

/// Keeps replacements while their pool has work, and no others.
pub(super) fn keep(
    seen: &Observed,
    memory: &Memory,
    options: &Options,
    selection: &Selection,
    step: &mut Step,
) {
    if seen.away.is_some() {
        return;
    }
    for node in seen.nodes.values() {
        let one = seen.instances.get(&node.name);
        let alive = one.filter(|one| one.state.is_alive() && one.group.is_some());
        let is_kept = alive.is_some_and(|one| {
            let stack = one.stack.as_deref().unwrap_or_default();
            let has_work = options.is_of(stack) && selection.is_any_of(seen, stack);
            // Also of a run just before this one.
            let is_new = one
                .launched
                .is_some_and(|at| elapsed(at, memory.began) < REPLACEMENT);
            let is_stopped = memory.is_stopped(stack);
            stack != CONTROL_PLANE && has_work && is_new && !is_stopped && !selection.has(&one.id)
        });
        if node.is_kept != is_kept {
            step.actions.push(action(&node.name, is_kept));
        }
    }
}

fn action(node: &str, is_kept: bool) -> Action {
    Action::Keep {
        node: node.to_owned(),
        is_kept,
    }
}
