//! What a run has made ready and may leave unused: change sets that nobody executed, and stack policies
//! that were relaxed for an update which did not begin.

use std::cell::RefCell;
use std::collections::BTreeMap;

use futures::future::join_all;

use super::run_context::RunContext;
use crate::cloud::{ChangeSet, Cloud, Protection, Store};
use crate::plan::{Plan, Step};
use crate::stacks::StackKind;

#[derive(Default)]
pub(super) struct Unexecuted {
    change_sets: RefCell<BTreeMap<StackKind, ChangeSet>>,
    relaxed: RefCell<BTreeMap<StackKind, (String, Protection)>>,
}

impl Unexecuted {
    pub fn of(plan: &Plan) -> Self {
        let all = Self::default();
        plan.steps.iter().for_each(|step| all.add(step));
        all
    }

    /// Notes the change set of a step.
    pub fn add(&self, step: &Step) {
        if let Some(set) = step.change_set() {
            let mut all = self.change_sets.borrow_mut();
            all.insert(step.stack.kind.clone(), set.clone());
        }
    }

    /// Notes whether a stack's policy is relaxed: its ARN, and the protection that it is to have again.
    pub fn set_relaxed(&self, stack: &StackKind, restored: Option<(String, Protection)>) {
        let mut relaxed = self.relaxed.borrow_mut();
        relaxed.remove(stack);
        relaxed.extend(restored.map(|restored| (stack.clone(), restored)));
    }

    /// The change set of a stack is about to be executed.
    pub fn forget(&self, stack: &StackKind) {
        self.change_sets.borrow_mut().remove(stack);
        self.relaxed.borrow_mut().remove(stack);
    }

    /// Takes back the change set that was shown for a stack. One that stays is harmless: executing any
    /// other removes it.
    pub async fn withdraw(
        &self,
        context: &RunContext<'_, impl Cloud>,
        stack: &StackKind,
    ) -> Option<ChangeSet> {
        let shown = self.change_sets.borrow_mut().remove(stack)?;
        let _ = context.cloud.delete_change_set(&shown).await;
        Some(shown)
    }

    /// Restores every policy that was relaxed for nothing, and deletes every change set that nobody
    /// executed.
    pub async fn clean_up<C: Cloud + Store>(&self, context: &RunContext<'_, C>) {
        let relaxed: Vec<_> = self.relaxed.borrow().clone().into_iter().collect();
        join_all(relaxed.iter().map(async |(stack, (id, wanted))| {
            let restored = context.cloud.set_protection(id, wanted).await;
            self.set_relaxed(stack, None);
            if let Err(error) = restored {
                let text = format!(
                    "its stack policy is still relaxed for a loss that did not happen: {error}; \
                     the next apply restores it"
                );
                context.emit.note(Some(stack), text);
            }
        }))
        .await;
        let left: Vec<(StackKind, ChangeSet)> = self.change_sets.take().into_iter().collect();
        join_all(left.iter().map(async |(stack, set)| {
            if let Err(error) = context.cloud.delete_change_set(set).await {
                let text = format!("a change set that was not executed is left behind: {error}");
                context.emit.note(Some(stack), text);
            }
        }))
        .await;
    }

    /// Says which policies are still relaxed, where there was no time to restore them.
    pub fn note_relaxed<C: Cloud + Store>(&self, context: &RunContext<'_, C>) {
        for stack in self.relaxed.take().keys() {
            let text = "its stack policy is still relaxed for a loss that did not happen: the run ended before it was \
                        restored; the next apply restores it";
            context.emit.note(Some(stack), text.to_owned());
        }
    }
}
