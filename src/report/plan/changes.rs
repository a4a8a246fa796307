//! The changes of a stack as data and in words: what a property was and becomes, which field of the
//! definition is behind it.

use std::cell::RefCell;
use std::collections::BTreeMap;

use serde::Serialize;

use crate::cloud::{
    ChangeAction, DeletionPolicy, Finding, PropertyChange, Replacement, ResourceChange,
};
use crate::common::text::one_line;
use crate::definition::Defined;
use crate::plan::{Risk, Step};

/// How many fields of the definition are named beside a change; `-o json` has them all.
const NAMED: usize = 2;

/// A change of a resource.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ChangeView<'a> {
    pub sentence: String,
    pub logical_id: &'a str,
    pub physical_id: Option<&'a str>,
    pub resource_type: &'a str,
    pub action: &'a ChangeAction,
    pub replacement: Replacement,
    pub policy_action: Option<DeletionPolicy>,
    pub properties: Vec<PropertyView<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PropertyView<'a> {
    #[serde(flatten)]
    pub change: &'a PropertyChange,
    /// What decides the value, which is not known yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub known_after: Option<String>,
    /// Fields of the definition that decide it, with their place, the most specific first.
    pub fields: Vec<String>,
}

/// Where changes come from.
pub(super) struct Causes<'a> {
    defined: &'a Defined,
    /// A field's place is looked up in the file once.
    known: RefCell<BTreeMap<String, String>>,
}

impl<'a> Causes<'a> {
    pub fn new(defined: &'a Defined) -> Self {
        Self {
            defined,
            known: RefCell::default(),
        }
    }

    /// The fields behind a property. One that follows another resource has that one's.
    fn property(&self, step: &Step, id: &str, property: &PropertyChange) -> Vec<String> {
        let changes = step.change_set().map_or(&[][..], |set| &set.changes);
        let leader = property.cause.as_deref().and_then(|cause| {
            let name = cause.split('.').next()?;
            changes.iter().find(|c| c.logical_id == name && name != id)
        });
        let mut fields = Vec::new();
        match leader {
            None => fields = step.stack.fields(id, Some(&property.path)),
            Some(leader) => {
                let paths = leader.properties.iter().filter(|p| p.cause.is_none());
                for path in paths.map(|p| p.path.as_str()) {
                    fields.extend(step.stack.fields(&leader.logical_id, Some(path)));
                }
                let mut seen = Vec::new();
                fields.retain(|field| {
                    let new = !seen.contains(field);
                    seen.push(field.clone());
                    new
                });
            }
        }
        self.placed(fields)
    }

    /// The fields behind what early validation found.
    pub fn finding(&self, step: &Step, finding: &Finding) -> Vec<String> {
        let id = finding.logical_id.as_deref();
        let fields = id.map(|id| step.stack.fields(id, finding.path.as_deref()));
        self.placed(fields.unwrap_or_default())
    }

    fn placed(&self, fields: Vec<String>) -> Vec<String> {
        let mut known = self.known.borrow_mut();
        let placed = |field: String| {
            let place = known.entry(field);
            place
                .or_insert_with_key(|field| self.defined.field(field))
                .clone()
        };
        fields.into_iter().map(placed).collect()
    }
}

/// The changes of a step. A change of a resource's description is left out: it follows from the others.
pub(super) fn views<'a>(step: &'a Step, causes: &Causes<'_>) -> Vec<ChangeView<'a>> {
    let changes = step.change_set().map_or(&[][..], |set| &set.changes);
    let property = |change: &ResourceChange, property: &'a PropertyChange| PropertyView {
        known_after: step.producer(property),
        fields: causes.property(step, &change.logical_id, property),
        change: property,
    };
    let view = |change: &'a ResourceChange| ChangeView {
        sentence: step.description(&change.logical_id),
        logical_id: &change.logical_id,
        physical_id: change.physical_id.as_deref(),
        resource_type: &change.resource_type,
        action: &change.action,
        replacement: change.replacement,
        policy_action: change.deletion_policy,
        properties: change
            .properties
            .iter()
            .filter(|property| property.path != "Metadata")
            .map(|one| property(change, one))
            .collect(),
    };
    changes.iter().map(view).collect()
}

