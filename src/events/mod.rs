//! The language between doing and showing: everything a run tells, as data.
//! The live block, the plain lines and the JSON stream are all made from these and carry the same facts.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::cloud::{ResourceStatus, StackStatus};
use crate::stacks::StackKind;

pub use crate::catalog::durations::Span;

/// Something a run tells. Serialised with a `type` field, camelCase.
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
    /// A resource of a stack moved.
    Resource {
        at: Timestamp,
        stack: StackKind,
        logical_id: String,
        resource_type: String,
        /// The human sentence of its template `Metadata`; the logical id where there is none.
        sentence: String,
        status: ResourceStatus,
        reason: Option<String>,
    },
    /// A stack's first real failure, told as soon as it is seen and long before the stack rests. Told
    /// again when an earlier one turns up late.
    Failed {
        at: Timestamp,
        stack: StackKind,
        failure: Failure,
    },
    /// A stack came to rest.
    StackSettled {
        at: Timestamp,
        stack: StackKind,
        outcome: Outcome,
    },
    /// Something worth a line that belongs to no resource: an upload, the authorities, a retry.
    Note {
        at: Timestamp,
        stack: Option<StackKind>,
        text: String,
    },
    /// The last event of a run's stacks. A run that is not followed to its end has none.
    RunFinished { at: Timestamp, succeeded: bool },
    /// A look at the cluster itself, once its stacks are done: again and again until it works.
    Readiness {
        at: Timestamp,
        cluster: String,
        /// Since when it is waited for, and until when at most.
        since: Timestamp,
        until: Timestamp,
        /// Whether everything is there.
        ready: bool,
        parts: Vec<ReadyPart>,
        /// What is other than defined but keeps nobody waiting.
        remarks: Vec<String>,
    },
}

/// One thing that a working cluster has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReadyPart {
    pub name: String,
    pub done: usize,
    pub wanted: usize,
    /// How it stands, in one short phrase.
    pub stands: String,
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
    /// How long the operation takes by experience; `None` where nobody knows, or there is nothing to do.
    pub span: Option<Span>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Verb {
    Create,
    Update,
    Delete,
}

/// How a stack came to rest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Outcome {
    Created,
    Updated,
    Unchanged,
    Deleted,
    /// Failed and is back where it was (or empty).
    RolledBack(Failure),
    /// Failed and needs a hand.
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
    /// The stack's status at rest; `None` when it never began.
    pub status: Option<StackStatus>,
    /// The resource's sentence and logical id; `None` when the stack itself was refused.
    pub resource: Option<String>,
    pub logical_id: Option<String>,
    pub resource_type: Option<String>,
    /// AWS's reason, in full; for a group of machines that never reported, what one of them said last.
    pub reason: String,
    /// Where it comes from; `None` when the stack itself was refused.
    pub place: Option<Place>,
    /// What usually helps, in plain words.
    pub hint: Option<String>,
    /// Resources of the stack that were cancelled because of it, by their sentences.
    pub cancelled: Vec<String>,
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
            | Self::Readiness { at, .. } => *at,
        }
    }
}

impl Outcome {
    /// Whether the stack is as the definition wants it.
    pub fn is_good(&self) -> bool {
        matches!(
            self,
            Self::Created | Self::Updated | Self::Unchanged | Self::Deleted
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
        }
    }

    /// Whether a resource's reason only says that another one failed first
    /// ("Resource creation cancelled" and its brothers): never a cause.
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
    fn a_cancelled_resource_is_no_cause() {
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
