//! Small controllers: those of workloads and the garbage collector, the kubelet, those of claims and volumes, and stand-ins for
//! the cloud controller manager and the EBS CSI driver that ask the test. Each does one step before every request, so that
//! a client has to wait for them as for real ones.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::deletion::{finalizers, is_ending};
use super::eviction::count_budgets;
use super::machines;
use super::store::{CLAIM_PROTECTION, Key, Store, VOLUME_PROTECTION};

const DEPLOYMENTS: &str = "apis/apps/v1/deployments";
const REPLICA_SETS: &str = "apis/apps/v1/replicasets";
const STATEFUL_SETS: &str = "apis/apps/v1/statefulsets";
const DAEMON_SETS: &str = "apis/apps/v1/daemonsets";
const JOBS: &str = "apis/batch/v1/jobs";
const PODS: &str = "api/v1/pods";
const SERVICES: &str = "api/v1/services";
const CLAIMS: &str = "api/v1/persistentvolumeclaims";
const VOLUMES: &str = "api/v1/persistentvolumes";
pub const BALANCER_FINALIZER: &str = "service.kubernetes.io/load-balancer-cleanup";

/// Is asked whether something is gone in AWS: a load balancer of a Service, the EBS volume of a PersistentVolume.
pub type Remover = Box<dyn FnMut(&Value) -> bool + Send>;
/// Does something to the objects by itself, as an operator does.
pub type Custom = Box<dyn FnMut(&mut Store) + Send>;

/// Those that run. Without one, what it would do does not happen.
#[derive(Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a controller of its own"
)]
pub struct Controllers {
    /// Of Deployments, `ReplicaSets`, `StatefulSets` and Jobs, with the garbage collector.
    pub workloads: bool,
    pub kubelet: bool,
    /// Names of pods that do not end: their machine is gone.
    pub stuck: BTreeSet<String>,
    /// Of `PodDisruptionBudgets`.
    pub budgets: bool,
    /// The scheduler, the detacher of volumes, and the one that deletes the pods of nodes that are gone.
    pub nodes: bool,
    /// Of claims and volumes: their protection, and the release of volumes.
    pub storage: bool,
    pub cloud: Option<Remover>,
    pub csi: Option<Remover>,
    pub operator: Option<Custom>,
}

impl Controllers {
    /// All of them; what is in AWS is gone at once.
    pub fn all() -> Self {
        Self {
            workloads: true,
            kubelet: true,
            stuck: BTreeSet::new(),
            budgets: true,
            nodes: true,
            storage: true,
            cloud: Some(Box::new(|_| true)),
            csi: Some(Box::new(|_| true)),
            operator: None,
        }
    }

    /// One step of each.
    pub fn step(&mut self, store: &mut Store) {
        // It sees pods on their way out before they are gone.
        if self.budgets {
            count_budgets(store);
        }
        if self.kubelet {
            end_pods(store, &self.stuck);
        }
        self.operate(store);
        if self.workloads {
            collect(store);
            scale(store);
        }
        if self.nodes {
            machines::collect_pods(store);
            machines::schedule(store);
            machines::detach(store);
        }
        if self.budgets {
            count_budgets(store);
        }
        if self.storage {
            release_claims(store);
        }
        if let Some(csi) = &mut self.csi {
            delete_volumes(store, csi);
        }
        if let Some(cloud) = &mut self.cloud {
            clean_services(store, cloud);
        }
        self.operate(store);
    }

    /// The operator is the fastest: it sees what each of the others did.
    fn operate(&mut self, store: &mut Store) {
        if let Some(operator) = &mut self.operator {
            operator(store);
        }
    }
}

fn keys(store: &Store, collection: &str) -> Vec<Key> {
    let keys = store.objects.keys();
    keys.filter(|key| key.0 == collection).cloned().collect()
}

fn object(store: &Store, key: &Key) -> Value {
    let stored = store.objects.get(key);
    stored.map_or(Value::Null, |stored| stored.object.clone())
}

fn write(store: &mut Store, key: &Key, object: Value) {
    let owned = store.objects[key].owned.clone();
    store.keep(key.clone(), object, owned);
}

/// Removes a finalizer, and the object with its last one if it is deleted.
fn remove_finalizer(store: &mut Store, key: &Key, name: &str) {
    let mut found = object(store, key);
    let mut left = finalizers(&found);
    left.retain(|held| held != name);
    if left.is_empty() && is_ending(&found) {
        store.drop_object(key);
        return;
    }
    found["metadata"]["finalizers"] = json!(left);
    write(store, key, found);
}

