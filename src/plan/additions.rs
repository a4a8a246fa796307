//! What the tool adds to no cluster, although AWS would take it: machines that can't work, more of them than there are
//! addresses, a name that gives too much. A cluster that has it already stays as it is, with a warning. Pure.

use serde_json::Value;

use super::engines::living_template;
use super::{Blocked, Code, Survey};
use crate::spec::rules::{Addition, RuleWarning, WarningCode};
use crate::stacks::{Stack, StackKind};

/// What is refused of what a definition adds, by stack. `place` names a field's place in the definition.
pub fn refused(
    broken: &[(Addition, RuleWarning)],
    stacks: &[Stack],
    survey: &Survey,
    place: &dyn Fn(&str) -> String,
) -> Vec<(StackKind, Blocked)> {
    let refusal = |(addition, rule): &(Addition, RuleWarning)| {
        let kind = added(addition, stacks, survey)?;
        let RuleWarning { at, what, help, .. } = rule;
        let next = format!("{help} (`{at}` in {})", place(at));
        Some((kind, Blocked::by_guard(code(rule.code)?, what, next)))
    };
    broken.iter().filter_map(refusal).collect()
}

fn code(of: WarningCode) -> Option<Code> {
    match of {
        WarningCode::ClusterName => Some(Code::ClusterName),
        WarningCode::MachineUnfit => Some(Code::MachineUnfit),
        WarningCode::SubnetsTooSmall => Some(Code::SubnetsTooSmall),
        WarningCode::RegionUnknown
        | WarningCode::NetworkCidrOverlap
        | WarningCode::ApiOpenToInternet
        | WarningCode::InstanceTypeUnknown
        | WarningCode::EngineVersionRetired
        | WarningCode::EngineVersionUnknown => None,
    }
}

/// The stack in which it is new; `None` where all of it is there.
fn added(addition: &Addition, stacks: &[Stack], survey: &Survey) -> Option<StackKind> {
    let template = |kind: &StackKind| {
        let stack = stacks.iter().find(|stack| stack.kind == *kind)?;
        living_template(stack, survey)
    };
    match addition {
        Addition::Cluster => Some(StackKind::Base).filter(|kind| template(kind).is_none()),
        Addition::Machines {
            pool,
            instance_type,
        } => {
            let kind = match pool {
                None => StackKind::ControlPlane,
                Some(pool) => StackKind::Pool(pool.clone()),
            };
            let has = |template| names_type(template, instance_type);
            Some(kind).filter(|kind| !template(kind).is_some_and(has))
        }
        Addition::Growth => {
            let pools = stacks.iter();
            let mut pools = pools.filter(|stack| matches!(stack.kind, StackKind::Pool(_)));
            let grows = |stack: &&Stack| {
                let had = living_template(stack, survey).map_or(0, most);
                had < most(&stack.template)
            };
            pools.find(grows).map(|stack| stack.kind.clone())
        }
    }
}

/// Whether a template starts machines of this type.
fn names_type(template: &Value, name: &str) -> bool {
    match template {
        Value::Object(fields) => fields.iter().any(|(key, value)| {
            (key == "InstanceType" && value == name) || names_type(value, name)
        }),
        Value::Array(items) => items.iter().any(|item| names_type(item, name)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

/// The most machines that the groups of a template may have.
fn most(template: &Value) -> u64 {
    let resources = template["Resources"].as_object().into_iter().flatten();
    let sizes = resources.filter_map(|(_, body)| {
        let size = &body["Properties"]["MaxSize"];
        size.as_u64().or_else(|| size.as_str()?.parse().ok())
    });
    sizes.sum()
}
