//! The part of a deletion that Kubernetes does itself, while its API answers: Services of type LoadBalancer go through
//! their controller, volumes are kept by their reclaim policy, or their claims are deleted.

use std::time::Duration;

use crate::common::retry::{Backoff, Try, retry};
use crate::common::text::count;
use crate::common::{Clock, SystemClock};
use crate::events::Emitter;
use crate::kube::{Api, KubeError};

mod claims;
mod look;
mod retain;
mod rounds;
mod services;
mod workloads;

use rounds::Run;

/// What of the cluster's objects has something in the account.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Objects {
    /// Services of type LoadBalancer, by namespace and name.
    pub services: Vec<Service>,
    pub volumes: Vec<Volume>,
    /// Claims without a volume yet, and those of volumes, by namespace and name.
    pub claims: Vec<Claim>,
    /// What runs pods that use claims.
    pub workloads: Vec<Workload>,
}

/// What is known of the objects before a deletion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    /// There is no API: its stack is gone, or never was.
    NoApi,
    /// It did not answer, or refused; the reason.
    Silent(String),
    Objects(Objects),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    pub namespace: String,
    pub name: String,
    /// Host name or address of its load balancer, where it has one.
    pub address: Option<String>,
}

/// A PersistentVolume.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Volume {
    pub name: String,
    /// The EBS volume behind it; `None` for other kinds of volumes.
    pub volume_id: Option<String>,
    /// `NAMESPACE/NAME` of its claim.
    pub claim: Option<String>,
    pub gib: Option<u64>,
    /// `Delete`, `Retain`.
    pub reclaim_policy: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    pub namespace: String,
    pub name: String,
}

/// A Deployment, StatefulSet or another owner of pods.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Workload {
    /// `Deployment`, `StatefulSet`, …
    pub kind: String,
    pub namespace: String,
    pub name: String,
    pub replicas: Option<u32>,
}

/// What was done through Kubernetes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Released {
    /// What Kubernetes could not do, a line each: AWS does it later, or it is named at the end.
    pub left: Vec<String>,
    /// Set where a volume that is to be kept could not be protected: nothing may be deleted then.
    pub refused: Option<String>,
}

/// What there is.
pub async fn objects(api: &Api) -> Result<Objects, KubeError> {
    let clock = SystemClock::start();
    let once_more = Backoff::constant(Duration::from_secs(1), 2);
    retry(&clock, once_more, async || {
        Try::transient(look::objects(api).await, KubeError::is_transient)
    })
    .await
}

/// Keeps or deletes the volumes and deletes the Services, and waits for their ends. May be run again from anywhere: it
/// looks at what there is, and does what is missing. Claims are deleted only if they are in `objects`, which was shown.
///
/// Where volumes are kept, they are protected before anything else is done. Where they are deleted, Services go first: no
/// load balancer sends requests to pods that end, and what writes DNS records for Services still runs and removes them.
pub async fn release<K: Clock>(
    api: &Api,
    objects: &Objects,
    delete_volumes: bool,
    emit: Emitter<'_, K>,
) -> Released {
    let run = Run::new(api, emit);
    let mut released = Released::default();
    if !delete_volumes {
        released.refused = retain::all(&run).await;
        if released.refused.is_some() {
            return released;
        }
    }
    let answers = services::delete(&run, objects, &mut released.left).await;
    if delete_volumes && answers {
        claims::delete(&run, objects, &mut released.left).await;
    } else if delete_volumes && !objects.claims.is_empty() {
        let claims = count(objects.claims.len(), "claim");
        released.left.push(format!(
            "{claims} not deleted through Kubernetes: AWS deletes the volumes later"
        ));
    }
    released
}
