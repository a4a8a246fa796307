//! What EC2 has of a cluster: by each of its tags, and by its VPC. EC2 combines filters of different names by "and", so
//! each tag is asked for by itself, and what is found twice is merged by its id.

mod answer;

use std::collections::{BTreeMap, BTreeSet};

use roxmltree::Node;

use super::answer::{List, page, required};
use super::tags::{self, Tagger};
use super::{query, unreadable};
use crate::cloud::CloudError;
use crate::cloud::aws::Aws;
use crate::cloud::aws::calls::{ApiCall, all_pages};
use crate::cloud::aws::ec2::VERSION;
use crate::cloud::limiter::Service;
use crate::cloud::outside::{OutsideResource, OutsideScope};

/// As many values as EC2 takes for one filter.
const FILTER_VALUES: usize = 200;

/// How a kind is asked for.
pub(super) struct Listing {
    list: List,
    /// As many as the call puts on a page; none for a call that has no pages.
    page: Option<&'static str>,
    taggers: &'static [Tagger],
    /// Filters that name a VPC; none for a kind that lies in no VPC.
    vpc: &'static [&'static str],
    /// Parameters of every request, with filters from number 2 on.
    always: &'static [(&'static str, &'static str)],
    read: fn(Node<'_, '_>) -> Result<OutsideResource, String>,
}

