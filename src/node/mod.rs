//! What a node boots with: user data, and the content-addressed bundle, which is its root tree.
//! Pure: the same definition gives the same bytes. Knows nothing of AWS calls or of stacks.
//!
//! The launch template changes exactly when the bundle does: user data names the bundle by its hash.

mod addons;
mod admission;
pub mod archive;
pub mod binaries;
mod database;
mod files;
pub mod kubeadm;
pub mod kubelet;
pub mod node_env;

use semver::Version;
use serde::Serialize;

use crate::common::digest;
use crate::spec::{ClusterSpec, NodePool};
use crate::templates::{TemplateError, Templates};
use archive::File;
pub use files::files;

/// The most that EC2 takes as user data, in bytes before base64.
pub const MAX_USER_DATA: usize = 16_384;

/// What a node is for.
#[derive(Debug, Clone, Copy)]
pub enum Role<'a> {
    /// A slot of the control plane; all slots share one bundle, user data distinguishes them.
    ControlPlane,
    Pool(&'a NodePool),
}

/// What a node fetches, verifies and executes.
#[derive(Clone, PartialEq, Eq)]
pub struct Bundle {
    /// Key in the state bucket: `bundles/<role>-<sha256>.tar.gz`.
    pub key: String,
    /// Of the bytes, in lower-case hexadecimal.
    pub sha256: String,
    pub bytes: Vec<u8>,
    /// The version that it installs.
    pub kubernetes: Version,
}

/// What a node learns from user data, because its bundle is the same for all slots.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BootParams {
    /// Logical id of the group that waits for this node's signal.
    pub signal: String,
    /// Name of the stack that holds the group.
    pub stack: String,
    /// Letter of the slot; `None` for a node of a pool.
    pub slot: Option<char>,
}

/// Why a node has nothing to boot with; fits after "failed to design the cluster: ".
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    #[error(transparent)]
    Template(#[from] TemplateError),
    #[error(
        "pin {name} {version} for {architecture}: the catalogue has no sha256 for it; choose a Kubernetes version that `kube-cfn validate` accepts"
    )]
    UnknownBinary {
        name: &'static str,
        version: String,
        architecture: &'static str,
    },
    #[error(
        "choose the images of Kubernetes {version}: the catalogue has no row for its minor; choose a Kubernetes version that `kube-cfn validate` accepts"
    )]
    UnknownMinor { version: String },
    #[error(
        "place the control-plane node of zone {zone}: the network {cidr} has no room for it; it takes a /16 to /18 and at most three zones"
    )]
    NoAddress { zone: String, cidr: String },
    #[error("write {whose} configuration: {reason}")]
    Document { whose: &'static str, reason: String },
    #[error("write the node bundle of {role}: {source}")]
    Archive {
        role: String,
        source: std::io::Error,
    },
}

impl Role<'_> {
    /// As in the bundle's key: `control-plane` or `pool-<name>`.
    pub fn name(&self) -> String {
        match self {
            Self::ControlPlane => "control-plane".to_owned(),
            Self::Pool(pool) => format!("pool-{}", pool.name),
        }
    }
}

/// The bundle of all nodes of a role: their tree, packed.
pub fn bundle(spec: &ClusterSpec, role: Role, templates: &Templates) -> Result<Bundle, NodeError> {
    let files = files(spec, role, templates)?;
    let name = role.name();
    let bytes = archive::pack(&files).map_err(|source| NodeError::Archive {
        role: name.clone(),
        source,
    })?;
    let sha256 = digest::sha256(&bytes);
    Ok(Bundle {
        key: format!("bundles/{name}-{sha256}.tar.gz"),
        sha256,
        bytes,
        kubernetes: spec.kubernetes.clone(),
    })
}

/// The Kubernetes version that a bundle says it installs; of any bundle, also an older program's. `None`
/// for bytes that are none.
pub fn kubernetes_of(bundle: &[u8]) -> Option<String> {
    said(&node_of(bundle)?, "kubernetes")
}

/// The ranges of pod and of service addresses that a bundle says; of any bundle, also an older program's. `None`
/// for bytes that are none.
pub fn ranges_of(bundle: &[u8]) -> Option<(String, String)> {
    let node = node_of(bundle)?;
    Some((said(&node, "podRange")?, said(&node, "serviceRange")?))
}

/// What the nodes of a bundle know.
fn node_of(bundle: &[u8]) -> Option<serde_json::Value> {
    let text = archive::find(bundle, |path| path.ends_with("node.json"))?;
    serde_json::from_str(&text).ok()
}

fn said(node: &serde_json::Value, key: &str) -> Option<String> {
    node[key].as_str().map(str::to_owned)
}

/// `host.env` as user data writes it, as far as it is known without the stacks.
pub fn host_env(
    spec: &ClusterSpec,
    boot: &BootParams,
    templates: &Templates,
) -> Result<File, NodeError> {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Context<'a> {
        #[serde(flatten)]
        boot: &'a BootParams,
        api_host: &'a str,
    }
    let api_host = spec.api.dns.as_ref().map_or("", |dns| dns.name.as_str());
    let text = templates.render("node/host.env.tera", &Context { boot, api_host })?;
    Ok(File::plain("etc/kube-cfn/host.env", text))
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct UserData<'a> {
    region: &'a str,
    bundle_key: &'a str,
    bundle_sha256: &'a str,
    #[serde(flatten)]
    boot: &'a BootParams,
}

/// The script of user data, without its first lines and the values that only CloudFormation knows
/// (`STATE_BUCKET`, `API_HOST`, `ETCD_VOLUME`): the stack template puts these before it.
pub fn user_data(
    spec: &ClusterSpec,
    bundle: &Bundle,
    boot: &BootParams,
    templates: &Templates,
) -> Result<String, NodeError> {
    let context = UserData {
        region: &spec.region,
        bundle_key: &bundle.key,
        bundle_sha256: &bundle.sha256,
        boot,
    };
    Ok(templates.render("node/user-data.sh.tera", &context)?)
}

/// A document of a configuration as the text of a file.
fn yaml(whose: &'static str, document: &impl Serialize) -> Result<String, NodeError> {
    let options = serde_saphyr::ser_options! { folded_wrap_chars: usize::MAX };
    serde_saphyr::to_string_with_options(document, options).map_err(|error| NodeError::Document {
        whose,
        reason: error.to_string(),
    })
}

impl std::fmt::Debug for Bundle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Bundle({}, {} bytes)", self.key, self.bytes.len())
    }
}
