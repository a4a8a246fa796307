//! The events of a run, as data: what an operation emits and what screens, records and timelines are made
//! of. The live block, the plain lines and the JSON stream carry the same facts.

mod boot;
mod emitter;
mod operations;
mod retained;
mod roll;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::cloud::{ResourceStatus, StackStatus};
use crate::stacks::StackKind;

pub use crate::catalog::durations::{Operation, Span};
pub use boot::{BootFinding, BootSource};
pub use emitter::Emitter;
pub use operations::{ResourceOperation, operations};
pub use retained::Retained;
pub use roll::{MachineStep, RollPart};

/// What happened in a run. Serialised with a `type` field, camelCase.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(
    tag = "type",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
pub enum Event {
    /// The first event: what is going to be followed.
    RunStarted {
        at: Timestamp,
        /// Names the run; the tokens of its requests derive from it.
        run: String,
        cluster: String,
        verb: Verb,
        stacks: Vec<Expected>,
    },
    /// A stack's operation began.
    StackStarted {
        at: Timestamp,
        stack: StackKind,
        operation: Verb,
    },
    /// The status of a resource changed.
    Resource {
        at: Timestamp,
        stack: StackKind,
        logical_id: String,
        resource_type: String,
        /// The description in its template's `Metadata`; the logical id where there is none.
        sentence: String,
        status: ResourceStatus,
        reason: Option<String>,
    },
    /// A stack's first real failure, emitted as soon as it is seen and long before the stack settles.
    /// Emitted again when an earlier one is read late.
    Failed {
        at: Timestamp,
        stack: StackKind,
        failure: Failure,
    },
    /// A stack settled: its operation is over.
    StackSettled {
        at: Timestamp,
        stack: StackKind,
        outcome: Outcome,
    },
    /// A line of text that belongs to no resource: an upload, the authorities, a retry.
    Note {
        at: Timestamp,
        stack: Option<StackKind>,
        text: String,
    },
    /// The last event of a run's stacks. A run that is not followed to its end has none.
    RunFinished { at: Timestamp, succeeded: bool },
    /// How far the removal of what lies outside the stacks is: repeated while it goes on, each time with all parts.
    Sweep {
        at: Timestamp,
        /// When it began.
        since: Timestamp,
        parts: Vec<SweepPart>,
    },
    /// How far a roll is: repeated while it goes on, each time with all parts.
    Roll {
        at: Timestamp,
        /// When this run of it began.
        since: Timestamp,
        cluster: String,
        parts: Vec<RollPart>,
        /// `None` while it goes on; then whether every machine was replaced.
        succeeded: Option<bool>,
    },
    /// A machine got a step further in a roll, or waits for something.
    Machine {
        at: Timestamp,
        stack: StackKind,
        /// The instance's id, which is its node's name.
        machine: String,
        step: MachineStep,
        /// What there is to say of it, in one short sentence; may be empty.
        detail: String,
    },
    /// What was found of the cluster itself once its stacks are done: repeated until it is ready.
    Readiness {
        at: Timestamp,
        cluster: String,
        /// Since when it is waited for, and until when at most.
        since: Timestamp,
        until: Timestamp,
        /// Whether everything is there.
        ready: bool,
        parts: Vec<ReadyPart>,
        /// What differs from the definition but delays nothing.
        remarks: Vec<String>,
    },
}

/// Resources of one kind outside the stacks that a deletion removes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SweepPart {
    /// In words: `load balancer`, `Service of type LoadBalancer`.
    pub name: String,
    pub done: usize,
    pub wanted: usize,
    /// What it waits for, in one short phrase; empty when there is nothing to wait for.
    pub state: String,
}

impl SweepPart {
    /// The part of volumes that are kept: nothing of it is removed.
    pub const SET_TO_RETAIN: &str = "PersistentVolume set to Retain";

    /// Whether its resources are removed.
    pub fn is_removal(&self) -> bool {
        self.name != Self::SET_TO_RETAIN
    }
}

/// One thing that a ready cluster has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReadyPart {
    pub name: String,
    pub done: usize,
    pub wanted: usize,
    /// Its state, in one short phrase.
    pub state: String,
    /// What is missing, a sentence each.
    pub missing: Vec<String>,
}

/// A stack that a run is going to follow.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Expected {
    pub stack: StackKind,
    /// `None` when there is nothing to do for it.
    pub operation: Option<Verb>,
    /// Resources that the operation touches, as far as known.
    pub resources: usize,
    /// Stacks whose outputs it waits for.
    pub needs: Vec<StackKind>,
    /// How long the operation usually takes; `None` where that is unknown, or there is nothing to do.
    pub span: Option<Span>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Verb {
    Create,
    Update,
    Delete,
}

/// How the operation on a stack ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Outcome {
    Created,
    Updated,
    Unchanged,
    /// No operation ran while it was watched, and this is its status. Nothing was compared.
    AtRest(StackStatus),
    Deleted,
    /// An operation began, failed and was rolled back: it is back where it was (or empty).
    RolledBack(Failure),
    /// No operation began, so nothing was rolled back: re-running the same command resumes.
    NotBegun(Failure),
    /// Failed and needs manual action.
    Failed(Failure),
    /// Never started: a stack it needs did not succeed.
    NotStarted {
        needs: StackKind,
    },
}

