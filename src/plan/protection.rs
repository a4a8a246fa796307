//! What keeps a cluster's data from harm, layer by layer, as it stands in AWS. Pure: it compares what
//! the definition wants with what was read.
//!
//! Four layers hold the database: its own deletion protection; both of the template's policies, with the
//! automated backups kept; the stack policy; the stack's termination protection. The other resources
//! that hold data have the last two, and the policies where their template gives any.

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::Value;

use super::policy;
use crate::catalog::resources::holds;
use crate::cloud::{Drift, LiveStack};
use crate::stacks::{Stack, StackKind};

const DATABASE: &str = "AWS::RDS::DBInstance";

/// One layer of one stack or resource.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Layer {
    pub stack: StackKind,
    /// The resource's sentence; `None` for a layer of the whole stack.
    pub resource: Option<String>,
    pub layer: &'static str,
    pub state: State,
    /// How it stands, in words.
    pub told: String,
    /// The command that brings a missing layer back.
    pub next: Option<String>,
}

/// Whether a layer holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum State {
    Holds,
    /// Off, as the definition wants it (`protect: false`).
    Open,
    /// Off, although the definition wants it.
    Missing,
    /// AWS did not tell.
    Unknown,
}

/// A stack as it stands in AWS.
#[derive(Debug, Clone, Copy)]
pub struct Live<'a> {
    pub found: &'a LiveStack,
    pub template: Option<&'a Value>,
    /// The stack policy in force, or why it could not be read.
    pub policy: &'a Result<Option<Value>, String>,
    /// What was changed by hand, or why it could not be found out.
    pub drift: &'a Result<Vec<Drift>, String>,
}

/// Every layer of a stack; none for a stack that holds no data.
pub fn layers(wanted: &Stack, live: Live<'_>) -> Vec<Layer> {
    let Some(wanted_policy) = &wanted.policy else {
        return Vec::new();
    };
    let apply = format!("`kube-cfn apply {}`", live.found.cluster);
    let mut layers = vec![
        termination(wanted, live),
        stack_policy(wanted, wanted_policy, live),
    ];
    for (id, body) in data_bearing(&wanted.template) {
        layers.extend(policies(wanted, id, body, live));
        if body["Type"] == DATABASE {
            layers.push(deletion_protection(wanted, id, body, live));
        }
    }
    let mended = |layer: Layer| match layer.next {
        None => layer.mended_by(apply.clone()),
        Some(_) => layer,
    };
    layers.into_iter().map(mended).collect()
}

fn data_bearing(template: &Value) -> impl Iterator<Item = (&str, &Value)> {
    let resources = template.get("Resources").and_then(Value::as_object);
    let holding = |body: &Value| body["Type"].as_str().is_some_and(|of| holds(of).is_some());
    let all = resources.into_iter().flatten();
    all.filter(move |(_, body)| holding(body))
        .map(|(id, body)| (id.as_str(), body))
}

fn layer(stack: &Stack, resource: Option<&str>, layer: &'static str) -> Layer {
    let sentence = |id| stack.sentence(id).unwrap_or(id).to_owned();
    Layer {
        stack: stack.kind.clone(),
        resource: resource.map(sentence),
        layer,
        state: State::Holds,
        told: "on".to_owned(),
        next: None,
    }
}

impl Layer {
    fn is(self, state: State, told: impl Into<String>) -> Self {
        Self {
            state,
            told: told.into(),
            ..self
        }
    }

    fn mended_by(self, next: String) -> Self {
        let next = (self.state == State::Missing).then_some(next);
        Self { next, ..self }
    }
}

fn switched(wanted: bool, live: bool) -> (State, &'static str) {
    match (wanted, live) {
        (_, true) => (State::Holds, "on"),
        (false, false) => (State::Open, "off, as the definition says"),
        (true, false) => (State::Missing, "off"),
    }
}

fn termination(wanted: &Stack, live: Live<'_>) -> Layer {
    let (state, told) = switched(
        wanted.termination_protection,
        live.found.termination_protection,
    );
    layer(wanted, None, "termination protection").is(state, told)
}

