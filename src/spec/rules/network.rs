//! Address ranges and zones: nothing overlaps, everything fits.

use ipnet::Ipv4Net;

use super::{Violation, either};
use crate::catalog::regions;
use crate::spec::address::{LONGEST_PREFIX, MAX_ZONES, SHORTEST_PREFIX};
use crate::spec::{ClusterSpec, Nat};

/// Every node takes a /24 of the pod range (`node-cidr-mask-size` of the controller manager).
const POD_RANGE_OF_A_NODE: u8 = 24;
/// The API server takes service ranges of at most 20 bits; the largest of the three is /12.
const SERVICE_PREFIXES: std::ops::RangeInclusive<u8> = 12..=24;
/// Ranges that are never public addresses: RFC 1918 and RFC 6598.
const PRIVATE: [&str; 4] = [
    "10.0.0.0/8",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "100.64.0.0/10",
];

pub(super) fn check(spec: &ClusterSpec, broken: &mut Vec<Violation>) {
    if let Some(why) = regions::unsupported(&spec.region) {
        let help = "endpoints, the names of services in policies and what machines download differ there: choose a \
                    region of the commercial partition or of GovCloud";
        broken.push(Violation::new("region", why, help));
    }
    zones(spec, broken);
    nat(spec, broken);
    ranges(spec, broken);
    sizes(spec, broken);
}

/// A regional NAT gateway fails in AWS only when the network is there already.
fn nat(spec: &ClusterSpec, broken: &mut Vec<Violation>) {
    if spec.network.nat == Nat::Regional && !regions::has_regional_nat(&spec.region) {
        let what = format!("{} has no regional NAT gateways", spec.region);
        let help = "write `nat: single`, the default there: one gateway in the first zone, gone with that zone";
        broken.push(Violation::new("network.nat", what, help).with(["region"]));
    }
}

fn zones(spec: &ClusterSpec, broken: &mut Vec<Violation>) {
    let count = spec.zones.len();
    if !(2..=MAX_ZONES).contains(&count) {
        let known = regions::default_zones(&spec.region).unwrap_or_default();
        let help = if known.is_empty() {
            "the address plan has room for three; load balancer and database need two".to_owned()
        } else {
            format!(
                "the address plan has room for three, and a database needs two: the zones of {} are {}",
                spec.region,
                known.join(", ")
            )
        };
        let what = format!("expected 2 or 3 zones, got {count}");
        broken.push(Violation::new("zones", what, help));
    }
    for (index, zone) in spec.zones.iter().enumerate() {
        let at = format!("zones[{index}]");
        let letter = zone.name.strip_prefix(spec.region.as_str());
        if letter.is_none_or(|rest| rest.chars().count() != 1) {
            let what = format!("zone `{}` is not in region `{}`", zone.name, spec.region);
            let zones = regions::default_zones(&spec.region).unwrap_or_default();
            let help = if zones.is_empty() {
                format!("zones of {0} are called {0}a, {0}b, …", spec.region)
            } else {
                format!("write {}", either(zones))
            };
            broken.push(Violation::new(&at, what, help).with(["region"]));
        }
        let again = spec.zones[..index]
            .iter()
            .any(|other| other.name == zone.name);
        if again && count <= MAX_ZONES {
            let what = format!("zone `{}` is listed twice", zone.name);
            broken.push(Violation::new(
                at,
                what,
                "remove one of them, or write another zone",
            ));
        }
    }
}

fn ranges(spec: &ClusterSpec, broken: &mut Vec<Violation>) {
    let network = &spec.network;
    let all = [
        ("network.cidr", "the VPC range", network.cidr),
        ("network.podCidr", "the pod range", network.pod_cidr),
        (
            "network.serviceCidr",
            "the service range",
            network.service_cidr,
        ),
    ];
    for (index, (at, name, range)) in all.iter().enumerate() {
        if !PRIVATE.iter().any(|private| lies_in(*range, private)) {
            let what = format!("{name} {range} is not private");
            let help = format!(
                "what lies outside {} belongs to others, or to AWS itself: nodes could no longer \
                 reach it",
                either(PRIVATE)
            );
            broken.push(Violation::new(*at, what, help));
        }
        for (other_at, other_name, other) in &all[..index] {
            if overlap(*range, *other) {
                let what = format!("{name} {range} overlaps {other_name} {other}");
                let help = "traffic to addresses in both is silently dropped: \
                            choose ranges that do not touch";
                broken.push(Violation::new(*at, what, help).with([*other_at]));
            }
        }
    }
}

fn sizes(spec: &ClusterSpec, broken: &mut Vec<Violation>) {
    let network = &spec.network;
    let vpc = network.cidr.prefix_len();
    if !(SHORTEST_PREFIX..=LONGEST_PREFIX).contains(&vpc) {
        let help = if vpc < SHORTEST_PREFIX {
            format!("AWS takes nothing larger than a /{SHORTEST_PREFIX}")
        } else {
            format!(
                "nodes, load balancers and database of {MAX_ZONES} zones need a /{LONGEST_PREFIX} \
                 at least, and a VPC can't grow later"
            )
        };
        let what = format!(
            "expected a VPC range of /{SHORTEST_PREFIX} to /{LONGEST_PREFIX}, got {}",
            network.cidr
        );
        broken.push(Violation::new("network.cidr", what, help));
    }
    let service = network.service_cidr.prefix_len();
    if !SERVICE_PREFIXES.contains(&service) {
        let what = format!(
            "expected a service range of /{} to /{}, got {}",
            SERVICE_PREFIXES.start(),
            SERVICE_PREFIXES.end(),
            network.service_cidr
        );
        let help = "the API server refuses larger ones, smaller ones run out; 100.68.0.0/16 is the default";
        broken.push(Violation::new("network.serviceCidr", what, help));
    }
    pods(spec, broken);
}

fn pods(spec: &ClusterSpec, broken: &mut Vec<Violation>) {
    let range = spec.network.pod_cidr;
    let room = match POD_RANGE_OF_A_NODE.checked_sub(range.prefix_len()) {
        Some(bits) => 1_u64 << bits,
        None => 0,
    };
    let nodes = u64::from(spec.control_plane.nodes)
        + spec
            .pools
            .iter()
            .map(|pool| u64::from(pool.max))
            .sum::<u64>();
    // A node that is being replaced still holds its range while the new one takes another.
    let needed = nodes + 1;
    if room < needed {
        let bits = u8::try_from(64 - (needed - 1).leading_zeros()).unwrap_or(POD_RANGE_OF_A_NODE);
        let prefix = POD_RANGE_OF_A_NODE.saturating_sub(bits);
        let what =
            format!("the pod range {range} has room for {room} nodes, {needed} are possible");
        let help = format!(
            "every node takes a /{POD_RANGE_OF_A_NODE}; control-plane nodes, the `max` of all pools and one \
             for replacing need a /{prefix}"
        );
        let fields = spec
            .pools
            .iter()
            .enumerate()
            .map(|(i, _)| format!("pools[{i}].max"));
        broken.push(
            Violation::new("network.podCidr", what, help)
                .with(["controlPlane.nodes".to_owned()])
                .with(fields),
        );
    }
}

fn overlap(a: Ipv4Net, b: Ipv4Net) -> bool {
    a.contains(&b.network()) || b.contains(&a.network())
}

fn lies_in(range: Ipv4Net, outer: &str) -> bool {
    outer
        .parse::<Ipv4Net>()
        .is_ok_and(|outer| outer.contains(&range))
}
