//! Interfaces that AWS makes for what stacks have: machines, NAT gateways, load balancers, databases.

use std::collections::BTreeSet;

use serde_json::Value;

use super::of_stacks::{Listed, balancer_subnets, made_for};
use crate::cloud::outside::{OutsideKind, OutsideResource};
use crate::simulated::inspected::texts;
use crate::simulated::state::State;
use crate::templates::evaluate::text;

impl State {
    /// Interfaces beside those that templates name: of machines, NAT gateways, load balancers, databases.
    pub(super) fn add_interfaces(&self, all: &mut Vec<Listed>) {
        let seed = self.env.setting.seed;
        for machine in self.group_machines() {
            let id = &machine.listed.resource.id;
            let used = machine.interface.as_ref();
            if let Some(one) = all.iter_mut().find(|one| Some(&one.resource.id) == used) {
                one.resource.state = Some("in-use".to_owned());
                one.resource.uses.insert(id.clone());
            } else {
                all.push(self.machine_interface(&machine));
            }
        }
        for nat in self.live("AWS::EC2::NatGateway") {
            all.extend(nat_interface(seed, &nat.id, &nat.properties));
        }
        for balancer in self.live("AWS::ElasticLoadBalancingV2::LoadBalancer") {
            all.extend(balancer_interfaces(
                seed,
                &balancer.id,
                &balancer.properties,
            ));
        }
        for database in self.live("AWS::RDS::DBInstance") {
            let named = text(&database.properties["DBSubnetGroupName"]);
            let subnets = self.found("AWS::RDS::DBSubnetGroup", &named);
            let subnets = subnets.map(|group| texts(&group.properties["SubnetIds"]));
            let subnet = subnets.and_then(|subnets| subnets.into_iter().next());
            all.extend(database_interface(
                seed,
                &database.id,
                &database.properties,
                subnet,
            ));
        }
    }
}

pub(super) fn nat_interface(seed: u64, id: &str, properties: &Value) -> Option<Listed> {
    let subnet = properties.get("SubnetId").map(text)?;
    let said = format!("Interface for NAT Gateway {id}");
    Some(managed(seed, id, &subnet, said, BTreeSet::new()))
}

/// In one of its subnets.
pub(super) fn database_interface(
    seed: u64,
    id: &str,
    properties: &Value,
    subnet: Option<String>,
) -> Option<Listed> {
    let groups = texts(&properties["VPCSecurityGroups"]);
    let said = "RDSNetworkInterface".to_owned();
    Some(managed(seed, id, &subnet?, said, groups))
}

/// The interfaces of a load balancer, one a subnet.
pub(super) fn balancer_interfaces(seed: u64, id: &str, properties: &Value) -> Vec<Listed> {
    let name = id.split(":loadbalancer/").nth(1).unwrap_or_default();
    let groups = texts(&properties["SecurityGroups"]);
    let subnets = balancer_subnets(properties).into_iter();
    let interface = |subnet: String| {
        let of = format!("{id} {subnet}");
        managed(seed, &of, &subnet, format!("ELB {name}"), groups.clone())
    };
    subnets.map(interface).collect()
}

/// An interface that AWS manages.
fn managed(
    seed: u64,
    of: &str,
    subnet: &str,
    description: String,
    groups: BTreeSet<String>,
) -> Listed {
    let mut found = OutsideResource::new(OutsideKind::Interface, made_for(seed, "eni", of, 0));
    found.state = Some("in-use".to_owned());
    found.description = Some(description);
    found.by_aws = true;
    found.uses = groups;
    Listed {
        subnet: Some(subnet.to_owned()),
        ..Listed::of_aws(found)
    }
}
