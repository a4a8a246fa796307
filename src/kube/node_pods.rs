//! Pods as a drain sees them: what controls them, what they lose, where their volumes can be. Each page is reduced to that.

use std::collections::{BTreeMap, BTreeSet};

use ::kube::api::ListParams;
use k8s_openapi::api::core::v1 as core;

use super::model::pod_trouble;
use super::nodes::resources;
use super::workload::{WorkloadKind, WorkloadRef};
use super::{Api, KubeError};
use crate::cloud::{NodeResources, PodOwner, PodPhase, PodRef, PodState};

/// The annotation of what the API shows of a kubelet's static pod.
const MIRROR: &str = "kubernetes.io/config.mirror";
/// Label of a ReplicaSet's pods: the end of its name, after that of its Deployment.
const TEMPLATE_HASH: &str = "pod-template-hash";
/// What a pod has for its end where it says nothing.
const GRACE_SECONDS: u64 = 30;
/// Labels of nodes by which volumes name a zone: Kubernetes's, that of the EBS CSI driver, and an old one.
const ZONES: [&str; 3] = [
    "topology.kubernetes.io/zone",
    "topology.ebs.csi.aws.com/zone",
    "failure-domain.beta.kubernetes.io/zone",
];

/// Namespace and name of a claim.
type Claim = (String, String);

/// Where the volume of a claim can be.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Place {
    /// Its zones; empty where it names none.
    zones: BTreeSet<String>,
    /// Whether it is on the disk of one machine.
    is_on_machine: bool,
}

impl Api {
    /// Every pod, with the places of its volumes.
    pub(super) async fn all_pods(&self) -> Result<Vec<PodState>, KubeError> {
        let typed = self.everywhere::<core::Pod>();
        let mut pods = self.reduced(&typed, ListParams::default(), state).await?;
        if pods.iter().any(|pod| !pod.claims.is_empty()) {
            let places = self.places().await?;
            place(&mut pods, &places);
        }
        Ok(pods)
    }

    /// The pods of a node; their claims are read one by one.
    pub(super) async fn pods_of(&self, node: &str) -> Result<Vec<PodState>, KubeError> {
        let typed = self.everywhere::<core::Pod>();
        let wanted = ListParams::default().fields(&format!("spec.nodeName={node}"));
        let mut pods = self.reduced(&typed, wanted, state).await?;
        let mut places = BTreeMap::new();
        for (namespace, name) in claims(&pods) {
            let found = self.place_of(&namespace, &name).await?;
            places.extend(found.map(|place| ((namespace, name), place)));
        }
        place(&mut pods, &places);
        Ok(pods)
    }

    async fn place_of(&self, namespace: &str, claim: &str) -> Result<Option<Place>, KubeError> {
        let claims = self.in_namespace::<core::PersistentVolumeClaim>(namespace);
        let found = claims.get_opt(claim).await;
        let found = found.map_err(|error| self.failed(error))?;
        let volume = found.and_then(|claim| claim.spec?.volume_name);
        let Some(volume) = volume.filter(|name| !name.is_empty()) else {
            return Ok(None);
        };
        let found = self
            .cluster::<core::PersistentVolume>()
            .get_opt(&volume)
            .await;
        let found = found.map_err(|error| self.failed(error))?;
        Ok(found
            .and_then(|volume| volume.spec)
            .map(|spec| of_volume(&spec)))
    }

