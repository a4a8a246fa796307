//! What the parameter of the operation lock says: JSON with a schema number, nothing secret in it.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::STALE;
use crate::cloud::VersionedValue;
use crate::common::clock::elapsed;
use crate::common::process::KnownProcess;

/// The form of the record. A record of another one is not read: its lock counts as held.
const SCHEMA: u32 = 1;

/// What a run does with a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OperationVerb {
    Apply,
    Delete,
    Roll,
    /// One that this version does not know.
    #[serde(other)]
    Other,
}

impl OperationVerb {
    /// As it is typed.
    pub fn word(self) -> &'static str {
        match self {
            Self::Apply => "apply",
            Self::Delete => "delete",
            Self::Roll => "roll",
            Self::Other => "another operation",
        }
    }
}

/// Who wants the lock, and for what.
#[derive(Debug, Clone)]
pub struct Claim {
    pub cluster: String,
    pub verb: OperationVerb,
    /// Names the run, as in its change sets.
    pub run: String,
    /// ARN of the caller.
    pub caller: String,
    /// When the run began, by the clock of its machine.
    pub started: Timestamp,
    /// Tells this claim from every other one: a saved plan gives two runs one name.
    pub(super) token: String,
    /// This one; where it runs decides how its end is found out.
    pub process: KnownProcess,
}

impl Claim {
    /// The claim of a run of this process.
    pub fn new(
        cluster: &str,
        verb: OperationVerb,
        run: &str,
        caller: &str,
        started: Timestamp,
    ) -> Self {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let process = KnownProcess::this();
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let token = format!("{started}-{}-{}-{number}", process.host, process.pid);
        Self {
            cluster: cluster.to_owned(),
            verb,
            run: run.to_owned(),
            caller: caller.to_owned(),
            started,
            token,
            process,
        }
    }

    /// The record of this claim, written `now` over a version of the parameter.
    pub(super) fn record(&self, replaces: u64, now: Timestamp) -> Record {
        Record {
            schema: SCHEMA,
            verb: self.verb,
            run: self.run.clone(),
            caller: self.caller.clone(),
            started: self.started,
            renewals: 0,
            renewed: Some(now),
            ended: None,
            replaces,
            token: self.token.clone(),
            process: self.process.clone(),
        }
    }
}

/// Who holds the lock, or held it last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Record {
    schema: u32,
    pub verb: OperationVerb,
    /// Names the run, as in its change sets.
    pub run: String,
    /// ARN of the caller.
    pub caller: String,
    /// When the run began, by the clock of its machine.
    pub started: Timestamp,
    /// How often it was renewed.
    pub(super) renewals: u64,
    /// When it was written last, by the clock of its machine: read on that machine alone. Earlier versions do not say it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) renewed: Option<Timestamp>,
    /// When the run let go, by the clock of its machine; `None` while it holds the lock.
    pub(super) ended: Option<Timestamp>,
    /// The version of the parameter that its writer had seen; 0 for none.
    pub(super) replaces: u64,
    pub(super) token: String,
    pub(super) process: KnownProcess,
}

/// What every record says, also one of a later version.
#[derive(Deserialize)]
pub(super) struct Stub {
    replaces: u64,
    pub(super) token: String,
}

impl Stub {
    /// `None` for what no kube-cfn wrote.
    pub(super) fn of(found: &VersionedValue) -> Option<Self> {
        serde_json::from_str(&found.value).ok()
    }

    /// Whether its writer had seen the version before it. The lock is then what it says; else it is void.
    pub(super) fn is_valid(&self, found: &VersionedValue) -> bool {
        self.replaces.checked_add(1) == Some(found.version)
    }
}

impl Record {
    /// The record of a value. `None` for one that is void, and for one that this version can't read.
    pub(super) fn of(found: &VersionedValue) -> Option<Self> {
        let record: Self = serde_json::from_str(&found.value).ok()?;
        let is_valid = Stub::of(found)?.is_valid(found);
        (record.schema == SCHEMA && is_valid).then_some(record)
    }

    /// As it is stored.
    pub(super) fn text(&self) -> String {
        // A record of strings and numbers is always JSON.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Whether it holds the lock, as far as one can see without waiting.
    pub(super) fn holds(&self) -> bool {
        self.ended.is_none() && self.process.has_ended() != Some(true)
    }

    /// Whether it is certain at once that its holder renews it: its process lives on this machine, and wrote it a moment
    /// ago by the clock of this machine. One that lives and hangs is waited for like one elsewhere.
    pub(super) fn is_renewed_here(&self, now: Timestamp) -> bool {
        let is_recent = |renewed: Timestamp| renewed <= now && elapsed(renewed, now) < STALE;
        self.is_alive() == Some(true) && self.renewed.is_some_and(is_recent)
    }

    /// Whether its process runs; `None` for one elsewhere: only a change of the lock shows that.
    pub fn is_alive(&self) -> Option<bool> {
        self.process.has_ended().map(|has_ended| !has_ended)
    }

    /// The host and process of the run.
    pub fn place(&self) -> String {
        let KnownProcess { host, pid, .. } = &self.process;
        format!("process {pid} on {host}")
    }
}

/// What runs, who runs it, where and since when.
impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (verb, caller, started) = (self.verb.word(), &self.caller, self.started);
        write!(
            f,
            "`{verb}` by {caller} ({}), run {}, since {started:.0}",
            self.place(),
            self.run
        )
    }
}
