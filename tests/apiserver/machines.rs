//! What happens to pods with the nodes that they run on: the scheduler, the controller of volume attachments, and the one
//! that deletes the pods of nodes that are gone.
//!
//! pkg/scheduler (`TaintToleration`, `NodeUnschedulable`, `VolumeZone`), pkg/controller/podgc of kubernetes/kubernetes.

use serde_json::{Value, json};

use super::deletion::is_ending;
use super::store::{Key, Store};

const PODS: &str = "api/v1/pods";
const NODES: &str = "api/v1/nodes";
const ATTACHMENTS: &str = "apis/storage.k8s.io/v1/volumeattachments";
const CLAIMS: &str = "api/v1/persistentvolumeclaims";
const ZONE: &str = "topology.kubernetes.io/zone";

/// The node on which a new pod of a namespace starts: the one with the fewest pods, of those that take it; those that are to be
/// replaced last. `Ok(None)` where there are no nodes at all.
pub fn place(store: &Store, namespace: &str, spec: &Value) -> Result<Option<String>, String> {
    let nodes = store.of(NODES);
    if !has_claims(store, namespace, spec) {
        return Err("a claim of the pod is missing or being deleted".to_owned());
    }
    if nodes.is_empty() {
        return Ok(None);
    }
    let zones = zones(store, namespace, spec);
    let pods = store.of(PODS);
    let takes = |node: &&Value| {
        let zone = node["metadata"]["labels"][ZONE]
            .as_str()
            .unwrap_or_default();
        let is_there = zones.is_empty() || zones.iter().any(|one| one == zone);
        is_there && takes_pods(node)
    };
    let load = |node: &&Value| {
        let on_it = pods
            .iter()
            .filter(|pod| pod["spec"]["nodeName"] == node["metadata"]["name"]);
        (has_taint(node, "PreferNoSchedule"), on_it.count())
    };
    let best = nodes.iter().filter(takes).min_by_key(load);
    let name = best.and_then(|node| node["metadata"]["name"].as_str());
    match name {
        Some(name) => Ok(Some(name.to_owned())),
        None => Err(format!("0/{} nodes are available", nodes.len())),
    }
}

/// One whose claims are being deleted gets no machine, as the scheduler does it
/// (pkg/scheduler/framework/plugins/volumebinding, `podHasPVCs`).
fn has_claims(store: &Store, namespace: &str, spec: &Value) -> bool {
    let volumes = spec["volumes"].as_array();
    volumes.into_iter().flatten().all(|volume| {
        let Some(claim) = volume["persistentVolumeClaim"]["claimName"].as_str() else {
            return true;
        };
        let key = (CLAIMS.to_owned(), namespace.to_owned(), claim.to_owned());
        let claim = store.objects.get(&key);
        claim.is_some_and(|claim| !is_ending(&claim.object))
    })
}

fn takes_pods(node: &Value) -> bool {
    let conditions = node["status"]["conditions"].as_array();
    let mut conditions = conditions.into_iter().flatten();
    let ready = conditions.any(|one| one["type"] == "Ready" && one["status"] == "True");
    ready && node["spec"]["unschedulable"] != true && !has_taint(node, "NoSchedule")
}

fn has_taint(node: &Value, effect: &str) -> bool {
    let taints = node["spec"]["taints"].as_array();
    taints
        .into_iter()
        .flatten()
        .any(|taint| taint["effect"] == effect)
}

/// The zones that the volumes of a pod's claims name.
fn zones(store: &Store, namespace: &str, spec: &Value) -> Vec<String> {
    let mut zones = Vec::new();
    for volume in spec["volumes"].as_array().into_iter().flatten() {
        let Some(claim) = volume["persistentVolumeClaim"]["claimName"].as_str() else {
            continue;
        };
        let key = (CLAIMS.to_owned(), namespace.to_owned(), claim.to_owned());
        let claim = store
            .objects
            .get(&key)
            .map(|one| one.object["spec"]["volumeName"].clone());
        let Some(name) = claim.as_ref().and_then(Value::as_str) else {
            continue;
        };
        let volumes = store.of("api/v1/persistentvolumes");
        for volume in volumes.iter().filter(|one| one["metadata"]["name"] == name) {
            let terms = &volume["spec"]["nodeAffinity"]["required"]["nodeSelectorTerms"];
            for expression in terms[0]["matchExpressions"]
                .as_array()
                .into_iter()
                .flatten()
            {
                let values = expression["values"].as_array().cloned().unwrap_or_default();
                zones.extend(values.iter().filter_map(Value::as_str).map(str::to_owned));
            }
        }
    }
    zones
}

fn keys(store: &Store, collection: &str) -> Vec<Key> {
    let keys = store.objects.keys();
    keys.filter(|key| key.0 == collection).cloned().collect()
}

/// Gives pods that wait for a node one.
pub fn schedule(store: &mut Store) {
    for key in keys(store, PODS) {
        let stored = &store.objects[&key];
        let (mut pod, owned) = (stored.object.clone(), stored.owned.clone());
        if !pod["spec"]["nodeName"].is_null() || is_ending(&pod) {
            continue;
        }
        let phase = pod["status"]["phase"].as_str().unwrap_or("Pending");
        if phase != "Pending" {
            continue;
        }
        if let Ok(Some(node)) = place(store, &key.1, &pod["spec"]) {
            pod["spec"]["nodeName"] = json!(node);
            pod["status"] = running();
            store.keep(key, pod, owned);
        }
    }
}

/// The status of a pod that runs and is Ready.
pub fn running() -> Value {
    json!({"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]})
}

/// Deletes the pods of nodes that are gone.
pub fn collect_pods(store: &mut Store) {
    let nodes = store.of(NODES);
    if nodes.is_empty() {
        return;
    }
    for key in keys(store, PODS) {
        let node = &store.objects[&key].object["spec"]["nodeName"];
        if !node.is_null() && !nodes.iter().any(|one| one["metadata"]["name"] == *node) {
            store.drop_object(&key);
        }
    }
}

/// Detaches volumes whose pods are gone from their node.
pub fn detach(store: &mut Store) {
    let pods = store.of(PODS);
    for key in keys(store, ATTACHMENTS) {
        let attachment = &store.objects[&key].object;
        let (node, volume) = (
            &attachment["spec"]["nodeName"],
            &attachment["spec"]["source"]["persistentVolumeName"],
        );
        let claims = store.of(CLAIMS);
        let is_used = pods
            .iter()
            .filter(|pod| pod["spec"]["nodeName"] == *node)
            .any(|pod| {
                let volumes = pod["spec"]["volumes"].as_array();
                volumes.into_iter().flatten().any(|one| {
                    let name = &one["persistentVolumeClaim"]["claimName"];
                    claims.iter().any(|claim| {
                        claim["metadata"]["name"] == *name
                            && claim["metadata"]["namespace"] == pod["metadata"]["namespace"]
                            && claim["spec"]["volumeName"] == *volume
                    })
                })
            });
        if !is_used {
            store.drop_object(&key);
        }
    }
}
