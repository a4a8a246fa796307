//! What `doctor` says of the authorities: their parameters, the copy beside the etcd snapshots, and how long
//! they are valid. Pure: it compares what was read.

use jiff::{SignedDuration, Timestamp};

use crate::access::copy::{COPY_KEY, StoredValues};
use crate::access::{AuthorityParameter, ClusterLife, Inventory, ParameterNames};
use crate::pki::{Authority, CertificateInfo};
use crate::plan::protection::{LayerState, ProtectionLayer};
use crate::stacks::StackKind;

/// An authority with less left is reported: a replacement takes planning.
const WARN: SignedDuration = SignedDuration::from_hours(180 * 24);

/// The copy as it was read, beside what is stored.
pub enum CopyRead {
    /// There is none.
    Absent,
    Values {
        stored: StoredValues,
        copy: StoredValues,
    },
    /// The caller may not read values (`access.issuers` names others): when it was written.
    Written(Timestamp),
}

/// The layers of the parameters: one for all where all is well, else one for each that is not.
pub fn parameter_layers(listed: &Inventory) -> Vec<ProtectionLayer> {
    let cluster = &listed.cluster;
    if listed.life == ClusterLife::New && listed.foreign.is_empty() && !listed.missing.is_empty() {
        let text = format!("not made yet: `kube-cfn apply {cluster}` makes them");
        return vec![layer(
            "Authorities",
            "parameters",
            LayerState::Open,
            text,
            None,
        )];
    }
    let restore = format!("`kube-cfn certs restore {cluster}`");
    let missing = listed.missing.iter().map(|one| {
        let (state, text) = (LayerState::Missing, "missing, and never made again");
        layer(&one.short, "parameter", state, text, Some(&restore))
    });
    let plan = format!("`kube-cfn certs restore {cluster} --plan` shows what is to do");
    let foreign = listed.foreign.iter().map(|(one, key)| {
        let text = format!("encrypted under another key, {key}");
        layer(
            &one.short,
            "parameter",
            LayerState::Missing,
            text,
            Some(&plan),
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
    let compare = format!("`kube-cfn certs restore {cluster} --plan` compares both");
    let (state, text, next) = match read {
        Err(why) => (
            LayerState::Unknown,
            format!("could not be compared: {why}"),
            None,
        ),
        Ok(CopyRead::Absent) if listed.life == ClusterLife::New => {
            (LayerState::Open, "none yet".to_owned(), None)
        }
        Ok(CopyRead::Absent) => (
            LayerState::Missing,
            format!("there is no {COPY_KEY} in the state bucket"),
            Some(if listed.missing.is_empty() {
                format!("`kube-cfn apply {cluster}` writes it")
            } else {
                format!("`kube-cfn certs restore {cluster}` says where else they may be")
            }),
        ),
        Ok(CopyRead::Written(at)) if listed.newest.is_none_or(|newest| newest <= *at) => (
            LayerState::Holds,
            "newer than every parameter; you may not compare the values".to_owned(),
            None,
        ),
        Ok(CopyRead::Written(_)) => (
            LayerState::Missing,
            "older than a parameter".to_owned(),
            Some(compare),
        ),
        Ok(CopyRead::Values { stored, copy }) => compared(listed, stored, copy, compare),
    };
    layer("Authorities", "copy", state, text, next.as_deref())
}

fn compared(
    listed: &Inventory,
    stored: &StoredValues,
    copy: &StoredValues,
    compare: String,
) -> (LayerState, String, Option<String>) {
    let mut old = copy.without(&listed.all);
    old.extend(copy.differing(stored, &listed.all));
    let names = ParameterNames::of(&listed.cluster);
    let pairs = names.map_or_else(
        |_| Vec::new(),
        |names| stored.mismatched(&names, &listed.all),
    );
    let short = |all: &[&AuthorityParameter]| -> String {
        let all: Vec<_> = all.iter().map(|one| one.short.as_str()).collect();
        all.join(", ")
    };
    if !pairs.is_empty() {
        let text = format!("not of the secret beside it: {}", short(&pairs));
        (LayerState::Missing, text, Some(compare))
    } else if old.is_empty() {
        (
            LayerState::Holds,
            "as stored, in the state bucket".to_owned(),
            None,
        )
    } else {
        let text = format!("has no or other values of {}", short(&old));
        (LayerState::Missing, text, Some(compare))
    }
}

/// The layer of a list of parameters that failed.
pub fn unlisted_layer(why: &str) -> ProtectionLayer {
    let text = format!("could not be listed: {why}");
    layer("Authorities", "parameters", LayerState::Unknown, text, None)
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
