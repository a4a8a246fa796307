//! What the events of a run say of its course: spans of stacks and resources, critical path, slack.
//! Shown as a Gantt chart in the terminal or as one HTML page. Knows nothing of where events come from.
//!
//! Which resource waited for which is not in the events. The critical path is read from their times: back
//! from the last end, each time to what ended last before.

mod bars;
mod critical;
mod format;
mod from_history;
mod page;
mod text;

use jiff::{SignedDuration, Timestamp};
use serde::{Serialize, Serializer};

use crate::cloud::ResourceStatus;
use crate::events::{Event, Outcome, Verb};
use crate::stacks::StackKind;

pub use critical::Saving;
pub use from_history::{StackHistory, events_of};
pub use page::page;
pub use text::{ChartDetail, NARROWEST, text};

/// The course of a run in time. Made by [`Timeline::of`]; every text in it is one line without control
/// characters.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Timeline {
    pub cluster: String,
    pub run: String,
    pub verb: Verb,
    pub started: Timestamp,
    /// The newest time of any event: what is open is drawn up to here.
    pub until: Timestamp,
    /// `None` for a run that was not followed to its end.
    pub ended: Option<Timestamp>,
    pub succeeded: Option<bool>,
    /// In the order in which the run announced them.
    pub stacks: Vec<StackBar>,
    /// First to last.
    pub critical: Vec<Link>,
}

/// A stack's part of a run.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StackBar {
    pub stack: StackKind,
    /// `None` when there was nothing to do for it.
    pub operation: Option<Verb>,
    /// `None` when it never began.
    pub begin: Option<Timestamp>,
    /// `None` when it never began or was not followed to its end.
    pub end: Option<Timestamp>,
    /// Its first real failure.
    pub failed_at: Option<Timestamp>,
    pub ending: Ending,
    /// Why it failed: the resource, AWS's reason, and what usually helps.
    pub reason: Option<String>,
    pub waits_for: Vec<StackKind>,
    pub critical: bool,
    /// How much later it could have ended without the run ending later. `None` where it or
    /// the run has no end.
    #[serde(rename = "slackSeconds", serialize_with = "seconds")]
    pub slack: Option<SignedDuration>,
    /// In the order of their beginning. One that was made and then rolled back has two.
    pub resources: Vec<ResourceBar>,
}

/// How a stack's part ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Ending {
    Created,
    Updated,
    Deleted,
    Unchanged,
    RolledBack,
    /// No operation began.
    NotBegun,
    Failed,
    /// A stack it needs did not succeed.
    NotStarted,
    /// It still ran when it was last followed.
    Open,
    /// It had not begun when the run was last followed.
    Waiting,
}

/// One operation on a resource.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ResourceBar {
    pub logical_id: String,
    pub sentence: String,
    pub resource_type: String,
    /// The newest one.
    pub status: ResourceStatus,
    pub begin: Timestamp,
    /// When its configuration was applied and CloudFormation began to wait until it is consistent.
    pub configured: Option<Timestamp>,
    /// `None` when its end is not known.
    pub end: Option<Timestamp>,
    /// A failure of its own.
    pub failed: bool,
    /// It was cancelled because another one failed.
    pub cancelled: bool,
    pub reason: Option<String>,
    pub critical: bool,
}

/// A piece of the critical path.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Link {
    pub stack: StackKind,
    /// `None` for a stack of which no resource moved.
    pub logical_id: Option<String>,
    pub sentence: Option<String>,
    pub begin: Timestamp,
    pub end: Timestamp,
}

impl Timeline {
    /// The course of a run from its events. `None` without the run's first event: nothing had begun.
    pub fn of(events: &[Event]) -> Option<Self> {
        let mut timeline = bars::collect_bars(events)?;
        critical::mark(&mut timeline);
        Some(timeline)
    }

    /// From the first event to the last.
    pub fn took(&self) -> SignedDuration {
        self.until.duration_since(self.started)
    }

    /// Whether a resource deserves a row: it took 5 % of the run or more, was critical, or failed.
    pub(crate) fn is_notable(&self, bar: &StackBar, resource: &ResourceBar) -> bool {
        const WORTH: i32 = 20;
        bar.took_of(resource, self.until) * WORTH >= self.took()
            || resource.critical
            || resource.failed
    }

