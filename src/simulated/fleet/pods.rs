//! Pods and their controllers: what a pod is, how it ends, who makes another one, what its budgets allow.

use std::collections::BTreeMap;

use super::events::FleetEvent;
use super::{App, CONTROL_PLANE, Fleet, FleetFaultKind};
use crate::catalog::durations::Seconds;
use crate::cloud::{
    Budget, Eviction, NodeResources, PodOwner, PodPhase, PodRef, PodState, Selector,
};
use crate::simulated::rng::{stream, uuid};
use crate::simulated::stack::timestamp;

/// From the end of a pod until its volume is detached.
const DETACHES: Seconds = Seconds {
    p50: 8.0,
    p90: 20.0,
};

/// A pod.
#[derive(Debug, Clone)]
pub(super) struct SimPod {
    pub(super) pod: PodRef,
    pub(super) kind: PodKind,
    pub(super) node: Option<String>,
    pub(super) is_ready: bool,
    pub(super) ending: Option<i64>,
    /// Whether another one was made in its place.
    pub(super) is_replaced: bool,
    /// Whether it is gone, and only its volume is still attached.
    pub(super) is_gone: bool,
}

/// What a pod belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum PodKind {
    /// One of an app's, by its place and its number there.
    App(usize, u32),
    DaemonSet,
    /// With its image.
    Static(String),
}

impl SimPod {
    pub(super) fn is_of(&self, app: usize) -> bool {
        matches!(self.kind, PodKind::App(of, _) if of == app) && !self.is_gone
    }

    fn is_healthy(&self) -> bool {
        self.is_ready && self.ending.is_none() && !self.is_gone
    }
}

impl Fleet {
    fn app(&self, pod: &SimPod) -> Option<&App> {
        match pod.kind {
            PodKind::App(app, _) => self.config.apps.get(app),
            PodKind::DaemonSet | PodKind::Static(_) => None,
        }
    }

    fn new_pod(&mut self, namespace: &str, name: String, kind: PodKind, node: Option<&str>) {
        self.ticket += 1;
        let uid = uuid(&mut stream(self.seed, &["pod", &name], self.ticket));
        self.pods.push(SimPod {
            pod: PodRef {
                namespace: namespace.to_owned(),
                name,
                uid,
            },
            kind,
            node: node.map(str::to_owned),
            is_ready: false,
            ending: None,
            is_replaced: false,
            is_gone: false,
        });
    }

    /// The pods that every node has.
    pub(super) fn add_node_pods(&mut self, id: &str, network: Seconds) {
        let Some(one) = self.instances.get(id).cloned() else {
            return;
        };
        self.new_pod(
            "kube-system",
            format!("cni-{id}"),
            PodKind::DaemonSet,
            Some(id),
        );
        if one.stack == CONTROL_PLANE {
            let server = format!("registry.k8s.io/kube-apiserver:v{}", one.version);
            let images = [
                ("kube-apiserver", server.as_str()),
                ("etcd", "registry.k8s.io/etcd:3.6.14-0"),
            ];
            for (name, image) in images {
                let kind = PodKind::Static(image.to_owned());
                self.new_pod("kube-system", format!("{name}-{id}"), kind, Some(id));
            }
        }
        let wait = self.takes(&["network", id], network);
        let new = self
            .pods
            .iter()
            .filter(|pod| pod.node.as_deref() == Some(id));
        let new: Vec<String> = new.map(|pod| pod.pod.uid.clone()).collect();
        for uid in new {
            self.after(wait, FleetEvent::PodReady(uid));
        }
    }

    /// All pods of a node are Ready.
    pub(super) fn settle_node_pods(&mut self, id: &str) {
        for pod in self
            .pods
            .iter_mut()
            .filter(|pod| pod.node.as_deref() == Some(id))
        {
            pod.is_ready = true;
        }
    }

    /// The pods of every app, Ready on workers; once.
    pub(super) fn place_apps(&mut self) {
        if self.nodes.is_empty()
            || self
                .pods
                .iter()
                .any(|pod| matches!(pod.kind, PodKind::App(..)))
        {
            return;
        }
        let workers: Vec<String> = self.workers().map(str::to_owned).collect();
        for (number, app) in self.config.apps.clone().into_iter().enumerate() {
            for replica in 0..app.replicas {
                let place = usize::try_from(replica).unwrap_or(0) + number;
                let spread = workers.get(place % workers.len().max(1));
                let node = spread.filter(|_| app.is_spread).map(String::as_str);
                self.new_app_pod(number, replica, node);
            }
        }
        self.place();
        for pod in self.pods.iter_mut().filter(|pod| pod.node.is_some()) {
            pod.is_ready = true;
        }
    }

