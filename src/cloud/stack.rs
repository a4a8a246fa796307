//! Stacks and their resources, as they are in the account.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::Value;

use super::{ResourceStatus, StackStatus};
use crate::common::arn::region_option;

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

impl LiveStack {
    /// The stack as a command of the AWS CLI names it, with its region.
    pub fn named(&self) -> StackRef<'_> {
        StackRef {
            name: &self.name,
            id: &self.id,
        }
    }
}

/// What a message needs to name a stack and to advise a command on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StackRef<'a> {
    pub name: &'a str,
    /// ARN; it has the region.
    pub id: &'a str,
}

impl StackRef<'_> {
    /// ` --region R --stack-name NAME`, to follow an operation of CloudFormation.
    pub fn options(self) -> String {
        format!("{} --stack-name {}", region_option(self.id), self.name)
    }
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
