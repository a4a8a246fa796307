//! A plan that is kept in a file, and the way back: the same plan with the same change sets, or every
//! reason why it no longer holds. The file holds digests, names and parameters, no secret.

use std::collections::{BTreeMap, BTreeSet};

use futures::future::join_all;
use jiff::Timestamp;
use semver::Version;
use serde::{Deserialize, Serialize};

use super::complete::{ask, judge, settle_pending};
use super::draft::{DraftStep, Todo};
use super::{Action, Blocked, Plan, Step, Survey, Terms, draft};
use crate::cloud::{ChangeSet, Cloud, Finding, FoundStack, StackStatus};
use crate::common::digest::sha256;
use crate::stacks::{Stack, StackKind};

const KIND: &str = "kube-cfn/plan";
const SCHEMA: u32 = 1;

/// What a plan is made from, apart from the stacks.
#[derive(Debug, Clone, Copy)]
pub struct Origin<'a> {
    pub account: &'a str,
    pub region: &'a str,
    /// Names the run.
    pub run: &'a str,
    pub made: Timestamp,
    /// Version of this tool.
    pub tool: &'a str,
    /// Path of the definition's file.
    pub definition: &'a str,
    pub definition_text: &'a str,
    /// Text of the lock file; `None` when there is none.
    pub lock_text: Option<&'a str>,
    /// AMI ids of the lock file by the SSM parameter they were resolved from.
    pub images: &'a BTreeMap<String, String>,
    /// What somebody said of the versions that run.
    pub running: &'a [(StackKind, Version)],
}

/// A plan as a file keeps it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Saved {
    pub kind: String,
    pub schema: u32,
    pub cluster: String,
    pub account: String,
    pub region: String,
    pub run: String,
    pub made: Timestamp,
    pub tool: String,
    pub definition: String,
    /// SHA-256 of the definition's text, in lower-case hexadecimal; so are the others.
    pub definition_sha256: String,
    pub lock_sha256: Option<String>,
    /// Losses that somebody named, as `STACK/RESOURCE`.
    pub allow: BTreeSet<String>,
    /// What somebody said of the versions that run, where nothing else does.
    #[serde(default)]
    pub running: Vec<(StackKind, Version)>,
    pub steps: Vec<SavedStep>,
    /// Stacks that the definition no longer has.
    pub leftover: Vec<Standing>,
}

/// One stack of a saved plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SavedStep {
    pub name: String,
    pub kind: StackKind,
    /// [`Action::word`].
    pub action: String,
    /// Of the wanted template as AWS gets it.
    pub template_sha256: String,
    /// Wanted, as far as known.
    pub parameters: BTreeMap<String, String>,
    /// `None` when there was no such stack.
    pub standing: Option<Standing>,
    /// ARN.
    pub change_set: Option<String>,
    pub blocked: Option<Blocked>,
    pub findings: Vec<Finding>,
}

/// A stack as it stood when the plan was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Standing {
    /// ARN.
    pub id: String,
    pub name: String,
    pub status: StackStatus,
    pub created: Timestamp,
    pub updated: Option<Timestamp>,
    pub parameters: BTreeMap<String, String>,
}

/// Why a file is no saved plan.
#[derive(Debug, thiserror::Error)]
pub enum SavedError {
    #[error("read the saved plan: it is no plan of kube-cfn: {0}")]
    NoPlan(String),
    #[error(
        "read the saved plan: it has schema {0}, this version reads schema {SCHEMA}; make the plan again"
    )]
    Schema(u64),
}

impl Saved {
    /// What a file keeps of a plan.
    pub fn of(plan: &Plan, origin: &Origin<'_>) -> Self {
        let risks = plan.steps.iter().flat_map(|step| &step.risks);
        let allowed = risks.filter(|risk| risk.allowed);
        Self {
            kind: KIND.to_owned(),
            schema: SCHEMA,
            cluster: plan.cluster.clone(),
            account: origin.account.to_owned(),
            region: origin.region.to_owned(),
            run: origin.run.to_owned(),
            made: origin.made,
            tool: origin.tool.to_owned(),
            definition: origin.definition.to_owned(),
            definition_sha256: sha256(origin.definition_text),
            lock_sha256: origin.lock_text.map(sha256),
            allow: allowed.map(|risk| risk.name.clone()).collect(),
            running: origin.running.to_vec(),
            steps: plan.steps.iter().map(SavedStep::of).collect(),
            leftover: plan.leftover.iter().map(Standing::of).collect(),
        }
    }

