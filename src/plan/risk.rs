//! How risky a change is: what happens to resources that hold data, and who may allow it.
//! Takes changes as [`super::normalize`] leaves them.

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::Value;

use super::changes::{self, Loss};
use super::normalize::effect;
use super::offline::StepDraft;
use super::{
    Blocked, Code, PlanDraft, PlanError, Step, removal_policy, resources_of, stack_policy,
};
use crate::catalog::resources::{relied_on, stored_data};
use crate::cloud::{DeletionPolicy, LiveStack, ResourceChange};
use crate::stacks::Stack;

/// What a change does to a resource that holds data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Effect {
    /// The resource stays, its backups do not.
    DropBackups,
    /// Depends on values not known yet.
    MightReplace,
    Replace,
    Remove,
}

/// A change that may lose data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Risk {
    /// As `--allow-data-loss` names it: `STACK/RESOURCE`, and `STACK/RESOURCE.PROPERTY` where the resource stays.
    pub name: String,
    pub logical_id: String,
    pub resource_type: String,
    /// What would be lost.
    pub holds: String,
    pub effect: Effect,
    /// What becomes of the old resource.
    pub policy_action: DeletionPolicy,
    /// The same in words, with what is known of its backups.
    pub becomes: String,
    /// Whether it was named with `--allow-data-loss`.
    pub allowed: bool,
}

/// What a change set does to resources that hold data, or that the stack policy keeps. `before` is the
/// template of today.
///
/// A resource that stays in the account is at risk too: the stack goes on without it, with an empty one
/// or none. Route tables, gateways and security groups are not: they hold nothing, and go only with
/// the VPC or the subnets, which do.
pub fn risks(
    stack: &Stack,
    before: Option<&Value>,
    changes: &[ResourceChange],
    allow: &BTreeSet<String>,
) -> Vec<Risk> {
    let kept = stack_policy::protected_resources(stack.policy.as_ref());
    let relied_on = |change: &ResourceChange| {
        let kept = kept.contains(&change.logical_id);
        kept.then(|| relied_on(&change.resource_type).unwrap_or("what others rely on"))
    };
    let risk = |change: &ResourceChange| {
        let effect = effect(change)?;
        let name = format!("{}/{}", stack.name, change.logical_id);
        let certain = effect > Effect::MightReplace;
        let of_others = || relied_on(change).filter(|_| certain);
        let holds = stored_data(&change.resource_type).or_else(of_others)?;
        let policy_action = removal_policy::of(change, effect, before, &stack.template);
        Some(Risk {
            becomes: removal_policy::words(
                change,
                policy_action,
                before.unwrap_or(&stack.template),
            ),
            policy_action,
            allowed: allow.contains(&name),
            name,
            logical_id: change.logical_id.clone(),
            resource_type: change.resource_type.clone(),
            holds: holds.to_owned(),
            effect,
        })
    };
    changes.iter().filter_map(risk).collect()
}

/// What an update loses of resources that stay; see [`changes::losses`].
pub(super) fn dropped(step: &Step, allow: &BTreeSet<String>) -> Vec<Risk> {
    let risk = |loss: Loss| {
        let name = format!("{}/{}.{}", step.stack.name, loss.logical_id, loss.property);
        Risk {
            allowed: allow.contains(&name),
            name,
            logical_id: loss.logical_id,
            resource_type: loss.resource_type,
            holds: loss.holds,
            effect: Effect::DropBackups,
            policy_action: DeletionPolicy::Delete,
            becomes: loss.becomes,
        }
    };
    changes::losses(step).into_iter().map(risk).collect()
}

impl Risk {
    /// Whether the resource itself goes: the stack policy has to allow that, and so does `protect`.
    pub fn takes_resource(&self) -> bool {
        match self.effect {
            Effect::DropBackups => false,
            Effect::MightReplace | Effect::Replace | Effect::Remove => true,
        }
    }
}

