//! The phases of an upgrade, and which of them are left: by what runs, never by what a run before has noted. The control
//! plane goes first, because a kubelet may never be newer than an API server.

use std::collections::BTreeMap;

use semver::Version;
use serde::Serialize;

/// A phase of an upgrade.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Phase {
    /// A fresh snapshot of etcd.
    Snapshot,
    /// `kubernetes:` in the definition.
    Definition,
    /// The launch templates of the control plane.
    ControlPlaneStack,
    /// Its machines, one after the other.
    ControlPlane,
    /// The addons that go with the version.
    Addons,
    /// The launch templates of the pools.
    PoolStacks,
    /// The machines of the pools.
    Pools,
    /// What runs afterwards, looked at once more.
    PostCheck,
}

impl Phase {
    const ORDER: [Self; 8] = [
        Self::Snapshot,
        Self::Definition,
        Self::ControlPlaneStack,
        Self::ControlPlane,
        Self::Addons,
        Self::PoolStacks,
        Self::Pools,
        Self::PostCheck,
    ];

    /// What happens in it, in a few words.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Snapshot => "etcd snapshot",
            Self::Definition => "definition",
            Self::ControlPlaneStack => "stack control-plane",
            Self::ControlPlane => "control-plane nodes",
            Self::Addons => "addons",
            Self::PoolStacks => "stacks of the pools",
            Self::Pools => "nodes of the pools",
            Self::PostCheck => "check afterwards",
        }
    }
}

/// Where a cluster is between two versions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    pub to: Version,
    /// What the definition says.
    pub definition: Version,
    /// What control-plane machines boot next.
    pub control_plane_stack: Version,
    /// What each API server runs. Unknown ones are left out and counted in `unknown_servers`.
    pub api_servers: Vec<Version>,
    pub unknown_servers: usize,
    /// What the machines of each pool boot next.
    pub pool_stacks: BTreeMap<String, Version>,
    /// Machines of the pools whose kubelet is of another version, or that were launched from an older template.
    pub outdated_nodes: usize,
    /// Whether pools keep their version for now.
    pub skip_pools: bool,
}

/// The phases that are left, in their order; the check is last, where anything runs before it. Empty when the cluster is there.
pub fn remaining(progress: &Progress) -> Vec<Phase> {
    let mut left: Vec<Phase> = Phase::ORDER
        .into_iter()
        .filter(|phase| progress.is_left(*phase))
        .collect();
    if left.iter().any(|phase| *phase != Phase::Definition) {
        left.push(Phase::PostCheck);
    }
    left
}

impl Progress {
    fn is_left(&self, phase: Phase) -> bool {
        let pools = !self.skip_pools;
        match phase {
            // Of no use once the first API server runs the other version: it would hold what that has written.
            Phase::Snapshot => {
                self.is_left(Phase::ControlPlaneStack)
                    || self.is_left(Phase::ControlPlane) && !self.api_servers.contains(&self.to)
            }
            Phase::Definition => self.definition != self.to,
            Phase::ControlPlaneStack => self.control_plane_stack != self.to,
            Phase::ControlPlane => {
                self.is_left(Phase::ControlPlaneStack)
                    || self.unknown_servers > 0
                    || self.api_servers.iter().any(|version| *version != self.to)
            }
            // The nodes install them by themselves once all API servers are there; whether they did is checked at the end.
            Phase::Addons => self.is_left(Phase::ControlPlane),
            Phase::PoolStacks => {
                pools && self.pool_stacks.values().any(|version| *version != self.to)
            }
            Phase::Pools => pools && (self.is_left(Phase::PoolStacks) || self.outdated_nodes > 0),
            // Added where anything else is left.
            Phase::PostCheck => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(minor: u64) -> Version {
        Version::new(1, minor, 4)
    }

    fn fresh(from: u64, to: u64) -> Progress {
        Progress {
            to: version(to),
            definition: version(from),
            control_plane_stack: version(from),
            api_servers: vec![version(from); 3],
            unknown_servers: 0,
            pool_stacks: BTreeMap::from([("workers".to_owned(), version(from))]),
            outdated_nodes: 0,
            skip_pools: false,
        }
    }

    /// Does what a phase is for.
    fn finish(progress: &mut Progress, phase: Phase) {
        let to = progress.to.clone();
        match phase {
            Phase::Snapshot | Phase::Addons | Phase::PostCheck => {}
            Phase::Definition => progress.definition = to,
            Phase::ControlPlaneStack => progress.control_plane_stack = to,
            Phase::ControlPlane => progress.api_servers.fill(to),
            Phase::PoolStacks => {
                progress
                    .pool_stacks
                    .values_mut()
                    .for_each(|version| *version = to.clone());
                progress.outdated_nodes = 5;
            }
            Phase::Pools => progress.outdated_nodes = 0,
        }
    }

    #[test]
    fn interrupted_anywhere_the_rest_is_left() {
        let mut progress = fresh(35, 36);
        for (done, phase) in Phase::ORDER.into_iter().enumerate() {
            let left = remaining(&progress);
            let snapshot = left.first() == Some(&Phase::Snapshot);
            let left: Vec<_> = left
                .into_iter()
                .filter(|one| *one != Phase::Snapshot)
                .collect();
            let expected: Vec<_> = Phase::ORDER[done..]
                .iter()
                .copied()
                .filter(|one| *one != Phase::Snapshot && (*one != Phase::Addons || phase != *one))
                .collect();
            if phase == Phase::PostCheck {
                assert!(left.is_empty(), "{left:?}");
            } else {
                assert_eq!(left, expected, "before {phase:?}");
            }
            let before_control_plane = progress.api_servers[0] != progress.to;
            assert_eq!(snapshot, before_control_plane && phase != Phase::PostCheck);
            finish(&mut progress, phase);
        }
    }

    #[test]
    fn control_plane_half_way_takes_no_snapshot() {
        let mut progress = fresh(35, 36);
        for phase in [Phase::Definition, Phase::ControlPlaneStack] {
            finish(&mut progress, phase);
        }
        progress.api_servers[0] = version(36);
        let left = remaining(&progress);
        assert_eq!(left.first(), Some(&Phase::ControlPlane));
        progress.api_servers.fill(version(36));
        progress.unknown_servers = 1;
        assert_eq!(
            remaining(&progress).first(),
            Some(&Phase::ControlPlane),
            "unknown is not done"
        );
    }

    #[test]
    fn pools_may_wait() {
        let mut progress = fresh(35, 36);
        progress.skip_pools = true;
        let left = remaining(&progress);
        assert!(!left.contains(&Phase::PoolStacks) && !left.contains(&Phase::Pools));
        assert_eq!(left.last(), Some(&Phase::PostCheck));
    }

    #[test]
    fn finished_upgrade_leaves_nothing() {
        assert_eq!(remaining(&fresh(36, 36)), []);
        let mut edited = fresh(36, 36);
        edited.definition = version(35);
        assert_eq!(remaining(&edited), [Phase::Definition]);
    }
}
