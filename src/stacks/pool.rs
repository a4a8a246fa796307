//! A node pool: a launch template and an Auto Scaling group, or a pair of them a zone.

use serde::Serialize;
use serde_json::{Map, Value};

use super::fields::{Row, row};
use super::parts::{self, Holds, Inputs, Tag};
use super::{API_HOST, DesignError, STATE_BUCKET, Stack, StackKind, firewall};
use crate::node::{self, Boot, Bundle, Role};
use crate::spec::{ClusterSpec, Nat, NodePool, Spread, Zone};
use crate::templates::Templates;

/// Which field decides what in this stack.
pub(super) const FIELDS: &[Row] = &[
    row(
        "LaunchTemplate*",
        "Properties.LaunchTemplateData.ImageId",
        &["{lock}", "kubernetes", "pools[{pool}].instanceTypes"],
    ),
    row(
        "LaunchTemplate*",
        "Properties.LaunchTemplateData.NetworkInterfaces",
        &["network.nat"],
    ),
    row(
        "LaunchTemplate*",
        "Properties.LaunchTemplateData.BlockDeviceMappings",
        &["pools[{pool}].volumeGib"],
    ),
    row(
        "LaunchTemplate*",
        "Properties.LaunchTemplateData.TagSpecifications",
        &["tags"],
    ),
    row(
        "LaunchTemplate*",
        "Properties.LaunchTemplateData.UserData",
        &[
            "kubernetes",
            "pools[{pool}].labels",
            "pools[{pool}].taints",
            "pools[{pool}].instanceTypes",
            "controlPlane.slots",
            "network.podCidr",
            "network.serviceCidr",
            "network.cidr",
            "network.nat",
            "zones",
            "mirror",
        ],
    ),
    row("Group*", "CreationPolicy", &["pools[{pool}].min", "zones"]),
    row(
        "Group*",
        "Properties.MinSize",
        &["pools[{pool}].min", "zones"],
    ),
    row(
        "Group*",
        "Properties.MaxSize",
        &["pools[{pool}].max", "pools[{pool}].min", "zones"],
    ),
    row(
        "Group*",
        "Metadata",
        &["pools[{pool}].min", "pools[{pool}].max", "zones"],
    ),
    row(
        "Group*",
        "Properties.VPCZoneIdentifier",
        &["network.nat", "zones"],
    ),
    row(
        "Group*",
        "Properties.CapacityRebalance",
        &["pools[{pool}].spotPercent"],
    ),
    row(
        "Group*",
        "Properties.MixedInstancesPolicy.InstancesDistribution.OnDemandBaseCapacity",
        &["pools[{pool}].onDemandBase", "zones"],
    ),
    row(
        "Group*",
        "Properties.MixedInstancesPolicy.InstancesDistribution.OnDemandPercentageAboveBaseCapacity",
        &["pools[{pool}].spotPercent"],
    ),
    row(
        "Group*",
        "Properties.MixedInstancesPolicy.InstancesDistribution.SpotAllocationStrategy",
        &["pools[{pool}].spotPercent"],
    ),
    row(
        "Group*",
        "Properties.MixedInstancesPolicy.LaunchTemplate.Overrides",
        &["pools[{pool}].instanceTypes"],
    ),
    row(
        "Group*",
        "Properties.Tags",
        &[
            "pools[{pool}].labels",
            "pools[{pool}].taints",
            "pools[{pool}].min",
            "pools[{pool}].max",
        ],
    ),
    row("*", "", &["pools[{pool}]", "pools[{pool}].spread", "zones"]),
];

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Context<'a> {
    cluster: &'a str,
    pool: &'a str,
    parameters: &'a Map<String, Value>,
    instance_types: &'a [String],
    instance_tags: Vec<Tag>,
    volume_gib: u32,
    public_addresses: bool,
    spot: bool,
    on_demand_percent: u8,
    groups: Vec<Group>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Group {
    /// Ending of its logical ids: the zone's letter, or nothing.
    id: String,
    /// Ending of its descriptions.
    #[serde(rename = "where")]
    place: String,
    min: u32,
    max: u32,
    on_demand_base: u32,
    subnets: Vec<String>,
    tags: Vec<GroupTag>,
    user_data: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct GroupTag {
    #[serde(flatten)]
    tag: Tag,
    propagate_at_launch: bool,
}

pub(super) fn design(
    spec: &ClusterSpec,
    pool: &NodePool,
    templates: &Templates,
) -> Result<Stack, DesignError> {
    let kind = StackKind::Pool(pool.name.clone());
    let bundle = node::bundle(spec, Role::Pool(pool), templates)?;
    let inputs = inputs(spec, pool);
    let name = format!("{} {}", spec.name, pool.name);
    let context = Context {
        cluster: &spec.name,
        pool: &pool.name,
        parameters: inputs.parameters(),
        instance_types: &pool.instance_types,
        instance_tags: parts::machine_tags(spec, &kind, name, None),
        volume_gib: pool.volume_gib,
        public_addresses: spec.network.nat == Nat::None,
        spot: pool.spot_percent > 0,
        on_demand_percent: 100_u8.saturating_sub(pool.spot_percent),
        groups: groups(spec, pool, &bundle, templates)?,
    };
    let data = templates.render_data(kind.template(), &context)?;
    parts::machine_stack(spec, kind, data, inputs, bundle)
}

fn inputs(spec: &ClusterSpec, pool: &NodePool) -> Inputs {
    let zones = spec.zones.iter();
    let subnets = zones.map(|zone| parts::node_subnet(spec, zone));
    let inputs = Inputs::default()
        .image(spec, pool.architecture)
        .output(StackKind::Base, STATE_BUCKET, Holds::Text)
        .output(StackKind::Base, "NodeProfileArn", Holds::Text)
        .network(subnets, Holds::Subnet);
    firewall::input(inputs, firewall::NODE).output(StackKind::Edge, API_HOST, Holds::Text)
}

/// What user data says to a machine of the pool, or of its group in a zone.
pub(super) fn boot(spec: &ClusterSpec, pool: &NodePool, zone: Option<&Zone>) -> Boot {
    let zone = zone.map(parts::letter).map(String::from);
    Boot {
        signal: format!("Group{}", zone.unwrap_or_default()),
        stack: StackKind::Pool(pool.name.clone()).stack_name(&spec.name),
        slot: None,
    }
}

fn groups(
    spec: &ClusterSpec,
    pool: &NodePool,
    bundle: &Bundle,
    templates: &Templates,
) -> Result<Vec<Group>, DesignError> {
    let whole = |zones: &[Zone], zone: Option<&Zone>, share: &dyn Fn(u32) -> u32| {
        let id = zone
            .map(|zone| parts::letter(zone).to_string())
            .unwrap_or_default();
        let boot = boot(spec, pool, zone);
        Ok(Group {
            id,
            place: zone
                .map(|zone| format!(" in {}", zone.name))
                .unwrap_or_default(),
            min: share(pool.min),
            max: share(pool.max),
            on_demand_base: share(pool.on_demand_base),
            subnets: zones
                .iter()
                .map(|zone| parts::node_subnet(spec, zone))
                .collect(),
            tags: group_tags(spec, pool, zone),
            user_data: node::user_data(spec, bundle, &boot, templates)?,
        })
    };
    match pool.spread {
        Spread::Regional => Ok(vec![whole(&spec.zones, None, &|whole| whole)?]),
        Spread::Zonal => {
            let zones = spec.zones.iter().enumerate();
            let all = u32::try_from(spec.zones.len()).unwrap_or(u32::MAX);
            zones
                .zip(0..)
                .map(|((_, zone), nth)| {
                    let share = |of| share(of, all, nth);
                    whole(std::slice::from_ref(zone), Some(zone), &share)
                })
                .collect()
        }
    }
}

/// The part of `whole` that falls to the `nth` of `all`: as even as can be, the first get the rest.
fn share(whole: u32, all: u32, nth: u32) -> u32 {
    let Some(rest) = whole.checked_rem(all) else {
        return whole;
    };
    whole / all + u32::from(nth < rest)
}

/// What the autoscaler reads, for it has to know a node before there is one. A group of fixed size is
/// none of its business.
fn group_tags(spec: &ClusterSpec, pool: &NodePool, zone: Option<&Zone>) -> Vec<GroupTag> {
    let mut tags = vec![parts::tag("Name", format!("{} {}", spec.name, pool.name))];
    if pool.min < pool.max {
        let autoscaler = |rest: &str| format!("k8s.io/cluster-autoscaler/{rest}");
        tags.push(parts::tag(autoscaler("enabled"), "true"));
        tags.push(parts::tag(autoscaler(&spec.name), "owned"));
        let mut labels = pool.labels.clone();
        if let Some(zone) = zone {
            labels.insert("topology.kubernetes.io/zone".to_owned(), zone.name.clone());
        }
        for (key, value) in labels {
            tags.push(parts::tag(
                autoscaler(&format!("node-template/label/{key}")),
                value,
            ));
        }
        for taint in &pool.taints {
            let key = autoscaler(&format!("node-template/taint/{}", taint.key));
            let value = format!("{}:{}", taint.value, taint.effect.as_str());
            tags.push(parts::tag(key, value));
        }
    }
    let tag = |tag| GroupTag {
        tag,
        propagate_at_launch: false,
    };
    tags.into_iter().map(tag).collect()
}

#[cfg(test)]
mod tests {
    use super::share;

    #[test]
    fn shares_are_even_and_nothing_is_lost() {
        for (whole, all) in [(0, 3), (1, 3), (2, 3), (3, 3), (10, 3), (7, 2)] {
            let shares: Vec<_> = (0..all).map(|nth| share(whole, all, nth)).collect();
            assert_eq!(shares.iter().sum::<u32>(), whole);
            assert!(shares.iter().max().unwrap() - shares.iter().min().unwrap() <= 1);
        }
        assert_eq!(share(5, 0, 0), 5);
    }
}
