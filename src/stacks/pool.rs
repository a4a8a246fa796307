//! A node pool: a launch template and an Auto Scaling group, or a pair of them a zone.

use serde::Serialize;
use serde_json::{Map, Value};

use super::common::{self, Tag};
use super::kind::KindRow;
use super::params::{Inputs, ParameterType};
use super::security_groups::SecurityGroup;
use super::{API_HOST, DesignError, STATE_BUCKET, Stack, StackKind, Versions, versions};
use crate::node::{self, BootParams, Bundle, Role};
use crate::spec::{ClusterSpec, Nat, NodePool, Spread, Zone};
use crate::templates::Templates;

/// What holds for this stack.
pub(super) static KIND: KindRow = KindRow {
    kind: StackKind::Pool(String::new()),
    name: "pool",
    holds_data: false,
    has_machines: true,
    joins: Some(StackKind::ControlPlane),
    suppliers: &[StackKind::Base, StackKind::Network, StackKind::Edge],
    fields: FIELDS,
    design,
};

/// Which field decides what in this stack.
const FIELDS: &str = "
LaunchTemplate*  Properties.LaunchTemplateData.ImageId  {lock}, kubernetes, pools[{pool}].instanceTypes
LaunchTemplate*  Properties.LaunchTemplateData.NetworkInterfaces  network.nat
LaunchTemplate*  Properties.LaunchTemplateData.BlockDeviceMappings  pools[{pool}].volumeGib
LaunchTemplate*  Properties.LaunchTemplateData.TagSpecifications  tags
LaunchTemplate*  Properties.LaunchTemplateData.UserData  kubernetes, pools[{pool}].labels, pools[{pool}].taints, pools[{pool}].instanceTypes, controlPlane.nodes, network.podCidr, network.serviceCidr, network.cidr, network.nat, zones, mirror
Group*           CreationPolicy                        pools[{pool}].min, zones
Group*           Properties.MinSize                    pools[{pool}].min, zones
Group*           Properties.MaxSize                    pools[{pool}].max, pools[{pool}].min, zones
Group*           Metadata                              pools[{pool}].min, pools[{pool}].max, zones
Group*           Properties.VPCZoneIdentifier          network.nat, zones
Group*           Properties.CapacityRebalance          pools[{pool}].spotPercent
Group*           Properties.MixedInstancesPolicy.InstancesDistribution.OnDemandBaseCapacity  pools[{pool}].onDemandBase, zones
Group*           Properties.MixedInstancesPolicy.InstancesDistribution.OnDemandPercentageAboveBaseCapacity  pools[{pool}].spotPercent
Group*           Properties.MixedInstancesPolicy.InstancesDistribution.SpotAllocationStrategy  pools[{pool}].spotPercent
Group*           Properties.MixedInstancesPolicy.LaunchTemplate.Overrides  pools[{pool}].instanceTypes
Group*           Properties.Tags                       pools[{pool}].labels, pools[{pool}].taints, pools[{pool}].min, pools[{pool}].max
*                -                                     pools[{pool}], pools[{pool}].spread, zones
";

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

fn design(
    spec: &ClusterSpec,
    versions: &Versions,
    templates: &Templates,
) -> Result<Vec<Stack>, DesignError> {
    let stack = |pool: &NodePool| {
        let spec = versions::at(spec, versions.pool(&pool.name));
        self::stack(&spec, pool, templates)
    };
    spec.pools.iter().map(stack).collect()
}

fn stack(spec: &ClusterSpec, pool: &NodePool, templates: &Templates) -> Result<Stack, DesignError> {
    let NodePool {
        name,
        instance_types,
        volume_gib,
        spot_percent,
        // Decides the machine image and the binaries.
        architecture: _,
        // Of the groups.
        spread: _,
        min: _,
        max: _,
        on_demand_base: _,
        // Of the machines, and of the groups for the autoscaler.
        labels: _,
        taints: _,
    } = pool;
    let kind = StackKind::Pool(name.clone());
    let bundle = node::bundle(spec, Role::Pool(pool), templates)?;
    let inputs = inputs(spec, pool);
    let machine = format!("{} {name}", spec.name);
    let context = Context {
        cluster: &spec.name,
        pool: name,
        parameters: inputs.parameters(),
        instance_types,
        instance_tags: common::machine_tags(spec, &kind, machine, None),
        volume_gib: *volume_gib,
        public_addresses: spec.network.nat == Nat::None,
        spot: *spot_percent > 0,
        on_demand_percent: 100_u8.saturating_sub(*spot_percent),
        groups: groups(spec, pool, &bundle, templates)?,
    };
    let data = templates.render_data(&kind.template(), &context)?;
    common::machine_stack(spec, kind, data, inputs, bundle)
}

fn inputs(spec: &ClusterSpec, pool: &NodePool) -> Inputs {
    let zones = spec.zones.iter();
    let subnets = zones.map(|zone| common::node_subnet(spec, zone));
    let inputs = Inputs::default()
        .image(spec, pool.architecture)
        .output(StackKind::Base, STATE_BUCKET, ParameterType::Text)
        .output(StackKind::Base, "NodeProfileArn", ParameterType::Text)
        .network(subnets, ParameterType::Subnet);
    inputs
        .group(SecurityGroup::Node)
        .output(StackKind::Edge, API_HOST, ParameterType::Text)
}

/// What user data says to a machine of the pool, or of its group in a zone.
pub(super) fn boot(spec: &ClusterSpec, pool: &NodePool, zone: Option<&Zone>) -> BootParams {
    let zone = zone.map(common::letter).map(String::from);
    BootParams {
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
            .map(|zone| common::letter(zone).to_string())
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
                .map(|zone| common::node_subnet(spec, zone))
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
    let mut tags = vec![common::tag("Name", format!("{} {}", spec.name, pool.name))];
    if pool.min < pool.max {
        let autoscaler = |rest: &str| format!("k8s.io/cluster-autoscaler/{rest}");
        tags.push(common::tag(autoscaler("enabled"), "true"));
        tags.push(common::tag(autoscaler(&spec.name), "owned"));
        let mut labels = pool.labels.clone();
        if let Some(zone) = zone {
            labels.insert("topology.kubernetes.io/zone".to_owned(), zone.name.clone());
        }
        for (key, value) in labels {
            tags.push(common::tag(
                autoscaler(&format!("node-template/label/{key}")),
                value,
            ));
        }
        for taint in &pool.taints {
            let key = autoscaler(&format!("node-template/taint/{}", taint.key));
            let value = format!("{}:{}", taint.value, taint.effect.as_str());
            tags.push(common::tag(key, value));
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
    fn pool_shares_are_even_and_complete() {
        for (whole, all) in [(0, 3), (1, 3), (2, 3), (3, 3), (10, 3), (7, 2)] {
            let shares: Vec<_> = (0..all).map(|nth| share(whole, all, nth)).collect();
            assert_eq!(shares.iter().sum::<u32>(), whole);
            assert!(shares.iter().max().unwrap() - shares.iter().min().unwrap() <= 1);
        }
        assert_eq!(share(5, 0, 0), 5);
    }
}
