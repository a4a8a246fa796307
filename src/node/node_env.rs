//! What every node of a role knows: the content of `node.env` and `node.json` in its bundle.

use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};

use super::binaries::{self, Pinned};
use super::{NodeError, Role};
use crate::catalog::kubernetes;
use crate::spec::address::{self, ZoneAddresses};
use crate::spec::{Architecture, ClusterSpec, Nat, NodePool, Zone};

/// Domain of the cluster's services.
pub const DOMAIN: &str = "cluster.local";

/// What a node knows. Values that are known only while the stacks are made (API host, bucket) are not among
/// them: they reach the node through user data.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NodeEnv {
    pub cluster: String,
    pub region: String,
    pub role: String,
    pub kubernetes: String,
    /// As the publishers of binaries say it.
    pub architecture: &'static str,
    /// As `uname -m` says it.
    pub machine: &'static str,
    pub pod_range: String,
    pub service_range: String,
    /// Service address of the cluster's DNS, the tenth of the range as everywhere.
    pub dns: Ipv4Addr,
    /// The fixed addresses of the control plane. Nodes of a cluster without NAT reach the API on
    /// these: seen from a public load balancer they come from addresses that no one can list in advance.
    pub slots: Vec<Slot>,
    /// Whether the API's name resolves to the slots themselves on the nodes.
    pub api_by_slot: bool,
    /// `key=value`, as the kubelet takes them.
    pub labels: Vec<String>,
    /// What the node registers with.
    pub taints: Vec<Taint>,
    /// Image of the container that holds a pod's namespaces.
    pub pause: &'static str,
    /// Tag of etcd's image on the nodes of the control plane.
    pub etcd: &'static str,
    pub binaries: Vec<Pinned>,
}

/// A taint as Kubernetes' API has it (`core/v1`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Taint {
    pub key: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub value: String,
    pub effect: String,
}

/// A slot of the control plane.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Slot {
    pub letter: char,
    pub zone: String,
    pub address: Ipv4Addr,
}

impl NodeEnv {
    /// For all nodes of a role.
    pub fn new(spec: &ClusterSpec, role: Role) -> Result<Self, NodeError> {
        let (architecture, labels, taints) = match role {
            Role::ControlPlane => (
                spec.control_plane.architecture,
                Vec::new(),
                vec![control_plane_taint()],
            ),
            Role::Pool(pool) => (pool.architecture, labels(pool), taints(pool)),
        };
        let machine = match architecture {
            Architecture::Arm64 => "aarch64",
            Architecture::X86_64 => "x86_64",
        };
        let mirror = spec.mirror.as_deref();
        let version = &spec.kubernetes;
        let binaries = binaries::of(version, architecture, role, mirror)?;
        let minor = kubernetes::minor(version).ok_or_else(|| NodeError::UnknownMinor {
            version: version.to_string(),
        })?;
        Ok(Self {
            cluster: spec.name.clone(),
            region: spec.region.clone(),
            role: role.name(),
            kubernetes: version.to_string(),
            architecture: architecture.download_name(),
            machine,
            pod_range: spec.network.pod_cidr.to_string(),
            service_range: spec.network.service_cidr.to_string(),
            dns: dns(spec),
            slots: slots(spec)?,
            api_by_slot: spec.network.nat == Nat::None,
            labels,
            taints,
            pause: &minor.pause,
            etcd: &minor.etcd,
            binaries,
        })
    }

    /// What a node installs: name, sha256 and URL, one a line.
    pub fn binaries_list(&self) -> String {
        let line = |of: &Pinned| format!("{} {} {}\n", of.name, of.sha256, of.url);
        self.binaries.iter().map(line).collect()
    }

    /// For people and for programs, with keys in a fixed order.
    pub fn to_json(&self) -> String {
        // It holds nothing that JSON can't say, so the text is never empty.
        serde_json::to_string_pretty(self).unwrap_or_default() + "\n"
    }
}

/// The addresses of every zone.
pub fn zones(spec: &ClusterSpec) -> Result<Vec<(&Zone, ZoneAddresses)>, NodeError> {
    let zones = spec.zones.iter().enumerate();
    zones
        .map(|(index, zone)| {
            let plan =
                address::zone(spec.network.cidr, index).ok_or_else(|| NodeError::NoAddress {
                    zone: zone.name.clone(),
                    cidr: spec.network.cidr.to_string(),
                })?;
            Ok((zone, plan))
        })
        .collect()
}

/// The slots in the order of the zones, with their fixed addresses.
pub fn slots(spec: &ClusterSpec) -> Result<Vec<Slot>, NodeError> {
    let slot = |(zone, plan): (&Zone, ZoneAddresses)| Slot {
        letter: zone.letter,
        zone: zone.name.clone(),
        address: slot_address(spec, &plan),
    };
    let with_slots = zones(spec)?.into_iter().take(spec.slot_zones().len());
    Ok(with_slots.map(slot).collect())
}

/// The fixed address of a zone's slot, in the subnet of the machines.
pub fn slot_address(spec: &ClusterSpec, plan: &ZoneAddresses) -> Ipv4Addr {
    match spec.network.nat {
        Nat::None => plan.slot_public,
        Nat::Regional | Nat::Single => plan.slot_private,
    }
}

fn dns(spec: &ClusterSpec) -> Ipv4Addr {
    Ipv4Addr::from_bits(spec.network.service_cidr.network().to_bits() + 10)
}

/// As kubeadm gives it to its control planes.
fn control_plane_taint() -> Taint {
    Taint {
        key: "node-role.kubernetes.io/control-plane".to_owned(),
        value: String::new(),
        effect: "NoSchedule".to_owned(),
    }
}

fn labels(pool: &NodePool) -> Vec<String> {
    let own = format!("kube-cfn/pool={}", pool.name);
    let given = pool.labels.iter();
    let given = given.map(|(key, value)| format!("{key}={value}"));
    given.chain([own]).collect()
}

fn taints(pool: &NodePool) -> Vec<Taint> {
    let taint = |crate::spec::Taint { key, value, effect }: &crate::spec::Taint| Taint {
        key: key.clone(),
        value: value.clone(),
        effect: effect.as_str().to_owned(),
    };
    pool.taints.iter().map(taint).collect()
}
