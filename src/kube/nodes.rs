//! The trait [`Nodes`]: nodes as they are read and marked, volume attachments, one probe of readiness. Pods are in
//! `node_pods.rs`, evictions in `evict.rs`, budgets in `budget.rs`.
//!
//! The verbs that all need: `list` of nodes, pods, poddisruptionbudgets and volumeattachments; `get` of persistentvolumes and
//! persistentvolumeclaims, and `list` of both; `get`, `patch` and `delete` of nodes; `create` of `pods/eviction`; `delete` of
//! pods. The group `kubeadm:cluster-admins` is bound to `cluster-admin` and has them all.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::time::Duration;

use ::kube::api::{DeleteParams, ListParams, Patch, PatchParams, Preconditions};
use k8s_openapi::api::core::v1 as core;
use k8s_openapi::api::storage::v1 as storage;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use serde_json::{Map, Value, json};

use super::access::MANAGER;
use super::model::Node;
use super::quantity::rounded_up;
use super::{Api, KubeError};
use crate::cloud::{
    Attachment, Budget, Eviction, NodeMark, NodeResources, NodeState, Nodes, NodesError, OUTDATED,
    PodRef, PodState, ROLL,
};

/// The label that takes a node out of load balancers of Services: the cloud controller manager and the AWS Load Balancer
/// Controller keep to it.
const OUT_OF_BALANCERS: &str = "node.kubernetes.io/exclude-from-external-load-balancers";
/// The annotation with which the cluster autoscaler leaves a node alone.
const KEPT: &str = "cluster-autoscaler.kubernetes.io/scale-down-disabled";
/// Beside it: `true` where a roll gave it and takes it away again, [`HAD`] where it was there.
const KEPT_BY_ROLL: &str = "kube-cfn/roll-keeps";
const HAD: &str = "had";
/// Behind the time of the annotation [`ROLL`]: what a node had before, which it keeps.
const HAD_CORDON: &str = "cordon";
const HAD_LABEL: &str = "label";
/// The longest that a probe may take.
const PROBE: Duration = Duration::from_secs(2);
/// How often a node is read and patched again when somebody else wrote it in between. The kubelet writes every 10 s.
const WRITES: usize = 5;

impl From<KubeError> for NodesError {
    fn from(error: KubeError) -> Self {
        // A page of a proxy or a cut answer says nothing of the API server.
        let is_away = error.is_transient() || matches!(error, KubeError::Answer(_));
        let why = error.brief();
        if is_away {
            Self::Away(why)
        } else {
            Self::Refused(why)
        }
    }
}

impl Nodes for Api {
    async fn node_states(&self) -> Result<Vec<NodeState>, NodesError> {
        let typed = self.cluster::<core::Node>();
        let mut found = self.reduced(&typed, ListParams::default(), state).await?;
        found.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(found)
    }

    async fn pod_states(&self) -> Result<Vec<PodState>, NodesError> {
        Ok(self.all_pods().await?)
    }

    async fn pods_on(&self, node: &str) -> Result<Vec<PodState>, NodesError> {
        Ok(self.pods_of(node).await?)
    }

    async fn budgets(&self) -> Result<Vec<Budget>, NodesError> {
        Ok(self.disruption_budgets().await?)
    }

    async fn attachments(&self) -> Result<Vec<Attachment>, NodesError> {
        let typed = self.cluster::<storage::VolumeAttachment>();
        let all = ListParams::default();
        let found = self.reduced(&typed, all, |found| {
            // Inline volumes have no PersistentVolume.
            let volume = found.spec.source.persistent_volume_name;
            Attachment {
                node: found.spec.node_name,
                volume: volume.or(found.metadata.name).unwrap_or_default(),
            }
        });
        Ok(found.await?)
    }

    async fn mark_node(&self, node: &str, mark: &NodeMark) -> Result<(), NodesError> {
        let mut last = None;
        for _ in 0..WRITES {
            match self.marked_once(node, mark).await {
                Err(error @ KubeError::Conflict(_)) => last = Some(error),
                answer => return Ok(answer?),
            }
        }
        last.map_or(Ok(()), |error| Err(error.into()))
    }

    async fn evict(&self, pod: &PodRef) -> Result<Eviction, NodesError> {
        Ok(self.evicted(pod).await?)
    }