/// The controller's deletion of a pod: it gets time where it runs.
fn delete_pod(store: &mut Store, key: &Key) {
    let mut pod = object(store, key);
    if is_ending(&pod) {
        return;
    }
    let phase = pod["status"]["phase"].as_str().unwrap_or_default();
    if pod["spec"]["nodeName"].is_null() || ["Succeeded", "Failed"].contains(&phase) {
        store.drop_object(key);
        return;
    }
    pod["metadata"]["deletionTimestamp"] = json!("2026-11-30T12:00:30Z");
    pod["metadata"]["deletionGracePeriodSeconds"] = json!(30);
    write(store, key, pod);
}

/// The kubelet: a pod that was given time ends.
fn end_pods(store: &mut Store, stuck: &BTreeSet<String>) {
    for key in keys(store, PODS) {
        let pod = object(store, &key);
        if is_ending(&pod) && finalizers(&pod).is_empty() && !stuck.contains(&key.2) {
            store.drop_object(&key);
        }
    }
}

fn controller(object: &Value) -> Option<&Value> {
    let owners = object["metadata"]["ownerReferences"].as_array()?;
    owners.iter().find(|owner| owner["controller"] == true)
}

/// The garbage collector: what is owned by something that is gone goes too. An owner of a kind that is not stored here
/// counts as there.
fn collect(store: &mut Store) {
    for collection in [REPLICA_SETS, JOBS, PODS, CLAIMS] {
        for key in keys(store, collection) {
            let owned = object(store, &key);
            let owners = owned["metadata"]["ownerReferences"].as_array();
            let is_gone = |owner: &Value| {
                let kinds = match owner["kind"].as_str().unwrap_or_default() {
                    "Deployment" => DEPLOYMENTS,
                    "ReplicaSet" => REPLICA_SETS,
                    "StatefulSet" => STATEFUL_SETS,
                    "DaemonSet" => DAEMON_SETS,
                    "Job" => JOBS,
                    "Pod" => PODS,
                    _ => return false,
                };
                let name = owner["name"].as_str().unwrap_or_default().to_owned();
                !store
                    .objects
                    .contains_key(&(kinds.to_owned(), key.1.clone(), name))
            };
            if !owners.is_some_and(|owners| !owners.is_empty() && owners.iter().all(is_gone)) {
                continue;
            }
            if collection == PODS {
                delete_pod(store, &key);
            } else if finalizers(&owned).is_empty() {
                store.drop_object(&key);
            } else if !is_ending(&owned) {
                let mut marked = owned;
                marked["metadata"]["deletionTimestamp"] = json!("2026-11-30T12:00:00Z");
                marked["metadata"]["deletionGracePeriodSeconds"] = json!(0);
                write(store, &key, marked);
            }
        }
    }
}

/// Keys of what is controlled by one object.
fn controlled(store: &Store, collection: &str, kind: &str, owner: &Key) -> Vec<Key> {
    let mut keys = keys(store, collection);
    keys.retain(|key| {
        let found = object(store, key);
        let by = controller(&found);
        key.1 == owner.1
            && by.is_some_and(|by| by["kind"] == kind && by["name"] == owner.2.as_str())
    });
    keys
}

/// Deployments hand their number on; the others end pods that are too many and start those that are missing.
fn scale(store: &mut Store) {
    for key in keys(store, DEPLOYMENTS) {
        let wanted = object(store, &key)["spec"]["replicas"].clone();
        for set in controlled(store, REPLICA_SETS, "Deployment", &key) {
            let mut found = object(store, &set);
            if found["spec"]["replicas"] != wanted {
                found["spec"]["replicas"] = wanted.clone();
                write(store, &set, found);
            }
        }
    }
    for (collection, kind) in [(REPLICA_SETS, "ReplicaSet"), (STATEFUL_SETS, "StatefulSet")] {
        for key in keys(store, collection) {
            let owner = object(store, &key);
            let wanted = owner["spec"]["replicas"].as_u64().unwrap_or(1);
            let mut pods = controlled(store, PODS, kind, &key);
            pods.retain(|pod| !is_ending(&object(store, pod)));
            let wanted = usize::try_from(wanted).unwrap();
            for pod in pods.iter().skip(wanted) {
                delete_pod(store, pod);
            }
            if !owner["spec"]["template"].is_null() {
                let missing = wanted.saturating_sub(pods.len());
                start_pods(store, &key, kind, missing, &owner["spec"]["template"]);
            }
        }
    }
    for key in keys(store, JOBS) {
        if object(store, &key)["spec"]["suspend"] == true {
            for pod in controlled(store, PODS, "Job", &key) {
                let phase = object(store, &pod)["status"]["phase"].clone();
                if phase != "Succeeded" && phase != "Failed" {
                    delete_pod(store, &pod);
                }
            }
        }
    }
}

