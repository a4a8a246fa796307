//! The slots: a zone each with a fixed address, an etcd volume, a launch template and a group of one.

use serde::Serialize;
use serde_json::{Map, Value};

use super::fields::{Row, row};
use super::parts::{self, Holds, Inputs, Tag};
use super::{
    API_HOST, AUTOSCALER_ROLE, DesignError, EBS_CSI_ROLE, KEY_ARN, OIDC_ISSUER, STATE_BUCKET,
    Stack, StackKind, firewall,
};
use crate::node::{self, Boot, Bundle, Role, facts};
use crate::spec::{ClusterSpec, Nat, Zone};
use crate::templates::Templates;

/// Which field decides what in this stack.
pub(super) const FIELDS: &[Row] = &[
    row(
        "Address*",
        "",
        &["network.nat", "controlPlane.slots", "zones"],
    ),
    row("Eni?", "Properties.SubnetId", &["network.nat"]),
    row(
        "Eni?",
        "Properties.PrivateIpAddress",
        &["network.cidr", "network.nat", "zones"],
    ),
    row(
        "Eni?",
        "Metadata",
        &["network.cidr", "network.nat", "zones"],
    ),
    row(
        "EtcdVolume?",
        "Properties.Size",
        &["controlPlane.etcdVolumeGib"],
    ),
    row("EtcdVolume?", "DeletionPolicy", &["protect"]),
    row("EtcdVolume?", "Metadata", &["protect"]),
    row(
        "LaunchTemplate?",
        "Properties.LaunchTemplateData.ImageId",
        &["{lock}", "kubernetes", "controlPlane.instanceType"],
    ),
    row(
        "LaunchTemplate?",
        "Properties.LaunchTemplateData.InstanceType",
        &["controlPlane.instanceType"],
    ),
    row(
        "LaunchTemplate?",
        "Properties.LaunchTemplateData.BlockDeviceMappings",
        &["controlPlane.volumeGib"],
    ),
    row(
        "LaunchTemplate?",
        "Properties.LaunchTemplateData.TagSpecifications",
        &["tags"],
    ),
    row(
        "LaunchTemplate?",
        "Properties.LaunchTemplateData.UserData",
        &[
            "kubernetes",
            "controlPlane.instanceType",
            "controlPlane.slots",
            "network.podCidr",
            "network.serviceCidr",
            "network.cidr",
            "network.nat",
            "zones",
            "mirror",
            "database.secret",
        ],
    ),
    row("Slot?", "DependsOn", &["network.nat"]),
    row("*", "", &["controlPlane.slots", "zones"]),
];

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Context<'a> {
    cluster: &'a str,
    parameters: &'a Map<String, Value>,
    instance_type: &'a str,
    volume_gib: u32,
    etcd_volume_gib: u32,
    /// Deletion policy of the etcd volumes.
    volume_on_delete: &'static str,
    public_addresses: bool,
    slots: Vec<Slot>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Slot {
    id: char,
    letter: char,
    zone: String,
    address: String,
    subnet: String,
    tags: Vec<Tag>,
    user_data: String,
}

pub(super) fn design(spec: &ClusterSpec, templates: &Templates) -> Result<Stack, DesignError> {
    let bundle = node::bundle(spec, Role::ControlPlane, templates)?;
    let inputs = inputs(spec);
    let context = Context {
        cluster: &spec.name,
        parameters: inputs.parameters(),
        instance_type: &spec.control_plane.instance_type,
        volume_gib: spec.control_plane.volume_gib,
        etcd_volume_gib: spec.control_plane.etcd_volume_gib,
        volume_on_delete: if spec.protect { "Snapshot" } else { "Delete" },
        public_addresses: spec.network.nat == Nat::None,
        slots: slots(spec, &bundle, templates)?,
    };
    let data = templates.render_data(StackKind::ControlPlane.template(), &context)?;
    parts::machine_stack(spec, StackKind::ControlPlane, data, inputs, bundle)
}

fn inputs(spec: &ClusterSpec) -> Inputs {
    let zones = spec.slot_zones().iter();
    let subnets = zones.map(|zone| parts::node_subnet(spec, zone));
    let inputs = Inputs::default()
        .image(spec, spec.control_plane.architecture)
        .output(StackKind::Base, STATE_BUCKET, Holds::Text)
        .output(StackKind::Base, KEY_ARN, Holds::Text)
        .output(StackKind::Base, "ControlPlaneProfileArn", Holds::Text)
        .output(StackKind::Base, OIDC_ISSUER, Holds::Text)
        .output(StackKind::Base, EBS_CSI_ROLE, Holds::Text)
        .output(StackKind::Base, AUTOSCALER_ROLE, Holds::Text)
        .network(subnets, Holds::Subnet);
    firewall::input(inputs, firewall::CP)
        .output(StackKind::Edge, API_HOST, Holds::Text)
        .output(StackKind::Edge, "ApiTargetGroupArn", Holds::Text)
}

fn slots(
    spec: &ClusterSpec,
    bundle: &Bundle,
    templates: &Templates,
) -> Result<Vec<Slot>, DesignError> {
    let zones = spec.slot_zones().iter();
    zones
        .zip(facts::slots(spec)?)
        .map(|(zone, fact)| slot(spec, zone, &fact, bundle, templates))
        .collect()
}

/// What user data says to the machine of a zone's slot.
pub(super) fn boot(spec: &ClusterSpec, zone: &Zone) -> Boot {
    Boot {
        signal: format!("Slot{}", parts::letter(zone)),
        stack: StackKind::ControlPlane.stack_name(&spec.name),
        slot: Some(zone.letter),
    }
}

fn slot(
    spec: &ClusterSpec,
    zone: &Zone,
    fact: &facts::Slot,
    bundle: &Bundle,
    templates: &Templates,
) -> Result<Slot, DesignError> {
    let kind = StackKind::ControlPlane;
    let id = parts::letter(zone);
    let boot = boot(spec, zone);
    let name = format!("{} control plane {}", spec.name, fact.letter);
    Ok(Slot {
        id,
        letter: fact.letter,
        zone: fact.zone.clone(),
        address: fact.address.to_string(),
        subnet: parts::node_subnet(spec, zone),
        tags: parts::machine_tags(spec, &kind, name, Some(fact.letter)),
        user_data: node::user_data(spec, bundle, &boot, templates)?,
    })
}