    /// Where the volumes of all claims can be.
    async fn places(&self) -> Result<BTreeMap<Claim, Place>, KubeError> {
        let volumes = self.cluster::<core::PersistentVolume>();
        let volumes = self.reduced(&volumes, ListParams::default(), |found| {
            let place = found.spec.as_ref().map(of_volume).unwrap_or_default();
            (found.metadata.name.unwrap_or_default(), place)
        });
        let volumes: BTreeMap<_, _> = volumes.await?.into_iter().collect();
        let claims = self.everywhere::<core::PersistentVolumeClaim>();
        let claims = self.reduced(&claims, ListParams::default(), |found| {
            let meta = found.metadata;
            let claim = (
                meta.namespace.unwrap_or_default(),
                meta.name.unwrap_or_default(),
            );
            (claim, found.spec.and_then(|spec| spec.volume_name))
        });
        let claims = claims.await?.into_iter();
        let placed =
            claims.filter_map(|(claim, volume)| Some((claim, volumes.get(&volume?)?.clone())));
        Ok(placed.collect())
    }
}

fn claims(pods: &[PodState]) -> BTreeSet<Claim> {
    let claims = pods.iter().flat_map(|pod| {
        let names = pod.claims.iter();
        names.map(|name| (pod.pod.namespace.clone(), name.clone()))
    });
    claims.collect()
}

/// Gives pods the zones in which all their volumes can be.
fn place(pods: &mut [PodState], places: &BTreeMap<Claim, Place>) {
    for pod in pods {
        let namespace = &pod.pod.namespace;
        let found = pod.claims.iter();
        let found = found.filter_map(|name| places.get(&(namespace.clone(), name.clone())));
        let found: Vec<&Place> = found.collect();
        pod.loses_local_data |= found.iter().any(|place| place.is_on_machine);
        let mut zoned = found.iter().filter(|place| !place.zones.is_empty());
        if let Some(first) = zoned.next() {
            let common = zoned.fold(first.zones.clone(), |all, place| &all & &place.zones);
            pod.volume_zones = common.into_iter().collect();
        }
    }
}

/// The zones that a volume's terms name: any of the terms will do.
fn of_volume(spec: &core::PersistentVolumeSpec) -> Place {
    let affinity = spec.node_affinity.as_ref();
    let required = affinity.and_then(|affinity| affinity.required.as_ref());
    let terms = required.map(|required| required.node_selector_terms.as_slice());
    let expressions = terms.into_iter().flatten();
    let expressions = expressions.flat_map(|term| term.match_expressions.iter().flatten());
    let zones = expressions.filter(|one| ZONES.contains(&one.key.as_str()) && one.operator == "In");
    Place {
        zones: zones
            .flat_map(|one| one.values.iter().flatten().cloned())
            .collect(),
        is_on_machine: spec.local.is_some() || spec.host_path.is_some(),
    }
}

/// A pod, without what nobody needs.
fn state(pod: core::Pod) -> PodState {
    let trouble = pod_trouble(&pod);
    let owner = owner(&pod);
    let meta = pod.metadata;
    let spec = pod.spec.unwrap_or_default();
    let name = meta.name.unwrap_or_default();
    let phase = match pod.status.and_then(|status| status.phase).as_deref() {
        Some("Succeeded" | "Failed") => PodPhase::Finished,
        Some("Running") => PodPhase::Running,
        _ => PodPhase::Pending,
    };
    let requests = requests(&spec);
    let volumes = spec.volumes.unwrap_or_default();
    let grace = spec.termination_grace_period_seconds;
    let containers = spec.containers.into_iter();
    PodState {
        node: spec.node_name.filter(|node| !node.is_empty()),
        labels: meta.labels.unwrap_or_default(),
        owner,
        trouble: trouble.filter(|_| phase != PodPhase::Finished),
        phase,
        ending: meta.deletion_timestamp.map(|time| time.0),
        finalizers: meta.finalizers.unwrap_or_default(),
        grace_seconds: grace.map_or(GRACE_SECONDS, |seconds| seconds.try_into().unwrap_or(0)),
        requests,
        images: containers.filter_map(|container| container.image).collect(),
        loses_local_data: volumes.iter().any(|volume| volume.empty_dir.is_some()),
        has_git_repo: volumes.iter().any(|volume| volume.git_repo.is_some()),
        claims: volumes
            .into_iter()
            .filter_map(|volume| claim(&name, volume))
            .collect(),
        volume_zones: Vec::new(),
        pod: PodRef {
            namespace: meta.namespace.unwrap_or_default(),
            name,
            uid: meta.uid.unwrap_or_default(),
        },
    }
}