    /// Reads the text of a file.
    pub fn read(text: &str) -> Result<Self, SavedError> {
        let no_plan = |error: serde_json::Error| SavedError::NoPlan(error.to_string());
        let data: serde_json::Value = serde_json::from_str(text).map_err(no_plan)?;
        if data["kind"] != KIND {
            return Err(SavedError::NoPlan(format!("`kind` is not {KIND}")));
        }
        match data["schema"].as_u64() {
            Some(schema) if schema == u64::from(SCHEMA) => {}
            other => return Err(SavedError::Schema(other.unwrap_or_default())),
        }
        serde_json::from_value(data).map_err(no_plan)
    }

    /// The plan with the change sets that were shown, or every reason why it no longer holds. In
    /// another account or region nothing else is compared.
    pub async fn restore(
        &self,
        stacks: Vec<Stack>,
        survey: &Survey,
        origin: &Origin<'_>,
        cloud: &impl Cloud,
    ) -> Result<Plan, Vec<String>> {
        let elsewhere = self.elsewhere(survey, origin);
        if !elsewhere.is_empty() {
            return Err(elsewhere);
        }
        let mut reasons = self.rewritten(origin);
        let draft = draft(stacks, survey, origin.images);
        reasons.extend(self.strangers(&draft.steps, &draft.leftover));
        let saved = |draft: &DraftStep| self.steps.iter().find(|s| s.name == draft.stack.name);
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
        Ok(Plan {
            cluster: draft.cluster,
            steps,
            leftover: draft.leftover,
            refused: Vec::new(),
        })
    }

    fn elsewhere(&self, survey: &Survey, origin: &Origin<'_>) -> Vec<String> {
        let all = [
            ("cluster", &self.cluster, survey.cluster.as_str()),
            ("account", &self.account, origin.account),
            ("region", &self.region, origin.region),
        ];
        let told = |(what, was, is): &(&str, &String, &str)| {
            (was.as_str() != *is).then(|| format!("the plan is for {what} {was}, this is {is}"))
        };
        all.iter().filter_map(told).collect()
    }

    fn rewritten(&self, origin: &Origin<'_>) -> Vec<String> {
        let mut reasons = Vec::new();
        if self.definition_sha256 != sha256(origin.definition_text) {
            reasons.push(format!("{} has changed", origin.definition));
        }
        if self.lock_sha256 != origin.lock_text.map(sha256) {
            reasons.push("the lock file has changed".to_owned());
        }
        reasons
    }

    /// Stacks that one of the two does not have, and leftovers that moved.
    fn strangers(&self, steps: &[DraftStep], leftover: &[FoundStack]) -> Vec<String> {
        let wanted = |name: &str| steps.iter().any(|step| step.stack.name == name);
        let saved = |name: &str| self.steps.iter().any(|step| step.name == name);
        let gone = self.steps.iter().filter(|step| !wanted(&step.name));
        let gone = gone.map(|step| format!("{} is no longer wanted", step.name));
        let new = steps.iter().filter(|step| !saved(&step.stack.name));
        let new = new.map(|step| format!("{} is not in the plan", step.stack.name));
        let names = self.leftover.iter().map(|standing| &standing.name);
        let names: BTreeSet<&String> = names.chain(leftover.iter().map(|f| &f.name)).collect();
        let moved = names.into_iter().filter_map(|name| {
            let was = self.leftover.iter().find(|standing| standing.name == *name);
            moved(name, was, leftover.iter().find(|found| found.name == *name))
        });
        gone.chain(new).chain(moved).collect()
    }
}

impl SavedStep {
    fn of(step: &Step) -> Self {
        Self {
            name: step.stack.name.clone(),
            kind: step.stack.kind.clone(),
            action: step.action.word().to_owned(),
            template_sha256: sha256(step.stack.body()),
            parameters: step.parameters.clone(),
            standing: step.found.as_ref().map(Standing::of),
            change_set: step.change_set().map(|set| set.id.clone()),
            blocked: match &step.action {
                Action::Blocked(why) => Some(why.clone()),
                _ => None,
            },
            findings: step.findings.clone(),
        }
    }

