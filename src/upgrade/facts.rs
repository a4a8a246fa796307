//! What is known of a cluster before its upgrade. Each fact was read, or says why it could not be: nothing is assumed.

use std::collections::BTreeMap;

use jiff::Timestamp;
use semver::Version;

use super::Target;
use crate::cloud::{Extension, NodeState, PodState, Webhook};
use crate::etcd::{ApiRequests, Membership, NodeCertificate};
use crate::roll::Forecast;
use crate::stacks::StackKind;

/// What was read, or why it could not be.
pub type Fact<T> = Result<T, String>;

/// What is known of a cluster.
#[derive(Debug, Clone)]
pub struct Facts {
    pub cluster: String,
    pub target: Target,
    /// When it was read.
    pub now: Timestamp,
    /// What the machines of each stack boot next.
    pub stacks: BTreeMap<StackKind, Fact<Version>>,
    /// Stacks with an operation, or in a status that needs manual action, with that status.
    pub unsettled: Vec<(StackKind, String)>,
    /// Who holds the operation lock; `None` where nobody does.
    pub lock: Fact<Option<String>>,
    /// Launch templates and groups that differ from their stacks, and images that the lock file lacks: a sentence each.
    pub drift: Fact<Vec<String>>,
    /// One for each control-plane node.
    pub api_servers: Vec<ApiServer>,
    pub nodes: Fact<Vec<NodeState>>,
    /// Pods of every namespace.
    pub pods: Fact<Vec<PodState>>,
    /// What would block a roll of every machine.
    pub forecast: Fact<Forecast>,
    pub etcd: Fact<Membership>,
    /// When the newest snapshot of etcd was written, by the bucket's clock; `None` where there is none.
    pub newest_snapshot: Fact<Option<Timestamp>>,
    pub certificates: Vec<NodeCertificate>,
    pub webhooks: Fact<Vec<Webhook>>,
    /// Conversions of custom resources, and aggregated APIs.
    pub extensions: Fact<Vec<Extension>>,
    /// Files of the wanted version.
    pub downloads: Vec<Download>,
    pub capacity: Fact<Capacity>,
}

/// The API server of a control-plane node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiServer {
    /// Letter of its node.
    pub slot: char,
    /// Of its static pod.
    pub pods: Fact<StaticPods>,
    /// What its own metrics say.
    pub requests: Fact<ApiRequests>,
}

/// The static pods of a control-plane node, by the tags of their images.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StaticPods {
    pub api_server: Version,
    /// Why the API server is not Ready.
    pub trouble: Option<String>,
}

/// A file of the wanted version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Download {
    pub url: String,
    /// Whether its address answers for it.
    pub answer: Fact<()>,
}

/// Room for machines that are there twice for a while.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capacity {
    /// How many machines each pool would have more, at most.
    pub extra: BTreeMap<String, u32>,
    /// What does not fit, a sentence each: a quota of vCPU, addresses of a subnet.
    pub lacking: Vec<String>,
}
