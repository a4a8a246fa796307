//! What Auto Scaling, EC2 and Elastic Load Balancing answer about machines, out of their XML. Pure.

use std::collections::BTreeSet;

use roxmltree::Node;

use super::super::outside::answer::{List, direct, optional, required, tags, time};
use super::super::signed::xml::{LocalName, child};
use crate::cloud::machines::{
    Activity, GroupMember, Instance, InstanceState, MachineGroup, Target, TemplateVersion,
};
use crate::common::tags::{TAG_CLUSTER, TAG_ROLL, TAG_STACK};

/// A list of Auto Scaling or of Elastic Load Balancing.
const fn members(call: &'static str, path: &'static [&'static str]) -> List {
    List {
        call,
        path,
        entry: "member",
        next: "NextToken",
    }
}

/// A list of EC2.
const fn items(call: &'static str, path: &'static [&'static str]) -> List {
    List {
        call,
        path,
        entry: "item",
        next: "nextToken",
    }
}

pub(super) const GROUPS: List = members("DescribeAutoScalingGroups", &["AutoScalingGroups"]);
pub(super) const MEMBERS: List = members("DescribeAutoScalingInstances", &["AutoScalingInstances"]);
pub(super) const ACTIVITIES: List = members("DescribeScalingActivities", &["Activities"]);
pub(super) const TARGETS: List = members("DescribeTargetHealth", &["TargetHealthDescriptions"]);
pub(super) const INSTANCES: List = items("DescribeInstances", &["reservationSet", "instancesSet"]);
pub(super) const VERSIONS: List = items(
    "DescribeLaunchTemplateVersions",
    &["launchTemplateVersionSet"],
);

/// A group before its version is a number.
pub(super) struct FoundGroup {
    /// The launch template's id.
    pub(super) template: String,
    /// A number, `$Latest` or `$Default`.
    pub(super) version: String,
    rest: MachineGroup,
}

impl FoundGroup {
    pub(super) fn with_version(self, version: u64) -> MachineGroup {
        let id = self.template;
        MachineGroup {
            template: TemplateVersion { id, version },
            ..self.rest
        }
    }
}

/// A group of the cluster; none for one of another: a filter that an endpoint does not know must not make strangers ours.
pub(super) fn group(member: Node<'_, '_>, cluster: &str) -> Result<Option<FoundGroup>, String> {
    let name = required(member, "AutoScalingGroupName")?;
    let tags = tags(member, ["Tags", "member", "Key", "Value"]);
    if tags.get(TAG_CLUSTER).map(String::as_str) != Some(cluster) {
        return Ok(None);
    }
    let tag = |key: &str| tags.get(key).cloned().unwrap_or_default();
    let template = template_of(member)
        .ok_or_else(|| format!("an answer with group {name} without a launch template"))?;
    let id = required(template, "LaunchTemplateId")?;
    let processes = entries(member, "SuspendedProcesses");
    let suspended: BTreeSet<_> = processes
        .filter_map(|one| child(one, "ProcessName"))
        .collect();
    let members: Result<Vec<_>, _> = entries(member, "Instances").map(group_member).collect();
    Ok(Some(FoundGroup {
        // Without a version a group takes the default one.
        version: optional(template, "Version").unwrap_or_else(|| "$Default".to_owned()),
        template: id.clone(),
        rest: MachineGroup {
            name,
            stack: tag(TAG_STACK),
            min: number(member, "MinSize")?,
            desired: number(member, "DesiredCapacity")?,
            max: number(member, "MaxSize")?,
            template: TemplateVersion { id, version: 0 },
            suspended,
            members: members?,
        },
    }))
}

/// The launch template of a group, or that of its mixed instances policy.
fn template_of<'a>(group: Node<'a, 'a>) -> Option<Node<'a, 'a>> {
    let mixed = direct(group, "MixedInstancesPolicy");
    let mixed = mixed.and_then(|policy| direct(policy, "LaunchTemplate"));
    let mixed = mixed.and_then(|template| direct(template, "LaunchTemplateSpecification"));
    mixed.or_else(|| direct(group, "LaunchTemplate"))
}

fn entries<'a>(of: Node<'a, 'a>, list: &str) -> impl Iterator<Item = Node<'a, 'a>> {
    let list = direct(of, list);
    let entries = list.into_iter().flat_map(|list| list.children());
    entries.filter(|node| node.has_local_name("member"))
}

