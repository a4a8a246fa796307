//! What the stacks say of the data.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::super::stack::{LiveProtection, WantedProtection, layers};
use super::super::{LayerState, ProtectionLayer};
use crate::cloud::{Difference, Drift, DriftReport, LiveStack, StackStatus};
use crate::stacks::{Stack, StackKind};

const DATABASE: &str = "AWS::RDS::DBInstance";

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

fn of<'a>(stack: &'a Stack, own: &'a Stack) -> WantedProtection<'a> {
    WantedProtection {
        stack,
        own,
        overrides: "clusters/templates",
    }
}

fn texts(template: &Value, policy: Option<Value>, drift: Vec<Drift>, on: bool) -> Vec<String> {
    let wanted = wanted();
    let live = LiveProtection {
        found: &found(on),
        template: Some(template),
        policy: &Ok(policy),
        drift: &Ok(DriftReport {
            resources: drift,
            unknown: None,
        }),
    };
    let text = |one: ProtectionLayer| {
        assert_eq!(one.next.is_some(), one.state == LayerState::Missing);
        format!("{} {:?}: {}", one.layer, one.state, one.text)
    };
    layers(of(&wanted, &wanted), live)
        .into_iter()
        .map(text)
        .collect()
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
            "policies Missing: open: UpdateReplacePolicy, DeleteAutomatedBackups; what is lost then: the database and its \
             automated backups",
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
    let states: Vec<LayerState> = layers(of(&stack, &stack), live)
        .into_iter()
        .map(|l| l.state)
        .collect();
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

/// The policies' line of the one resource, and the remedy.
fn policies(stack: &Stack, own: &Stack, live: &Value) -> (LayerState, String, Option<String>) {
    let live = LiveProtection {
        found: &found(true),
        template: Some(live),
        policy: &Ok(stack.policy.clone()),
        drift: &Ok(DriftReport::default()),
    };
    let mut all = layers(of(stack, own), live).into_iter();
    let one = all
        .find(|one| one.layer == "policies")
        .expect("a line about policies");
    (one.state, one.text, one.next)
}

fn of_type(of_type: &str, deleted: &str, replaced: &str) -> Stack {
    let mut stack = wanted();
    stack.kind = StackKind::ControlPlane;
    stack.template = json!({"Resources": {
        "It": {"Type": of_type, "DeletionPolicy": deleted, "UpdateReplacePolicy": replaced},
    }});
    stack
}

#[test]
fn policies_say_when_a_resource_is_kept() {
    for (resource, deleted, replaced, text) in [
        (
            "AWS::KMS::Key",
            "Delete",
            "Retain",
            "kept when replaced; deleted with the cluster",
        ),
        (
            "AWS::S3::Bucket",
            "Delete",
            "Retain",
            "kept when replaced; deleted with the cluster",
        ),
        (
            "AWS::EC2::Volume",
            "Delete",
            "Snapshot",
            "a last snapshot when replaced; deleted with the cluster",
        ),
        (
            "AWS::EC2::Volume",
            "Snapshot",
            "Snapshot",
            "a last snapshot",
        ),
        ("AWS::S3::Bucket", "Retain", "Retain", "kept in the account"),
        (
            "AWS::EC2::Volume",
            "Snapshot",
            "Retain",
            "kept when replaced; a last snapshot when the cluster is deleted",
        ),
    ] {
        let stack = of_type(resource, deleted, replaced);
        let said = policies(&stack, &stack, &stack.template);
        assert_eq!(
            said,
            (LayerState::Holds, text.to_owned(), None),
            "{resource}"
        );
    }
}

#[test]
fn policy_dropped_by_an_override_is_missing_and_its_file_named() {
    let own = of_type("AWS::EC2::Volume", "Snapshot", "Snapshot");
    let dropped = of_type("AWS::EC2::Volume", "Delete", "Delete");
    let (state, text, next) = policies(&dropped, &own, &dropped.template);
    assert_eq!(state, LayerState::Missing);
    let file = "clusters/templates/stacks/control-plane.yaml.tera";
    assert_eq!(
        text,
        format!(
            "open: DeletionPolicy, UpdateReplacePolicy, as {file} has it; what is lost then: the state of the cluster \
             in etcd"
        )
    );
    let next = next.expect("a remedy");
    let start = format!(
        "write `DeletionPolicy: Snapshot` and `UpdateReplacePolicy: Snapshot` at It in {file}, then `kube-cfn apply c`"
    );
    assert!(next.starts_with(&start), "{next}");
    // Written back, and not applied yet: only `apply` is missing.
    let (state, text, next) = policies(&own, &own, &dropped.template);
    assert_eq!(state, LayerState::Missing);
    assert!(!text.contains(file), "{text}");
    assert!(next.is_some_and(|next| next.starts_with("`kube-cfn apply c`")));
}

#[test]
fn deletion_protection_dropped_by_an_override_is_missing() {
    let own = wanted();
    let mut dropped = wanted();
    dropped.template["Resources"]["Database"]["Properties"]["DeletionProtection"] = json!(false);
    let live = LiveProtection {
        found: &found(true),
        template: Some(&dropped.template),
        policy: &Ok(own.policy.clone()),
        drift: &Ok(DriftReport::default()),
    };
    let all = layers(of(&dropped, &own), live);
    let last = all.last().expect("layers");
    assert_eq!(
        (last.layer, last.state),
        ("deletion protection", LayerState::Missing)
    );
    let next = last.next.as_deref().unwrap_or_default();
    let file = "clusters/templates/stacks/database.yaml.tera";
    assert!(
        next.starts_with(&format!(
            "write `DeletionProtection: true` at Database in {file}"
        )),
        "{next}"
    );
}
