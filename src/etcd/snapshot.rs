//! Taking a snapshot now, and the ones that are kept.

use jiff::Timestamp;
use serde::Serialize;

use super::{EtcdError, Members};
use crate::cloud::remote::{ObjectSummary, Remote};

/// Where snapshots lie in the state bucket.
const PREFIX: &str = "etcd/";
const ENDING: &str = ".db";
const SUM: &str = ".sha256";

/// A snapshot that was just taken and verified.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TakenSnapshot {
    /// Key in the state bucket.
    pub key: String,
    pub revision: u64,
    pub bytes: u64,
    pub sha256: String,
}

/// A snapshot in the state bucket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Snapshot {
    pub key: String,
    /// etcd's revision, as the key says it.
    pub revision: Option<u64>,
    pub bytes: u64,
    pub written: Timestamp,
    /// Whether the sum that a restore asks for lies beside it.
    pub verifiable: bool,
}

/// Has the first slot that can take a snapshot; the error is the last slot's.
pub async fn snapshot<R: Remote>(members: &Members<'_, R>) -> Result<TakenSnapshot, EtcdError> {
    let mut failed = EtcdError::NoSlot {
        name: "that answers".to_owned(),
        known: members.known(),
    };
    for slot in &members.slots {
        let asked = members.ask(slot, "take a snapshot", "etcd-snapshot --now");
        let answer = match asked.await {
            Ok(answer) => answer,
            Err(error) => {
                failed = error;
                continue;
            }
        };
        if let (Some(key), Some(sha256)) = (answer.key, answer.sha256) {
            return Ok(TakenSnapshot {
                key,
                revision: answer.revision,
                bytes: answer.bytes,
                sha256,
            });
        }
        failed = EtcdError::Refused {
            slot: slot.letter,
            doing: "take a snapshot".to_owned(),
            reason: answer
                .reason
                .unwrap_or_else(|| "no snapshot was taken".to_owned()),
        };
    }
    Err(failed)
}

/// The snapshots in the bucket, newest first.
pub async fn list(cloud: &impl Remote, bucket: &str) -> Result<Vec<Snapshot>, EtcdError> {
    let objects = cloud.objects(bucket, PREFIX).await;
    let objects = objects.map_err(EtcdError::Bucket)?;
    let sum = |key: &str| {
        let beside = format!("{key}{SUM}");
        objects.iter().any(|object| object.key == beside)
    };
    let mut found: Vec<_> = objects
        .iter()
        .filter(|object| is_snapshot(&object.key))
        .map(|object| of(object, sum(&object.key)))
        .collect();
    found.sort_by(|a, b| (b.written, &b.key).cmp(&(a.written, &a.key)));
    Ok(found)
}

/// `etcd/TIME-REVISION.db`, not what a restore leaves below `etcd/restore/`.
fn is_snapshot(key: &str) -> bool {
    key.strip_prefix(PREFIX)
        .and_then(|rest| rest.strip_suffix(ENDING))
        .is_some_and(|name| !name.contains('/'))
}

fn of(object: &ObjectSummary, verifiable: bool) -> Snapshot {
    let name = object.key.strip_suffix(ENDING).unwrap_or(&object.key);
    let revision = name.rsplit_once('-').map(|(_, revision)| revision);
    Snapshot {
        key: object.key.clone(),
        revision: revision.and_then(|revision| revision.parse().ok()),
        bytes: object.bytes,
        written: object.written,
        verifiable,
    }
}
