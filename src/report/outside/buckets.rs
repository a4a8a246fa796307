//! What is deleted with a state bucket: the etcd snapshots, and the keys without which the Secrets in them can't be read; with
//! the commands that save them.

use jiff::Timestamp;
use serde::Serialize;

use crate::access::copy::COPY_KEY;
use crate::common::duration::age;
use crate::common::text::{count, listed_line};
use crate::etcd::Snapshot;

/// A state bucket that goes, and what is in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateBucket {
    pub name: String,
    /// Whether its stack is gone: what else is in it is deleted one by one.
    pub is_left: bool,
    /// What is in it, or why that is not known.
    pub contents: Result<BucketContents, String>,
}

/// What is in a state bucket.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BucketContents {
    /// Newest first.
    pub snapshots: Vec<Snapshot>,
    /// How many objects there are in all, snapshots too; older versions are not counted.
    pub objects: usize,
}

/// As JSON.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct BucketJson<'a> {
    name: &'a str,
    /// Whether its stack is gone.
    is_left: bool,
    objects: Option<usize>,
    snapshots: Option<usize>,
    newest: Option<&'a Snapshot>,
    /// Why it is not known what is in it.
    why: Option<&'a str>,
    /// Commands that save the newest snapshot, and the keys of the Secrets in it.
    save: Vec<String>,
}

/// Ages are counted to `now`.
pub fn state_bucket(bucket: &StateBucket, region: &str, now: Timestamp) -> String {
    let name = &bucket.name;
    let text = match &bucket.contents {
        Err(error) => {
            format!("the etcd snapshots in {name} are deleted; they could not be listed: {error}")
        }
        Ok(contents) => match contents.snapshots.first() {
            None => format!("{name} holds no etcd snapshot{}", others(bucket, contents)),
            Some(newest) => {
                let [snapshot, keys] = save(name, newest, region);
                format!(
                    "{} in {name}, deleted with it{}. To keep the newest, {} old: `{snapshot}`; and the keys of the Secrets in \
                     it, which are deleted too (the file is as secret as they are): `{keys}`",
                    count(contents.snapshots.len(), "etcd snapshot"),
                    others(bucket, contents),
                    age(now.duration_since(newest.written)),
                )
            }
        },
    };
    listed_line("!! ", &text)
}

fn others(bucket: &StateBucket, contents: &BucketContents) -> String {
    if bucket.is_left {
        format!(" ({} in all)", count(contents.objects, "object"))
    } else {
        String::new()
    }
}

fn save(bucket: &str, newest: &Snapshot, region: &str) -> [String; 2] {
    [newest.key.as_str(), COPY_KEY]
        .map(|key| format!("aws s3 cp --region {region} s3://{bucket}/{key} ."))
}

pub(super) fn json<'a>(bucket: &'a StateBucket, region: &str) -> BucketJson<'a> {
    let contents = bucket.contents.as_ref().ok();
    let newest = contents.and_then(|contents| contents.snapshots.first());
    let save = newest.map(|newest| save(&bucket.name, newest, region));
    BucketJson {
        name: &bucket.name,
        is_left: bucket.is_left,
        objects: contents.map(|contents| contents.objects),
        snapshots: contents.map(|contents| contents.snapshots.len()),
        newest,
        why: bucket.contents.as_ref().err().map(String::as_str),
        save: save.into_iter().flatten().collect(),
    }
}