/// The claim of a volume. That of a generic ephemeral one is named after its pod.
fn claim(pod: &str, volume: core::Volume) -> Option<String> {
    match volume.persistent_volume_claim {
        Some(source) => Some(source.claim_name),
        None => volume.ephemeral.map(|_| format!("{pod}-{}", volume.name)),
    }
}

fn owner(pod: &core::Pod) -> PodOwner {
    let meta = &pod.metadata;
    let notes = meta.annotations.as_ref();
    if notes.is_some_and(|notes| notes.contains_key(MIRROR)) {
        return PodOwner::Static;
    }
    let Some(owner) = WorkloadRef::controller_of(meta) else {
        return PodOwner::Nobody;
    };
    let hash = meta
        .labels
        .as_ref()
        .and_then(|labels| labels.get(TEMPLATE_HASH));
    let of_deployment = hash.and_then(|hash| owner.name.strip_suffix(&format!("-{hash}")));
    match (&owner.kind, of_deployment) {
        (WorkloadKind::DaemonSet, _) => PodOwner::DaemonSet,
        // Static pods are controlled by their node.
        (WorkloadKind::Other(kind), _) if kind == "Node" => PodOwner::Static,
        (WorkloadKind::ReplicaSet, Some(name)) => {
            PodOwner::Controller(format!("Deployment {}/{name}", owner.namespace))
        }
        _ => PodOwner::Controller(owner.to_string()),
    }
}

