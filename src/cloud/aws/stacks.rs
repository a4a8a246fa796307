//! Stacks: finding, reading, creating and deleting them.

use crate::common::tags::{TAG_CLUSTER, TAG_STACK};
use std::collections::BTreeMap;

use aws_sdk_cloudformation::error::ProvideErrorMetadata;
use aws_sdk_cloudformation::types::{self, OnFailure, TemplateStage};
use serde_json::Value;

use super::calls::{ApiCall, all_pages};
use super::error::explain;
use super::{Aws, events, request, template, timestamp};
use crate::cloud::{ChangeSetRequest, CloudError, LiveStack, Protection, StackStatus};

/// Every stack with the tool's tag, of one cluster if named.
pub(super) async fn all(aws: &Aws, cluster: Option<&str>) -> Result<Vec<LiveStack>, CloudError> {
    let mut all = all_pages(async |next| describe(aws, None, next).await).await?;
    all.retain(|stack| match cluster {
        Some(cluster) => stack.cluster == cluster,
        None => !stack.cluster.is_empty(),
    });
    Ok(all)
}

/// One stack by ARN or name. Only an ARN finds a deleted one.
pub(super) async fn one(aws: &Aws, id: &str) -> Result<Option<LiveStack>, CloudError> {
    let found = CloudError::optional(describe(aws, Some(id), None).await)?;
    let page = found.and_then(|(page, _)| page).unwrap_or_default();
    Ok(page.into_iter().next())
}

async fn describe(
    aws: &Aws,
    id: Option<&str>,
    next: Option<String>,
) -> Result<(Option<Vec<LiveStack>>, Option<String>), CloudError> {
    let api_call = ApiCall::stacks("DescribeStacks", id.unwrap_or_default());
    let request = aws.cloudformation.describe_stacks();
    let request = request
        .set_stack_name(id.map(str::to_owned))
        .set_next_token(next);
    let answer = aws.ask(api_call, request.send()).await?;
    let stacks = answer.stacks.unwrap_or_default().into_iter();
    Ok((Some(stacks.map(found).collect()), answer.next_token))
}

/// A stack without our tags comes with an empty cluster and kind.
fn found(stack: types::Stack) -> LiveStack {
    let tags = pairs(stack.tags, |tag| (tag.key, tag.value));
    let tag = |name| tags.get(name).cloned().unwrap_or_default();
    let status = stack.stack_status.as_ref();
    LiveStack {
        cluster: tag(TAG_CLUSTER),
        kind: tag(TAG_STACK),
        id: stack.stack_id.unwrap_or_default(),
        name: stack.stack_name.unwrap_or_default(),
        status: StackStatus::from(status.map_or("", |status| status.as_str())),
        reason: stack.stack_status_reason.filter(|text| !text.is_empty()),
        parameters: pairs(stack.parameters, |one| {
            (one.parameter_key, one.parameter_value)
        }),
        outputs: pairs(stack.outputs, |one| (one.output_key, one.output_value)),
        termination_protection: stack.enable_termination_protection.unwrap_or_default(),
        created: timestamp(stack.creation_time),
        updated: stack.last_updated_time.map(|time| timestamp(Some(time))),
        tags,
    }
}

fn pairs<T>(
    list: Option<Vec<T>>,
    split: impl Fn(T) -> (Option<String>, Option<String>),
) -> BTreeMap<String, String> {
    let list = list.unwrap_or_default().into_iter().map(split);
    list.filter_map(|(key, value)| Some((key?, value.unwrap_or_default())))
        .collect()
}

/// The template as it was sent. The tool only ever sends JSON.
pub(super) async fn template(aws: &Aws, stack_id: &str) -> Result<Value, CloudError> {
    let api_call = ApiCall::stacks("GetTemplate", stack_id);
    let request = aws.cloudformation.get_template().stack_name(stack_id);
    let request = request.template_stage(TemplateStage::Original);
    let answer = aws.ask(api_call, request.send()).await?;
    let body = answer.template_body.unwrap_or_default();
    serde_json::from_str(&body).map_err(|error| CloudError::Refused {
        operation: api_call.to_string(),
        message: format!("the stack's template is not the JSON that this tool sends ({error})"),
    })
}

