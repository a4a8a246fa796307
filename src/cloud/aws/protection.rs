//! Termination protection and stack policy of a stack, set and read.

use serde_json::{Value, json};

use super::Aws;
use super::calls::ApiCall;
use crate::cloud::{CloudError, Protection};

/// Sets both protections. Without a wanted policy a stack that has one is opened again.
pub(super) async fn set(
    aws: &Aws,
    stack_id: &str,
    protection: &Protection,
) -> Result<(), CloudError> {
    let api_call = ApiCall::stacks("UpdateTerminationProtection", stack_id);
    let request = aws.cloudformation.update_termination_protection();
    let request = request
        .stack_name(stack_id)
        .enable_termination_protection(protection.termination);
    aws.ask(api_call, request.send()).await?;
    let policy = match &protection.policy {
        Some(policy) => policy.to_string(),
        None if policy(aws, stack_id).await?.is_some() => open_policy().to_string(),
        None => return Ok(()),
    };
    let api_call = ApiCall::stacks("SetStackPolicy", stack_id);
    let request = aws.cloudformation.set_stack_policy().stack_name(stack_id);
    let request = request.stack_policy_body(policy);
    aws.ask(api_call, request.send()).await?;
    Ok(())
}

/// The stack policy in force.
pub(super) async fn policy(aws: &Aws, stack_id: &str) -> Result<Option<Value>, CloudError> {
    let api_call = ApiCall::stacks("GetStackPolicy", stack_id);
    let request = aws.cloudformation.get_stack_policy().stack_name(stack_id);
    let answer = aws.ask(api_call, request.send()).await?;
    let Some(body) = answer.stack_policy_body.filter(|body| !body.is_empty()) else {
        return Ok(None);
    };
    let policy = serde_json::from_str(&body).map_err(|error| CloudError::Refused {
        operation: api_call.to_string(),
        message: format!("the stack policy is not JSON ({error})"),
    })?;
    Ok(Some(policy))
}

/// A stack policy can be replaced but never removed: this one allows what none allows.
fn open_policy() -> Value {
    json!({"Statement": [
        {"Effect": "Allow", "Action": "Update:*", "Principal": "*", "Resource": "*"}
    ]})
}
