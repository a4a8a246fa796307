//! One resource of a stack: its state, since when, and how long that usually takes.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use crate::catalog::durations::{Durations, Range};
use crate::cloud::ResourceStatus;
use crate::cloud::status::ResourcePhase;
use crate::events::{Operation, ResourceOperation, Span, Verb};

/// One resource of a stack.
#[derive(Debug, Clone)]
pub(super) struct ResourceProgress {
    pub description: String,
    resource_type: String,
    durations: Arc<Durations>,
    /// What happens to it now, or happened last.
    now: ResourceOperation,
    /// Whether it is as the run wants it.
    pub done: bool,
}

impl ResourceProgress {
    pub fn new(resource_type: &str, now: ResourceOperation, durations: Arc<Durations>) -> Self {
        Self {
            durations,
            description: String::new(),
            resource_type: resource_type.to_owned(),
            now,
            done: false,
        }
    }

    /// Takes in a status. One that only settles again belongs to the operation before.
    pub fn step(&mut self, status: &ResourceStatus, at: Timestamp, reason: Option<&str>) {
        let mut next = ResourceOperation::new(at, status, reason);
        let settles_again = next.end.is_some() && next.operation() == self.now.operation();
        if self.now.continues_with(status) || settles_again {
            self.now.step(at, status, reason);
            return;
        }
        if next.end.is_none() && next.applied.is_none() {
            next.applied = self.now.applied.filter(|_| self.is_running());
        }
        self.now = next;
    }

    /// Sets, after a step, whether it is as the run wants it.
    pub fn update_done(&mut self, operation: Option<Verb>, rolling_back: bool) {
        let succeeded = matches!(self.phase(), ResourcePhase::Done | ResourcePhase::Skipped);
        let deleted = self.status().is_delete();
        self.done = match operation {
            _ if rolling_back => false,
            Some(Verb::Create) => succeeded && !deleted,
            Some(Verb::Delete) => succeeded && deleted,
            // The clean-up after an update removes what it replaced: done stays done.
            Some(Verb::Update) | None => succeeded || self.done,
        };
    }

    pub fn status(&self) -> &ResourceStatus {
        &self.now.status
    }

    pub fn phase(&self) -> ResourcePhase {
        self.now.status.phase()
    }

    /// An unknown word counts as running: nothing says that it ended.
    pub fn is_running(&self) -> bool {
        self.now.end.is_none()
    }

    /// Whether its configuration is applied and it only stabilises; what needs it may start already.
    pub fn is_applied(&self) -> bool {
        self.is_running() && self.now.applied.is_some()
    }

    pub fn span(&self, now: Timestamp) -> SignedDuration {
        self.now.end.unwrap_or(now).duration_since(self.now.begin)
    }

    pub fn operation(&self) -> Option<Operation> {
        self.now.operation()
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
    pub fn time_left(&self, now: Timestamp) -> Option<Span> {
        let passed = u32::try_from(self.span(now).as_secs().max(0)).unwrap_or(u32::MAX);
        let range = self.range()?;
        Some(Span {
            from: range.from.saturating_sub(passed),
            to: range.slow_after.saturating_sub(passed),
        })
    }

    /// Orders what is waited for: slow ones first, then the longest remaining, then the oldest.
    pub fn remaining(&self, now: Timestamp) -> (bool, i64, i64) {
        let span = self.span(now).as_secs();
        let remaining = self.range().map_or(0, |range| i64::from(range.to) - span);
        (self.is_slow(now), remaining.max(0), span)
    }
}
