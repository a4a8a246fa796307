//! Node pools: each by itself, and that together they can hold a cluster's own pods.

use super::machines::{MachineFacts, MachineRole, unfit};
use super::names::{LONGEST_POOL_NAME, MOST_TAGS};
use super::nodes::unknown_size;
use super::{Violation, path, syntax};
use crate::catalog::instances;
use crate::spec::{ClusterSpec, NodePool, TaintEffect};

pub(super) fn check(spec: &ClusterSpec, broken: &mut Vec<Violation>) {
    for (index, pool) in spec.pools.iter().enumerate() {
        let at = format!("pools[{index}]");
        name(spec, index, pool, broken);
        machines(&at, pool, broken);
        counts(&at, pool, broken);
        syntax::labels(&at, pool, broken);
        syntax::taints(&at, pool, broken);
        tags(&at, spec, pool, broken);
    }
    system(spec, broken);
}

fn name(spec: &ClusterSpec, index: usize, pool: &NodePool, broken: &mut Vec<Violation>) {
    let at = format!("pools[{index}].name");
    if let Some(first) = spec.pools[..index]
        .iter()
        .position(|other| other.name == pool.name)
    {
        let what = format!("pool `{}` is defined twice", pool.name);
        let help = "the name is the pool's identity: rename or remove one of them";
        broken.push(Violation::new(&at, what, help).with([format!("pools[{first}].name")]));
    }
    let length = pool.name.chars().count();
    if length > LONGEST_POOL_NAME {
        let what = format!("a pool name of {length} letters, at most {LONGEST_POOL_NAME} fit");
        let help = "it is part of the names of its stack and nodes: shorten it";
        broken.push(Violation::new(at, what, help));
    }
}

fn machines(at: &str, pool: &NodePool, broken: &mut Vec<Violation>) {
    let first = pool.instance_types.first();
    for (index, name) in pool.instance_types.iter().enumerate() {
        let at = format!("{at}.instanceTypes[{index}]");
        if pool.instance_types[..index].contains(name) {
            let what = format!("`{name}` is listed twice");
            broken.push(Violation::new(&at, what, "remove one of them"));
            continue;
        }
        if let Some(violation) = unknown_size(&at, name, "") {
            broken.push(violation);
        }
        let facts = MachineFacts::of_catalog(name);
        if let Some(found) = unfit(MachineRole::Pool, name, &facts, pool.architecture)
            && found.always
        {
            broken.push(Violation::new(&at, found.what, found.help));
        }
        let Some((first, own)) = first.zip(instances::architecture(name)) else {
            continue;
        };
        if own != pool.architecture.as_str() {
            let what = format!(
                "`{name}` is {own}, but `{first}` before it is {}",
                pool.architecture
            );
            let help = "a pool boots one machine image, so its types share one architecture: \
                        move it to a pool of its own";
            broken.push(Violation::new(&at, what, help));
        }
    }
}

fn counts(at: &str, pool: &NodePool, broken: &mut Vec<Violation>) {
    if pool.min > pool.max {
        let what = format!("min {} is more than max {}", pool.min, pool.max);
        let help = format!("write `max: {}` or more, or a smaller min", pool.min);
        broken.push(Violation::new(format!("{at}.min"), what, help).with([format!("{at}.max")]));
    } else if pool.max == 0 {
        let what = "`max: 0` is not valid: the pool could never have a node".to_owned();
        let help = "write the most nodes it may grow to as `max`, or remove the pool";
        broken.push(Violation::new(format!("{at}.max"), what, help).with([format!("{at}.min")]));
    }
    if pool.on_demand_base > pool.max {
        let what = format!(
            "onDemandBase {} is more than max {}",
            pool.on_demand_base, pool.max
        );
        let help = "it counts the nodes of the pool that are never spot: write `max` or less";
        broken.push(
            Violation::new(format!("{at}.onDemandBase"), what, help).with([format!("{at}.max")]),
        );
    }
}

/// Labels and taints are tags of the Auto Scaling group too, for scaling up from nothing.
fn tags(at: &str, spec: &ClusterSpec, pool: &NodePool, broken: &mut Vec<Violation>) {
    let total = spec.tags.len() + pool.labels.len() + pool.taints.len();
    if total > MOST_TAGS && spec.tags.len() <= MOST_TAGS {
        let what = format!(
            "{} tags, {} labels and {} taints together are more than {MOST_TAGS}",
            spec.tags.len(),
            pool.labels.len(),
            pool.taints.len()
        );
        let help = "each becomes a tag of the pool's group, for the autoscaler, and AWS allows 50";
        broken.push(Violation::new(at, what, help).with([
            "tags".to_owned(),
            format!("{at}.labels"),
            format!("{at}.taints"),
        ]));
    }
}

/// Some pool must take the pods of the system, and keep them when spot capacity goes.
fn system(spec: &ClusterSpec, broken: &mut Vec<Violation>) {
    let open: Vec<(usize, &NodePool)> = spec
        .pools
        .iter()
        .enumerate()
        .filter(|(_, pool)| takes_any_pod(pool))
        .collect();
    let each = |field: &str| {
        spec.pools
            .iter()
            .enumerate()
            .map(|(index, _)| path(&format!("pools[{index}]"), field))
            .collect::<Vec<_>>()
    };
    let Some((first, pool)) = open.first() else {
        let what = "every pool has taints, so CoreDNS and the other addons can run nowhere";
        let help = "leave one pool without NoSchedule and NoExecute taints";
        broken.push(Violation::new("pools", what, help).with(each("taints")));
        return;
    };
    let system = |found: Violation| found.with(each("taints"));
    if open.iter().all(|(_, pool)| only_spot(pool)) {
        let what = format!(
            "pool `{}` holds the system's pods and may lose all its nodes: it is spot only",
            pool.name
        );
        let help = "write `onDemandBase: 1` or a smaller spotPercent here, or add an on-demand \
                    pool without taints";
        let at = format!("pools[{first}].spotPercent");
        broken.push(
            system(Violation::new(at, what, help))
                .with(each("spotPercent"))
                .with(each("onDemandBase")),
        );
    }
    if open.iter().all(|(_, pool)| pool.min == 0) {
        let what = format!(
            "pool `{}` holds the system's pods and starts with no node",
            pool.name
        );
        let help =
            "the autoscaler needs a node to run on before it can add one: write `min: 1` or more";
        let at = format!("pools[{first}].min");
        broken.push(system(Violation::new(at, what, help)).with(each("min")));
    }
}

fn takes_any_pod(pool: &NodePool) -> bool {
    pool.taints
        .iter()
        .all(|taint| taint.effect == TaintEffect::PreferNoSchedule)
}

fn only_spot(pool: &NodePool) -> bool {
    pool.spot_percent == 100 && pool.on_demand_base == 0
}
