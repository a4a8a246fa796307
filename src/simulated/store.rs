//! What is outside `CloudFormation`: parameters, secrets, objects, the consoles of machines.

use secrecy::{ExposeSecret, SecretString};

use super::Simulated;
use super::boots;
use super::engine::StoredObject;
use super::machines;
use super::rng::{hex, stream};
use super::stack::{Resource, Stack, timestamp};
use super::state::State;
use crate::cloud::{
    CloudError, Console, ParameterSummary, PutResult, Store, StoredContent, UploadOutcome,
    UploadedObject, VersionedParameters, VersionedValue, WriteGate,
};

/// A parameter as it is stored.
#[derive(Debug, Clone)]
pub struct StoredParameter {
    pub value: SecretString,
    /// The KMS key of a secret; `None` for a plain value.
    pub key: Option<String>,
    pub version: u64,
    written: i64,
    /// What was there before, for a read that is behind.
    before: Option<Box<StoredParameter>>,
}

impl Store for Simulated {
    async fn parameter(&self, name: &str) -> Result<Option<String>, CloudError> {
        self.read("parameter", name, |state| {
            // AWS's own: the same id in every simulation, as if no newer image was published.
            if name.starts_with("/aws/service/") {
                let region = state.env.setting.region.clone();
                let rng = &mut stream(0, &[name, &region], 0);
                return Ok(Some(format!("ami-0{}", hex(rng, 16))));
            }
            let found = state.stored(name).filter(|found| found.key.is_none());
            Ok(found.map(|found| found.value.expose_secret().to_owned()))
        })
        .await
    }

    async fn secret(&self, name: &str) -> Result<Option<SecretString>, CloudError> {
        self.read("secret", name, |state| {
            let found = state.stored(name).filter(|found| found.key.is_some());
            Ok(found.map(|found| found.value.clone()))
        })
        .await
    }

    async fn put_secret_if_absent(
        &self,
        name: &str,
        secret: &SecretString,
        key: &str,
    ) -> Result<PutResult, CloudError> {
        self.write("put_secret_if_absent", name, |state| {
            if !state.has_key(key) {
                return Err(CloudError::Refused {
                    operation: format!("PutParameter of {name}"),
                    message: format!("Key '{key}' does not exist"),
                });
            }
            Ok(state.put(name, secret.clone(), Some(key)))
        })
        .await
    }

    async fn put_parameter_if_absent(
        &self,
        name: &str,
        value: &str,
    ) -> Result<PutResult, CloudError> {
        self.write("put_parameter_if_absent", name, |state| {
            Ok(state.put(name, value.into(), None))
        })
        .await
    }

    async fn parameters_under(&self, path: &str) -> Result<Vec<ParameterSummary>, CloudError> {
        let below = format!("{}/", path.trim_end_matches('/'));
        self.read("parameters_under", path, |state| {
            let at = state.stored_as_of();
            let all = state.parameters.iter();
            let seen = all.filter(|(name, one)| name.starts_with(&below) && one.written <= at);
            let summary = seen.map(|(name, one)| ParameterSummary {
                name: name.clone(),
                key: one.key.clone(),
                written: timestamp(one.written),
            });
            Ok(summary.collect())
        })
        .await
    }

    async fn delete_parameters_under(
        &self,
        path: &str,
        except: Option<&str>,
    ) -> Result<Vec<String>, CloudError> {
        self.write("delete_parameters_under", path, |state| {
            let below = format!("{}/", path.trim_end_matches('/'));
            let gone = |name: &String, _: &mut StoredParameter| {
                name.starts_with(&below) && Some(name.as_str()) != except
            };
            let gone = state.parameters.extract_if(.., gone);
            Ok(gone.map(|(name, _)| name).collect())
        })
        .await
    }

    async fn upload(
        &self,
        bucket: &str,
        key: &str,
        bytes: &[u8],
    ) -> Result<UploadedObject, CloudError> {
        self.write("upload", &format!("{bucket}/{key}"), |state| {
            if !state.has_bucket(bucket) {
                return Err(CloudError::NotFound(format!("bucket {bucket}")));
            }
            let outcome = match state.compared(bucket, key, bytes) {
                StoredContent::Same { version } => {
                    let outcome = UploadOutcome::AlreadyThere;
                    return Ok(UploadedObject { outcome, version });
                }
                StoredContent::Other => UploadOutcome::Replaced,
                StoredContent::Missing => UploadOutcome::Stored,
            };
            let written = timestamp(state.now);
            let objects = state.env.buckets.entry(bucket.to_owned()).or_default();
            let old = objects.get(key).map_or(0, |object| object.version);
            let object = StoredObject {
                bytes: bytes.to_vec(),
                written,
                version: old + 1,
            };
            let version = Some(object.version.to_string());
            objects.insert(key.to_owned(), object);
            Ok(UploadedObject { outcome, version })
        })
        .await
    }

