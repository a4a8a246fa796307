//! The events of one operation, out of a history that is served newest first and never cleanly cut.
//! The clock of this machine plays no part: an operation begins with its own first event.

mod picker;
mod reasons;

use std::collections::{HashMap, HashSet};

use aws_sdk_cloudformation::types;

use super::calls::{ApiCall, each_page};
use super::{Aws, timestamp};
use crate::cloud::{CloudError, ResourceStatus, StackEvent, StackOperation, StackStatus};
use picker::{Page, Picker};

pub(super) async fn events(
    aws: &Aws,
    operation: &StackOperation,
    seen: &HashSet<String>,
) -> Result<Vec<StackEvent>, CloudError> {
    let EventsRead { picker, operations } = read(aws, operation, seen).await?;
    let mut events = picker.finish();
    reasons::resolve(aws, &operation.stack_id, &mut events, &operations).await;
    Ok(events)
}

/// Whether the operation of this token has begun on the stack.
pub(super) async fn has_begun(aws: &Aws, stack_id: &str, token: &str) -> Result<bool, CloudError> {
    let trace = trace(aws, stack_id, Some(token)).await?;
    Ok(trace.start.is_some())
}

/// Whether the stack has any event with this token, even within another operation.
pub(super) async fn has_events(aws: &Aws, stack_id: &str, token: &str) -> Result<bool, CloudError> {
    Ok(trace(aws, stack_id, Some(token)).await?.has_events)
}

/// Whether the operation of this token is the newest of the stack.
pub(super) async fn is_newest(aws: &Aws, stack_id: &str, token: &str) -> Result<bool, CloudError> {
    let start = trace(aws, stack_id, None).await?.start;
    Ok(start.is_some_and(|start| start.token.as_deref() == Some(token)))
}

/// What is left of an operation in the history of its stack.
struct OperationTrace {
    start: Option<StackEvent>,
    has_events: bool,
}

/// Of the operation of this token, or of the newest one.
async fn trace(
    aws: &Aws,
    stack_id: &str,
    token: Option<&str>,
) -> Result<OperationTrace, CloudError> {
    let operation = StackOperation {
        stack_id: stack_id.to_owned(),
        token: token.map(str::to_owned),
    };
    let seen = HashSet::new();
    let picker = read(aws, &operation, &seen).await?.picker;
    Ok(OperationTrace {
        start: picker.start().cloned(),
        has_events: picker.has_events(),
    })
}

/// What was read of a history.
struct EventsRead<'a> {
    picker: Picker<'a>,
    /// Ids of the operations of events whose reason says nothing by itself, by event.
    operations: HashMap<String, String>,
}

async fn read<'a>(
    aws: &Aws,
    operation: &'a StackOperation,
    seen: &'a HashSet<String>,
) -> Result<EventsRead<'a>, CloudError> {
    let api_call = ApiCall::stacks("DescribeStackEvents", &operation.stack_id);
    let mut picker = Picker::new(operation, seen);
    let mut operations = HashMap::new();
    each_page(async |next| {
        let request = aws.cloudformation.describe_stack_events();
        let request = request.stack_name(&operation.stack_id).set_next_token(next);
        let answer = aws.ask(api_call, request.send()).await?;
        let page = answer.stack_events.unwrap_or_default();
        operations.extend(page.iter().filter_map(reasons::operation));
        let wanted = picker.feed(page.into_iter().map(ours));
        Ok(answer.next_token.filter(|_| wanted == Page::Next))
    })
    .await?;
    Ok(EventsRead { picker, operations })
}

fn ours(event: types::StackEvent) -> StackEvent {
    let status = event
        .resource_status
        .map(|status| status.as_str().to_owned());
    let status = status.unwrap_or_default();
    // A nested stack is a resource of that type too, but not the stack itself.
    let about_stack = event.resource_type.as_deref() == Some("AWS::CloudFormation::Stack")
        && event.physical_resource_id.is_some()
        && event.physical_resource_id == event.stack_id;
    StackEvent {
        id: event.event_id.unwrap_or_default(),
        at: timestamp(event.timestamp),
        logical_id: event.logical_resource_id.unwrap_or_default(),
        physical_id: event.physical_resource_id.filter(|id| !id.is_empty()),
        resource_type: event.resource_type.unwrap_or_default(),
        stack_status: about_stack.then(|| StackStatus::from(status.as_str())),
        status: ResourceStatus::new(status),
        reason: event.resource_status_reason.filter(|text| !text.is_empty()),
        token: event.client_request_token,
    }
}

#[cfg(test)]
mod tests;
