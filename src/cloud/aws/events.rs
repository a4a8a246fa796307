//! The events of one operation, out of a history that is served newest first and never cleanly cut.
//! The clock of this machine plays no part: an operation begins with its own first event.

mod picker;
mod reasons;

use std::collections::{HashMap, HashSet};

use aws_sdk_cloudformation::types;

use super::error::{Asked, explain};
use super::{Aws, timestamp};
use crate::cloud::{CloudError, Operation, ResourceStatus, StackEvent, StackStatus};
use picker::{Page, Picker};

pub(super) async fn events(
    aws: &Aws,
    operation: &Operation,
    seen: &HashSet<String>,
) -> Result<Vec<StackEvent>, CloudError> {
    let Reading { picker, operations } = read(aws, operation, seen).await?;
    let mut events = picker.finish();
    reasons::resolve(aws, &operation.stack_id, &mut events, &operations).await;
    Ok(events)
}

/// Whether the operation of this token has begun on the stack.
pub(super) async fn has_begun(aws: &Aws, stack_id: &str, token: &str) -> Result<bool, CloudError> {
    let operation = Operation {
        stack_id: stack_id.to_owned(),
        token: Some(token.to_owned()),
    };
    let seen = HashSet::new();
    let reading = read(aws, &operation, &seen).await?;
    Ok(reading.picker.start().is_some())
}

/// Whether anything on the stack happened under this token, be it within another operation.
pub(super) async fn was_heard(aws: &Aws, stack_id: &str, token: &str) -> Result<bool, CloudError> {
    let operation = Operation {
        stack_id: stack_id.to_owned(),
        token: Some(token.to_owned()),
    };
    let seen = HashSet::new();
    let reading = read(aws, &operation, &seen).await?;
    Ok(reading.picker.has_met_it())
}

/// Whether the operation of this token is the newest of the stack.
pub(super) async fn is_newest(aws: &Aws, stack_id: &str, token: &str) -> Result<bool, CloudError> {
    let operation = Operation {
        stack_id: stack_id.to_owned(),
        token: None,
    };
    let seen = HashSet::new();
    let reading = read(aws, &operation, &seen).await?;
    let start = reading.picker.start();
    Ok(start.is_some_and(|start| start.token.as_deref() == Some(token)))
}

/// What was read of a history.
struct Reading<'a> {
    picker: Picker<'a>,
    /// Ids of the operations of events whose reason says nothing by itself, by event.
    operations: HashMap<String, String>,
}

async fn read<'a>(
    aws: &Aws,
    operation: &'a Operation,
    seen: &'a HashSet<String>,
) -> Result<Reading<'a>, CloudError> {
    let asked = Asked {
        call: "DescribeStackEvents",
        of: &operation.stack_id,
    };
    let mut picker = Picker::new(operation, seen);
    let mut operations = HashMap::new();
    let mut next = None;
    loop {
        aws.limiter.turn().await;
        let answer = aws
            .cloudformation
            .describe_stack_events()
            .stack_name(&operation.stack_id)
            .set_next_token(next)
            .send()
            .await
            .map_err(|error| explain(asked, &error))?;
        next = answer.next_token;
        let page = answer.stack_events.unwrap_or_default();
        operations.extend(page.iter().filter_map(reasons::operation));
        let wanted = picker.feed(page.into_iter().map(ours));
        if wanted == Page::Enough || next.is_none() {
            return Ok(Reading { picker, operations });
        }
    }
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
