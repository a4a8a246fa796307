//! What happens to machines in time: they run, join, end; what goes wrong at its moment.

use super::{CONTROL_PLANE, Fleet, FleetFaultKind, SimNode};
use crate::catalog::durations::{SLOT_TERMINATION, Seconds, TERMINATION};
use crate::cloud::{InstanceState, NodeResources};
use crate::common::tags::TAG_CLUSTER;
use crate::common::tags::{POOL_LABEL, SLOT_LABEL};
use crate::simulated::rng::{stream, uuid};

/// Until a node is not Ready for Kubernetes whose machine is gone, in milliseconds.
const NOTICED: i64 = 40_000;
/// Until the cloud controller deletes the Node object of a terminated machine, after that.
const NODE_GONE: i64 = 60_000;
/// From Ready until the pods of the network on a node are Ready.
const NETWORK: Seconds = Seconds { p50: 3.0, p90: 6.0 };

/// Something that happens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum FleetEvent {
    /// A group tries to launch.
    Launch(String),
    /// An instance runs.
    Runs(String),
    /// A machine's boot ends.
    Joins(String),
    /// EC2 has terminated an instance.
    Terminated(String),
    /// Kubernetes notices that a machine is gone.
    NotReady(String),
    /// The cloud controller deletes the Node object of a machine that is gone.
    NodeGone(String),
    /// A pod is Ready.
    PodReady(String),
    /// A pod that ends is gone.
    PodGone(String),
    /// A volume of a node is detached.
    Detached(String),
    /// Pods without a node are placed.
    Place,
    /// A fault begins.
    Fault(usize),
}

impl Fleet {
    pub(super) fn handle(&mut self, event: &FleetEvent) {
        match event {
            FleetEvent::Launch(group) => self.try_launch(group),
            FleetEvent::Runs(id) => self.runs(id),
            FleetEvent::Joins(id) => self.joins(id),
            FleetEvent::Terminated(id) => self.terminated(id),
            FleetEvent::NotReady(id) => self.not_ready(id),
            FleetEvent::NodeGone(id) => {
                let is_alive = self
                    .instances
                    .get(id)
                    .is_some_and(|one| one.state.is_alive());
                if !is_alive {
                    self.remove_node(id);
                }
            }
            FleetEvent::PodReady(uid) => self.pod_ready(uid),
            FleetEvent::PodGone(uid) => self.pod_gone(uid),
            FleetEvent::Detached(uid) => self.pods.retain(|pod| pod.pod.uid != *uid),
            FleetEvent::Place => self.place(),
            FleetEvent::Fault(number) => self.fault(*number),
        }
    }

    pub(super) fn schedule_faults(&mut self) {
        let faults: Vec<i64> = self
            .config
            .faults
            .iter()
            .map(|fault| i64::try_from(fault.from.as_millis()).unwrap_or(i64::MAX))
            .collect();
        for (number, from) in faults.into_iter().enumerate() {
            self.after(from, FleetEvent::Fault(number));
        }
    }

    fn runs(&mut self, id: &str) {
        if let Some(one) = self.instances.get_mut(id)
            && one.state == InstanceState::Pending
        {
            one.state = InstanceState::Running;
            one.lifecycle = "InService";
        }
    }

    /// A machine that was there before the fleet began.
    pub(super) fn run_at_once(&mut self, id: &str) {
        self.runs(id);
        if let Some(one) = self.instances.get_mut(id) {
            // Long enough ago to be settled.
            one.launched -= 86_400_000;
            one.never_joins = false;
        }
        self.joins(id);
        self.settle_node_pods(id);
    }

    fn joins(&mut self, id: &str) {
        let Some(one) = self.instances.get(id) else {
            return;
        };
        let is_slot = one.slot.is_some();
        if !one.state.is_alive() || one.never_joins {
            return;
        }
        // A kubelet asks again until the API answers: its own of a control-plane machine, another's of a worker.
        if !is_slot && !self.api_answers() {
            return self.after(5_000, FleetEvent::Joins(id.to_owned()));
        }
        if let Some(one) = self.instances.get_mut(id) {
            one.has_joined = true;
        }
        self.elect();
        if self.nodes.contains_key(id) {
            return;
        }
        let node = self.new_node(id);
        self.nodes.extend(node.map(|node| (id.to_owned(), node)));
        self.add_node_pods(id, NETWORK);
        self.after(1_000, FleetEvent::Place);
    }

    fn new_node(&self, id: &str) -> Option<SimNode> {
        let one = self.instances.get(id)?;
        let cpu = match self.config.worker_milli_cpu {
            0 => 4000,
            milli_cpu => milli_cpu,
        };
        let mut labels = std::collections::BTreeMap::from([(
            TAG_CLUSTER.to_owned(),
            self.groups
                .values()
                .next()
                .map(|group| group.cluster.clone())
                .unwrap_or_default(),
        )]);
        if let Some(slot) = one.slot {
            labels.insert(SLOT_LABEL.to_owned(), slot.to_string());
        } else if let Some(pool) = one.stack.strip_prefix("pool-") {
            labels.insert(POOL_LABEL.to_owned(), pool.to_owned());
        }
        Some(SimNode {
            uid: uuid(&mut stream(self.seed, &["node", id], self.ticket)),
            is_ready: true,
            since: self.now,
            created: self.now,
            is_cordoned: false,
            was_cordoned: false,
            roll: None,
            is_outdated: false,
            is_kept: false,
            version: format!("v{}", one.version),
            labels,
            allocatable: NodeResources {
                milli_cpu: cpu,
                memory_bytes: 16 << 30,
            },
            zone: one.zone.clone(),
        })
    }

