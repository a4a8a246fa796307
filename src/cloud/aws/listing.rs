//! Lists: stacks with a running operation, the resources and change sets of a stack.

use std::collections::BTreeSet;

use aws_sdk_cloudformation::types;

use super::calls::{ApiCall, all_pages};
use super::{Aws, timestamp};
use crate::cloud::{CloudError, LiveResource, OpenChangeSet, ResourceStatus, StackStatus};

/// ARNs of the stacks in which an operation runs.
pub(super) async fn in_progress(aws: &Aws) -> Result<BTreeSet<String>, CloudError> {
    let all = with_status(aws, StackStatus::is_in_progress).await?;
    let ids = all.into_iter().filter_map(|stack| stack.stack_id);
    Ok(ids.collect())
}

/// ARNs of the deleted stacks of a name: CloudFormation lists them for 90 days.
pub(super) async fn deleted(aws: &Aws, name: &str) -> Result<Vec<String>, CloudError> {
    let all = with_status(aws, |status| *status == StackStatus::DeleteComplete).await?;
    let of_name = all
        .into_iter()
        .filter(|stack| stack.stack_name.as_deref() == Some(name));
    Ok(of_name.filter_map(|stack| stack.stack_id).collect())
}

/// The stacks that have one of these statuses: endpoints exist that answer with every stack, filter or not.
async fn with_status(
    aws: &Aws,
    is_wanted: impl Fn(&StackStatus) -> bool,
) -> Result<Vec<types::StackSummary>, CloudError> {
    let api_call = ApiCall::stacks("ListStacks", "");
    let wanted: Vec<_> = StackStatus::ALL
        .iter()
        .filter(|status| is_wanted(status))
        .map(|status| types::StackStatus::from(status.as_str()))
        .collect();
    let mut all = all_pages(async |next| {
        let request = aws.cloudformation.list_stacks();
        let request = request
            .set_stack_status_filter(Some(wanted.clone()))
            .set_next_token(next);
        let page = aws.ask(api_call, request.send()).await?;
        Ok((page.stack_summaries, page.next_token))
    })
    .await?;
    all.retain(|stack| {
        let status = stack.stack_status.as_ref();
        status.is_some_and(|status| is_wanted(&StackStatus::from(status.as_str())))
    });
    Ok(all)
}

/// Every change set of a stack, whatever came of it.
pub(super) async fn change_sets(
    aws: &Aws,
    stack_id: &str,
) -> Result<Vec<OpenChangeSet>, CloudError> {
    let api_call = ApiCall::stacks("ListChangeSets", stack_id);
    let all = all_pages(async |next| {
        let request = aws.cloudformation.list_change_sets();
        let request = request.stack_name(stack_id).set_next_token(next);
        let page = aws.ask(api_call, request.send()).await?;
        Ok((page.summaries, page.next_token))
    })
    .await?;
    let ours = |summary: types::ChangeSetSummary| OpenChangeSet {
        id: summary.change_set_id.unwrap_or_default(),
        name: summary.change_set_name.unwrap_or_default(),
        created: timestamp(summary.creation_time),
    };
    Ok(all.into_iter().map(ours).collect())
}

/// What a stack holds.
pub(super) async fn resources(aws: &Aws, stack_id: &str) -> Result<Vec<LiveResource>, CloudError> {
    let api_call = ApiCall::stacks("ListStackResources", stack_id);
    let all = all_pages(async |next| {
        let request = aws.cloudformation.list_stack_resources();
        let request = request.stack_name(stack_id).set_next_token(next);
        let page = aws.ask(api_call, request.send()).await?;
        Ok((page.stack_resource_summaries, page.next_token))
    })
    .await?;
    Ok(all.into_iter().map(resource).collect())
}

fn resource(summary: types::StackResourceSummary) -> LiveResource {
    let status = summary.resource_status.as_ref();
    LiveResource {
        logical_id: summary.logical_resource_id.unwrap_or_default(),
        physical_id: summary.physical_resource_id.filter(|id| !id.is_empty()),
        resource_type: summary.resource_type.unwrap_or_default(),
        status: ResourceStatus::new(status.map_or("", |status| status.as_str())),
        reason: summary
            .resource_status_reason
            .filter(|text| !text.is_empty()),
    }
}
