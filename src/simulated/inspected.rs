//! The key, the buckets and the roles of a simulated account as they are: what the templates made of them, with
//! what was changed outside CloudFormation.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::Simulated;
use super::names::{Setting, attribute};
use super::stack::{Resource, Stack, timestamp};
use super::state::State;
use crate::cloud::{ACCESS_BLOCKS, BucketAccess, CloudError, Inspect, KeyState, RoleAccess};
use crate::templates::evaluate::text;

impl Inspect for Simulated {
    async fn key(&self, key: &str) -> Result<Option<KeyState>, CloudError> {
        self.read("key", key, |state| {
            let found = state.found("AWS::KMS::Key", key);
            let own = found.map(|found| key_state(state.now, &found));
            Ok(own.or_else(|| state.foreign_alias(key)))
        })
        .await
    }

    async fn key_policy(&self, key: &str) -> Result<Option<Value>, CloudError> {
        self.read("key_policy", key, |state| {
            let found = state.found("AWS::KMS::Key", key);
            Ok(found.map(|found| found.properties["KeyPolicy"].clone()))
        })
        .await
    }

    async fn bucket_access(&self, bucket: &str) -> Result<Option<BucketAccess>, CloudError> {
        self.read("bucket_access", bucket, |state| {
            let Some(found) = state.found("AWS::S3::Bucket", bucket) else {
                return Ok(None);
            };
            let block = &found.properties["PublicAccessBlockConfiguration"];
            let on = |part: &&str| block[*part] == Value::Bool(true);
            let policy = state.found("AWS::S3::BucketPolicy", bucket);
            Ok(Some(BucketAccess {
                blocks: ACCESS_BLOCKS
                    .into_iter()
                    .filter(on)
                    .map(str::to_owned)
                    .collect(),
                policy: policy.map(|policy| policy.properties["PolicyDocument"].clone()),
            }))
        })
        .await
    }

    async fn role(&self, name: &str) -> Result<Option<RoleAccess>, CloudError> {
        self.read("role", name, |state| Ok(state.role(name))).await
    }
}

/// A resource with its properties as they are now.
pub(super) struct Found {
    physical_id: String,
    pub(super) properties: Value,
}

fn key_state(now: i64, key: &Found) -> KeyState {
    match (
        &key.properties["PendingDeletion"],
        &key.properties["Enabled"],
    ) {
        (Value::Bool(true), _) => {
            let days = key.properties["PendingWindowInDays"].as_i64().unwrap_or(30);
            let end = timestamp(now).checked_add(SignedDuration::from_hours(24 * days));
            KeyState::PendingDeletion(end.ok().filter(|end| *end < Timestamp::MAX))
        }
        (_, Value::Bool(false)) => KeyState::Disabled,
        _ => KeyState::Enabled,
    }
}

impl State {
    pub(super) fn found(&self, of_type: &str, physical_id: &str) -> Option<Found> {
        let id = match of_type {
            "AWS::KMS::Key" => physical_id.rsplit('/').next().unwrap_or(physical_id),
            _ => physical_id,
        };
        let mut all = self.all(of_type);
        all.find(|found| found.physical_id == id)
    }

    /// Every resource of a type.
    pub(super) fn all(&self, of_type: &str) -> impl Iterator<Item = Found> {
        let setting = &self.env.setting;
        let stacks = self.stacks.iter().filter(|stack| !stack.is_deleted());
        let resources =
            stacks.flat_map(|stack| stack.resources.iter().map(move |one| (stack, one)));
        resources
            .filter(move |(_, one)| one.kind == of_type && one.exists() && !one.deleted_externally)
            .filter_map(move |(stack, one)| {
                Some(Found {
                    physical_id: one.physical_id.clone()?,
                    properties: now(setting, stack, one),
                })
            })
    }

    fn role(&self, name: &str) -> Option<RoleAccess> {
        let role = self.found("AWS::IAM::Role", name)?;
        let has = |found: &Found| texts(&found.properties["Roles"]).contains(name);
        let managed = self
            .all("AWS::IAM::ManagedPolicy")
            .filter(has)
            .map(|policy| {
                let arn = attribute(
                    &self.env.setting,
                    "AWS::IAM::ManagedPolicy",
                    &policy.physical_id,
                    "Arn",
                    1,
                );
                (arn, Some(policy.properties["PolicyDocument"].clone()))
            });
        let attached = texts(&role.properties["ManagedPolicyArns"]);
        let inline = self.all("AWS::IAM::Policy").filter(has).map(|policy| {
            let name = text(&policy.properties["PolicyName"]);
            (name, policy.properties["PolicyDocument"].clone())
        });
        let mut inline: BTreeMap<String, Value> = inline.collect();
        let own = role.properties["Policies"].as_array();
        inline.extend(own.into_iter().flatten().map(|policy| {
            (
                text(&policy["PolicyName"]),
                policy["PolicyDocument"].clone(),
            )
        }));
        Some(RoleAccess {
            trust: document(&role.properties["AssumeRolePolicyDocument"]),
            attached: managed
                .chain(attached.into_iter().map(|arn| (arn, None)))
                .collect(),
            inline,
        })
    }
}

/// A document that a template may give as text.
fn document(value: &Value) -> Value {
    let parsed = value
        .as_str()
        .and_then(|text| serde_json::from_str(text).ok());
    parsed.unwrap_or_else(|| value.clone())
}

pub(super) fn texts(list: &Value) -> BTreeSet<String> {
    list.as_array().into_iter().flatten().map(text).collect()
}

/// The properties of a resource with what was changed outside CloudFormation.
pub(super) fn now(setting: &Setting, stack: &Stack, resource: &Resource) -> Value {
    let mut properties = stack.properties(setting, &resource.logical_id);
    for (path, value) in &resource.external_properties {
        put(&mut properties, path, value);
    }
    properties
}

/// Sets what a path with dots leads to. An index at the end of a list adds to it.
fn put(properties: &mut Value, path: &str, value: &Value) {
    let mut place = properties;
    for step in path.split('.') {
        place = match (place.is_array(), step.parse::<usize>()) {
            (true, Ok(index)) => {
                let Some(items) = place.as_array_mut() else {
                    return;
                };
                if items.len() <= index {
                    items.resize(index + 1, Value::Null);
                }
                &mut items[index]
            }
            _ if place.is_object() || place.is_null() => &mut place[step],
            _ => return,
        };
    }
    value.clone_into(place);
}
