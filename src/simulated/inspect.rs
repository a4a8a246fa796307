//! A simulated cloud seen from outside, for assertions.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde_json::Value;

use super::Simulated;
use super::config::{Faults, ResourceFailure};
use super::store::StoredParameter;
use crate::cloud::{DeletionPolicy, LiveStack, OpenChangeSet, StackEvent};

/// A write that had an effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Write {
    pub at: Timestamp,
    /// Name of the trait's method, or `external_change`.
    pub verb: &'static str,
    /// Name of the stack.
    pub stack: String,
    /// What it was asked with, where it takes a token.
    pub token: Option<String>,
    /// The stack policy that it set.
    pub policy: Option<Value>,
    /// Logical ids of what the operation deleted, old ones of replacements too.
    pub deleted: Vec<String>,
    /// Logical ids of what the operation replaced.
    pub replaced: Vec<String>,
}

/// A resource that held data and is no longer its stack's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loss {
    pub at: Timestamp,
    /// Name of the stack.
    pub stack: String,
    pub logical_id: String,
    pub resource_type: String,
    pub physical_id: String,
    pub how: RemovalCause,
    /// What CloudFormation did with it: only [`DeletionPolicy::Delete`] left nothing.
    pub deletion_policy: DeletionPolicy,
    /// Token of the operation.
    pub token: Option<String>,
}

/// Why a resource was removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RemovalCause {
    /// With its whole stack.
    StackDeleted,
    /// Another took its place.
    Replaced,
    /// The template no longer has it.
    RemovedFromTemplate,
    /// A failed operation had only just made it.
    CreateRolledBack,
    /// A failed update had made it in the place of another.
    UpdateRolledBack,
}

impl RemovalCause {
    /// Whether what is removed is no longer what its stack calls by that name.
    pub(super) fn is_of_previous(self) -> bool {
        matches!(self, Self::Replaced | Self::UpdateRolledBack)
    }
}

/// A call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// Virtual second.
    pub second: u64,
    /// Name of the trait's method.
    pub verb: &'static str,
    /// What it names first: a stack, a parameter, a bucket, a group; after a blank what else it names.
    pub about: String,
}

/// Calls in the order in which they came.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Calls(pub(super) Vec<Call>);

impl Calls {
    /// All of them.
    pub fn all(&self) -> &[Call] {
        &self.0
    }

    /// How many in all.
    pub fn total(&self) -> usize {
        self.0.len()
    }

    /// How many of each.
    pub fn by_verb(&self) -> BTreeMap<&'static str, usize> {
        let mut counted = BTreeMap::new();
        for Call { verb, .. } in &self.0 {
            *counted.entry(*verb).or_default() += 1;
        }
        counted
    }

    /// How many in each second; seconds without a call are left out.
    pub fn by_second(&self) -> BTreeMap<u64, usize> {
        let mut counted = BTreeMap::new();
        for Call { second, .. } in &self.0 {
            *counted.entry(*second).or_default() += 1;
        }
        counted
    }
}

impl Simulated {
    /// Every call so far, refused ones too.
    pub fn calls(&self) -> Calls {
        Calls(self.state().calls.clone())
    }

    /// Every stack, deleted ones too, in the order of creation.
    pub fn all_stacks(&self) -> Vec<LiveStack> {
        self.with_now(|state| {
            state
                .stacks
                .iter()
                .map(|stack| stack.live.clone())
                .collect()
        })
    }

    /// Change sets that were not executed, with the name of their stack.
    pub fn open_change_sets(&self) -> Vec<(String, OpenChangeSet)> {
        self.with_now(|state| {
            let all = state.stacks.iter().flat_map(|stack| {
                let name = stack.live.name.clone();
                stack.sets.iter().map(move |set| (name.clone(), set.open()))
            });
            all.collect()
        })
    }

    /// Every parameter and secret, by name.
    pub fn parameters(&self) -> BTreeMap<String, StoredParameter> {
        self.with_now(|state| state.parameters.clone())
    }

    /// Every write that had an effect, in order.
    pub fn writes(&self) -> Vec<Write> {
        self.with_now(|state| state.env.log.clone())
    }

    /// Every resource with data that is no longer its stack's.
    pub fn losses(&self) -> Vec<Loss> {
        self.with_now(|state| state.env.losses.clone())
    }

    /// Every event of every stack, by the order of stacks and time.
    pub fn history(&self) -> Vec<StackEvent> {
        self.with_now(|state| {
            let published = state.stacks.iter().flat_map(|stack| &stack.events);
            published.map(|published| published.event.clone()).collect()
        })
    }

    /// Everything that CloudFormation was ever given or answers: templates, parameters, tags, outputs,
    /// the texts of events. No secret may be in it.
    pub fn texts(&self) -> BTreeSet<String> {
        self.with_now(|state| {
            let mut all = state.received.clone();
            for stack in &state.stacks {
                all.extend(stack.live.outputs.values().cloned());
                let events = stack.events.iter().map(|published| &published.event);
                for event in events {
                    all.extend(event.reason.clone());
                    all.extend(event.physical_id.clone());
                    all.extend(event.token.clone());
                }
            }
            all
        })
    }

    /// Whether the stack of this name has this template.
    pub fn has_template(&self, stack: &str, template: &Value) -> bool {
        self.with_now(|state| {
            let stack = state.named(stack).and_then(|at| state.stacks.get(at));
            let compiled = stack.and_then(|stack| stack.compiled.as_ref());
            compiled.is_some_and(|compiled| compiled.template == *template)
        })
    }

    /// From now on this fails too.
    pub fn fail(&self, failure: ResourceFailure) {
        self.with_now(|state| state.env.failures.push(failure));
    }

    /// The cloud misbehaves otherwise from now on.
    pub fn change_faults(&self, change: impl FnOnce(&mut Faults)) {
        self.with_now(|state| change(&mut state.env.faults));
    }

    /// A stack as AWS may answer it, however it came about.
    #[cfg(test)]
    pub(crate) fn amend(&self, stack: &str, change: impl FnOnce(&mut LiveStack)) {
        self.with_now(|state| {
            let (index, now) = (state.named(stack), state.now);
            let stack = index.and_then(|index| state.stacks.get_mut(index));
            let stack = stack.expect("a stack of that name");
            change(&mut stack.live);
            stack.remember(now);
        });
    }
}
