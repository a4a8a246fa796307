//! Volumes that are deleted: what uses their claims is stopped, then the claims are deleted, and Kubernetes deletes the
//! volumes with them. The CSI driver works for this, so it comes before the end of any machine.
//!
//! A claim is deleted as soon as no pod uses it. Where something starts pods again, it is deleted all the same: it stays
//! until the present pod has ended, and no further pod is scheduled with a claim that is being deleted.

use std::collections::{BTreeMap, BTreeSet};

use crate::common::Clock;
use crate::common::text::count;
use crate::kube::{ClaimObject, ClaimPod, KubeError, VolumeObject, WorkloadRef};

use super::look::{Names, name, of_ebs, uses};
use super::rounds::{Movement, Run, some};
use super::workloads::{Chain, chain};
use super::{Objects, Wanted};

/// What is left, as one round sees it.
#[derive(Default)]
struct Left {
    pods: Vec<ClaimPod>,
    claims: Vec<ClaimObject>,
    /// With policy `Delete`, of claims that are deleted.
    volumes: Vec<VolumeObject>,
}

/// What is known from round to round.
struct Claims<'a> {
    objects: &'a Objects,
    wanted: Wanted<'a>,
    /// The claims that were shown, with their uids.
    shown: BTreeMap<(String, String), &'a str>,
    movement: Movement,
    left: Left,
    most: [usize; 3],
    /// Pods that were there before anything was stopped.
    first_pods: Option<BTreeSet<String>>,
    /// What starts pods again, with a controller above it that Kubernetes itself does not have.
    again: BTreeMap<WorkloadRef, Option<WorkloadRef>>,
    stopped: BTreeSet<WorkloadRef>,
    /// Claims that are not waited for to be unused.
    contested: Names,
    /// Volumes of these claims that Kubernetes keeps, and claims that were not shown.
    notes: BTreeSet<String>,
}

/// Deletes the claims that were shown.
pub async fn delete<K: Clock>(
    run: &Run<'_, K>,
    objects: &Objects,
    wanted: Wanted<'_>,
    left: &mut Vec<String>,
) {
    let shown = objects.claims.iter();
    let mut claims = Claims {
        objects,
        wanted,
        shown: shown
            .map(|one| ((one.namespace.clone(), one.name.clone()), one.uid.as_str()))
            .collect(),
        movement: run.movement(),
        left: Left::default(),
        most: [0; 3],
        first_pods: None,
        again: BTreeMap::new(),
        stopped: BTreeSet::new(),
        contested: Names::new(),
        notes: BTreeSet::new(),
    };
    let end = claims.rounds(run).await;
    left.extend(claims.lines());
    if let Err(error) = end {
        left.push(format!(
            "the claims were not all deleted through Kubernetes: {}",
            error.brief()
        ));
    }
    left.extend(claims.notes);
}

