//! Taking a snapshot now, and the ones that are kept.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::Serialize;

use super::names::PREFIX;
use super::{EtcdError, Members, SnapshotKey};
use crate::cloud::remote::{Program, Remote, RemoteCommand};

/// What the checksum of a snapshot is called.
const SUM: &str = ".sha256";
/// Where the nodes keep the marks of a restore.
const MARKS: &str = "etcd/restore/";

/// A snapshot that was just taken and verified.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TakenSnapshot {
    /// Key in the state bucket.
    pub key: SnapshotKey,
    pub revision: u64,
    pub bytes: u64,
    pub sha256: String,
}

/// A snapshot in the state bucket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Snapshot {
    pub key: SnapshotKey,
    /// etcd's revision, as the key says it.
    pub revision: u64,
    pub bytes: u64,
    pub written: Timestamp,
    /// Whether the sum that a restore asks for lies beside it.
    pub verifiable: bool,
}

/// What lies under `etcd/` in the state bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshots {
    /// Newest first.
    pub found: Vec<Snapshot>,
    /// Keys of objects that no program of this tool writes there; none can be restored.
    pub foreign: Vec<String>,
}

/// Has the first slot that can take a snapshot; the error is the last slot's.
pub async fn snapshot<R: Remote>(members: &Members<'_, R>) -> Result<TakenSnapshot, EtcdError> {
    let mut failed = EtcdError::NoSlot {
        name: "that answers".to_owned(),
        known: members.known(),
    };
    for slot in &members.slots {
        let command = RemoteCommand::new(Program::EtcdSnapshot).word("--now");
        let asked = members.ask(slot, "take a snapshot", &command);
        let answer = match asked.await {
            Ok(answer) => answer,
            Err(error) => {
                failed = error;
                continue;
            }
        };
        if let (Some(Ok(key)), Some(sha256)) = (answer.key.map(|key| key.parse()), answer.sha256) {
            return Ok(TakenSnapshot {
                key,
                revision: answer.revision,
                bytes: answer.bytes,
                sha256,
            });
        }
        failed = EtcdError::Refused {
            slot: slot.letter(),
            doing: "take a snapshot".to_owned(),
            reason: answer
                .reason
                .unwrap_or_else(|| "no snapshot was taken".to_owned()),
        };
    }
    Err(failed)
}

/// The snapshots in the bucket, and what else lies beside them.
pub async fn list(cloud: &impl Remote, bucket: &str) -> Result<Snapshots, EtcdError> {
    let objects = cloud.objects(bucket, PREFIX).await;
    let objects = objects.map_err(EtcdError::Bucket)?;
    let sums: BTreeSet<&str> = objects
        .iter()
        .filter_map(|object| object.key.strip_suffix(SUM))
        .collect();
    let (mut found, mut foreign) = (Vec::new(), Vec::new());
    for object in &objects {
        let key = object.key.as_str();
        let of = key.strip_suffix(SUM).unwrap_or(key);
        match of.parse::<SnapshotKey>() {
            Ok(snapshot) if of == key => found.push(Snapshot {
                revision: snapshot.revision(),
                key: snapshot,
                bytes: object.bytes,
                written: object.written,
                verifiable: sums.contains(key),
            }),
            Ok(_) => {}
            Err(_) if key.starts_with(MARKS) => {}
            Err(_) => foreign.push(object.key.clone()),
        }
    }
    found.sort_by(|a, b| (b.written, &b.key).cmp(&(a.written, &a.key)));
    Ok(Snapshots { found, foreign })
}
