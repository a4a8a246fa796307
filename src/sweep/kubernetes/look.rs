//! What of a cluster's objects has something in the account.

use std::collections::{BTreeMap, BTreeSet};

use futures::{StreamExt as _, TryStreamExt as _, stream};

use super::rounds::AT_ONCE;
use super::workloads::chain;
use super::{Claim, Ingress, Objects, Service, Volume, Workload};
use crate::kube::{Api, ClaimObject, ClaimPod, KubeError, VolumeObject};

/// Claims that have a volume of EBS, or may get one, by namespace and name.
pub type Names = BTreeSet<(String, String)>;

pub async fn objects(api: &Api) -> Result<Objects, KubeError> {
    let (services, ingresses, volumes, claims) = futures::try_join!(
        api.load_balancer_services(),
        api.ingresses(),
        api.persistent_volumes(),
        api.claims(),
    )?;
    let mut of_ebs: Vec<Claim> = of_ebs(&claims, &volumes)
        .map(|claim| Claim {
            namespace: claim.object.namespace.clone(),
            name: claim.object.name.clone(),
            uid: claim.object.uid.clone(),
        })
        .collect();
    of_ebs.sort_by(|a, b| (&a.namespace, &a.name).cmp(&(&b.namespace, &b.name)));
    Ok(Objects {
        services: services
            .into_iter()
            .map(|service| Service {
                namespace: service.object.namespace,
                name: service.object.name,
                address: service.address,
            })
            .collect(),
        ingresses: ingresses
            .into_iter()
            .map(|ingress| Ingress {
                namespace: ingress.object.namespace,
                name: ingress.object.name,
                stacks: ingress.stacks,
            })
            .collect(),
        volumes: volumes.into_iter().map(volume).collect(),
        claims: of_ebs,
        workloads: Vec::new(),
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
        source: found.source,
        claim: found
            .claim
            .map(|(namespace, name)| format!("{namespace}/{name}")),
        gib: found.gib,
        reclaim_policy: found.reclaim_policy,
    }
}

/// What has to be stopped so that the pods that use these claims end, once each.
pub async fn workloads(api: &Api, claims: &[Claim]) -> Result<Vec<Workload>, KubeError> {
    let names = claims.iter();
    let names: Names = names
        .map(|one| (one.namespace.clone(), one.name.clone()))
        .collect();
    let pods = api.claim_pods().await?;
    let mut owners = BTreeSet::new();
    let mut found = BTreeMap::new();
    for pod in pods.into_iter().filter(|pod| uses(pod, &names)) {
        let Some(owner) = pod.owner else {
            let path = (pod.object.namespace, pod.object.name);
            found.insert(("Pod".to_owned(), path), (None, None));
            continue;
        };
        owners.insert(owner);
    }
    let chains: Vec<_> = stream::iter(&owners)
        .map(async |owner| chain(api, owner).await)
        .buffer_unordered(AT_ONCE)
        .try_collect()
        .await?;
    for one in chains {
        let operator = one.operator.filter(|operator| *operator != one.top);
        let operator = operator.map(|operator| operator.to_string());
        let path = (one.top.namespace, one.top.name);
        found.insert(
            (one.top.kind.as_str().to_owned(), path),
            (one.replicas, operator),
        );
    }
    let workload = |((kind, (namespace, name)), (replicas, operator))| Workload {
        kind,
        namespace,
        name,
        replicas,
        operator,
    };
    Ok(found.into_iter().map(workload).collect())
}
