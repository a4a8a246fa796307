//! Change sets: asked for, waited for, read to the last page, executed or thrown away.
//! What their words mean is `mapping`'s business.

use std::time::Duration;

use aws_sdk_cloudformation::error::ProvideErrorMetadata;
use aws_sdk_cloudformation::operation::describe_change_set::DescribeChangeSetOutput;
use aws_sdk_cloudformation::types::{ChangeSetStatus, ChangeSetType, ExecutionStatus};
use sha2::{Digest, Sha256};
use tokio::time::{Instant, sleep};

use super::error::{Asked, explain, is_unknown_call};
use super::{Aws, events, findings, mapping, request, template};
use crate::cloud::{ChangeSet, CloudError, Proposal, ResourceChange};

const FIRST_LOOK: Duration = Duration::from_millis(300);
const SLOWEST_LOOK: Duration = Duration::from_secs(2);
/// Change sets take seconds; after this long something is wrong.
const PATIENCE: Duration = Duration::from_mins(10);
/// The longest change set name.
const LONGEST_NAME: usize = 128;

/// Where a change set stands.
enum Standing {
    Pending,
    Ready,
    Failed(String),
    /// Executed already, or overtaken by another one.
    Spent(String),
}

pub(super) async fn propose(aws: &Aws, wanted: &Proposal) -> Result<ChangeSet, CloudError> {
    let name = name(&wanted.token);
    create(aws, wanted, &name).await?;
    let answer = read(aws, wanted, &name).await;
    if let Err(error) = &answer
        && !error.is_passing()
    {
        // Nobody will ask for it again. What stays in spite of this does no harm.
        let _ = remove(aws, &name, &wanted.stack).await;
    }
    answer
}

/// Waits for a change set and reads it. None stays that there is nothing to execute in.
async fn read(aws: &Aws, wanted: &Proposal, name: &str) -> Result<ChangeSet, CloudError> {
    let (first, standing) = wait(aws, wanted, name).await?;
    let mut change_set = ChangeSet {
        id: first
            .change_set_id
            .clone()
            .unwrap_or_else(|| name.to_owned()),
        stack_id: first.stack_id.clone().unwrap_or_default(),
        changes: Vec::new(),
        warnings: Vec::new(),
    };
    match standing {
        Standing::Failed(reason) if says_nothing_to_do(&reason) => {
            remove(aws, &change_set.id, &change_set.stack_id).await?;
        }
        Standing::Failed(reason) => {
            let findings = findings::of(aws, &change_set.id).await;
            return Err(CloudError::Refused {
                operation: format!("the change set of {}", wanted.stack),
                message: findings::join(reason, &findings),
            });
        }
        Standing::Spent(status) => {
            return Err(CloudError::Conflict(format!(
                "the change set of {} is {status}: plan again",
                wanted.stack
            )));
        }
        Standing::Pending | Standing::Ready => {
            let changes = changes(aws, first, &change_set).await?;
            change_set.changes = if changes.is_empty() {
                vec![mapping::change_of_stack_alone(
                    &wanted.stack,
                    &change_set.stack_id,
                )]
            } else {
                changes
            };
        }
    }
    Ok(change_set)
}

async fn create(aws: &Aws, wanted: &Proposal, name: &str) -> Result<(), CloudError> {
    let travelling = template::send(aws, wanted).await?;
    let asked = Asked {
        call: "CreateChangeSet",
        of: &wanted.stack,
    };
    let answer = aws
        .cloudformation
        .create_change_set()
        .stack_name(&wanted.stack)
        .change_set_name(name)
        .change_set_type(ChangeSetType::Update)
        .set_template_body(travelling.body)
        .set_template_url(travelling.url)
        .set_parameters(Some(request::parameters(&wanted.parameters)))
        .set_capabilities(Some(request::capabilities(&wanted.capabilities)))
        .set_tags(Some(request::tags(&wanted.tags)))
        .client_token(&wanted.token)
        .send()
        .await;
    let Err(error) = answer else { return Ok(()) };
    // The name is made from the token: one of that name is the answer to this very request, whose
    // first answer was lost.
    if error.code() == Some("AlreadyExistsException") {
        return Ok(());
    }
    Err(explain(asked, &error))
}

