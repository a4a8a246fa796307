//! What lies outside `CloudFormation`: parameters, secrets, objects, the consoles of machines.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use secrecy::SecretString;

use super::Simulated;
use super::chance::{hex, stream};
use super::gate::Effect;
use super::machines;
use super::stack::{Resource, Stack};
use super::state::State;
use crate::cloud::{CloudError, Console, PutResult, Store};

/// Parameters and secrets, by name.
#[derive(Default)]
pub(super) struct Shelf {
    parameters: BTreeMap<String, String>,
    secrets: BTreeMap<String, SecretString>,
}

impl Store for Simulated {
    async fn parameter(&self, name: &str) -> Result<Option<String>, CloudError> {
        self.call("parameter", Effect::None, |state| {
            // AWS's own: the same id in every world, as if nobody had published a newer image.
            if name.starts_with("/aws/service/") {
                let region = state.env.setting.region.clone();
                let rng = &mut stream(0, &[name, &region], 0);
                return Ok(Some(format!("ami-0{}", hex(rng, 16))));
            }
            Ok(state.shelf.parameters.get(name).cloned())
        })
        .await
    }

    async fn secret(&self, name: &str) -> Result<Option<SecretString>, CloudError> {
        self.call("secret", Effect::None, |state| {
            Ok(state.shelf.secrets.get(name).cloned())
        })
        .await
    }

    async fn put_secret_if_absent(
        &self,
        name: &str,
        secret: &SecretString,
        key: &str,
    ) -> Result<PutResult, CloudError> {
        self.call("put_secret_if_absent", Effect::Some, |state| {
            if !state.has_key(key) {
                return Err(CloudError::Refused {
                    operation: format!("PutParameter of {name}"),
                    message: format!("Key '{key}' does not exist"),
                });
            }
            if state.shelf.secrets.contains_key(name) {
                return Ok(PutResult::AlreadyThere);
            }
            state.shelf.secrets.insert(name.to_owned(), secret.clone());
            Ok(PutResult::Stored)
        })
        .await
    }

    async fn put_parameter_if_absent(
        &self,
        name: &str,
        value: &str,
    ) -> Result<PutResult, CloudError> {
        self.call("put_parameter_if_absent", Effect::Some, |state| {
            if state.shelf.parameters.contains_key(name) {
                return Ok(PutResult::AlreadyThere);
            }
            let parameters = &mut state.shelf.parameters;
            parameters.insert(name.to_owned(), value.to_owned());
            Ok(PutResult::Stored)
        })
        .await
    }

    async fn delete_parameters_under(&self, path: &str) -> Result<Vec<String>, CloudError> {
        self.call("delete_parameters_under", Effect::Some, |state| {
            let below = format!("{}/", path.trim_end_matches('/'));
            let kept = &mut state.shelf;
            let all = kept.parameters.keys().chain(kept.secrets.keys());
            let under = |name: &String| name.starts_with(&below);
            let mut names: Vec<String> = all.filter(|name| under(name)).cloned().collect();
            names.sort();
            kept.parameters.retain(|name, _| !under(name));
            kept.secrets.retain(|name, _| !under(name));
            Ok(names)
        })
        .await
    }

    async fn upload(&self, bucket: &str, key: &str, bytes: &[u8]) -> Result<(), CloudError> {
        self.call("upload", Effect::Some, |state| {
            if !state.has_bucket(bucket) {
                return Err(CloudError::NotFound(format!("bucket {bucket}")));
            }
            let objects = state.env.buckets.entry(bucket.to_owned()).or_default();
            objects.entry(key.to_owned()).or_insert(bytes.to_vec());
            Ok(())
        })
        .await
    }

    async fn object(&self, bucket: &str, key: &str) -> Result<Option<Vec<u8>>, CloudError> {
        self.call("object", Effect::None, |state| {
            let objects = state.env.buckets.get(bucket);
            Ok(objects.and_then(|objects| objects.get(key)).cloned())
        })
        .await
    }

    async fn empty_bucket(&self, bucket: &str) -> Result<usize, CloudError> {
        self.call("empty_bucket", Effect::Some, |state| {
            let objects = state.env.buckets.remove(bucket);
            Ok(objects.map_or(0, |objects| objects.len()))
        })
        .await
    }

    async fn console(&self, group: &str) -> Result<Option<Console>, CloudError> {
        self.call("console", Effect::None, |state| {
            Ok(state
                .owner(group)
                .map(|(stack, resource)| spoken(state, stack, resource)))
        })
        .await
    }
}

impl State {
    /// The live resource of this physical id.
    fn owner(&self, physical_id: &str) -> Option<(&Stack, &Resource)> {
        let stacks = self.stacks.iter().filter(|stack| !stack.is_deleted());
        let mut all = stacks.flat_map(|stack| stack.resources.iter().map(move |one| (stack, one)));
        all.find(|(_, one)| one.lives() && one.physical_id.as_deref() == Some(physical_id))
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
fn spoken(state: &State, stack: &Stack, group: &Resource) -> Console {
    let words = [
        "instance",
        stack.found.id.as_str(),
        group.logical_id.as_str(),
    ];
    let rng = &mut stream(state.env.setting.seed, &words, group.generation);
    let instance = format!("i-0{}", hex(rng, 16));
    let mut host = String::from("ip-10-20");
    for _ in 0..2 {
        // Writing into a string does not fail.
        let _ = write!(host, "-{}", rng.u8(4..250));
    }
    let said = machines::console(group.silent);
    let lines = said.iter().map(|line| format!("{host} {line}")).collect();
    Console { instance, lines }
}
