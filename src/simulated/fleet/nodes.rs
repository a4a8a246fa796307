//! The Kubernetes API, as far as nodes are drained.

use super::log::FleetAct;
use super::pods::PodKind;
use super::{Fleet, FleetFaultKind, SimNode};
use crate::cloud::{
    Attachment, Budget, Eviction, NodeMark, NodeState, Nodes, NodesError, PodRef, PodState,
};
use crate::simulated::Simulated;
use crate::simulated::stack::timestamp;

impl Nodes for Simulated {
    async fn node_states(&self) -> Result<Vec<NodeState>, NodesError> {
        self.kube_read("node_states", "", |fleet| {
            let is_short = fleet.suffers(FleetFaultKind::NodesMissing);
            let step = if is_short { 3 } else { 1 };
            fleet.nodes.iter().step_by(step).map(node_state).collect()
        })
        .await
    }

    async fn pod_states(&self) -> Result<Vec<PodState>, NodesError> {
        self.kube_read("pod_states", "", |fleet| fleet.pod_states(None))
            .await
    }

    async fn pods_on(&self, node: &str) -> Result<Vec<PodState>, NodesError> {
        self.kube_read("pods_on", node, |fleet| fleet.pod_states(Some(node)))
            .await
    }

    async fn budgets(&self) -> Result<Vec<Budget>, NodesError> {
        self.kube_read("budgets", "", Fleet::budgets).await
    }

    async fn attachments(&self) -> Result<Vec<Attachment>, NodesError> {
        self.kube_read("attachments", "", Fleet::attachments).await
    }

    async fn mark_node(&self, node: &str, mark: &NodeMark) -> Result<(), NodesError> {
        self.kube_write("mark_node", node, |fleet| fleet.mark(node, mark))
            .await
    }

    async fn evict(&self, pod: &PodRef) -> Result<Eviction, NodesError> {
        let about = format!("{}/{}", pod.namespace, pod.name);
        self.kube_write("evict", &about, |fleet| {
            let answer = fleet.eviction(pod);
            if answer == Eviction::Begun {
                let allowed = fleet.allowed(pod);
                fleet.end_pod(&pod.uid);
                let pod = about.clone();
                fleet.note(FleetAct::Evicted { pod, allowed });
            }
            answer
        })
        .await
    }

    async fn remove_pod(&self, pod: &PodRef) -> Result<(), NodesError> {
        let about = format!("{}/{}", pod.namespace, pod.name);
        self.kube_write("remove_pod", &about, |fleet| {
            let allowed = fleet.allowed(pod);
            fleet.end_pod(&pod.uid);
            let pod = about.clone();
            fleet.note(FleetAct::Removed { pod, allowed });
        })
        .await
    }

    async fn delete_node(&self, node: &str, uid: &str) -> Result<(), NodesError> {
        self.kube_write("delete_node", node, |fleet| {
            if fleet.nodes.get(node).is_some_and(|node| node.uid == uid) {
                fleet.remove_node(node);
                fleet.note(FleetAct::NodeDeleted(node.to_owned()));
            }
        })
        .await
    }

    async fn is_ready(&self) -> bool {
        self.kube_read("is_ready", "", |_| ()).await.is_ok()
    }
}

impl Fleet {
    /// What the budget of a pod allows; `None` without one.
    fn allowed(&self, pod: &PodRef) -> Option<i64> {
        let found = self.pods.iter().find(|one| one.pod.uid == pod.uid)?;
        if !found.is_ready || found.ending.is_some() {
            return None;
        }
        match found.kind {
            PodKind::App(app, _) => self.budget(app).map(|(allowed, ..)| allowed),
            PodKind::DaemonSet | PodKind::Static(_) => None,
        }
    }

    /// Pods of a node that a drain moves.
    pub(super) fn drainable(&self, node: &str) -> usize {
        let on_it = self
            .pods
            .iter()
            .filter(|pod| pod.node.as_deref() == Some(node));
        on_it
            .filter(|pod| matches!(pod.kind, PodKind::App(..)) && !pod.is_gone)
            .count()
    }

    fn attachments(&self) -> Vec<Attachment> {
        let has_volume = |pod: &&super::SimPod| match pod.kind {
            PodKind::App(app, _) => self
                .config
                .apps
                .get(app)
                .is_some_and(|app| app.zone.is_some()),
            PodKind::DaemonSet | PodKind::Static(_) => false,
        };
        let attached = self.pods.iter().filter(has_volume);
        let attachment = |pod: &super::SimPod| {
            Some(Attachment {
                node: pod.node.clone()?,
                volume: format!("pvc-{}", pod.pod.name),
            })
        };
        attached.filter_map(attachment).collect()
    }

    fn mark(&mut self, name: &str, mark: &NodeMark) {
        let Some(node) = self.nodes.get_mut(name) else {
            return;
        };
        let mut acts = Vec::new();
        let is_alive = self
            .instances
            .get(name)
            .is_some_and(|one| one.state.is_alive());
        let served = is_alive && node.is_ready && !node.is_cordoned;
        if let Some(cordon) = &mark.cordon {
            match (cordon, &node.roll) {
                (Some(_), None) => {
                    node.was_cordoned = node.is_cordoned;
                    node.is_cordoned = true;
                }
                (Some(_), Some(_)) => node.is_cordoned = true,
                (None, _) => node.is_cordoned = node.was_cordoned && node.is_cordoned,
            }
            node.roll.clone_from(cordon);
            acts.push(match cordon {
                Some(_) => FleetAct::Cordoned {
                    node: name.to_owned(),
                    served,
                },
                None => FleetAct::Uncordoned(name.to_owned()),
            });
        }
        if let Some(is_outdated) = mark.outdated {
            node.is_outdated = is_outdated;
            acts.push(if is_outdated {
                FleetAct::Tainted(name.to_owned())
            } else {
                FleetAct::Untainted(name.to_owned())
            });
        }
        if let Some(keep) = mark.keep {
            node.is_kept = keep;
        }
        for act in acts {
            self.note(act);
        }
        self.after(1_000, super::events::FleetEvent::Place);
    }
}

fn node_state((name, node): (&String, &SimNode)) -> NodeState {
    NodeState {
        name: name.clone(),
        uid: node.uid.clone(),
        labels: node.labels.clone(),
        version: node.version.clone(),
        trouble: (!node.is_ready).then(|| "its kubelet stopped reporting".to_owned()),
        since: Some(timestamp(node.since)),
        is_silent: !node.is_ready,
        is_cordoned: node.is_cordoned,
        was_cordoned: node.roll.is_some() && node.was_cordoned,
        roll: node.roll.clone(),
        is_outdated: node.is_outdated,
        is_kept: node.is_kept,
        created: Some(timestamp(node.created)),
        allocatable: node.allocatable,
    }
}
