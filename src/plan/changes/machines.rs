//! Rows of the machines: control-plane nodes, pools, volumes, and what nodes boot with.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Pair, Refusal, Verdict, number, resources};
use crate::catalog::instances;
use crate::common::arn::region_option;
use crate::plan::Code;
use crate::stacks::{Ranges, StackKind};

const GROUP: &str = "AWS::AutoScaling::AutoScalingGroup";
const TEMPLATE: &str = "AWS::EC2::LaunchTemplate";

pub(super) fn control_plane_nodes(pair: Pair<'_>) -> Vec<Verdict> {
    if pair.stack.kind != StackKind::ControlPlane {
        return Vec::new();
    }
    let (was, is) = pair.ids(GROUP);
    let (from, to) = (was.len(), is.len());
    if from == to {
        return Vec::new();
    }
    let why = if from < to {
        "etcd's members are fixed when a cluster is made, so the new nodes would refuse to boot"
    } else {
        "the etcd members that remain would be no majority, and the API would stop for good"
    };
    let cluster = pair.cluster;
    vec![Verdict::Refused(Refusal {
        code: Code::ControlPlaneNodes,
        reason: format!(
            "the number of control-plane nodes would change from {from} to {to}: {why}"
        ),
        field: Some("controlPlane.nodes".to_owned()),
        was: Some(from.to_string()),
        otherwise: format!(
            "another number needs a new cluster: `kube-cfn new NAME --from {cluster}` writes its definition; a snapshot of etcd \
             restores only the cluster that it was taken of"
        ),
    })]
}

pub(super) fn ranges(pair: Pair<'_>) -> Vec<Verdict> {
    if pair.stack.kind != StackKind::ControlPlane {
        return Vec::new();
    }
    let Some(wanted) = Ranges::declared(&pair.stack.template) else {
        return Vec::new();
    };
    let seen = || Ranges::of_outputs(pair.outputs).or_else(|| Ranges::declared(pair.before));
    let known = match pair.live.ranges {
        Some(known) => known.clone(),
        None => match seen() {
            Some(ranges) => Ok(ranges),
            None => return Vec::new(),
        },
    };
    let known = match known {
        Ok(known) => known,
        Err(unknown) => {
            let way = unknown
                .remedy
                .map_or_else(String::new, |way| format!("{way}; or "));
            return vec![Verdict::Refused(Refusal {
                code: Code::ValuesUnknown,
                reason: format!(
                    "nobody knows whether `network.podCidr` and `network.serviceCidr` are those of the running cluster: {}",
                    unknown.reason
                ),
                field: None,
                was: None,
                otherwise: format!(
                    "{way}apply once, without a change, with the version of kube-cfn that made the cluster: it puts the \
                     bundle back"
                ),
            })];
        }
    };
    let changed = [
        (
            Code::PodCidr,
            "network.podCidr",
            "pod",
            known.pods,
            wanted.pods,
        ),
        (
            Code::ServiceCidr,
            "network.serviceCidr",
            "service",
            known.services,
            wanted.services,
        ),
    ];
    let changed = changed.into_iter().filter(|(_, _, _, was, is)| was != is);
    let refused = changed.map(|(code, field, of, was, is)| Refusal {
        code,
        reason: format!(
            "the range of {of} addresses would change from {was} to {is}: nodes, certificates and addons of the running \
             cluster hold the old one, and a node that boots later could not work with them"
        ),
        field: Some(field.to_owned()),
        was: Some(was),
        otherwise: format!(
            "another range needs a new cluster: `kube-cfn new NAME --from {}` writes its definition",
            pair.cluster
        ),
    });
    refused.map(Verdict::Refused).collect()
}

pub(super) fn volume_shrink(pair: Pair<'_>) -> Vec<Verdict> {
    let mut seen = BTreeSet::new();
    let volumes = pair.staying("AWS::EC2::Volume");
    let shrunk = volumes.filter_map(|(id, was, is)| {
        let (was, is) = (number(&was["Size"])?, number(&is["Size"])?);
        // The volumes of all control-plane nodes come from one field.
        (is < was && seen.insert((was, is))).then(|| {
            Verdict::Refused(Refusal {
                code: Code::VolumeShrink,
                reason: format!("{id} would shrink from {was} to {is} GiB: EBS volumes only grow"),
                field: pair.field(id, "Size"),
                was: Some(was.to_string()),
                otherwise: "a larger volume costs little and loses nothing".to_owned(),
            })
        })
    });
    shrunk.collect()
}

