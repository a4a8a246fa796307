//! A template read once: its resources, what each needs and how long it takes. Refuses what
//! `CloudFormation` refuses at the door.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::rc::Rc;

use serde_json::Value;

use super::changes::{of_type, policy_when_removed, policy_when_replaced};
use super::timing::{self, Typical};
use crate::catalog::durations::Operation;
use crate::cloud::DeletionPolicy;
use crate::templates::graph::{self, longest};
use crate::templates::unresolved::unresolved;

/// Templates that were read already. Clones share what they know, so that many clouds of one test
/// read a template once.
#[derive(Clone, Default)]
pub struct Library(Rc<RefCell<HashMap<String, Rc<Compiled>>>>);

impl std::fmt::Debug for Library {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Library of {}", self.0.borrow().len())
    }
}

/// A template, ready for use.
#[derive(Debug, Default)]
pub(super) struct Compiled {
    pub(super) template: Value,
    /// In the template's order.
    pub(super) items: Vec<Item>,
    pub(super) index: HashMap<String, usize>,
    /// Parameters that have to be given.
    required: BTreeSet<String>,
    declared: BTreeSet<String>,
}

/// A resource of a template.
#[derive(Debug)]
pub(super) struct Item {
    pub(super) id: String,
    pub(super) of_type: String,
    /// The resources that have to be there before, by index.
    pub(super) needs: Vec<usize>,
    /// The parameters that its properties refer to.
    pub(super) parameters: Vec<String>,
    pub(super) create: Typical,
    pub(super) update: Typical,
    pub(super) delete: Typical,
    /// Seconds after which it gives up waiting for signals, and how many it waits for.
    pub(super) signals: Option<(f64, u64)>,
    pub(super) when_removed: DeletionPolicy,
    pub(super) when_replaced: DeletionPolicy,
}

impl Library {
    /// Reads a template, or remembers it.
    pub(super) fn read(&self, text: &str) -> Result<Rc<Compiled>, String> {
        if let Some(known) = self.0.borrow().get(text) {
            return Ok(Rc::clone(known));
        }
        let compiled = Rc::new(Compiled::new(text)?);
        let mut known = self.0.borrow_mut();
        known.insert(text.to_owned(), Rc::clone(&compiled));
        Ok(compiled)
    }
}

impl Compiled {
    fn new(text: &str) -> Result<Self, String> {
        let template: Value = serde_json::from_str(text)
            .map_err(|error| format!("Template format error: JSON not well-formed. ({error})"))?;
        let resources = template.get("Resources").and_then(Value::as_object);
        let Some(resources) = resources.filter(|resources| !resources.is_empty()) else {
            return Err(
                "Template format error: At least one Resources member must be defined.".to_owned(),
            );
        };
        let declared = names(&template, "Parameters");
        let index: HashMap<String, usize> = resources
            .keys()
            .enumerate()
            .map(|(at, id)| (id.clone(), at))
            .collect();
        let unresolved = unresolved(&template);
        if !unresolved.is_empty() {
            let names: BTreeSet<&str> = unresolved.iter().map(|one| one.name).collect();
            let names: Vec<&str> = names.into_iter().collect();
            return Err(format!(
                "Template format error: Unresolved resource dependencies [{}] in the Resources block of the template",
                names.join(", ")
            ));
        }
        let needs = graph::needs(&template);
        if let Some(circle) = circle(&needs) {
            return Err(format!("Circular dependency between resources: [{circle}]"));
        }
        let items = resources.iter().map(|(id, body)| {
            let needed = needs.get(id).into_iter().flatten();
            let needed = needed.filter_map(|need| index.get(need).copied());
            Item::new(id, body, needed.collect(), &declared)
        });
        let items = items.collect();
        let required = declared.iter().filter(|name| {
            let parameter = template.get("Parameters").and_then(|all| all.get(*name));
            parameter.is_some_and(|parameter| parameter.get("Default").is_none())
        });
        Ok(Self {
            required: required.cloned().collect(),
            items,
            index,
            declared,
            template,
        })
    }

    /// Whether these parameters fit the template.
    pub(super) fn takes(&self, given: &BTreeMap<String, String>) -> Result<(), String> {
        let missing = self
            .required
            .iter()
            .filter(|name| !given.contains_key(*name));
        let missing: Vec<_> = missing.map(String::as_str).collect();
        if !missing.is_empty() {
            return Err(format!(
                "Parameters: [{}] must have values",
                missing.join(", ")
            ));
        }
        let foreign = given.keys().filter(|name| !self.declared.contains(*name));
        let foreign: Vec<_> = foreign.map(String::as_str).collect();
        if !foreign.is_empty() {
            return Err(format!(
                "Parameters: [{}] do not exist in the template",
                foreign.join(", ")
            ));
        }
        Ok(())
    }

