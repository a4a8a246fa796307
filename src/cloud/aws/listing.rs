//! What lies in the account: the stacks that move, what a stack holds, the change sets with it.

use std::collections::BTreeSet;

use aws_sdk_cloudformation::types;

use super::error::{Asked, explain};
use super::{Aws, timestamp};
use crate::cloud::{CloudError, FoundResource, OpenChangeSet, ResourceStatus, StackStatus};

/// ARNs of the stacks in which an operation runs.
pub(super) async fn moving(aws: &Aws) -> Result<BTreeSet<String>, CloudError> {
    let asked = Asked {
        call: "ListStacks",
        of: "",
    };
    let wanted: Vec<_> = StackStatus::ALL
        .iter()
        .filter(|status| status.is_moving())
        .map(|status| types::StackStatus::from(status.as_str()))
        .collect();
    let mut found = BTreeSet::new();
    let mut next = None;
    loop {
        aws.limiter.turn().await;
        let answer = aws
            .cloudformation
            .list_stacks()
            .set_stack_status_filter(Some(wanted.clone()))
            .set_next_token(next)
            .send()
            .await
            .map_err(|error| explain(asked, &error))?;
        let page = answer.stack_summaries.unwrap_or_default();
        found.extend(page.into_iter().filter_map(moves));
        next = answer.next_token;
        if next.is_none() {
            return Ok(found);
        }
    }
}

/// The ARN, if an operation runs: endpoints exist that answer with every stack, filter or not.
fn moves(stack: types::StackSummary) -> Option<String> {
    let status = StackStatus::from(stack.stack_status.as_ref()?.as_str());
    stack.stack_id.filter(|_| status.is_moving())
}

/// Every change set of a stack, whatever came of it.
pub(super) async fn change_sets(
    aws: &Aws,
    stack_id: &str,
) -> Result<Vec<OpenChangeSet>, CloudError> {
    let asked = Asked {
        call: "ListChangeSets",
        of: stack_id,
    };
    let mut found = Vec::new();
    let mut next = None;
    loop {
        aws.limiter.turn().await;
        let answer = aws
            .cloudformation
            .list_change_sets()
            .stack_name(stack_id)
            .set_next_token(next)
            .send()
            .await
            .map_err(|error| explain(asked, &error))?;
        let page = answer.summaries.unwrap_or_default();
        found.extend(page.into_iter().map(|summary| OpenChangeSet {
            id: summary.change_set_id.unwrap_or_default(),
            name: summary.change_set_name.unwrap_or_default(),
            created: timestamp(summary.creation_time),
        }));
        next = answer.next_token;
        if next.is_none() {
            return Ok(found);
        }
    }
}

/// What a stack holds.
pub(super) async fn resources(aws: &Aws, stack_id: &str) -> Result<Vec<FoundResource>, CloudError> {
    let asked = Asked {
        call: "ListStackResources",
        of: stack_id,
    };
    let mut found = Vec::new();
    let mut next = None;
    loop {
        aws.limiter.turn().await;
        let answer = aws
            .cloudformation
            .list_stack_resources()
            .stack_name(stack_id)
            .set_next_token(next)
            .send()
            .await
            .map_err(|error| explain(asked, &error))?;
        let page = answer.stack_resource_summaries.unwrap_or_default();
        found.extend(page.into_iter().map(resource));
        next = answer.next_token;
        if next.is_none() {
            return Ok(found);
        }
    }
}

fn resource(summary: types::StackResourceSummary) -> FoundResource {
    let status = summary.resource_status.as_ref();
    FoundResource {
        logical_id: summary.logical_resource_id.unwrap_or_default(),
        physical_id: summary.physical_resource_id.filter(|id| !id.is_empty()),
        resource_type: summary.resource_type.unwrap_or_default(),
        status: ResourceStatus::new(status.map_or("", |status| status.as_str())),
        reason: summary
            .resource_status_reason
            .filter(|text| !text.is_empty()),
    }
}
