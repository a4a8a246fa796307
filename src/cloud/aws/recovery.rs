//! Ways out of an operation that went wrong: going on with a rollback, cancelling an update.
//! An answer may be lost after the effect, so a refusal is believed only after a look at the events.

use aws_sdk_cloudformation::config::http::HttpResponse;
use aws_sdk_cloudformation::error::{ProvideErrorMetadata, SdkError};

use super::calls::ApiCall;
use super::error::explain;
use super::{Aws, events};
use crate::cloud::CloudError;

/// Goes on with a rollback that failed, without the resources in `skip`.
pub(super) async fn continue_rollback(
    aws: &Aws,
    stack_id: &str,
    skip: &[String],
    token: &str,
) -> Result<(), CloudError> {
    let api_call = ApiCall::stacks("ContinueUpdateRollback", stack_id);
    let skip = Some(skip.to_vec()).filter(|skip| !skip.is_empty());
    let request = aws
        .cloudformation
        .continue_update_rollback()
        .stack_name(stack_id)
        .set_resources_to_skip(skip)
        .client_request_token(token);
    match aws.send(api_call, request.send()).await {
        Ok(_) => Ok(()),
        Err(error) => unless_begun(aws, api_call, token, &error).await,
    }
}

/// Cancels an update.
pub(super) async fn cancel_update(
    aws: &Aws,
    stack_id: &str,
    token: &str,
) -> Result<(), CloudError> {
    let api_call = ApiCall::stacks("CancelUpdateStack", stack_id);
    let request = aws
        .cloudformation
        .cancel_update_stack()
        .stack_name(stack_id)
        .client_request_token(token);
    match aws.send(api_call, request.send()).await {
        Ok(_) => Ok(()),
        Err(error) => unless_begun(aws, api_call, token, &error).await,
    }
}

/// Both calls are refused in plain words once they have had their effect: the stack has moved on.
async fn unless_begun<E>(
    aws: &Aws,
    api_call: ApiCall<'_>,
    token: &str,
    error: &SdkError<E, HttpResponse>,
) -> Result<(), CloudError>
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    if error.code() == Some("TokenAlreadyExistsException") {
        return Ok(());
    }
    let error = explain(api_call, error);
    let may_have_begun = matches!(
        error,
        CloudError::Conflict(_) | CloudError::Refused { .. } | CloudError::Unreachable { .. }
    );
    if may_have_begun && matches!(events::has_events(aws, api_call.of, token).await, Ok(true)) {
        return Ok(());
    }
    Err(error)
}
