//! Change sets: created, polled, read to the last page. `mapping` reads their
//! content, `ending` executes and deletes them.

mod ending;
mod name;

use crate::common::Clock;
use crate::common::retry::{Backoff, Try, retry};
use std::time::Duration;

use aws_sdk_cloudformation::error::ProvideErrorMetadata;
use aws_sdk_cloudformation::operation::describe_change_set::DescribeChangeSetOutput;
use aws_sdk_cloudformation::types::{
    ChangeSetStatus, ChangeSetType, DeploymentMode, ExecutionStatus,
};

use super::calls::{ApiCall, all_pages};
use super::error::{explain, is_unknown_call, short_name};
use super::findings::{self, FindingScope};
use super::template::TemplateSource;
use super::{Aws, mapping, request, template};
use crate::cloud::{ChangeSet, ChangeSetRequest, CloudError, Comparison, ResourceChange};

pub(super) use ending::{delete, execute};

const FIRST_POLL: Duration = Duration::from_millis(300);
const SLOWEST_POLL: Duration = Duration::from_secs(2);
/// For 10 minutes. Change sets take seconds; after so long something is wrong.
const POLLS: Backoff = Backoff::new(FIRST_POLL, 303).at_most(SLOWEST_POLL);
/// For a minute, where one was ready before: nothing but a glitch makes it pending again.
const REREAD_POLLS: Backoff = Backoff::new(FIRST_POLL, 33).at_most(SLOWEST_POLL);
/// The longest idempotency token.
const LONGEST_TOKEN: usize = 128;

/// The state of a change set.
enum ChangeSetState {
    Pending,
    Ready,
    Failed(String),
    /// Executed already, or obsolete.
    NotExecutable(String),
}

pub(super) async fn create(aws: &Aws, wanted: &ChangeSetRequest) -> Result<ChangeSet, CloudError> {
    let name = name::of(wanted);
    ensure(aws, wanted, &name).await?;
    let answer = read(aws, &name, &wanted.stack).await;
    if let Err(error) = &answer
        && !error.is_transient()
    {
        // It will not be used. A change set that cannot be deleted does no harm.
        let _ = delete(aws, &name, &wanted.stack).await;
    }
    answer
}

/// Reads a change set that was created before; `None` when it cannot be executed any more.
pub(super) async fn reread(
    aws: &Aws,
    id: &str,
    stack_id: &str,
) -> Result<Option<ChangeSet>, CloudError> {
    match CloudError::optional(wait(aws, id, stack_id, REREAD_POLLS).await)? {
        Some((first, ChangeSetState::Ready)) => with_changes(aws, first, stack_id).await.map(Some),
        Some((
            _,
            ChangeSetState::Pending | ChangeSetState::Failed(_) | ChangeSetState::NotExecutable(_),
        ))
        | None => Ok(None),
    }
}

/// Creates a change set of that name unless there is one that can be executed, or will be soon.
async fn ensure(aws: &Aws, wanted: &ChangeSetRequest, name: &str) -> Result<(), CloudError> {
    let source = template::send(aws, wanted).await?;
    if request_creation(aws, wanted, name, &source, &wanted.token).await? == CreateOutcome::Accepted
    {
        return Ok(());
    }
    // The name is a hash of the content: one of another run, or of our own lost request, is the same.
    if is_usable(aws, name, &wanted.stack).await? {
        return Ok(());
    }
    tracing::debug!(name, "deleting an executed change set of this name first");
    delete(aws, name, &wanted.stack).await?;
    let kept = LONGEST_TOKEN - AGAIN.len();
    let token: String = wanted
        .token
        .chars()
        .take(kept)
        .chain(AGAIN.chars())
        .collect();
    request_creation(aws, wanted, name, &source, &token).await?;
    Ok(())
}

/// Ends the token of the second request: the first one's is used up.
const AGAIN: &str = "-again";

#[derive(PartialEq, Eq)]
enum CreateOutcome {
    Accepted,
    NameTaken,
}

