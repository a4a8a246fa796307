//! The protection of a cluster's data in AWS, layer by layer. Pure: it compares what the definition
//! wants with what was read.
//!
//! Four layers hold the database: its own deletion protection; both of the template's policies, with the
//! automated backups kept; the stack policy; the stack's termination protection. The other resources
//! that hold data have the last two, and the policies where their template gives any.

use serde::Serialize;
use serde_json::Value;

use super::stack_policy;
use crate::catalog::resources::stored_data;
use crate::cloud::{Drift, LiveStack};
use crate::stacks::{Stack, StackKind};

const DATABASE: &str = "AWS::RDS::DBInstance";

/// One layer of one stack or resource.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ProtectionLayer {
    pub stack: StackKind,
    /// The resource's description; `None` for a layer of the whole stack.
    pub resource: Option<String>,
    pub layer: &'static str,
    pub state: LayerState,
    /// The state in words.
    pub text: String,
    /// The command that restores a missing layer.
    pub next: Option<String>,
}

/// Whether a layer holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum LayerState {
    Holds,
    /// Off, as the definition wants it (`protect: false`).
    Open,
    /// Off, although the definition wants it.
    Missing,
    /// AWS did not say.
    Unknown,
}

/// A stack as it is in AWS.
#[derive(Debug, Clone, Copy)]
pub struct LiveProtection<'a> {
    pub found: &'a LiveStack,
    pub template: Option<&'a Value>,
    /// The stack policy in force, or why it could not be read.
    pub policy: &'a Result<Option<Value>, String>,
    /// What was changed by hand, or why it could not be found out.
    pub drift: &'a Result<Vec<Drift>, String>,
}

/// The state of a layer, and the same in words.
type StateText = (LayerState, String);

/// Every layer of a stack; none for a stack that holds no data.
pub fn layers(wanted: &Stack, live: LiveProtection<'_>) -> Vec<ProtectionLayer> {
    let Some(wanted_policy) = &wanted.policy else {
        return Vec::new();
    };
    let apply = format!("`kube-cfn apply {}`", live.found.cluster);
    let layer = |id: Option<&str>, layer, (state, text): StateText, remedy: &str| ProtectionLayer {
        stack: wanted.kind.clone(),
        resource: id.map(|id| wanted.description(id).unwrap_or(id).to_owned()),
        layer,
        state,
        text,
        next: (state == LayerState::Missing).then(|| remedy.to_owned()),
    };
    let termination = switched(
        wanted.termination_protection,
        live.found.termination_protection,
    );
    let policy = stack_policy(wanted_policy, live);
    let mut layers = vec![
        layer(None, "termination protection", termination, &apply),
        layer(None, "stack policy", policy, &apply),
    ];
    for (id, body) in data_bearing(&wanted.template) {
        let now = live.template.and_then(|t| t.get("Resources")?.get(id));
        let verdict = policies(body, now);
        layers.extend(verdict.map(|verdict| layer(Some(id), "policies", verdict, &apply)));
        if body["Type"] == DATABASE {
            let (verdict, remedy) = deletion_protection(id, body, now, live);
            let remedy = remedy.unwrap_or_else(|| apply.clone());
            layers.push(layer(Some(id), "deletion protection", verdict, &remedy));
        }
    }
    layers
}

fn data_bearing(template: &Value) -> impl Iterator<Item = (&str, &Value)> {
    let resources = template.get("Resources").and_then(Value::as_object);
    let holding = |body: &Value| {
        body["Type"]
            .as_str()
            .is_some_and(|of| stored_data(of).is_some())
    };
    let all = resources.into_iter().flatten();
    all.filter(move |(_, body)| holding(body))
        .map(|(id, body)| (id.as_str(), body))
}

fn missing(why: impl Into<String>) -> StateText {
    (LayerState::Missing, why.into())
}

fn switched(wanted: bool, live: bool) -> StateText {
    match (wanted, live) {
        (_, true) => (LayerState::Holds, "on".to_owned()),
        (false, false) => (LayerState::Open, "off, as the definition says".to_owned()),
        (true, false) => missing("off"),
    }
}

fn stack_policy(wanted: &Value, live: LiveProtection<'_>) -> StateText {
    let in_force = match live.policy {
        Err(why) => return (LayerState::Unknown, format!("can't be read: {why}")),
        Ok(policy) => stack_policy::protected_resources(policy.as_ref()),
    };
    let asked = stack_policy::protected_resources(Some(wanted));
    let open: Vec<&str> = asked.difference(&in_force).map(String::as_str).collect();
    if open.is_empty() {
        return (
            LayerState::Holds,
            format!("protects {} resources", asked.len()),
        );
    }
    missing(format!("allows to replace and delete {}", open.join(", ")))
}