    pub(super) fn item(&self, id: &str) -> Option<&Item> {
        self.items.get(*self.index.get(id)?)
    }

    pub(super) fn body(&self, id: &str) -> &Value {
        let body = self.template.get("Resources").and_then(|all| all.get(id));
        body.unwrap_or(&Value::Null)
    }
}

impl Item {
    fn new(id: &str, body: &Value, needs: Vec<usize>, declared: &BTreeSet<String>) -> Self {
        let of_type = of_type(body).to_owned();
        let mut named = BTreeSet::new();
        graph::collect(body.get("Properties").unwrap_or(&Value::Null), &mut named);
        named.retain(|name| declared.contains(name));
        Self {
            id: id.to_owned(),
            needs,
            parameters: named.into_iter().collect(),
            create: timing::of(Operation::Create, body),
            update: timing::of(Operation::Update, body),
            delete: timing::of(Operation::Delete, body),
            signals: signals(body),
            when_removed: policy_when_removed(body),
            when_replaced: policy_when_replaced(body),
            of_type,
        }
    }

    pub(super) fn typical(&self, operation: Operation) -> Typical {
        match operation {
            Operation::Create => self.create,
            Operation::Update => self.update,
            Operation::Delete => self.delete,
        }
    }
}

/// `true`, written either way.
pub(super) fn is_true(value: &Value) -> bool {
    value.as_bool() == Some(true) || value.as_str() == Some("true")
}

fn signals(body: &Value) -> Option<(f64, u64)> {
    let signal = body.pointer("/CreationPolicy/ResourceSignal")?;
    let count = signal.get("Count").and_then(Value::as_u64).unwrap_or(1);
    let timeout = signal.get("Timeout").and_then(Value::as_str);
    Some((timeout.map_or(300.0, seconds), count))
}

/// Seconds of an ISO 8601 duration like `PT1H25M`; five minutes where it can't be read.
fn seconds(text: &str) -> f64 {
    let span: Result<jiff::Span, _> = text.parse();
    let total = span.and_then(|span| span.total(jiff::Unit::Second));
    total.unwrap_or(300.0)
}

fn names(template: &Value, part: &str) -> BTreeSet<String> {
    let part = template.get(part).and_then(Value::as_object);
    part.into_iter()
        .flat_map(|part| part.keys().cloned())
        .collect()
}

/// The resources of a circle, if there is one.
fn circle(needs: &graph::Needs) -> Option<String> {
    let ranks = longest(needs, |_| 1.0).done;
    let circular = needs.iter().filter(|(id, needed)| {
        let own = ranks.get(*id);
        needed.iter().any(|need| ranks.get(need) >= own)
    });
    let names: Vec<_> = circular.map(|(id, _)| id.as_str()).collect();
    (!names.is_empty()).then(|| names.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn refusal(template: &Value) -> String {
        Library::default()
            .read(&template.to_string())
            .map(|_| ())
            .unwrap_err()
    }

    #[test]
    fn invalid_templates_are_refused_at_create() {
        assert!(refusal(&json!({"Resources": {}})).contains("At least one Resources member"));
        let dangling =
            json!({"Resources": {"A": {"Type": "X", "Properties": {"B": {"Ref": "C"}}}}});
        assert!(refusal(&dangling).contains("Unresolved resource dependencies [C]"));
        let circle = json!({"Resources": {
            "A": {"Type": "X", "DependsOn": "B"}, "B": {"Type": "X", "DependsOn": "A"}}});
        assert!(refusal(&circle).starts_with("Circular dependency"));
    }

    #[test]
    fn missing_and_unknown_parameters_are_refused() {
        let template = json!({"Parameters": {"A": {"Type": "String"},
            "B": {"Type": "String", "Default": "b"}}, "Resources": {"R": {"Type": "X"}}});
        let compiled = Library::default().read(&template.to_string()).unwrap();
        let given = |names: &[&str]| {
            let names = names.iter().map(|name| ((*name).to_owned(), String::new()));
            compiled.takes(&names.collect())
        };
        assert_eq!(given(&["A"]), Ok(()));
        assert_eq!(
            given(&[]),
            Err("Parameters: [A] must have values".to_owned())
        );
        let foreign = given(&["A", "C"]).unwrap_err();
        assert_eq!(foreign, "Parameters: [C] do not exist in the template");
    }

    #[test]
    fn group_has_its_signal_timeout() {
        let template = json!({"Resources": {"G": {"Type": "AWS::AutoScaling::AutoScalingGroup",
            "CreationPolicy": {"ResourceSignal": {"Count": 2, "Timeout": "PT15M"}}}}});
        let compiled = Library::default().read(&template.to_string()).unwrap();
        let item = compiled.item("G").unwrap();
        assert_eq!(item.signals, Some((900.0, 2)));
        assert!((item.create.p50 - 240.0).abs() < 0.1);
    }
}
