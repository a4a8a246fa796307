//! Reading a saved plan's change sets again: the same plan with what was shown, or every reason why it no
//! longer holds.

use std::collections::BTreeSet;

use futures::future::join_all;

use super::change_sets::resolve_step;
use super::evaluate::{evaluate, settle_pending};
use super::objects::note_bundles;
use super::offline::{Resolution, StepDraft};
use super::saved::{PlanOrigin, SavedPlan, SavedStep};
use super::{Action, Plan, PlanOptions, Step, Survey, draft, live};
use crate::cloud::{ChangeSet, Cloud, Store};
use crate::stacks::Stack;

impl SavedPlan {
    /// The plan with the change sets that were shown, or every reason why it no longer holds. In
    /// another account or region nothing else is compared.
    pub async fn restore(
        &self,
        stacks: Vec<Stack>,
        survey: &Survey,
        origin: &PlanOrigin<'_>,
        cloud: &(impl Cloud + Store),
    ) -> Result<Plan, Vec<String>> {
        let elsewhere = self.elsewhere(survey, origin);
        if !elsewhere.is_empty() {
            return Err(elsewhere);
        }
        let draft = draft(stacks, survey, origin.images);
        let mut reasons = self.outdated(&draft, origin);
        let saved = |draft: &StepDraft| self.steps.iter().find(|s| s.name == draft.step.stack.name);
        let pairs = draft.steps.into_iter();
        let pairs = pairs.filter_map(|draft| Some((saved(&draft)?, draft)));
        let answers = pairs.map(|(saved, draft)| saved.restore(draft, self, cloud));
        let mut steps = Vec::new();
        for answer in join_all(answers).await {
            match answer {
                Ok(step) => steps.push(step),
                Err(why) => reasons.extend(why),
            }
        }
        if !reasons.is_empty() {
            return Err(reasons);
        }
        settle_pending(&mut steps);
        let objects = note_bundles(&mut steps, cloud, draft.bucket.as_deref()).await;
        objects.map_err(|error| vec![format!("the state bucket can't be read: {error}")])?;
        Ok(Plan {
            cluster: draft.cluster,
            steps,
            leftover: draft.leftover,
            refused: Vec::new(),
            checks: Vec::new(),
        })
    }
}

impl SavedStep {
    async fn restore(
        &self,
        draft: StepDraft,
        saved: &SavedPlan,
        cloud: &impl Cloud,
    ) -> Result<Step, Vec<String>> {
        let reasons = self.moved(&draft.step);
        if !reasons.is_empty() {
            return Err(reasons);
        }
        let step = async {
            let set = self.change_set(&draft, cloud).await?;
            self.decide(draft, set, saved, cloud).await
        };
        let step = step.await.map_err(|why| vec![why])?;
        let (was, is) = (&self.action, step.action.word());
        if is == was {
            return Ok(step);
        }
        let name = &self.name;
        Err(vec![format!(
            "{name}: the plan says {was}, now it would be {is}"
        )])
    }

    /// The saved change set, read again.
    async fn change_set(
        &self,
        draft: &StepDraft,
        cloud: &impl Cloud,
    ) -> Result<Option<ChangeSet>, String> {
        // A stack that is gone, or another one, is a reason of its own.
        let (Some(id), Some(found)) = (&self.change_set, &draft.step.found) else {
            return Ok(None);
        };
        let name = &self.name;
        match cloud.change_set(id, &found.id).await {
            Ok(Some(set)) => Ok(Some(set)),
            Ok(None) => Err(format!("the change set of {name} is gone: {id}")),
            Err(error) => Err(format!("the change set of {name} can't be read: {error}")),
        }
    }

    /// What the saved change set means for the stack as it is now.
    async fn decide(
        &self,
        draft: StepDraft,
        set: Option<ChangeSet>,
        saved: &SavedPlan,
        cloud: &impl Cloud,
    ) -> Result<Step, String> {
        let (found, propose) = (
            draft.step.found.clone(),
            draft.resolution == Resolution::NeedsChangeSet,
        );
        let resolution = match (propose, &self.blocked) {
            (false, _) => draft.resolution,
            // Blocked without a change set: early validation refused the template.
            (true, Some(why)) if set.is_none() => Resolution::Decided(Action::Blocked(why.clone())),
            (true, _) => Resolution::Decided(Action::NoChange),
        };
        let draft = StepDraft {
            resolution,
            ..draft
        };
        let none = BTreeSet::new();
        let options = PlanOptions::new(&saved.run, &saved.allow, &none);
        let asked = resolve_step(draft, cloud, &options, None, "restore").await;
        let mut step = asked.map_err(|error| format!("{}: {error}", self.name))?;
        step.findings.clone_from(&self.findings);
        if let (true, Some(set), Some(found)) = (propose, set, found) {
            evaluate(&mut step, set, &found, &saved.allow);
        }
        let sizes = live::note(&mut step, cloud).await;
        sizes.map_err(|error| format!("{}: {error}", self.name))?;
        Ok(step)
    }
}