/// What the scheduler counts: the sum of what runs together, or the largest of what runs before it.
fn requests(spec: &core::PodSpec) -> NodeResources {
    let of = |container: &core::Container| {
        let wanted = container.resources.as_ref();
        resources(wanted.and_then(|wanted| wanted.requests.as_ref()))
    };
    let plus = |one: NodeResources, other: NodeResources| NodeResources {
        milli_cpu: one.milli_cpu.saturating_add(other.milli_cpu),
        memory_bytes: one.memory_bytes.saturating_add(other.memory_bytes),
    };
    let most = |one: NodeResources, other: NodeResources| NodeResources {
        milli_cpu: one.milli_cpu.max(other.milli_cpu),
        memory_bytes: one.memory_bytes.max(other.memory_bytes),
    };
    let (mut sidecars, mut before) = (NodeResources::default(), NodeResources::default());
    for container in spec.init_containers.iter().flatten() {
        if container.restart_policy.as_deref() == Some("Always") {
            sidecars = plus(sidecars, of(container));
            before = most(before, sidecars);
        } else {
            before = most(before, plus(sidecars, of(container)));
        }
    }
    let together = spec.containers.iter().map(of).fold(sidecars, plus);
    plus(most(together, before), resources(spec.overhead.as_ref()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn pod(object: Value) -> PodState {
        state(serde_json::from_value(object).unwrap())
    }

    fn owned(kind: &str, name: &str, more: &Value) -> PodOwner {
        let version = if kind == "Node" { "v1" } else { "apps/v1" };
        let mut metadata = json!({"name": "a", "namespace": "shop", "ownerReferences": [
            {"apiVersion": version, "kind": kind, "name": name, "uid": "1", "controller": true}]});
        metadata
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        pod(json!({"metadata": metadata})).owner
    }

    #[test]
    fn owner_is_the_deployment_of_a_replica_set() {
        let labels = json!({"labels": {"pod-template-hash": "7d9"}});
        let web = PodOwner::Controller("Deployment shop/web".to_owned());
        assert_eq!(owned("ReplicaSet", "web-7d9", &labels), web);
        let bare = PodOwner::Controller("ReplicaSet shop/web".to_owned());
        assert_eq!(owned("ReplicaSet", "web", &labels), bare);
        assert_eq!(
            owned("DaemonSet", "cilium", &json!({})),
            PodOwner::DaemonSet
        );
        assert_eq!(owned("Node", "i-1", &json!({})), PodOwner::Static);
        let mirror = json!({"annotations": {MIRROR: "1"}});
        assert_eq!(owned("Node", "i-1", &mirror), PodOwner::Static);
        assert_eq!(
            pod(json!({"metadata": {"name": "a"}})).owner,
            PodOwner::Nobody
        );
    }

    #[test]
    fn requests_count_what_runs_together_and_what_runs_before() {
        let asks = |cpu: &str| json!({"name": "a", "resources": {"requests": {"cpu": cpu, "memory": "1Mi"}}});
        let mut sidecar = asks("100m");
        sidecar["restartPolicy"] = json!("Always");
        let spec = json!({"initContainers": [sidecar, asks("900m")], "containers": [asks("200m"), asks("300m")],
            "overhead": {"cpu": "50m"}});
        let found = pod(json!({"metadata": {"name": "a"}, "spec": spec})).requests;
        assert_eq!(found.milli_cpu, 1050);
        assert_eq!(found.memory_bytes, 3 << 20);
    }

    #[test]
    fn pod_tells_what_it_loses_and_which_claims_it_has() {
        let found = pod(json!({
            "metadata": {"name": "db-0", "namespace": "shop", "uid": "u", "deletionTimestamp": "2026-11-23T10:00:00Z"},
            "spec": {"nodeName": "i-1", "terminationGracePeriodSeconds": 120, "containers": [{"name": "a", "image": "x:1"}],
                "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "data-db-0"}},
                    {"name": "more", "ephemeral": {}}, {"name": "tmp", "emptyDir": {}}]},
            "status": {"phase": "Running"},
        }));
        assert_eq!(found.claims, ["data-db-0", "db-0-more"]);
        assert!(found.loses_local_data && found.ending.is_some());
        assert_eq!((found.grace_seconds, found.phase), (120, PodPhase::Running));
        assert_eq!(
            (found.images, found.node.as_deref()),
            (vec!["x:1".to_owned()], Some("i-1"))
        );
        let done = pod(json!({"metadata": {"name": "a"}, "status": {"phase": "Failed"}}));
        assert_eq!(
            (done.phase, done.trouble, done.grace_seconds),
            (PodPhase::Finished, None, 30)
        );
    }

    #[test]
    fn zones_of_several_volumes_are_those_that_all_have() {
        let volume = |zones: &[&str]| {
            let expression = json!({"key": ZONES[0], "operator": "In", "values": zones});
            let terms = json!([{"matchExpressions": [expression]}]);
            let spec = json!({"nodeAffinity": {"required": {"nodeSelectorTerms": terms}}});
            of_volume(&serde_json::from_value(spec).unwrap())
        };
        let claim = |name: &str| ("shop".to_owned(), name.to_owned());
        let local = of_volume(&serde_json::from_value(json!({"local": {"path": "/d"}})).unwrap());
        let places = BTreeMap::from([
            (claim("one"), volume(&["a", "b"])),
            (claim("two"), volume(&["b", "c"])),
            (claim("disk"), local),
        ]);
        let using = |names: &[&str]| {
            let volumes: Vec<_> = names
                .iter()
                .map(|name| json!({"name": name, "persistentVolumeClaim": {"claimName": name}}))
                .collect();
            let found = json!({"metadata": {"name": "a", "namespace": "shop"}, "spec": {"containers": [], "volumes": volumes}});
            let mut pods = [pod(found)];
            place(&mut pods, &places);
            let [pod] = pods;
            (pod.volume_zones, pod.loses_local_data)
        };
        assert_eq!(using(&["one", "two"]), (vec!["b".to_owned()], false));
        assert_eq!(using(&["disk", "unknown"]), (vec![], true));
    }
}
