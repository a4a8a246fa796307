//! Auto Scaling, EC2 and the load balancer, as far as machines are replaced.

use super::events::FleetEvent;
use super::log::FleetAct;
use super::{Fleet, SimInstance};
use crate::catalog::durations::Seconds;
use crate::cloud::{
    Activity, CloudError, GroupMember, Instance, MachineGroup, Machines, Presence, Target,
    assign_groups,
};
use crate::simulated::Simulated;
use crate::simulated::stack::timestamp;

/// How long EC2 lists a terminated instance, in milliseconds.
const LISTED: i64 = 3_600_000;
/// Until EC2 shows a new tag, in milliseconds. An assumption: its reads are eventually consistent.
const TAGGED: i64 = 3_000;
/// How long a group lists a machine that is detached as `Detaching`. An assumption: it is deregistered from a load balancer.
const LEAVES: Seconds = Seconds {
    p50: 4.0,
    p90: 20.0,
};

impl Machines for Simulated {
    async fn machine_groups(&self, cluster: &str) -> Result<Vec<MachineGroup>, CloudError> {
        self.read("machine_groups", cluster, |state| {
            Ok(state.fleet_mut().machine_groups(cluster))
        })
        .await
    }

    async fn instances(
        &self,
        cluster: &str,
        groups: &[MachineGroup],
    ) -> Result<Vec<Instance>, CloudError> {
        self.read("instances", cluster, |state| {
            let fleet = state.fleet_mut();
            let is_listed =
                |one: &&SimInstance| one.ended.is_none_or(|ended| fleet.now - ended < LISTED);
            let all = fleet.instances.values().filter(is_listed);
            let mut all: Vec<_> = all.map(|one| instance(one, fleet.now)).collect();
            assign_groups(&mut all, groups);
            Ok(all)
        })
        .await
    }

    async fn activities(&self, group: &str) -> Result<Vec<Activity>, CloudError> {
        self.read("activities", group, |state| {
            let all = state.fleet_mut().activities.get(group).cloned();
            Ok(all.unwrap_or_default())
        })
        .await
    }

    async fn mark_instance(&self, instance: &str, value: &str) -> Result<Presence, CloudError> {
        self.write("mark_instance", instance, |state| {
            let fleet = state.fleet_mut();
            let now = fleet.now;
            let Some(one) = fleet.alive(instance) else {
                return Ok(Presence::Gone);
            };
            if one.roll.is_none() {
                one.tagged = now;
            }
            one.roll = Some(value.to_owned());
            fleet.note(FleetAct::Marked(instance.to_owned()));
            Ok(Presence::There)
        })
        .await
    }

    async fn unmark_instance(&self, instance: &str) -> Result<Presence, CloudError> {
        self.write("unmark_instance", instance, |state| {
            let fleet = state.fleet_mut();
            let Some(one) = fleet.alive(instance) else {
                return Ok(Presence::Gone);
            };
            one.roll = None;
            fleet.note(FleetAct::Unmarked(instance.to_owned()));
            Ok(Presence::There)
        })
        .await
    }

    async fn detach(&self, group: &str, instance: &str) -> Result<Presence, CloudError> {
        let about = format!("{group} {instance}");
        self.write("detach", &about, |state| {
            let fleet = state.fleet_mut();
            let until = fleet.now + fleet.takes(&["leaves", instance], LEAVES);
            let member = fleet.alive(instance);
            let Some(one) = member.filter(|one| one.group.as_deref() == Some(group)) else {
                return Ok(Presence::Gone);
            };
            if one.lifecycle != "InService" {
                return Err(CloudError::Refused {
                    operation: "DetachInstances".to_owned(),
                    message: format!("The instance {instance} is not in InService."),
                });
            }
            one.group = None;
            one.leaves = Some((group.to_owned(), until));
            if fleet.config.detach_lowers_size {
                fleet.scaled.push((group.to_owned(), -1));
                fleet.after(1, FleetEvent::Place);
            }
            fleet.note(FleetAct::Detached(instance.to_owned()));
            fleet.check_size(group);
            Ok(Presence::There)
        })
        .await
    }

    async fn terminate(&self, instance: &str) -> Result<Presence, CloudError> {
        self.write("terminate", instance, |state| {
            Ok(state.fleet_mut().terminate(instance))
        })
        .await
    }

    async fn terminate_in_group(&self, instance: &str) -> Result<Presence, CloudError> {
        self.write("terminate_in_group", instance, |state| {
            Ok(state.fleet_mut().terminate(instance))
        })
        .await
    }

    async fn targets(&self, target_group: &str) -> Result<Vec<Target>, CloudError> {
        self.read("targets", target_group, |state| {
            Ok(state.fleet_mut().targets())
        })
        .await
    }
}

impl Fleet {
    fn alive(&mut self, id: &str) -> Option<&mut SimInstance> {
        let one = self.instances.get_mut(id);
        one.filter(|one| one.state.is_alive())
    }

    fn terminate(&mut self, id: &str) -> Presence {
        if self.alive(id).is_none() {
            return Presence::Gone;
        }
        let lost_after = 300_000;
        let is_lost = self
            .nodes
            .get(id)
            .is_none_or(|node| !node.is_ready && self.now - node.since >= lost_after);
        let act = FleetAct::Terminated {
            instance: id.to_owned(),
            pods: self.drainable(id),
            is_lost,
        };
        self.end(id);
        self.note(act);
        Presence::There
    }

    fn machine_groups(&self, cluster: &str) -> Vec<MachineGroup> {
        let groups = self
            .groups
            .values()
            .filter(|group| group.cluster == cluster);
        let group = |group: &super::GroupFacts| MachineGroup {
            name: group.name.clone(),
            stack: group.stack.clone(),
            min: group.min,
            desired: group.desired,
            max: group.max,
            template: group.template.clone(),
            suspended: group.suspended.clone(),
            members: self.listed_members(&group.name),
        };
        groups.map(group).collect()
    }

    fn listed_members(&self, group: &str) -> Vec<GroupMember> {
        let all = self.instances.values();
        let leaves = |one: &SimInstance| {
            let leaves = one.leaves.as_ref();
            leaves.is_some_and(|(of, until)| of == group && self.now < *until)
        };
        let member = |one: &SimInstance| {
            let lifecycle = match one.group.as_deref() {
                Some(of) if of == group => one.lifecycle,
                None if one.state.is_alive() && leaves(one) => "Detaching",
                _ => return None,
            };
            Some(GroupMember {
                instance: one.id.clone(),
                lifecycle: lifecycle.to_owned(),
            })
        };
        all.filter_map(member).collect()
    }
}

fn instance(one: &SimInstance, now: i64) -> Instance {
    Instance {
        id: one.id.clone(),
        stack: Some(one.stack.clone()),
        state: one.state,
        launched: Some(timestamp(one.launched)),
        group: None,
        template: Some(one.template.clone()),
        zone: one.zone.clone(),
        instance_type: "m7g.large".to_owned(),
        is_spot: false,
        roll: one.roll.clone().filter(|_| now - one.tagged >= TAGGED),
    }
}