    async fn remove_pod(&self, pod: &PodRef) -> Result<(), NodesError> {
        let typed = self.in_namespace::<core::Pod>(&pod.namespace);
        let deleted = typed.delete(&pod.name, &of_uid(&pod.uid)).await;
        Ok(self.gone(deleted)?)
    }

    async fn delete_node(&self, node: &str, uid: &str) -> Result<(), NodesError> {
        let typed = self.cluster::<core::Node>();
        let deleted = typed.delete(node, &of_uid(uid)).await;
        Ok(self.gone(deleted)?)
    }

    async fn is_ready(&self) -> bool {
        let probe = tokio::time::timeout(PROBE, self.health()).await;
        matches!(probe, Ok(Ok(health)) if health.ready)
    }
}

/// Of the object with this uid alone.
fn of_uid(uid: &str) -> DeleteParams {
    DeleteParams::background().preconditions(Preconditions {
        uid: Some(uid.to_owned()),
        resource_version: None,
    })
}

impl Api {
    /// A deletion of what is gone, or of what another object has taken the name of, is done.
    fn gone<T>(&self, answer: Result<T, ::kube::Error>) -> Result<(), KubeError> {
        match answer.map_err(|error| self.failed(error)) {
            Ok(_) | Err(KubeError::NotFound(_)) => Ok(()),
            Err(KubeError::Conflict(why)) if why.contains("UID in the precondition") => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Reads a node and patches what differs, unless somebody wrote it in between: then it is a conflict.
    async fn marked_once(&self, name: &str, mark: &NodeMark) -> Result<(), KubeError> {
        let typed = self.cluster::<core::Node>();
        let found = typed.get_opt(name).await;
        let Some(node) = found.map_err(|error| self.failed(error))? else {
            return Ok(());
        };
        let Some(patch) = patch(&node, mark) else {
            return Ok(());
        };
        let params = PatchParams {
            field_manager: Some(MANAGER.to_owned()),
            ..PatchParams::default()
        };
        let patched = typed.patch(name, &params, &Patch::Merge(&patch)).await;
        match patched.map_err(|error| self.failed(error)) {
            Ok(_) | Err(KubeError::NotFound(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

/// The merge patch that gives a node its marks; `None` where it has them. Lists have to be written whole, so the patch is for
/// the version of the node that was read.
fn patch(node: &core::Node, mark: &NodeMark) -> Option<Value> {
    let meta = &node.metadata;
    let noted = |key: &str| meta.annotations.as_ref().and_then(|all| all.get(key));
    let (mut annotations, mut labels, mut spec) = (Map::new(), Map::new(), Map::new());
    let is_cordoned = node.spec.as_ref().and_then(|spec| spec.unschedulable) == Some(true);
    let had = |what: &str| noted(ROLL).is_some_and(|value| had(value, what));
    let has_label = meta
        .labels
        .as_ref()
        .is_some_and(|all| all.contains_key(OUT_OF_BALANCERS));
    match &mark.cordon {
        Some(Some(time)) => {
            if !is_cordoned {
                spec.insert("unschedulable".to_owned(), json!(true));
            }
            if !has_label {
                labels.insert(OUT_OF_BALANCERS.to_owned(), json!(""));
            }
            let value = match noted(ROLL) {
                // What was there before the first cordon counts.
                Some(_) => value(time, had(HAD_CORDON), had(HAD_LABEL)),
                None => value(time, is_cordoned, has_label),
            };
            if noted(ROLL) != Some(&value) {
                annotations.insert(ROLL.to_owned(), json!(value));
            }
        }
        // Only what a roll cordoned is uncordoned by one.
        Some(None) if noted(ROLL).is_some() => {
            annotations.insert(ROLL.to_owned(), Value::Null);
            if is_cordoned && !had(HAD_CORDON) {
                spec.insert("unschedulable".to_owned(), Value::Null);
            }
            if has_label && !had(HAD_LABEL) {
                labels.insert(OUT_OF_BALANCERS.to_owned(), Value::Null);
            }
        }
        Some(None) | None => {}
    }
    match mark.keep {
        Some(true) if noted(KEPT_BY_ROLL).is_none() => {
            let is_there = noted(KEPT).is_some();
            if !is_there {
                annotations.insert(KEPT.to_owned(), json!("true"));
            }
            let ours = if is_there { HAD } else { "true" };
            annotations.insert(KEPT_BY_ROLL.to_owned(), json!(ours));
        }
        Some(false) if noted(KEPT_BY_ROLL).is_some() => {
            if noted(KEPT_BY_ROLL).is_none_or(|ours| ours != HAD) {
                annotations.insert(KEPT.to_owned(), Value::Null);
            }
            annotations.insert(KEPT_BY_ROLL.to_owned(), Value::Null);
        }
        _ => {}
    }
    if let Some(taints) = mark.outdated.and_then(|wanted| tainted(node, wanted)) {
        spec.insert("taints".to_owned(), json!(taints));
    }
    if annotations.is_empty() && labels.is_empty() && spec.is_empty() {
        return None;
    }
    let version = &meta.resource_version;
    let metadata =
        json!({"annotations": annotations, "labels": labels, "resourceVersion": version});
    Some(json!({"metadata": metadata, "spec": spec}))
}

/// `2026-11-23T10:00:00Z cordon label`: when a roll cordoned a node, and what it had before.
fn value(time: &str, cordon: bool, label: bool) -> String {
    let had = [(cordon, HAD_CORDON), (label, HAD_LABEL)];
    let had = had.into_iter().filter(|(had, _)| *had);
    let words = had.map(|(_, word)| word);
    std::iter::once(time)
        .chain(words)
        .collect::<Vec<_>>()
        .join(" ")
}

fn had(value: &str, what: &str) -> bool {
    value.split(' ').skip(1).any(|word| word == what)
}

/// The taints of a node with ours or without it; `None` where they are so.
fn tainted(node: &core::Node, wanted: bool) -> Option<Vec<core::Taint>> {
    let taints = node.spec.as_ref().and_then(|spec| spec.taints.clone());
    let mut taints = taints.unwrap_or_default();
    if taints.iter().any(is_ours) == wanted {
        return None;
    }
    taints.retain(|taint| !is_ours(taint));
    if wanted {
        taints.push(core::Taint {
            effect: "PreferNoSchedule".to_owned(),
            key: OUTDATED.to_owned(),
            ..core::Taint::default()
        });
    }
    Some(taints)
}

fn is_ours(taint: &core::Taint) -> bool {
    taint.key == OUTDATED
}

/// A node, without what nobody needs.
fn state(node: core::Node) -> NodeState {
    let meta = &node.metadata;
    let taints = node.spec.as_ref().and_then(|spec| spec.taints.as_ref());
    let is_outdated = taints.is_some_and(|taints| taints.iter().any(is_ours));
    let noted = |key: &str| meta.annotations.as_ref().and_then(|all| all.get(key));
    let was_cordoned = noted(ROLL).is_some_and(|value| had(value, HAD_CORDON));
    let time = noted(ROLL).map(|value| value.split(' ').next().unwrap_or_default());
    let (roll, uid) = (
        time.map(str::to_owned),
        meta.uid.clone().unwrap_or_default(),
    );
    let is_kept = noted(KEPT_BY_ROLL).is_some();
    let status = node.status.as_ref();
    let conditions = status.and_then(|status| status.conditions.as_deref());
    let mut conditions = conditions.into_iter().flatten();
    let ready = conditions.find(|one| one.type_ == "Ready");
    let is_silent = ready.is_some_and(|ready| ready.status == "Unknown");
    let since = ready.and_then(|ready| ready.last_transition_time.as_ref());
    let since = since.map(|time| time.0);
    let allocatable = status.and_then(|status| status.allocatable.as_ref());
    let allocatable = resources(allocatable);
    let known = Node::from(node);
    NodeState {
        name: known.name,
        uid,
        labels: known.labels,
        version: known.version,
        trouble: known.trouble,
        since,
        is_silent,
        is_cordoned: known.cordoned,
        was_cordoned,
        roll,
        is_outdated,
        is_kept,
        created: known.created,
        allocatable,
    }
}

/// Processor time and memory of a list of quantities.
pub(super) fn resources(listed: Option<&BTreeMap<String, Quantity>>) -> NodeResources {
    let of = |name: &str, factor: f64| {
        let quantity = listed.and_then(|all| all.get(name));
        quantity.and_then(|one| rounded_up(&one.0, factor))
    };
    NodeResources {
        milli_cpu: of("cpu", 1000.0).unwrap_or(0),
        memory_bytes: of("memory", 1.0).unwrap_or(0),
    }
}