    fn new_app_pod(&mut self, app: usize, number: u32, node: Option<&str>) {
        let Some(of) = self.config.apps.get(app) else {
            return;
        };
        let (namespace, name) = (of.namespace.clone(), of.name.clone());
        let name = if of.zone.is_some() || !of.is_controlled {
            format!("{name}-{number}")
        } else {
            format!("{name}-{number}-{}", self.ticket)
        };
        self.new_pod(&namespace, name, PodKind::App(app, number), node);
    }

    pub(super) fn pod_ready(&mut self, uid: &str) {
        let nodes = &self.nodes;
        let Some(pod) = self.pods.iter_mut().find(|pod| pod.pod.uid == uid) else {
            return;
        };
        let node = pod.node.as_deref().and_then(|node| nodes.get(node));
        let was_ready = pod.is_ready;
        pod.is_ready = pod.ending.is_none() && node.is_some_and(|node| node.is_ready);
        if let (PodKind::DaemonSet, Some(id), false) = (&pod.kind, &pod.node, was_ready) {
            let worker = self.instances.get(id).filter(|one| one.slot.is_none());
            self.boots.extend(worker.map(|one| self.now - one.missing));
        }
    }

    /// A pod begins to end; its controller makes another one, at once unless it has a volume.
    pub(super) fn end_pod(&mut self, uid: &str) {
        let Some(pod) = self
            .pods
            .iter()
            .find(|pod| pod.pod.uid == uid && !pod.is_gone)
        else {
            return;
        };
        if pod.ending.is_some() {
            return;
        }
        let stop = self
            .app(pod)
            .map_or(Seconds { p50: 1.0, p90: 2.0 }, |app| app.stop);
        let moves = self
            .app(pod)
            .is_some_and(|app| app.is_controlled && app.zone.is_none());
        let kubelet = pod
            .node
            .as_deref()
            .is_none_or(|node| self.nodes.get(node).is_some_and(|node| node.is_ready));
        let kind = pod.kind.clone();
        let takes = self.takes(&["stops", uid], stop);
        let now = self.now;
        if let Some(pod) = self.pods.iter_mut().find(|pod| pod.pod.uid == uid) {
            pod.ending = Some(now);
            pod.is_ready = false;
            pod.is_replaced = moves;
        }
        if kubelet {
            self.after(takes, FleetEvent::PodGone(uid.to_owned()));
        }
        if let (true, PodKind::App(app, number)) = (moves, kind) {
            self.new_app_pod(app, number, None);
            self.after(1_000, FleetEvent::Place);
        }
    }

    /// A pod is gone: its volume follows, and its controller makes another one if it has not yet.
    pub(super) fn pod_gone(&mut self, uid: &str) {
        let Some(at) = self
            .pods
            .iter()
            .position(|pod| pod.pod.uid == uid && !pod.is_gone)
        else {
            return;
        };
        let pod = self.pods[at].clone();
        let app = self.app(&pod);
        let (has_volume, is_controlled) = app.map_or((false, false), |app| {
            (app.zone.is_some(), app.is_controlled)
        });
        if has_volume && pod.node.is_some() {
            self.pods[at].is_gone = true;
            self.pods[at].is_ready = false;
            let wait = self.takes(&["detaches", uid], DETACHES);
            self.after(wait, FleetEvent::Detached(uid.to_owned()));
        } else {
            self.pods.remove(at);
        }
        if let (PodKind::App(app, number), true, false) = (pod.kind, is_controlled, pod.is_replaced)
        {
            self.new_app_pod(app, number, None);
        }
        self.after(1_000, FleetEvent::Place);
    }

    /// How many evictions of an app's pods its budget allows, with its numbers: healthy, wanted. `None` without one.
    pub(super) fn budget(&self, app: usize) -> Option<(i64, i64, i64)> {
        let of = self.config.apps.get(app)?;
        let stuck = self.suffers(FleetFaultKind::StuckEviction);
        let wanted = match of.min_available {
            Some(_) if stuck => of.replicas,
            wanted => wanted?,
        };
        let healthy = self
            .pods
            .iter()
            .filter(|pod| pod.is_of(app) && pod.is_healthy());
        let healthy = i64::try_from(healthy.count()).unwrap_or(i64::MAX);
        let wanted = i64::from(wanted);
        Some(((healthy - wanted).max(0), healthy, wanted))
    }

