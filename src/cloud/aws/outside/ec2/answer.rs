//! What EC2 says of each kind, out of an entry of its lists. Pure.

use std::collections::{BTreeMap, BTreeSet};

use roxmltree::Node;

use super::super::answer::{bytes_of_gib, direct, optional, required, tags, texts, time};
use crate::cloud::outside::{OutsideKind, OutsideResource};

/// The group that a VPC has from its beginning: nobody can delete it, and it goes with the VPC.
const DEFAULT_GROUP: &str = "default";

fn resource(kind: OutsideKind, item: Node<'_, '_>, id: &str) -> Result<OutsideResource, String> {
    Ok(OutsideResource {
        tags: tag_set(item),
        vpc: optional(item, "vpcId"),
        ..OutsideResource::new(kind, required(item, id)?)
    })
}

fn tag_set(item: Node<'_, '_>) -> BTreeMap<String, String> {
    tags(item, ["tagSet", "item", "key", "value"])
}

fn is_true(item: Node<'_, '_>, name: &str) -> bool {
    optional(item, name).is_some_and(|text| text == "true")
}

/// The text of an element inside another one.
fn inside(item: Node<'_, '_>, outer: &str, name: &str) -> Option<String> {
    let outer = item
        .children()
        .find(|node| node.is_element() && node.tag_name().name() == outer)?;
    optional(outer, name)
}

/// Its groups, disks and interfaces are what it is made of.
pub(super) fn machine(item: Node<'_, '_>) -> Result<OutsideResource, String> {
    let mut uses = texts(item, "groupSet", "groupId");
    uses.extend(texts(item, "blockDeviceMapping", "volumeId"));
    uses.extend(texts(item, "networkInterfaceSet", "networkInterfaceId"));
    Ok(OutsideResource {
        state: inside(item, "instanceState", "name"),
        created: time(item, "launchTime"),
        uses,
        ..resource(OutsideKind::Machine, item, "instanceId")?
    })
}

pub(super) fn volume(item: Node<'_, '_>) -> Result<OutsideResource, String> {
    Ok(OutsideResource {
        state: optional(item, "status"),
        bytes: bytes_of_gib(item, "size"),
        created: time(item, "createTime"),
        key: optional(item, "kmsKeyId"),
        uses: texts(item, "attachmentSet", "instanceId"),
        ..resource(OutsideKind::Volume, item, "volumeId")?
    })
}

pub(super) fn snapshot(item: Node<'_, '_>) -> Result<OutsideResource, String> {
    Ok(OutsideResource {
        state: optional(item, "status"),
        bytes: bytes_of_gib(item, "volumeSize"),
        created: time(item, "startTime"),
        key: optional(item, "kmsKeyId"),
        uses: optional(item, "volumeId").into_iter().collect(),
        description: optional(item, "description"),
        ..resource(OutsideKind::Snapshot, item, "snapshotId")?
    })
}

pub(super) fn group(item: Node<'_, '_>) -> Result<OutsideResource, String> {
    Ok(OutsideResource {
        description: optional(item, "groupDescription"),
        by_aws: optional(item, "groupName").as_deref() == Some(DEFAULT_GROUP),
        ..resource(OutsideKind::SecurityGroup, item, "groupId")?
    })
}

pub(super) fn interface(item: Node<'_, '_>) -> Result<OutsideResource, String> {
    let mut uses = texts(item, "groupSet", "groupId");
    uses.extend(inside(item, "attachment", "instanceId"));
    Ok(OutsideResource {
        state: optional(item, "status"),
        uses,
        description: optional(item, "description"),
        by_aws: is_true(item, "requesterManaged"),
        ..resource(OutsideKind::Interface, item, "networkInterfaceId")?
    })
}

pub(super) fn subnet(item: Node<'_, '_>) -> Result<OutsideResource, String> {
    Ok(OutsideResource {
        state: optional(item, "state"),
        description: optional(item, "cidrBlock"),
        ..resource(OutsideKind::Subnet, item, "subnetId")?
    })
}

/// The main one is the VPC's own.
pub(super) fn route_table(item: Node<'_, '_>) -> Result<OutsideResource, String> {
    let main = texts(item, "associationSet", "main");
    Ok(OutsideResource {
        uses: texts(item, "associationSet", "subnetId"),
        by_aws: main.contains("true"),
        ..resource(OutsideKind::RouteTable, item, "routeTableId")?
    })
}

pub(super) fn endpoint(item: Node<'_, '_>) -> Result<OutsideResource, String> {
    let mut uses = texts(item, "groupSet", "groupId");
    uses.extend(texts(item, "networkInterfaceIdSet", "item"));
    Ok(OutsideResource {
        state: optional(item, "state"),
        created: time(item, "creationTimestamp"),
        uses,
        description: optional(item, "serviceName"),
        by_aws: is_true(item, "requesterManaged"),
        ..resource(OutsideKind::Endpoint, item, "vpcEndpointId")?
    })
}

