//! What one look saw of the groups, machines, nodes and pods of a cluster.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::CONTROL_PLANE;
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
    /// The tags of the stacks of pools.
    pub fn pools(&self) -> BTreeSet<&str> {
        let stacks = self.groups.iter().map(|group| group.stack.as_str());
        stacks.filter(|stack| *stack != CONTROL_PLANE).collect()
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

    /// Machines that a roll took out of this group and that are still alive.
    pub(super) fn detached<'a>(&'a self, group: &'a str) -> impl Iterator<Item = &'a Instance> {
        let is_detached = move |one: &&Instance| {
            one.roll.as_deref() == Some(group) && one.group.is_none() && one.state.is_alive()
        };
        self.instances.values().filter(is_detached)
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
