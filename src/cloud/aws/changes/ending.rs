//! How a change set ends: executed or deleted.

use super::super::calls::ApiCall;
use super::super::{Aws, events};
use crate::cloud::{ChangeSet, CloudError, OnFailure};

pub(in super::super) async fn execute(
    aws: &Aws,
    change_set: &ChangeSet,
    token: &str,
    on_failure: OnFailure,
) -> Result<(), CloudError> {
    let api_call = ApiCall::stacks("ExecuteChangeSet", &change_set.stack_id);
    let request = aws
        .cloudformation
        .execute_change_set()
        .change_set_name(&change_set.id)
        .stack_name(&change_set.stack_id)
        .client_request_token(token)
        .set_disable_rollback((on_failure == OnFailure::DoNothing).then_some(true));
    let Err(error) = aws.ask(api_call, request.send()).await else {
        return Ok(());
    };
    let may_have_begun = matches!(
        error,
        CloudError::Conflict(_) | CloudError::NotFound(_) | CloudError::Unreachable { .. }
    );
    // The answer to an earlier attempt may have been lost: look before saying that it failed.
    if may_have_begun
        && matches!(
            events::has_begun(aws, &change_set.stack_id, token).await,
            Ok(true)
        )
    {
        return Ok(());
    }
    Err(error)
}

/// Deletes a change set; no error if it, or its stack, does not exist.
pub(in super::super) async fn delete(
    aws: &Aws,
    id: &str,
    stack_id: &str,
) -> Result<(), CloudError> {
    let api_call = ApiCall::stacks("DeleteChangeSet", stack_id);
    let stack = Some(stack_id).filter(|id| !id.is_empty());
    let request = aws.cloudformation.delete_change_set();
    let request = request
        .change_set_name(id)
        .set_stack_name(stack.map(str::to_owned));
    CloudError::optional(aws.ask(api_call, request.send()).await)?;
    Ok(())
}
