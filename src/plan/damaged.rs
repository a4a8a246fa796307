//! Objects in a cluster's buckets that are not as they should be, as data.

use serde::Serialize;

/// An object in a bucket that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DamagedObject {
    pub bucket: String,
    pub key: String,
    pub damage: Damage,
}

/// What is wrong with an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Damage {
    Missing,
    /// It is there with other content.
    OtherContent,
}

impl DamagedObject {
    /// What is wrong, and what a run does about it.
    pub fn text(&self) -> String {
        let Self {
            bucket,
            key,
            damage,
        } = self;
        match damage {
            Damage::Missing => format!("s3://{bucket}/{key} is missing: it is put back"),
            Damage::OtherContent => format!(
                "s3://{bucket}/{key} has other content: it is replaced; find out who may write to \
                 that bucket"
            ),
        }
    }
}
