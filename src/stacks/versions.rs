//! Which version of Kubernetes the machines of each stack boot next: an input of the design, as a pool
//! may be older than the control plane; an output of the stack; and in the bundle of a stack made before
//! there was that output.

use std::borrow::Cow;
use std::collections::BTreeMap;

use semver::Version;
use serde_json::{Value, json};

use super::Stack;
use crate::common::digest;
use crate::node;
use crate::spec::ClusterSpec;

/// Key of the output that every stack with machines has: the Kubernetes version that they boot next.
pub const KUBERNETES_VERSION: &str = "KubernetesVersion";

/// The Kubernetes versions that a design is made with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Versions {
    pub control_plane: Version,
    /// By the name of the pool; one that is not here has the control plane's.
    pub pools: BTreeMap<String, Version>,
}

impl Versions {
    /// The same version for every stack.
    pub fn all(version: &Version) -> Self {
        Self {
            control_plane: version.clone(),
            pools: BTreeMap::new(),
        }
    }

    /// The version of a pool.
    pub fn pool(&self, name: &str) -> &Version {
        self.pools.get(name).unwrap_or(&self.control_plane)
    }
}

/// The cluster as a stack of this version sees it.
pub(super) fn at<'a>(spec: &'a ClusterSpec, version: &Version) -> Cow<'a, ClusterSpec> {
    if spec.kubernetes == *version {
        return Cow::Borrowed(spec);
    }
    Cow::Owned(ClusterSpec {
        kubernetes: version.clone(),
        ..spec.clone()
    })
}

/// What a template puts out under [`KUBERNETES_VERSION`].
pub(super) fn output(version: &Version) -> Value {
    json!({
        "Description": "Kubernetes version that the machines boot next",
        "Value": version.to_string(),
    })
}

impl Stack {
    /// The Kubernetes version that its machines boot; `None` for a stack without machines.
    pub fn kubernetes(&self) -> Option<Version> {
        declared(&self.template)
    }
}

/// The version that a template puts out. `None` for one that was made before there was that output.
pub fn declared(template: &Value) -> Option<Version> {
    let value = template["Outputs"][KUBERNETES_VERSION]["Value"].as_str()?;
    value.parse().ok()
}

/// The key of the bundle that the machines of a template boot from, where all boot from the same.
pub fn bundle_key(template: &Value) -> Option<&str> {
    let mut keys = Vec::new();
    collect_keys(template, &mut keys);
    keys.sort_unstable();
    keys.dedup();
    match keys[..] {
        [key] => Some(key),
        _ => None,
    }
}

fn collect_keys<'a>(value: &'a Value, keys: &mut Vec<&'a str>) {
    match value {
        Value::String(text) => keys.extend(text.lines().filter_map(|line| {
            let quoted = line.strip_prefix("BUNDLE_KEY='")?;
            quoted.strip_suffix('\'')
        })),
        Value::Array(items) => items.iter().for_each(|item| collect_keys(item, keys)),
        Value::Object(map) => map.values().for_each(|item| collect_keys(item, keys)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// The version that the bundle of this key installs. `None` where the bytes are not those that the key
/// names, or say no version.
pub fn of_bundle(key: &str, bytes: &[u8]) -> Option<Version> {
    let text = is_bundle(key, bytes).then(|| node::kubernetes_of(bytes))?;
    text?.parse().ok()
}

/// Whether these are the bytes that the key of a bundle names.
pub fn is_bundle(key: &str, bytes: &[u8]) -> bool {
    key.ends_with(&format!("-{}.tar.gz", digest::sha256(bytes)))
}
