//! What a ready cluster needs, and what is missing. Pure: from the wanted cluster and its state to a
//! readiness.

use std::net::{IpAddr, Ipv4Addr};

use semver::Version;

use super::{Health, KubeError, Node, Pod, critical};
use crate::common::tags::SLOT_LABEL;
use crate::common::text::count;
use crate::spec::{ClusterSpec, Nat, address};

/// The nodes that a cluster must have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WantedCluster {
    pub version: Version,
    pub slots: Vec<WantedSlot>,
    pub pools: Vec<WantedPool>,
}

/// A slot of the control plane.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WantedSlot {
    /// Its zone's letter.
    pub letter: char,
    /// The address that its node has, whichever machine it is.
    pub address: Ipv4Addr,
}

/// A node pool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WantedPool {
    pub name: String,
    /// Nodes that must be Ready; more come and go with the load.
    pub min: u32,
}

impl WantedCluster {
    /// What a definition asks for.
    pub fn of(spec: &ClusterSpec) -> Self {
        let slot = |(index, letter)| {
            let zone = address::zone(spec.network.cidr, index)?;
            let address = match spec.network.nat {
                Nat::None => zone.slot_public,
                Nat::Regional | Nat::Single => zone.slot_private,
            };
            Some(WantedSlot { letter, address })
        };
        let letters = spec.slot_zones().iter().map(|zone| zone.letter);
        Self {
            version: spec.kubernetes.clone(),
            slots: letters.enumerate().filter_map(slot).collect(),
            pools: spec
                .pools
                .iter()
                .map(|pool| WantedPool {
                    name: pool.name.clone(),
                    min: pool.min,
                })
                .collect(),
        }
    }
}

/// The state of a cluster as one poll found it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterState {
    pub health: Result<Health, KubeError>,
    /// `None` if the contents were not read: the API is not ready, or there is no credential.
    pub contents: Option<Result<ClusterContents, KubeError>>,
}

/// The nodes and pods of a cluster.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ClusterContents {
    pub nodes: Vec<Node>,
    /// The pods of `kube-system`.
    pub pods: Vec<Pod>,
}

/// Whether a cluster works, part by part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Readiness {
    pub parts: Vec<ReadinessPart>,
    /// What differs from the definition but is not waited for.
    pub remarks: Vec<String>,
}

/// One thing that must be there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadinessPart {
    pub name: String,
    pub done: usize,
    pub wanted: usize,
    /// Its state in one short phrase: `2 of 3 nodes Ready`.
    pub state: String,
    /// What is missing, a sentence each.
    pub missing: Vec<String>,
}

impl ReadinessPart {
    pub fn is_done(&self) -> bool {
        self.done >= self.wanted
    }

    fn unknown(name: String, wanted: usize) -> Self {
        Self {
            name,
            done: 0,
            wanted,
            state: "can't be checked until the API answers".to_owned(),
            missing: Vec::new(),
        }
    }
}

impl Readiness {
    pub fn is_done(&self) -> bool {
        self.parts.iter().all(ReadinessPart::is_done)
    }

    /// What is missing, each sentence with the part that it belongs to.
    pub fn missing(&self) -> impl Iterator<Item = String> {
        let open = self.parts.iter().filter(|part| !part.is_done());
        open.flat_map(|part| {
            let name = &part.name;
            let whole = format!("{name}: {}", part.state);
            let details = part
                .missing
                .iter()
                .map(move |what| format!("{name}: {what}"));
            std::iter::once(whole).chain(details)
        })
    }
}

/// Compares the wanted cluster with its state.
pub fn readiness(wanted: &WantedCluster, seen: &ClusterState) -> Readiness {
    let mut parts = vec![api(&seen.health)];
    let mut remarks = Vec::new();
    match &seen.contents {
        Some(Ok(contents)) => {
            parts.push(control_plane(wanted, &contents.nodes));
            parts.extend(wanted.pools.iter().map(|one| pool(one, &contents.nodes)));
            parts.push(critical::readiness(wanted, contents));
            remarks.extend(outdated(wanted, &contents.nodes));
        }
        Some(Err(error)) => {
            let mut nodes = ReadinessPart::unknown("nodes".to_owned(), 1);
            "can't be read".clone_into(&mut nodes.state);
            nodes.missing.push(error.to_string());
            parts.push(nodes);
        }
        // Asked without a credential, a healthy API is all that can be seen.
        None if parts.iter().all(ReadinessPart::is_done) => remarks.push(
            "nodes and pods were not checked: that takes a certificate of this cluster".to_owned(),
        ),
        None => parts.extend(unknown(wanted)),
    }
    Readiness { parts, remarks }
}

