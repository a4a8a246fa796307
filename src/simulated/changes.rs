//! What differs between two templates with their parameters, resource by resource and property by
//! property, as CloudFormation's change sets list it. Pure.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::differences::differences;
use crate::cloud::{ChangeAction, DeletionPolicy, PropertyChange, Replacement, ResourceChange};
use crate::templates::evaluate::{Pseudo, Resources, Scope, text};
use crate::templates::graph::{collect, needs};

/// A template with its parameters and tags.
#[derive(Clone, Copy)]
pub struct TemplateVersion<'a> {
    pub template: &'a Value,
    pub parameters: &'a BTreeMap<String, String>,
    /// The stack's tags: CloudFormation puts them on every resource that takes any.
    pub tags: &'a BTreeMap<String, String>,
}

/// Two versions of one stack, and what its resources are now.
pub struct ChangeSetInput<'a> {
    pub before: TemplateVersion<'a>,
    pub after: TemplateVersion<'a>,
    pub pseudo: Pseudo<'a>,
    pub resources: &'a dyn Resources,
}

/// Parts of a resource beside its properties whose change is a change of the resource. A policy that
/// changes alone is none: CloudFormation takes it along with another change only.
const ATTRIBUTES: &[&str] = &["Metadata"];
const ALONG: &[&str] = &["DeletionPolicy", "UpdatePolicy", "UpdateReplacePolicy"];

/// Types whose resources carry no tags.
const UNTAGGED: &[&str] = &[
    "AWS::EC2::EIPAssociation",
    "AWS::EC2::Route",
    "AWS::EC2::SecurityGroupIngress",
    "AWS::EC2::SubnetCidrReservation",
    "AWS::EC2::SubnetRouteTableAssociation",
    "AWS::EC2::VPCGatewayAttachment",
    "AWS::IAM::InstanceProfile",
    "AWS::IAM::ManagedPolicy",
    "AWS::IAM::Policy",
    "AWS::KMS::Alias",
    "AWS::Route53::RecordSet",
    "AWS::S3::BucketPolicy",
];

/// What executing would do. Empty when there is nothing to do.
pub fn changes(input: &ChangeSetInput<'_>) -> Vec<ResourceChange> {
    let (before, after) = (input.before, input.after);
    let same_template = std::ptr::eq(before.template, after.template);
    if same_template && before.parameters == after.parameters && before.tags == after.tags {
        return Vec::new();
    }
    Comparison::new(input).run()
}

/// The deletion policy of a resource that is removed from its stack, by its template.
pub fn policy_when_removed(body: &Value) -> DeletionPolicy {
    match body.get("DeletionPolicy").and_then(Value::as_str) {
        Some("Retain") => DeletionPolicy::Retain,
        Some("Snapshot") => DeletionPolicy::Snapshot,
        // CloudFormation's default for a database outside a cluster.
        None if of_type(body) == "AWS::RDS::DBInstance"
            && body.pointer("/Properties/DBClusterIdentifier").is_none() =>
        {
            DeletionPolicy::Snapshot
        }
        _ => DeletionPolicy::Delete,
    }
}

/// The deletion policy of the old resource of a replacement, by its template.
pub fn policy_when_replaced(body: &Value) -> DeletionPolicy {
    match body.get("UpdateReplacePolicy").and_then(Value::as_str) {
        Some("Retain") => DeletionPolicy::Retain,
        Some("Snapshot") => DeletionPolicy::Snapshot,
        _ => DeletionPolicy::Delete,
    }
}

/// The type that a resource is declared with.
pub fn of_type(body: &Value) -> &str {
    body.get("Type").and_then(Value::as_str).unwrap_or_default()
}

