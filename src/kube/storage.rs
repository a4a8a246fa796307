//! Objects of a cluster that have something in its AWS account, as they are read: Services of type LoadBalancer,
//! PersistentVolumes, their claims and the pods that use them. Ingresses are in `ingress.rs`, what runs the pods is in
//! `workload.rs`, what is written in `release.rs`.
//!
//! The verbs that both need: `list` of services, persistentvolumes, persistentvolumeclaims and pods; `get` of deployments,
//! statefulsets, daemonsets, replicasets, replicationcontrollers, jobs and cronjobs; `patch` of persistentvolumes, of the
//! subresource `scale` of the first, of jobs and cronjobs; `delete` of services, pods, persistentvolumeclaims and
//! daemonsets. The group `kubeadm:cluster-admins` is bound to `cluster-admin` and has them all.

use std::collections::BTreeSet;

use ::kube::api::{ListParams, ObjectMeta};
use k8s_openapi::api::core::v1 as core;

use super::quantity::rounded_up;
use super::workload::WorkloadRef;
use super::{Api, KubeError};

/// The CSI driver of EBS, and the plugin in Kubernetes's own tree that it has taken over.
const EBS: [&str; 2] = ["ebs.csi.aws.com", "kubernetes.io/aws-ebs"];
/// The controller of a Service of type LoadBalancer holds it with this until its load balancer is gone.
/// The second is that of the AWS Load Balancer Controller.
const BALANCER_FINALIZERS: [&str; 2] = [
    "service.kubernetes.io/load-balancer-cleanup",
    "service.k8s.aws/resources",
];
/// Annotations of a claim: what was asked to make its volume.
const PROVISIONER: [&str; 2] = [
    "volume.kubernetes.io/storage-provisioner",
    "volume.beta.kubernetes.io/storage-provisioner",
];

/// What every object has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectState {
    /// Empty for objects that are in none.
    pub namespace: String,
    pub name: String,
    /// Differs where an object was deleted and made again under its name.
    pub uid: String,
    /// Whether it is deleted and only waits for its finalizers, or a pod for its end.
    pub is_ending: bool,
    pub finalizers: Vec<String>,
}

/// A Service of type LoadBalancer, or one that still has the load balancer of an earlier type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceObject {
    pub object: ObjectState,
    /// Host name or address of its load balancer.
    pub address: Option<String>,
}

/// Where the data of a PersistentVolume is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum VolumeSource {
    Ebs,
    /// On the disk of a machine (`local`, `hostPath`): it ends with the machine.
    Machine,
    /// With another driver, by its name: `efs.csi.aws.com`, `nfs`.
    Other(String),
}

/// A PersistentVolume.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VolumeObject {
    pub object: ObjectState,
    /// The EBS volume behind it; `None` for other kinds of volumes.
    pub volume_id: Option<String>,
    pub source: VolumeSource,
    /// Namespace and name of its claim, whether that still exists or not.
    pub claim: Option<(String, String)>,
    /// Its size, rounded up.
    pub gib: Option<u64>,
    /// `Delete`, `Retain`, `Recycle`.
    pub reclaim_policy: String,
}

/// A PersistentVolumeClaim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimObject {
    pub object: ObjectState,
    /// The PersistentVolume that it is bound to.
    pub volume: Option<String>,
    /// Whether a volume that is made for it can be one of EBS: true where nobody was asked for one yet.
    pub may_be_ebs: bool,
}

/// A pod that uses claims.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimPod {
    pub object: ObjectState,
    /// Names of the claims, in its namespace. Those of generic ephemeral volumes are among them.
    pub claims: BTreeSet<String>,
    /// What controls it; `None` for a bare pod.
    pub owner: Option<WorkloadRef>,
    /// Whether it has done its work. It still holds its claims until it is deleted.
    pub is_finished: bool,
}

impl ObjectState {
    pub(super) fn of(meta: &ObjectMeta) -> Self {
        Self {
            namespace: meta.namespace.clone().unwrap_or_default(),
            name: meta.name.clone().unwrap_or_default(),
            uid: meta.uid.clone().unwrap_or_default(),
            is_ending: meta.deletion_timestamp.is_some(),
            finalizers: meta.finalizers.clone().unwrap_or_default(),
        }
    }

    /// `NAMESPACE/NAME`.
    pub fn path(&self) -> String {
        format!("{}/{}", self.namespace, self.name)
    }
}

impl Api {
    /// Every Service that has a load balancer, or is to have one.
    pub async fn load_balancer_services(&self) -> Result<Vec<ServiceObject>, KubeError> {
        let typed = self.everywhere::<core::Service>();
        let found = self.all(&typed, ListParams::default()).await?;
        Ok(found.into_iter().filter_map(service).collect())
    }

    /// Every PersistentVolume.
    pub async fn persistent_volumes(&self) -> Result<Vec<VolumeObject>, KubeError> {
        let typed = self.cluster::<core::PersistentVolume>();
        let found = self.all(&typed, ListParams::default()).await?;
        Ok(found.into_iter().map(Into::into).collect())
    }