    async fn restore(
        &self,
        draft: DraftStep,
        saved: &Saved,
        cloud: &impl Cloud,
    ) -> Result<Step, Vec<String>> {
        let reasons = self.moved(&draft);
        if !reasons.is_empty() {
            return Err(reasons);
        }
        let set = self.change_set(&draft, cloud).await;
        let set = set.map_err(|why| vec![why])?;
        let step = self.decide(draft, set, saved, cloud).await;
        let step = step.map_err(|why| vec![why])?;
        if step.action.word() == self.action {
            return Ok(step);
        }
        let (was, is) = (&self.action, step.action.word());
        Err(vec![format!(
            "{}: the plan says {was}, now it would be {is}",
            self.name
        )])
    }

    fn moved(&self, draft: &DraftStep) -> Vec<String> {
        let mut reasons = Vec::new();
        if self.template_sha256 != sha256(draft.stack.body()) {
            reasons.push(format!("the template of {} has changed", self.name));
        }
        match moved(&self.name, self.standing.as_ref(), draft.found.as_ref()) {
            Some(why) => reasons.push(why),
            None if self.parameters != draft.parameters => {
                reasons.push(format!(
                    "the parameters wanted for {} have changed",
                    self.name
                ));
            }
            None => {}
        }
        reasons
    }

    /// The saved change set, read again.
    async fn change_set(
        &self,
        draft: &DraftStep,
        cloud: &impl Cloud,
    ) -> Result<Option<ChangeSet>, String> {
        // A stack that is gone, or another one, is a reason of its own.
        let (Some(id), Some(found)) = (&self.change_set, &draft.found) else {
            return Ok(None);
        };
        match cloud.change_set(id, &found.id).await {
            Ok(Some(set)) => Ok(Some(set)),
            Ok(None) => Err(format!("the change set of {} is gone: {id}", self.name)),
            Err(error) => Err(format!(
                "the change set of {} can't be read: {error}",
                self.name
            )),
        }
    }

    async fn decide(
        &self,
        draft: DraftStep,
        set: Option<ChangeSet>,
        saved: &Saved,
        cloud: &impl Cloud,
    ) -> Result<Step, String> {
        let told = |action| Todo::Decided(action);
        let (found, propose) = (draft.found.clone(), draft.todo == Todo::Propose);
        let todo = match (propose, &self.blocked) {
            (false, _) => draft.todo,
            // Blocked without a change set: early validation refused the template.
            (true, Some(why)) if set.is_none() => told(Action::Blocked(why.clone())),
            (true, _) => told(Action::Keep),
        };
        let draft = DraftStep { todo, ..draft };
        let none = BTreeSet::new();
        let terms = Terms::new(&saved.run, &saved.allow, &none);
        let asked = ask(draft, cloud, &terms, None, "restore").await;
        let mut step = asked.map_err(|error| format!("{}: {error}", self.name))?;
        step.findings.clone_from(&self.findings);
        if let (true, Some(set), Some(found)) = (propose, set, found) {
            judge(&mut step, set, &found, &saved.allow);
        }
        Ok(step)
    }
}

impl Standing {
    fn of(found: &FoundStack) -> Self {
        Self {
            id: found.id.clone(),
            name: found.name.clone(),
            status: found.status.clone(),
            created: found.created,
            updated: found.updated,
            parameters: found.parameters.clone(),
        }
    }
}

/// Why a stack is not as it was; `None` when it is.
fn moved(name: &str, was: Option<&Standing>, is: Option<&FoundStack>) -> Option<String> {
    let is = is.map(Standing::of);
    match (was, is) {
        (None, Some(_)) => Some(format!("{name} was created since")),
        (Some(_), None) => Some(format!("{name} was deleted since")),
        (Some(was), Some(is)) if was.id != is.id || was.created != is.created => {
            Some(format!("{name} was deleted and created anew since"))
        }
        (Some(was), Some(is)) if was.status != is.status => Some(format!(
            "{name} was in {} and is in {}",
            was.status, is.status
        )),
        (Some(was), Some(is)) if was.updated != is.updated => {
            Some(format!("{name} was updated since"))
        }
        (Some(was), Some(is)) if was.parameters != is.parameters => {
            Some(format!("the parameters of {name} have changed"))
        }
        _ => None,
    }
}