/// Resources in the order in which they need each other, then the rest.
fn ordered(template: &Value) -> Vec<String> {
    let needs = needs(template);
    let mut open: Vec<&String> = needs.keys().collect();
    let mut done: BTreeSet<&String> = BTreeSet::new();
    let mut order = Vec::new();
    while !open.is_empty() {
        let (ready, later): (Vec<_>, Vec<_>) = open
            .iter()
            .partition(|id| needs[**id].iter().all(|need| done.contains(need)));
        let ready = if ready.is_empty() {
            later.clone()
        } else {
            ready
        };
        open.retain(|id| !ready.contains(id));
        order.extend(ready.iter().map(|id| (*id).clone()));
        done.extend(ready);
    }
    order
}

fn body<'a>(template: &'a Value, id: &str) -> Option<&'a Value> {
    template.get("Resources")?.get(id)
}

struct Comparison<'a> {
    input: &'a ChangeSetInput<'a>,
    moved: BTreeSet<&'a str>,
    /// What changes so far, and whether it is replaced; added ones count as replaced.
    changed: BTreeMap<String, Replacement>,
}

/// The resources as they will be: what changes is not known.
struct Overlay<'a> {
    resources: &'a dyn Resources,
    changed: &'a BTreeMap<String, Replacement>,
}

impl Resources for Overlay<'_> {
    fn reference(&self, id: &str) -> Option<String> {
        match self.changed.get(id) {
            Some(Replacement::Yes | Replacement::Might) => None,
            Some(Replacement::No) | None => self.resources.reference(id),
        }
    }

    fn attribute(&self, id: &str, name: &str) -> Option<String> {
        if self.changed.contains_key(id) {
            None
        } else {
            self.resources.attribute(id, name)
        }
    }
}

impl<'a> Comparison<'a> {
    fn new(input: &'a ChangeSetInput<'a>) -> Self {
        let (before, after) = (input.before.parameters, input.after.parameters);
        let names = before.keys().chain(after.keys());
        let moved = names.filter(|name| before.get(*name) != after.get(*name));
        Self {
            input,
            moved: moved.map(String::as_str).collect(),
            changed: BTreeMap::new(),
        }
    }

    fn run(mut self) -> Vec<ResourceChange> {
        let mut found = Vec::new();
        for id in ordered(self.input.after.template) {
            if let Some(change) = self.one(&id) {
                let counts = match change.action {
                    ChangeAction::Add => Replacement::Yes,
                    ChangeAction::Modify | ChangeAction::Remove | ChangeAction::Other(_) => {
                        change.replacement
                    }
                };
                self.changed.insert(id, counts);
                found.push(change);
            }
        }
        let before = self.input.before.template.get("Resources");
        for (id, old) in before.and_then(Value::as_object).into_iter().flatten() {
            if body(self.input.after.template, id).is_none() {
                let mut change = plain(id, old, ChangeAction::Remove);
                change.physical_id = self.input.resources.reference(id);
                change.deletion_policy = Some(policy_when_removed(old));
                found.push(change);
            }
        }
        if found.is_empty() {
            found.extend(self.stack_alone());
        }
        found
    }

    fn one(&self, id: &str) -> Option<ResourceChange> {
        let new = body(self.input.after.template, id)?;
        let Some(old) = body(self.input.before.template, id) else {
            return Some(plain(id, new, ChangeAction::Add));
        };
        let mut properties = self.properties(new, old);
        properties.extend(ATTRIBUTES.iter().filter_map(|name| part(name, old, new)));
        properties.extend(self.tags(of_type(new)));
        if properties.is_empty() {
            return None;
        }
        properties.extend(ALONG.iter().filter_map(|name| part(name, old, new)));
        let mut change = plain(id, new, ChangeAction::Modify);
        change.physical_id = self.input.resources.reference(id);
        let gravest = properties.iter().map(|property| property.recreates).max();
        change.replacement = gravest.unwrap_or(Replacement::No);
        if of_type(old) != of_type(new) {
            change.replacement = Replacement::Yes;
        }
        if change.replacement != Replacement::No {
            change.deletion_policy = Some(policy_when_replaced(new));
        }
        change.properties = properties;
        Some(change)
    }

