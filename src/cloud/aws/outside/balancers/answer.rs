//! What Elastic Load Balancing says of load balancers and target groups, out of an entry of its lists. Pure.

use std::collections::BTreeMap;

use roxmltree::Node;

use super::super::answer::{direct, optional, required, tags, texts, time};
use crate::cloud::outside::{OutsideKind, OutsideResource};

pub(super) fn load_balancer(entry: Node<'_, '_>) -> Result<OutsideResource, String> {
    Ok(OutsideResource {
        vpc: optional(entry, "VpcId"),
        state: direct(entry, "State").and_then(|state| optional(state, "Code")),
        created: time(entry, "CreatedTime"),
        uses: texts(entry, "SecurityGroups", "member"),
        description: optional(entry, "DNSName"),
        ..OutsideResource::new(
            OutsideKind::LoadBalancer,
            required(entry, "LoadBalancerArn")?,
        )
    })
}

pub(super) fn classic(entry: Node<'_, '_>) -> Result<OutsideResource, String> {
    let mut uses = texts(entry, "SecurityGroups", "member");
    uses.extend(texts(entry, "Instances", "InstanceId"));
    Ok(OutsideResource {
        vpc: optional(entry, "VPCId"),
        created: time(entry, "CreatedTime"),
        uses,
        description: optional(entry, "DNSName"),
        ..OutsideResource::new(
            OutsideKind::ClassicLoadBalancer,
            required(entry, "LoadBalancerName")?,
        )
    })
}

/// One for functions lies in no VPC.
pub(super) fn target_group(entry: Node<'_, '_>) -> Result<OutsideResource, String> {
    Ok(OutsideResource {
        vpc: optional(entry, "VpcId"),
        uses: texts(entry, "LoadBalancerArns", "member"),
        description: optional(entry, "TargetGroupName"),
        ..OutsideResource::new(OutsideKind::TargetGroup, required(entry, "TargetGroupArn")?)
    })
}

/// A resource by the element that names it, with its tags.
pub(super) fn tags_of(
    entry: Node<'_, '_>,
    named: &str,
) -> Result<(String, BTreeMap<String, String>), String> {
    let tags = tags(entry, ["Tags", "member", "Key", "Value"]);
    Ok((required(entry, named)?, tags))
}
