//! The trait [`Inspect`] over KMS, S3 and IAM.

use std::collections::BTreeSet;

use serde_json::Value;

use super::calls::ApiCall;
use super::error::unanswered;
use super::{Aws, iam, kms};
use crate::cloud::CloudError;
use crate::cloud::inspect::{ACCESS_BLOCKS, BucketAccess, Inspect, KeyState, RoleAccess};
use crate::cloud::limiter::Service;

impl Inspect for Aws {
    async fn key(&self, key: &str) -> Result<Option<KeyState>, CloudError> {
        kms::state(self, key).await
    }

    async fn key_policy(&self, key: &str) -> Result<Option<Value>, CloudError> {
        kms::policy(self, key).await
    }

    async fn bucket_access(&self, bucket: &str) -> Result<Option<BucketAccess>, CloudError> {
        let blocks = match blocks(self, bucket).await {
            Err(CloudError::NotFound(what)) if what.starts_with("bucket ") => return Ok(None),
            blocks => CloudError::optional(blocks)?.unwrap_or_default(),
        };
        let policy = match bucket_policy(self, bucket).await {
            Err(CloudError::NotFound(what)) if what.starts_with("bucket ") => return Ok(None),
            policy => CloudError::optional(policy)?,
        };
        Ok(Some(BucketAccess { blocks, policy }))
    }

    async fn role(&self, name: &str) -> Result<Option<RoleAccess>, CloudError> {
        iam::role(self, name).await
    }
}

async fn blocks(aws: &Aws, bucket: &str) -> Result<BTreeSet<String>, CloudError> {
    let api_call = ApiCall::new(Service::S3, "GetPublicAccessBlock", bucket);
    let request = aws.s3.get_public_access_block().bucket(bucket);
    let answer = aws.ask(api_call, request.send()).await?;
    let Some(block) = answer.public_access_block_configuration else {
        return Ok(BTreeSet::new());
    };
    let parts = [
        block.block_public_acls,
        block.block_public_policy,
        block.ignore_public_acls,
        block.restrict_public_buckets,
    ];
    let on = ACCESS_BLOCKS.into_iter().zip(parts);
    let on = on.filter(|(_, part)| part.unwrap_or_default());
    Ok(on.map(|(name, _)| name.to_owned()).collect())
}

/// The policy of a bucket.
pub(super) async fn bucket_policy(aws: &Aws, bucket: &str) -> Result<Value, CloudError> {
    let api_call = ApiCall::new(Service::S3, "GetBucketPolicy", bucket);
    let request = aws.s3.get_bucket_policy().bucket(bucket);
    let answer = aws.ask(api_call, request.send()).await?;
    let text = answer.policy.unwrap_or_default();
    serde_json::from_str(&text)
        .map_err(|error| unanswered(api_call, &format!("a policy that is not JSON ({error})")))
}