fn group_member(member: Node<'_, '_>) -> Result<GroupMember, String> {
    Ok(GroupMember {
        instance: required(member, "InstanceId")?,
        lifecycle: required(member, "LifecycleState")?,
    })
}

/// A machine with the name of its group.
pub(super) fn member_of(member: Node<'_, '_>) -> Result<(String, GroupMember), String> {
    let group = required(member, "AutoScalingGroupName")?;
    Ok((group, group_member(member)?))
}

/// A machine of the cluster; none for one of another, which an endpoint without filters may list. Its group is not known
/// here.
pub(super) fn instance(item: Node<'_, '_>, cluster: &str) -> Result<Option<Instance>, String> {
    let tags = tags(item, ["tagSet", "item", "key", "value"]);
    let tag = |key: &str| tags.get(key).cloned();
    if tags.get(TAG_CLUSTER).map(String::as_str) != Some(cluster) {
        return Ok(None);
    }
    let version = tag("aws:ec2launchtemplate:version").and_then(|text| text.parse().ok());
    let template = tag("aws:ec2launchtemplate:id").zip(version);
    let state = direct(item, "instanceState");
    let placement = direct(item, "placement");
    let zone = placement.and_then(|placement| child(placement, "availabilityZone"));
    Ok(Some(Instance {
        id: required(item, "instanceId")?,
        stack: tag(TAG_STACK),
        state: state_of(state.and_then(|state| child(state, "name")).as_deref())?,
        launched: time(item, "launchTime"),
        group: None,
        template: template.map(|(id, version)| TemplateVersion { id, version }),
        zone: zone.unwrap_or_default(),
        instance_type: required(item, "instanceType")?,
        is_spot: child(item, "instanceLifecycle").as_deref() == Some("spot"),
        roll: tag(TAG_ROLL),
    }))
}

fn state_of(name: Option<&str>) -> Result<InstanceState, String> {
    Ok(match name {
        Some("pending") => InstanceState::Pending,
        Some("running") => InstanceState::Running,
        Some("shutting-down") => InstanceState::ShuttingDown,
        Some("terminated") => InstanceState::Terminated,
        Some("stopping") => InstanceState::Stopping,
        Some("stopped") => InstanceState::Stopped,
        other => return Err(format!("an answer with the state {other:?} of a machine")),
    })
}

pub(super) fn activity(member: Node<'_, '_>) -> Result<Activity, String> {
    Ok(Activity {
        began: time(member, "StartTime").ok_or("an answer with an activity without StartTime")?,
        status: required(member, "StatusCode")?,
        description: required(member, "Description")?,
        message: optional(member, "StatusMessage"),
    })
}

pub(super) fn target(member: Node<'_, '_>) -> Result<Target, String> {
    let target = direct(member, "Target").ok_or("an answer with a target without its name")?;
    let health = direct(member, "TargetHealth").ok_or("an answer with a target without health")?;
    let state = required(health, "State")?;
    let is_healthy = state == "healthy";
    let reason = optional(health, "Description").or_else(|| optional(health, "Reason"));
    Ok(Target {
        instance: required(target, "Id")?,
        is_healthy,
        reason: reason.or(Some(state)).filter(|_| !is_healthy),
    })
}

pub(super) fn version(item: Node<'_, '_>) -> Result<u64, String> {
    let text = required(item, "versionNumber")?;
    text.parse()
        .map_err(|_| format!("an answer with the version {text}"))
}

fn number(of: Node<'_, '_>, name: &str) -> Result<u32, String> {
    let text = child(of, name).unwrap_or_default();
    text.parse()
        .map_err(|_| format!("an answer without {name}"))
}
