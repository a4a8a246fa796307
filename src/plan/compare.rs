//! Comparing without asking anybody: is a found stack what is wanted, and which properties differ
//! between two templates. Knows nothing of what a difference means.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::cloud::LiveStack;
use crate::stacks::Stack;
use crate::templates::graph::collect;

/// Whether a stack already is what is wanted: template, tags and every parameter.
pub fn same(
    stack: &Stack,
    found: &LiveStack,
    template: Option<&Value>,
    parameters: &BTreeMap<String, String>,
) -> bool {
    template == Some(&stack.template)
        && same_tags(stack, found)
        && moved(&stack.template, &found.parameters, parameters).is_empty()
}

fn same_tags(stack: &Stack, found: &LiveStack) -> bool {
    let ours = found
        .tags
        .iter()
        .filter(|(key, _)| !key.starts_with("aws:"));
    ours.eq(stack.tags.iter())
}

/// Parameters whose value differs; one that is not given has its default.
pub fn moved(
    template: &Value,
    before: &BTreeMap<String, String>,
    after: &BTreeMap<String, String>,
) -> BTreeSet<String> {
    let default = |name: &str| match template.get("Parameters")?.get(name)?.get("Default")? {
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    };
    let differs = |name: &&String| {
        let wanted = after.get(*name).cloned().or_else(|| default(name));
        before.get(*name) != wanted.as_ref()
    };
    before
        .keys()
        .chain(after.keys())
        .filter(differs)
        .cloned()
        .collect()
}

/// Two templates of a stack and the parameters that move between them.
#[derive(Debug, Clone, Copy)]
pub struct TemplatePair<'a> {
    pub before: &'a Value,
    pub after: &'a Value,
    pub moved: &'a BTreeSet<String>,
}

impl TemplatePair<'_> {
    /// Whether a property of a resource differs: its text, or a parameter in it. `path` has dots.
    pub fn differ(&self, logical_id: &str, path: &str) -> bool {
        let before = property(self.before, logical_id, path);
        let after = property(self.after, logical_id, path);
        before != after || after.is_some_and(|value| mentions(value, self.moved))
    }

    /// Whether the template has a group of machines replaced for every new launch template.
    pub fn replaces_groups(&self, logical_id: &str) -> bool {
        let policy = &self.after["Resources"][logical_id]["UpdatePolicy"];
        !policy["AutoScalingReplacingUpdate"].is_null()
    }

    /// The value of a property before and after, where it is plain.
    pub fn plain(&self, logical_id: &str, path: &str) -> (Option<String>, Option<String>) {
        let text = |template| property(template, logical_id, path).and_then(scalar);
        (text(self.before), text(self.after))
    }
}

fn property<'a>(template: &'a Value, logical_id: &str, path: &str) -> Option<&'a Value> {
    let properties = template
        .get("Resources")?
        .get(logical_id)?
        .get("Properties")?;
    path.split('.')
        .try_fold(properties, |value, key| value.get(key))
}

/// The text of a plain value.
pub(super) fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(_) | Value::Number(_) => Some(value.to_string()),
        _ => None,
    }
}

/// Whether a value refers to one of these parameters.
fn mentions(value: &Value, names: &BTreeSet<String>) -> bool {
    let mut mentioned = BTreeSet::new();
    collect(value, &mut mentioned);
    !mentioned.is_disjoint(names)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn values(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        let own = |(k, v): &(&str, &str)| ((*k).to_owned(), (*v).to_owned());
        pairs.iter().map(own).collect()
    }

    #[test]
    fn parameter_at_its_default_is_unchanged() {
        let template = json!({"Parameters": {"Size": {"Type": "Number", "Default": 3}}});
        assert!(moved(&template, &values(&[("Size", "3")]), &values(&[])).is_empty());
        assert!(!moved(&template, &values(&[("Size", "4")]), &values(&[])).is_empty());
        assert!(!moved(&template, &values(&[]), &values(&[("New", "1")])).is_empty());
    }

    #[test]
    fn property_differs_by_text_or_parameter() {
        let before = json!({"Resources": {"Db": {"Properties": {
            "DBName": "a", "Port": {"Ref": "Port"}, "Net": {"Kind": {"Fn::Sub": "${Zone}-x"}}}}}});
        let mut after = before.clone();
        after["Resources"]["Db"]["Properties"]["DBName"] = json!("b");
        let none = BTreeSet::new();
        let templates = TemplatePair {
            before: &before,
            after: &after,
            moved: &none,
        };
        assert!(templates.differ("Db", "DBName"));
        assert_eq!(
            templates.plain("Db", "DBName"),
            (Some("a".into()), Some("b".into()))
        );
        assert!(!templates.differ("Db", "Port"));
        assert!(!templates.differ("Db", "Net.Kind"));
        let moved = BTreeSet::from(["Port".to_owned(), "Zone".to_owned()]);
        let templates = TemplatePair {
            moved: &moved,
            ..templates
        };
        assert!(templates.differ("Db", "Port"));
        assert!(templates.differ("Db", "Net.Kind"));
    }
}
