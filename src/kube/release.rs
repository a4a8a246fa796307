//! What a deletion writes: reclaim policies, workloads that are stopped, objects that are deleted. What is gone already is
//! done.

use std::fmt;

use ::kube::Api as Typed;
use ::kube::api::{DeleteParams, Patch, PatchParams, Preconditions};
use k8s_openapi::api::apps::v1 as apps;
use k8s_openapi::api::batch::v1 as batch;
use k8s_openapi::api::core::v1 as core;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::access::MANAGER;
use super::storage::{ObjectState, VolumeObject};
use super::workload::{WorkloadKind, WorkloadRef};
use super::{Api, KubeError};

impl Api {
    /// Sets the reclaim policy `Retain`: the EBS volume stays, whatever happens to claim and PersistentVolume. Returns it
    /// as the API has it then; `None` where it is gone.
    pub async fn retain(&self, name: &str) -> Result<Option<VolumeObject>, KubeError> {
        let wanted = json!({"spec": {"persistentVolumeReclaimPolicy": "Retain"}});
        let typed = self.cluster::<core::PersistentVolume>();
        let patched = typed.patch(name, &ours(), &Patch::Merge(&wanted)).await;
        let patched = self.present(patched)?;
        Ok(patched.map(Into::into))
    }

    /// Stops what makes pods: scaled to zero where it counts them, suspended where it runs them by time, deleted where it
    /// runs one on every node. Whether there is a way to stop it: kinds that Kubernetes itself does not have are left.
    pub async fn stop(&self, workload: &WorkloadRef) -> Result<bool, KubeError> {
        let namespace = workload.namespace.as_str();
        let name = workload.name.as_str();
        match &workload.kind {
            WorkloadKind::Deployment => {
                self.scale_to_zero(self.in_namespace::<apps::Deployment>(namespace), name)
                    .await?;
            }
            WorkloadKind::StatefulSet => {
                self.scale_to_zero(self.in_namespace::<apps::StatefulSet>(namespace), name)
                    .await?;
            }
            WorkloadKind::ReplicaSet => {
                self.scale_to_zero(self.in_namespace::<apps::ReplicaSet>(namespace), name)
                    .await?;
            }
            WorkloadKind::ReplicationController => {
                let typed = self.in_namespace::<core::ReplicationController>(namespace);
                self.scale_to_zero(typed, name).await?;
            }
            WorkloadKind::Job => {
                self.suspend(self.in_namespace::<batch::Job>(namespace), name)
                    .await?;
            }
            WorkloadKind::CronJob => {
                self.suspend(self.in_namespace::<batch::CronJob>(namespace), name)
                    .await?;
            }
            WorkloadKind::DaemonSet => {
                let typed = self.in_namespace::<apps::DaemonSet>(namespace);
                let params = DeleteParams::background();
                let deleted = typed.delete(name, &params).await;
                self.present(deleted)?;
            }
            WorkloadKind::Other(_) => return Ok(false),
        }
        Ok(true)
    }

    async fn scale_to_zero<K>(&self, typed: Typed<K>, name: &str) -> Result<(), KubeError>
    where
        K: Clone + DeserializeOwned,
    {
        let wanted = json!({"spec": {"replicas": 0}});
        let scaled = typed
            .patch_scale(name, &ours(), &Patch::Merge(&wanted))
            .await;
        self.present(scaled).map(drop)
    }

    async fn suspend<K>(&self, typed: Typed<K>, name: &str) -> Result<(), KubeError>
    where
        K: Clone + DeserializeOwned + fmt::Debug,
    {
        let wanted: Value = json!({"spec": {"suspend": true}});
        let patched = typed.patch(name, &ours(), &Patch::Merge(&wanted)).await;
        self.present(patched).map(drop)
    }

    /// Deletes a Service: gone at once, or when its controller has removed the load balancer.
    pub async fn delete_service(&self, service: &ObjectState) -> Result<(), KubeError> {
        self.delete(
            self.in_namespace::<core::Service>(&service.namespace),
            service,
        )
        .await
    }

    /// Deletes a claim: gone when no pod uses it. What becomes of its volume is for its PersistentVolume to say.
    pub async fn delete_claim(&self, claim: &ObjectState) -> Result<(), KubeError> {
        self.delete(
            self.in_namespace::<core::PersistentVolumeClaim>(&claim.namespace),
            claim,
        )
        .await
    }

    /// Deletes a pod with the time that it has for its end.
    pub async fn delete_pod(&self, pod: &ObjectState) -> Result<(), KubeError> {
        self.delete(self.in_namespace::<core::Pod>(&pod.namespace), pod)
            .await
    }

    /// Deletes the object that was seen, never one that was made under its name since: that is a conflict.
    async fn delete<K>(&self, typed: Typed<K>, object: &ObjectState) -> Result<(), KubeError>
    where
        K: Clone + DeserializeOwned + fmt::Debug,
    {
        let params = DeleteParams::background().preconditions(Preconditions {
            uid: Some(object.uid.clone()),
            resource_version: None,
        });
        let deleted = typed.delete(&object.name, &params).await;
        self.present(deleted).map(drop)
    }

    /// What was answered; `None` where there is no such object.
    fn present<T>(&self, answer: Result<T, ::kube::Error>) -> Result<Option<T>, KubeError> {
        match answer.map_err(|error| self.failed(error)) {
            Ok(answer) => Ok(Some(answer)),
            Err(KubeError::NotFound(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

fn ours() -> PatchParams {
    PatchParams {
        field_manager: Some(MANAGER.to_owned()),
        ..PatchParams::default()
    }
}
