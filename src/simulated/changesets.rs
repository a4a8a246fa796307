//! Change sets: computed, kept, found again, obsolete when their stack has moved.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::changes::{ChangeSetInput, TemplateVersion, changes, plain};
use super::compiled::Compiled;
use super::names::{Setting, arn};
use super::rng::{hex, seed, stream, uuid};
use super::stack::{SimChangeSet, Stack, StackResources, timestamp};
use super::state::State;
use crate::cloud::{
    ChangeAction, ChangeSet, ChangeSetLifetime, ChangeSetRequest, CloudError, Comparison,
    OpenChangeSet, PropertyChange, Replacement, ResourceChange, StackStatus,
};

impl SimChangeSet {
    pub(super) fn open(&self) -> OpenChangeSet {
        OpenChangeSet {
            id: self.id.clone(),
            name: self.name.clone(),
            created: self.created,
        }
    }

    fn answer(&self, stack: &Stack) -> ChangeSet {
        ChangeSet {
            id: self.id.clone(),
            stack_id: stack.live.id.clone(),
            changes: self.changes.clone(),
            warnings: Vec::new(),
        }
    }
}

/// What would change in a stack.
fn compute(
    stack: &Stack,
    setting: &Setting,
    compiled: &Compiled,
    parameters: &BTreeMap<String, String>,
    tags: &BTreeMap<String, String>,
) -> Vec<ResourceChange> {
    let Some(before) = &stack.compiled else {
        return Vec::new();
    };
    let mut found = changes(&ChangeSetInput {
        before: TemplateVersion {
            template: &before.template,
            parameters: &stack.live.parameters,
            tags: &stack.live.tags,
        },
        after: TemplateVersion {
            template: &compiled.template,
            parameters,
            tags,
        },
        pseudo: stack.pseudo(setting),
        resources: &StackResources {
            setting,
            resources: &stack.resources,
        },
    });
    // What a failed operation never made is made now.
    let missing = compiled.items.iter().filter(|item| {
        let known = found.iter().any(|change| change.logical_id == item.id);
        let slot = stack.slot(&item.id);
        let made = slot.and_then(|slot| stack.resources.get(slot));
        !known && made.is_some_and(|one| one.status == "CREATE_FAILED")
    });
    let missing: Vec<_> = missing
        .map(|item| plain(&item.id, compiled.body(&item.id), ChangeAction::Add))
        .collect();
    found.extend(missing);
    found
}

/// Adds what sets the resources back to their templates. Returns the ids of those that it concerns.
fn revert(
    stack: &Stack,
    setting: &Setting,
    compiled: &Compiled,
    changes: &mut Vec<ResourceChange>,
) -> BTreeSet<String> {
    let drift = stack.drift(setting).into_iter();
    let drift = drift.filter(|drift| compiled.item(&drift.logical_id).is_some());
    let mut reverted = BTreeSet::new();
    for drift in drift {
        let id = drift.logical_id;
        let known = changes.iter().position(|change| change.logical_id == id);
        let known = known.map(|at| changes.remove(at));
        let action = if drift.deleted {
            ChangeAction::Add
        } else {
            ChangeAction::Modify
        };
        let mut change = known
            .filter(|_| !drift.deleted)
            .unwrap_or_else(|| plain(&id, compiled.body(&id), action));
        let differences = drift.differences.into_iter();
        change
            .properties
            .extend(differences.map(|one| PropertyChange {
                path: one.path,
                before: one.actual,
                after: one.expected,
                recreates: Replacement::No,
                cause: None,
            }));
        changes.push(change);
        reverted.insert(id);
    }
    reverted
}

/// A name that the same content gives again, and the ARN under it.
fn name(wanted: &ChangeSetRequest) -> String {
    let pairs = wanted.parameters.iter().chain(&wanted.tags);
    let words = pairs.flat_map(|(key, value)| [key.as_str(), value.as_str()]);
    let compared = match wanted.comparison {
        Comparison::Template => None,
        Comparison::Resources => Some("resources"),
    };
    let words: Vec<&str> = std::iter::once(wanted.template.as_str())
        .chain(compared)
        .chain(words)
        .collect();
    let digest = seed(0, &words, 0);
    match wanted.lifetime {
        ChangeSetLifetime::Run => format!("kube-cfn-{digest:016x}"),
        ChangeSetLifetime::Persistent => format!("kube-cfn-saved-{}", wanted.token),
    }
}

fn id(setting: &Setting, stack: &Stack, name: &str) -> String {
    let words = ["changeset", stack.live.id.as_str(), name];
    let number = (stack.operations << 16) | stack.sets.len() as u64;
    let rng = &mut stream(setting.seed, &words, number);
    arn(
        setting,
        "cloudformation",
        &format!("changeSet/{name}/{}", uuid(rng)),
    )
}