/// Of one call with a flat list.
const fn ec2_list(call: &'static str, path: &'static [&'static str]) -> List {
    List {
        call,
        path,
        entry: "item",
        next: "nextToken",
    }
}

/// Terminated ones are shown for about an hour.
pub(super) const MACHINES: Listing = Listing {
    list: ec2_list("DescribeInstances", &["reservationSet", "instancesSet"]),
    page: Some("1000"),
    taggers: tags::USUAL,
    vpc: &["vpc-id"],
    always: &[
        ("Filter.2.Name", "instance-state-name"),
        ("Filter.2.Value.1", "pending"),
        ("Filter.2.Value.2", "running"),
        ("Filter.2.Value.3", "shutting-down"),
        ("Filter.2.Value.4", "stopping"),
        ("Filter.2.Value.5", "stopped"),
    ],
    read: answer::machine,
};
pub(super) const VOLUMES: Listing = Listing {
    list: ec2_list("DescribeVolumes", &["volumeSet"]),
    page: Some("500"),
    taggers: tags::USUAL,
    vpc: &[],
    always: &[],
    read: answer::volume,
};
pub(super) const SNAPSHOTS: Listing = Listing {
    list: ec2_list("DescribeSnapshots", &["snapshotSet"]),
    page: Some("1000"),
    taggers: tags::USUAL,
    vpc: &[],
    always: &[("Owner.1", "self")],
    read: answer::snapshot,
};
pub(super) const GROUPS: Listing = Listing {
    list: ec2_list("DescribeSecurityGroups", &["securityGroupInfo"]),
    page: Some("1000"),
    taggers: tags::OF_BALANCERS,
    vpc: &["vpc-id"],
    always: &[],
    read: answer::group,
};
pub(super) const INTERFACES: Listing = Listing {
    list: ec2_list("DescribeNetworkInterfaces", &["networkInterfaceSet"]),
    page: Some("1000"),
    taggers: tags::OF_INTERFACES,
    vpc: &["vpc-id"],
    always: &[],
    read: answer::interface,
};
pub(super) const SUBNETS: Listing = Listing {
    list: ec2_list("DescribeSubnets", &["subnetSet"]),
    page: Some("1000"),
    taggers: tags::USUAL,
    vpc: &["vpc-id"],
    always: &[],
    read: answer::subnet,
};
pub(super) const ROUTE_TABLES: Listing = Listing {
    list: ec2_list("DescribeRouteTables", &["routeTableSet"]),
    page: Some("100"),
    taggers: tags::USUAL,
    vpc: &["vpc-id"],
    always: &[],
    read: answer::route_table,
};
pub(super) const ENDPOINTS: Listing = Listing {
    list: ec2_list("DescribeVpcEndpoints", &["vpcEndpointSet"]),
    page: Some("1000"),
    taggers: tags::USUAL,
    vpc: &["vpc-id"],
    always: &[],
    read: answer::endpoint,
};
/// Those that have ended, failed or were refused are shown for hours and hold nothing.
pub(super) const PEERINGS: Listing = Listing {
    list: ec2_list(
        "DescribeVpcPeeringConnections",
        &["vpcPeeringConnectionSet"],
    ),
    page: Some("1000"),
    taggers: tags::USUAL,
    vpc: &["requester-vpc-info.vpc-id", "accepter-vpc-info.vpc-id"],
    always: &[
        ("Filter.2.Name", "status-code"),
        ("Filter.2.Value.1", "initiating-request"),
        ("Filter.2.Value.2", "pending-acceptance"),
        ("Filter.2.Value.3", "provisioning"),
        ("Filter.2.Value.4", "active"),
        ("Filter.2.Value.5", "deleting"),
    ],
    read: answer::peering,
};
/// The default one is the VPC's own.
pub(super) const NETWORK_ACLS: Listing = Listing {
    list: ec2_list("DescribeNetworkAcls", &["networkAclSet"]),
    page: Some("1000"),
    taggers: tags::USUAL,
    vpc: &["vpc-id"],
    always: &[("Filter.2.Name", "default"), ("Filter.2.Value.1", "false")],
    read: answer::network_acl,
};
/// Deleted ones are shown for a while.
pub(super) const VPN_GATEWAYS: Listing = Listing {
    list: ec2_list("DescribeVpnGateways", &["vpnGatewaySet"]),
    page: None,
    taggers: tags::USUAL,
    vpc: &["attachment.vpc-id"],
    always: &[
        ("Filter.2.Name", "state"),
        ("Filter.2.Value.1", "pending"),
        ("Filter.2.Value.2", "available"),
        ("Filter.2.Value.3", "deleting"),
    ],
    read: answer::vpn_gateway,
};
/// Deleted and failed ones are shown for an hour and hold nothing.
pub(super) const NAT_GATEWAYS: Listing = Listing {
    list: ec2_list("DescribeNatGateways", &["natGatewaySet"]),
    page: Some("1000"),
    taggers: tags::OF_STACKS,
    vpc: &["vpc-id"],
    always: &[
        ("Filter.2.Name", "state"),
        ("Filter.2.Value.1", "pending"),
        ("Filter.2.Value.2", "available"),
        ("Filter.2.Value.3", "deleting"),
    ],
    read: answer::nat_gateway,
};
/// They lie in no VPC, whatever they are at.
pub(super) const ADDRESSES: Listing = Listing {
    list: ec2_list("DescribeAddresses", &["addressesSet"]),
    page: None,
    taggers: tags::OF_STACKS,
    vpc: &[],
    always: &[],
    read: answer::address,
};
const INTERNET_GATEWAYS: Listing = Listing {
    list: ec2_list("DescribeInternetGateways", &["internetGatewaySet"]),
    page: Some("1000"),
    taggers: tags::OF_STACKS,
    vpc: &["attachment.vpc-id"],
    always: &[],
    read: answer::internet_gateway,
};
/// EC2 has no filter for the VPC of these.
const EGRESS_GATEWAYS: List = ec2_list(
    "DescribeEgressOnlyInternetGateways",
    &["egressOnlyInternetGatewaySet"],
);
const VPCS: List = ec2_list("DescribeVpcs", &["vpcSet"]);
pub(super) const OWN_VPCS: Listing = Listing {
    list: VPCS,
    page: Some("1000"),
    taggers: tags::OF_STACKS,
    vpc: &[],
    always: &[],
    read: answer::vpc,
};
const RULES: List = ec2_list("DescribeSecurityGroupRules", &["securityGroupRuleSet"]);

/// The resources of a kind, by id.
pub(super) async fn listed(
    aws: &Aws,
    listing: &Listing,
    scope: &OutsideScope,
) -> Result<Vec<OutsideResource>, CloudError> {
    let by_tag = listing.taggers.iter().map(|tagger| {
        let (key, value) = tagger.tag(&scope.cluster);
        (format!("tag:{key}"), value)
    });
    let vpcs = scope.vpc.iter().flat_map(|vpc| {
        let names = listing.vpc.iter();
        names.map(|name| ((*name).to_owned(), vpc.clone()))
    });
    let mut found = BTreeMap::new();
    for (name, value) in by_tag.chain(vpcs) {
        let page = listing.page.map(|page| ("MaxResults", page));
        let mut parameters: Vec<_> = page.into_iter().collect();
        parameters.push(("Filter.1.Name", name.as_str()));
        parameters.push(("Filter.1.Value.1", value.as_str()));
        parameters.extend_from_slice(listing.always);
        for resource in read(aws, listing.list, &parameters, listing.read).await? {
            found.insert(resource.id.clone(), resource);
        }
    }
    let found = found.into_values().map(|found| placed(found, scope));
    Ok(found.filter(|it| is_of(it, listing, scope)).collect())
}

/// A peering connection lies in both of its VPCs: in ours, if that is one of them.
fn placed(found: OutsideResource, scope: &OutsideScope) -> OutsideResource {
    let ours = scope.vpc.as_ref().filter(|vpc| found.uses.contains(*vpc));
    let vpc = found.vpc.or_else(|| ours.cloned());
    OutsideResource { vpc, ..found }
}

/// Whether a resource is what was asked for: a filter that an endpoint does not know must not make strangers ours.
fn is_of(resource: &OutsideResource, listing: &Listing, scope: &OutsideScope) -> bool {
    let in_vpc = !listing.vpc.is_empty() && scope.vpc.is_some() && resource.vpc == scope.vpc;
    in_vpc || tags::are_of(&resource.tags, listing.taggers, &scope.cluster)
}

/// Internet gateways of both kinds.
pub(super) async fn internet_gateways(
    aws: &Aws,
    scope: &OutsideScope,
) -> Result<Vec<OutsideResource>, CloudError> {
    let mut found = listed(aws, &INTERNET_GATEWAYS, scope).await?;
    let page = [("MaxResults", "255")];
    let egress_only = read(aws, EGRESS_GATEWAYS, &page, answer::egress_gateway).await?;
    let ours = egress_only.into_iter();
    found.extend(ours.filter(|it| is_of(it, &INTERNET_GATEWAYS, scope)));
    Ok(found)
}

/// The rules that name another group, of every group that [`GROUPS`] finds.
pub(super) async fn rules(
    aws: &Aws,
    scope: &OutsideScope,
) -> Result<Vec<OutsideResource>, CloudError> {
    let groups = listed(aws, &GROUPS, scope).await?;
    let mut found = BTreeMap::new();
    for some in groups.chunks(FILTER_VALUES) {
        let names = value_names(some.len());
        let values = names.iter().zip(some);
        let values = values.map(|(name, group)| (name.as_str(), group.id.as_str()));
        let mut parameters = vec![("MaxResults", "1000"), ("Filter.1.Name", "group-id")];
        parameters.extend(values);
        for rule in read(aws, RULES, &parameters, answer::rule).await? {
            let Some(group) = some.iter().find(|group| group.id == rule.group) else {
                continue;
            };
            if let Some(mut rule) = rule.naming_another() {
                rule.vpc.clone_from(&group.vpc);
                found.insert(rule.id.clone(), rule);
            }
        }
    }
    Ok(found.into_values().collect())
}

/// Where a rule is, read again: to revoke it, AWS wants its group and its direction. `None` when it is gone.
pub(super) async fn rule(aws: &Aws, id: &str) -> Result<Option<answer::Rule>, CloudError> {
    let parameters = [("SecurityGroupRuleId.1", id)];
    let found = read(aws, RULES, &parameters, answer::rule).await;
    let found = CloudError::optional(found)?.unwrap_or_default();
    Ok(found.into_iter().find(|rule| rule.resource.id == id))
}

/// Those of these VPCs that exist.
pub(super) async fn vpcs(
    aws: &Aws,
    wanted: &BTreeSet<String>,
) -> Result<BTreeSet<String>, CloudError> {
    let wanted: Vec<_> = wanted.iter().map(String::as_str).collect();
    let mut found = BTreeSet::new();
    for some in wanted.chunks(FILTER_VALUES) {
        let names = value_names(some.len());
        let values = names.iter().map(String::as_str).zip(some.iter().copied());
        let mut parameters = vec![("MaxResults", "1000"), ("Filter.1.Name", "vpc-id")];
        parameters.extend(values);
        found.extend(read(aws, VPCS, &parameters, |item| required(item, "vpcId")).await?);
    }
    Ok(found)
}

/// Parameters that give the first filter so many values.
fn value_names(number: usize) -> Vec<String> {
    (1..=number)
        .map(|n| format!("Filter.1.Value.{n}"))
        .collect()
}

/// Every entry on every page.
async fn read<T>(
    aws: &Aws,
    list: List,
    parameters: &[(&str, &str)],
    entry: impl Fn(Node<'_, '_>) -> Result<T, String>,
) -> Result<Vec<T>, CloudError> {
    let api_call = ApiCall::new(Service::Ec2, list.call, "");
    all_pages(async |next: Option<String>| {
        let mut parameters = parameters.to_vec();
        parameters.extend(next.as_deref().map(|next| ("NextToken", next)));
        let text = query(aws, (api_call, VERSION), &parameters).await?;
        let page = page(&text, list, &entry).map_err(unreadable(api_call))?;
        Ok((Some(page.items), page.next))
    })
    .await
}
