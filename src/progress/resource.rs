//! One resource of a stack: where it stands, since when, and how long that usually takes.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use crate::catalog::durations::{Durations, Operation, Range};
use crate::cloud::ResourceStatus;
use crate::cloud::status::Phase;
use crate::events::Verb;

/// One resource of a stack.
#[derive(Debug, Clone)]
pub(super) struct ResourceProgress {
    pub sentence: String,
    resource_type: String,
    durations: Arc<Durations>,
    pub status: ResourceStatus,
    /// Start of what happens to it now, or of what happened last.
    pub since: Timestamp,
    pub ended: Option<Timestamp>,
    /// Whether it is as the run wants it.
    pub done: bool,
    /// Whether its configuration is applied and it only settles; what needs it may go on already.
    pub applied: bool,
}

/// How CloudFormation tells that a resource's configuration is complete while it still stabilises: the
/// detailed status, or the reason that comes with it.
const APPLIED: [&str; 2] = [
    "CONFIGURATION_COMPLETE",
    "Eventual consistency check initiated",
];

impl ResourceProgress {
    pub fn new(
        resource_type: &str,
        status: &ResourceStatus,
        at: Timestamp,
        durations: Arc<Durations>,
    ) -> Self {
        Self {
            durations,
            sentence: String::new(),
            resource_type: resource_type.to_owned(),
            status: status.clone(),
            since: at,
            ended: None,
            done: false,
            applied: false,
        }
    }

    pub fn step(&mut self, status: &ResourceStatus, at: Timestamp, reason: Option<&str>) {
        let verb = |status: &ResourceStatus| status.as_str().split('_').next().map(str::to_owned);
        let settles = matches!(status.phase(), Phase::Done | Phase::Failed | Phase::Skipped);
        let again = self.ended.is_some() && !settles;
        if again || verb(status) != verb(&self.status) {
            self.since = at;
        }
        let told = reason.is_some_and(|reason| APPLIED.iter().any(|words| reason.contains(words)));
        self.applied = !settles && (told || (self.applied && !again));
        self.ended = settles.then_some(at);
        self.status = status.clone();
    }

    /// Whether it is as the run wants it, after a step.
    pub fn judge(&mut self, operation: Option<Verb>, rolling_back: bool) {
        let settled_well = matches!(self.status.phase(), Phase::Done | Phase::Skipped);
        self.done = match operation {
            _ if rolling_back => false,
            Some(Verb::Create) => settled_well && !self.status.is_delete(),
            Some(Verb::Delete) => settled_well && self.status.is_delete(),
            // The clean-up after an update removes what it replaced: done stays done.
            Some(Verb::Update) | None => settled_well || self.done,
        };
    }

    /// A word nobody knows counts as running: nothing says that it ended.
    pub fn is_running(&self) -> bool {
        self.ended.is_none()
    }

    pub fn span(&self, now: Timestamp) -> SignedDuration {
        self.ended.unwrap_or(now).duration_since(self.since)
    }

    /// What happens to it; `None` for words that are no verb of ours.
    pub fn operation(&self) -> Option<Operation> {
        let word = self.status.as_str();
        [
            ("CREATE_", Operation::Create),
            ("UPDATE_", Operation::Update),
            ("DELETE_", Operation::Delete),
        ]
        .into_iter()
        .find_map(|(prefix, operation)| word.starts_with(prefix).then_some(operation))
    }

    pub fn range(&self) -> Option<Range> {
        self.durations.range(self.operation()?, &self.resource_type)
    }

    /// Whether it takes longer than the slowest of its kind usually do.
    pub fn is_slow(&self, now: Timestamp) -> bool {
        self.range()
            .is_some_and(|range| self.span(now).as_secs() > i64::from(range.slow_after))
    }

    /// Seconds that are left, by half and by nine in ten of its kind.
    pub fn left(&self, now: Timestamp) -> Option<(i64, i64)> {
        let span = self.span(now).as_secs();
        let range = self.range()?;
        let left = |seconds: u32| (i64::from(seconds) - span).max(0);
        Some((left(range.from), left(range.slow_after)))
    }

    /// Orders what is waited for: slow ones first, then the longest remaining, then the oldest.
    pub fn remaining(&self, now: Timestamp) -> (bool, i64, i64) {
        let span = self.span(now).as_secs();
        let remaining = self.range().map_or(0, |range| i64::from(range.to) - span);
        (self.is_slow(now), remaining.max(0), span)
    }
}