    async fn compare_object(
        &self,
        bucket: &str,
        key: &str,
        bytes: &[u8],
    ) -> Result<StoredContent, CloudError> {
        self.read("compare_object", &format!("{bucket}/{key}"), |state| {
            Ok(state.compared(bucket, key, bytes))
        })
        .await
    }

    async fn object(&self, bucket: &str, key: &str) -> Result<Option<Vec<u8>>, CloudError> {
        self.read("object", &format!("{bucket}/{key}"), |state| {
            let objects = state.env.buckets.get(bucket);
            let object = objects.and_then(|objects| objects.get(key));
            Ok(object.map(|object| object.bytes.clone()))
        })
        .await
    }

    async fn empty_bucket(&self, bucket: &str) -> Result<usize, CloudError> {
        self.write("empty_bucket", bucket, |state| {
            let objects = state.env.buckets.remove(bucket);
            Ok(objects.map_or(0, |objects| objects.len()))
        })
        .await
    }

    async fn console(&self, group: &str) -> Result<Option<Console>, CloudError> {
        self.read("console", group, |state| {
            // EC2 shows terminated machines for about an hour.
            let mut groups = boots::groups(state);
            let group = groups.find(|(_, one)| one.physical_id.as_deref() == Some(group));
            Ok(group.map(|(stack, resource)| spoken(state, stack, resource)))
        })
        .await
    }
}

impl VersionedParameters for Simulated {
    async fn versioned_parameter(&self, name: &str) -> Result<Option<VersionedValue>, CloudError> {
        self.read("versioned_parameter", name, |state| {
            let found = state.stored(name).filter(|found| found.key.is_none());
            Ok(found.map(|found| VersionedValue {
                value: found.value.expose_secret().to_owned(),
                version: found.version,
            }))
        })
        .await
    }

    async fn write_parameter(&self, name: &str, value: &str) -> Result<u64, CloudError> {
        self.lock("write_parameter", name, |state| {
            let before = state.parameters.remove(name);
            let stored = StoredParameter {
                value: value.into(),
                key: None,
                version: before.as_ref().map_or(0, |before| before.version) + 1,
                written: state.now,
                before: before.map(|before| {
                    Box::new(StoredParameter {
                        before: None,
                        ..before
                    })
                }),
            };
            let version = stored.version;
            state.parameters.insert(name.to_owned(), stored);
            Ok(version)
        })
        .await
    }

    async fn delete_parameter(&self, name: &str) -> Result<(), CloudError> {
        self.lock("delete_parameter", name, |state| {
            state.parameters.remove(name);
            Ok(())
        })
        .await
    }

    fn write_gate(&self) -> &WriteGate {
        &self.gate
    }
}

impl State {
    /// A parameter as the present read sees it: one that is too far behind sees what was there before.
    fn stored(&self, name: &str) -> Option<&StoredParameter> {
        let at = self.stored_as_of();
        let newest = self.parameters.get(name)?;
        let before = || newest.before.as_deref().filter(|one| one.written <= at);
        Some(newest).filter(|one| one.written <= at).or_else(before)
    }

    fn put(&mut self, name: &str, value: SecretString, key: Option<&str>) -> PutResult {
        if self.parameters.contains_key(name) {
            return PutResult::AlreadyThere;
        }
        let stored = StoredParameter {
            value,
            key: key.map(str::to_owned),
            version: 1,
            written: self.now,
            before: None,
        };
        self.parameters.insert(name.to_owned(), stored);
        PutResult::Stored
    }

    /// The live resource of this physical id.
    fn owner(&self, physical_id: &str) -> Option<(&Stack, &Resource)> {
        let stacks = self.stacks.iter().filter(|stack| !stack.is_deleted());
        let mut all = stacks.flat_map(|stack| stack.resources.iter().map(move |one| (stack, one)));
        all.find(|(_, one)| one.exists() && one.physical_id.as_deref() == Some(physical_id))
    }

    fn compared(&self, bucket: &str, key: &str, bytes: &[u8]) -> StoredContent {
        let objects = self.env.buckets.get(bucket);
        match objects.and_then(|objects| objects.get(key)) {
            None => StoredContent::Missing,
            Some(object) if object.bytes == bytes => StoredContent::Same {
                version: Some(object.version.to_string()),
            },
            Some(_) => StoredContent::Other,
        }
    }

    fn has_bucket(&self, name: &str) -> bool {
        let owner = self.owner(name);
        owner.is_some_and(|(_, one)| one.kind == "AWS::S3::Bucket")
    }

    fn has_key(&self, key: &str) -> bool {
        let id = key.rsplit('/').next().unwrap_or(key);
        let owner = self.owner(id);
        owner.is_some_and(|(_, one)| one.kind == "AWS::KMS::Key")
    }
}

/// What the newest machine of a group has said.
pub(super) fn spoken(state: &State, stack: &Stack, group: &Resource) -> Console {
    let names = machines::Names::new(state.env.setting.seed, &stack.live, group);
    let lines = if group.silent_console {
        Vec::new()
    } else {
        machines::console(group.no_signal, &names)
    };
    Console {
        instance: names.instance,
        lines,
    }
}
