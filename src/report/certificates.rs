//! The certificates of a cluster: how long each one lives, and which of them need action.

use jiff::Timestamp;
use serde::Serialize;

use super::format;
use crate::common::text::listed_line;
use crate::etcd::NodeCertificate;
use crate::kube::KubeError;
use crate::pki::{Authority, CertificateInfo};

/// Where a certificate was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum CertificateKind {
    Authority,
    Serving,
    /// On a control-plane node.
    Node,
    /// Issued by `access grant`.
    Access,
    /// On this machine.
    Local,
}

/// One certificate, or why it could not be checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Certificate {
    pub kind: CertificateKind,
    /// Letter of the control-plane node, for one of kind `Node`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node: Option<char>,
    pub name: String,
    pub expires: Option<Timestamp>,
    /// Whole days; negative once it has expired.
    pub days_left: Option<i64>,
    /// Why it could not be checked, or what is wrong with it.
    pub trouble: Option<String>,
}

/// What the end of a certificate means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum CertificateState {
    Good,
    /// Below the limit, or not what it should be.
    Soon,
    Unseen,
    /// Too short-lived to be warned of.
    Listed,
}

impl Certificate {
    pub fn of(
        kind: CertificateKind,
        name: impl Into<String>,
        expires: Timestamp,
        now: Timestamp,
    ) -> Self {
        Self {
            kind,
            node: None,
            name: name.into(),
            expires: Some(expires),
            days_left: Some(expires.duration_since(now).as_secs().div_euclid(86_400)),
            trouble: None,
        }
    }

    /// An authority, from its certificate in the store.
    pub fn authority(role: Authority, facts: &CertificateInfo, now: Timestamp) -> Self {
        let name = match role {
            Authority::Kubernetes => "kubernetes",
            Authority::Etcd => "etcd",
            Authority::FrontProxy => "front-proxy",
        };
        Self::of(CertificateKind::Authority, name, facts.expires, now)
    }

    pub fn unseen(kind: CertificateKind, name: &str, why: impl std::fmt::Display) -> Self {
        Self {
            kind,
            node: None,
            name: name.to_owned(),
            expires: None,
            days_left: None,
            trouble: Some(why.to_string()),
        }
    }

    /// One that a control-plane node was asked for.
    pub fn of_node(found: &NodeCertificate, now: Timestamp) -> Self {
        let kind = CertificateKind::Node;
        let row = match &found.expires {
            Ok(expires) => Self::of(kind, &found.name, *expires, now),
            Err(why) => Self::unseen(kind, &found.name, why),
        };
        Self {
            node: Some(found.slot),
            ..row
        }
    }

    /// What it is, in the words of the other screens.
    fn kind(&self) -> String {
        match (self.kind, self.node) {
            (CertificateKind::Node, Some(node)) => format!("control-plane {node}"),
            (CertificateKind::Node, None) => "control-plane".to_owned(),
            (CertificateKind::Authority, _) => "authority".to_owned(),
            (CertificateKind::Serving, _) => "serving".to_owned(),
            (CertificateKind::Access, _) => "access".to_owned(),
            (CertificateKind::Local, _) => "local".to_owned(),
        }
    }

    fn state(&self, warn_days: u16) -> CertificateState {
        match self.days_left {
            _ if self.kind == CertificateKind::Local => CertificateState::Listed,
            None => CertificateState::Unseen,
            Some(days) if days < i64::from(warn_days) || self.trouble.is_some() => {
                CertificateState::Soon
            }
            Some(_) => CertificateState::Good,
        }
    }
}

/// The row of a certificate that the API showed.
pub fn serving(der: &[u8], verification_error: Option<&KubeError>, now: Timestamp) -> Certificate {
    match CertificateInfo::read_der("the API", der) {
        Ok(facts) => Certificate {
            trouble: verification_error.map(KubeError::brief),
            ..Certificate::of(CertificateKind::Serving, "API", facts.expires, now)
        },
        Err(error) => Certificate::unseen(CertificateKind::Serving, "API", error),
    }
}

pub fn table(rows: &[Certificate], warn_days: u16) -> String {
    let lines = rows.iter().map(|row| {
        let mark = match row.state(warn_days) {
            CertificateState::Good => "ok",
            CertificateState::Soon => "!!",
            CertificateState::Unseen => "..",
            CertificateState::Listed => "",
        };
        let kind = row.kind();
        let until = row
            .expires
            .map_or_else(String::new, |at| at.strftime("%Y-%m-%d").to_string());
        vec![mark.to_owned(), kind, row.name.clone(), until, left(row)]
    });
    let mut text = format::table(&["", "KIND", "NAME", "UNTIL", "LEFT"], lines);
    for row in rows {
        if let Some(trouble) = &row.trouble {
            text.push('\n');
            let of = row
                .node
                .map(|node| format!(" of control-plane node {node}"));
            let of = format!("{}{}: ", row.name, of.unwrap_or_default());
            text.push_str(&listed_line(&of, trouble));
        }
    }
    text
}