/// Refuses what would lose data, unless every loss is named and the stack is not protected.
pub fn guard(stack: &Stack, found: &LiveStack, risks: &[Risk]) -> Option<Blocked> {
    let open: Vec<&Risk> = risks.iter().filter(|risk| !risk.allowed).collect();
    let protected = (stack.termination_protection || found.termination_protection)
        && risks.iter().any(Risk::takes_resource);
    if risks.is_empty() || (open.is_empty() && !protected) {
        return None;
    }
    let shown: Vec<&Risk> = if open.is_empty() {
        risks.iter().collect()
    } else {
        open
    };
    let reasons: Vec<String> = shown.iter().map(|risk| describe(risk)).collect();
    let flags: Vec<String> = risks
        .iter()
        .map(|risk| format!("--allow-data-loss {}", risk.name))
        .collect();
    let first = if protected {
        "set `protect: false` in the definition and apply that alone, then "
    } else {
        ""
    };
    let flags = flags.join(" ");
    let remedy = format!("undo the change; or, to accept the loss, {first}pass {flags}");
    Some(Blocked::by_guard(
        Code::DataLoss,
        reasons.join("; "),
        remedy,
    ))
}

fn describe(risk: &Risk) -> String {
    let verb = match risk.effect {
        Effect::DropBackups => return format!("{} would delete {}", risk.name, risk.holds),
        Effect::Remove => "would be deleted",
        Effect::Replace => "would be replaced",
        Effect::MightReplace => "might be replaced (CloudFormation can't tell yet)",
    };
    format!("{} {verb}: it holds {}", risk.name, risk.holds)
}

/// What a later answer does that the one shown did not: replacements and removals that are new or
/// graver. Empty when the later answer may be executed in place of the shown one.
pub fn worse(stack: &Stack, shown: &[ResourceChange], now: &[ResourceChange]) -> Vec<String> {
    let was = |id: &str| shown.iter().find(|c| c.logical_id == id).and_then(effect);
    let worse = |change: &&ResourceChange| effect(change) > was(&change.logical_id);
    let text = |change: &ResourceChange| {
        let verb = match effect(change) {
            Some(Effect::Remove) => "delete",
            Some(Effect::Replace) => "replace",
            Some(Effect::MightReplace | Effect::DropBackups) | None => "perhaps replace",
        };
        format!("{verb} {}/{}", stack.name, change.logical_id)
    };
    now.iter().filter(worse).map(text).collect()
}

/// Every name given with `--allow-data-loss` has to name a resource, wanted or found.
pub fn known_names(draft: &PlanDraft, allow: &BTreeSet<String>) -> Result<(), PlanError> {
    let mut names = BTreeSet::new();
    for StepDraft { step, .. } in &draft.steps {
        let templates = [Some(&step.stack.template), step.before.as_ref()];
        for template in templates.into_iter().flatten() {
            names.extend(data_names(&step.stack, template));
        }
    }
    let Some(unknown) = allow.iter().find(|name| !names.contains(*name)) else {
        return Ok(());
    };
    Err(PlanError::UnknownResource {
        name: unknown.clone(),
        cluster: draft.cluster.clone(),
        hint: hint(unknown, &names),
    })
}

fn data_names(stack: &Stack, template: &Value) -> Vec<String> {
    let kept = stack_policy::protected_resources(stack.policy.as_ref());
    let mut resources = resources_of(template);
    resources.retain(|resource| {
        stored_data(&resource.resource_type).is_some() || kept.contains(&resource.logical_id)
    });
    let name = |id: &String| format!("{}/{id}", stack.name);
    let named = resources.iter().flat_map(|resource| {
        let backups = (resource.resource_type == changes::INSTANCE)
            .then(|| format!("{}.{}", name(&resource.logical_id), changes::BACKUPS));
        std::iter::once(name(&resource.logical_id)).chain(backups)
    });
    named.collect()
}

/// The nearest name, or all of them.
fn hint(unknown: &str, names: &BTreeSet<String>) -> String {
    // Two resources of one cluster are alike to 0.8 by their names' beginning alone.
    const NEAR: f64 = 0.93;
    let likeness = |name: &String| strsim::jaro_winkler(unknown, name);
    let nearest = names
        .iter()
        .max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
    match nearest {
        Some(name) if likeness(name) >= NEAR => format!("did you mean {name}?"),
        _ if names.is_empty() => "none of them holds data".to_owned(),
        _ => {
            let all: Vec<&str> = names.iter().map(String::as_str).collect();
            format!("those that hold data: {}", all.join(", "))
        }
    }
}