/// What happens to a resource: its mark, and the same in words.
pub(super) fn action_words(change: &ChangeView<'_>) -> (&'static str, String) {
    match (change.action, change.replacement) {
        (ChangeAction::Add, _) => ("+", "added".to_owned()),
        (ChangeAction::Remove, _) => ("-", "removed".to_owned()),
        (ChangeAction::Other(word), _) if word == "SyncWithActual" => (
            "=",
            "as defined already; CloudFormation notes it".to_owned(),
        ),
        (ChangeAction::Other(word), _) => ("?", word.to_lowercase()),
        (ChangeAction::Modify, Replacement::Yes) => ("-/+", "REPLACED".to_owned()),
        (ChangeAction::Modify, Replacement::Might) => ("-/+?", "might be replaced".to_owned()),
        (ChangeAction::Modify, Replacement::No) => ("~", "in place".to_owned()),
    }
}

/// The properties of a change, a line each; the field behind several of them once, after the last.
pub(super) fn property_lines(change: &ChangeView<'_>) -> Vec<String> {
    let mut lines = Vec::new();
    for (n, property) in change.properties.iter().enumerate() {
        lines.push(property_words(property));
        let next = change.properties.get(n + 1);
        if next.is_none_or(|next| next.fields != property.fields) {
            lines.extend(fields_words(&property.fields));
        }
    }
    lines
}

/// `  by database.instanceClass (clusters/canary.yaml:21)`.
pub(super) fn fields_words(fields: &[String]) -> Option<String> {
    let (named, more) = fields.split_at(fields.len().min(NAMED));
    let more = match more.len() {
        0 => String::new(),
        n => format!(" or {n} more"),
    };
    (!named.is_empty()).then(|| format!("  by {}{more}", named.join(" or ")))
}

fn property_words(property: &PropertyView<'_>) -> String {
    let change = property.change;
    let path = plain(&change.path);
    let after = match &property.known_after {
        Some(producer) => Some(format!("known after {producer}")),
        None => change.after.clone(),
    };
    let values = match (&change.before, after) {
        // In base64 the difference can't be read.
        (Some(_), Some(_)) if path.ends_with("UserData") => ": the boot script changes".to_owned(),
        (Some(before), Some(after)) => format!(": {}", between(before, &after)),
        (None, Some(after)) => format!(": -> {}", short(&after)),
        (Some(before), None) => format!(": was {}", short(before)),
        (None, None) => String::new(),
    };
    let recreates = match change.recreates {
        Replacement::No => "",
        Replacement::Might => "  # might force replacement",
        Replacement::Yes => "  # forces replacement",
    };
    let cause = match (&property.known_after, &change.cause) {
        (None, Some(cause)) => format!("  (from {cause})"),
        _ => String::new(),
    };
    format!("{path}{values}{recreates}{cause}")
}

/// What is lost with a change, or may be.
pub(super) fn risk_words(risk: &Risk) -> String {
    let allowed = if risk.allowed {
        " (allowed by --allow-data-loss)"
    } else {
        ""
    };
    format!("at stake: {}; {}{allowed}", risk.holds, risk.becomes)
}

pub(super) fn plain(path: &str) -> &str {
    path.strip_prefix("Properties.").unwrap_or(path)
}

/// The longest value that is shown whole, in characters.
const LONGEST: usize = 60;

/// A value on one line; long ones (user data, policies) are cut.
pub(super) fn short(value: &str) -> String {
    let line = one_line(value);
    if line.chars().count() <= LONGEST {
        return line;
    }
    let head: String = line.chars().take(LONGEST - 1).collect();
    format!("{head}…")
}

/// Two values beside each other; long ones from shortly before their difference.
fn between(before: &str, after: &str) -> String {
    let (before, after) = cut(before, after);
    format!("{before} -> {after}")
}

/// Two values, long ones from shortly before their difference.
pub(super) fn cut(before: &str, after: &str) -> (String, String) {
    const LEAD: usize = 16;
    let (before, after) = (one_line(before), one_line(after));
    let same = before
        .chars()
        .zip(after.chars())
        .take_while(|(a, b)| a == b);
    let skip = same.count().saturating_sub(LEAD);
    let cut = |value: &str| {
        if skip == 0 || value.chars().count() <= LONGEST {
            return short(value);
        }
        let rest: String = value.chars().skip(skip).collect();
        format!("…{}", short(&rest))
    };
    (cut(&before), cut(&after))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_values_are_cut_to_their_difference() {
        assert_eq!(between("a", "b"), "a -> b");
        let long = |end: &str| format!("{}{end}", "[same] ".repeat(20));
        let text = between(&long("1, and the rest"), &long("2, and the rest"));
        assert_eq!(
            text,
            "…] [same] [same] 1, and the rest -> …] [same] [same] 2, and the rest"
        );
        assert!(between(&"x".repeat(80), "y").starts_with(&"x".repeat(59)));
    }
}
