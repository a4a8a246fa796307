//! The vocabulary: what a cluster is, in exact types, and the rules between its parts.
//! Knows nothing of files, AWS calls or template text; look-ups go to `catalog`. What a definition says in
//! the same form has its words for the schema here, once.
//!
//! Every field carries the same name in the definition (camelCase), here (`snake_case`), in the
//! templates and on the screen.

pub mod address;
pub mod rules;

use std::collections::BTreeMap;
use std::fmt;

use ipnet::Ipv4Net;
use schemars::JsonSchema;
use semver::Version;
use serde::{Deserialize, Serialize};

/// A whole cluster, checked leaf by leaf. [`rules::check`] holds the rules between its parts.
#[derive(Debug, Clone, PartialEq)]
pub struct ClusterSpec {
    /// Prefix of every stack and name: lower-case letters, digits, dashes; unique in account and region.
    pub name: String,
    /// AWS region, for example `eu-west-1`.
    pub region: String,
    /// Twelve-digit account this cluster may live in; a guard, `None` accepts any.
    pub account: Option<String>,
    /// Exact Kubernetes version; a patch moves only when the definition says so.
    pub kubernetes: Version,
    /// Two or three availability zones, in the order that fixes their addresses: append only.
    pub zones: Vec<Zone>,
    pub network: Network,
    pub api: Api,
    pub control_plane: ControlPlane,
    /// Node pools by unique name, in the order of the definition.
    pub pools: Vec<NodePool>,
    /// `None` is a cluster without a database.
    pub database: Option<Database>,
    /// Termination protection of the stacks that hold data, and deletion protection of the database.
    pub protect: bool,
    pub access: Access,
    /// Base URL that serves the node binaries in place of the publishers; `None` is upstream.
    pub mirror: Option<String>,
    /// Tags for every resource, on top of the tool's own.
    pub tags: BTreeMap<String, String>,
}

/// An availability zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Zone {
    /// Full name, for example `eu-west-1a`.
    pub name: String,
    /// Its last letter: names slots and logical ids, so a zone keeps them at any position in the list.
    pub letter: char,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Network {
    /// Range of the VPC, /16 to /18.
    pub cidr: Ipv4Net,
    /// Range of pod addresses (overlay, not routed in the VPC).
    pub pod_cidr: Ipv4Net,
    /// Range of service addresses.
    pub service_cidr: Ipv4Net,
    pub nat: Nat,
}

/// How nodes reach the internet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Nat {
    /// One NAT gateway over all zones: survives the loss of a zone.
    Regional,
    /// One NAT gateway in the first zone: a third of the price, gone with that zone.
    Single,
    /// No NAT gateway: nodes have public addresses behind closed security groups.
    None,
}

/// The load balancer before the API servers.
#[derive(Debug, Clone, PartialEq)]
pub struct Api {
    pub exposure: Exposure,
    /// Who may reach port 6443 from outside the nodes.
    pub allowed_cidrs: Vec<Ipv4Net>,
    /// Stable name of the API; `None` uses the load balancer's own.
    pub dns: Option<ApiDns>,
}

/// Where the API has its address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Exposure {
    /// Inside the VPC only.
    Internal,
    /// On the internet, for `allowedCidrs` only.
    Public,
}

/// A name for the API that outlives its load balancer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ApiDns {
    /// Full name, inside the hosted zone.
    #[schemars(
        length(max = 253),
        regex(pattern = r"^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]([a-z0-9-]{0,61}[a-z0-9])$"),
        extend("patternErrorMessage" = "expected a full name in lower case, each part up to 63 letters"),
        example = &"api.canary.example.com"
    )]
    pub name: String,

    /// Id of the Route 53 hosted zone that holds the name.
    #[schemars(
        regex(pattern = r"^Z[A-Z0-9]{4,31}$"),
        extend("patternErrorMessage" = "expected a hosted zone id"),
        example = &"Z0123456789ABCDEFGHIJ"
    )]
    pub hosted_zone: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ControlPlane {
    /// 1 or 3: one a zone, in the order of the zones. Its slot is the fixed address and the etcd volume
    /// that the next machine takes over.
    pub nodes: u8,
    pub instance_type: String,
    pub architecture: Architecture,
    /// Root volume in GiB.
    pub volume_gib: u32,
    /// Encrypted etcd volume in GiB.
    pub etcd_volume_gib: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Architecture {
    Arm64,
    X86_64,
}

/// A node pool: one launch template, one Auto Scaling group (one a zone when `spread` is zonal).
#[derive(Debug, Clone, PartialEq)]
pub struct NodePool {
    pub name: String,
    /// All of one architecture, in order of preference.
    pub instance_types: Vec<String>,
    pub architecture: Architecture,
    pub min: u32,
    pub max: u32,
    /// Share of spot instances above `on_demand_base`, 0 to 100.
    pub spot_percent: u8,
    /// Instances that are on-demand whatever `spot_percent` says.
    pub on_demand_base: u32,
    pub labels: BTreeMap<String, String>,
    pub taints: Vec<Taint>,
    /// Root volume in GiB.
    pub volume_gib: u32,
    pub spread: Spread,
}

/// A taint of the nodes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Taint {
    /// Key, with or without a domain before it.
    #[schemars(example = &"example.com/batch")]
    pub key: String,
    /// Value; may be left out.
    #[schemars(example = &"true")]
    #[serde(default)]
    pub value: String,
    /// What happens to pods that do not tolerate it.
    pub effect: TaintEffect,
}

