//! A plan as data: what a run would do to every stack. It can be printed, compared and executed.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::code::Code;
use super::damaged::DamagedObject;
use super::drift::Drifted;
use super::preflight::{Check, Verdict};
use super::recovery::StuckResource;
use super::risk::Risk;
use super::sizes::LiveSizes;
use super::{normalize, status};
use crate::cloud::{
    ChangeAction, ChangeSet, Finding, LiveStack, PropertyChange, Replacement, StackStatus,
};
use crate::stacks::{Source, Stack, StackKind, description};

/// What a run would do, stack by stack.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    pub cluster: String,
    pub steps: Vec<Step>,
    /// Stacks of this cluster in AWS that the definition no longer has; `apply` leaves them alone.
    pub leftover: Vec<LiveStack>,
    /// What a guard of the whole plan refuses (exit code 5), as lost authorities, another Kubernetes version or a
    /// change that can't work; then nothing of the plan is done.
    pub refused: Vec<Blocked>,
    /// What was looked at before the first stack; empty where nothing is added, or nobody looked.
    pub checks: Vec<Check>,
}

/// What a run would do to one stack.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    pub stack: Stack,
    pub found: Option<LiveStack>,
    /// The template that the stack has now.
    pub before: Option<Value>,
    /// Parameter values as far as known now; missing ones come from stacks that are not there yet.
    pub parameters: BTreeMap<String, String>,
    /// Inputs whose value another step may still set or change.
    pub pending: Vec<PendingInput>,
    /// What the change set would do to resources that hold data.
    pub risks: Vec<Risk>,
    /// Losses that were named with `--allow-data-loss`, of all stacks: a change set that is asked for later may need them.
    pub allow: BTreeSet<String>,
    /// The change set that a guard blocks: shown, never executed.
    pub blocked_change_set: Option<ChangeSet>,
    /// What CloudFormation's early validation found; it refuses where the step is blocked by it.
    pub findings: Vec<Finding>,
    /// Whether its change set sets back what was changed outside CloudFormation.
    pub reverts_drift: bool,
    /// What was changed outside CloudFormation.
    pub drift: Vec<Drifted>,
    /// Whether CloudFormation compared its resources, all of them unless [`Step::drift_unknown`] says otherwise.
    pub drift_checked: bool,
    /// Why nobody knows whether something, or something else, was changed; `None` when all was compared, and where
    /// nobody looked.
    pub drift_unknown: Option<String>,
    /// What AWS resized by itself, and what a run does about it.
    pub sizes: LiveSizes,
    /// Whether the stack policy in force is not the wanted one.
    pub policy_drifted: bool,
    /// Objects of the stack in a bucket that are not as they should be; a run puts them back.
    pub damaged_objects: Vec<DamagedObject>,
    pub action: Action,
}

/// An input that is settled only when another stack is done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PendingInput {
    pub parameter: String,
    /// The stack that the value comes from.
    pub from: StackKind,
    /// Key of its output.
    pub key: String,
    /// The value of today; `None` when there is none before that stack is done.
    pub now: Option<String>,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    Create,
    /// The leftover of a failed creation, or a placeholder of this tool, is deleted first, then created.
    Replace,
    /// Its last update failed, and so did its rollback: the rollback is continued, then the stack is
    /// looked at again.
    Continue {
        /// What keeps it from being rolled back.
        stuck: Vec<StuckResource>,
        /// Of those, what is left as it is: it will not match its template any more.
        skip: Vec<String>,
    },
    /// Execute this change set. Its inputs may still change when a stack before it changes.
    Update(ChangeSet),
    /// It exists, but what changes in it is known only when the stacks in [`Step::pending`] are done.
    Deferred,
    NoChange,
    /// Follow what already runs, then look again.
    Follow(StackStatus),
    /// Can't be done as things stand.
    Blocked(Blocked),
}

