//! The part of a deletion that Kubernetes does itself, while its API answers: Services of type LoadBalancer go through
//! their controller, volumes are kept by their reclaim policy, or their claims are deleted.

use std::collections::BTreeSet;
use std::time::Duration;

use super::owner::Purpose;
use crate::common::retry::{Backoff, Try, retry};
use crate::common::text::count;
use crate::common::{Clock, SystemClock};
use crate::events::Emitter;
pub use crate::kube::VolumeSource;
use crate::kube::{Api, KubeError};

mod claims;
mod look;
mod retain;
mod rounds;
mod services;
mod volume;
mod workloads;

use rounds::Run;

/// What of the cluster's objects has something in the account.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Objects {
    /// Services of type LoadBalancer, by namespace and name.
    pub services: Vec<Service>,
    /// By namespace and name, also those of other controllers than AWS's.
    pub ingresses: Vec<Ingress>,
    pub volumes: Vec<Volume>,
    /// Claims without a volume yet, and those of volumes, by namespace and name.
    pub claims: Vec<Claim>,
    /// What runs pods that use claims; looked for only where volumes are deleted.
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

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ingress {
    pub namespace: String,
    pub name: String,
    /// What the tags of its load balancers say: its `NAMESPACE/NAME`, or the group that it shares one with.
    pub stacks: Vec<String>,
}

/// A PersistentVolume.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Volume {
    pub name: String,
    /// The EBS volume behind it; `None` for other kinds of volumes.
    pub volume_id: Option<String>,
    pub source: VolumeSource,
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
    /// Consent is for this one, not for another that is made under its name later.
    pub uid: String,
}

/// A Deployment, StatefulSet or another owner of pods.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Workload {
    /// `Deployment`, `StatefulSet`, …
    pub kind: String,
    pub namespace: String,
    pub name: String,
    pub replicas: Option<u32>,
    /// `KIND NAMESPACE/NAME` of a controller above it that Kubernetes itself does not have.
    pub operator: Option<String>,
}

/// What becomes of the volumes.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    pub delete_volumes: bool,
    /// Volumes that AWS's calls delete once their machines are gone: nothing deletes others but Kubernetes.
    pub by_aws: &'a BTreeSet<String>,
    pub region: &'a str,
}

impl Objects {
    /// Whether the Service or the Ingress is there that something is for; `None` for what is for neither.
    pub fn has(&self, purpose: &Purpose) -> Option<bool> {
        match purpose {
            Purpose::Service(name) => {
                let mut all = self.services.iter();
                Some(all.any(|one| format!("{}/{}", one.namespace, one.name) == *name))
            }
            Purpose::Ingress(name) => {
                let mut all = self.ingresses.iter().flat_map(|one| &one.stacks);
                Some(all.any(|one| one == name))
            }
            Purpose::Claim(_)
            | Purpose::Volume(_)
            | Purpose::Stack(_)
            | Purpose::Database(_)
            | Purpose::Text(_) => None,
        }
    }
}

impl Wanted<'_> {
    /// What becomes of a volume that Kubernetes has not deleted.
    fn later(&self, id: &str) -> String {
        if self.by_aws.contains(id) {
            return format!("AWS deletes {id} later");
        }
        format!(
            "nothing else deletes {id}, which lacks the cluster's tags; when its machine is gone: \
             `aws ec2 delete-volume --region {} --volume-id {id}`",
            self.region
        )
    }
}

/// What was done through Kubernetes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Released {
    /// What Kubernetes could not do, a line each: AWS does it later, or it is named at the end.
    pub left: Vec<String>,
    /// Set where a volume that is to be kept could not be protected: nothing may be deleted then.
    pub refused: Option<String>,
}

/// What there is, without what runs pods.
pub async fn objects(api: &Api) -> Result<Objects, KubeError> {
    once_more(async || look::objects(api).await).await
}

/// What runs pods that use these claims.
pub async fn workloads(api: &Api, claims: &[Claim]) -> Result<Vec<Workload>, KubeError> {
    once_more(async || look::workloads(api, claims).await).await
}

async fn once_more<T>(look: impl AsyncFn() -> Result<T, KubeError>) -> Result<T, KubeError> {
    let clock = SystemClock::start();
    let twice = Backoff::constant(Duration::from_secs(1), 2);
    retry(&clock, twice, async || {
        Try::transient(look().await, KubeError::is_transient)
    })
    .await
}

/// Keeps or deletes the volumes and deletes the Services, and waits for their ends. May be run again from anywhere: it
/// looks at what there is, and does what is missing. Claims are deleted only if they are in `objects`, which was shown.
///
/// Where volumes are kept, they are protected before anything else is done, and once more when the Services are gone. Where they are deleted, Services go first: no
/// load balancer sends requests to pods that end, and what writes DNS records for Services still runs and removes them.
pub async fn release<K: Clock>(
    api: &Api,
    objects: &Objects,
    wanted: Wanted<'_>,
    emit: Emitter<'_, K>,
) -> Released {
    let run = Run::new(api, emit);
    let mut released = Released::default();
    if !wanted.delete_volumes {
        released.refused = retain::all(&run).await;
        if released.refused.is_some() {
            return released;
        }
    }
    let answers = services::delete(&run, objects, &mut released.left).await;
    if !wanted.delete_volumes {
        if answers {
            // Minutes have passed: volumes were made meanwhile, or somebody set a policy back.
            released.refused = retain::all(&run).await;
        }
    } else if answers {
        claims::delete(&run, objects, wanted, &mut released.left).await;
    } else if !objects.claims.is_empty() {
        let claims = count(objects.claims.len(), "claim");
        released
            .left
            .push(format!("{claims} not deleted through Kubernetes"));
        let ids = objects
            .volumes
            .iter()
            .filter_map(|one| one.volume_id.as_deref());
        released.left.extend(ids.map(|id| wanted.later(id)));
    }
    released
}