/// The architectures of the instance types in a template; of types that nobody knows none.
fn architectures(template: &Value) -> BTreeSet<&'static str> {
    let launched = resources(template, TEMPLATE)
        .map(|(_, properties)| &properties["LaunchTemplateData"]["InstanceType"]);
    let overrides = resources(template, GROUP).flat_map(|(_, properties)| {
        let mixed = &properties["MixedInstancesPolicy"]["LaunchTemplate"]["Overrides"];
        let all = mixed.as_array().into_iter().flatten();
        all.map(|one| &one["InstanceType"])
    });
    let names = launched.chain(overrides).filter_map(Value::as_str);
    names.filter_map(instances::architecture).collect()
}

/// The architectures before and after, where they have none in common.
fn moved_architecture(pair: Pair<'_>) -> Option<(String, String)> {
    let (was, is) = (
        architectures(pair.before),
        architectures(&pair.stack.template),
    );
    let list = |all: BTreeSet<&str>| all.into_iter().collect::<Vec<_>>().join(" and ");
    let moved = !was.is_empty() && !is.is_empty() && was.is_disjoint(&is);
    moved.then(|| (list(was), list(is)))
}

pub(super) fn control_plane_architecture(pair: Pair<'_>) -> Vec<Verdict> {
    let moved = moved_architecture(pair).filter(|_| pair.stack.kind == StackKind::ControlPlane);
    let warning = moved.map(|(was, is)| {
        Verdict::Warning(format!(
            "the machines of the control plane become {is} one by one, each when it is replaced; the others stay {was} until \
             then, and a pod of yours that tolerates every taint needs an image for both"
        ))
    });
    warning.into_iter().collect()
}

pub(super) fn pool_architecture(pair: Pair<'_>) -> Vec<Verdict> {
    let StackKind::Pool(pool) = &pair.stack.kind else {
        return Vec::new();
    };
    let Some((was, is)) = moved_architecture(pair) else {
        return Vec::new();
    };
    let types = instance_types(pair.before);
    vec![Verdict::Refused(Refusal {
        code: Code::Architecture,
        reason: format!(
            "new machines of pool {pool} would be {is}, those that run stay {was}: pods whose image is made for one of them \
             fail on the other"
        ),
        field: Some(format!("pools[{pool}].instanceTypes")),
        was: Some(format!("[{}]", types.join(", "))),
        otherwise: format!("or {}", beside(&pair.stack.name, &region_option(pair.id))),
    })]
}

/// The instance types of a pool in order of preference.
fn instance_types(template: &Value) -> Vec<&str> {
    let first = resources(template, GROUP).next();
    let overrides = first.map(|(_, of)| &of["MixedInstancesPolicy"]["LaunchTemplate"]["Overrides"]);
    let all = overrides.and_then(Value::as_array).into_iter().flatten();
    all.filter_map(|one| one["InstanceType"].as_str()).collect()
}

/// How a pool is exchanged for another one. `region` is an option of the AWS CLI, or empty.
pub(in crate::plan) fn beside(stack: &str, region: &str) -> String {
    format!(
        "give the pool another name in the definition: apply creates it beside this one, at the control plane's version; \
         when the old machines are drained, `aws cloudformation delete-stack{region} --stack-name {stack}` removes them"
    )
}

pub(super) fn pool_spread(pair: Pair<'_>) -> Vec<Verdict> {
    let StackKind::Pool(pool) = &pair.stack.kind else {
        return Vec::new();
    };
    let (was, is) = pair.ids(GROUP);
    if was.is_empty() || !was.is_disjoint(&is) {
        return Vec::new();
    }
    let spread = if was.len() == 1 && was.contains("Group") {
        "regional"
    } else {
        "zonal"
    };
    let list = |ids: BTreeSet<&str>| ids.into_iter().collect::<Vec<_>>().join(", ");
    vec![Verdict::Refused(Refusal {
        code: Code::PoolSpread,
        reason: format!(
            "the groups of pool {pool} would change from {} to {}: CloudFormation deletes the old ones with all their \
             machines at once, without draining them",
            list(was),
            list(is)
        ),
        field: Some(format!("pools[{pool}].spread")),
        was: Some(spread.to_owned()),
        otherwise: format!("or {}", beside(&pair.stack.name, &region_option(pair.id))),
    })]
}

pub(super) fn disk_key(pair: Pair<'_>) -> Vec<Verdict> {
    let templates = pair.staying(TEMPLATE);
    let changed = templates.filter(|(_, was, is)| disk_keys(was) != disk_keys(is));
    let warning = |(id, _, _): (&str, &Value, &Value)| {
        Verdict::Warning(format!(
            "{id}: disks of new machines are encrypted under another key; machines that run keep theirs until they are \
             replaced"
        ))
    };
    changed.map(warning).collect()
}

/// The keys of a launch template's disks.
fn disk_keys(properties: &Value) -> Vec<&Value> {
    let disks = properties["LaunchTemplateData"]["BlockDeviceMappings"].as_array();
    let disks = disks.into_iter().flatten();
    disks.map(|disk| &disk["Ebs"]["KmsKeyId"]).collect()
}
