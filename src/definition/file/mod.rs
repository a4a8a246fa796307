//! The file format, as types: the one source of field names, defaults, limits and the words that
//! the schema and the messages use. Knows nothing of the place of a value in the file.
//!
//! The principle behind the defaults: what is not said is safe. A definition that says little gets
//! three control-plane nodes, NAT in every zone and protection; what saves money is written down.

mod database;
mod forms;
mod network;
mod nodes;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use database::{DatabaseFile, SecretFile};
pub use network::{ApiFile, NetworkFile};
pub use nodes::{ControlPlaneFile, PoolFile};

/// One Kubernetes cluster on AWS: network, control plane, node pools and database.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(title = "kube-cfn cluster definition")]
pub struct ClusterFile {
    /// Name of the cluster, the same as the file's. Prefix of every stack, so unique in its account
    /// and region. Up to 28 lower-case letters, digits and dashes. Never changes.
    #[schemars(
        regex(pattern = r"^[a-z]([a-z0-9-]{0,26}[a-z0-9])?$"),
        extend("patternErrorMessage" = "expected up to 28 lower-case letters, digits and single dashes, a letter first"),
        example = &"canary"
    )]
    pub name: String,

    /// AWS region. Never changes.
    #[schemars(
        regex(pattern = r"^[a-z]{2,}(-[a-z]+)+-[0-9]$"),
        extend("patternErrorMessage" = "expected an AWS region"),
        example = &"eu-west-1"
    )]
    pub region: String,

    /// The account that this cluster may live in, twelve digits. A guard: with other credentials
    /// nothing happens. Left out, any account will do.
    #[schemars(
        regex(pattern = r"^[0-9]{12}$"),
        extend("patternErrorMessage" = "expected an account of twelve digits"),
        example = &"111122223333"
    )]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,

    /// Exact Kubernetes version. A patch moves only when this line does.
    #[schemars(
        regex(pattern = r"^[0-9]+\.[0-9]+\.[0-9]+$"),
        extend("patternErrorMessage" = "expected an exact Kubernetes version"),
        example = &"1.36.4"
    )]
    pub kubernetes: String,

    /// Two or three availability zones; their order fixes all addresses, so only append. Left out,
    /// the region's usual three.
    #[schemars(with = "Vec<forms::ZoneName>")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zones: Option<Vec<String>>,

    /// Address ranges and the way to the internet.
    #[serde(default)]
    pub network: NetworkFile,

    /// The load balancer before the API servers.
    #[serde(default)]
    pub api: ApiFile,

    /// The machines that run etcd and the API servers.
    #[serde(default)]
    pub control_plane: ControlPlaneFile,

    /// Node pools. Left out, one pool `workers` with every default.
    #[schemars(length(min = 1, max = 20))]
    #[serde(default = "default_pools")]
    pub pools: Vec<PoolFile>,

    /// The RDS Postgres instance. Left out, the cluster has none; `{}` takes every default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub database: Option<DatabaseFile>,

    /// Whether the stacks that hold data, and the database, refuse to be deleted. `false` is for
    /// clusters to throw away.
    #[serde(default = "protected")]
    pub protect: bool,

    /// Who may mint credentials, and for how long they last.
    #[serde(default)]
    pub access: AccessFile,

    /// Base URL of a mirror that serves the node binaries under their publishers' paths. Left out,
    /// nodes are served what the publishers offer.
    #[schemars(
        regex(pattern = r"^https://[^\s/?#]+(/[^\s?#]*)?$"),
        extend("patternErrorMessage" = "expected an https address without query"),
        example = &"https://mirror.example.com/node"
    )]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mirror: Option<String>,

    /// Tags for every resource, on top of the tool's own; at most 40.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
}

/// Who may get into the cluster, and for how long.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct AccessFile {
    /// ARNs of IAM roles that may read the cluster's authorities, so mint credentials. Empty leaves
    /// it to the account's IAM policies.
    #[schemars(length(max = 20), with = "Vec<forms::RoleArn>")]
    pub issuers: Vec<String>,

    /// Lifetime of a client certificate, unless asked otherwise: 10m to 720h.
    #[schemars(
        regex(pattern = r"^([0-9]+h)?([0-9]+m)?([0-9]+s)?$"),
        extend("patternErrorMessage" = "expected a duration in hours and minutes"),
        example = &"8h"
    )]
    pub ttl: String,

    /// The longest lifetime that may be asked for: 10m to 720h.
    #[schemars(
        regex(pattern = r"^([0-9]+h)?([0-9]+m)?([0-9]+s)?$"),
        extend("patternErrorMessage" = "expected a duration in hours and minutes"),
        example = &"24h"
    )]
    pub max_ttl: String,
}

impl Default for AccessFile {
    fn default() -> Self {
        Self {
            issuers: Vec::new(),
            // A working day: one login a day, and no key that is valid overnight.
            ttl: "8h".to_owned(),
            // A day, for the long job of a weekend; more has to be written down.
            max_ttl: "24h".to_owned(),
        }
    }
}

/// A cluster of its own needs somewhere to run pods: one pool that takes any.
fn default_pools() -> Vec<PoolFile> {
    vec![PoolFile::named("workers")]
}

/// A wrong `delete` costs more than one line that says `protect: false`.
fn protected() -> bool {
    true
}
