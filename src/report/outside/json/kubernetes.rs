//! The objects of Kubernetes that a deletion is about, as JSON.

use serde::Serialize;

use crate::sweep::Seen;
use crate::sweep::kubernetes::{Claim, Ingress, Objects, Service, Volume, Workload};

#[derive(Serialize)]
#[serde(rename_all = "camelCase", tag = "api")]
pub enum KubernetesJson<'a> {
    None,
    Silent {
        why: &'a str,
    },
    Answers {
        services: Vec<ServiceJson<'a>>,
        ingresses: Vec<NameJson<'a>>,
        volumes: Vec<VolumeJson<'a>>,
        claims: Vec<NameJson<'a>>,
        workloads: Vec<WorkloadJson<'a>>,
    },
}

#[derive(Serialize)]
pub struct NameJson<'a> {
    namespace: &'a str,
    name: &'a str,
}

#[derive(Serialize)]
pub struct ServiceJson<'a> {
    namespace: &'a str,
    name: &'a str,
    address: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct VolumeJson<'a> {
    name: &'a str,
    volume_id: Option<&'a str>,
    claim: Option<&'a str>,
    gib: Option<u64>,
    reclaim_policy: &'a str,
}

#[derive(Serialize)]
pub struct WorkloadJson<'a> {
    kind: &'a str,
    namespace: &'a str,
    name: &'a str,
    replicas: Option<u32>,
}

pub fn kubernetes(seen: &Seen) -> KubernetesJson<'_> {
    let objects = match seen {
        Seen::NoApi => return KubernetesJson::None,
        Seen::Silent(why) => return KubernetesJson::Silent { why },
        Seen::Objects(objects) => objects,
    };
    let Objects {
        services,
        ingresses,
        volumes,
        claims,
        workloads,
    } = objects;
    KubernetesJson::Answers {
        services: services.iter().map(service).collect(),
        ingresses: ingresses.iter().map(ingress).collect(),
        volumes: volumes.iter().map(volume).collect(),
        claims: claims.iter().map(claim).collect(),
        workloads: workloads.iter().map(workload).collect(),
    }
}

fn service(service: &Service) -> ServiceJson<'_> {
    ServiceJson {
        namespace: &service.namespace,
        name: &service.name,
        address: service.address.as_deref(),
    }
}

fn ingress(ingress: &Ingress) -> NameJson<'_> {
    NameJson {
        namespace: &ingress.namespace,
        name: &ingress.name,
    }
}

fn volume(volume: &Volume) -> VolumeJson<'_> {
    VolumeJson {
        name: &volume.name,
        volume_id: volume.volume_id.as_deref(),
        claim: volume.claim.as_deref(),
        gib: volume.gib,
        reclaim_policy: &volume.reclaim_policy,
    }
}

fn claim(claim: &Claim) -> NameJson<'_> {
    NameJson {
        namespace: &claim.namespace,
        name: &claim.name,
    }
}

fn workload(workload: &Workload) -> WorkloadJson<'_> {
    WorkloadJson {
        kind: &workload.kind,
        namespace: &workload.namespace,
        name: &workload.name,
        replicas: workload.replicas,
    }
}
