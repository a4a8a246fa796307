//! How long an operation on a resource, or around a stack, usually takes: the catalogue's word.

use serde_json::Value;

use super::changes::of_type;
use crate::catalog::durations::{self, Durations, Operation};

pub(super) use crate::catalog::durations::Seconds as Typical;

/// What an operation on a resource takes, by all of it as the template has it.
pub(super) fn of(operation: Operation, body: &Value) -> Typical {
    Durations::builtin().seconds(operation, of_type(body), Some(body))
}

/// What `CloudFormation` itself takes around the resources of an operation.
pub(super) fn overhead() -> Typical {
    Durations::builtin().stack_overhead()
}

/// What the machines of a group take to join a control plane that answers.
pub(super) fn join() -> Typical {
    durations::JOIN
}
