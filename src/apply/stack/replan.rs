//! Planning a stack again in mid-run: its inputs turned out other than planned, or somebody else moved
//! it. What was not shown is executed only if it is harmless.

use std::collections::BTreeSet;

use super::StackRun;
use super::phase::Signal;
use crate::apply::Prerequisites;
use crate::apply::stack_result::{StackResult, blocked, failed};
use crate::cloud::{Cloud, ResourceChange, StackStatus, Store};
use crate::plan::offline::{Inputs, Resolution, classify};
use crate::plan::{self, Action, PlanOptions, Step, risk};

impl<C: Cloud + Store, P: Prerequisites> StackRun<'_, '_, C, P> {
    /// Reads the stack again and asks what would change with the parameters of now.
    pub(super) async fn replan(&mut self) -> Result<Signal, StackResult> {
        let was = self.moved.take().map_or_else(|| self.found(), Ok)?;
        let found = self.read(&was.id).await?;
        let found = found.filter(|found| found.status != StackStatus::DeleteComplete);
        let before = match &found {
            None => None,
            Some(found) => {
                let template = async |cloud: &C| cloud.template(&found.id).await;
                Some(self.context.ask("", template).await?)
            }
        };
        let (run, context) = (self.run, self.context);
        let shown = run
            .unexecuted
            .withdraw(context, &self.step.stack.kind)
            .await;
        let known = Inputs {
            parameters: self.parameters.clone(),
            engines: self.step.sizes.engines.clone(),
            ..Inputs::default()
        };
        let mut draft = classify(run.cluster, self.step.stack.clone(), found, before, known);
        draft.step.reverts_drift = self.step.reverts_drift;
        if draft.step.reverts_drift && draft.resolution == Resolution::Decided(Action::NoChange) {
            draft.resolution = Resolution::NeedsChangeSet;
        }
        let (allow, skip) = (self.step.allow.clone(), BTreeSet::new());
        let terms = PlanOptions::new(context.session.run, &allow, &skip);
        let (bucket, name) = (run.bucket(), format!("replan-{}", self.conflicts));
        let fresh = async |cloud: &C| {
            plan::change_sets::resolve_step(draft.clone(), cloud, &terms, bucket.as_deref(), &name)
                .await
        };
        let damaged = std::mem::take(&mut self.step.damaged_objects);
        self.step = context.ask("", fresh).await?;
        self.step.damaged_objects = damaged;
        run.unexecuted.add(&self.step);
        let step = &mut self.step;
        let sizes = async |cloud: &C| plan::live::note(step, cloud).await;
        context.ask("", sizes).await?;
        let shown = shown.map(|set| set.changes).unwrap_or_default();
        agree(&self.step, &shown)?;
        self.decide_again().await
    }

    async fn decide_again(&mut self) -> Result<Signal, StackResult> {
        match (&self.step.action, self.step.found.clone()) {
            (Action::Follow(_), Some(found)) => Ok(self.moved_to(found)),
            (Action::Continue { .. }, _) => Err(self.rollback_not_shown()),
            (Action::Blocked(why), found) => {
                // A policy that an earlier run left relaxed is not left so.
                if let Some(found) = found.filter(|_| self.step.policy_drifted) {
                    self.restore_policy(&found).await?;
                }
                Err(blocked(None, why))
            }
            _ => self.decide(),
        }
    }
}

/// Refuses a change set that does more than the one that was shown, apart from losses that were named.
fn agree(fresh: &Step, shown: &[ResourceChange]) -> Result<(), StackResult> {
    let now = fresh.change_set().map_or(&[][..], |set| &set.changes);
    let named = |change: &&ResourceChange| {
        let mut named = fresh.risks.iter().filter(|risk| risk.allowed);
        named.any(|risk| risk.takes_resource() && risk.logical_id == change.logical_id)
    };
    let unnamed: Vec<_> = now.iter().filter(|one| !named(one)).cloned().collect();
    let worse = risk::worse(&fresh.stack, shown, &unnamed);
    if worse.is_empty() {
        return Ok(());
    }
    Err(failed(format!(
        "with the values known now it would {}, which the plan did not show; nothing was \
         done: look at the plan again",
        worse.join(", ")
    )))
}
