//! A running cluster as its API reports it: versions, nodes, etcd, certificates.

#[cfg(test)]
mod tests;
mod text;

use serde::Serialize;

use super::certificates::{self, Assessment, Certificate};
use crate::kube::{ClusterState, Node, Pod, Readiness, WantedCluster};

pub use text::{nodes, summary};

/// The label of etcd's static pods.
const ETCD: (&str, &str) = ("component", "etcd");

/// What the API reports, or why it does not answer.
#[derive(Serialize, Default)]
#[serde(rename_all = "camelCase")]
pub struct KubernetesView {
    /// Why the API can't be asked, or not for everything.
    pub silent: Option<String>,
    pub ready: bool,
    /// Version of the API server that answered.
    pub version: Option<String>,
    /// Checks of `/readyz` that fail.
    pub failing: Vec<String>,
    pub etcd: EtcdView,
    pub nodes: Vec<NodeView>,
    /// What is missing until the cluster is ready; empty without a definition.
    pub missing: Vec<String>,
    /// Pods of the system that do not run, where no definition says which ones should.
    pub failed_pods: Vec<String>,
    /// Why it is not known what should run.
    pub not_compared: Option<String>,
    pub certificates: Vec<Certificate>,
}

/// What is visible of etcd from outside.
#[derive(Serialize, Default)]
#[serde(rename_all = "camelCase")]
pub struct EtcdView {
    /// Whether the API server reaches it, which takes a quorum; `None` where it is not known.
    answers: Option<bool>,
    /// Members whose pod runs, and all that have a pod. A running pod does not prove a healthy member.
    running: usize,
    pods: usize,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NodeView {
    name: String,
    /// `control-plane a`, `pool web`; empty where it is not known.
    role: String,
    version: String,
    ready: bool,
    cordoned: bool,
    trouble: Option<String>,
}

impl KubernetesView {
    /// Of an API that can't be asked.
    pub fn silent(why: &impl ToString) -> Self {
        Self {
            silent: Some(why.to_string()),
            ..Self::default()
        }
    }

    /// Whether there is a Node of this name, and nothing is wrong with it.
    pub fn has_ready_node(&self, name: &str) -> bool {
        self.nodes
            .iter()
            .any(|node| node.name == name && node.ready)
    }

    /// From one observation of the cluster.
    pub fn of(
        seen: &ClusterState,
        version: Option<String>,
        wanted: Option<(&WantedCluster, &Readiness)>,
    ) -> Self {
        let health = match &seen.health {
            Ok(health) => health,
            Err(error) => return Self::silent(&error.brief()),
        };
        let (contents, silent) = match &seen.contents {
            Some(Ok(contents)) => (Some(contents), None),
            Some(Err(error)) => (None, Some(error.to_string())),
            None => (None, None),
        };
        let nodes = contents.map_or(&[][..], |contents| &contents.nodes);
        let pods = contents.map_or(&[][..], |contents| &contents.pods);
        let members = || pods.iter().filter(|pod| pod.is(ETCD));
        let runs = |pod: &&Pod| pod.trouble.is_none();
        Self {
            silent,
            ready: health.ready,
            version,
            failing: health.failing().map(str::to_owned).collect(),
            etcd: EtcdView {
                answers: health.etcd(),
                running: members().filter(runs).count(),
                pods: members().count(),
            },
            nodes: nodes
                .iter()
                .map(|one| node(one, wanted.map(|(wanted, _)| wanted)))
                .collect(),
            failed_pods: match wanted {
                Some(_) => Vec::new(),
                None => pods.iter().filter_map(failed_pod).collect(),
            },
            not_compared: wanted
                .is_none()
                .then(|| "there is no definition here that says what should run".to_owned()),
            missing: wanted.map_or_else(Vec::new, |(_, account)| account.missing().collect()),
            certificates: Vec::new(),
        }
    }
}

fn failed_pod(pod: &Pod) -> Option<String> {
    Some(format!("{} does not run: {}", pod.name, pod.failure()?))
}

fn node(node: &Node, wanted: Option<&WantedCluster>) -> NodeView {
    let slot = wanted.and_then(|wanted| {
        let fits = |address| node.address == Some(std::net::IpAddr::V4(address));
        let slot = wanted.slots.iter().find(|slot| fits(slot.address))?;
        Some(format!("control-plane {}", slot.letter))
    });
    let labelled = || {
        Some(format!(
            "control-plane {}",
            node.labels.get(crate::kube::SLOT_LABEL)?
        ))
    };
    let pool = || Some(format!("pool {}", node.pool()?));
    NodeView {
        name: node.name.clone(),
        role: slot.or_else(labelled).or_else(pool).unwrap_or_default(),
        version: node.version.clone(),
        ready: node.trouble.is_none(),
        cordoned: node.cordoned,
        trouble: node.trouble.clone(),
    }
}

/// What is wrong with a cluster, as far as its API says.
pub fn trouble(view: &KubernetesView) -> Vec<String> {
    let mut all = Vec::new();
    match (&view.silent, view.failing.as_slice()) {
        (_, [_, ..]) => all.push(format!(
            "the API is not ready: {} fails",
            view.failing.join(", ")
        )),
        (None, []) if !view.ready => all.push("the API is not ready".to_owned()),
        (_, []) => all.extend(view.missing.iter().cloned()),
    }
    // Without a definition nothing is known to be missing; what is there is looked at all the same.
    if view.missing.is_empty() {
        all.extend(view.nodes.iter().filter_map(|node| {
            let why = node.trouble.as_ref()?;
            Some(format!("{} is NotReady: {why}", node.name))
        }));
    }
    all.extend(view.failed_pods.iter().cloned());
    if let Assessment::Expiring(names) = certificates::assess(&view.certificates, 0) {
        all.push(format!("certificates that are not valid: {names}"));
    }
    all
}

/// What of a cluster could not be looked at.
pub fn unseen(view: &KubernetesView) -> Vec<String> {
    let silent = view.silent.iter().map(|why| format!("Kubernetes: {why}"));
    let unread = view.certificates.iter().filter_map(|row| {
        let why = row.trouble.as_ref().filter(|_| row.days_left.is_none())?;
        Some(format!("certificate of {}: {why}", row.name))
    });
    silent
        .chain(view.not_compared.clone())
        .chain(unread)
        .collect()
}