/// Waits until a change set is computed. Returns its first page.
async fn wait(
    aws: &Aws,
    wanted: &Proposal,
    name: &str,
) -> Result<(DescribeChangeSetOutput, Standing), CloudError> {
    let began = Instant::now();
    let mut pause = FIRST_LOOK;
    loop {
        sleep(pause).await;
        pause = (pause * 3 / 2).min(SLOWEST_LOOK);
        let page = page(aws, name, &wanted.stack, None).await?;
        match standing(&page) {
            Standing::Pending if began.elapsed() > PATIENCE => {
                return Err(CloudError::Refused {
                    operation: format!("the change set of {}", wanted.stack),
                    message: "it is still being computed after 10 minutes".to_owned(),
                });
            }
            Standing::Pending => {}
            standing => return Ok((page, standing)),
        }
    }
}

fn standing(page: &DescribeChangeSetOutput) -> Standing {
    let reason = page.status_reason.clone().unwrap_or_default();
    match (page.status.as_ref(), page.execution_status.as_ref()) {
        (Some(ChangeSetStatus::Failed), _) => Standing::Failed(reason),
        (Some(ChangeSetStatus::CreateComplete), execution) => match execution {
            // Computed but not released yet: both must be looked at.
            Some(ExecutionStatus::Unavailable) => Standing::Pending,
            Some(ExecutionStatus::Available) | None => Standing::Ready,
            Some(other) => Standing::Spent(other.as_str().to_owned()),
        },
        (Some(ChangeSetStatus::CreatePending | ChangeSetStatus::CreateInProgress) | None, _) => {
            Standing::Pending
        }
        (Some(other), _) => Standing::Spent(other.as_str().to_owned()),
    }
}

/// Every change of every page; destructive ones like to stand on the second (cfn-config#156).
async fn changes(
    aws: &Aws,
    first: DescribeChangeSetOutput,
    of: &ChangeSet,
) -> Result<Vec<ResourceChange>, CloudError> {
    let mut current = first;
    let mut all = Vec::new();
    loop {
        let told = current.changes.unwrap_or_default();
        let resources = told.into_iter().filter_map(|change| change.resource_change);
        all.extend(resources.map(mapping::resource_change));
        let Some(next) = current.next_token else {
            return Ok(all);
        };
        current = page(aws, &of.id, &of.stack_id, Some(next)).await?;
    }
}

async fn page(
    aws: &Aws,
    name: &str,
    stack: &str,
    next: Option<String>,
) -> Result<DescribeChangeSetOutput, CloudError> {
    let asked = Asked {
        call: "DescribeChangeSet",
        of: stack,
    };
    let request = || {
        aws.cloudformation
            .describe_change_set()
            .change_set_name(name)
            .stack_name(stack)
            .set_next_token(next.clone())
    };
    aws.limiter.turn().await;
    match request().include_property_values(true).send().await {
        Ok(page) => Ok(page),
        Err(error) if is_unknown_call(&error) => {
            tracing::debug!(stack, "this endpoint tells no property values");
            aws.limiter.turn().await;
            let plain = request().send().await;
            plain.map_err(|error| explain(asked, &error))
        }
        Err(error) => Err(explain(asked, &error)),
    }
}

/// CloudFormation's two sentences for an update that changes nothing.
fn says_nothing_to_do(reason: &str) -> bool {
    reason.contains("didn't contain changes") || reason.contains("No updates are to be performed")
}

pub(super) async fn execute(
    aws: &Aws,
    change_set: &ChangeSet,
    token: &str,
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
pub(super) async fn remove(aws: &Aws, id: &str, stack_id: &str) -> Result<(), CloudError> {
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

/// A change set's name must begin with a letter; a token need not.
fn name(token: &str) -> String {
    let name = format!("kube-cfn-{token}");
    if name.len() <= LONGEST_NAME {
        name
    } else {
        format!("kube-cfn-{:x}", Sha256::digest(token))
    }
}

#[cfg(test)]
mod tests;
