//! From a pod's controller to what has to be stopped: the topmost controller that Kubernetes itself knows.

use crate::kube::{Api, KubeError, WorkloadKind, WorkloadObject, WorkloadRef};

/// The longest chain: pod, Job and CronJob, or pod, ReplicaSet and Deployment, have two.
const LONGEST: usize = 4;

/// The controllers above a pod.
#[derive(Debug, Clone)]
pub struct Chain {
    /// The topmost one that can be stopped; where there is none, the pod's own controller.
    pub top: WorkloadRef,
    /// How many pods `top` wants, where it counts them.
    pub replicas: Option<u32>,
    /// What has to be stopped and is not yet, the topmost first. A Job runs on without its `CronJob`.
    pub to_stop: Vec<WorkloadRef>,
    /// A controller that Kubernetes itself does not have, above all of them: it may start `top` again.
    pub operator: Option<WorkloadRef>,
    /// Whether the pod is nobody's: its controller is gone, or can't be stopped.
    pub is_orphan: bool,
}

/// Follows the controllers of a pod upwards from its own.
pub async fn chain(api: &Api, owner: &WorkloadRef) -> Result<Chain, KubeError> {
    let mut known: Vec<WorkloadObject> = Vec::new();
    let mut next = Some(owner.clone());
    let mut operator = None;
    while let Some(workload) = next.take().filter(|_| known.len() < LONGEST) {
        if matches!(workload.kind, WorkloadKind::Other(_)) {
            operator = Some(workload);
            break;
        }
        let Some(found) = api.workload(&workload).await? else {
            break;
        };
        next.clone_from(&found.owner);
        known.push(found);
    }
    let stops = |one: &&WorkloadObject| !one.is_stopped;
    let to_stop = match known.as_slice() {
        [] => Vec::new(),
        [below @ .., top] => {
            let jobs = below
                .iter()
                .rev()
                .filter(|one| one.workload.kind == WorkloadKind::Job);
            let all = std::iter::once(top).chain(jobs).filter(stops);
            all.map(|one| one.workload.clone()).collect()
        }
    };
    let top = known.last();
    Ok(Chain {
        top: top.map_or_else(|| owner.clone(), |top| top.workload.clone()),
        replicas: top.and_then(|top| top.replicas),
        to_stop,
        operator,
        is_orphan: known.is_empty(),
    })
}
