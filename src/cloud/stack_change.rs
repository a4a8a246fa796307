//! What a change set says of a stack itself, in the words of a change of a resource.

use super::{ChangeAction, PropertyChange, Replacement, ResourceChange};

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
            fate: None,
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
