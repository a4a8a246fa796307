//! How a change set ends: executed or removed.

use super::super::error::{Asked, explain};
use super::super::{Aws, events};
use crate::cloud::{ChangeSet, CloudError, OnFailure};

pub(in super::super) async fn execute(
    aws: &Aws,
    change_set: &ChangeSet,
    token: &str,
    on_failure: OnFailure,
) -> Result<(), CloudError> {
    let asked = Asked {
        call: "ExecuteChangeSet",
        of: &change_set.stack_id,
    };
    let answer = aws
        .cloudformation
        .execute_change_set()
        .change_set_name(&change_set.id)
        .stack_name(&change_set.stack_id)
        .client_request_token(token)
        .set_disable_rollback((on_failure == OnFailure::Stop).then_some(true))
        .send()
        .await;
    let Err(error) = answer else { return Ok(()) };
    let error = explain(asked, &error);
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

/// Deletes a change set; one that is gone, or whose stack is gone, is as good.
pub(in super::super) async fn remove(
    aws: &Aws,
    id: &str,
    stack_id: &str,
) -> Result<(), CloudError> {
    let asked = Asked {
        call: "DeleteChangeSet",
        of: stack_id,
    };
    let stack = Some(stack_id).filter(|id| !id.is_empty());
    let answer = aws
        .cloudformation
        .delete_change_set()
        .change_set_name(id)
        .set_stack_name(stack.map(str::to_owned))
        .send()
        .await;
    match answer.map_err(|error| explain(asked, &error)) {
        Ok(_) | Err(CloudError::NotFound(_)) => Ok(()),
        Err(error) => Err(error),
    }
}
