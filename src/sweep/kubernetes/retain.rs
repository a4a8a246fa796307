//! Volumes that are kept: every PersistentVolume of EBS gets the reclaim policy `Retain`. From then on nothing in Kubernetes
//! deletes an EBS volume: not the end of a pod that owns its claim, and no controller that runs on while machines go.

use crate::common::Clock;
use crate::events::SweepPart;
use crate::kube::{KubeError, VolumeObject};

use super::rounds::{Run, some};

const RETAIN: &str = "Retain";
/// Looks: volumes that are made meanwhile are protected by the next one.
const LOOKS: usize = 5;

/// Protects every volume and reads back that it is; else why nothing may be deleted. Nothing was then but policies.
pub async fn all<K: Clock>(run: &Run<'_, K>) -> Option<String> {
    let mut protected = 0;
    let mut open = Vec::new();
    for _ in 0..LOOKS {
        open = match unprotected(run).await {
            Ok(open) => open,
            Err(error) => return Some(unknown(&error)),
        };
        let wanted = protected + open.len();
        run.show(SweepPart::SET_TO_RETAIN, protected, wanted, "");
        if open.is_empty() {
            return None;
        }
        let failed = run
            .each(&open, async |volume: &VolumeObject| {
                let name = &volume.object.name;
                run.ask(async || run.api.retain(name).await).await.map(drop)
            })
            .await;
        if let Err(error) = failed {
            return Some(refusal(run, &error).await);
        }
        protected = wanted;
    }
    Some(format!(
        "{} could not be set to reclaim policy Retain: it is set back, or new ones are made all the time",
        named(&open)
    ))
}

/// The volumes of EBS that Kubernetes may delete.
async fn unprotected<K: Clock>(run: &Run<'_, K>) -> Result<Vec<VolumeObject>, KubeError> {
    let mut volumes = run.ask(async || run.api.persistent_volumes().await).await?;
    volumes.retain(|one| one.volume_id.is_some() && one.reclaim_policy != RETAIN);
    Ok(volumes)
}

fn unknown(error: &KubeError) -> String {
    format!(
        "whether the volumes are kept could not be read: {}",
        error.brief()
    )
}

/// With the volumes that are not protected now, where that can be read.
async fn refusal<K: Clock>(run: &Run<'_, K>, error: &KubeError) -> String {
    let open = match unprotected(run).await {
        Ok(open) if !open.is_empty() => named(&open),
        Ok(_) | Err(_) => "not every PersistentVolume".to_owned(),
    };
    format!(
        "{open} could not be set to reclaim policy Retain: {}",
        error.brief()
    )
}

fn named(open: &[VolumeObject]) -> String {
    let one = |volume: &VolumeObject| {
        let id = volume.volume_id.as_deref().unwrap_or_default();
        let claim = volume
            .claim
            .as_ref()
            .map_or(String::new(), |(namespace, name)| {
                format!(", claim {namespace}/{name}")
            });
        format!("{} ({id}{claim})", volume.object.name)
    };
    format!("PersistentVolume {}", some(open.iter().map(one)))
}
