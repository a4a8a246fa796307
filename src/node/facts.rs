//! What every node of a role is told: the content of `node.env` and `node.json` in its bundle.

use std::net::Ipv4Addr;

use serde::Serialize;

use super::binaries::{self, Pinned};
use super::{NodeError, Role};
use crate::spec::address::{self, ZoneAddresses};
use crate::spec::{Architecture, ClusterSpec, Nat, NodePool, Zone};

/// Domain of the cluster's services.
pub const DOMAIN: &str = "cluster.local";

/// The facts. Values that are known only while the stacks are made (API host, bucket) are not among
/// them: they reach the node through user data.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Facts {
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
    /// these: seen from a public load balancer they come from addresses that nobody can list.
    pub slots: Vec<Slot>,
    /// Whether the API's name stands for the slots themselves on the nodes.
    pub api_by_slot: bool,
    /// `key=value`, as the kubelet takes them.
    pub labels: Vec<String>,
    /// `key=value:Effect`, as the kubelet takes them.
    pub taints: Vec<String>,
    /// Image of the container that holds a pod's namespaces.
    pub pause: &'static str,
    pub binaries: Vec<Pinned>,
}

/// A slot of the control plane.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Slot {
    pub letter: char,
    pub zone: String,
    pub address: Ipv4Addr,
}

impl Facts {
    /// The facts of all nodes of a role.
    pub fn new(spec: &ClusterSpec, role: Role) -> Result<Self, NodeError> {
        let (architecture, labels, taints) = match role {
            Role::ControlPlane => (spec.control_plane.architecture, Vec::new(), Vec::new()),
            Role::Pool(pool) => (pool.architecture, labels(pool), taints(pool)),
        };
        let machine = match architecture {
            Architecture::Arm64 => "aarch64",
            Architecture::X86_64 => "x86_64",
        };
        let mirror = spec.mirror.as_deref();
        Ok(Self {
            cluster: spec.name.clone(),
            region: spec.region.clone(),
            role: role.name(),
            kubernetes: spec.kubernetes.to_string(),
            architecture: architecture.download_name(),
            machine,
            pod_range: spec.network.pod_cidr.to_string(),
            service_range: spec.network.service_cidr.to_string(),
            dns: dns(spec),
            slots: slots(spec)?,
            api_by_slot: spec.network.nat == Nat::None,
            labels,
            taints,
            pause: pause(spec),
            binaries: binaries::of(&spec.kubernetes, architecture, role, mirror)?,
        })
    }

    /// What a node installs: name, sha256 and URL, one a line.
    pub fn binaries_list(&self) -> String {
        let line = |of: &Pinned| format!("{} {} {}\n", of.name, of.sha256, of.url);
        self.binaries.iter().map(line).collect()
    }

    /// For people and for programs, with keys in a fixed order.
    pub fn to_json(&self) -> String {
        // Facts hold nothing that JSON can't say, so an empty text never comes of this.
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

/// The fixed address of a zone's slot, in the subnet that machines stand in.
pub fn slot_address(spec: &ClusterSpec, plan: &ZoneAddresses) -> Ipv4Addr {
    match spec.network.nat {
        Nat::None => plan.slot_public,
        Nat::Regional | Nat::Single => plan.slot_private,
    }
}

fn dns(spec: &ClusterSpec) -> Ipv4Addr {
    Ipv4Addr::from_bits(spec.network.service_cidr.network().to_bits() + 10)
}

/// What kubeadm of the version says it should be; another one is pulled twice.
fn pause(spec: &ClusterSpec) -> &'static str {
    if spec.kubernetes.minor >= 36 {
        "registry.k8s.io/pause:3.10.2"
    } else {
        "registry.k8s.io/pause:3.10.1"
    }
}

fn labels(pool: &NodePool) -> Vec<String> {
    let own = format!("kube-cfn/pool={}", pool.name);
    let given = pool.labels.iter();
    let given = given.map(|(key, value)| format!("{key}={value}"));
    given.chain([own]).collect()
}

fn taints(pool: &NodePool) -> Vec<String> {
    let text = |taint: &crate::spec::Taint| {
        let effect = taint.effect.as_str();
        format!("{}={}:{effect}", taint.key, taint.value)
    };
    pool.taints.iter().map(text).collect()
}
