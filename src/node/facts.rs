//! What every node of a role is told: the content of `node.env` and `node.json` in its bundle.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use serde::Serialize;

use super::binaries::{self, Pinned};
use super::{NodeError, Role};
use crate::spec::address::{self, ZoneAddresses};
use crate::spec::{ClusterSpec, Nat, NodePool, Zone};

/// The facts. Values that are known only while the stacks are made (API host, bucket) are not among
/// them: they reach the node through user data.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Facts {
    pub cluster: String,
    pub region: String,
    pub role: String,
    pub kubernetes: String,
    /// As `uname -m` says it.
    pub machine: &'static str,
    pub pod_range: String,
    pub service_range: String,
    /// The fixed addresses of the control plane. Nodes of a cluster without NAT reach the API on
    /// these: seen from a public load balancer they come from addresses that nobody can list.
    pub slots: Vec<Slot>,
    pub labels: BTreeMap<String, String>,
    pub taints: Vec<String>,
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
            Role::ControlPlane => (spec.control_plane.architecture, BTreeMap::new(), Vec::new()),
            Role::Pool(pool) => (pool.architecture, pool.labels.clone(), taints(pool)),
        };
        let machine = match architecture {
            crate::spec::Architecture::Arm64 => "aarch64",
            crate::spec::Architecture::X86_64 => "x86_64",
        };
        let mirror = spec.mirror.as_deref();
        Ok(Self {
            cluster: spec.name.clone(),
            region: spec.region.clone(),
            role: role.name(),
            kubernetes: spec.kubernetes.to_string(),
            machine,
            pod_range: spec.network.pod_cidr.to_string(),
            service_range: spec.network.service_cidr.to_string(),
            slots: slots(spec)?,
            labels,
            taints,
            binaries: binaries::of(&spec.kubernetes, architecture, role, mirror)?,
        })
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

/// `key=value:Effect`, as the kubelet takes them.
fn taints(pool: &NodePool) -> Vec<String> {
    let text = |taint: &crate::spec::Taint| {
        let effect = taint.effect.as_str();
        format!("{}={}:{effect}", taint.key, taint.value)
    };
    pool.taints.iter().map(text).collect()
}