async fn request_creation(
    aws: &Aws,
    wanted: &ChangeSetRequest,
    name: &str,
    source: &TemplateSource,
    token: &str,
) -> Result<CreateOutcome, CloudError> {
    let api_call = ApiCall::stacks("CreateChangeSet", &wanted.stack);
    let request = aws
        .cloudformation
        .create_change_set()
        .stack_name(&wanted.stack)
        .change_set_name(name)
        .change_set_type(ChangeSetType::Update)
        .set_template_body(source.body.clone())
        .set_template_url(source.url.clone())
        .set_parameters(Some(request::parameters(&wanted.parameters)))
        .set_capabilities(Some(request::capabilities(&wanted.capabilities)))
        .set_tags(Some(request::tags(&wanted.tags)))
        .set_deployment_mode(match wanted.comparison {
            Comparison::Template => None,
            Comparison::Resources => Some(DeploymentMode::RevertDrift),
        })
        .client_token(token);
    match aws.send(api_call, request.send()).await {
        Ok(_) => Ok(CreateOutcome::Accepted),
        Err(error) if error.code() == Some("AlreadyExistsException") => {
            Ok(CreateOutcome::NameTaken)
        }
        Err(error) => Err(explain(api_call, &error)),
    }
}

async fn is_usable(aws: &Aws, name: &str, stack: &str) -> Result<bool, CloudError> {
    let page = CloudError::optional(page(aws, name, stack, None).await)?;
    let usable = |state| matches!(state, ChangeSetState::Pending | ChangeSetState::Ready);
    Ok(page.is_some_and(|page| usable(state_of(&page))))
}

/// Waits for a change set and reads it. Deletes it when there is nothing to execute.
async fn read(aws: &Aws, name: &str, stack: &str) -> Result<ChangeSet, CloudError> {
    aws.sleep(FIRST_POLL).await;
    let (first, state) = wait(aws, name, stack, POLLS).await?;
    match state {
        ChangeSetState::Failed(reason) if is_no_change(&reason) => {
            let empty = empty(&first);
            delete(aws, name, stack).await?;
            Ok(empty)
        }
        ChangeSetState::Failed(reason) => {
            let id = first.change_set_id.as_deref().unwrap_or(name);
            Err(refusal(aws, id, stack, reason).await)
        }
        ChangeSetState::NotExecutable(status) => Err(CloudError::Conflict(format!(
            "the change set of {} is {status}: plan again",
            short_name(stack)
        ))),
        ChangeSetState::Pending => Err(CloudError::Refused {
            operation: format!("the change set of {}", short_name(stack)),
            message: "it is still being computed after 10 minutes".to_owned(),
        }),
        ChangeSetState::Ready => with_changes(aws, first, stack).await,
    }
}

fn empty(page: &DescribeChangeSetOutput) -> ChangeSet {
    ChangeSet {
        id: page.change_set_id.clone().unwrap_or_default(),
        stack_id: page.stack_id.clone().unwrap_or_default(),
        changes: Vec::new(),
        warnings: Vec::new(),
    }
}

/// A change set that can be executed, with every change and warning.
async fn with_changes(
    aws: &Aws,
    first: DescribeChangeSetOutput,
    stack: &str,
) -> Result<ChangeSet, CloudError> {
    let mut change_set = empty(&first);
    change_set.changes = changes(aws, first, &change_set).await?;
    if change_set.changes.is_empty() {
        let alone = ResourceChange::of_stack_alone(short_name(stack), &change_set.stack_id);
        change_set.changes.push(alone);
    }
    let report = findings::of(aws, FindingScope::ChangeSet(&change_set.id)).await;
    change_set.warnings = report.warnings;
    Ok(change_set)
}

