//! Which properties of a resource differ, and whether a difference replaces the resource. Pure.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::catalog::resources::create_only;
use crate::cloud::{PropertyChange, Replacement};
use crate::templates::evaluate::{UNKNOWN, text};

/// The properties that differ, with what each does to the resource. Paths begin with `Properties`.
pub fn differences(resource_type: &str, before: &Value, after: &Value) -> Vec<PropertyChange> {
    let mut found = Vec::new();
    differ("Properties", Some(before), Some(after), &mut found);
    for change in &mut found {
        change.recreates = recreates(resource_type, change);
    }
    found
}

fn differ(
    path: &str,
    before: Option<&Value>,
    after: Option<&Value>,
    into: &mut Vec<PropertyChange>,
) {
    match (before, after) {
        (Some(before), Some(after)) if before == after => {}
        (Some(Value::Object(one)), Some(Value::Object(other))) => {
            let keys: BTreeSet<&String> = one.keys().chain(other.keys()).collect();
            for key in keys {
                differ(&format!("{path}.{key}"), one.get(key), other.get(key), into);
            }
        }
        (Some(Value::Array(one)), Some(Value::Array(other))) if one.len() == other.len() => {
            for (index, (before, after)) in one.iter().zip(other).enumerate() {
                differ(&format!("{path}.{index}"), Some(before), Some(after), into);
            }
        }
        // `"30"` and `30` are the same to CloudFormation.
        (Some(before), Some(after)) if text(before) == text(after) => {}
        (before, after) => into.push(PropertyChange {
            path: path.to_owned(),
            before: before.map(text),
            after: after.map(text),
            recreates: Replacement::No,
            cause: None,
        }),
    }
}

fn recreates(resource_type: &str, change: &PropertyChange) -> Replacement {
    let Some(table) = create_only(resource_type) else {
        return Replacement::No;
    };
    let path = change.path.strip_prefix("Properties.").unwrap_or_default();
    let covers = |name: &String| {
        path.strip_prefix(name.as_str())
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    let unknown = change.after.as_ref().is_some_and(|v| v.contains(UNKNOWN));
    if table.create_only.iter().any(covers) {
        if unknown {
            Replacement::Might
        } else {
            Replacement::Yes
        }
    } else if table.conditional_create_only.iter().any(covers) {
        Replacement::Might
    } else {
        Replacement::No
    }
}
