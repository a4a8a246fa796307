//! Change sets: what is asked for and what they would change.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::common::digest;

/// The largest template that fits into a request, in bytes; a larger one needs
/// [`ChangeSetRequest::bucket`]. CloudFormation's quota.
pub const INLINE: usize = 51_200;

/// Key of a template in [`ChangeSetRequest::bucket`], by its content: the same template lies there once.
pub fn template_key(template: &str) -> String {
    format!("templates/{}.json", digest::sha256(template))
}

/// The text in [`PropertyChange::after`] for a value, or a part of one, that is known only when another
/// resource has changed.
pub const KNOWN_AFTER_APPLY: &str = "(known after apply)";

/// What a change set is requested for.
#[derive(Debug, Clone, PartialEq)]
pub struct ChangeSetRequest {
    pub stack: String,
    /// Canonical JSON; the cloud decides how it is sent.
    pub template: String,
    /// Bucket for a template that is too large for a request; the base stack has none yet.
    pub bucket: Option<String>,
    pub parameters: BTreeMap<String, String>,
    pub capabilities: Vec<String>,
    pub tags: BTreeMap<String, String>,
    /// Idempotency token of the step: letters, digits, dashes, at most 128.
    pub token: String,
    pub lifetime: ChangeSetLifetime,
    pub comparison: Comparison,
}

/// What CloudFormation compares a template with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Comparison {
    /// The template of today: what was changed outside CloudFormation stays.
    #[default]
    Template,
    /// The resources too: they are set back to the template, and created again where they are gone (`REVERT_DRIFT`:
    /// <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/drift-aware-change-sets.html>).
    Resources,
}

/// How long a change set is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ChangeSetLifetime {
    /// Executed or removed by the run that asked for it. Named by its content, so that a run that was
    /// killed leaves nothing that the next one would not find and use.
    #[default]
    Run,
    /// Kept for a saved plan, until that is applied or the stack moves.
    Persistent,
}

/// What CloudFormation does with a stack when its update fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnFailure {
    /// CloudFormation rolls it back.
    #[default]
    Rollback,
    /// It keeps the status in which it failed. From `CREATE_FAILED` and `UPDATE_FAILED` CloudFormation updates only with
    /// rollback disabled:
    /// "to update the stack from this state, please use the disable-rollback parameter".
    DoNothing,
}

/// A change set that CloudFormation computed; nothing happens until it is executed.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ChangeSet {
    /// ARN.
    pub id: String,
    pub stack_id: String,
    /// Every page of it. Empty when there is nothing to change.
    pub changes: Vec<ResourceChange>,
    /// What early validation warns of; it does not keep the change set from being executed.
    pub warnings: Vec<Finding>,
}

/// An existing change set of a stack, from any creator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenChangeSet {
    /// ARN.
    pub id: String,
    pub name: String,
    pub created: Timestamp,
}

/// Something that CloudFormation's early validation found in a template, before anything is made.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// `None` where it is about the template as a whole.
    pub logical_id: Option<String>,
    /// Path inside the resource, with dots, as in [`PropertyChange::path`].
    pub path: Option<String>,
    /// What is wrong, in AWS's words.
    pub reason: String,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ResourceChange {
    pub logical_id: String,
    pub physical_id: Option<String>,
    pub resource_type: String,
    pub action: ChangeAction,
    pub replacement: Replacement,
    /// For a resource that is removed or replaced; `None` where CloudFormation does not say and for
    /// everything else.
    pub deletion_policy: Option<DeletionPolicy>,
    pub properties: Vec<PropertyChange>,
}

/// What CloudFormation does with a resource that is removed, or with the old one of a replacement. The more it
/// keeps, the greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum DeletionPolicy {
    /// Deleted with everything in it.
    Delete,
    /// Deleted after a last snapshot.
    Snapshot,
    /// Left in the account, outside the stack.
    Retain,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum ChangeAction {
    Add,
    Modify,
    Remove,
    /// Anything else that CloudFormation says (`Import`, `Dynamic`, …), in its own word.
    Other(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Replacement {
    No,
    /// Depends on values not known yet.
    Might,
    Yes,
}

/// One property (or `Tags`, `DeletionPolicy`, …) that changes.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PropertyChange {
    /// Path inside the resource: `Properties.DBInstanceClass`, `Tags`.
    pub path: String,
    /// `None` where CloudFormation does not say.
    pub before: Option<String>,
    pub after: Option<String>,
    /// Whether this change replaces the resource.
    pub recreates: Replacement,
    /// The parameter, resource or attribute that causes it, where it is not the template itself.
    pub cause: Option<String>,
}

impl ResourceChange {
    /// A change of the template that touches no resource, `Outputs` for one, as a change of the stack itself.
    /// CloudFormation lists nothing for it, though there is something to execute.
    pub(crate) fn of_stack_alone(stack: &str, stack_id: &str) -> Self {
        Self {
            logical_id: stack.to_owned(),
            physical_id: Some(stack_id.to_owned()),
            resource_type: "AWS::CloudFormation::Stack".to_owned(),
            action: ChangeAction::Modify,
            replacement: Replacement::No,
            deletion_policy: None,
            properties: vec![PropertyChange {
                path: "Outputs".to_owned(),
                before: None,
                after: None,
                recreates: Replacement::No,
                cause: None,
            }],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn template_key_is_the_content_hash() {
        assert_eq!(
            template_key(""),
            "templates/e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855.json"
        );
    }
}
