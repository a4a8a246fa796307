//! How risky a change is: what happens to resources that hold data, and who may allow it.
//! The stricter of what CloudFormation says and what the catalogue knows holds.

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::Value;

use super::compare::Templates;
use super::{Blocked, Draft, PlanError, policy, resources_of};
use crate::catalog::resources::{create_only, holds};
use crate::cloud::{ChangeAction, FoundStack, PropertyChange, Replacement, ResourceChange};
use crate::stacks::Stack;

/// What CloudFormation writes for a value that it does not know yet.
const UNKNOWN_VALUE: &str = "KNOWN_AFTER_APPLY";

/// What is lost with a resource that holds no data, but that the stack policy keeps all the same.
const RELIED_ON: &str = "an address or a name that others rely on";

/// What a change does to a resource that holds data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Effect {
    /// Depends on values not known yet.
    MightReplace,
    Replace,
    Remove,
}

/// A change that may lose data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Risk {
    /// As `--allow-data-loss` names it: `STACK/RESOURCE`.
    pub name: String,
    pub logical_id: String,
    pub resource_type: String,
    /// What would be lost.
    pub holds: &'static str,
    pub effect: Effect,
    /// Whether it was named with `--allow-data-loss`.
    pub allowed: bool,
}

/// Brings CloudFormation's answer in order: a replacement that hangs on unknown values alone is a
/// "might", a changed create-only property is a "yes", and the gravest changes come first.
pub fn sharpen(changes: &mut [ResourceChange], templates: Option<Templates<'_>>) {
    for change in changes.iter_mut() {
        soften_unknown(change);
        if let Some(templates) = templates {
            add_create_only(change, templates);
        }
        change.properties.sort_by(|a, b| a.path.cmp(&b.path));
    }
    changes.sort_by(|a, b| {
        let order = |change: &ResourceChange| std::cmp::Reverse(gravity(change));
        order(a)
            .cmp(&order(b))
            .then_with(|| a.logical_id.cmp(&b.logical_id))
    });
}

/// CloudFormation says "replace" for a create-only property even where its new value is not known
/// yet and may turn out the same.
fn soften_unknown(change: &mut ResourceChange) {
    let unknown = |property: &PropertyChange| {
        let after = property.after.as_deref();
        after.is_some_and(|after| after.contains(UNKNOWN_VALUE))
    };
    for property in &mut change.properties {
        if unknown(property) {
            property.recreates = property.recreates.min(Replacement::Might);
        }
    }
    let mut causes = change
        .properties
        .iter()
        .filter(|p| p.recreates != Replacement::No)
        .peekable();
    if change.replacement == Replacement::Yes && causes.peek().is_some() && causes.all(unknown) {
        change.replacement = Replacement::Might;
    }
}

fn add_create_only(change: &mut ResourceChange, templates: Templates<'_>) {
    let Some(known) = create_only(&change.resource_type) else {
        return;
    };
    if change.action != ChangeAction::Modify {
        return;
    }
    for name in &known.create_only {
        if !templates.differ(&change.logical_id, name) {
            continue;
        }
        change.replacement = Replacement::Yes;
        let path = format!("Properties.{name}");
        let (before, after) = templates.plain(&change.logical_id, name);
        if let Some(property) = change.properties.iter_mut().find(|p| p.path == path) {
            property.recreates = Replacement::Yes;
            continue;
        }
        change.properties.push(PropertyChange {
            path,
            before,
            after,
            recreates: Replacement::Yes,
            cause: None,
        });
    }
}

/// 0 for what is added, 4 for what goes away.
fn gravity(change: &ResourceChange) -> u8 {
    match (&change.action, change.replacement) {
        (ChangeAction::Remove, _) => 4,
        (ChangeAction::Add, _) => 0,
        (_, Replacement::Yes) => 3,
        (_, Replacement::Might) => 2,
        (_, Replacement::No) => 1,
    }
}