    /// Every PersistentVolumeClaim.
    pub async fn claims(&self) -> Result<Vec<ClaimObject>, KubeError> {
        let typed = self.everywhere::<core::PersistentVolumeClaim>();
        let found = self.all(&typed, ListParams::default()).await?;
        Ok(found.into_iter().map(Into::into).collect())
    }

    /// Every pod that uses claims.
    pub async fn claim_pods(&self) -> Result<Vec<ClaimPod>, KubeError> {
        let typed = self.everywhere::<core::Pod>();
        let found = self.all(&typed, ListParams::default()).await?;
        let pods = found.into_iter().map(ClaimPod::from);
        Ok(pods.filter(|pod| !pod.claims.is_empty()).collect())
    }
}

fn service(found: core::Service) -> Option<ServiceObject> {
    let object = ObjectState::of(&found.metadata);
    let wanted = found.spec.and_then(|spec| spec.type_);
    let has = object
        .finalizers
        .iter()
        .any(|name| BALANCER_FINALIZERS.contains(&name.as_str()));
    if wanted.as_deref() != Some("LoadBalancer") && !has {
        return None;
    }
    let status = found.status.and_then(|status| status.load_balancer);
    let mut addresses = status
        .and_then(|balancer| balancer.ingress)
        .into_iter()
        .flatten();
    let address = addresses.find_map(|one| one.hostname.or(one.ip));
    Some(ServiceObject { object, address })
}

impl From<core::PersistentVolume> for VolumeObject {
    fn from(found: core::PersistentVolume) -> Self {
        let object = ObjectState::of(&found.metadata);
        let spec = found.spec.unwrap_or_default();
        let source = source(&spec);
        let by_driver = spec
            .csi
            .filter(|csi| EBS.contains(&csi.driver.as_str()))
            .map(|csi| csi.volume_handle);
        let in_tree = spec.aws_elastic_block_store.map(|source| source.volume_id);
        // In the tree it may be written as `aws://ZONE/vol-…`.
        let last = |id: String| id.rsplit('/').next().unwrap_or_default().to_owned();
        let size = spec.capacity.and_then(|mut size| size.remove("storage"));
        Self {
            object,
            volume_id: by_driver.or(in_tree).map(last),
            source,
            claim: spec
                .claim_ref
                .and_then(|claim| Some((claim.namespace?, claim.name?))),
            gib: size.and_then(|size| gib(&size.0)),
            // What the API server fills in where nothing is said.
            reclaim_policy: spec
                .persistent_volume_reclaim_policy
                .unwrap_or_else(|| "Retain".to_owned()),
        }
    }
}

fn source(spec: &core::PersistentVolumeSpec) -> VolumeSource {
    if let Some(csi) = &spec.csi {
        return match csi.driver.as_str() {
            driver if EBS.contains(&driver) => VolumeSource::Ebs,
            driver => VolumeSource::Other(driver.to_owned()),
        };
    }
    if spec.aws_elastic_block_store.is_some() {
        VolumeSource::Ebs
    } else if spec.local.is_some() || spec.host_path.is_some() {
        VolumeSource::Machine
    } else if spec.nfs.is_some() {
        VolumeSource::Other("nfs".to_owned())
    } else {
        VolumeSource::Other("of another kind".to_owned())
    }
}

impl From<core::PersistentVolumeClaim> for ClaimObject {
    fn from(found: core::PersistentVolumeClaim) -> Self {
        let notes = found.metadata.annotations.clone().unwrap_or_default();
        let asked = PROVISIONER.iter().find_map(|key| notes.get(*key));
        Self {
            object: ObjectState::of(&found.metadata),
            volume: found
                .spec
                .and_then(|spec| spec.volume_name)
                .filter(|name| !name.is_empty()),
            may_be_ebs: asked.is_none_or(|name| EBS.contains(&name.as_str())),
        }
    }
}

impl From<core::Pod> for ClaimPod {
    fn from(pod: core::Pod) -> Self {
        let object = ObjectState::of(&pod.metadata);
        let volumes = pod.spec.and_then(|spec| spec.volumes).unwrap_or_default();
        let claim = |volume: core::Volume| match volume.persistent_volume_claim {
            Some(source) => Some(source.claim_name),
            // The claim of a generic ephemeral volume is made for the pod, and named after both.
            None => volume
                .ephemeral
                .map(|_| format!("{}-{}", object.name, volume.name)),
        };
        let phase = pod.status.and_then(|status| status.phase);
        Self {
            claims: volumes.into_iter().filter_map(claim).collect(),
            owner: WorkloadRef::controller_of(&pod.metadata),
            is_finished: matches!(phase.as_deref(), Some("Succeeded" | "Failed")),
            object,
        }
    }
}