/// A change set from outside, that would change a tag.
pub(super) fn foreign(stack: &Stack, setting: &Setting, name: &str, at: i64) -> SimChangeSet {
    let compiled = stack.compiled.clone().unwrap_or_default();
    let mut tags = stack.live.tags.clone();
    let digits = &mut stream(setting.seed, &["foreign", name], 0);
    tags.insert("foreign".to_owned(), hex(digits, 4));
    let changes = compute(stack, setting, &compiled, &stack.live.parameters, &tags);
    SimChangeSet {
        reverted: BTreeSet::new(),
        id: id(setting, stack, name),
        name: name.to_owned(),
        created: timestamp(at),
        compiled,
        parameters: stack.live.parameters.clone(),
        tags,
        changes,
        operations: stack.operations,
    }
}

impl State {
    pub(super) fn create_change_set(
        &mut self,
        wanted: &ChangeSetRequest,
    ) -> Result<ChangeSet, CloudError> {
        let compiled = self.admit(wanted, "CreateChangeSet")?;
        let index = self.named(&wanted.stack);
        let index = index.ok_or_else(|| missing(&wanted.stack))?;
        let created = timestamp(self.now);
        let (stack, env) = self
            .stack_and_env(index)
            .ok_or_else(|| missing(&wanted.stack))?;
        ready(stack, "CreateChangeSet")?;
        let name = name(wanted);
        let current = stack.operations;
        stack
            .sets
            .retain(|set| set.name != name || set.operations == current);
        if let Some(known) = stack.sets.iter().find(|set| set.name == name) {
            return Ok(known.answer(stack));
        }
        let setting = &env.setting;
        let mut changes = compute(stack, setting, &compiled, &wanted.parameters, &wanted.tags);
        let reverted = match wanted.comparison {
            Comparison::Template => BTreeSet::new(),
            Comparison::Resources => revert(stack, setting, &compiled, &mut changes),
        };
        let set = SimChangeSet {
            reverted,
            id: id(setting, stack, &name),
            name,
            created,
            compiled,
            parameters: wanted.parameters.clone(),
            tags: wanted.tags.clone(),
            changes,
            operations: current,
        };
        let answer = set.answer(stack);
        if !answer.changes.is_empty() {
            stack.sets.push(set);
        }
        Ok(answer)
    }

    pub(super) fn change_set(&self, set: &str, stack: &str) -> Option<ChangeSet> {
        let stack = self.stacks.get(self.find(stack)?)?;
        let current = |one: &&SimChangeSet| one.id == set && one.operations == stack.operations;
        Some(stack.sets.iter().find(current)?.answer(stack))
    }

    /// Reads a template and sees whether the parameters fit it.
    pub(super) fn admit(
        &mut self,
        wanted: &ChangeSetRequest,
        call: &str,
    ) -> Result<Rc<Compiled>, CloudError> {
        let refused = |message: String| CloudError::Refused {
            operation: format!("{call} of {}", wanted.stack),
            message,
        };
        if !self.received.contains(&wanted.template) {
            self.received.insert(wanted.template.clone());
        }
        let pairs = wanted.parameters.iter().chain(&wanted.tags);
        for (_, value) in pairs {
            if !self.received.contains(value) {
                self.received.insert(value.clone());
            }
        }
        let compiled = self.library.read(&wanted.template).map_err(refused)?;
        compiled.takes(&wanted.parameters).map_err(refused)?;
        let size = wanted.template.len();
        if size > crate::cloud::INLINE && wanted.bucket.is_none() {
            return Err(refused(format!(
                "a template of {size} bytes does not fit into a request, and there is no bucket to send \
                 it through"
            )));
        }
        Ok(compiled)
    }
}

/// Whether an update could begin.
pub(super) fn ready(stack: &Stack, call: &str) -> Result<(), CloudError> {
    use StackStatus as S;
    let status = &stack.live.status;
    if matches!(
        status,
        S::CreateComplete
            | S::CreateFailed
            | S::UpdateComplete
            | S::UpdateFailed
            | S::UpdateRollbackComplete
    ) {
        return Ok(());
    }
    let message = format!(
        "Stack:{} is in {status} state and can not be updated.",
        stack.live.id
    );
    if status.is_in_progress() {
        return Err(CloudError::Conflict(message));
    }
    Err(CloudError::Refused {
        operation: format!("{call} of {}", stack.live.name),
        message,
    })
}

pub(super) fn missing(stack: &str) -> CloudError {
    CloudError::NotFound(format!("stack {stack}"))
}
