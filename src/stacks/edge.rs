//! The ways in and out: NAT and the load balancer of the API.

use serde::Serialize;
use serde_json::{Map, Value};

use super::fields::{Row, row};
use super::firewall;
use super::parts::{self, Holds, Inputs};
use super::{DesignError, Stack, StackKind};
use crate::spec::{ApiDns, ClusterSpec, Exposure, Nat, Zone};
use crate::templates::Templates;

/// Which field decides what in this stack.
pub(super) const FIELDS: &[Row] = &[
    row("NatAddress", "", &["network.nat"]),
    row("NatAddress", "Metadata", &["zones"]),
    row("NatAddress", "Properties.Tags", &["zones"]),
    row("RegionalNatAddress?", "", &["network.nat", "zones"]),
    row("ApiNatAddress", "", &["api.exposure", "network.nat"]),
    row("ApiNatAddress", "Metadata", &["zones"]),
    row("ApiNatAddress", "Properties.Description", &["zones"]),
    row(
        "ApiRegionalNatAddress?",
        "",
        &["api.exposure", "network.nat", "zones"],
    ),
    row(
        "RegionalNatGateway",
        "Properties.AvailabilityZoneAddresses",
        &["zones"],
    ),
    row("NatGateway", "Properties.SubnetId", &["zones"]),
    row("NatGateway", "Metadata", &["zones"]),
    row("*NatGateway", "", &["network.nat"]),
    row(
        "PrivateDefaultRoute",
        "Properties.NatGatewayId",
        &["network.nat"],
    ),
    row("PrivateDefaultRoute", "", &["network.nat"]),
    row("ApiLoadBalancer", "Properties.Scheme", &["api.exposure"]),
    row("ApiLoadBalancer", "Metadata", &["api.exposure"]),
    row(
        "ApiLoadBalancer",
        "Properties.Subnets",
        &["api.exposure", "network.nat", "zones"],
    ),
    row("*ApiTargets", "", &["api.exposure"]),
    row(
        "ApiListener",
        "Properties.DefaultActions",
        &["api.exposure"],
    ),
    row(
        "ApiName",
        "Properties.HostedZoneId",
        &["api.dns.hostedZone"],
    ),
    row("ApiName", "Properties.Name", &["api.dns.name"]),
    row("ApiName", "Metadata", &["api.dns.name"]),
    row("ApiName", "", &["api.dns"]),
    row("*", "", &["api"]),
];

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Context<'a> {
    cluster: &'a str,
    parameters: &'a Map<String, Value>,
    nat: &'static str,
    nat_addresses: Vec<NatAddress<'a>>,
    api_is_public: bool,
    scheme: &'static str,
    /// Logical id of the target group.
    api_targets: &'static str,
    api_subnets: Vec<String>,
    dns: Option<Dns<'a>>,
}

/// An address that the cluster shows to the internet. The ids differ between the modes, as an
/// address can't belong to the old and the new gateway while one takes the other's place.
#[derive(Serialize)]
struct NatAddress<'a> {
    id: String,
    zone: &'a str,
    subnet: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Dns<'a> {
    name: &'a str,
    hosted_zone: &'a str,
}

impl<'a> From<&'a ApiDns> for Dns<'a> {
    fn from(dns: &'a ApiDns) -> Self {
        Self {
            name: &dns.name,
            hosted_zone: &dns.hosted_zone,
        }
    }
}

pub(super) fn design(spec: &ClusterSpec, templates: &Templates) -> Result<Stack, DesignError> {
    let inputs = inputs(spec);
    let context = Context {
        cluster: &spec.name,
        parameters: inputs.parameters(),
        nat: match spec.network.nat {
            Nat::Regional => "regional",
            Nat::Single => "single",
            Nat::None => "none",
        },
        nat_addresses: nat_addresses(spec),
        api_is_public: firewall::nodes_come_from_outside(spec),
        scheme: match spec.api.exposure {
            Exposure::Internal => "internal",
            Exposure::Public => "internet-facing",
        },
        api_targets: match spec.api.exposure {
            Exposure::Internal => "InternalApiTargets",
            Exposure::Public => "PublicApiTargets",
        },
        api_subnets: api_subnets(spec),
        dns: spec.api.dns.as_ref().map(Dns::from),
    };
    let data = templates.render_data(StackKind::Edge.template(), &context)?;
    parts::stack(spec, StackKind::Edge, data, inputs)
}

fn inputs(spec: &ClusterSpec) -> Inputs {
    let inputs = Inputs::default().output(StackKind::Network, "VpcId", Holds::Vpc);
    let inputs = firewall::input(inputs, firewall::NLB);
    let mut subnets = api_subnets(spec);
    let nat = nat_addresses(spec)
        .into_iter()
        .map(|address| address.subnet);
    let own = nat.filter(|_| spec.network.nat == Nat::Single);
    subnets.extend(own);
    subnets.sort();
    subnets.dedup();
    let inputs = inputs.network(subnets, Holds::Subnet);
    match spec.network.nat {
        Nat::None => inputs,
        Nat::Regional | Nat::Single => {
            inputs.output(StackKind::Network, "PrivateRoutes", Holds::Text)
        }
    }
}

fn nat_addresses(spec: &ClusterSpec) -> Vec<NatAddress<'_>> {
    let zones: &[Zone] = match spec.network.nat {
        Nat::Regional => &spec.zones,
        Nat::Single => spec.zones.get(..1).unwrap_or_default(),
        Nat::None => &[],
    };
    zones
        .iter()
        .map(|zone| NatAddress {
            id: match spec.network.nat {
                Nat::Regional => format!("RegionalNatAddress{}", parts::letter(zone)),
                Nat::Single | Nat::None => "NatAddress".to_owned(),
            },
            zone: &zone.name,
            subnet: parts::public_subnet(zone),
        })
        .collect()
}

fn api_subnets(spec: &ClusterSpec) -> Vec<String> {
    let subnet = |zone: &Zone| match spec.api.exposure {
        Exposure::Internal => parts::node_subnet(spec, zone),
        Exposure::Public => parts::public_subnet(zone),
    };
    spec.zones.iter().map(subnet).collect()
}
