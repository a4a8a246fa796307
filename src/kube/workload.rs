//! What runs pods: the controller of a pod, the one above that, and how each is read.

use std::fmt;

use ::kube::Resource;
use ::kube::api::ObjectMeta;
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::apps::v1 as apps;
use k8s_openapi::api::batch::v1 as batch;
use k8s_openapi::api::core::v1 as core;
use serde::de::DeserializeOwned;

use super::{Api, KubeError};

/// A kind of controller.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum WorkloadKind {
    Deployment,
    StatefulSet,
    ReplicaSet,
    ReplicationController,
    DaemonSet,
    Job,
    CronJob,
    /// A kind that Kubernetes itself does not have, with its group: `StrimziPodSet.core.strimzi.io`.
    Other(String),
}

/// A controller by its name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct WorkloadRef {
    pub kind: WorkloadKind,
    pub namespace: String,
    pub name: String,
}

/// A controller as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkloadObject {
    pub workload: WorkloadRef,
    /// How many pods it wants; `None` for kinds that do not count them.
    pub replicas: Option<u32>,
    /// Whether it makes no pods: scaled to zero or suspended.
    pub is_stopped: bool,
    /// What controls it in turn.
    pub owner: Option<WorkloadRef>,
}

impl WorkloadKind {
    fn of(version: &str, kind: &str) -> Self {
        let group = version.rsplit_once('/').map_or("", |(group, _)| group);
        match (group, kind) {
            ("apps", "Deployment") => Self::Deployment,
            ("apps", "StatefulSet") => Self::StatefulSet,
            ("apps", "ReplicaSet") => Self::ReplicaSet,
            ("", "ReplicationController") => Self::ReplicationController,
            ("apps", "DaemonSet") => Self::DaemonSet,
            ("batch", "Job") => Self::Job,
            ("batch", "CronJob") => Self::CronJob,
            ("", kind) => Self::Other(kind.to_owned()),
            (group, kind) => Self::Other(format!("{kind}.{group}")),
        }
    }

    /// As manifests write it.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Deployment => "Deployment",
            Self::StatefulSet => "StatefulSet",
            Self::ReplicaSet => "ReplicaSet",
            Self::ReplicationController => "ReplicationController",
            Self::DaemonSet => "DaemonSet",
            Self::Job => "Job",
            Self::CronJob => "CronJob",
            Self::Other(kind) => kind,
        }
    }
}

impl fmt::Display for WorkloadRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            kind,
            namespace,
            name,
        } = self;
        write!(f, "{} {namespace}/{name}", kind.as_str())
    }
}

impl WorkloadRef {
    /// The controller of an object: the one of its owners that manages it.
    pub(super) fn controller_of(meta: &ObjectMeta) -> Option<Self> {
        let mut owners = meta.owner_references.iter().flatten();
        let owner = owners.find(|owner| owner.controller == Some(true))?;
        Some(Self {
            kind: WorkloadKind::of(&owner.api_version, &owner.kind),
            // An owner is in the namespace of what it owns, or in none.
            namespace: meta.namespace.clone().unwrap_or_default(),
            name: owner.name.clone(),
        })
    }
}

impl Api {
    /// A controller; `None` where it is gone, or of a kind that Kubernetes itself does not have.
    pub async fn workload(
        &self,
        workload: &WorkloadRef,
    ) -> Result<Option<WorkloadObject>, KubeError> {
        let counted = |meta: ObjectMeta, replicas: Option<i32>| {
            // The API server fills in 1 where nothing is said.
            let replicas = u32::try_from(replicas.unwrap_or(1)).unwrap_or(0);
            (meta, Some(replicas), replicas == 0)
        };
        let suspended =
            |meta: ObjectMeta, suspend: Option<bool>| (meta, None, suspend == Some(true));
        let found = match &workload.kind {
            WorkloadKind::Deployment => self
                .read::<apps::Deployment>(workload)
                .await?
                .map(|found| counted(found.metadata, found.spec.and_then(|spec| spec.replicas))),
            WorkloadKind::StatefulSet => self
                .read::<apps::StatefulSet>(workload)
                .await?
                .map(|found| counted(found.metadata, found.spec.and_then(|spec| spec.replicas))),
            WorkloadKind::ReplicaSet => self
                .read::<apps::ReplicaSet>(workload)
                .await?
                .map(|found| counted(found.metadata, found.spec.and_then(|spec| spec.replicas))),
            WorkloadKind::ReplicationController => {
                let found = self.read::<core::ReplicationController>(workload).await?;
                found
                    .map(|found| counted(found.metadata, found.spec.and_then(|spec| spec.replicas)))
            }
            WorkloadKind::DaemonSet => {
                let found = self.read::<apps::DaemonSet>(workload).await?;
                found.map(|found| suspended(found.metadata, None))
            }
            WorkloadKind::Job => self
                .read::<batch::Job>(workload)
                .await?
                .map(|found| suspended(found.metadata, found.spec.and_then(|spec| spec.suspend))),
            WorkloadKind::CronJob => self
                .read::<batch::CronJob>(workload)
                .await?
                .map(|found| suspended(found.metadata, found.spec.and_then(|spec| spec.suspend))),
            WorkloadKind::Other(_) => None,
        };
        Ok(found.map(|(meta, replicas, is_stopped)| WorkloadObject {
            workload: workload.clone(),
            replicas,
            // What is being deleted makes no pods any more.
            is_stopped: is_stopped || meta.deletion_timestamp.is_some(),
            owner: WorkloadRef::controller_of(&meta),
        }))
    }

    async fn read<K>(&self, workload: &WorkloadRef) -> Result<Option<K>, KubeError>
    where
        K: Resource<Scope = NamespaceResourceScope> + Clone + fmt::Debug + DeserializeOwned,
        K::DynamicType: Default,
    {
        let typed = self.in_namespace::<K>(&workload.namespace);
        let found = typed.get_opt(&workload.name).await;
        found.map_err(|error| self.failed(error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kind_of_another_group_is_not_kubernetes_own() {
        let of = |version, kind| WorkloadKind::of(version, kind);
        assert_eq!(of("apps/v1", "StatefulSet"), WorkloadKind::StatefulSet);
        assert_eq!(
            of("apps.kruise.io/v1beta1", "StatefulSet").as_str(),
            "StatefulSet.apps.kruise.io"
        );
        assert_eq!(of("v1", "Node"), WorkloadKind::Other("Node".to_owned()));
    }
}
