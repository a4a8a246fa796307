//! Reads what guards the data of a stack in the account: its keys, buckets and roles.

use std::collections::BTreeMap;

use futures::future::{join, join_all};
use serde_json::Value;

use crate::cloud::{BucketAccess, Cloud, Inspect, KeyState, LiveResource, LiveStack, RoleAccess};

/// What was read, or why it could not be: AWS's answer for a physical id.
pub type Answer<T> = Result<Option<T>, String>;

/// Keys, buckets and roles of a stack, by logical id.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct AccountFacts {
    pub resources: Vec<LiveResource>,
    pub keys: BTreeMap<String, (Answer<KeyState>, Answer<Value>)>,
    pub buckets: BTreeMap<String, Answer<BucketAccess>>,
    pub roles: BTreeMap<String, Answer<RoleAccess>>,
}

/// Reads the account's side of a stack. `Err` where not even its resources could be listed.
pub async fn account(
    cloud: &(impl Cloud + Inspect),
    found: &LiveStack,
) -> Result<AccountFacts, String> {
    let resources = cloud.resources(&found.id).await;
    let mut resources = resources.map_err(|error| error.to_string())?;
    resources.retain(|one| one.physical_id.is_some() && !one.status.is_delete());
    let of = |wanted: &'static str| {
        let all = resources
            .iter()
            .filter(move |one| one.resource_type == wanted);
        all.filter_map(|one| Some((one.logical_id.clone(), one.physical_id.as_deref()?)))
    };
    let keys = join_all(of("AWS::KMS::Key").map(async |(id, key)| {
        let (state, policy) = join(cloud.key(key), cloud.key_policy(key)).await;
        let state = state.map_err(|error| error.to_string());
        (id, (state, policy.map_err(|error| error.to_string())))
    }));
    let buckets = join_all(of("AWS::S3::Bucket").map(async |(id, bucket)| {
        let access = cloud.bucket_access(bucket).await;
        (id, access.map_err(|error| error.to_string()))
    }));
    let roles = join_all(of("AWS::IAM::Role").map(async |(id, role)| {
        let access = cloud.role(role).await;
        (id, access.map_err(|error| error.to_string()))
    }));
    let ((keys, buckets), roles) = join(join(keys, buckets), roles).await;
    Ok(AccountFacts {
        keys: keys.into_iter().collect(),
        buckets: buckets.into_iter().collect(),
        roles: roles.into_iter().collect(),
        resources,
    })
}
