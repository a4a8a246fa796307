//! Whether the certificates on control-plane nodes are far from their end. Pure: it looks at what was read.

use crate::plan::protection::{LayerState, ProtectionLayer};
use crate::report::certificates::{Assessment, Certificate, assess};
use crate::stacks::StackKind;

/// Nodes renew at 90 days: with less than this left their renewal has failed for a month.
const WARN_DAYS: u16 = 60;

/// The layer of the certificates on all control-plane nodes.
pub fn node_certificates_layer(cluster: &str, rows: &[Certificate]) -> ProtectionLayer {
    let (state, text) = match assess(rows, WARN_DAYS) {
        Assessment::Good(Some(days)) => (
            LayerState::Holds,
            format!("valid for {days} more days at least"),
        ),
        Assessment::Good(None) => (LayerState::Unknown, "no certificate was found".to_owned()),
        Assessment::Expiring(names) => (
            LayerState::Missing,
            format!("fewer than {WARN_DAYS} days left: {names}"),
        ),
        Assessment::Unseen(names) => {
            let why = rows.iter().find_map(|row| row.trouble.as_deref());
            let why = why.unwrap_or("no reason given");
            (
                LayerState::Unknown,
                format!("could not be read: {names}: {why}"),
            )
        }
    };
    ProtectionLayer {
        stack: StackKind::ControlPlane,
        resource: None,
        layer: "certificates of nodes",
        state,
        text,
        next: (state == LayerState::Missing).then(|| {
            format!(
                "`kube-cfn certs status {cluster}` lists them; on the node `journalctl -u kube-cfn-certificates` \
                 says why they were not renewed"
            )
        }),
    }
}
