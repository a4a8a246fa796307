//! Addresses for machines: the subnets of the nodes against the most that a cluster can grow to.

use super::Violation;
use crate::catalog::regions;
use crate::spec::address::{self, RESERVATION_PREFIX, ZoneAddresses};
use crate::spec::{ClusterSpec, Exposure, Nat};

/// The addresses of every subnet that AWS keeps for itself: the first four and the last.
const OF_AWS: u32 = 5;

pub(super) fn check(spec: &ClusterSpec) -> Option<Violation> {
    let cidr = spec.network.cidr;
    let zones = spec.zones.iter().enumerate();
    let plans: Option<Vec<ZoneAddresses>> =
        zones.map(|(index, _)| address::zone(cidr, index)).collect();
    // What has no address plan is refused for that.
    let plans = plans.filter(|plans| !plans.is_empty())?;
    let rooms = plans
        .iter()
        .zip(0..)
        .map(|(plan, index)| room(spec, plan, index));
    let rooms: Vec<u32> = rooms.collect();
    let total: u32 = rooms.iter().sum();
    // A machine that is being replaced still has its address while the new one takes another.
    let wanted = spec.pools.iter().map(|pool| pool.max).sum::<u32>() + 1;
    (wanted > total).then(|| {
        let what = format!(
            "the subnets of the nodes have room for {total} machines of pools, {wanted} are possible"
        );
        violation(spec, &plans, what)
    })
}

fn violation(spec: &ClusterSpec, plans: &[ZoneAddresses], what: String) -> Violation {
    let (at, subnet) = match spec.network.nat {
        Nat::None => ("network.nat", plans.first().map(|plan| plan.public)),
        Nat::Regional | Nat::Single => ("network.cidr", plans.first().map(|plan| plan.private)),
    };
    let prefix = subnet.map_or(0, |subnet| subnet.prefix_len());
    let help = match spec.network.nat {
        Nat::None => format!(
            "without NAT, nodes are in the public subnets, a /{prefix} a zone, with the API's load balancer: lower the \
             `max` of pools, or write `nat: single`"
        ),
        Nat::Regional | Nat::Single => format!(
            "a zone has a /{prefix} of the VPC range for its nodes: lower the `max` of pools"
        ),
    };
    let pools = 0..spec.pools.len();
    let pools = pools.map(|index| format!("pools[{index}].max"));
    let others = ["network.cidr", "network.nat", "zones", "controlPlane.nodes"];
    let others = others.into_iter().filter(|other| *other != at);
    Violation::new(at, what, help).with(others).with(pools)
}

/// How many machines of pools the nodes' subnet of the zone at `index` has room for.
fn room(spec: &ClusterSpec, plan: &ZoneAddresses, index: u8) -> u32 {
    let subnet = match spec.network.nat {
        Nat::None => plan.public,
        Nat::Regional | Nat::Single => plan.private,
    };
    let size = 1_u32 << (subnet.max_prefix_len() - subnet.prefix_len());
    let balanced = spec.network.nat == Nat::None || spec.api.exposure == Exposure::Internal;
    let slot = if regions::has_subnet_reservations(&spec.region) {
        1 << (subnet.max_prefix_len() - RESERVATION_PREFIX)
    } else {
        u32::from(index < spec.control_plane.nodes)
    };
    size.saturating_sub(OF_AWS + u32::from(balanced) + slot)
}
