//! Whether a recent snapshot of etcd protects the cluster. Pure: it looks at what was listed.

use jiff::{SignedDuration, Timestamp};

use crate::common::duration::age;
use crate::etcd::Snapshot;
use crate::plan::protection::{LayerState, ProtectionLayer};
use crate::stacks::StackKind;

/// The control plane takes one every half hour (kube-cfn-etcd-snapshot.timer): after this long at least three
/// are missing.
const OLDEST: SignedDuration = SignedDuration::from_hours(2);

/// The layer of the snapshots of a control plane that was created at `created`; `snapshots` with the newest
/// first, or why they could not be listed.
pub fn snapshot_layer(
    cluster: &str,
    created: Timestamp,
    snapshots: &Result<Vec<Snapshot>, String>,
    now: Timestamp,
) -> ProtectionLayer {
    let (state, text) = match snapshots {
        Err(why) => (LayerState::Unknown, format!("could not be listed: {why}")),
        Ok(all) => newest(created, all, now),
    };
    ProtectionLayer {
        stack: StackKind::ControlPlane,
        resource: None,
        layer: "etcd snapshots",
        state,
        text,
        next: (state == LayerState::Missing).then(|| {
            format!(
                "`kube-cfn etcd snapshot {cluster}` takes one now; on a control-plane node `journalctl -u \
                 kube-cfn-etcd-snapshot` says why none was taken"
            )
        }),
    }
}

fn newest(created: Timestamp, snapshots: &[Snapshot], now: Timestamp) -> (LayerState, String) {
    let since = |moment: Timestamp| now.duration_since(moment);
    match snapshots.iter().find(|one| one.verifiable) {
        Some(one) if since(one.written) <= OLDEST => {
            let taken = age(since(one.written));
            (LayerState::Holds, format!("the newest is {taken} old"))
        }
        Some(one) => {
            let taken = age(since(one.written));
            (
                LayerState::Missing,
                format!("the newest is {taken} old, one is taken every half hour"),
            )
        }
        None if since(created) <= OLDEST => (
            LayerState::Open,
            "none yet: the control plane is new, it takes one every half hour".to_owned(),
        ),
        None => (LayerState::Missing, "none that can be verified".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(created_hours: i64, snapshots: &[(i64, bool)]) -> LayerState {
        let now: Timestamp = "2026-11-30T12:00:00Z".parse().unwrap();
        let before = |hours| now - SignedDuration::from_hours(hours);
        let all = snapshots.iter().map(|&(hours, verifiable)| Snapshot {
            key: "etcd/20261130T100000Z-7.db".parse().unwrap(),
            revision: 7,
            bytes: 1,
            written: before(hours),
            verifiable,
        });
        let all = Ok(all.collect());
        snapshot_layer("c", before(created_hours), &all, now).state
    }

    #[test]
    fn recent_verifiable_snapshot_holds() {
        assert_eq!(state(50, &[(1, true), (9, true)]), LayerState::Holds);
        assert_eq!(state(50, &[(1, false), (2, true)]), LayerState::Holds);
    }

    #[test]
    fn old_or_unverifiable_snapshots_are_missing() {
        assert_eq!(state(50, &[(3, true)]), LayerState::Missing);
        assert_eq!(state(50, &[(1, false)]), LayerState::Missing);
        assert_eq!(state(50, &[]), LayerState::Missing);
    }

    #[test]
    fn new_control_plane_needs_none_yet() {
        assert_eq!(state(1, &[]), LayerState::Open);
        assert_eq!(state(1, &[(3, true)]), LayerState::Missing);
    }

    #[test]
    fn unlisted_snapshots_are_unknown() {
        let now = Timestamp::UNIX_EPOCH;
        let layer = snapshot_layer("c", now, &Err("denied".to_owned()), now);
        assert_eq!(layer.state, LayerState::Unknown);
    }
}