/// Both policies of a resource, where the template gives any; of a database the backups too.
fn policies(body: &Value, now: Option<&Value>) -> Option<StateText> {
    let database = body["Type"] == DATABASE;
    let keeps = |body: &Value, key: &str| {
        matches!(
            body[key].as_str(),
            Some("Snapshot" | "Retain" | "RetainExceptOnCreate")
        )
    };
    let mut keys = vec!["DeletionPolicy", "UpdateReplacePolicy"];
    keys.retain(|key| database || keeps(body, key));
    if keys.is_empty() {
        return None;
    }
    let Some(now) = now else {
        return Some(missing("not in the stack"));
    };
    keys.retain(|key| !keeps(now, key));
    if database && now["Properties"]["DeleteAutomatedBackups"] != Value::Bool(false) {
        keys.push("DeleteAutomatedBackups");
    }
    if !keys.is_empty() {
        return Some(missing(format!("open: {}", keys.join(", "))));
    }
    let kept = match (database, now["DeletionPolicy"].as_str()) {
        (true, _) => "a last snapshot, automated backups kept",
        (_, Some("Snapshot")) => "a last snapshot",
        _ => "kept in the account",
    };
    Some((LayerState::Holds, kept.to_owned()))
}

/// As in the template, unless it was changed outside kube-cfn since; then with the command that switches
/// it on.
fn deletion_protection(
    id: &str,
    body: &Value,
    now: Option<&Value>,
    live: LiveProtection<'_>,
) -> (StateText, Option<String>) {
    let on = |body: &Value| body["Properties"]["DeletionProtection"] == Value::Bool(true);
    let Some(now) = now else {
        return (missing("not in the stack"), None);
    };
    let drift = match live.drift {
        Ok(drift) => drift.iter().find(|drift| drift.logical_id == id),
        Err(why) => {
            let unknown = (LayerState::Unknown, format!("could not be read: {why}"));
            return (unknown, None);
        }
    };
    if drift.is_some_and(|drift| drift.deleted) {
        return (missing("the database does not exist"), None);
    }
    let by_hand = drift.and_then(|drift| {
        let mut all = drift.differences.iter();
        all.find(|one| one.path.ends_with("DeletionProtection"))
    });
    let Some(by_hand) = by_hand else {
        return (switched(on(body), on(now)), None);
    };
    match switched(on(body), by_hand.actual.as_deref() == Some("true")) {
        (LayerState::Missing, _) => {
            // An update leaves alone what its template does not change.
            let outputs = &live.found.outputs;
            let database = outputs.get("DbInstanceId").map_or(id, String::as_str);
            let switch = format!(
                "`aws rds modify-db-instance --db-instance-identifier {database} \
                 --deletion-protection --apply-immediately`"
            );
            (missing("off, changed outside kube-cfn"), Some(switch))
        }
        verdict => (verdict, None),
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

    fn texts(template: &Value, policy: Option<Value>, drift: Vec<Drift>, on: bool) -> Vec<String> {
        let live = LiveProtection {
            found: &found(on),
            template: Some(template),
            policy: &Ok(policy),
            drift: &Ok(drift),
        };
        let text = |one: ProtectionLayer| {
            assert_eq!(one.next.is_some(), one.state == LayerState::Missing);
            format!("{} {:?}: {}", one.layer, one.state, one.text)
        };
        layers(&wanted(), live).into_iter().map(text).collect()
    }

    #[test]
    fn four_layers_hold_the_database() {
        let as_wanted = texts(&wanted().template, wanted().policy, Vec::new(), true);
        assert_eq!(
            as_wanted,
            [
                "termination protection Holds: on",
                "stack policy Holds: protects 2 resources",
                "policies Holds: a last snapshot, automated backups kept",
                "deletion protection Holds: on",
            ]
        );
    }

    #[test]
    fn missing_layer_is_reported() {
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
            texts(&template, None, vec![by_hand], false),
            [
                "termination protection Missing: off",
                "stack policy Missing: allows to replace and delete Database, DatabaseSubnets",
                "policies Missing: open: UpdateReplacePolicy, DeleteAutomatedBackups",
                "deletion protection Missing: off, changed outside kube-cfn",
            ]
        );
    }

    #[test]
    fn layer_off_by_definition_is_open_and_an_unread_one_unknown() {
        let mut stack = wanted();
        stack.termination_protection = false;
        let live = LiveProtection {
            found: &found(false),
            template: Some(&stack.template),
            policy: &Err("denied".to_owned()),
            drift: &Err("denied".to_owned()),
        };
        let states: Vec<LayerState> = layers(&stack, live).into_iter().map(|l| l.state).collect();
        assert_eq!(
            states,
            [
                LayerState::Open,
                LayerState::Unknown,
                LayerState::Holds,
                LayerState::Unknown
            ]
        );
    }
}
