//! Changes to a simulated account from outside: by other people and outside CloudFormation.

use std::collections::BTreeMap;

use serde_json::Value;

use super::Simulated;
use super::engine::single_update;
use super::state::{NewStack, State};
use crate::cloud::StackStatus;
use crate::common::tags::{TAG_CLUSTER, TAG_STACK};

/// A change by others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExternalChange {
    /// Changes a resource in place, by an update of their own.
    Update { stack: String, logical_id: String },
    /// Deletes a stack, protected or not.
    Delete { stack: String },
    /// Leaves a change set with a stack.
    ChangeSet { stack: String, name: String },
    /// The running operation of a stack was begun without rollback: where it fails, the stack stops.
    DisableRollback { stack: String },
    /// Deletes a parameter.
    DeleteParameter { name: String },
    /// Leaves a stack under review that was never executed, with the tags of a cluster's stack.
    ReviewStack {
        stack: String,
        cluster: String,
        kind: String,
    },
}

impl Simulated {
    /// Changes a property of a resource outside CloudFormation. `path` goes into its properties, with dots.
    /// Whether there is such a resource.
    pub fn change_property(&self, stack: &str, logical_id: &str, path: &str, value: Value) -> bool {
        self.with_resource(stack, logical_id, |resource| {
            resource.external_properties.insert(path.to_owned(), value);
        })
    }

    /// Deletes a resource outside CloudFormation. Whether there is such a resource.
    pub fn delete_resource(&self, stack: &str, logical_id: &str) -> bool {
        self.with_resource(stack, logical_id, |resource| {
            resource.deleted_externally = true;
        })
    }

    pub(super) fn with_resource(
        &self,
        stack: &str,
        logical_id: &str,
        work: impl FnOnce(&mut super::stack::Resource),
    ) -> bool {
        self.with_now(|state| {
            let stack = state.named(stack).and_then(|at| state.stacks.get_mut(at));
            let resource = stack.and_then(|stack| {
                let slot = stack.slot(logical_id)?;
                stack.resources.get_mut(slot)
            });
            resource.map(work).is_some()
        })
    }

    /// Applies a change by others. Whether CloudFormation let them.
    pub fn apply_external_change(&self, what: &ExternalChange) -> bool {
        self.with_now(|state| apply_external_change(state, what).is_some())
    }
}

fn apply_external_change(state: &mut State, what: &ExternalChange) -> Option<()> {
    const TOKEN: &str = "somebody-else";
    let at = state.now;
    if let ExternalChange::ReviewStack {
        stack,
        cluster,
        kind,
    } = what
    {
        if state.named(stack).is_some() {
            return None;
        }
        let tags = BTreeMap::from([
            (TAG_CLUSTER.to_owned(), cluster.clone()),
            (TAG_STACK.to_owned(), kind.clone()),
        ]);
        let review = state.new_stack(NewStack {
            name: stack,
            tags,
            parameters: BTreeMap::new(),
            status: StackStatus::ReviewInProgress,
        });
        state.stacks.push(review);
        return Some(());
    }
    let stack = match what {
        ExternalChange::DeleteParameter { name } => {
            return state.parameters.remove(name).map(drop);
        }
        ExternalChange::Update { stack, .. }
        | ExternalChange::Delete { stack }
        | ExternalChange::ChangeSet { stack, .. }
        | ExternalChange::DisableRollback { stack }
        | ExternalChange::ReviewStack { stack, .. } => stack,
    };
    let index = state.named(stack)?;
    let (found, env) = state.stack_and_env(index)?;
    if let ExternalChange::ChangeSet { name, .. } = what {
        let set = super::changesets::foreign(found, &env.setting, name, at);
        found.sets.push(set);
        return Some(());
    }
    if let ExternalChange::DisableRollback { .. } = what {
        return found.disable_rollback();
    }
    let wanted = match what {
        _ if found.live.status.is_in_progress() => return None,
        ExternalChange::Update { logical_id, .. } => {
            super::changesets::ready(found, "UpdateStack").ok()?;
            Some(single_update(found, logical_id)?)
        }
        ExternalChange::Delete { .. }
        | ExternalChange::ChangeSet { .. }
        | ExternalChange::DisableRollback { .. }
        | ExternalChange::DeleteParameter { .. }
        | ExternalChange::ReviewStack { .. } => None,
    };
    let log = state.write("external_change", stack, Some(TOKEN));
    let (found, env) = state.stack_and_env(index)?;
    match wanted {
        Some(wanted) => found.update(env, at, wanted, Some(TOKEN), log),
        None => found.delete(env, at, Some(TOKEN), log),
    }
    Some(())
}
