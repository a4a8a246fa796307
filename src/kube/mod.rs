//! The only client of a running cluster's API, in our own words: health, nodes, pods, who may do what,
//! what has something in the AWS account.
//! Only this module names `kube` and `k8s_openapi`. Must not know CloudFormation, files or the screen.

mod access;
mod api;
mod budget;
mod critical;
mod dependencies;
mod error;
mod evict;
mod ingress;
mod model;
mod namespace;
mod node_pods;
mod nodes;
mod quantity;
mod ready;
mod release;
mod serving;
mod signing;
mod storage;
mod wait;
mod workload;

pub use crate::common::tags::{POOL_LABEL, SLOT_LABEL};
pub use access::{Binding, IssuedCertificate, NamespaceRole};
pub use api::{Api, ClientLogin, Connection, Identity};
pub use error::KubeError;
pub use ingress::IngressObject;
pub use model::{Health, Node, Pod};
pub use namespace::{ENFORCE_LABEL, PodSecurity, PodSecurityLevel, reserved};
pub use ready::{
    ClusterContents, ClusterState, Readiness, ReadinessPart, WantedCluster, WantedPool, WantedSlot,
    readiness,
};
pub use serving::{PeerCert, serving_certificate};
pub use signing::SignedCertificate;
pub use storage::{ClaimObject, ClaimPod, ObjectState, ServiceObject, VolumeObject, VolumeSource};
pub use wait::{WaitOptions, WaitResult, look, wait};
pub use workload::{WorkloadKind, WorkloadObject, WorkloadRef};

#[cfg(test)]
mod tests;