/// Why a change set failed. AWS's own reason names only the hook or the validation that refused.
async fn refusal(aws: &Aws, id: &str, stack: &str, reason: String) -> CloudError {
    let report = findings::of(aws, FindingScope::ChangeSet(id)).await;
    let early = !report.findings.is_empty() || is_early_validation(&reason);
    let reason = match report.as_reason() {
        Some(reason) => reason,
        None if reason.is_empty() => "it failed without a reason".to_owned(),
        None => reason,
    };
    let stack = short_name(stack).to_owned();
    if early {
        CloudError::Invalid {
            stack,
            reason,
            findings: report.findings,
        }
    } else {
        CloudError::Refused {
            operation: format!("the change set of {stack}"),
            message: reason,
        }
    }
}

/// Whether the reason of a failed change set or stack is early validation.
fn is_early_validation(reason: &str) -> bool {
    let reason = reason.to_lowercase();
    ["early validation", "earlyvalidation", "validation failed"]
        .iter()
        .any(|sign| reason.contains(sign))
}

/// Polls until a change set is computed and returns its first page. It is still `Pending` when the polls
/// run out.
async fn wait(
    aws: &Aws,
    name: &str,
    stack: &str,
    polls: Backoff,
) -> Result<(DescribeChangeSetOutput, ChangeSetState), CloudError> {
    retry(aws, polls, async || {
        let page = page(aws, name, stack, None).await;
        let answer = page.map(|page| {
            let state = state_of(&page);
            (page, state)
        });
        Try::pending(answer, |(_, state)| {
            matches!(state, ChangeSetState::Pending)
        })
    })
    .await
}

fn state_of(page: &DescribeChangeSetOutput) -> ChangeSetState {
    let reason = page.status_reason.clone().unwrap_or_default();
    match (page.status.as_ref(), page.execution_status.as_ref()) {
        (Some(ChangeSetStatus::Failed), _) => ChangeSetState::Failed(reason),
        (Some(ChangeSetStatus::CreateComplete), execution) => match execution {
            // Computed but not released yet: both must be looked at.
            Some(ExecutionStatus::Unavailable) => ChangeSetState::Pending,
            Some(ExecutionStatus::Available) | None => ChangeSetState::Ready,
            Some(other) => ChangeSetState::NotExecutable(other.as_str().to_owned()),
        },
        (Some(ChangeSetStatus::CreatePending | ChangeSetStatus::CreateInProgress) | None, _) => {
            ChangeSetState::Pending
        }
        (Some(other), _) => ChangeSetState::NotExecutable(other.as_str().to_owned()),
    }
}

/// Every change of every page; destructive ones are often on the second (cfn-config#156).
async fn changes(
    aws: &Aws,
    first: DescribeChangeSetOutput,
    of: &ChangeSet,
) -> Result<Vec<ResourceChange>, CloudError> {
    let mut first = Some(first);
    let all = all_pages(async |next| {
        let page = match first.take() {
            Some(first) => first,
            None => page(aws, &of.id, &of.stack_id, next).await?,
        };
        Ok((page.changes, page.next_token))
    })
    .await?;
    let resources = all.into_iter().filter_map(|change| change.resource_change);
    Ok(resources.map(mapping::resource_change).collect())
}

async fn page(
    aws: &Aws,
    name: &str,
    stack: &str,
    next: Option<String>,
) -> Result<DescribeChangeSetOutput, CloudError> {
    let api_call = ApiCall::stacks("DescribeChangeSet", stack);
    let request = || {
        aws.cloudformation
            .describe_change_set()
            .change_set_name(name)
            .stack_name(stack)
            .set_next_token(next.clone())
    };
    let with_values = request().include_property_values(true);
    match aws.send(api_call, with_values.send()).await {
        Ok(page) => Ok(page),
        Err(error) if is_unknown_call(&error) => {
            tracing::debug!(stack, "this endpoint has no property values");
            aws.ask(api_call, request().send()).await
        }
        Err(error) => Err(explain(api_call, &error)),
    }
}

/// CloudFormation's two messages for an update that changes nothing.
fn is_no_change(reason: &str) -> bool {
    reason.contains("didn't contain changes") || reason.contains("No updates are to be performed")
}

#[cfg(test)]
mod tests;
