//! The slots: a zone each with a fixed address, an etcd volume, a launch template and a group of one.

use serde::Serialize;
use serde_json::{Map, Value};

use super::common::{self, Tag};
use super::kind::KindRow;
use super::params::{Inputs, ParameterType};
use super::security_groups::SecurityGroup;
use super::{
    API_HOST, API_TARGET_GROUP, AUTOSCALER_ROLE, DesignError, EBS_CSI_ROLE, KEY_ARN, OIDC_ISSUER,
    STATE_BUCKET, Stack, StackKind, Versions, ranges, versions,
};
use crate::node::{self, BootParams, Bundle, Role, node_env};
use crate::spec::{ClusterSpec, ControlPlane, Nat, Zone};
use crate::templates::Templates;

/// What holds for this stack.
pub(super) static KIND: KindRow = KindRow {
    kind: StackKind::ControlPlane,
    name: "control-plane",
    holds_data: true,
    has_machines: true,
    joins: None,
    suppliers: &[StackKind::Base, StackKind::Network, StackKind::Edge],
    fields: FIELDS,
    design,
};

/// Which field decides what in this stack.
const FIELDS: &str = "
Address*         -                                     network.nat, controlPlane.nodes, zones
Eni?             Properties.SubnetId                   network.nat
Eni?             Properties.PrivateIpAddress           network.cidr, network.nat, zones
Eni?             Metadata                              network.cidr, network.nat, zones
EtcdVolume?      Properties.Size                       controlPlane.etcdVolumeGib
LaunchTemplate?  Properties.LaunchTemplateData.ImageId  {lock}, kubernetes, controlPlane.instanceType
LaunchTemplate?  Properties.LaunchTemplateData.InstanceType  controlPlane.instanceType
LaunchTemplate?  Properties.LaunchTemplateData.BlockDeviceMappings  controlPlane.volumeGib
LaunchTemplate?  Properties.LaunchTemplateData.TagSpecifications  tags
LaunchTemplate?  Properties.LaunchTemplateData.UserData  kubernetes, controlPlane.instanceType, controlPlane.nodes, network.podCidr, network.serviceCidr, network.cidr, network.nat, zones, mirror, database.secret
Slot?            DependsOn                             network.nat
*                -                                     controlPlane.nodes, zones
";

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Context<'a> {
    cluster: &'a str,
    parameters: &'a Map<String, Value>,
    instance_type: &'a str,
    volume_gib: u32,
    etcd_volume_gib: u32,
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

fn design(
    spec: &ClusterSpec,
    versions: &Versions,
    templates: &Templates,
) -> Result<Vec<Stack>, DesignError> {
    let spec = &*versions::at(spec, &versions.control_plane);
    let bundle = node::bundle(spec, Role::ControlPlane, templates)?;
    let inputs = inputs(spec);
    let ControlPlane {
        // As many slots.
        nodes: _,
        instance_type,
        // Decides the machine image and the binaries.
        architecture: _,
        volume_gib,
        etcd_volume_gib,
    } = &spec.control_plane;
    let context = Context {
        cluster: &spec.name,
        parameters: inputs.parameters(),
        instance_type,
        volume_gib: *volume_gib,
        etcd_volume_gib: *etcd_volume_gib,
        public_addresses: spec.network.nat == Nat::None,
        slots: slots(spec, &bundle, templates)?,
    };
    let data = templates.render_data(&StackKind::ControlPlane.template(), &context)?;
    let kind = StackKind::ControlPlane;
    let mut stack = common::machine_stack(spec, kind, data, inputs, bundle)?;
    ranges::put_out(&mut stack.template, &spec.network);
    Ok(vec![stack])
}

fn inputs(spec: &ClusterSpec) -> Inputs {
    let zones = spec.slot_zones().iter();
    let subnets = zones.map(|zone| common::node_subnet(spec, zone));
    let inputs = Inputs::default()
        .image(spec, spec.control_plane.architecture)
        .output(StackKind::Base, STATE_BUCKET, ParameterType::Text)
        .output(StackKind::Base, KEY_ARN, ParameterType::Text)
        .output(
            StackKind::Base,
            "ControlPlaneProfileArn",
            ParameterType::Text,
        )
        .output(StackKind::Base, OIDC_ISSUER, ParameterType::Text)
        .output(StackKind::Base, EBS_CSI_ROLE, ParameterType::Text)
        .output(StackKind::Base, AUTOSCALER_ROLE, ParameterType::Text)
        .network(subnets, ParameterType::Subnet);
    inputs
        .group(SecurityGroup::ControlPlane)
        .output(StackKind::Edge, API_HOST, ParameterType::Text)
        .output(StackKind::Edge, API_TARGET_GROUP, ParameterType::Text)
}

fn slots(
    spec: &ClusterSpec,
    bundle: &Bundle,
    templates: &Templates,
) -> Result<Vec<Slot>, DesignError> {
    let zones = spec.slot_zones().iter();
    zones
        .zip(node_env::slots(spec)?)
        .map(|(zone, fact)| slot(spec, zone, &fact, bundle, templates))
        .collect()
}

/// What user data says to the machine of a zone's slot.
pub(super) fn boot(spec: &ClusterSpec, zone: &Zone) -> BootParams {
    BootParams {
        signal: format!("Slot{}", common::letter(zone)),
        stack: StackKind::ControlPlane.stack_name(&spec.name),
        slot: Some(zone.letter),
    }
}

fn slot(
    spec: &ClusterSpec,
    zone: &Zone,
    fact: &node_env::Slot,
    bundle: &Bundle,
    templates: &Templates,
) -> Result<Slot, DesignError> {
    let kind = StackKind::ControlPlane;
    let id = common::letter(zone);
    let boot = boot(spec, zone);
    let name = format!("{} control plane {}", spec.name, fact.letter);
    Ok(Slot {
        id,
        letter: fact.letter,
        zone: fact.zone.clone(),
        address: fact.address.to_string(),
        subnet: common::node_subnet(spec, zone),
        tags: common::machine_tags(spec, &kind, name, Some(fact.letter)),
        user_data: node::user_data(spec, bundle, &boot, templates)?,
    })
}