fn stack_policy(wanted: &Stack, wanted_policy: &Value, live: Live<'_>) -> Layer {
    let layer = layer(wanted, None, "stack policy");
    let in_force = match live.policy {
        Err(why) => return layer.is(State::Unknown, format!("can't be read: {why}")),
        Ok(policy) => policy.as_ref().map(policy::kept).unwrap_or_default(),
    };
    let asked = policy::kept(wanted_policy);
    let open: BTreeSet<&str> = asked.difference(&in_force).map(String::as_str).collect();
    if open.is_empty() {
        let told = format!("keeps {} resources", asked.len());
        return layer.is(State::Holds, told);
    }
    let names: Vec<&str> = open.into_iter().collect();
    let told = format!("allows to replace and delete {}", names.join(", "));
    layer.is(State::Missing, told)
}

/// Both policies of a resource, where the template gives any; of a database the backups too.
fn policies(wanted: &Stack, id: &str, body: &Value, live: Live<'_>) -> Option<Layer> {
    let database = body["Type"] == DATABASE;
    let keeps = |body: &Value, key: &str| {
        matches!(
            body[key].as_str(),
            Some("Snapshot" | "Retain" | "RetainExceptOnCreate")
        )
    };
    let both = ["DeletionPolicy", "UpdateReplacePolicy"];
    let asked: Vec<&str> = both.into_iter().filter(|key| keeps(body, key)).collect();
    if asked.is_empty() && !database {
        return None;
    }
    let layer = layer(wanted, Some(id), "policies");
    let Some(now) = live.template.and_then(|t| t.get("Resources")?.get(id)) else {
        return Some(layer.is(State::Missing, "not in the stack"));
    };
    let wanted_keys = if database { both.to_vec() } else { asked };
    let mut open: Vec<&str> = wanted_keys
        .into_iter()
        .filter(|key| !keeps(now, key))
        .collect();
    if database && now["Properties"]["DeleteAutomatedBackups"] != Value::Bool(false) {
        open.push("DeleteAutomatedBackups");
    }
    if open.is_empty() {
        let told = match (database, now["DeletionPolicy"].as_str()) {
            (true, _) => "a last snapshot, automated backups kept",
            (_, Some("Snapshot")) => "a last snapshot",
            _ => "kept in the account",
        };
        return Some(layer.is(State::Holds, told));
    }
    Some(layer.is(State::Missing, format!("open: {}", open.join(", "))))
}

