//! The scheduler: the first node that fits, those that are not tainted as outdated before the others.

use super::events::FleetEvent;
use super::pods::{PodKind, SimPod};
use super::{App, Fleet};

/// Until a pod without a place is tried again, in milliseconds.
const AGAIN: i64 = 5_000;

impl Fleet {
    /// Nodes of pools, by name.
    pub(super) fn workers(&self) -> impl Iterator<Item = &str> {
        let nodes = self.nodes.keys().map(String::as_str);
        nodes.filter(|id| {
            self.instances
                .get(*id)
                .is_some_and(|one| one.slot.is_none())
        })
    }

    /// Gives nodes to the pods that wait for one.
    pub(super) fn place(&mut self) {
        if !self.api_answers() {
            if self.pods.iter().any(|pod| pod.node.is_none()) {
                self.after(AGAIN, FleetEvent::Place);
            }
            return;
        }
        for at in 0..self.pods.len() {
            if self.pods[at].node.is_some() || self.pods[at].ending.is_some() {
                continue;
            }
            let PodKind::App(app, number) = self.pods[at].kind else {
                continue;
            };
            let Some(of) = self.config.apps.get(app).cloned() else {
                continue;
            };
            let Some(node) = self.place_for(&of, app, number) else {
                continue;
            };
            let uid = self.pods[at].pod.uid.clone();
            self.pods[at].node = Some(node);
            let starts = self.takes(&["pod-starts", &uid], of.start);
            self.after(starts, FleetEvent::PodReady(uid));
        }
        let waits = |pod: &SimPod| pod.node.is_none() && pod.ending.is_none();
        if self.pods.iter().any(waits)
            && !self.queue.values().any(|event| *event == FleetEvent::Place)
        {
            self.after(AGAIN, FleetEvent::Place);
        }
    }

    fn place_for(&self, app: &App, number: usize, replica: u32) -> Option<String> {
        let is_attached = |pod: &SimPod| pod.is_gone && pod.kind == PodKind::App(number, replica);
        if app.zone.is_some() && self.pods.iter().any(is_attached) {
            return None;
        }
        let fits = |id: &&str| {
            let Some(node) = self.nodes.get(*id) else {
                return false;
            };
            let is_alive = self
                .instances
                .get(*id)
                .is_some_and(|one| one.state.is_alive());
            let in_zone = app.zone.as_ref().is_none_or(|zone| *zone == node.zone);
            node.is_ready
                && !node.is_cordoned
                && is_alive
                && in_zone
                && self.free(id) >= app.milli_cpu
        };
        let nodes = self.workers().filter(fits);
        let best = nodes.min_by_key(|id| {
            let is_outdated = self.nodes.get(*id).is_some_and(|node| node.is_outdated);
            (is_outdated, (*id).to_owned())
        });
        best.map(str::to_owned)
    }

    /// Processor time that a node has left.
    fn free(&self, node: &str) -> u64 {
        let on_it = self
            .pods
            .iter()
            .filter(|pod| pod.node.as_deref() == Some(node) && !pod.is_gone);
        let used: u64 = on_it
            .filter_map(|pod| match pod.kind {
                PodKind::App(app, _) => self.config.apps.get(app).map(|app| app.milli_cpu),
                PodKind::DaemonSet | PodKind::Static(_) => Some(0),
            })
            .sum();
        let all = self
            .nodes
            .get(node)
            .map_or(0, |node| node.allocatable.milli_cpu);
        all.saturating_sub(used)
    }
}