/// What a change set does to resources that hold data, or that the stack policy keeps.
pub fn risks(stack: &Stack, changes: &[ResourceChange], allow: &BTreeSet<String>) -> Vec<Risk> {
    let kept = stack.policy.as_ref().map(policy::kept).unwrap_or_default();
    let risk = |change: &ResourceChange| {
        let effect = match gravity(change) {
            4 => Effect::Remove,
            3 => Effect::Replace,
            2 => Effect::MightReplace,
            _ => return None,
        };
        let name = format!("{}/{}", stack.name, change.logical_id);
        let relied_on = effect > Effect::MightReplace && kept.contains(&change.logical_id);
        Some(Risk {
            allowed: allow.contains(&name),
            name,
            logical_id: change.logical_id.clone(),
            resource_type: change.resource_type.clone(),
            holds: holds(&change.resource_type).or(relied_on.then_some(RELIED_ON))?,
            effect,
        })
    };
    changes.iter().filter_map(risk).collect()
}

/// Refuses what would lose data, unless every loss is named and the stack is not protected.
pub fn guard(stack: &Stack, found: &FoundStack, risks: &[Risk]) -> Option<Blocked> {
    let open: Vec<&Risk> = risks.iter().filter(|risk| !risk.allowed).collect();
    let protected = stack.termination_protection || found.termination_protection;
    if risks.is_empty() || (open.is_empty() && !protected) {
        return None;
    }
    let shown: Vec<&Risk> = if open.is_empty() {
        risks.iter().collect()
    } else {
        open
    };
    let told: Vec<String> = shown.iter().map(|risk| sentence(risk)).collect();
    let flags: Vec<String> = risks
        .iter()
        .map(|risk| format!("--allow-data-loss {}", risk.name))
        .collect();
    let first = if protected {
        "set `protect: false` in the definition and apply that alone, "
    } else {
        ""
    };
    Some(Blocked {
        reason: told.join("; "),
        next: format!(
            "take the change back; or, if the data may go, {first}then give {}",
            flags.join(" ")
        ),
        guard: true,
    })
}

fn sentence(risk: &Risk) -> String {
    let verb = match risk.effect {
        Effect::Remove => "would be deleted",
        Effect::Replace => "would be replaced",
        Effect::MightReplace => "might be replaced (it depends on values not known yet)",
    };
    format!("{} {verb}: it holds {}", risk.name, risk.holds)
}

/// What a later answer does that the one shown did not: replacements and removals that are new or
/// graver. Empty when the later answer may be executed in place of the shown one.
pub fn worse(stack: &Stack, shown: &[ResourceChange], now: &[ResourceChange]) -> Vec<String> {
    let was = |id: &str| shown.iter().find(|c| c.logical_id == id).map_or(0, gravity);
    now.iter()
        .filter(|change| gravity(change) > 1 && gravity(change) > was(&change.logical_id))
        .map(|change| {
            let verb = match gravity(change) {
                4 => "delete",
                3 => "replace",
                _ => "perhaps replace",
            };
            format!("{verb} {}/{}", stack.name, change.logical_id)
        })
        .collect()
}

/// Every name given with `--allow-data-loss` has to name a resource, wanted or found.
pub fn known_names(draft: &Draft, allow: &BTreeSet<String>) -> Result<(), PlanError> {
    let mut names = BTreeSet::new();
    for step in &draft.steps {
        let templates = [Some(&step.stack.template), step.before.as_ref()];
        for template in templates.into_iter().flatten() {
            names.extend(data_names(&step.stack, template));
        }
    }
    let Some(stranger) = allow.iter().find(|name| !names.contains(*name)) else {
        return Ok(());
    };
    Err(PlanError::UnknownResource {
        name: stranger.clone(),
        cluster: draft.cluster.clone(),
        hint: hint(stranger, &names),
    })
}

