//! Buckets and keys that stacks left behind: by their tag, and whether each of them still is there.

use std::collections::BTreeMap;

use serde_json::{Value, json as object};

use super::tagging::tagged;
use super::tags::OF_STACKS;
use super::{json, unreadable, with_action};
use crate::cloud::CloudError;
use crate::cloud::aws::Aws;
use crate::cloud::aws::calls::ApiCall;
use crate::cloud::aws::kms::{TARGET, moment};
use crate::cloud::limiter::Service;
use crate::cloud::outside::{OutsideKind, OutsideResource, OutsideScope};

pub(super) async fn buckets(
    aws: &Aws,
    scope: &OutsideScope,
) -> Result<Vec<OutsideResource>, CloudError> {
    let mut found = Vec::new();
    for (arn, tags) in tagged(aws, "s3", OF_STACKS, &scope.cluster).await? {
        let Some(name) = bucket_name(&arn) else {
            continue;
        };
        if bucket_exists(aws, name).await? {
            found.push(OutsideResource {
                tags,
                ..OutsideResource::new(OutsideKind::Bucket, name)
            });
        }
    }
    Ok(found)
}

/// The name in a bucket's ARN, `arn:aws:s3:::NAME`; what else S3 has lies in an account and has a path.
fn bucket_name(arn: &str) -> Option<&str> {
    let (_, name) = arn.split_once(":s3:::")?;
    (!name.is_empty() && !name.contains(['/', ':'])).then_some(name)
}

async fn bucket_exists(aws: &Aws, name: &str) -> Result<bool, CloudError> {
    let api_call = ApiCall::new(Service::S3, "HeadBucket", name);
    let answer = aws
        .ask(api_call, aws.s3.head_bucket().bucket(name).send())
        .await;
    let answer = answer.map_err(|error| with_action(api_call, error));
    Ok(CloudError::optional(answer)?.is_some())
}

pub(super) async fn keys(
    aws: &Aws,
    scope: &OutsideScope,
) -> Result<Vec<OutsideResource>, CloudError> {
    let mut found = Vec::new();
    for (arn, tags) in tagged(aws, "kms", OF_STACKS, &scope.cluster).await? {
        if arn.contains(":key/")
            && let Some(key) = key(aws, &arn, tags).await?
        {
            found.push(key);
        }
    }
    Ok(found)
}

/// A key that is there, also one that waits for its deletion.
async fn key(
    aws: &Aws,
    arn: &str,
    tags: BTreeMap<String, String>,
) -> Result<Option<OutsideResource>, CloudError> {
    let api_call = ApiCall::new(Service::Kms, "DescribeKey", arn);
    let answer = json(aws, (api_call, TARGET), &object!({ "KeyId": arn })).await;
    let Some(answer) = CloudError::optional(answer)? else {
        return Ok(None);
    };
    let found = described(arn, &answer).map_err(unreadable(api_call))?;
    Ok(Some(OutsideResource { tags, ..found }))
}

fn described(arn: &str, answer: &Value) -> Result<OutsideResource, String> {
    let about = &answer["KeyMetadata"];
    let state = about["KeyState"].as_str();
    let state = state.ok_or("an answer without the key's state")?;
    let text = about["Description"]
        .as_str()
        .filter(|text| !text.is_empty());
    Ok(OutsideResource {
        state: Some(state.to_owned()),
        created: moment(&about["CreationDate"]),
        ends: moment(&about["DeletionDate"]),
        description: text.map(str::to_owned),
        ..OutsideResource::new(OutsideKind::Key, arn)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bucket_differs_from_what_else_s3_has() {
        assert_eq!(
            bucket_name("arn:aws:s3:::canary-state"),
            Some("canary-state")
        );
        assert_eq!(bucket_name("arn:aws-us-gov:s3:::a"), Some("a"));
        for other in [
            "arn:aws:s3:eu-west-1:1:storage-lens/x",
            "arn:aws:s3:::bucket/key",
            "arn:aws:s3:::",
        ] {
            assert_eq!(bucket_name(other), None, "{other}");
        }
    }

    #[test]
    fn key_has_its_state_and_needs_it() {
        let answer = object!({"KeyMetadata": {
            "KeyId": "7f", "KeyState": "Enabled", "CreationDate": 1_700_000_000.123, "Description": "",
        }});
        let key = described("arn:k", &answer).expect("an answer");
        assert_eq!(key.state.as_deref(), Some("Enabled"));
        assert_eq!(
            key.created.map(jiff::Timestamp::as_second),
            Some(1_700_000_000)
        );
        assert_eq!((key.description, key.ends), (None, None));
        let answer = object!({"KeyMetadata": {"KeyState": "PendingDeletion", "DeletionDate": 1_800_000_000.0}});
        let key = described("arn:k", &answer).expect("an answer");
        assert!(key.is_scheduled());
        assert_eq!(
            key.ends.map(jiff::Timestamp::as_second),
            Some(1_800_000_000)
        );
        assert!(described("arn:k", &object!({"KeyMetadata": {}})).is_err());
    }
}
