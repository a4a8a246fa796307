//! Planning a stack again in mid-run: its inputs turned out other than planned, or somebody else moved
//! it. What was not shown is executed only if it is harmless.

use std::collections::BTreeSet;

use super::phase::Signal;
use super::{StackRun, blocked};
use crate::apply::Prepare;
use crate::apply::stack_result::{StackResult, failed};
use crate::cloud::{Cloud, ResourceChange, StackStatus, Store};
use crate::plan::draft::{Inputs, consider};
use crate::plan::{self, Action, Step, Terms, risk};

impl<C: Cloud + Store, P: Prepare> StackRun<'_, '_, C, P> {
    /// Reads the stack again and asks what would change with the parameters of now.
    pub(super) async fn replan(&mut self) -> Result<Signal, StackResult> {
        let was = self.moved.take().map_or_else(|| self.found(), Ok)?;
        let mut found = self.read(&was.id).await?;
        found = found.filter(|found| found.status != StackStatus::DeleteComplete);
        let mut before = None;
        if found.is_some() {
            let template = async |cloud: &C| cloud.template(&was.id).await;
            before = Some(self.context.ask("", template).await?);
        }
        let shown = self
            .run
            .unexecuted
            .withdraw(self.context, &self.step.stack.kind)
            .await;
        let known = Inputs {
            parameters: self.parameters.clone(),
            ..Inputs::default()
        };
        let stack = self.step.stack.clone();
        let draft = consider(self.run.cluster, stack, found, before, known);
        let (allow, skip) = (allowed_names(&self.step), BTreeSet::new());
        let terms = Terms::new(self.context.session.run, &allow, &skip);
        let (bucket, name) = (self.run.bucket(), format!("replan-{}", self.conflicts));
        self.step = self
            .context
            .ask("", async |cloud| {
                plan::complete::ask(draft.clone(), cloud, &terms, bucket.as_deref(), &name).await
            })
            .await?;
        self.run.unexecuted.add(&self.step);
        agree(
            &self.step,
            shown.as_ref().map_or(&[][..], |set| &set.changes),
        )?;
        self.decide_again().await
    }

    async fn decide_again(&mut self) -> Result<Signal, StackResult> {
        match (&self.step.action, self.step.found.clone()) {
            (Action::Follow(_), Some(found)) => Ok(self.moved_to(found)),
            (Action::Continue { .. }, _) => Err(self.rollback_not_shown()),
            (Action::Blocked(why), found) => {
                // A policy that an earlier run left relaxed is not left so.
                if let Some(found) = found.filter(|_| self.step.unguarded) {
                    self.restore_policy(&found).await?;
                }
                Err(blocked(why))
            }
            _ => self.decide(),
        }
    }
}

fn allowed_names(step: &Step) -> BTreeSet<String> {
    let allowed = step.risks.iter().filter(|risk| risk.allowed);
    allowed.map(|risk| risk.name.clone()).collect()
}

/// Refuses a change set that does more than the one that was shown.
fn agree(fresh: &Step, shown: &[ResourceChange]) -> Result<(), StackResult> {
    let now = fresh.change_set().map_or(&[][..], |set| &set.changes);
    let worse = risk::worse(&fresh.stack, shown, now);
    if worse.is_empty() {
        return Ok(());
    }
    Err(failed(format!(
        "with the values known by now it would {}, which the plan did not show; nothing was \
         done: look at the plan again",
        worse.join(", ")
    )))
}