fn unknown(wanted: &WantedCluster) -> Vec<ReadinessPart> {
    let pools = wanted.pools.iter().map(|pool| {
        let min = usize::try_from(pool.min).unwrap_or(usize::MAX);
        ReadinessPart::unknown(format!("pool {}", pool.name), min)
    });
    std::iter::once(ReadinessPart::unknown(
        "control plane".to_owned(),
        wanted.slots.len(),
    ))
    .chain(pools)
    .collect()
}

fn api(health: &Result<Health, KubeError>) -> ReadinessPart {
    let (done, state, missing) = match health {
        Ok(health) if health.ready => (1, "answers".to_owned(), Vec::new()),
        Ok(health) => {
            let failing: Vec<_> = health.failing().collect();
            let what = match failing.as_slice() {
                [] => "/readyz fails".to_owned(),
                names => format!("/readyz fails: {}", names.join(", ")),
            };
            (0, "is not ready".to_owned(), vec![what])
        }
        Err(error) => (0, "does not answer".to_owned(), vec![error.brief()]),
    };
    ReadinessPart {
        name: "API".to_owned(),
        done,
        wanted: 1,
        state,
        missing,
    }
}

fn control_plane(wanted: &WantedCluster, nodes: &[Node]) -> ReadinessPart {
    let mut missing = Vec::new();
    let mut done = 0;
    for slot in &wanted.slots {
        let letter = slot.letter;
        match node_of(slot, nodes) {
            None => missing.push(format!(
                "node {letter}: no machine has joined as {}",
                slot.address
            )),
            Some(node) => match &node.trouble {
                None => done += 1,
                Some(why) => {
                    missing.push(format!("node {letter}: {} is NotReady: {why}", node.name));
                }
            },
        }
    }
    ReadinessPart {
        name: "control plane".to_owned(),
        done,
        wanted: wanted.slots.len(),
        state: format!("{done} of {} Ready", count(wanted.slots.len(), "node")),
        missing,
    }
}

/// The node that fills a slot. A machine that was replaced leaves its Node behind for a while, with
/// the same address and even Ready: the younger one counts.
pub(super) fn node_of<'a>(slot: &WantedSlot, nodes: &'a [Node]) -> Option<&'a Node> {
    let letter = slot.letter.to_string();
    let fills = |node: &&Node| {
        node.address == Some(IpAddr::V4(slot.address))
            || node.labels.get(SLOT_LABEL) == Some(&letter)
    };
    nodes.iter().filter(fills).max_by_key(|node| node.created)
}

fn pool(wanted: &WantedPool, nodes: &[Node]) -> ReadinessPart {
    let mine = || {
        nodes
            .iter()
            .filter(|node| node.pool() == Some(wanted.name.as_str()))
    };
    let min = usize::try_from(wanted.min).unwrap_or(usize::MAX);
    let done = mine().filter(|node| node.trouble.is_none()).count();
    let mut missing: Vec<String> = mine()
        .filter_map(|node| {
            Some(format!(
                "{} is NotReady: {}",
                node.name,
                node.trouble.as_ref()?
            ))
        })
        .collect();
    let absent = min.saturating_sub(mine().count());
    if absent > 0 {
        let have = if absent == 1 { "has" } else { "have" };
        missing.push(format!("{} {have} not joined yet", count(absent, "node")));
    }
    ReadinessPart {
        name: format!("pool {}", wanted.name),
        done,
        wanted: min,
        state: format!("{done} of {} Ready", count(min, "node")),
        missing,
    }
}

/// Nodes on another version. Applying moves launch templates and replaces no machine, so these
/// are not waited for: they are reported.
fn outdated(wanted: &WantedCluster, nodes: &[Node]) -> Option<String> {
    let version = format!("v{}", wanted.version);
    let others: Vec<String> = nodes
        .iter()
        .filter(|node| !node.version.is_empty() && node.version != version)
        .map(|node| format!("{} runs {}", node.name, node.version))
        .collect();
    let (first, more) = others.split_first()?;
    let more = match more.len() {
        0 => String::new(),
        more => format!(" and {more} more do not run {version} either"),
    };
    Some(format!("{first}, the definition says {version}{more}"))
}
