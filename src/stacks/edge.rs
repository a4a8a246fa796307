//! The ways in and out: NAT and the load balancer of the API.

use serde::Serialize;
use serde_json::{Map, Value};

use super::common;
use super::kind::KindRow;
use super::params::{Inputs, ParameterType};
use super::security_groups::{self, SecurityGroup};
use super::{DesignError, Stack, StackKind, Versions};
use crate::spec::{Api, ApiDns, ClusterSpec, Exposure, Nat, Zone};
use crate::templates::Templates;

/// What holds for this stack.
pub(super) static KIND: KindRow = KindRow {
    kind: StackKind::Edge,
    name: "edge",
    holds_data: false,
    has_machines: false,
    joins: None,
    suppliers: &[StackKind::Network],
    fields: FIELDS,
    design,
};

/// Which field decides what in this stack.
const FIELDS: &str = "
NatAddress              -                                     network.nat
NatAddress              Metadata                              zones
NatAddress              Properties.Tags                       zones
RegionalNatAddress?     -                                     network.nat, zones
ApiNatAddress           -                                     api.exposure, network.nat
ApiNatAddress           Metadata                              zones
ApiNatAddress           Properties.Description                zones
ApiRegionalNatAddress?  -                                     api.exposure, network.nat, zones
RegionalNatGateway      Properties.AvailabilityZoneAddresses  zones
NatGateway              Properties.SubnetId                   zones
NatGateway              Metadata                              zones
*NatGateway             -                                     network.nat
PrivateDefaultRoute     Properties.NatGatewayId               network.nat
PrivateDefaultRoute     -                                     network.nat
ApiLoadBalancer         Properties.Scheme                     api.exposure
ApiLoadBalancer         Metadata                              api.exposure
ApiLoadBalancer         Properties.Subnets                    api.exposure, network.nat, zones
*ApiTargets             -                                     api.exposure
ApiListener             Properties.DefaultActions             api.exposure
ApiName                 Properties.HostedZoneId               api.dns.hostedZone
ApiName                 Properties.Name                       api.dns.name
ApiName                 Metadata                              api.dns.name
ApiName                 -                                     api.dns
*                       -                                     api
";

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
    fn from(ApiDns { name, hosted_zone }: &'a ApiDns) -> Self {
        Self { name, hosted_zone }
    }
}

fn design(
    spec: &ClusterSpec,
    _: &Versions,
    templates: &Templates,
) -> Result<Vec<Stack>, DesignError> {
    let inputs = inputs(spec);
    let Api {
        exposure,
        // Rules of the network's security groups.
        allowed_cidrs: _,
        dns,
    } = &spec.api;
    let context = Context {
        cluster: &spec.name,
        parameters: inputs.parameters(),
        nat: match spec.network.nat {
            Nat::Regional => "regional",
            Nat::Single => "single",
            Nat::None => "none",
        },
        nat_addresses: nat_addresses(spec),
        api_is_public: security_groups::nodes_come_from_outside(spec),
        scheme: match exposure {
            Exposure::Internal => "internal",
            Exposure::Public => "internet-facing",
        },
        api_targets: match exposure {
            Exposure::Internal => "InternalApiTargets",
            Exposure::Public => "PublicApiTargets",
        },
        api_subnets: api_subnets(spec),
        dns: dns.as_ref().map(Dns::from),
    };
    let data = templates.render_data(&StackKind::Edge.template(), &context)?;
    Ok(vec![common::stack(spec, StackKind::Edge, data, inputs)?])
}

fn inputs(spec: &ClusterSpec) -> Inputs {
    let inputs = Inputs::default().output(StackKind::Network, "VpcId", ParameterType::Vpc);
    let inputs = inputs.group(SecurityGroup::LoadBalancer);
    let mut subnets = api_subnets(spec);
    let nat = nat_addresses(spec)
        .into_iter()
        .map(|address| address.subnet);
    let own = nat.filter(|_| spec.network.nat == Nat::Single);
    subnets.extend(own);
    subnets.sort();
    subnets.dedup();
    let inputs = inputs.network(subnets, ParameterType::Subnet);
    match spec.network.nat {
        Nat::None => inputs,
        Nat::Regional | Nat::Single => {
            inputs.output(StackKind::Network, "PrivateRoutes", ParameterType::Text)
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
                Nat::Regional => format!("RegionalNatAddress{}", common::letter(zone)),
                Nat::Single | Nat::None => "NatAddress".to_owned(),
            },
            zone: &zone.name,
            subnet: common::public_subnet(zone),
        })
        .collect()
}

fn api_subnets(spec: &ClusterSpec) -> Vec<String> {
    let subnet = |zone: &Zone| match spec.api.exposure {
        Exposure::Internal => common::node_subnet(spec, zone),
        Exposure::Public => common::public_subnet(zone),
    };
    spec.zones.iter().map(subnet).collect()
}