/// Creates a stack. Safe to ask again with the same token: it then returns the stack of the first time.
pub(super) async fn create(
    aws: &Aws,
    wanted: &ChangeSetRequest,
    protection: &Protection,
) -> Result<String, CloudError> {
    let source = template::send(aws, wanted).await?;
    let api_call = ApiCall::stacks("CreateStack", &wanted.stack);
    let request = aws
        .cloudformation
        .create_stack()
        .stack_name(&wanted.stack)
        .set_template_body(source.body)
        .set_template_url(source.url)
        .set_parameters(Some(request::parameters(&wanted.parameters)))
        .set_capabilities(Some(request::capabilities(&wanted.capabilities)))
        .set_tags(Some(request::tags(&wanted.tags)))
        .set_stack_policy_body(protection.policy.as_ref().map(Value::to_string))
        .enable_termination_protection(protection.termination)
        .on_failure(OnFailure::Rollback)
        .client_request_token(&wanted.token);
    let error = match aws.ask(api_call, request.send()).await {
        Ok(answer) => return Ok(answer.stack_id.unwrap_or_default()),
        Err(error) => error,
    };
    // An answer may have been lost on its way: look before asking again.
    if matches!(
        error,
        CloudError::Conflict(_) | CloudError::Unreachable { .. }
    ) && let Ok(Some(id)) = created_by(aws, wanted).await
    {
        return Ok(id);
    }
    Err(error)
}

/// The stack of that name, if this very request created it.
async fn created_by(aws: &Aws, wanted: &ChangeSetRequest) -> Result<Option<String>, CloudError> {
    let Some(stack) = one(aws, &wanted.stack).await? else {
        return Ok(None);
    };
    let ours = events::is_newest(aws, &stack.id, &wanted.token).await?;
    Ok(ours.then_some(stack.id))
}

/// Starts deleting. A second request with the same token is the first one again.
pub(super) async fn delete(aws: &Aws, stack_id: &str, token: &str) -> Result<(), CloudError> {
    let api_call = ApiCall::stacks("DeleteStack", stack_id);
    let request = aws.cloudformation.delete_stack().stack_name(stack_id);
    let request = request.client_request_token(token);
    match aws.send(api_call, request.send()).await {
        Err(error) if error.code() != Some("TokenAlreadyExistsException") => {
            Err(explain(api_call, &error))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_cloudformation::primitives::DateTime;
    use aws_sdk_cloudformation::types::{Output, Parameter, Stack, Tag};

    #[test]
    fn stack_has_tags_values_and_times() {
        let tag = |key: &str, value: &str| Tag::builder().key(key).value(value).build();
        let stack = found(
            Stack::builder()
                .stack_id("arn:stack")
                .stack_name("canary-base")
                .stack_status(types::StackStatus::UpdateRollbackComplete)
                .stack_status_reason("it failed")
                .tags(tag(TAG_CLUSTER, "canary"))
                .tags(tag(TAG_STACK, "base"))
                .parameters(
                    Parameter::builder()
                        .parameter_key("A")
                        .parameter_value("1")
                        .build(),
                )
                .outputs(Output::builder().output_key("B").output_value("2").build())
                .creation_time(DateTime::from_secs_and_nanos(1_700_000_000, 250_000_000))
                .enable_termination_protection(true)
                .build(),
        );
        assert_eq!(
            (stack.cluster.as_str(), stack.kind.as_str()),
            ("canary", "base")
        );
        assert_eq!(stack.status, StackStatus::UpdateRollbackComplete);
        assert_eq!(stack.reason.as_deref(), Some("it failed"));
        assert_eq!(stack.parameters["A"], "1");
        assert_eq!(stack.outputs["B"], "2");
        assert_eq!(stack.created.to_string(), "2023-11-14T22:13:20.25Z");
        assert_eq!(stack.updated, None);
        assert!(stack.termination_protection);
    }

    #[test]
    fn unknown_status_and_foreign_stack_are_accepted() {
        let status = types::StackStatus::from("UPDATE_PONDERING");
        let stack = found(Stack::builder().stack_status(status).build());
        assert_eq!(
            stack.status,
            StackStatus::Unknown("UPDATE_PONDERING".to_owned())
        );
        assert_eq!(stack.cluster, "");
    }
}