    fn properties(&self, new: &Value, old: &Value) -> Vec<PropertyChange> {
        let [was, is] = [old, new].map(|body| body.get("Properties").unwrap_or(&Value::Null));
        let mut named = BTreeSet::new();
        collect(is, &mut named);
        let moves =
            |name: &String| self.moved.contains(name.as_str()) || self.changed.contains_key(name);
        if was == is && !named.iter().any(moves) {
            return Vec::new();
        }
        let ChangeSetInput {
            before,
            after,
            pseudo,
            resources,
        } = self.input;
        let overlay = Overlay {
            resources: *resources,
            changed: &self.changed,
        };
        let scope = |side: &TemplateVersion<'a>, resources| Scope {
            template: side.template,
            parameters: side.parameters,
            pseudo: *pseudo,
            resources,
        };
        let was = scope(before, *resources).evaluate(was);
        let now = scope(after, &overlay).evaluate(is);
        let (was, now) = (was.unwrap_or_default(), now.unwrap_or_default());
        let mut found = differences(of_type(new), &was, &now);
        for change in &mut found {
            change.cause = self.cause(is, &change.path);
        }
        found
    }

    /// The parameter or resource that a changed property refers to and that changes itself.
    fn cause(&self, properties: &Value, path: &str) -> Option<String> {
        let mut at = properties;
        for step in path.split('.').skip(1) {
            let inner = match step.parse::<usize>() {
                Ok(index) => at.get(index),
                Err(_) => at.get(step),
            };
            let Some(inner) = inner else { break };
            at = inner;
        }
        let mut named = BTreeSet::new();
        collect(at, &mut named);
        let moved =
            |name: &&String| self.moved.contains(name.as_str()) || self.changed.contains_key(*name);
        named.iter().find(moved).cloned()
    }

    fn tags(&self, resource_type: &str) -> Option<PropertyChange> {
        let (before, after) = (self.input.before.tags, self.input.after.tags);
        if before == after || UNTAGGED.contains(&resource_type) {
            return None;
        }
        let joined = |tags: &BTreeMap<String, String>| {
            let tags = tags.iter().map(|(key, value)| format!("{key}={value}"));
            Some(tags.collect::<Vec<_>>().join(", "))
        };
        Some(PropertyChange {
            path: "Tags".to_owned(),
            before: joined(before),
            after: joined(after),
            recreates: Replacement::No,
            cause: None,
        })
    }

    /// Outputs that change touch no resource, but there is something to execute.
    fn stack_alone(&self) -> Option<ResourceChange> {
        let outputs = |side: &TemplateVersion<'a>| {
            let scope = Scope {
                template: side.template,
                parameters: side.parameters,
                pseudo: self.input.pseudo,
                resources: self.input.resources,
            };
            scope.evaluate(side.template.get("Outputs").unwrap_or(&Value::Null))
        };
        let pseudo = self.input.pseudo;
        (outputs(&self.input.before) != outputs(&self.input.after))
            .then(|| ResourceChange::of_stack_alone(pseudo.stack_name, pseudo.stack_id))
    }
}

/// A change of a whole resource.
pub(super) fn plain(id: &str, body: &Value, action: ChangeAction) -> ResourceChange {
    ResourceChange {
        logical_id: id.to_owned(),
        physical_id: None,
        resource_type: of_type(body).to_owned(),
        action,
        replacement: Replacement::No,
        deletion_policy: None,
        properties: Vec::new(),
    }
}

/// A part of a resource beside its properties, if it differs.
fn part(name: &str, old: &Value, new: &Value) -> Option<PropertyChange> {
    let (was, is) = (old.get(name), new.get(name));
    (was != is).then(|| PropertyChange {
        path: name.to_owned(),
        before: was.map(text),
        after: is.map(text),
        recreates: Replacement::No,
        cause: None,
    })
}

#[cfg(test)]
mod tests;
