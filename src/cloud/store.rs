//! What is outside CloudFormation: parameters, secrets, objects, consoles.

use jiff::Timestamp;
use secrecy::SecretString;

use super::{Boots, CloudError};

/// The result of a write that never overwrites.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PutResult {
    /// Ours is stored.
    Stored,
    /// There was one already: read it and use it.
    AlreadyThere,
}

/// A parameter as a list shows it, without its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParameterSummary {
    pub name: String,
    /// The KMS key of a secret, as it was named when the secret was stored; `None` for a plain value.
    pub key: Option<String>,
    /// When its value was last written, by the server's clock.
    pub written: Timestamp,
}

/// An object that lies in a bucket as it was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UploadedObject {
    pub outcome: UploadOutcome,
    /// Names exactly these bytes from now on; `None` in a bucket that keeps no versions.
    pub version: Option<String>,
}

/// What an upload came upon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UploadOutcome {
    /// No object of this key that could be read: ours is stored.
    Stored,
    /// The same bytes were there already.
    AlreadyThere,
    /// There were other bytes under this key: ours are stored over them.
    Replaced,
}

/// What to report of an object that was [`Replaced`](UploadOutcome::Replaced).
pub fn replaced_object(bucket: &str, key: &str) -> String {
    format!(
        "s3://{bucket}/{key} had other content and was replaced; find out who may write to that bucket: \
         the other content is kept as the version before"
    )
}

/// What lies under a key, compared with the bytes that belong there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoredContent {
    Missing,
    /// Exactly these bytes, under this version.
    Same {
        version: Option<String>,
    },
    /// Other bytes.
    Other,
}

/// The end of a machine's console output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Console {
    /// The instance's id.
    pub instance: String,
    /// What EC2 keeps of it, 64 KB, oldest line first.
    pub lines: Vec<String>,
}

/// What is outside CloudFormation: parameters, secrets, objects.
#[allow(async_fn_in_trait, reason = "one thread, no Send bound wanted")]
pub trait Store: Boots {
    /// A plain parameter by name, AWS's public ones too. `None` when there is none.
    async fn parameter(&self, name: &str) -> Result<Option<String>, CloudError>;

    /// A secret by name. `None` when there is none.
    async fn secret(&self, name: &str) -> Result<Option<SecretString>, CloudError>;

    /// Stores a secret under `key` (a KMS key's ARN), never overwriting one.
    async fn put_secret_if_absent(
        &self,
        name: &str,
        secret: &SecretString,
        key: &str,
    ) -> Result<PutResult, CloudError>;

    /// Stores a plain value, never overwriting one.
    async fn put_parameter_if_absent(
        &self,
        name: &str,
        value: &str,
    ) -> Result<PutResult, CloudError>;

    /// Every parameter under `path`, sorted by name, without a value: nothing is decrypted.
    async fn parameters_under(&self, path: &str) -> Result<Vec<ParameterSummary>, CloudError>;

    /// Deletes every parameter under `path` but the one named `except`; returns their names.
    async fn delete_parameters_under(
        &self,
        path: &str,
        except: Option<&str>,
    ) -> Result<Vec<String>, CloudError>;

    /// Makes an object have these bytes: puts it unless exactly they are there. For objects whose content
    /// never changes.
    async fn upload(
        &self,
        bucket: &str,
        key: &str,
        bytes: &[u8],
    ) -> Result<UploadedObject, CloudError>;

    /// Compares an object with the bytes that it should have, by the checksum that S3 computed where there
    /// is one; changes nothing. A caller who may not read it gets `Denied`.
    async fn compare_object(
        &self,
        bucket: &str,
        key: &str,
        bytes: &[u8],
    ) -> Result<StoredContent, CloudError>;

    /// The bytes of an object. `None` when there is none.
    async fn object(&self, bucket: &str, key: &str) -> Result<Option<Vec<u8>>, CloudError>;

    /// Deletes every object and version in a bucket; returns how many. Not an error if it is gone.
    async fn empty_bucket(&self, bucket: &str) -> Result<usize, CloudError>;

    /// The last console output of the newest machine of an Auto Scaling group; `None` when there is no
    /// machine or no output yet.
    async fn console(&self, group: &str) -> Result<Option<Console>, CloudError>;
}