    /// What an eviction would be answered; a pod that is not Ready may go while its budget is kept
    /// (`unhealthyPodEvictionPolicy: IfHealthyBudget`, the default).
    pub(super) fn eviction(&self, pod: &PodRef) -> Eviction {
        let mut pods = self.pods.iter();
        let Some(found) = pods.find(|one| one.pod.uid == pod.uid && !one.is_gone) else {
            return Eviction::Gone;
        };
        if found.ending.is_some() {
            return Eviction::Begun;
        }
        let PodKind::App(app, _) = found.kind else {
            return Eviction::Begun;
        };
        if self
            .config
            .apps
            .get(app)
            .is_some_and(|app| app.has_two_budgets)
        {
            return Eviction::SeveralBudgets(
                "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support."
                    .to_owned(),
            );
        }
        let Some((allowed, healthy, wanted)) = self.budget(app) else {
            return Eviction::Begun;
        };
        let may = if found.is_ready {
            allowed > 0
        } else {
            healthy >= wanted || found.node.is_none()
        };
        if may {
            return Eviction::Begun;
        }
        Eviction::Blocked(format!(
            "The disruption budget needs {wanted} healthy pods and has {healthy} currently"
        ))
    }

    pub(super) fn pod_states(&self, node: Option<&str>) -> Vec<PodState> {
        let of = |pod: &&SimPod| {
            !pod.is_gone && node.is_none_or(|node| pod.node.as_deref() == Some(node))
        };
        let pods = self.pods.iter().filter(of);
        pods.map(|pod| self.pod_state(pod)).collect()
    }

    fn pod_state(&self, pod: &SimPod) -> PodState {
        let app = self.app(pod);
        let owner = match (&pod.kind, app) {
            (PodKind::DaemonSet, _) => PodOwner::DaemonSet,
            (PodKind::Static(_), _) => PodOwner::Static,
            (PodKind::App(..), Some(app)) if app.is_controlled => {
                PodOwner::Controller(format!("Deployment {}/{}", app.namespace, app.name))
            }
            (PodKind::App(..), _) => PodOwner::Nobody,
        };
        let image = match &pod.kind {
            PodKind::Static(image) => image.clone(),
            PodKind::DaemonSet | PodKind::App(..) => "registry.k8s.io/pause:3.10".to_owned(),
        };
        let labels = app.map(|app| ("app".to_owned(), app.name.clone()));
        let zone = app.and_then(|app| app.zone.clone());
        let trouble = match (&pod.node, pod.is_ready) {
            (_, true) => None,
            (None, false) => Some("it has no node yet".to_owned()),
            (Some(_), false) => Some("it is not Ready yet".to_owned()),
        };
        PodState {
            pod: pod.pod.clone(),
            node: pod.node.clone(),
            labels: labels.into_iter().collect::<BTreeMap<_, _>>(),
            owner,
            phase: if pod.node.is_some() {
                PodPhase::Running
            } else {
                PodPhase::Pending
            },
            trouble,
            ending: pod.ending.map(timestamp),
            finalizers: Vec::new(),
            grace_seconds: app.map_or(30, |app| app.grace_seconds),
            requests: NodeResources {
                milli_cpu: app.map_or(100, |app| app.milli_cpu),
                memory_bytes: 64 << 20,
            },
            images: vec![image],
            loses_local_data: false,
            has_git_repo: false,
            claims: zone
                .iter()
                .map(|_| format!("data-{}", pod.pod.name))
                .collect(),
            volume_zones: zone.into_iter().collect(),
        }
    }

    pub(super) fn budgets(&self) -> Vec<Budget> {
        let mut all = Vec::new();
        for (number, app) in self.config.apps.iter().enumerate() {
            let Some((allowed, healthy, desired_healthy)) = self.budget(number) else {
                continue;
            };
            let budget = Budget {
                namespace: app.namespace.clone(),
                name: app.name.clone(),
                selector: Selector {
                    labels: BTreeMap::from([("app".to_owned(), app.name.clone())]),
                    expressions: Vec::new(),
                },
                allowed,
                healthy,
                desired_healthy,
                expected: i64::from(app.replicas),
            };
            if app.has_two_budgets {
                all.push(Budget {
                    name: format!("{}-too", app.name),
                    ..budget.clone()
                });
            }
            all.push(budget);
        }
        all
    }
}
