//! What was done to a fleet, and what ran then: for assertions.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::Fleet;
use crate::simulated::stack::timestamp;

/// Something that was done, and what ran just after it.
#[derive(Debug, Clone, PartialEq)]
pub struct FleetEntry {
    pub act: FleetAct,
    pub facts: FleetFacts,
}

/// What was done by a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FleetAct {
    Marked(String),
    Unmarked(String),
    Detached(String),
    /// With the pods that a drain would have moved, and whether Kubernetes had given them up.
    Terminated {
        instance: String,
        pods: usize,
        is_lost: bool,
    },
    /// With whether it took pods before.
    Cordoned {
        node: String,
        served: bool,
    },
    Uncordoned(String),
    Tainted(String),
    Untainted(String),
    /// With what its budget allowed before; `None` without one.
    Evicted {
        pod: String,
        allowed: Option<i64>,
    },
    /// Deleted without asking its budget.
    Removed {
        pod: String,
        allowed: Option<i64>,
    },
    NodeDeleted(String),
}

/// What runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FleetFacts {
    pub at: Timestamp,
    /// Members of etcd that serve, and all.
    pub etcd: (usize, usize),
    pub groups: BTreeMap<String, GroupNow>,
    /// By how much the autoscaler has changed the sizes of groups.
    pub scaled: BTreeMap<String, i32>,
    /// Nodes that are Ready, and those of them that are cordoned.
    pub nodes: (usize, usize),
    /// What a roll has left: tags, taints, annotations, machines without a group.
    pub left: Vec<String>,
    /// Members that were launched from another version than their group's.
    pub outdated: Vec<String>,
}

/// A group now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupNow {
    /// The kind of its stack.
    pub stack: String,
    pub desired: u32,
    /// Nodes of its machines, those that were detached too, that are Ready and take pods.
    pub serving: usize,
    /// Machines that were detached and live.
    pub detached: usize,
    /// All its machines that live, those that were detached too.
    pub machines: Vec<String>,
}

impl FleetFacts {
    pub(super) fn nothing(at: Timestamp) -> Self {
        Self {
            at,
            etcd: (0, 0),
            groups: BTreeMap::new(),
            scaled: BTreeMap::new(),
            nodes: (0, 0),
            left: Vec::new(),
            outdated: Vec::new(),
        }
    }
}

impl Fleet {
    pub(super) fn note(&mut self, act: FleetAct) {
        let facts = self.facts();
        self.log.push(FleetEntry { act, facts });
    }

    pub(super) fn facts(&self) -> FleetFacts {
        let groups = self.groups.values().map(|group| {
            let of = |one: &&super::SimInstance| {
                one.group.as_deref() == Some(group.name.as_str())
                    || (one.group.is_none() && one.roll.as_deref() == Some(group.name.as_str()))
            };
            let alive = || {
                self.instances
                    .values()
                    .filter(of)
                    .filter(|one| one.state.is_alive())
            };
            let serves = |one: &&super::SimInstance| {
                let node = self.nodes.get(&one.id);
                node.is_some_and(|node| node.is_ready && !node.is_cordoned)
            };
            let now = GroupNow {
                stack: group.stack.clone(),
                desired: group.desired,
                serving: alive().filter(serves).count(),
                detached: alive().filter(|one| one.group.is_none()).count(),
                machines: alive().map(|one| one.id.clone()).collect(),
            };
            (group.name.clone(), now)
        });
        let is_ready = |(id, node): &(&String, &super::SimNode)| {
            let one = self.instances.get(*id);
            node.is_ready && one.is_some_and(|one| one.state.is_alive())
        };
        let ready = || self.nodes.iter().filter(is_ready);
        FleetFacts {
            at: timestamp(self.now),
            etcd: self.members_serving(),
            nodes: (
                ready().count(),
                ready().filter(|(_, node)| node.is_cordoned).count(),
            ),
            scaled: self.autoscaled.clone(),
            left: self.left(),
            outdated: self.outdated(),
            groups: groups.collect(),
        }
    }

    fn left(&self) -> Vec<String> {
        let mut left = Vec::new();
        for one in self.instances.values().filter(|one| one.state.is_alive()) {
            if one.roll.is_some() {
                left.push(format!("tag of {}", one.id));
            }
            if one.group.is_none() {
                left.push(format!("{} without a group", one.id));
            }
        }
        for (id, node) in &self.nodes {
            if node.roll.is_some() {
                left.push(format!("annotation of {id}"));
            }
            if node.is_outdated {
                left.push(format!("taint of {id}"));
            }
            if node.is_kept {
                left.push(format!("annotation for the autoscaler of {id}"));
            }
        }
        left
    }

    fn outdated(&self) -> Vec<String> {
        let all = self.instances.values().filter(|one| one.state.is_alive());
        let outdated = all.filter(|one| {
            let group = one.group.as_ref().and_then(|name| self.groups.get(name));
            group.is_some_and(|group| group.template != one.template)
        });
        outdated.map(|one| one.id.clone()).collect()
    }
}
