//! Objects in S3: putting one that is named by its content, reading one, and emptying a bucket to the last version.

use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{Delete, ObjectIdentifier};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

use super::Aws;
use super::calls::{ApiCall, each_page};
use super::error::unanswered;
use crate::cloud::CloudError;
use crate::cloud::limiter::Service;

pub(super) async fn upload(
    aws: &Aws,
    bucket: &str,
    key: &str,
    bytes: &[u8],
) -> Result<(), CloudError> {
    let address = format!("{bucket}/{key}");
    if is_there(aws, bucket, key, &address).await? {
        return Ok(());
    }
    put(aws, bucket, key, bytes).await
}

/// Puts an object in place of what is there.
pub(super) async fn put(
    aws: &Aws,
    bucket: &str,
    key: &str,
    bytes: &[u8],
) -> Result<(), CloudError> {
    let address = format!("{bucket}/{key}");
    let api_call = ApiCall::new(Service::S3, "PutObject", &address);
    // No encryption header: the bucket's default names our key, and a header without a key's name
    // would choose AWS's own instead.
    let request = aws
        .s3
        .put_object()
        .bucket(bucket)
        .key(key)
        .checksum_sha256(STANDARD.encode(Sha256::digest(bytes)))
        .body(ByteStream::from(bytes.to_vec()));
    match aws.ask(api_call, request.send()).await {
        Ok(_) => Ok(()),
        // It is about the bucket, not about the object in it.
        Err(CloudError::NotFound(what)) if what.starts_with("bucket ") => {
            Err(CloudError::NotFound(format!("bucket {bucket}")))
        }
        Err(error) => Err(error),
    }
}

async fn is_there(aws: &Aws, bucket: &str, key: &str, address: &str) -> Result<bool, CloudError> {
    let api_call = ApiCall::new(Service::S3, "HeadObject", address);
    let request = aws.s3.head_object().bucket(bucket).key(key);
    match aws.ask(api_call, request.send()).await {
        Ok(_) => Ok(true),
        // A caller who may not list a bucket gets 403 for every missing key.
        Err(CloudError::NotFound(_) | CloudError::Denied { .. }) => Ok(false),
        Err(error) => Err(error),
    }
}

/// The bytes of an object. A caller who may not list the bucket gets 403 for a missing one, so that is
/// no answer.
pub(super) async fn read(
    aws: &Aws,
    bucket: &str,
    key: &str,
) -> Result<Option<Vec<u8>>, CloudError> {
    let address = format!("{bucket}/{key}");
    let api_call = ApiCall::new(Service::S3, "GetObject", &address);
    let request = aws.s3.get_object().bucket(bucket).key(key);
    let Some(answer) = CloudError::optional(aws.ask(api_call, request.send()).await)? else {
        return Ok(None);
    };
    match answer.body.collect().await {
        Ok(bytes) => Ok(Some(bytes.to_vec())),
        Err(error) => Err(unanswered(api_call, &error.to_string())),
    }
}

/// Deletes every version and delete marker. A bucket that is gone holds none.
pub(super) async fn empty(aws: &Aws, bucket: &str) -> Result<usize, CloudError> {
    let api_call = ApiCall::new(Service::S3, "ListObjectVersions", bucket);
    let mut deleted = 0;
    let emptied = each_page(async |next: Option<(Option<String>, Option<String>)>| {
        let (key, version) = next.unwrap_or_default();
        let request = aws.s3.list_object_versions().bucket(bucket);
        let request = request.set_key_marker(key).set_version_id_marker(version);
        let page = aws.ask(api_call, request.send()).await?;
        let versions = page.versions.unwrap_or_default();
        let markers = page.delete_markers.unwrap_or_default();
        let versions = versions.into_iter().map(|one| (one.key, one.version_id));
        let markers = markers.into_iter().map(|one| (one.key, one.version_id));
        // At most 1000 a page, which is what one `DeleteObjects` takes.
        let objects: Vec<_> = versions.chain(markers).filter_map(identifier).collect();
        deleted += objects.len();
        delete(aws, bucket, objects).await?;
        let next = (page.next_key_marker, page.next_version_id_marker);
        Ok(page.is_truncated.unwrap_or_default().then_some(next))
    });
    CloudError::optional(emptied.await)?;
    Ok(deleted)
}

fn identifier((key, version): (Option<String>, Option<String>)) -> Option<ObjectIdentifier> {
    let object = ObjectIdentifier::builder().key(key?);
    object.set_version_id(version).build().ok()
}

async fn delete(aws: &Aws, bucket: &str, objects: Vec<ObjectIdentifier>) -> Result<(), CloudError> {
    if objects.is_empty() {
        return Ok(());
    }
    let api_call = ApiCall::new(Service::S3, "DeleteObjects", bucket);
    let refused = |message: String| CloudError::Refused {
        operation: api_call.to_string(),
        message,
    };
    let batch = Delete::builder().set_objects(Some(objects)).quiet(true);
    let batch = batch.build().map_err(|error| refused(error.to_string()))?;
    let request = aws.s3.delete_objects().bucket(bucket).delete(batch);
    let answer = aws.ask(api_call, request.send()).await?;
    let errors = answer.errors.unwrap_or_default();
    let Some(first) = errors.first() else {
        return Ok(());
    };
    Err(refused(format!(
        "{} of the objects could not be deleted, the first is {}: {}",
        errors.len(),
        first.key.as_deref().unwrap_or("unnamed"),
        first
            .message
            .as_deref()
            .or(first.code.as_deref())
            .unwrap_or("no reason given"),
    )))
}