impl Action {
    /// The action in one word, as a saved plan has it.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Replace => "recreate",
            Self::Continue { .. } => "continue",
            Self::Update(_) => "update",
            Self::Deferred => "later",
            Self::NoChange => "keep",
            Self::Follow(_) => "follow",
            Self::Blocked(_) => "blocked",
        }
    }
}

/// Why a stack can't be touched, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Blocked {
    pub code: Code,
    pub reason: String,
    /// The next command or step.
    #[serde(rename = "next")]
    pub remedy: String,
    /// Whether it is a guard of this tool that refuses (exit code 5), not the state of the stack.
    #[serde(rename = "guard")]
    pub by_guard: bool,
}

impl Blocked {
    /// The state of the stack, or of its template, blocks it.
    pub fn by_state(code: Code, reason: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            code,
            reason: reason.into(),
            remedy: remedy.into(),
            by_guard: false,
        }
    }

    /// A guard of this tool blocks it.
    pub fn by_guard(code: Code, reason: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            by_guard: true,
            ..Self::by_state(code, reason, remedy)
        }
    }
}

/// How many resources a step touches, by what happens to them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ChangeCounts {
    pub add: usize,
    pub modify: usize,
    pub replace: usize,
    /// Modified, and replaced depending on values not known yet.
    pub might_replace: usize,
    pub remove: usize,
}

/// A resource that a step would create.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PlannedResource {
    pub logical_id: String,
    pub resource_type: String,
    pub sentence: String,
}

impl Plan {
    /// Whether a run would change anything.
    pub fn has_changes(&self) -> bool {
        self.steps.iter().any(|step| {
            !matches!(step.action, Action::NoChange)
                || step.needs_protection_update()
                || !step.damaged_objects.is_empty()
                || !step.sizes.rebalancing.is_empty()
        })
    }

    /// Notes damaged objects of a stack in which nothing else is to do.
    pub fn note_damaged(&mut self, stack: &StackKind, objects: Vec<DamagedObject>) {
        let stays = |step: &&mut Step| {
            let rests = |found: &LiveStack| status::rests(&found.status);
            step.stack.kind == *stack
                && step.action == Action::NoChange
                && step.found.as_ref().is_some_and(rests)
        };
        if let Some(step) = self.steps.iter_mut().find(stays) {
            step.damaged_objects.extend(objects);
        }
    }

    /// The stacks that can't be touched.
    pub fn blocked(&self) -> impl Iterator<Item = (&StackKind, &Blocked)> {
        self.steps.iter().filter_map(|step| match &step.action {
            Action::Blocked(why) => Some((&step.stack.kind, why)),
            _ => None,
        })
    }

    /// Whether a guard of this tool refuses a part of it (exit code 5).
    pub fn is_refused(&self) -> bool {
        let checks = self.checks.iter();
        checks
            .map(|check| check.verdict)
            .any(|verdict| verdict == Verdict::Refused)
            || self.blocked().any(|(_, why)| why.by_guard)
    }
}

impl Step {
    /// A step before anything was asked about it.
    pub fn new(stack: Stack, action: Action) -> Self {
        Self {
            stack,
            found: None,
            before: None,
            parameters: BTreeMap::new(),
            pending: Vec::new(),
            risks: Vec::new(),
            allow: BTreeSet::new(),
            blocked_change_set: None,
            findings: Vec::new(),
            reverts_drift: false,
            drift: Vec::new(),
            drift_checked: false,
            drift_unknown: None,
            sizes: LiveSizes::default(),
            policy_drifted: false,
            damaged_objects: Vec::new(),
            action,
        }
    }

    /// Who decides a value that is not known yet: the kind of the stack (`database`) where the change
    /// comes through a parameter that another stack feeds, else the resource or attribute that
    /// CloudFormation names. `None` where the value is known, or nobody says what causes it.
    pub fn producer(&self, change: &PropertyChange) -> Option<String> {
        let cause = change.cause.as_deref()?;
        let fed = self
            .stack
            .inputs
            .iter()
            .find_map(|input| match &input.source {
                Source::Output { stack, .. } if input.parameter == cause => Some(stack.to_string()),
                _ => None,
            });
        let waits = self.pending.iter().any(|one| one.parameter == cause);
        if normalize::is_unknown(change) || (fed.is_some() && waits) {
            return fed.or_else(|| Some(cause.to_owned()));
        }
        None
    }

