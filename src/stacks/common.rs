//! What several stacks are made of: tags, names of subnets, and the stack of a rendered template.

use crate::common::tags::{TAG_CLUSTER, TAG_STACK};
use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use super::params::Inputs;
use super::{DesignError, KUBERNETES_VERSION, Object, Stack, StackKind, policy, versions};
use crate::node::Bundle;
use crate::spec::{ClusterSpec, Nat, Zone};

/// A tag as CloudFormation writes it.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Tag {
    pub key: String,
    pub value: String,
}

pub(super) fn tag(key: impl Into<String>, value: impl Into<String>) -> Tag {
    Tag {
        key: key.into(),
        value: value.into(),
    }
}

/// The tag by which Kubernetes knows what belongs to a cluster.
pub(super) fn owned(spec: &ClusterSpec) -> Tag {
    tag(format!("kubernetes.io/cluster/{}", spec.name), "owned")
}

/// The tags of machines and their disks. CloudFormation does not carry a stack's tags to what a
/// launch template makes, so these are written there in full.
pub(super) fn machine_tags(
    spec: &ClusterSpec,
    kind: &StackKind,
    name: String,
    slot: Option<char>,
) -> Vec<Tag> {
    let mut tags = stack_tags(spec, kind);
    tags.insert("Name".to_owned(), name);
    if let Some(letter) = slot {
        tags.insert("kube-cfn/slot".to_owned(), letter.to_string());
    }
    let owned = owned(spec);
    tags.insert(owned.key, owned.value);
    tags.into_iter()
        .map(|(key, value)| tag(key, value))
        .collect()
}

/// The definition's tags and our own, which win.
pub(super) fn stack_tags(spec: &ClusterSpec, kind: &StackKind) -> BTreeMap<String, String> {
    let mut tags = spec.tags.clone();
    tags.insert(TAG_CLUSTER.to_owned(), spec.name.clone());
    tags.insert(TAG_STACK.to_owned(), kind.to_string());
    tags
}

/// The zone's letter in logical ids.
pub(super) fn letter(zone: &Zone) -> char {
    zone.letter.to_ascii_uppercase()
}

/// Logical id, output and parameter of a subnet.
pub(super) fn public_subnet(zone: &Zone) -> String {
    format!("PublicSubnet{}", letter(zone))
}

/// Logical id, output and parameter of a subnet.
pub(super) fn private_subnet(zone: &Zone) -> String {
    format!("PrivateSubnet{}", letter(zone))
}

/// Logical id, output and parameter of a subnet.
pub(super) fn database_subnet(zone: &Zone) -> String {
    format!("DatabaseSubnet{}", letter(zone))
}

/// The subnet of a zone's machines.
pub(super) fn node_subnet(spec: &ClusterSpec, zone: &Zone) -> String {
    match spec.network.nat {
        Nat::None => public_subnet(zone),
        Nat::Regional | Nat::Single => private_subnet(zone),
    }
}

/// The stack of a rendered template and its inputs.
pub(super) fn stack(
    spec: &ClusterSpec,
    kind: StackKind,
    data: Value,
    inputs: Inputs,
) -> Result<Stack, DesignError> {
    if !data.get("Resources").is_some_and(Value::is_object) {
        return Err(DesignError::NoTemplate {
            name: kind.template(),
            part: "Resources",
        });
    }
    Ok(Stack {
        name: kind.stack_name(&spec.name),
        tags: stack_tags(spec, &kind),
        policy: policy::of(&data),
        template: data,
        inputs: inputs.into_inputs(),
        capabilities: Vec::new(),
        termination_protection: spec.protect && kind.row().holds_data,
        objects: Vec::new(),
        kind,
    })
}

/// A stack whose machines boot from a bundle. It uploads the bundle and puts out the bundle's Kubernetes
/// version, also where a template beside the definitions takes the place of ours: nothing else makes an
/// [`Object`] of a bundle, so there is no stack with machines that does not say what they run.
pub(super) fn machine_stack(
    spec: &ClusterSpec,
    kind: StackKind,
    mut data: Value,
    inputs: Inputs,
    bundle: Bundle,
) -> Result<Stack, DesignError> {
    if !data.is_object() {
        return Err(DesignError::NoTemplate {
            name: kind.template(),
            part: "Resources",
        });
    }
    let outputs = data.get("Outputs");
    if !outputs.is_none_or(|outputs| outputs.is_object() || outputs.is_null()) {
        return Err(DesignError::NoTemplate {
            name: kind.template(),
            part: "Outputs",
        });
    }
    data["Outputs"][KUBERNETES_VERSION] = versions::output(&bundle.kubernetes);
    let mut stack = stack(spec, kind, data, inputs)?;
    stack.objects = vec![Object {
        key: bundle.key,
        bytes: bundle.bytes,
    }];
    Ok(stack)
}