/// What happens to pods that do not tolerate a taint. Spelt as in Kubernetes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum TaintEffect {
    /// They are not put on the node.
    NoSchedule,
    /// They are put elsewhere where there is room.
    PreferNoSchedule,
    /// They are not put on the node, and leave it when they are there.
    NoExecute,
}

/// How the nodes of a pool are spread over the zones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Spread {
    /// One group over all zones.
    Regional,
    /// One group a zone: for pods bound to a volume of one zone.
    Zonal,
}

/// The RDS Postgres instance.
#[derive(Debug, Clone, PartialEq)]
pub struct Database {
    /// Exact engine version, for example `17.11`.
    pub engine_version: String,
    /// Instance class, for example `db.t4g.medium`.
    pub class: String,
    pub storage_gib: u32,
    /// Storage grows by itself up to this many GiB.
    pub storage_limit_gib: u32,
    pub multi_az: bool,
    /// Days of automated backups, 1 to 35.
    pub backup_days: u8,
    /// Daily, UTC, `03:00-04:00`.
    pub backup_window: String,
    /// Weekly, UTC, `sun:04:30-sun:05:30`.
    pub maintenance_window: String,
    /// Parameters of the engine, on top of the tool's own.
    pub parameters: BTreeMap<String, String>,
    /// ARN or name of the snapshot to start from; stays for the life of the instance.
    pub restore_from: Option<String>,
    /// `None` keeps the database from workloads: no user, no Secret.
    pub secret: Option<DatabaseSecret>,
}

/// How workloads come to the database: a user of their own, and a Secret that holds all that a
/// connection needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatabaseSecret {
    /// Name of the Secret in every namespace.
    pub name: String,
    /// The namespaces that get it. Empty takes it away from those that have it.
    pub namespaces: Vec<String>,
    /// The user in the database, never the master.
    pub user: String,
}

/// Who may get into the cluster, and for how long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Access {
    /// IAM role ARNs that may read the cluster's authorities, so issue credentials.
    /// Empty leaves it to the account's IAM policies.
    pub issuers: Vec<String>,
    /// Lifetime of an issued client certificate in seconds, unless asked otherwise.
    pub ttl_seconds: u64,
    /// The longest lifetime that may be asked for, in seconds.
    pub max_ttl_seconds: u64,
}

impl ClusterSpec {
    /// The zones that hold a control-plane slot: the first `nodes` of them.
    pub fn slot_zones(&self) -> &[Zone] {
        let nodes = usize::from(self.control_plane.nodes).min(self.zones.len());
        &self.zones[..nodes]
    }
}

impl Architecture {
    /// As AWS spells it in AMI names and instance types: `arm64`, `x86_64`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Arm64 => "arm64",
            Self::X86_64 => "x86_64",
        }
    }

    /// As the publishers of node binaries spell it: `arm64`, `amd64`.
    pub fn download_name(self) -> &'static str {
        match self {
            Self::Arm64 => "arm64",
            Self::X86_64 => "amd64",
        }
    }
}

impl fmt::Display for Architecture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl TaintEffect {
    /// As Kubernetes spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NoSchedule => "NoSchedule",
            Self::PreferNoSchedule => "PreferNoSchedule",
            Self::NoExecute => "NoExecute",
        }
    }
}
