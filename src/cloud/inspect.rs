//! What guards a cluster's data beside its stacks, as it is in the account: the key, the buckets, the roles.
//! CloudFormation's drift detection sees little of it: neither key policies nor what was added to a role.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde_json::Value;

use super::CloudError;

/// Reads of the account that change nothing. `None` where something does not exist.
#[allow(async_fn_in_trait, reason = "one thread, no Send bound wanted")]
pub trait Inspect {
    /// Whether a KMS key can be used, by ARN or id.
    async fn key(&self, key: &str) -> Result<Option<KeyState>, CloudError>;

    /// The policy in force of a KMS key, by ARN or id.
    async fn key_policy(&self, key: &str) -> Result<Option<Value>, CloudError>;

    /// Who a bucket is open to.
    async fn bucket_access(&self, bucket: &str) -> Result<Option<BucketAccess>, CloudError>;

    /// What a role may do and who may take it.
    async fn role(&self, name: &str) -> Result<Option<RoleAccess>, CloudError>;
}

/// Whether a key can be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyState {
    Enabled,
    /// Nothing under it can be read until it is enabled again.
    Disabled,
    /// Nothing under it can be read; deleted for good at that time, where AWS says it.
    PendingDeletion(Option<Timestamp>),
    /// Another state, in AWS's word.
    Other(String),
}

/// Who a bucket is open to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BucketAccess {
    /// The parts of its public access block that are on, by the names of their properties.
    pub blocks: BTreeSet<String>,
    pub policy: Option<Value>,
}

/// The parts of a public access block, as AWS names them.
pub const ACCESS_BLOCKS: [&str; 4] = [
    "BlockPublicAcls",
    "BlockPublicPolicy",
    "IgnorePublicAcls",
    "RestrictPublicBuckets",
];

/// What a role may do and who may take it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RoleAccess {
    pub trust: Value,
    /// Attached managed policies by ARN; with the document where the policy is the account's own.
    pub attached: BTreeMap<String, Option<Value>>,
    /// Inline policies by name.
    pub inline: BTreeMap<String, Value>,
}
