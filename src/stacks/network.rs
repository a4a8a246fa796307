//! VPC, subnets over the zones, routes, security groups.

use serde::Serialize;

use super::common::{self, Tag};
use super::kind::KindRow;
use super::params::Inputs;
use super::security_groups::{self, Group, Rule};
use super::{DesignError, Stack, StackKind, Versions};
use crate::catalog::regions;
use crate::node::node_env;
use crate::spec::address::{self, ZoneAddresses};
use crate::spec::{ClusterSpec, Nat, Network, Zone};
use crate::templates::Templates;

/// What holds for this stack.
pub(super) static KIND: KindRow = KindRow {
    kind: StackKind::Network,
    name: "network",
    holds_data: true,
    has_machines: false,
    joins: None,
    suppliers: &[],
    fields: FIELDS,
    design,
};

/// Which field decides what in this stack.
const FIELDS: &str = "
Vpc               -                               network.cidr
Vpc               Properties.CidrBlock            network.cidr
Vpc               Metadata                        network.cidr
PrivateRoutes     -                               network.nat
S3Endpoint        Properties.RouteTableIds        network.nat
PrivateSubnet*    -                               network.nat, zones
PublicSubnet*     -                               zones
DatabaseSubnet*   -                               zones
*Subnet?          Properties.CidrBlock            network.cidr, zones
PublicSubnet?     Properties.Tags                 network.nat
Slot?Reservation  -                               zones
Slot?Reservation  Properties.SubnetId             network.nat
Slot?Reservation  Properties.Cidr                 network.cidr, network.nat, zones
Slot?Reservation  Metadata                        network.cidr, network.nat, zones
NlbSg             Properties.SecurityGroupEgress  network.cidr
NlbApiFrom*x*     -                               api.allowedCidrs
*FromVpc          Properties.CidrIp               network.cidr
*FromVpc          Properties.Description          network.cidr
*FromVpc          Metadata                        network.cidr
*                 -                               network
";

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Context<'a> {
    cluster: &'a str,
    cidr: String,
    route_tables: Vec<RouteTable>,
    subnets: Vec<Subnet>,
    slots: Vec<Slot>,
    groups: Vec<Group>,
    rules: Vec<Rule>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RouteTable {
    id: &'static str,
    name: &'static str,
    reaches_s3: bool,
}

#[derive(Serialize)]
struct Subnet {
    id: String,
    zone: String,
    cidr: String,
    table: &'static str,
    /// "public subnet in eu-west-1a".
    what: String,
    tags: Vec<Tag>,
}

/// The range around the fixed address of a zone's slot, reserved so that no other machine takes it
/// before the slot's interface does; also where there is no slot yet, for one may come.
#[derive(Serialize)]
struct Slot {
    id: char,
    letter: char,
    subnet: String,
    cidr: String,
}

fn design(
    spec: &ClusterSpec,
    _: &Versions,
    templates: &Templates,
) -> Result<Vec<Stack>, DesignError> {
    let Network {
        cidr,
        // Decides which subnets and routes there are.
        nat: _,
        // Known to machines alone.
        pod_cidr: _,
        service_cidr: _,
    } = &spec.network;
    let context = Context {
        cluster: &spec.name,
        cidr: cidr.to_string(),
        route_tables: route_tables(spec),
        subnets: subnets(spec)?,
        slots: reservations(spec)?,
        groups: security_groups::groups(spec),
        rules: security_groups::rules(spec),
    };
    let data = templates.render_data(&StackKind::Network.template(), &context)?;
    let stack = common::stack(spec, StackKind::Network, data, Inputs::default())?;
    Ok(vec![stack])
}

fn has_private(spec: &ClusterSpec) -> bool {
    spec.network.nat != Nat::None
}

fn route_tables(spec: &ClusterSpec) -> Vec<RouteTable> {
    let table = |id, name, reaches_s3| RouteTable {
        id,
        name,
        reaches_s3,
    };
    let all = [
        (true, table("Public", "public", true)),
        (has_private(spec), table("Private", "private", true)),
        // Also without a database: it costs nothing, and a database that is taken out of the
        // definition keeps its subnets.
        (true, table("Database", "database", false)),
    ];
    all.into_iter()
        .filter_map(|(wanted, table)| wanted.then_some(table))
        .collect()
}

fn subnets(spec: &ClusterSpec) -> Result<Vec<Subnet>, DesignError> {
    let mut subnets = Vec::new();
    for (zone, plan) in node_env::zones(spec)? {
        let make = |id, table: &'static str, name: &str, cidr: ipnet::Ipv4Net, tags: Vec<Tag>| {
            let label = common::tag("Name", format!("{} {name} {}", spec.name, zone.letter));
            Subnet {
                id,
                zone: zone.name.clone(),
                cidr: cidr.to_string(),
                table,
                what: format!("{name} subnet in {}", zone.name),
                tags: std::iter::once(label).chain(tags).collect(),
            }
        };
        let public = make(
            common::public_subnet(zone),
            "Public",
            "public",
            plan.public,
            balancer_tags(spec, Side::Public),
        );
        subnets.push(public);
        if has_private(spec) {
            let tags = balancer_tags(spec, Side::Private);
            let id = common::private_subnet(zone);
            subnets.push(make(id, "Private", "private", plan.private, tags));
        }
        let id = common::database_subnet(zone);
        subnets.push(make(id, "Database", "database", plan.database, Vec::new()));
    }
    Ok(subnets)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Public,
    Private,
}

/// By these tags Kubernetes chooses the subnets of a service's load balancer.
fn balancer_tags(spec: &ClusterSpec, side: Side) -> Vec<Tag> {
    let mut tags = vec![common::owned(spec)];
    if side == Side::Public {
        tags.push(common::tag("kubernetes.io/role/elb", "1"));
    }
    if side == Side::Private || !has_private(spec) {
        tags.push(common::tag("kubernetes.io/role/internal-elb", "1"));
    }
    tags
}

/// The ranges of the slots, where a stack can reserve them. Elsewhere an address of a slot is free when its interface
/// is made unless something that was in the subnet before took it: the API's load balancer, which is made first, and
/// machines of pools, which start at the same time. In a private subnet that is one of thousands; without NAT it is one
/// of 250, of 58 in a /18: docs/limits.md says what to do.
fn reservations(spec: &ClusterSpec) -> Result<Vec<Slot>, DesignError> {
    if !regions::has_subnet_reservations(&spec.region) {
        return Ok(Vec::new());
    }
    let slot = |(zone, plan): (&Zone, ZoneAddresses)| Slot {
        id: common::letter(zone),
        letter: zone.letter,
        subnet: common::node_subnet(spec, zone),
        cidr: address::reservation(node_env::slot_address(spec, &plan)).to_string(),
    };
    Ok(node_env::zones(spec)?.into_iter().map(slot).collect())
}
