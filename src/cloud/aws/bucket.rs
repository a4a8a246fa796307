//! Objects in S3: making one have its bytes, comparing and reading one, and emptying a bucket to the last version.

use aws_sdk_s3::error::ProvideErrorMetadata;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{ChecksumMode, Delete, ObjectIdentifier};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

use super::Aws;
use super::calls::{ApiCall, each_page};
use super::error::{explain, unanswered};
use crate::cloud::limiter::Service;
use crate::cloud::{CloudError, StoredContent, UploadOutcome, UploadedObject};

/// Puts an object unless exactly these bytes are there.
pub(super) async fn upload(
    aws: &Aws,
    bucket: &str,
    key: &str,
    bytes: &[u8],
) -> Result<UploadedObject, CloudError> {
    let outcome = match compare(aws, bucket, key, bytes).await {
        Ok(StoredContent::Same { version }) => {
            return Ok(UploadedObject {
                outcome: UploadOutcome::AlreadyThere,
                version,
            });
        }
        Ok(StoredContent::Other) => UploadOutcome::Replaced,
        // A caller who may not read cannot know what is there, and one who may not list a bucket gets 403
        // for every missing key.
        Ok(StoredContent::Missing) | Err(CloudError::Denied { .. }) => UploadOutcome::Stored,
        Err(error) => return Err(error),
    };
    let version = put(aws, bucket, key, bytes).await?;
    Ok(UploadedObject { outcome, version })
}

/// Compares an object with the bytes that it should have.
pub(super) async fn compare(
    aws: &Aws,
    bucket: &str,
    key: &str,
    bytes: &[u8],
) -> Result<StoredContent, CloudError> {
    let address = format!("{bucket}/{key}");
    let api_call = ApiCall::new(Service::S3, "HeadObject", &address);
    let request = aws.s3.head_object().bucket(bucket).key(key);
    let request = request.checksum_mode(ChecksumMode::Enabled);
    let Some(found) = CloudError::optional(aws.ask(api_call, request.send()).await)? else {
        return Ok(StoredContent::Missing);
    };
    let version = kept(found.version_id);
    // S3 computes or checks it. With a dash it is the sum of the parts' sums.
    let sum = found.checksum_sha256.filter(|sum| !sum.contains('-'));
    let same = match sum {
        Some(sum) => sum == checksum(bytes),
        // Written by a program that asks for another checksum, or for none.
        None => holds(aws, bucket, key, version.as_deref(), bytes).await?,
    };
    Ok(if same {
        StoredContent::Same { version }
    } else {
        StoredContent::Other
    })
}

/// Whether a version of an object has exactly these bytes. Reads one more at most: an object may be huge.
async fn holds(
    aws: &Aws,
    bucket: &str,
    key: &str,
    version: Option<&str>,
    bytes: &[u8],
) -> Result<bool, CloudError> {
    let address = format!("{bucket}/{key}");
    let api_call = ApiCall::new(Service::S3, "GetObject", &address);
    let request = aws.s3.get_object().bucket(bucket).key(key);
    let request = request
        .set_version_id(version.map(str::to_owned))
        .range(format!("bytes=0-{}", bytes.len()));
    match aws.send(api_call, request.send()).await {
        Ok(answer) => Ok(collected(api_call, answer.body).await? == bytes),
        // An empty one.
        Err(error) if error.code() == Some("InvalidRange") => Ok(bytes.is_empty()),
        Err(error) => Err(explain(api_call, &error)),
    }
}

/// Puts an object over whatever is there; returns its version.
pub(super) async fn put(
    aws: &Aws,
    bucket: &str,
    key: &str,
    bytes: &[u8],
) -> Result<Option<String>, CloudError> {
    let address = format!("{bucket}/{key}");
    let api_call = ApiCall::new(Service::S3, "PutObject", &address);
    // No encryption header: the bucket's default names our key, and a header without a key's name
    // would choose AWS's own instead.
    let request = aws
        .s3
        .put_object()
        .bucket(bucket)
        .key(key)
        .checksum_sha256(checksum(bytes))
        .body(ByteStream::from(bytes.to_vec()));
    match aws.ask(api_call, request.send()).await {
        Ok(answer) => Ok(kept(answer.version_id)),
        // It is about the bucket, not about the object in it.
        Err(CloudError::NotFound(what)) if what.starts_with("bucket ") => {
            Err(CloudError::NotFound(format!("bucket {bucket}")))
        }
        Err(error) => Err(error),
    }
}

/// SHA-256, as S3 has it.
fn checksum(bytes: &[u8]) -> String {
    STANDARD.encode(Sha256::digest(bytes))
}

/// A version that nobody can put other bytes under: `null` is that of a bucket which keeps none.
fn kept(version: Option<String>) -> Option<String> {
    version.filter(|version| version != "null")
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
    collected(api_call, answer.body).await.map(Some)
}

async fn collected(api_call: ApiCall<'_>, body: ByteStream) -> Result<Vec<u8>, CloudError> {
    match body.collect().await {
        Ok(bytes) => Ok(bytes.to_vec()),
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
