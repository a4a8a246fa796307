//! Volumes that are kept: every PersistentVolume of EBS gets the reclaim policy `Retain`, so that neither the end of
//! a pod that owns its claim nor a controller that runs on while machines go deletes it. Volumes that are made later, and a
//! policy that somebody sets back, are not protected: this is done again before the first stack is deleted.

use std::cell::Cell;

use crate::common::Clock;
use crate::common::text::count;
use crate::events::SweepPart;
use crate::kube::{KubeError, VolumeObject};

use super::rounds::{Run, some};

const RETAIN: &str = "Retain";
/// Looks: volumes that are made meanwhile are protected by the next one.
const LOOKS: usize = 5;

/// Protects every volume and reads back that it is; else why nothing may be deleted. How many keep the policy whatever
/// comes of the deletion is noted at once: the next request may be the last.
pub async fn all<K: Clock>(run: &Run<'_, K>) -> Option<String> {
    let changed = Cell::new(0);
    let refused = protect(run, &changed).await;
    if changed.get() > 0 {
        run.note(format!(
            "reclaim policy of {} set to Retain; it stays so, even if the cluster is not deleted",
            count(changed.get(), "PersistentVolume")
        ));
    }
    refused
}

async fn protect<K: Clock>(run: &Run<'_, K>, changed: &Cell<usize>) -> Option<String> {
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
                let patched = run.ask(async || run.api.retain(name).await).await?;
                changed.set(changed.get() + usize::from(patched.is_some()));
                Ok(())
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