fn left(row: &Certificate) -> String {
    match row.days_left {
        None => "unknown".to_owned(),
        Some(days) if days < 0 => "expired".to_owned(),
        Some(0) => "today".to_owned(),
        Some(1) => "1 day".to_owned(),
        Some(days) => format!("{days} days"),
    }
}

/// What the certificates of a cluster mean together. Those on this machine do not count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Assessment {
    /// All are good, for so many days at least.
    Good(Option<i64>),
    /// The names of those that need action.
    Expiring(String),
    /// The names of those that could not be checked, where no other needs action.
    Unseen(String),
}

/// Their names, those of a node together.
fn named(rows: &[&Certificate]) -> String {
    let groups = rows.chunk_by(|a, b| a.node.is_some() && a.node == b.node);
    let group = |group: &[&Certificate]| {
        let names: Vec<_> = group.iter().map(|row| row.name.as_str()).collect();
        match group.first().and_then(|row| row.node) {
            Some(node) => format!("control-plane node {node} ({})", names.join(", ")),
            None => names.join(", "),
        }
    };
    groups.map(group).collect::<Vec<_>>().join(", ")
}

/// Checks certificates that should have `warn_days` left.
pub fn assess(rows: &[Certificate], warn_days: u16) -> Assessment {
    let names = |state| {
        let of: Vec<_> = rows
            .iter()
            .filter(|row| row.state(warn_days) == state)
            .collect();
        (!of.is_empty()).then(|| named(&of))
    };
    if let Some(names) = names(CertificateState::Soon) {
        return Assessment::Expiring(names);
    }
    if let Some(names) = names(CertificateState::Unseen) {
        return Assessment::Unseen(names);
    }
    let counted = rows.iter().filter(|row| row.kind != CertificateKind::Local);
    Assessment::Good(counted.filter_map(|row| row.days_left).min())
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::SignedDuration;

    fn node(slot: char, name: &str, days: Option<i64>) -> Certificate {
        let now: Timestamp = "2026-11-23T10:00:00Z".parse().unwrap();
        let days =
            days.ok_or_else(|| "the SSM agent on i-0123456789abcdef0 is not online".to_owned());
        let found = NodeCertificate {
            slot,
            name: name.to_owned(),
            expires: days.map(|days| now + SignedDuration::from_hours(days * 24 + 1)),
        };
        Certificate::of_node(&found, now)
    }

    #[test]
    fn certificates_of_nodes_fit_80_columns() {
        let rows = [
            node('a', "apiserver-kubelet-client", Some(1000)),
            node('a', "etcd-peer", Some(3)),
            node('b', "certificates", None),
        ];
        let text = table(&rows, 30);
        assert!(
            text.lines().all(|line| line.chars().count() <= 80),
            "{text}"
        );
        let squeezed: Vec<_> = text
            .lines()
            .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
            .collect();
        assert_eq!(
            squeezed[1..],
            [
                "ok control-plane a apiserver-kubelet-client 2029-08-19 1000 days",
                "!! control-plane a etcd-peer 2026-11-26 3 days",
                ".. control-plane b certificates unknown",
                "certificates of control-plane node b: the SSM agent on i-0123456789abcdef0 is",
                "not online",
            ]
        );
        let json = serde_json::to_value(&rows[1]).unwrap();
        assert_eq!(
            (&json["kind"], &json["node"]),
            (&"node".into(), &"a".into())
        );
    }

    #[test]
    fn certificates_of_a_node_are_named_together() {
        let rows = [
            node('a', "etcd-peer", Some(3)),
            node('a', "etcd-server", Some(3)),
            node('b', "etcd-peer", Some(3)),
            node('b', "apiserver", Some(300)),
        ];
        let names =
            "control-plane node a (etcd-peer, etcd-server), control-plane node b (etcd-peer)";
        assert_eq!(assess(&rows, 30), Assessment::Expiring(names.to_owned()));
        let unseen = [
            node('a', "apiserver", Some(300)),
            node('b', "certificates", None),
        ];
        let names = "control-plane node b (certificates)";
        assert_eq!(assess(&unseen, 30), Assessment::Unseen(names.to_owned()));
    }
}
