//! Rows of the network: its range, its zones, and where machines have their addresses.

use std::collections::BTreeSet;

use ipnet::Ipv4Net;
use serde_json::Value;

use super::{Pair, Refusal, Verdict, resources};
use crate::plan::Code;
use crate::stacks::StackKind;

/// Route table of the private subnets, which only clusters with NAT have.
const PRIVATE_ROUTES: &str = "PrivateRoutes";
/// Start of the logical ids of the subnets that every zone has.
const PUBLIC_SUBNET: &str = "PublicSubnet";

/// The way to another network.
fn new_cluster(pair: Pair<'_>, what: &str) -> String {
    let cluster = pair.cluster;
    format!(
        "{what} needs a new cluster: `kube-cfn new NAME --from {cluster}` writes its definition"
    )
}

pub(super) fn cidr(pair: Pair<'_>) -> Vec<Verdict> {
    let changed = pair.staying("AWS::EC2::VPC").filter_map(|(id, was, is)| {
        let (was, is) = (was["CidrBlock"].as_str()?, is["CidrBlock"].as_str()?);
        (was != is).then(|| {
            Verdict::Refused(Refusal {
                code: Code::NetworkCidr,
                reason: format!(
                    "the network's range would change from {was} to {is}: AWS replaces the VPC, and everything in the \
                     old one would have to move first"
                ),
                field: pair.field(id, "CidrBlock"),
                was: Some(was.to_owned()),
                otherwise: new_cluster(pair, "another range"),
            })
        })
    });
    changed.collect()
}

pub(super) fn zones(pair: Pair<'_>) -> Vec<Verdict> {
    if pair.stack.kind != StackKind::Network {
        return Vec::new();
    }
    let (was, is) = (zones_of(pair.before), zones_of(&pair.stack.template));
    if is.starts_with(&was) {
        return Vec::new();
    }
    let kept: BTreeSet<&str> = is.iter().copied().collect();
    let gone: Vec<&str> = was
        .iter()
        .copied()
        .filter(|zone| !kept.contains(zone))
        .collect();
    let why = if gone.is_empty() {
        "their order fixes every address, so subnets would be replaced under the machines in them"
            .to_owned()
    } else {
        format!(
            "{} would lose its subnets under the machines in them",
            gone.join(", ")
        )
    };
    let list = |zones: &[&str]| format!("[{}]", zones.join(", "));
    vec![Verdict::Refused(Refusal {
        code: Code::Zones,
        reason: format!(
            "the zones would change from {} to {}: {why}",
            list(&was),
            list(&is)
        ),
        field: Some("zones".to_owned()),
        was: Some(list(&was)),
        otherwise: "a further zone may only be appended".to_owned(),
    })]
}

/// The zones of a network in the order of their addresses.
fn zones_of(template: &Value) -> Vec<&str> {
    let subnets = resources(template, "AWS::EC2::Subnet");
    let zone = |(id, subnet): (&str, &'_ Value)| {
        let range: Ipv4Net = subnet["CidrBlock"].as_str()?.parse().ok()?;
        id.starts_with(PUBLIC_SUBNET).then_some(range)
    };
    let mut zones: Vec<(Ipv4Net, &str)> = subnets
        .filter_map(|(id, subnet)| {
            Some((zone((id, subnet))?, subnet["AvailabilityZone"].as_str()?))
        })
        .collect();
    zones.sort_by_key(|(range, _)| *range);
    zones.into_iter().map(|(_, zone)| zone).collect()
}

pub(super) fn node_subnets(pair: Pair<'_>) -> Vec<Verdict> {
    if pair.stack.kind != StackKind::Network {
        return Vec::new();
    }
    let private = |template: &Value| template["Resources"][PRIVATE_ROUTES].is_object();
    let (from, to, was) = match (private(pair.before), private(&pair.stack.template)) {
        (true, false) => ("private", "public", "what it was (regional or single)"),
        (false, true) => ("public", "private", "none"),
        (true, true) | (false, false) => return Vec::new(),
    };
    vec![Verdict::Refused(Refusal {
        code: Code::NodeSubnets,
        reason: format!(
            "the nodes would move from {from} to {to} subnets: the control-plane nodes would get other addresses, and \
             etcd's members know each other by these"
        ),
        field: Some("network.nat".to_owned()),
        was: Some(was.to_owned()),
        otherwise: new_cluster(pair, "a change between `none` and the others"),
    })]
}
