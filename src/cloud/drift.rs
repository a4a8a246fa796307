//! Drift: how resources differ from what their stack's template made.

use serde::Serialize;

/// A resource that differs from its stack's template: it was changed outside CloudFormation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Drift {
    pub logical_id: String,
    pub resource_type: String,
    /// Whether it was deleted.
    pub deleted: bool,
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