    /// The change set of an update, also of one that a guard holds back.
    pub fn change_set(&self) -> Option<&ChangeSet> {
        match &self.action {
            Action::Update(change_set) => Some(change_set),
            _ => self.blocked_change_set.as_ref(),
        }
    }

    /// What its change set changes: the template that the stack has, with the values that the resources have where the
    /// change set compares with those.
    pub(crate) fn starting_point(&self) -> Option<Cow<'_, Value>> {
        let before = self.before.as_ref()?;
        let changes = self.change_set().map_or(&[][..], |set| &set.changes);
        if !self.reverts_drift {
            return Some(Cow::Borrowed(before));
        }
        let mut live = before.clone();
        for change in changes {
            let Some(resource) = live["Resources"].get_mut(&change.logical_id) else {
                continue;
            };
            let properties = &mut resource["Properties"];
            for one in &change.properties {
                let name = one.path.strip_prefix("Properties.");
                let name = name.filter(|name| !name.contains('.'));
                if let (Some(name), Some(value)) = (name, &one.before) {
                    properties[name] = Value::String(value.clone());
                }
            }
        }
        Some(Cow::Owned(live))
    }

    /// Refuses it: its change set is shown, never executed.
    pub(super) fn block(&mut self, why: Blocked) {
        if let Action::Update(set) = std::mem::replace(&mut self.action, Action::Blocked(why)) {
            self.blocked_change_set = Some(set);
        }
    }

    /// Whether its protection has to be set: termination protection, or the stack policy.
    pub fn needs_protection_update(&self) -> bool {
        self.policy_drifted || self.needs_termination_protection_update()
    }

    /// Whether termination protection has to be switched on or off.
    pub fn needs_termination_protection_update(&self) -> bool {
        self.found.as_ref().is_some_and(|found| {
            status::rests(&found.status)
                && found.termination_protection != self.stack.termination_protection
        })
    }

    /// The resources that a creation makes, in the template's order.
    pub fn resources(&self) -> Vec<PlannedResource> {
        resources_of(&self.stack.template)
    }

    /// What happens to how many resources.
    pub fn counts(&self) -> ChangeCounts {
        if matches!(self.action, Action::Create | Action::Replace) {
            return ChangeCounts {
                add: self.resources().len(),
                ..ChangeCounts::default()
            };
        }
        let mut counts = ChangeCounts::default();
        for change in self.change_set().map_or(&[][..], |set| &set.changes) {
            match (&change.action, change.replacement) {
                (ChangeAction::Add, _) => counts.add += 1,
                (ChangeAction::Remove, _) => counts.remove += 1,
                (_, Replacement::Yes) => counts.replace += 1,
                (_, Replacement::Might) => counts.might_replace += 1,
                (_, Replacement::No) => counts.modify += 1,
            }
        }
        counts
    }

    /// The human sentence of a resource, of one that goes away too; the logical id where there is none.
    pub fn description(&self, logical_id: &str) -> String {
        let old = || {
            self.before
                .as_ref()
                .and_then(|t| description(t, logical_id))
        };
        let found = self.stack.description(logical_id).or_else(old);
        found.unwrap_or(logical_id).to_owned()
    }
}

/// Every resource of a template.
pub fn resources_of(template: &Value) -> Vec<PlannedResource> {
    let Some(resources) = template.get("Resources").and_then(Value::as_object) else {
        return Vec::new();
    };
    let planned = |(id, body): (&String, &Value)| PlannedResource {
        logical_id: id.clone(),
        resource_type: body
            .get("Type")
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned(),
        sentence: description(template, id).unwrap_or(id).to_owned(),
    };
    resources.iter().map(planned).collect()
}
