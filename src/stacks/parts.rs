//! What several stacks are made of: tags, parameters with their sources, names of zones.

use crate::common::tags::{TAG_CLUSTER, TAG_STACK};
use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::{
    DesignError, Input, KUBERNETES_VERSION, Object, Source, Stack, StackKind, policy, versions,
};
use crate::catalog::images;
use crate::node::Bundle;
use crate::spec::{Architecture, ClusterSpec, Nat, Zone};

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
/// launch template makes, so these stand there in full.
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

/// The zone's letter as it stands in logical ids.
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

/// The subnet that machines of a zone stand in.
pub(super) fn node_subnet(spec: &ClusterSpec, zone: &Zone) -> String {
    match spec.network.nat {
        Nat::None => public_subnet(zone),
        Nat::Regional | Nat::Single => private_subnet(zone),
    }
}

/// What a parameter may hold; CloudFormation checks it before it makes anything.
#[derive(Debug, Clone, Copy)]
pub(super) enum Holds {
    Text,
    Vpc,
    Subnet,
    SecurityGroup,
}

impl Holds {
    fn as_type(self) -> &'static str {
        match self {
            Self::Text => "String",
            Self::Vpc => "AWS::EC2::VPC::Id",
            Self::Subnet => "AWS::EC2::Subnet::Id",
            Self::SecurityGroup => "AWS::EC2::SecurityGroup::Id",
        }
    }
}

/// The parameters of a stack, each with its source; the template gets them as a whole, so a parameter
/// without a source can't be.
#[derive(Debug, Default)]
pub(super) struct Inputs {
    inputs: Vec<Input>,
    parameters: Map<String, Value>,
}

impl Inputs {
    /// The output `key` of another stack, as a parameter of the same name.
    pub fn output(mut self, stack: StackKind, key: impl Into<String>, holds: Holds) -> Self {
        let key = key.into();
        let from = format!("{key} of the {stack} stack");
        self.declare(&key, holds.as_type(), &from);
        self.inputs.push(Input {
            parameter: key.clone(),
            source: Source::Output { stack, key },
        });
        self
    }

    /// Several outputs of the network stack.
    pub fn network(self, keys: impl IntoIterator<Item = String>, holds: Holds) -> Self {
        keys.into_iter().fold(self, |inputs, key| {
            inputs.output(StackKind::Network, key, holds)
        })
    }

    /// The machine image, from the lock file. The parameter holds an id: a path there would let any
    /// later update swap the image.
    pub fn image(mut self, spec: &ClusterSpec, architecture: Architecture) -> Self {
        let path = images::parameter(&spec.kubernetes, architecture.as_str());
        let from = format!("Machine image, resolved once from {path}");
        self.declare("ImageId", "AWS::EC2::Image::Id", &from);
        self.inputs.push(Input {
            parameter: "ImageId".to_owned(),
            source: Source::Locked { parameter: path },
        });
        self
    }

    fn declare(&mut self, name: &str, of: &str, description: &str) {
        let declared = json!({ "Type": of, "Description": description });
        self.parameters.insert(name.to_owned(), declared);
    }

    /// The `Parameters` of the template.
    pub fn parameters(&self) -> &Map<String, Value> {
        &self.parameters
    }

    fn into_inputs(self) -> Vec<Input> {
        self.inputs
    }
}

/// The stack that comes of a rendered template and its inputs.
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
