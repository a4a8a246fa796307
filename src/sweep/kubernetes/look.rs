//! What of a cluster's objects has something in the account.

use std::collections::{BTreeMap, BTreeSet};

use super::workloads::{Chain, chain};
use super::{Claim, Objects, Service, Volume, Workload};
use crate::kube::{Api, ClaimObject, ClaimPod, KubeError, VolumeObject};

/// Claims that have a volume of EBS, or may get one, by namespace and name.
pub type Names = BTreeSet<(String, String)>;

pub async fn objects(api: &Api) -> Result<Objects, KubeError> {
    let (services, volumes, claims, pods) = futures::try_join!(
        api.load_balancer_services(),
        api.persistent_volumes(),
        api.claims(),
        api.claim_pods(),
    )?;
    let names: Names = of_ebs(&claims, &volumes).map(name).collect();
    let workloads = workloads(api, pods.iter().filter(|pod| uses(pod, &names))).await?;
    Ok(Objects {
        services: services
            .into_iter()
            .map(|service| Service {
                namespace: service.object.namespace,
                name: service.object.name,
                address: service.address,
            })
            .collect(),
        volumes: volumes.into_iter().map(volume).collect(),
        claims: names
            .into_iter()
            .map(|(namespace, name)| Claim { namespace, name })
            .collect(),
        workloads,
    })
}

/// Claims that are bound to a volume of EBS, or to none yet and may get one.
pub fn of_ebs<'a>(
    claims: &'a [ClaimObject],
    volumes: &'a [VolumeObject],
) -> impl Iterator<Item = &'a ClaimObject> {
    let ebs = volumes.iter().filter(|one| one.volume_id.is_some());
    let ebs: BTreeSet<&str> = ebs.map(|one| one.object.name.as_str()).collect();
    claims.iter().filter(move |claim| match &claim.volume {
        Some(volume) => ebs.contains(volume.as_str()),
        None => claim.may_be_ebs,
    })
}

pub fn name(claim: &ClaimObject) -> (String, String) {
    (claim.object.namespace.clone(), claim.object.name.clone())
}

/// Whether a pod uses one of these claims.
pub fn uses(pod: &ClaimPod, names: &Names) -> bool {
    let namespace = &pod.object.namespace;
    let mut claims = pod.claims.iter();
    claims.any(|claim| names.contains(&(namespace.clone(), claim.clone())))
}

fn volume(found: VolumeObject) -> Volume {
    Volume {
        name: found.object.name,
        volume_id: found.volume_id,
        claim: found
            .claim
            .map(|(namespace, name)| format!("{namespace}/{name}")),
        gib: found.gib,
        reclaim_policy: found.reclaim_policy,
    }
}

/// What has to be stopped so that these pods end, once each.
async fn workloads(
    api: &Api,
    pods: impl Iterator<Item = &ClaimPod>,
) -> Result<Vec<Workload>, KubeError> {
    let mut chains = BTreeMap::new();
    let mut found = BTreeMap::new();
    for pod in pods {
        let Some(owner) = &pod.owner else {
            let path = (pod.object.namespace.clone(), pod.object.name.clone());
            found.insert(("Pod".to_owned(), path), None);
            continue;
        };
        if !chains.contains_key(owner) {
            chains.insert(owner.clone(), chain(api, owner).await?);
        }
        if let Some(Chain { top, replicas, .. }) = chains.get(owner) {
            let path = (top.namespace.clone(), top.name.clone());
            found.insert((top.kind.as_str().to_owned(), path), *replicas);
        }
    }
    let workload = |((kind, (namespace, name)), replicas)| Workload {
        kind,
        namespace,
        name,
        replicas,
    };
    Ok(found.into_iter().map(workload).collect())
}
