//! Stacks and their resources, as they are in the account.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::Value;

use super::{ResourceStatus, StackStatus};

/// A stack as it is in the account.
#[derive(Debug, Clone, PartialEq)]
pub struct LiveStack {
    /// ARN: stacks are matched by it, never by name, once it is known.
    pub id: String,
    pub name: String,
    /// Value of [`TAG_CLUSTER`](crate::common::tags::TAG_CLUSTER).
    pub cluster: String,
    /// Value of [`TAG_STACK`](crate::common::tags::TAG_STACK).
    pub kind: String,
    pub status: StackStatus,
    pub reason: Option<String>,
    pub parameters: BTreeMap<String, String>,
    pub outputs: BTreeMap<String, String>,
    pub tags: BTreeMap<String, String>,
    pub termination_protection: bool,
    pub created: Timestamp,
    pub updated: Option<Timestamp>,
}

/// A resource of a stack as it is in the account.
#[derive(Debug, Clone, PartialEq)]
pub struct LiveResource {
    pub logical_id: String,
    pub physical_id: Option<String>,
    pub resource_type: String,
    pub status: ResourceStatus,
    pub reason: Option<String>,
}

/// Termination protection and stack policy.
#[derive(Debug, Clone, PartialEq)]
pub struct Protection {
    pub termination: bool,
    /// Stack policy document.
    pub policy: Option<Value>,
}
