//! From the status changes of resources to operations: when each began and ended, and how.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::{Event, Failure, Operation};
use crate::cloud::ResourceStatus;
use crate::cloud::status::ResourcePhase;
use crate::stacks::StackKind;

/// The type under which CloudFormation reports the stack itself.
const STACK_TYPE: &str = "AWS::CloudFormation::Stack";
/// What CloudFormation says of a resource whose configuration is applied while it still stabilises: the
/// detailed status, or the reason that comes with it.
const APPLIED: [&str; 2] = [
    "CONFIGURATION_COMPLETE",
    "Eventual consistency check initiated",
];
/// In AWS's reason for an update that makes a new resource in place of the old one.
const REPLACING: &str = "new physical resource";

/// One operation on one resource, as far as its status changes are known.
#[derive(Debug, Clone, PartialEq)]
pub struct ResourceOperation {
    /// The newest status.
    pub status: ResourceStatus,
    pub begin: Timestamp,
    /// When its configuration was applied; what needs the resource may start then.
    pub applied: Option<Timestamp>,
    /// `None` while it runs.
    pub end: Option<Timestamp>,
    /// A failure of its own.
    pub failed: bool,
    /// It was cancelled because another resource failed.
    pub cancelled: bool,
    /// The update made a new resource.
    pub replaces: bool,
    /// Why it failed or was cancelled.
    pub reason: Option<String>,
}

impl ResourceOperation {
    pub fn new(at: Timestamp, status: &ResourceStatus, reason: Option<&str>) -> Self {
        let mut new = Self {
            status: status.clone(),
            begin: at,
            applied: None,
            end: None,
            failed: false,
            cancelled: false,
            replaces: false,
            reason: None,
        };
        new.step(at, status, reason);
        new
    }

    /// Whether a status belongs to this operation.
    pub fn continues_with(&self, status: &ResourceStatus) -> bool {
        self.end.is_none() && verb(&self.status) == verb(status)
    }

    /// Takes in a status that belongs to this operation.
    pub fn step(&mut self, at: Timestamp, status: &ResourceStatus, reason: Option<&str>) {
        let says = |words: &str| reason.is_some_and(|reason| reason.contains(words));
        self.status = status.clone();
        self.replaces |= says(REPLACING);
        match status.phase() {
            ResourcePhase::Running if APPLIED.iter().any(|words| says(words)) => {
                self.applied.get_or_insert(at);
            }
            ResourcePhase::Done | ResourcePhase::Failed | ResourcePhase::Skipped => {
                self.end = Some(at);
            }
            ResourcePhase::Running | ResourcePhase::Unknown => {}
        }
        if status.phase() == ResourcePhase::Failed {
            self.cancelled = reason.is_some_and(Failure::is_cancellation);
            self.failed = !self.cancelled;
            self.reason = reason.map(str::to_owned);
        }
    }

    /// What happens to the resource; `None` for a word that is none of the three.
    pub fn operation(&self) -> Option<Operation> {
        match verb(&self.status) {
            "CREATE" => Some(Operation::Create),
            "UPDATE" => Some(Operation::Update),
            "DELETE" => Some(Operation::Delete),
            _ => None,
        }
    }
}

fn verb(status: &ResourceStatus) -> &str {
    status.as_str().split('_').next().unwrap_or_default()
}

/// The operations on the resources of every stack, with the first event of each, in the order of AWS's
/// clock. Events are recorded as they became readable, which is not always as they happened.
pub fn operations(events: &[Event]) -> BTreeMap<&StackKind, Vec<(&Event, ResourceOperation)>> {
    let mut changes: Vec<&Event> = events.iter().filter(|event| !event.is_of_stack()).collect();
    changes.sort_by_key(|event| event.at());
    let mut all: BTreeMap<&StackKind, Vec<(&Event, ResourceOperation)>> = BTreeMap::new();
    for event in changes {
        let Event::Resource {
            at,
            stack,
            logical_id,
            status,
            reason,
            ..
        } = event
        else {
            continue;
        };
        let of_stack = all.entry(stack).or_default();
        let last = of_stack
            .iter_mut()
            .rfind(|(first, _)| first.logical_id() == Some(logical_id));
        match last {
            Some((_, known)) if known.continues_with(status) => {
                known.step(*at, status, reason.as_deref());
            }
            _ => {
                let new = ResourceOperation::new(*at, status, reason.as_deref());
                of_stack.push((event, new));
            }
        }
    }
    all
}

impl Event {
    /// The resource that it is about.
    pub fn logical_id(&self) -> Option<&str> {
        match self {
            Self::Resource { logical_id, .. } => Some(logical_id),
            _ => None,
        }
    }

    /// Whether it is a status of the stack itself, which CloudFormation reports like one of a resource.
    pub fn is_of_stack(&self) -> bool {
        matches!(self, Self::Resource { resource_type, .. } if resource_type == STACK_TYPE)
    }
}
