//! Looks at groups, machines, nodes and pods. Knows which pods have to be read again at each look, not what follows from them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;

use super::executor::{Etcd, Roll, RollError};
use super::memory::Memory;
use super::noted::control_plane_starts;
use super::observed::Observed;
use super::select::select;
use super::{CONTROL_PLANE, RollScope};
use crate::cloud::{CloudError, Machines, Nodes, NodesError, PodState, Scaling};
use crate::common::Clock;
use crate::common::clock::elapsed;
use crate::common::retry::{Backoff, Try, retry};

/// How old pods may be that nothing is decided by at once: the order of machines, what waits for a node.
const PODS_STAY: Duration = Duration::from_mins(1);
/// For more nodes than this, one listing of all pods is less to ask.
const NODES_AT_ONCE: usize = 20;

/// What the look before saw.
#[derive(Debug, Default)]
pub(super) struct Last {
    seen: Observed,
    /// When all pods were read.
    pods: Option<Timestamp>,
}

impl<C: Machines + Scaling + Clock, N: Nodes, E: Etcd> Roll<'_, C, N, E> {
    /// Looks once, at everything.
    ///
    /// # Errors
    /// What AWS or the Kubernetes API refuses, and a Kubernetes API that does not answer.
    pub async fn observe(&self) -> Result<Observed, RollError> {
        let memory = Memory::new(self.cloud.now());
        let seen = self.look(&mut Last::default(), &memory).await?;
        match seen.away {
            Some(why) => Err(RollError::Kubernetes(NodesError::Away(why))),
            None => Ok(seen),
        }
    }

    pub(super) async fn look(
        &self,
        last: &mut Last,
        memory: &Memory,
    ) -> Result<Observed, RollError> {
        let mut seen = std::mem::take(&mut last.seen);
        let looked = self.look_at_all(&mut seen, last, memory).await;
        last.seen.clone_from(&seen);
        looked.map(|()| seen)
    }

    async fn look_at_all(
        &self,
        seen: &mut Observed,
        last: &mut Last,
        memory: &Memory,
    ) -> Result<(), RollError> {
        let cluster = self.options.cluster.as_str();
        let groups = self
            .ask(async || self.cloud.machine_groups(cluster).await)
            .await?;
        let instances = self
            .ask(async || self.cloud.instances(cluster, &groups).await)
            .await?;
        seen.groups = groups;
        seen.instances = instances
            .into_iter()
            .map(|one| (one.id.clone(), one))
            .collect();
        seen.add_tags(&memory.marked);
        match self.look_at_nodes(seen, last, memory).await {
            Ok(()) => seen.away = None,
            Err(NodesError::Away(why)) => seen.away = Some(why),
            // Its rights may not be there yet, nor its certificate.
            Err(NodesError::Refused(why)) if control_plane_starts(seen, self.cloud.now()) => {
                seen.away = Some(why);
            }
            Err(refused @ NodesError::Refused(_)) => return Err(RollError::Kubernetes(refused)),
        }
        self.look_at_control_plane(seen, memory).await;
        seen.activities = self.look_at_activities(seen, memory).await;
        seen.at = self.cloud.now();
        Ok(())
    }

    /// A request to AWS that bears repeating.
    async fn ask<T>(
        &self,
        request: impl AsyncFn() -> Result<T, CloudError>,
    ) -> Result<T, RollError> {
        let answer = retry(self.cloud, Backoff::REQUEST, async || {
            Try::transient(request().await, CloudError::is_transient)
        });
        answer.await.map_err(RollError::Cloud)
    }

    async fn look_at_nodes(
        &self,
        seen: &mut Observed,
        last: &mut Last,
        memory: &Memory,
    ) -> Result<(), NodesError> {
        let nodes = self.nodes.node_states().await?;
        let nodes: BTreeMap<String, _> = nodes
            .into_iter()
            .map(|node| (node.name.clone(), node))
            .collect();
        if let Some(gap) = seen.gap(&nodes) {
            return Err(NodesError::Away(gap));
        }
        seen.nodes = nodes;
        seen.budgets = self.nodes.budgets().await?;
        let is_drained = seen.nodes.values().any(|node| node.roll.is_some());
        seen.attachments = if is_drained {
            self.nodes.attachments().await?
        } else {
            Vec::new()
        };
        let now = self.cloud.now();
        let fresh = self.nodes_to_read(seen, memory);
        let is_old = last.pods.is_none_or(|at| elapsed(at, now) >= PODS_STAY);
        if is_old || fresh.len() > NODES_AT_ONCE {
            seen.pods = self.nodes.pod_states().await?;
            last.pods = Some(now);
            return Ok(());
        }
        let nodes = &seen.nodes;
        let stays = |pod: &PodState| {
            let node = pod.node.as_deref();
            node.is_none_or(|node| nodes.contains_key(node) && !fresh.contains(node))
        };
        let mut pods: Vec<PodState> = seen.pods.iter().filter(|pod| stays(pod)).cloned().collect();
        for node in &fresh {
            pods.extend(self.nodes.pods_on(node).await?);
        }
        seen.pods = pods;
        Ok(())
    }

    /// Nodes whose pods decide what is done next: those that are drained, those that are new, the control plane's.
    fn nodes_to_read(&self, seen: &Observed, memory: &Memory) -> BTreeSet<String> {
        let has_control_plane = self.looks_at_control_plane(seen, memory);
        let is_read = |name: &String| {
            let one = seen.instances.get(name);
            let of_control_plane = one.is_some_and(|one| one.is_of(CONTROL_PLANE));
            let is_new = !memory.is_validated(name) && seen.serves(name);
            seen.is_cordoned_by_roll(name) || is_new || (of_control_plane && has_control_plane)
        };
        seen.nodes
            .keys()
            .filter(|name| is_read(name))
            .cloned()
            .collect()
    }

    /// Whether anything is decided by the state of the control plane.
    fn looks_at_control_plane(&self, seen: &Observed, memory: &Memory) -> bool {
        let of_control_plane = |id: &String| {
            let one = seen.instances.get(id);
            one.is_some_and(|one| one.is_of(CONTROL_PLANE))
        };
        match &self.options.scope {
            // Once it is as wanted, only a new reason to replace one of its machines has anybody look at it again.
            RollScope::ControlPlane | RollScope::All => {
                let selection = select(seen, memory, self.options);
                !memory.control_plane_done || selection.is_any_of(seen, CONTROL_PLANE)
            }
            RollScope::Node(id) => {
                of_control_plane(id) || memory.replaced.contains_key(CONTROL_PLANE)
            }
            RollScope::Pools | RollScope::Named(_) => false,
        }
    }

    async fn look_at_control_plane(&self, seen: &mut Observed, memory: &Memory) {
        if self.options.slots.is_empty() || !self.looks_at_control_plane(seen, memory) {
            return;
        }
        match self.etcd.membership().await {
            Ok(found) => {
                seen.control_plane.alarms = found.alarms;
                seen.control_plane.members = Some(Ok(found.members));
            }
            Err(why) => seen.control_plane.members = Some(Err(why)),
        }
        if let Some(group) = &self.options.target_group {
            let targets = self.ask(async || self.cloud.targets(group).await).await;
            seen.control_plane.targets = Some(targets.map_err(|error| error.to_string()));
        }
    }

    /// What groups that are waited for did last.
    async fn look_at_activities(
        &self,
        seen: &Observed,
        memory: &Memory,
    ) -> BTreeMap<String, Vec<crate::cloud::Activity>> {
        let slots = self.options.slots.iter();
        let slots = slots.filter(|slot| memory.incomplete.contains_key(&slot.letter()));
        let waited = slots.map(|slot| &slot.group).chain(memory.lacks.keys());
        let mut activities = BTreeMap::new();
        for name in waited.filter(|name| seen.group(name).is_some()) {
            // Only said, and nothing is decided by it.
            if let Ok(newest) = self.ask(async || self.cloud.activities(name).await).await {
                activities.insert(name.clone(), newest);
            }
        }
        activities
    }
}