impl Claims<'_> {
    async fn rounds<K: Clock>(&mut self, run: &Run<'_, K>) -> Result<(), KubeError> {
        loop {
            self.look(run).await?;
            self.show(run);
            let left = self.left.pods.len() + self.left.claims.len() + self.left.volumes.len();
            if left == 0 || run.is_stalled(&mut self.movement, left) {
                return Ok(());
            }
            self.stop_pods(run).await?;
            self.delete_unused(run).await?;
            run.pause().await;
        }
    }

    async fn look<K: Clock>(&mut self, run: &Run<'_, K>) -> Result<(), KubeError> {
        let pods = run.ask(async || run.api.claim_pods().await).await?;
        let claims = run.ask(async || run.api.claims().await).await?;
        let volumes = run.ask(async || run.api.persistent_volumes().await).await?;
        let (mine, others): (Vec<_>, Vec<_>) = of_ebs(&claims, &volumes)
            .cloned()
            .partition(|claim| self.shown.get(&name(claim)) == Some(&claim.object.uid.as_str()));
        let later: Names = others.iter().map(name).collect();
        for claim in others {
            self.notes.insert(format!(
                "claim {} was made after the question: it is not deleted through Kubernetes",
                claim.object.path()
            ));
        }
        let names: Names = mine.iter().map(name).collect();
        self.left = Left {
            pods: pods.into_iter().filter(|pod| uses(pod, &names)).collect(),
            claims: mine,
            volumes: self.released(volumes, &later),
        };
        Ok(())
    }

    /// The volumes that Kubernetes deletes with their claims; of those that it keeps a note. `later` are the claims made
    /// after the question.
    fn released(&mut self, volumes: Vec<VolumeObject>, later: &Names) -> Vec<VolumeObject> {
        let mut deleted = Vec::new();
        for volume in volumes {
            let (Some(id), Some(claim)) = (&volume.volume_id, &volume.claim) else {
                continue;
            };
            let is_shown = |one: &super::Volume| one.name == volume.object.name;
            let is_late = later.contains(claim);
            if is_late
                || !self.shown.contains_key(claim) && !self.objects.volumes.iter().any(is_shown)
            {
                continue;
            }
            if volume.reclaim_policy == "Delete" {
                deleted.push(volume);
                continue;
            }
            self.notes.insert(format!(
                "PersistentVolume {} has reclaim policy {}: Kubernetes keeps it, {}",
                volume.object.name,
                volume.reclaim_policy,
                self.wanted.later(id)
            ));
        }
        deleted
    }

    fn show<K: Clock>(&mut self, run: &Run<'_, K>) {
        let now = [
            ("pod that uses claims", self.left.pods.len()),
            ("PersistentVolumeClaim", self.left.claims.len()),
            ("PersistentVolume", self.left.volumes.len()),
        ];
        let again = match self.again.len() {
            0 => String::new(),
            again => format!("{} started pods again", count(again, "controller")),
        };
        for (number, (part, left)) in now.into_iter().enumerate() {
            self.most[number] = self.most[number].max(left);
            let state = if number == 0 { again.as_str() } else { "" };
            run.show(part, self.most[number] - left, self.most[number], state);
        }
    }

    /// Stops what runs the pods, and deletes those that nothing else ends: bare ones, those whose controller can't be
    /// stopped, and those that have done their work and hold their claims all the same.
    async fn stop_pods<K: Clock>(&mut self, run: &Run<'_, K>) -> Result<(), KubeError> {
        let pods = self.left.pods.clone();
        let mut chains: BTreeMap<WorkloadRef, Chain> = BTreeMap::new();
        for pod in pods.iter().filter(|pod| !pod.object.is_ending) {
            let is_new = match &self.first_pods {
                Some(first) => !first.contains(&pod.object.uid),
                None => false,
            };
            if is_new {
                self.contest(pod);
            }
            let Some(owner) = &pod.owner else {
                self.delete_pod(run, pod).await?;
                continue;
            };
            if !chains.contains_key(owner) {
                let found = run.ask(async || chain(run.api, owner).await).await?;
                self.stop(run, &found).await?;
                chains.insert(owner.clone(), found);
            }
            let Some(found) = chains.get(owner) else {
                continue;
            };
            if is_new && found.is_orphan {
                self.again.insert(found.top.clone(), found.operator.clone());
            }
            if found.is_orphan || pod.is_finished {
                self.delete_pod(run, pod).await?;
            }
        }
        if self.first_pods.is_none() {
            let uids = pods.into_iter().map(|pod| pod.object.uid);
            self.first_pods = Some(uids.collect());
        }
        Ok(())
    }

    async fn stop<K: Clock>(&mut self, run: &Run<'_, K>, found: &Chain) -> Result<(), KubeError> {
        for workload in &found.to_stop {
            if !self.stopped.insert(workload.clone()) {
                self.again.insert(workload.clone(), found.operator.clone());
            }
            run.ask(async || run.api.stop(workload).await).await?;
        }
        Ok(())
    }

    async fn delete_pod<K: Clock>(
        &self,
        run: &Run<'_, K>,
        pod: &ClaimPod,
    ) -> Result<(), KubeError> {
        run.remove(async || run.api.delete_pod(&pod.object).await)
            .await
    }

    /// The claims of a pod that was started again: waiting until nothing uses them would have no end.
    fn contest(&mut self, pod: &ClaimPod) {
        let namespace = &pod.object.namespace;
        let names = pod.claims.iter();
        self.contested
            .extend(names.map(|name| (namespace.clone(), name.clone())));
    }

    async fn delete_unused<K: Clock>(&self, run: &Run<'_, K>) -> Result<(), KubeError> {
        let pods = &self.left.pods;
        let used = |claim: &ClaimObject| {
            let name = name(claim);
            let is_used = pods
                .iter()
                .any(|pod| pod.object.namespace == name.0 && pod.claims.contains(&name.1));
            is_used && !self.contested.contains(&name)
        };
        let standing = self.left.claims.iter();
        let standing = standing.filter(|claim| !claim.object.is_ending && !used(claim));
        run.each(standing, async |claim: &ClaimObject| {
            run.remove(async || run.api.delete_claim(&claim.object).await)
                .await
        })
        .await
    }

    /// What is left, and what holds it.
    fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for (workload, operator) in &self.again {
            let above = operator.as_ref().filter(|above| *above != workload);
            let by = above.map_or(String::new(), |above| format!(" (it belongs to {above})"));
            let pods = self.left.pods.iter();
            let here = pods.filter(|pod| pod.object.namespace == workload.namespace);
            if here.count() > 0 {
                lines.push(format!("{workload} starts pods again{by}"));
            }
        }
        for pod in &self.left.pods {
            let claims = some(&pod.claims);
            let what = if pod.object.is_ending {
                "does not end"
            } else {
                "still runs"
            };
            let path = pod.object.path();
            lines.push(format!(
                "pod {path} {what}: it uses {}",
                plural(pod.claims.len(), &claims)
            ));
        }
        for claim in &self.left.claims {
            let path = claim.object.path();
            let why = match claim.object.finalizers.as_slice() {
                _ if !claim.object.is_ending => "not deleted, as pods use it".to_owned(),
                [] => "it was deleted, and is still there".to_owned(),
                held => format!("held by {}", some(held)),
            };
            lines.push(format!("claim {path}: {why}"));
        }
        for volume in &self.left.volumes {
            let id = volume.volume_id.as_deref().unwrap_or_default();
            lines.push(format!(
                "PersistentVolume {} ({id}) is still there: {}",
                volume.object.name,
                self.wanted.later(id)
            ));
        }
        lines
    }
}

/// `claim a`, `claims a, b`.
fn plural(number: usize, names: &str) -> String {
    let s = if number == 1 { "" } else { "s" };
    format!("claim{s} {names}")
}
