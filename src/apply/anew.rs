//! Asking anew in mid-run: inputs turned out other than planned, or somebody else moved the stack.
//! What was not shown is executed only if it is harmless.

use std::collections::BTreeSet;

use super::Prepare;
use super::halt::{Halt, failed, unanswered};
use super::patience::patiently;
use super::run::Walk;
use super::step::{Attempt, Parameters};
use crate::cloud::{ChangeSet, Cloud, CloudError, LiveStack, ResourceChange, StackStatus, Store};
use crate::plan::draft::{Inputs, consider};
use crate::plan::{self, Action, Step, Terms, risk};
use crate::stacks::StackKind;

impl<C: Cloud + Store, P: Prepare> Walk<'_, C, P> {
    /// Inputs turned out other than planned: asks again, and executes only what is no graver.
    pub async fn propose_anew(
        &self,
        step: &Step,
        found: &LiveStack,
        parameters: &Parameters,
    ) -> Result<Attempt, Halt> {
        let kind = &step.stack.kind;
        let shown = self.withdraw(kind).await;
        let known = Inputs {
            parameters: parameters.clone(),
            ..Inputs::default()
        };
        let fresh = self
            .ask(step.clone(), Some(found.clone()), known, "propose-again")
            .await?;
        let before: &[ResourceChange] = shown.as_ref().map_or(&[], |set| &set.changes);
        agree(&fresh, before)?;
        match &fresh.action {
            Action::Update(set) => self.update(&fresh, found, set).await,
            Action::Keep => self.keep(&fresh, found).await,
            Action::Blocked(why) => Err(failed(format!("{}; {}", why.reason, why.next))),
            _ => Ok(Attempt::Taken(Box::new(found.clone()))),
        }
    }

    /// Considers a stack anew with values that are all known.
    async fn ask(
        &self,
        step: Step,
        found: Option<LiveStack>,
        known: Inputs,
        name: &str,
    ) -> Result<Step, Halt> {
        let allow = step.risks.iter().filter(|risk| risk.allowed);
        let allow = allow.map(|risk| risk.name.clone()).collect();
        let skip = BTreeSet::new();
        let terms = Terms::new(self.session.run, &allow, &skip);
        let bucket = self.bucket();
        let draft = consider(self.cluster, step.stack, found, step.before, known);
        let ask = async || {
            plan::complete::ask(draft.clone(), self.cloud, &terms, bucket.as_deref(), name).await
        };
        let fresh = patiently(self.cloud, ask)
            .await
            .0
            .map_err(|error| unanswered("", error))?;
        if let Some(set) = fresh.change_set() {
            let mut open = self.open.borrow_mut();
            open.insert(fresh.stack.kind.clone(), set.clone());
        }
        Ok(fresh)
    }

    /// Looks at a stack again after following it, and decides anew. Only what is harmless goes on
    /// without having been shown.
    pub async fn look_again(
        &self,
        mut step: Step,
        was: &LiveStack,
        parameters: &Parameters,
        round: usize,
    ) -> Result<Step, Halt> {
        let unread = |error: CloudError| unanswered("", error);
        let (found, _) = patiently(self.cloud, async || self.cloud.stack(&was.id).await).await;
        let found = found.map_err(unread)?;
        let found = found.filter(|found| found.status != StackStatus::DeleteComplete);
        step.before = match &found {
            None => None,
            Some(found) => {
                let (template, _) =
                    patiently(self.cloud, async || self.cloud.template(&found.id).await).await;
                Some(template.map_err(unread)?)
            }
        };
        let shown = self.withdraw(&step.stack.kind).await;
        let known = Inputs {
            parameters: parameters.clone(),
            ..Inputs::default()
        };
        let fresh = self
            .ask(step, found, known, &format!("look-again-{round}"))
            .await?;
        agree(&fresh, shown.as_ref().map_or(&[][..], |set| &set.changes))?;
        Ok(fresh)
    }

    /// Takes back the change set that was shown for a stack. One that stays is harmless: executing
    /// any other removes it.
    async fn withdraw(&self, kind: &StackKind) -> Option<ChangeSet> {
        let shown = self.open.borrow_mut().remove(kind)?;
        let _ = self.cloud.delete_change_set(&shown).await;
        Some(shown)
    }
}

/// Refuses a change set that does more than the one that was shown.
fn agree(fresh: &Step, shown: &[ResourceChange]) -> Result<(), Halt> {
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
