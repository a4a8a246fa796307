//! Drift: how resources differ from what their stack's template made.

use serde::Serialize;

/// What drift detection found in a stack.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DriftReport {
    /// The resources that differ.
    pub resources: Vec<Drift>,
    /// Why not every resource could be compared; `None` when all were that CloudFormation compares.
    pub unknown: Option<String>,
}

/// A resource that differs from its stack's template: it was changed outside CloudFormation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Drift {
    pub logical_id: String,
    pub resource_type: String,
    /// Whether it was deleted.
    pub deleted: bool,
    /// Empty for a deleted resource, and where CloudFormation does not say in what it differs.
    pub differences: Vec<Difference>,
}

/// A property that drifted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Difference {
    /// With dots, as in [`PropertyChange::path`].
    pub path: String,
    /// As the template has it.
    pub expected: Option<String>,
    /// As it is.
    pub actual: Option<String>,
}