    /// A machine begins to end.
    pub(super) fn end(&mut self, id: &str) {
        let Some(one) = self.instances.get_mut(id) else {
            return;
        };
        if !one.state.is_alive() {
            return;
        }
        one.state = InstanceState::ShuttingDown;
        one.lifecycle = "Terminating";
        let (group, is_slot) = (one.group.clone(), one.slot.is_some());
        let typical = if is_slot {
            SLOT_TERMINATION
        } else {
            TERMINATION
        };
        let takes = self.takes(&["terminates", id], typical);
        self.after(takes, FleetEvent::Terminated(id.to_owned()));
        self.after(NOTICED, FleetEvent::NotReady(id.to_owned()));
        self.after(NOTICED + NODE_GONE, FleetEvent::NodeGone(id.to_owned()));
        self.elect();
        if let Some(group) = group {
            self.check_size(&group);
        }
    }

    fn terminated(&mut self, id: &str) {
        let now = self.now;
        if let Some(one) = self.instances.get_mut(id) {
            one.state = InstanceState::Terminated;
            one.ended = Some(now);
            one.group = None;
        }
    }

    fn not_ready(&mut self, id: &str) {
        let now = self.now;
        if let Some(node) = self.nodes.get_mut(id).filter(|node| node.is_ready) {
            node.is_ready = false;
            node.since = now;
        }
        for pod in self
            .pods
            .iter_mut()
            .filter(|pod| pod.node.as_deref() == Some(id))
        {
            pod.is_ready = false;
        }
    }

    /// A Node object goes, and every pod on it.
    pub(super) fn remove_node(&mut self, id: &str) {
        if self.nodes.remove(id).is_none() {
            return;
        }
        let on_it = self
            .pods
            .iter()
            .filter(|pod| pod.node.as_deref() == Some(id));
        let lost: Vec<String> = on_it.map(|pod| pod.pod.uid.clone()).collect();
        for uid in lost {
            self.pod_gone(&uid);
            self.pods.retain(|pod| pod.pod.uid != uid);
        }
    }

    /// A worker that a fault hits: the same one for the same seed and moment.
    fn victim(&self, number: usize, is_attached: bool) -> Option<String> {
        let workers = self.instances.values().filter(|one| {
            one.stack != CONTROL_PLANE && one.state.is_alive() && one.group.is_some() == is_attached
        });
        let mut ids: Vec<&String> = workers.map(|one| &one.id).collect();
        let rng = &mut stream(self.seed, &["victim"], number as u64);
        rng.shuffle(&mut ids);
        ids.first().map(|id| (*id).clone())
    }

    fn fault(&mut self, number: usize) {
        let Some(fault) = self.config.faults.get(number) else {
            return;
        };
        match fault.kind {
            FleetFaultKind::SpotTaken => {
                if let Some(id) = self.victim(number, true) {
                    self.end(&id);
                }
            }
            FleetFaultKind::DetachedTerminated => {
                if let Some(id) = self.victim(number, false) {
                    self.end(&id);
                }
            }
            FleetFaultKind::ScaleUp | FleetFaultKind::ScaleDown => self.scale(number, fault.kind),
            FleetFaultKind::Uncordoned => {
                for node in self.nodes.values_mut() {
                    node.is_cordoned = false;
                }
                self.after(1, FleetEvent::Place);
            }
            FleetFaultKind::NoCapacity
            | FleetFaultKind::NeverJoins
            | FleetFaultKind::ApiAway
            | FleetFaultKind::StuckEviction
            | FleetFaultKind::InterfaceInUse
            | FleetFaultKind::NodesMissing => {}
        }
    }

    /// The autoscaler changes the size of a pool's group; one that it takes away is a machine of the group.
    fn scale(&mut self, number: usize, kind: FleetFaultKind) {
        let Some(id) = self.victim(number, true) else {
            return;
        };
        let Some(group) = self.instances.get(&id).and_then(|one| one.group.clone()) else {
            return;
        };
        let bounds = self
            .groups
            .get(&group)
            .map(|group| (group.min, group.desired, group.max));
        let Some((min, desired, max)) = bounds else {
            return;
        };
        if kind == FleetFaultKind::ScaleUp && desired < max {
            *self.autoscaled.entry(group.clone()).or_default() += 1;
            self.scaled.push((group, 1));
        } else if kind == FleetFaultKind::ScaleDown && desired > min && desired > 1 {
            if let Some(facts) = self.groups.get_mut(&group) {
                facts.desired -= 1;
            }
            *self.autoscaled.entry(group.clone()).or_default() -= 1;
            self.scaled.push((group, -1));
            self.end(&id);
        }
    }

    /// Nothing goes wrong any more, and what never joins is terminated.
    pub(super) fn repair(&mut self) {
        self.config.faults.clear();
        let broken = self.instances.values().filter(|one| one.never_joins);
        let broken: Vec<String> = broken.map(|one| one.id.clone()).collect();
        for id in broken {
            self.end(&id);
        }
        self.place();
    }
}
