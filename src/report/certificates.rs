//! The certificates of a cluster: how long each one lives, and which of them need action.

use jiff::Timestamp;
use serde::Serialize;

use super::format;
use crate::common::text::listed_line;
use crate::kube::KubeError;
use crate::pki::{Authority, CertificateInfo};

/// Where a certificate was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum CertificateKind {
    Authority,
    Serving,
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
            name: name.to_owned(),
            expires: None,
            days_left: None,
            trouble: Some(why.to_string()),
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
        let kind = format!("{:?}", row.kind).to_lowercase();
        let until = row
            .expires
            .map_or_else(String::new, |at| at.strftime("%Y-%m-%d").to_string());
        vec![mark.to_owned(), kind, row.name.clone(), until, left(row)]
    });
    let mut text = format::table(&["", "KIND", "NAME", "UNTIL", "LEFT"], lines);
    for row in rows {
        if let Some(trouble) = &row.trouble {
            text.push('\n');
            text.push_str(&listed_line(&format!("{}: ", row.name), trouble));
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

/// Checks certificates that should have `warn_days` left.
pub fn assess(rows: &[Certificate], warn_days: u16) -> Assessment {
    let names = |state| {
        let of = rows.iter().filter(|row| row.state(warn_days) == state);
        let names: Vec<_> = of.map(|row| row.name.as_str()).collect();
        (!names.is_empty()).then(|| names.join(", "))
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
