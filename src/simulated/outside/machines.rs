//! The machines of groups in stacks, with the tags that CloudFormation, launch templates and Auto Scaling set, their disks
//! and interfaces.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::of_stacks::{GIB, Listed, Live, gib, made_for, tags_of};
use crate::cloud::outside::{OutsideKind, OutsideResource};
use crate::simulated::inspected::texts;
use crate::simulated::machines;
use crate::simulated::rng::{hex, stream};
use crate::simulated::state::State;
use crate::templates::evaluate::text;

/// A machine of a group.
pub(super) struct GroupMachine {
    pub(super) listed: Listed,
    /// Tags of its disk.
    pub(super) disk_tags: BTreeMap<String, String>,
    /// The stack's interface that it uses, where its template names one.
    pub(super) interface: Option<String>,
    pub(super) groups: BTreeSet<String>,
    gib: u64,
}

impl State {
    /// The machines of every group.
    pub(super) fn group_machines(&self) -> Vec<GroupMachine> {
        let mut all = Vec::new();
        for group in self.live("AWS::AutoScaling::AutoScalingGroup") {
            let count = self.group(&group.id).map_or(0, |group| group.desired);
            let template = self.launch_template(&group);
            let ids = (0..)
                .map(|number| self.instance(&group, number))
                .filter(|id| !self.env.outside.detached.contains(id));
            for id in ids.take(count as usize) {
                all.push(self.machine(&group, &template, id));
            }
        }
        all
    }

    fn instance(&self, group: &Live<'_>, number: u64) -> String {
        let (seed, stack) = (self.env.setting.seed, &group.stack.live.id);
        if number == 0 {
            return machines::instance(seed, stack, group.resource);
        }
        let words = ["machine", stack.as_str(), &group.resource.logical_id];
        let number = (group.resource.generation << 32) | number;
        format!("i-0{}", hex(&mut stream(seed, &words, number), 16))
    }

    fn machine(&self, group: &Live<'_>, template: &Value, id: String) -> GroupMachine {
        let of_type = |resource_type: &str| {
            let all = template["TagSpecifications"].as_array();
            let all = all.into_iter().flatten().cloned();
            let of = all.filter(|one| one["ResourceType"] == resource_type);
            of.flat_map(|one| tags_of(&one["Tags"]).collect::<Vec<_>>())
                .collect::<BTreeMap<_, _>>()
        };
        let mut found = OutsideResource::new(OutsideKind::Machine, id);
        found.tags = of_type("instance");
        let own = group.properties["Tags"].as_array().into_iter().flatten();
        let own = own.filter(|tag| tag["PropagateAtLaunch"] == true);
        found
            .tags
            .extend(own.map(|tag| (text(&tag["Key"]), text(&tag["Value"]))));
        // CloudFormation tags "all Auto Scaling groups and associated instances"; a stack's own tags go along.
        found.tags.extend(group.stack.live.tags.clone());
        found.tags.extend(group.own_tags());
        let name = ("aws:autoscaling:groupName".to_owned(), group.id.clone());
        found.tags.extend([name]);
        found.state = Some("running".to_owned());
        found.created = Some(group.stack.live.created);
        let first = &template["NetworkInterfaces"][0];
        let interface = first.get("NetworkInterfaceId").map(text);
        let placed = interface.as_deref().and_then(|id| {
            let found = self.found("AWS::EC2::NetworkInterface", id)?;
            found.properties.get("SubnetId").map(text)
        });
        let subnets = texts(&group.properties["VPCZoneIdentifier"]);
        let subnet = placed.or_else(|| subnets.into_iter().next());
        found.vpc = subnet.as_deref().and_then(|subnet| self.vpc_of(subnet));
        let mut groups = texts(&first["Groups"]);
        groups.extend(texts(&template["SecurityGroupIds"]));
        let size = &template["BlockDeviceMappings"][0]["Ebs"]["VolumeSize"];
        GroupMachine {
            disk_tags: of_type("volume"),
            gib: gib(size).unwrap_or(8),
            interface,
            groups,
            listed: Listed {
                subnet,
                ..Listed::of_aws(found)
            },
        }
    }

    /// The data of a group's launch template, where its stack has it.
    fn launch_template(&self, group: &Live<'_>) -> Value {
        let properties = &group.properties;
        let mixed = &properties["MixedInstancesPolicy"]["LaunchTemplate"];
        let named = [
            &properties["LaunchTemplate"]["LaunchTemplateId"],
            &mixed["LaunchTemplateSpecification"]["LaunchTemplateId"],
        ];
        let named = named.into_iter().find(|id| !id.is_null()).map(text);
        let found = named.and_then(|id| self.found("AWS::EC2::LaunchTemplate", &id));
        found.map_or(Value::Null, |found| {
            found.properties["LaunchTemplateData"].clone()
        })
    }

    pub(super) fn root_disks(&self) -> Vec<Listed> {
        let disk = |machine: GroupMachine| self.root_disk(&machine);
        self.group_machines().into_iter().map(disk).collect()
    }

    pub(super) fn root_disk(&self, machine: &GroupMachine) -> Listed {
        let of = &machine.listed.resource.id;
        let mut found = OutsideResource::new(
            OutsideKind::Volume,
            made_for(self.env.setting.seed, "vol", of, 0),
        );
        found.tags.clone_from(&machine.disk_tags);
        found.bytes = Some(machine.gib * GIB);
        found.state = Some("in-use".to_owned());
        found.uses = BTreeSet::from([of.clone()]);
        Listed::of_aws(found)
    }

    pub(super) fn machine_interface(&self, machine: &GroupMachine) -> Listed {
        let Listed {
            resource, subnet, ..
        } = &machine.listed;
        let mut found = OutsideResource::new(
            OutsideKind::Interface,
            made_for(self.env.setting.seed, "eni", &resource.id, 0),
        );
        found.state = Some("in-use".to_owned());
        found.uses.clone_from(&machine.groups);
        found.uses.insert(resource.id.clone());
        Listed {
            subnet: subnet.clone(),
            ..Listed::of_aws(found)
        }
    }
}