/// Starts as many pods, under the lowest numbers that are free.
fn start_pods(store: &mut Store, owner: &Key, kind: &str, missing: usize, template: &Value) {
    let name = |number: usize| {
        (
            PODS.to_owned(),
            owner.1.clone(),
            format!("{}-{number}", owner.2),
        )
    };
    // A pod of a StatefulSet waits until the one of its number has ended.
    let existing = controlled(store, PODS, kind, owner).len();
    let most = if kind == "StatefulSet" {
        missing + existing - ending(store, owner, kind)
    } else {
        usize::MAX
    };
    let free = (0..most)
        .map(name)
        .filter(|key| !store.objects.contains_key(key));
    let free: Vec<_> = free.take(missing).collect();
    for key in free {
        start_pod(store, &key, owner, kind, template);
    }
}

/// How many pods of a controller are on their way out.
fn ending(store: &Store, owner: &Key, kind: &str) -> usize {
    let pods = controlled(store, PODS, kind, owner);
    pods.iter()
        .filter(|pod| is_ending(&object(store, pod)))
        .count()
}

/// Starts a pod, where the scheduler finds it a node.
fn start_pod(store: &mut Store, key: &Key, owner: &Key, kind: &str, template: &Value) {
    let mut spec = template["spec"].clone();
    let place = machines::place(store, &owner.1, &spec);
    let can_run = place.is_ok();
    if let Ok(node) = place {
        spec["nodeName"] = json!(node.as_deref().unwrap_or("i-0d0"));
    }
    let version = if kind == "Job" { "batch/v1" } else { "apps/v1" };
    let by = json!([{"apiVersion": version, "kind": kind, "name": owner.2, "uid": "", "controller": true}]);
    store.put(
        PODS,
        json!({
            "metadata": {"name": key.2, "namespace": owner.1, "ownerReferences": by,
                "labels": template["metadata"]["labels"]},
            "spec": spec,
            "status": if can_run { machines::running() } else { json!({"phase": "Pending"}) },
        }),
    );
}

/// Protection of claims, then of volumes, as pkg/controller/volume/pvcprotection and pvprotection have it: a claim is used by
/// a pod that was given a machine, whatever became of it. A volume whose claim is gone is released.
fn release_claims(store: &mut Store) {
    let pods = store.of(PODS);
    for key in keys(store, CLAIMS) {
        let claim = object(store, &key);
        let uses = |pod: &&Value| {
            let volumes = pod["spec"]["volumes"].as_array();
            let name = pod["metadata"]["name"].as_str().unwrap_or_default();
            pod["metadata"]["namespace"] == key.1.as_str()
                && !pod["spec"]["nodeName"].is_null()
                && volumes.into_iter().flatten().any(|volume| {
                    let own = format!("{name}-{}", volume["name"].as_str().unwrap_or_default());
                    volume["persistentVolumeClaim"]["claimName"] == key.2.as_str()
                        || !volume["ephemeral"].is_null() && own == key.2
                })
        };
        let is_held = finalizers(&claim)
            .iter()
            .any(|name| name == CLAIM_PROTECTION);
        if is_ending(&claim) && is_held && !pods.iter().any(|pod| uses(&pod)) {
            remove_finalizer(store, &key, CLAIM_PROTECTION);
        }
    }
    for key in keys(store, VOLUMES) {
        let mut volume = object(store, &key);
        let text = |field: &str| {
            let value = volume["spec"]["claimRef"][field].as_str();
            value.unwrap_or_default().to_owned()
        };
        let claim = (CLAIMS.to_owned(), text("namespace"), text("name"));
        let has_claim = !volume["spec"]["claimRef"].is_null();
        if has_claim
            && !store.objects.contains_key(&claim)
            && volume["status"]["phase"] != "Released"
        {
            volume["status"]["phase"] = json!("Released");
            write(store, &key, volume);
        } else if is_ending(&volume) && volume["status"]["phase"] != "Bound" {
            remove_finalizer(store, &key, VOLUME_PROTECTION);
        }
    }
}

/// The CSI driver's provisioner: a released volume with policy `Delete` goes, with the EBS volume first.
fn delete_volumes(store: &mut Store, csi: &mut Remover) {
    for key in keys(store, VOLUMES) {
        let volume = object(store, &key);
        let is_released = volume["status"]["phase"] == "Released"
            && volume["spec"]["persistentVolumeReclaimPolicy"] == "Delete"
            && volume["spec"]["csi"]["driver"] == "ebs.csi.aws.com";
        if is_released && csi(&volume) {
            store.drop_object(&key);
        }
    }
}

/// The cloud controller manager: a deleted Service is let go when its load balancer is gone.
fn clean_services(store: &mut Store, cloud: &mut Remover) {
    for key in keys(store, SERVICES) {
        let service = object(store, &key);
        let is_held = finalizers(&service)
            .iter()
            .any(|name| name == BALANCER_FINALIZER);
        if is_ending(&service) && is_held && cloud(&service) {
            remove_finalizer(store, &key, BALANCER_FINALIZER);
        }
    }
}