/// What the template says, unless somebody changed it by hand since.
fn deletion_protection(wanted: &Stack, id: &str, body: &Value, live: Live<'_>) -> Layer {
    let layer = layer(wanted, Some(id), "deletion protection");
    let says = |body: &Value| body["Properties"]["DeletionProtection"] == Value::Bool(true);
    let Some(now) = live.template.and_then(|t| t.get("Resources")?.get(id)) else {
        return layer.is(State::Missing, "not in the stack");
    };
    let drift = match live.drift {
        Ok(drift) => drift.iter().find(|drift| drift.logical_id == id),
        Err(why) => {
            let told = format!("AWS did not tell: {why}");
            return layer.is(State::Unknown, told);
        }
    };
    if drift.is_some_and(|drift| drift.deleted) {
        return layer.is(State::Missing, "the database is gone");
    }
    let by_hand = drift.and_then(|drift| {
        let mut all = drift.differences.iter();
        all.find(|one| one.path.ends_with("DeletionProtection"))
    });
    let on = by_hand.map_or(says(now), |one| one.actual.as_deref() == Some("true"));
    match switched(says(body), on) {
        (State::Missing, _) if by_hand.is_some() => {
            // An update leaves alone what its template does not change.
            let database = live
                .found
                .outputs
                .get("DbInstanceId")
                .map_or(id, String::as_str);
            let switch = format!(
                "`aws rds modify-db-instance --db-instance-identifier {database} \
                 --deletion-protection --apply-immediately`"
            );
            layer.is(State::Missing, "off, by hand").mended_by(switch)
        }
        (state, told) => layer.is(state, told),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cloud::{Difference, StackStatus};
    use jiff::Timestamp;
    use serde_json::json;
    use std::collections::BTreeMap;

    fn wanted() -> Stack {
        Stack {
            kind: StackKind::Database,
            name: "c-database".to_owned(),
            template: json!({"Resources": {
                "Database": {
                    "Type": DATABASE, "DeletionPolicy": "Snapshot", "UpdateReplacePolicy": "Snapshot",
                    "Properties": {"DeletionProtection": true, "DeleteAutomatedBackups": false},
                },
                "DatabaseSubnets": {"Type": "AWS::RDS::DBSubnetGroup"},
            }}),
            inputs: Vec::new(),
            capabilities: Vec::new(),
            tags: BTreeMap::new(),
            policy: Some(json!({"Statement": [{"Effect": "Deny", "Resource": [
                "LogicalResourceId/Database", "LogicalResourceId/DatabaseSubnets"]}]})),
            termination_protection: true,
            objects: Vec::new(),
        }
    }

    fn found(protected: bool) -> LiveStack {
        LiveStack {
            id: "arn".to_owned(),
            name: "c-database".to_owned(),
            cluster: "c".to_owned(),
            kind: "database".to_owned(),
            status: StackStatus::CreateComplete,
            reason: None,
            parameters: BTreeMap::new(),
            outputs: BTreeMap::new(),
            tags: BTreeMap::new(),
            termination_protection: protected,
            created: Timestamp::UNIX_EPOCH,
            updated: None,
        }
    }

    fn told(template: &Value, policy: Option<Value>, drift: Vec<Drift>, on: bool) -> Vec<String> {
        let live = Live {
            found: &found(on),
            template: Some(template),
            policy: &Ok(policy),
            drift: &Ok(drift),
        };
        let told = |one: Layer| {
            assert_eq!(one.next.is_some(), one.state == State::Missing);
            format!("{} {:?}: {}", one.layer, one.state, one.told)
        };
        layers(&wanted(), live).into_iter().map(told).collect()
    }

    #[test]
    fn four_layers_hold_the_database() {
        let as_wanted = told(&wanted().template, wanted().policy, Vec::new(), true);
        assert_eq!(
            as_wanted,
            [
                "termination protection Holds: on",
                "stack policy Holds: keeps 2 resources",
                "policies Holds: a last snapshot, automated backups kept",
                "deletion protection Holds: on",
            ]
        );
    }

    #[test]
    fn every_layer_that_is_gone_is_told() {
        let mut template = wanted().template;
        template["Resources"]["Database"]["UpdateReplacePolicy"] = json!("Delete");
        template["Resources"]["Database"]["Properties"]["DeleteAutomatedBackups"] = json!(true);
        let by_hand = Drift {
            logical_id: "Database".to_owned(),
            resource_type: DATABASE.to_owned(),
            deleted: false,
            differences: vec![Difference {
                path: "Properties.DeletionProtection".to_owned(),
                expected: Some("true".to_owned()),
                actual: Some("false".to_owned()),
            }],
        };
        assert_eq!(
            told(&template, None, vec![by_hand], false),
            [
                "termination protection Missing: off",
                "stack policy Missing: allows to replace and delete Database, DatabaseSubnets",
                "policies Missing: open: UpdateReplacePolicy, DeleteAutomatedBackups",
                "deletion protection Missing: off, by hand",
            ]
        );
    }

    #[test]
    fn what_the_definition_switches_off_is_no_fault_and_silence_is_no_proof() {
        let mut stack = wanted();
        stack.termination_protection = false;
        let live = Live {
            found: &found(false),
            template: Some(&stack.template),
            policy: &Err("denied".to_owned()),
            drift: &Err("denied".to_owned()),
        };
        let states: Vec<State> = layers(&stack, live).into_iter().map(|l| l.state).collect();
        assert_eq!(
            states,
            [State::Open, State::Unknown, State::Holds, State::Unknown]
        );
    }
}
