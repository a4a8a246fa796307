//! How long an operation on a resource, or around a stack, usually takes: the catalogue's word.

use serde_json::Value;

use super::world::Operation;
use crate::catalog::durations::{self, Variant};
use crate::cloud::template::changes::of_type;

/// Seconds that half, and nine in ten, stay under.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Typical {
    pub(super) p50: f64,
    pub(super) p90: f64,
}

/// What an operation on a resource takes, by all of it as the template has it.
pub(super) fn of(operation: Operation, body: &Value) -> Typical {
    let known = durations::typical(ours(operation), of_type(body), variant(body));
    Typical {
        p50: known.p50,
        p90: known.p90,
    }
}

/// What `CloudFormation` itself takes around the resources of an operation.
pub(super) fn overhead() -> Typical {
    let known = durations::overhead();
    Typical {
        p50: known.p50,
        p90: known.p90,
    }
}

fn ours(operation: Operation) -> durations::Operation {
    match operation {
        Operation::Create => durations::Operation::Create,
        Operation::Update => durations::Operation::Update,
        Operation::Delete => durations::Operation::Delete,
    }
}

fn variant(body: &Value) -> Variant {
    let doubled = body.pointer("/Properties/MultiAZ");
    if body.pointer("/CreationPolicy/ResourceSignal").is_some() {
        Variant::Signals
    } else if doubled.is_some_and(super::compiled::is_true) {
        Variant::MultiAz
    } else {
        Variant::Plain
    }
}