/// A quantity of bytes in GiB, rounded up; `None` for what is none.
fn gib(quantity: &str) -> Option<u64> {
    rounded_up(quantity, 1.0 / 1_073_741_824.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn volume(spec: &Value) -> VolumeObject {
        let object = json!({"metadata": {"name": "pv-1", "uid": "u"}, "spec": spec});
        let found: core::PersistentVolume = serde_json::from_value(object).unwrap();
        found.into()
    }

    #[test]
    fn ebs_volume_of_both_drivers_is_read() {
        let csi = volume(&json!({
            "capacity": {"storage": "20Gi"}, "persistentVolumeReclaimPolicy": "Delete",
            "csi": {"driver": "ebs.csi.aws.com", "volumeHandle": "vol-0abc"},
            "claimRef": {"namespace": "web", "name": "data"},
        }));
        assert_eq!(csi.volume_id.as_deref(), Some("vol-0abc"));
        assert_eq!(csi.claim, Some(("web".to_owned(), "data".to_owned())));
        assert_eq!((csi.gib, csi.reclaim_policy.as_str()), (Some(20), "Delete"));
        let source = json!({"volumeID": "aws://eu-west-1a/vol-0def"});
        let in_tree = volume(&json!({"awsElasticBlockStore": source}));
        assert_eq!(in_tree.volume_id.as_deref(), Some("vol-0def"));
        assert_eq!(in_tree.reclaim_policy, "Retain");
    }

    #[test]
    fn volume_of_another_driver_has_no_ebs_volume() {
        let efs = json!({"driver": "efs.csi.aws.com", "volumeHandle": "fs-0abc"});
        let efs = volume(&json!({ "csi": efs }));
        let driver = VolumeSource::Other("efs.csi.aws.com".to_owned());
        assert_eq!((efs.volume_id, efs.source), (None, driver));
        for on_disk in [
            json!({"hostPath": {"path": "/data"}}),
            json!({"local": {"path": "/data"}}),
        ] {
            let found = volume(&on_disk);
            assert_eq!(
                (found.volume_id, found.source),
                (None, VolumeSource::Machine)
            );
        }
    }

    #[test]
    fn sizes_are_rounded_up_to_gib() {
        for (text, wanted) in [
            ("1Gi", Some(1)),
            ("1536Mi", Some(2)),
            ("10G", Some(10)),
            ("1Ti", Some(1024)),
            ("21474836480", Some(20)),
            ("2.5Gi", Some(3)),
            ("1e10", Some(10)),
            ("", None),
            ("many", None),
            ("-1Gi", None),
        ] {
            assert_eq!(gib(text), wanted, "{text}");
        }
    }

    #[test]
    fn pod_names_its_claims_and_its_controller() {
        let pod: core::Pod = serde_json::from_value(json!({
            "metadata": {"name": "db-0", "namespace": "web", "ownerReferences": [
                {"apiVersion": "example.com/v1", "kind": "Watcher", "name": "w", "uid": "1"},
                {"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "db", "uid": "2", "controller": true},
            ]},
            "spec": {"containers": [], "volumes": [
                {"name": "data", "persistentVolumeClaim": {"claimName": "data-db-0"}},
                {"name": "scratch", "ephemeral": {}},
                {"name": "settings", "configMap": {"name": "settings"}},
            ]},
            "status": {"phase": "Succeeded"},
        }))
        .unwrap();
        let pod = ClaimPod::from(pod);
        let claims: Vec<_> = pod.claims.iter().map(String::as_str).collect();
        assert_eq!(claims, ["data-db-0", "db-0-scratch"]);
        assert_eq!(pod.owner.unwrap().to_string(), "StatefulSet web/db");
        assert!(pod.is_finished);
    }

    #[test]
    fn service_with_the_load_balancer_of_an_earlier_type_counts() {
        let of = |spec: &str, finalizers: Value| {
            let found = json!({"metadata": {"name": "a", "finalizers": finalizers}, "spec": {"type": spec}});
            service(serde_json::from_value(found).unwrap()).is_some()
        };
        assert!(of("LoadBalancer", json!([])));
        for finalizer in BALANCER_FINALIZERS {
            assert!(of("ClusterIP", json!([finalizer])), "{finalizer}");
        }
        assert!(!of("ClusterIP", json!(["example.com/other"])));
    }

    #[test]
    fn claim_that_another_driver_was_asked_for_is_not_of_ebs() {
        let of = |notes: Value| {
            let found = json!({"metadata": {"name": "a", "annotations": notes}, "spec": {"volumeName": ""}});
            let claim: core::PersistentVolumeClaim = serde_json::from_value(found).unwrap();
            ClaimObject::from(claim)
        };
        assert!(of(json!({})).may_be_ebs);
        assert!(of(json!({PROVISIONER[0]: "ebs.csi.aws.com"})).may_be_ebs);
        assert!(!of(json!({PROVISIONER[0]: "efs.csi.aws.com"})).may_be_ebs);
        assert_eq!(of(json!({})).volume, None);
    }
}
