//! The rules between the parts of a cluster: what no single field can know of itself.

use super::ClusterSpec;

/// A broken rule, at a field of the definition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Path of the field to point at, as in the definition: `network.cidr`, `pools[1].min`.
    pub at: String,
    /// Paths of the other fields that take part; a problem in any of them hides this one.
    pub with: Vec<String>,
    /// What is wrong, with the values, as a lower-case fragment.
    pub what: String,
    /// Why it matters or what to write instead.
    pub help: String,
}

/// Every broken rule of `spec`, in the order of the definition's fields.
pub fn check(_spec: &ClusterSpec) -> Vec<Violation> {
    Vec::new()
}