/// It lies between two VPCs: both are in `uses`.
pub(super) fn peering(item: Node<'_, '_>) -> Result<OutsideResource, String> {
    let vpcs = ["requesterVpcInfo", "accepterVpcInfo"].map(|side| inside(item, side, "vpcId"));
    Ok(OutsideResource {
        state: inside(item, "status", "code"),
        uses: vpcs.into_iter().flatten().collect(),
        description: inside(item, "status", "message"),
        ..resource(OutsideKind::Peering, item, "vpcPeeringConnectionId")?
    })
}

/// The default one is the VPC's own.
pub(super) fn network_acl(item: Node<'_, '_>) -> Result<OutsideResource, String> {
    Ok(OutsideResource {
        uses: texts(item, "associationSet", "subnetId"),
        by_aws: is_true(item, "default"),
        ..resource(OutsideKind::NetworkAcl, item, "networkAclId")?
    })
}

/// It lies in the VPC that it is attached to.
pub(super) fn vpn_gateway(item: Node<'_, '_>) -> Result<OutsideResource, String> {
    let all = direct(item, "attachments").ok_or("an answer with an entry without attachments")?;
    Ok(OutsideResource {
        vpc: attached_to(all),
        state: optional(item, "state"),
        ..resource(OutsideKind::VpnGateway, item, "vpnGatewayId")?
    })
}

pub(super) fn internet_gateway(item: Node<'_, '_>) -> Result<OutsideResource, String> {
    gateway(item, "internetGatewayId")
}

pub(super) fn egress_gateway(item: Node<'_, '_>) -> Result<OutsideResource, String> {
    gateway(item, "egressOnlyInternetGatewayId")
}

fn gateway(item: Node<'_, '_>, id: &str) -> Result<OutsideResource, String> {
    Ok(OutsideResource {
        vpc: direct(item, "attachmentSet").and_then(attached_to),
        ..resource(OutsideKind::InternetGateway, item, id)?
    })
}

/// The VPC that a gateway is attached to: it has one at a time, and shows earlier ones as detached.
fn attached_to(attachments: Node<'_, '_>) -> Option<String> {
    let is_attached = |node: &Node<'_, '_>| {
        node.is_element() && optional(*node, "state").as_deref() != Some("detached")
    };
    let mut attached = attachments.children().filter(is_attached);
    attached.find_map(|node| optional(node, "vpcId"))
}

/// It uses addresses and interfaces. One that is regional, over all zones of its VPC, says so.
pub(super) fn nat_gateway(item: Node<'_, '_>) -> Result<OutsideResource, String> {
    let mut uses = texts(item, "natGatewayAddressSet", "allocationId");
    uses.extend(texts(item, "natGatewayAddressSet", "networkInterfaceId"));
    Ok(OutsideResource {
        state: optional(item, "state"),
        created: time(item, "createTime"),
        uses,
        description: optional(item, "availabilityMode").filter(|mode| mode == "regional"),
        ..resource(OutsideKind::NatGateway, item, "natGatewayId")?
    })
}

/// It is used by the machine or the interface that it is at.
pub(super) fn address(item: Node<'_, '_>) -> Result<OutsideResource, String> {
    let users = ["instanceId", "networkInterfaceId"].map(|name| optional(item, name));
    Ok(OutsideResource {
        uses: users.into_iter().flatten().collect(),
        description: optional(item, "publicIp"),
        ..resource(OutsideKind::Address, item, "allocationId")?
    })
}

/// Every account begins with a default one.
pub(super) fn vpc(item: Node<'_, '_>) -> Result<OutsideResource, String> {
    Ok(OutsideResource {
        state: optional(item, "state"),
        description: optional(item, "cidrBlock"),
        by_aws: is_true(item, "isDefault"),
        ..resource(OutsideKind::Vpc, item, "vpcId")?
    })
}

/// A rule of a security group.
#[derive(Debug)]
pub(in crate::cloud::aws::outside) struct Rule {
    /// The group that it is a rule of.
    pub(in crate::cloud::aws::outside) group: String,
    /// The group that it names.
    named: Option<String>,
    pub(in crate::cloud::aws::outside) is_egress: bool,
    pub(in crate::cloud::aws::outside) resource: OutsideResource,
}

impl Rule {
    /// The rule, if it names a group that is not its own; its body is the id of its own.
    pub(super) fn naming_another(self) -> Option<OutsideResource> {
        let named = self.named.filter(|named| *named != self.group)?;
        Some(OutsideResource {
            uses: BTreeSet::from([self.group.clone(), named]),
            body: self.group,
            ..self.resource
        })
    }
}

pub(super) fn rule(item: Node<'_, '_>) -> Result<Rule, String> {
    let is_egress = match required(item, "isEgress")?.as_str() {
        "true" => true,
        "false" => false,
        other => return Err(format!("an answer with a rule whose isEgress is {other}")),
    };
    let named = direct(item, "referencedGroupInfo").and_then(|info| optional(info, "groupId"));
    Ok(Rule {
        group: required(item, "groupId")?,
        named,
        is_egress,
        resource: OutsideResource {
            state: Some(if is_egress { "egress" } else { "ingress" }.to_owned()),
            description: optional(item, "description"),
            ..resource(OutsideKind::GroupRule, item, "securityGroupRuleId")?
        },
    })
}