    /// Every reason why stacks did not succeed, with those that share it and how they ended.
    pub(crate) fn failures(&self) -> Vec<(String, Ending, &str)> {
        let mut failures: Vec<(String, Ending, &str)> = Vec::new();
        for bar in &self.stacks {
            let Some(reason) = bar.reason.as_deref() else {
                continue;
            };
            let stack = bar.stack.to_string();
            let same =
                |known: &&mut (String, Ending, &str)| (known.1, known.2) == (bar.ending, reason);
            match failures.iter_mut().find(same) {
                Some((stacks, ..)) => *stacks = format!("{stacks}, {stack}"),
                None => failures.push((stack, bar.ending, reason)),
            }
        }
        failures
    }

    pub(crate) fn bar(&self, kind: &StackKind) -> Option<&StackBar> {
        self.stacks.iter().find(|bar| bar.stack == *kind)
    }
}

impl StackBar {
    /// Where its bar ends: its end, or `until` while it is open. `None` when it never began.
    pub fn bar_end(&self, until: Timestamp) -> Option<Timestamp> {
        self.begin.map(|begin| self.end.unwrap_or(until).max(begin))
    }

    /// The end of a resource's bar: its own, else the stack's, else `until`.
    pub fn end_of(&self, resource: &ResourceBar, until: Timestamp) -> Timestamp {
        let end = resource.end.or(self.end).unwrap_or(until);
        end.max(resource.begin)
    }

    /// How long its bar is. `None` when it never began.
    pub fn took(&self, until: Timestamp) -> Option<SignedDuration> {
        Some(self.bar_end(until)?.duration_since(self.begin?))
    }

    pub fn took_of(&self, resource: &ResourceBar, until: Timestamp) -> SignedDuration {
        self.end_of(resource, until).duration_since(resource.begin)
    }

    /// Until when it waited for other stacks. `None` where it needs none, or is not known to have waited.
    pub fn waited_until(&self, until: Timestamp) -> Option<Timestamp> {
        let held_up = matches!(self.ending, Ending::NotStarted | Ending::Waiting);
        let waited = self.begin.or(held_up.then_some(until));
        waited.filter(|_| !self.waits_for.is_empty())
    }

    /// A resource in words, with `delete` in front where its stack is not deleted.
    pub fn name_of(&self, resource: &ResourceBar) -> String {
        let leaves = resource.status.is_delete() && self.operation != Some(Verb::Delete);
        let verb = if leaves { "delete " } else { "" };
        format!("{verb}{}", resource.sentence)
    }
}

impl Ending {
    fn of(outcome: &Outcome) -> Self {
        match outcome {
            Outcome::Created => Self::Created,
            Outcome::Updated => Self::Updated,
            Outcome::Deleted => Self::Deleted,
            Outcome::Unchanged | Outcome::AtRest(_) => Self::Unchanged,
            Outcome::RolledBack(_) => Self::RolledBack,
            Outcome::NotBegun(_) => Self::NotBegun,
            Outcome::Failed(_) => Self::Failed,
            Outcome::NotStarted { .. } => Self::NotStarted,
        }
    }

    /// In words: `created`, `rolled back`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Updated => "updated",
            Self::Deleted => "deleted",
            Self::Unchanged => "unchanged",
            Self::RolledBack => "rolled back",
            Self::NotBegun => "not begun",
            Self::Failed => "failed",
            Self::NotStarted => "not started",
            Self::Open => "not followed to its end",
            Self::Waiting => "not started when last followed",
        }
    }
}

impl Link {
    pub fn took(&self) -> SignedDuration {
        self.end.duration_since(self.begin)
    }

    /// What it is in words: the resource's description, else the stack.
    pub fn name(&self) -> String {
        let stack = || format!("stack {}", self.stack);
        self.sentence.clone().unwrap_or_else(stack)
    }
}

#[expect(clippy::ref_option, reason = "serde calls it")]
fn seconds<S: Serializer>(span: &Option<SignedDuration>, serializer: S) -> Result<S::Ok, S::Error> {
    span.map(|span| span.as_secs_f64()).serialize(serializer)
}

fn whole_seconds<S: Serializer>(span: &SignedDuration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(span.as_secs_f64())
}
