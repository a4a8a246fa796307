//! The Auto Scaling groups and databases of a simulated account as they are now: what the templates made of them, with
//! what the autoscaler and RDS did since.

use std::collections::BTreeSet;

use serde_json::Value;

use super::Simulated;
use super::inspected::{Found, texts};
use super::stack::{Resource, Stack};
use super::state::State;
use crate::cloud::{CloudError, LiveDatabase, Scaling, ScalingGroup};
use crate::templates::evaluate::text;

const GROUP: &str = "AWS::AutoScaling::AutoScalingGroup";
const DATABASE: &str = "AWS::RDS::DBInstance";

impl Scaling for Simulated {
    async fn group(&self, name: &str) -> Result<Option<ScalingGroup>, CloudError> {
        self.read("group", name, |state| Ok(state.group(name)))
            .await
    }

    async fn suspend(&self, group: &str, process: &str) -> Result<(), CloudError> {
        self.write("suspend", &format!("{group} {process}"), |state| {
            state.suspend(group, process)
        })
        .await
    }

    async fn database(&self, identifier: &str) -> Result<Option<LiveDatabase>, CloudError> {
        self.read("database", identifier, |state| {
            let found = state.found(DATABASE, identifier);
            Ok(found.map(|found| LiveDatabase {
                storage_gib: number(&found, "AllocatedStorage"),
                engine_version: text(&found.properties["EngineVersion"]),
            }))
        })
        .await
    }
}

impl Simulated {
    /// The autoscaler, or an operator, sets how many machines a group is to have. Whether there is such a group.
    pub fn scale(&self, stack: &str, logical_id: &str, desired: u32) -> bool {
        self.with_resource(stack, logical_id, |group| group.desired = Some(desired))
    }

    /// Somebody resumes all processes of a group. Whether there is such a group.
    pub fn resume(&self, stack: &str, logical_id: &str) -> bool {
        self.with_resource(stack, logical_id, |group| group.suspended.clear())
    }

    /// The groups of a stack that may terminate machines to even out zones, by logical id.
    pub fn rebalancing_groups(&self, stack: &str) -> Vec<String> {
        self.with_now(|state| {
            let found = state.named(stack).and_then(|at| state.stacks.get(at));
            let groups = found.into_iter().flat_map(|stack| &stack.resources);
            let groups = groups.filter(|one| one.kind == GROUP && one.exists());
            let rebalances = |one: &&Resource| {
                let name = one.physical_id.as_deref().unwrap_or_default();
                state.group(name).is_some_and(|group| group.rebalances())
            };
            groups
                .filter(rebalances)
                .map(|one| one.logical_id.clone())
                .collect()
        })
    }
}

impl State {
    pub(super) fn group(&self, name: &str) -> Option<ScalingGroup> {
        let found = self.found(GROUP, name)?;
        let (_, resource) = self.scaled(name)?;
        let (min, max) = (number(&found, "MinSize"), number(&found, "MaxSize"));
        // Auto Scaling keeps it within the bounds.
        let desired = resource.desired.unwrap_or(min).min(max).max(min);
        Some(ScalingGroup {
            min,
            desired,
            zones: self.zones(&found),
            suspended: resource.suspended.clone(),
        })
    }

    fn suspend(&mut self, name: &str, process: &str) -> Result<(), CloudError> {
        let Some((stack, _)) = self.scaled(name) else {
            return Err(CloudError::Refused {
                operation: format!("SuspendProcesses of {name}"),
                message: "AutoScalingGroup name not found".to_owned(),
            });
        };
        self.write("suspend", &stack, None);
        let resources = self
            .stacks
            .iter_mut()
            .flat_map(|stack| &mut stack.resources);
        let mut groups = resources.filter(|one| is_group(one, name));
        if let Some(group) = groups.next() {
            group.suspended.insert(process.to_owned());
        }
        Ok(())
    }

    /// The name of the stack that has a group, and the group.
    fn scaled(&self, name: &str) -> Option<(String, &Resource)> {
        let there = |stack: &&Stack| !stack.is_deleted();
        self.stacks.iter().filter(there).find_map(|stack| {
            let mut groups = stack.resources.iter();
            let group = groups.find(|one| is_group(one, name))?;
            Some((stack.live.name.clone(), group))
        })
    }

    /// The zones of a group's subnets; a subnet that is nobody's counts as a zone of its own.
    fn zones(&self, group: &Found) -> BTreeSet<String> {
        let subnets = texts(&group.properties["VPCZoneIdentifier"]).into_iter();
        let zone = |subnet: String| match self.found("AWS::EC2::Subnet", &subnet) {
            Some(found) => text(&found.properties["AvailabilityZone"]),
            None => subnet,
        };
        let zones = texts(&group.properties["AvailabilityZones"]);
        subnets.map(zone).chain(zones).collect()
    }
}

fn is_group(resource: &Resource, name: &str) -> bool {
    resource.kind == GROUP && resource.exists() && resource.physical_id.as_deref() == Some(name)
}

fn number(found: &Found, property: &str) -> u32 {
    let value: &Value = &found.properties[property];
    text(value).parse().unwrap_or_default()
}
