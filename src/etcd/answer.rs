//! The one line of JSON with which a program of a node ends.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::DeprecatedApi;

/// What a program prints; each has some of these.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct ProgramResult {
    pub(super) ok: bool,
    pub(super) error: Option<String>,
    pub(super) members: Vec<Member>,
    pub(super) alarms: Vec<String>,
    pub(super) changed: Option<bool>,
    pub(super) promoted: bool,
    pub(super) reason: Option<String>,
    pub(super) state: Option<String>,
    pub(super) waiting: Vec<char>,
    pub(super) key: Option<String>,
    pub(super) revision: u64,
    pub(super) bytes: u64,
    pub(super) sha256: Option<String>,
    pub(super) certificates: Vec<CertificateEntry>,
    pub(super) started: Option<Timestamp>,
    pub(super) deprecated: Vec<DeprecatedApi>,
}

/// A certificate on a node: its end, or why that can't be read.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CertificateEntry {
    pub(super) name: String,
    pub(super) not_after: Option<Timestamp>,
    pub(super) error: Option<String>,
}

/// A member of etcd, as the others list it and as it answers.
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Member {
    /// In hexadecimal.
    pub id: String,
    /// Letter of its slot; empty for a member at an address of no slot.
    pub slot: String,
    /// Empty until it has started once.
    pub name: String,
    pub started: bool,
    /// Without a vote: it is being replaced.
    pub learner: bool,
    /// Whether it answers at all.
    pub answers: bool,
    /// Whether it serves requests, which takes a leader.
    pub serves: bool,
    pub leader: bool,
    /// Of etcd; empty when it doesn't answer.
    pub version: String,
    pub revision: u64,
    /// Size of its database.
    pub bytes: u64,
}

impl ProgramResult {
    /// Out of a program's standard output; `None` when there is no such line.
    pub(super) fn of(stdout: &str) -> Option<Self> {
        serde_json::from_str(stdout.trim().lines().last()?).ok()
    }

    /// The result in a few words.
    pub(super) fn summary(&self) -> String {
        match (self.state.as_deref(), self.changed) {
            (Some("stopped"), _) if !self.waiting.is_empty() => {
                let slots: Vec<_> = self.waiting.iter().map(char::to_string).collect();
                format!("stopped, waits for {}", slots.join(", "))
            }
            (Some("none"), _) => "nothing to do".to_owned(),
            (Some(state), _) => state.to_owned(),
            (None, Some(false)) => match &self.reason {
                Some(reason) => reason.clone(),
                None => "already done".to_owned(),
            },
            _ => match &self.key {
                Some(key) => key.clone(),
                None => "done".to_owned(),
            },
        }
    }
}

pub(super) fn last_line(text: &str) -> String {
    let line = text.trim().lines().last().unwrap_or("no output");
    line.chars().take(300).collect()
}