/// Why a stack failed: the first real failure in time, cancelled resources never count.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Failure {
    /// The stack's settled status; `None` when it never began.
    pub status: Option<StackStatus>,
    /// The resource's description and logical id; `None` when the stack itself was refused.
    pub resource: Option<String>,
    pub logical_id: Option<String>,
    pub resource_type: Option<String>,
    /// AWS's reason, in full; for a group of machines that did not boot, what one of them said comes first.
    pub reason: String,
    /// Where it comes from; `None` when the stack itself was refused.
    pub place: Option<Place>,
    /// What usually helps, in plain words.
    pub hint: Option<String>,
    /// Resources of the stack that were cancelled because of it, by their descriptions.
    pub cancelled: Vec<String>,
    /// The last lines of the machine that did not boot, oldest first; none of any other failure.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lines: Vec<String>,
}

/// Why the newest operation on a stack failed, found afterwards.
#[derive(Debug, Clone, PartialEq)]
pub struct Diagnosis {
    pub operation: Verb,
    /// When the cause happened.
    pub at: Timestamp,
    /// The status of the resource that is the cause; `None` where the stack as a whole was refused.
    pub resource_status: Option<ResourceStatus>,
    /// How long that resource took until then.
    pub took: Option<SignedDuration>,
    /// The same as a run emits in [`Event::Failed`]; its status is the stack's present one.
    pub failure: Failure,
    /// Whether the stack is as it was before, and can be worked on: the failure is history.
    pub is_over: bool,
}

/// Where a resource comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Place {
    /// The file that `render` writes for the stack, and the resource's line in it: `edge.yaml:41`.
    pub template: String,
    /// The field of the definition that shapes it, with its line where one stands in the file:
    /// `network.nat (clusters/canary.yaml:17)`.
    pub field: Option<String>,
}

impl Event {
    /// When it happened: the server's time for resources, ours for the rest.
    pub fn at(&self) -> Timestamp {
        match self {
            Self::RunStarted { at, .. }
            | Self::StackStarted { at, .. }
            | Self::Resource { at, .. }
            | Self::Failed { at, .. }
            | Self::StackSettled { at, .. }
            | Self::Note { at, .. }
            | Self::RunFinished { at, .. }
            | Self::Sweep { at, .. }
            | Self::Roll { at, .. }
            | Self::Machine { at, .. }
            | Self::Readiness { at, .. } => *at,
        }
    }
}

impl Verb {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Delete => "delete",
        }
    }

    /// `created`, `updated`, `deleted`.
    pub fn past(self) -> String {
        format!("{}d", self.as_str())
    }
}

impl Outcome {
    /// In words: `created`, `rolled back`.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Updated => "updated",
            Self::Unchanged => "unchanged",
            Self::AtRest(_) => "at rest",
            Self::Deleted => "deleted",
            Self::RolledBack(_) => "rolled back",
            Self::NotBegun(_) => "not begun",
            Self::Failed(_) => "failed",
            Self::NotStarted { .. } => "not started",
        }
    }

    pub fn failure(&self) -> Option<&Failure> {
        match self {
            Self::RolledBack(failure) | Self::NotBegun(failure) | Self::Failed(failure) => {
                Some(failure)
            }
            Self::Created
            | Self::Updated
            | Self::Unchanged
            | Self::AtRest(_)
            | Self::Deleted
            | Self::NotStarted { .. } => None,
        }
    }

    /// Whether the stack is as the run wanted it.
    pub fn is_good(&self) -> bool {
        matches!(
            self,
            Self::Created | Self::Updated | Self::Unchanged | Self::AtRest(_) | Self::Deleted
        )
    }
}

impl Failure {
    /// A stack that failed as a whole, without a resource to name.
    pub fn of_stack(status: Option<StackStatus>, reason: impl Into<String>) -> Self {
        Self {
            status,
            resource: None,
            logical_id: None,
            resource_type: None,
            reason: reason.into(),
            place: None,
            hint: None,
            cancelled: Vec::new(),
            lines: Vec::new(),
        }
    }

    /// Whether a resource's reason only says that another one failed first ("Resource creation
    /// cancelled", update, deletion): never a cause.
    pub fn is_cancellation(reason: &str) -> bool {
        let mut words = reason.split_whitespace();
        words.next() == Some("Resource")
            && words.next().is_some()
            && matches!(
                words.next().map(|word| word.trim_end_matches('.')),
                Some("cancelled" | "canceled")
            )
            && words.next().is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cancellation_is_not_a_cause() {
        for reason in [
            "Resource creation cancelled",
            "Resource update cancelled",
            "Resource deletion canceled.",
        ] {
            assert!(Failure::is_cancellation(reason), "{reason}");
        }
        let real = "Resource creation cancelled by the account's quota of addresses";
        assert!(!Failure::is_cancellation(real));
        assert!(!Failure::is_cancellation("Resource limit exceeded"));
    }
}