fn data_names(stack: &Stack, template: &Value) -> Vec<String> {
    let kept = stack.policy.as_ref().map(policy::kept).unwrap_or_default();
    let mut resources = resources_of(template);
    resources.retain(|resource| {
        holds(&resource.resource_type).is_some() || kept.contains(&resource.logical_id)
    });
    let name = |id: &String| format!("{}/{id}", stack.name);
    resources.iter().map(|r| name(&r.logical_id)).collect()
}

/// The nearest name, or all of them.
fn hint(stranger: &str, names: &BTreeSet<String>) -> String {
    const NEAR: f64 = 0.7;
    let likeness = |name: &String| strsim::jaro_winkler(stranger, name);
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

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn change(id: &str, of_type: &str, replacement: Replacement) -> ResourceChange {
        ResourceChange {
            logical_id: id.to_owned(),
            physical_id: None,
            resource_type: of_type.to_owned(),
            action: ChangeAction::Modify,
            replacement,
            properties: Vec::new(),
        }
    }

    fn property(path: &str, after: &str, recreates: Replacement) -> PropertyChange {
        PropertyChange {
            path: path.to_owned(),
            before: None,
            after: Some(after.to_owned()),
            recreates,
            cause: None,
        }
    }

    #[test]
    fn a_replacement_that_hangs_on_unknown_values_alone_is_a_might() {
        let unknown = property(
            "Properties.A",
            "{{changeSet:KNOWN_AFTER_APPLY}}",
            Replacement::Yes,
        );
        let known = property("Properties.B", "x", Replacement::Yes);
        let mut alone = change("X", "AWS::X", Replacement::Yes);
        alone.properties = vec![unknown.clone(), property("Tags", "x", Replacement::No)];
        let mut mixed = change("Y", "AWS::X", Replacement::Yes);
        mixed.properties = vec![unknown, known];
        let silent = change("Z", "AWS::X", Replacement::Yes);
        let mut all = [alone, mixed, silent];
        sharpen(&mut all, None);
        let word = |id: &str| {
            all.iter()
                .find(|c| c.logical_id == id)
                .map(|c| c.replacement)
        };
        assert_eq!(word("X"), Some(Replacement::Might));
        assert_eq!(word("Y"), Some(Replacement::Yes));
        assert_eq!(word("Z"), Some(Replacement::Yes));
    }

    #[test]
    fn a_parameter_that_moves_replaces_through_a_create_only_property() {
        let template = json!({"Resources": {"Net": {"Type": "AWS::EC2::Subnet", "Properties": {
            "VpcId": {"Ref": "VpcId"}, "MapPublicIpOnLaunch": {"Ref": "Public"}}}}});
        let word = |parameter: &str| {
            let moved = BTreeSet::from([parameter.to_owned()]);
            let templates = Templates {
                before: &template,
                after: &template,
                moved: &moved,
            };
            let mut all = [change("Net", "AWS::EC2::Subnet", Replacement::No)];
            sharpen(&mut all, Some(templates));
            all[0].replacement
        };
        assert_eq!(word("VpcId"), Replacement::Yes);
        assert_eq!(word("Public"), Replacement::No);
    }

    #[test]
    fn the_gravest_change_comes_first() {
        let mut add = change("A", "AWS::X", Replacement::Yes);
        add.action = ChangeAction::Add;
        let mut remove = change("Z", "AWS::X", Replacement::No);
        remove.action = ChangeAction::Remove;
        let mut all = vec![
            add,
            change("C", "AWS::X", Replacement::No),
            change("B", "AWS::X", Replacement::No),
            change("D", "AWS::X", Replacement::Might),
            remove,
            change("E", "AWS::X", Replacement::Yes),
        ];
        sharpen(&mut all, None);
        let order: Vec<&str> = all.iter().map(|c| c.logical_id.as_str()).collect();
        assert_eq!(order, ["Z", "E", "D", "B", "C", "A"]);
    }
}
