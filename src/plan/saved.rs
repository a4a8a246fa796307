//! A plan in a file, and every reason why it no longer holds. The file holds digests, names and parameters,
//! no secret.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use semver::Version;
use serde::{Deserialize, Serialize};

use super::offline::StepDraft;
use super::{Action, Blocked, Plan, PlanDraft, Step, Survey};
use crate::cloud::{Finding, LiveStack, StackStatus};
use crate::common::digest::sha256;
use crate::stacks::StackKind;

const KIND: &str = "kube-cfn/plan";
const SCHEMA: u32 = 1;

/// What a plan is made from, apart from the stacks.
#[derive(Debug, Clone, Copy)]
pub struct PlanOrigin<'a> {
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
pub struct SavedPlan {
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
    pub leftover: Vec<SavedStack>,
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
    pub standing: Option<SavedStack>,
    /// ARN.
    pub change_set: Option<String>,
    pub blocked: Option<Blocked>,
    pub findings: Vec<Finding>,
}

/// A stack as it stood when the plan was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SavedStack {
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
pub enum SavedPlanError {
    #[error("read the saved plan: it is no plan of kube-cfn: {0}")]
    NoPlan(String),
    #[error(
        "read the saved plan: it has schema {0}, this version reads schema {SCHEMA}; make the plan again"
    )]
    Schema(u64),
}

impl SavedPlan {
    /// What a file keeps of a plan.
    pub fn of(plan: &Plan, origin: &PlanOrigin<'_>) -> Self {
        let allowed = plan.steps.iter().flat_map(|step| &step.allow);
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
            allow: allowed.cloned().collect(),
            running: origin.running.to_vec(),
            steps: plan.steps.iter().map(SavedStep::of).collect(),
            leftover: plan.leftover.iter().map(SavedStack::of).collect(),
        }
    }

    /// Reads the text of a file.
    pub fn read(text: &str) -> Result<Self, SavedPlanError> {
        let no_plan = |error: serde_json::Error| SavedPlanError::NoPlan(error.to_string());
        let data: serde_json::Value = serde_json::from_str(text).map_err(no_plan)?;
        if data["kind"] != KIND {
            return Err(SavedPlanError::NoPlan(format!("`kind` is not {KIND}")));
        }
        match data["schema"].as_u64() {
            Some(schema) if schema == u64::from(SCHEMA) => {}
            other => return Err(SavedPlanError::Schema(other.unwrap_or_default())),
        }
        serde_json::from_value(data).map_err(no_plan)
    }

    /// Why the plan is not for this cluster, account and region.
    pub(super) fn elsewhere(&self, survey: &Survey, origin: &PlanOrigin<'_>) -> Vec<String> {
        [
            ("cluster", &self.cluster, survey.cluster.as_str()),
            ("account", &self.account, origin.account),
            ("region", &self.region, origin.region),
        ]
        .into_iter()
        .filter(|(_, was, is)| was != is)
        .map(|(what, was, is)| format!("the plan is for {what} {was}, this is {is}"))
        .collect()
    }

    /// What has changed since in the files that the plan was made from, and in the account.
    pub(super) fn outdated(&self, draft: &PlanDraft, origin: &PlanOrigin<'_>) -> Vec<String> {
        let mut reasons = Vec::new();
        if self.definition_sha256 != sha256(origin.definition_text) {
            reasons.push(format!("{} has changed", origin.definition));
        }
        if self.lock_sha256 != origin.lock_text.map(sha256) {
            reasons.push("the lock file has changed".to_owned());
        }
        reasons.extend(self.changed_stacks(&draft.steps, &draft.leftover));
        reasons
    }

    /// Stacks that one of the two does not have, and leftovers that moved.
    fn changed_stacks(&self, steps: &[StepDraft], leftover: &[LiveStack]) -> Vec<String> {
        let wanted = |name: &str| steps.iter().any(|draft| draft.step.stack.name == name);
        let saved = |name: &str| self.steps.iter().any(|step| step.name == name);
        let gone = self.steps.iter().filter(|step| !wanted(&step.name));
        let gone = gone.map(|step| format!("{} is no longer wanted", step.name));
        let new = steps.iter().map(|draft| &draft.step.stack.name);
        let new = new.filter(|name| !saved(name));
        let new = new.map(|name| format!("{name} is not in the plan"));
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
            standing: step.found.as_ref().map(SavedStack::of),
            change_set: step.change_set().map(|set| set.id.clone()),
            blocked: match &step.action {
                Action::Blocked(why) => Some(why.clone()),
                _ => None,
            },
            findings: step.findings.clone(),
        }
    }

    /// Why the stack is not as it was.
    pub(super) fn moved(&self, now: &Step) -> Vec<String> {
        let mut reasons = Vec::new();
        if self.template_sha256 != sha256(now.stack.body()) {
            reasons.push(format!("the template of {} has changed", self.name));
        }
        match moved(&self.name, self.standing.as_ref(), now.found.as_ref()) {
            Some(why) => reasons.push(why),
            None if self.parameters != now.parameters => {
                reasons.push(format!(
                    "the parameters wanted for {} have changed",
                    self.name
                ));
            }
            None => {}
        }
        reasons
    }
}

impl SavedStack {
    pub(super) fn of(found: &LiveStack) -> Self {
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
pub(super) fn moved(
    name: &str,
    was: Option<&SavedStack>,
    is: Option<&LiveStack>,
) -> Option<String> {
    let is = is.map(SavedStack::of);
    match (was, is) {
        (None, Some(_)) => Some(format!("{name} was created since")),
        (Some(_), None) => Some(format!("{name} was deleted since")),
        (Some(was), Some(is)) if was.id != is.id || was.created != is.created => {
            Some(format!("{name} was deleted and created again since"))
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
