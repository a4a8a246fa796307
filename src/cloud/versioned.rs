//! Parameters that are written over, where every write gets a version: what the operation lock is made of.

use super::{CloudError, WriteGate};
use crate::common::Clock;

/// A parameter's newest value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionedValue {
    pub value: String,
    /// 1 for a new parameter; each write adds one.
    pub version: u64,
}

/// Plain parameters with their versions. Writes here pass no gate: they are those of the lock itself.
#[allow(async_fn_in_trait, reason = "one thread, no Send bound wanted")]
pub trait VersionedParameters: Clock {
    /// The newest value; `None` when there is none. A read may lag a write by a moment.
    async fn versioned_parameter(&self, name: &str) -> Result<Option<VersionedValue>, CloudError>;

    /// Writes a value over whatever is there, or a new parameter. Returns the version that it got: of several writers
    /// exactly one gets each.
    async fn write_parameter(&self, name: &str, value: &str) -> Result<u64, CloudError>;

    /// Deletes a parameter. Not an error if it is gone.
    async fn delete_parameter(&self, name: &str) -> Result<(), CloudError>;

    /// What holds all other writes of this client back.
    fn write_gate(&self) -> &WriteGate;
}
