//! What `doctor` says of the authorities: their parameters, the copy beside the etcd snapshots, and how long
//! they are valid. Pure: it compares what was read.

use jiff::{SignedDuration, Timestamp};

use crate::access::Inventory;
use crate::access::copy::{COPY_KEY, StoredValues};
use crate::pki::{Authority, CertificateInfo};
use crate::plan::protection::{LayerState, ProtectionLayer};
use crate::stacks::StackKind;

/// An authority with less left is reported: a replacement takes planning.
const WARN: SignedDuration = SignedDuration::from_hours(180 * 24);

/// The copy as it was read, beside what is stored.
pub struct CopyRead {
    pub stored: StoredValues,
    /// `None` when there is none.
    pub copy: Option<StoredValues>,
}

/// The layers of the parameters: one for all where all is well, else one for each that is not.
pub fn parameter_layers(listed: &Inventory) -> Vec<ProtectionLayer> {
    let cluster = &listed.cluster;
    let restore = format!("`kube-cfn certs restore {cluster}`");
    let missing = listed.missing.iter().map(|one| {
        let text = "missing, and never made again";
        layer(
            &one.short,
            "parameter",
            LayerState::Missing,
            text,
            Some(&restore),
        )
    });
    let clear = format!("`kube-cfn certs restore {cluster} --plan` shows what is to do");
    let foreign = listed.foreign.iter().map(|(one, key)| {
        let text = format!("encrypted under another key, {key}");
        layer(
            &one.short,
            "parameter",
            LayerState::Missing,
            text,
            Some(&clear),
        )
    });
    let bad: Vec<_> = missing.chain(foreign).collect();
    if bad.is_empty() {
        let count = listed.all.len();
        let text = format!("all {count} stored, the secrets under the cluster's key");
        return vec![layer(
            "Authorities",
            "parameters",
            LayerState::Holds,
            text,
            None,
        )];
    }
    bad
}

/// The layer of the copy.
pub fn copy_layer(listed: &Inventory, read: &Result<CopyRead, String>) -> ProtectionLayer {
    let cluster = &listed.cluster;
    let (state, text, next) = match read {
        Err(why) => (
            LayerState::Unknown,
            format!("could not be compared: {why}"),
            None,
        ),
        Ok(CopyRead { copy: None, .. }) => (
            LayerState::Missing,
            format!("there is no {COPY_KEY} in the state bucket"),
            Some(format!("`kube-cfn apply {cluster}` writes it")),
        ),
        Ok(CopyRead {
            stored,
            copy: Some(copy),
        }) => {
            let mut old = copy.without(&listed.all);
            old.extend(copy.differing(stored, &listed.all));
            let names: Vec<_> = old.iter().map(|one| one.short.as_str()).collect();
            if names.is_empty() {
                let text = "as stored, in the state bucket".to_owned();
                (LayerState::Holds, text, None)
            } else {
                let next = format!("`kube-cfn certs restore {cluster} --plan` compares both");
                let text = format!("has no or other values of {}", names.join(", "));
                (LayerState::Missing, text, Some(next))
            }
        }
    };
    layer("Authorities", "copy", state, text, next.as_deref())
}

/// The layer of how long the authorities are valid, or why that could not be read.
pub fn validity_layer(
    cluster: &str,
    read: &Result<Vec<(Authority, CertificateInfo)>, String>,
    now: Timestamp,
) -> ProtectionLayer {
    let (state, text) = match read {
        Err(why) => (LayerState::Unknown, format!("could not be read: {why}")),
        Ok(all) => {
            let first = all.iter().min_by_key(|(_, info)| info.expires);
            first.map_or_else(
                || (LayerState::Unknown, "no certificate was found".to_owned()),
                |(role, info)| {
                    let left = info.expires.duration_since(now);
                    let day = info.expires.strftime("%Y-%m-%d");
                    if left < WARN {
                        (LayerState::Missing, format!("{role} ends on {day}"))
                    } else {
                        (LayerState::Holds, format!("until {day} at least"))
                    }
                },
            )
        }
    };
    let next = format!(
        "`kube-cfn certs status {cluster}` lists all; plan the replacement of the authority"
    );
    layer("Authorities", "validity", state, text, Some(&next))
}

fn layer(
    resource: &str,
    layer: &'static str,
    state: LayerState,
    text: impl Into<String>,
    next: Option<&str>,
) -> ProtectionLayer {
    ProtectionLayer {
        stack: StackKind::Base,
        resource: Some(resource.to_owned()),
        layer,
        state,
        text: text.into(),
        next: next
            .filter(|_| state == LayerState::Missing)
            .map(str::to_owned),
    }
}
