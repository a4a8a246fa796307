//! What one look saw of the groups, machines, nodes and pods of a cluster.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::POOL;
use crate::cloud::{
    Activity, Attachment, Budget, Instance, MachineGroup, NodeState, PodState, Target,
};
use crate::etcd::Member;

/// What one look saw. Where the Kubernetes API did not answer, `away` says why, and what it answered last stands.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Observed {
    pub at: Timestamp,
    pub groups: Vec<MachineGroup>,
    /// By id.
    pub instances: BTreeMap<String, Instance>,
    /// By name, which is the instance's id.
    pub nodes: BTreeMap<String, NodeState>,
    /// Of every node that is drained or not checked yet as of now; of the others as of a minute ago at most.
    pub pods: Vec<PodState>,
    pub budgets: Vec<Budget>,
    pub attachments: Vec<Attachment>,
    pub control_plane: ControlPlane,
    /// What groups did and tried last, where it was asked: of those that are waited for.
    pub activities: BTreeMap<String, Vec<Activity>>,
    /// Why the Kubernetes API did not answer.
    pub away: Option<String>,
}

/// What is known of the control plane beside its nodes.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ControlPlane {
    /// The members of etcd, or why they are not known.
    pub members: Option<Result<Vec<Member>, String>>,
    /// What etcd complains about: `NOSPACE`, `CORRUPT`.
    pub alarms: Vec<String>,
    /// The targets of the API's load balancer, or why they are not known.
    pub targets: Option<Result<Vec<Target>, String>>,
}

impl Observed {
    /// The tags of the stacks of pools, those too of which only detached machines are left.
    pub fn pools(&self) -> BTreeSet<&str> {
        let stacks = self.groups.iter().map(|group| group.stack.as_str());
        let left = self.instances.values().filter(|one| self.is_orphan(one));
        let left = left.filter_map(|one| one.stack.as_deref());
        let stacks = stacks.chain(left);
        stacks.filter(|stack| stack.starts_with(POOL)).collect()
    }

    pub(super) fn groups_of<'a>(
        &'a self,
        stack: &'a str,
    ) -> impl Iterator<Item = &'a MachineGroup> {
        self.groups.iter().filter(move |group| group.stack == stack)
    }

    pub fn group(&self, name: &str) -> Option<&MachineGroup> {
        self.groups.iter().find(|group| group.name == name)
    }

    /// The machines that a group has, those on their way out left out.
    pub(super) fn members<'a>(
        &'a self,
        group: &'a MachineGroup,
    ) -> impl Iterator<Item = &'a Instance> {
        let staying = group.members.iter().filter(|member| !member.is_leaving());
        let found = staying.filter_map(|member| self.instances.get(&member.instance));
        found.filter(|one| one.state.is_alive() && one.group.as_ref() == Some(&group.name))
    }

    /// Whether a roll took a machine out of a group that is no more.
    pub(super) fn is_orphan(&self, one: &Instance) -> bool {
        let group = one.roll.as_deref().map(|name| self.group(name));
        one.state.is_alive() && one.group.is_none() && matches!(group, Some(None))
    }

    /// Machines of a stack whose groups are no more.
    pub(super) fn orphans<'a>(&'a self, stack: &'a str) -> impl Iterator<Item = &'a Instance> {
        let all = self.instances.values();
        all.filter(move |one| one.is_of(stack) && self.is_orphan(one))
    }

    /// Machines of pools that have neither a group nor the tag of a roll: one that was just detached looks like this until
    /// EC2 shows its tag.
    pub(super) fn strays(&self) -> impl Iterator<Item = &Instance> {
        let of_pool = |one: &&Instance| {
            let stack = one.stack.as_deref();
            stack.is_some_and(|stack| stack.starts_with(POOL))
        };
        let alive = self.instances.values().filter(|one| one.state.is_alive());
        alive
            .filter(of_pool)
            .filter(|one| one.group.is_none() && one.roll.is_none())
    }

    /// Adds tags that this run gave and EC2 may not show yet.
    pub(super) fn add_tags(&mut self, marked: &BTreeMap<String, String>) {
        for one in self.instances.values_mut() {
            if one.roll.is_none() {
                one.roll = marked.get(&one.id).cloned();
            }
        }
    }

    /// Machines that a roll took out of this group and that are still alive.
    pub(super) fn detached<'a>(&'a self, group: &'a str) -> impl Iterator<Item = &'a Instance> {
        let is_detached = move |one: &&Instance| {
            one.roll.as_deref() == Some(group) && one.group.is_none() && one.state.is_alive()
        };
        self.instances.values().filter(is_detached)
    }

    /// What a list of nodes lacks, where it is no answer to go by: most nodes of the look before whose machines are alive, or
    /// every node.
    pub(super) fn gap(&self, nodes: &BTreeMap<String, NodeState>) -> Option<String> {
        let alive = |id: &&String| {
            let one = self.instances.get(*id);
            one.is_some_and(|one| one.state.is_alive())
        };
        let known: Vec<&String> = self.nodes.keys().filter(alive).collect();
        let missing = known.iter().filter(|id| !nodes.contains_key(**id)).count();
        let has_machines = || {
            self.groups
                .iter()
                .any(|group| self.members(group).next().is_some())
        };
        let is_gap = missing * 2 > known.len() || (nodes.is_empty() && has_machines());
        is_gap.then(|| {
            format!(
                "it lists {} nodes, and lacks {missing} that were there",
                nodes.len()
            )
        })
    }

    /// A node that is Ready and takes pods.
    pub(super) fn serves(&self, instance: &str) -> bool {
        let node = self.nodes.get(instance);
        node.is_some_and(|node| node.trouble.is_none() && !node.is_cordoned)
    }

    /// Whether a roll has cordoned the node of a machine.
    pub(super) fn is_cordoned_by_roll(&self, instance: &str) -> bool {
        let node = self.nodes.get(instance);
        node.is_some_and(|node| node.is_cordoned && node.roll.is_some())
    }

    pub(super) fn pods_on<'a>(&'a self, node: &'a str) -> impl Iterator<Item = &'a PodState> {
        let on = move |pod: &&PodState| pod.node.as_deref() == Some(node);
        self.pods.iter().filter(on)
    }
}
