//! Commands on machines through Systems Manager's Run Command, and a bucket's objects.

use crate::common::retry::{Backoff, Try, retry};
use std::time::Duration;

use aws_sdk_ssm::config::http::HttpResponse;
use aws_sdk_ssm::error::SdkError;
use aws_sdk_ssm::operation::get_command_invocation::{
    GetCommandInvocationError, GetCommandInvocationOutput,
};
use aws_sdk_ssm::operation::send_command::SendCommandError;
use aws_sdk_ssm::types::CommandInvocationStatus;
use jiff::Timestamp;

use super::calls::{ApiCall, all_pages};
use super::error::explain;
use super::{Aws, ec2};
use crate::cloud::CloudError;
use crate::cloud::limiter::Service;
use crate::cloud::remote::{CommandResult, ObjectSummary, Remote};

/// AWS's own document that runs a shell command.
const DOCUMENT: &str = "AWS-RunShellScript";
/// Seconds after which a command that runs is ended: the longest waits for containers and a fetch.
const EXECUTION_SECONDS: &str = "1800";
/// Seconds in which the agent has to take the command.
const DELIVERY_SECONDS: i32 = 60;
const PAUSE: Duration = Duration::from_secs(2);
/// Looks, with a pause between, in which an invocation may not be known yet.
const UNKNOWN_LOOKS: u32 = 10;

impl Remote for Aws {
    async fn run(&self, group: &str, command: &str) -> Result<CommandResult, CloudError> {
        let Some(instance) = ec2::running(self, group).await? else {
            return Err(CloudError::NotFound(format!(
                "a running machine of {group}"
            )));
        };
        let id = send(self, &instance, command).await?;
        follow(self, &instance, &id).await
    }

    async fn objects(&self, bucket: &str, prefix: &str) -> Result<Vec<ObjectSummary>, CloudError> {
        let api_call = ApiCall::new(Service::S3, "ListObjectsV2", bucket);
        let all = all_pages(async |next| {
            let request = self.s3.list_objects_v2().bucket(bucket).prefix(prefix);
            let request = request.set_continuation_token(next);
            let page = self.ask(api_call, request.send()).await?;
            Ok((page.contents, page.next_continuation_token))
        })
        .await?;
        let mut objects: Vec<_> = all.into_iter().filter_map(object).collect();
        objects.sort_by(|a, b| a.key.cmp(&b.key));
        Ok(objects)
    }
}

fn object(found: aws_sdk_s3::types::Object) -> Option<ObjectSummary> {
    let written = found.last_modified?;
    Some(ObjectSummary {
        key: found.key?,
        bytes: found.size.and_then(|size| u64::try_from(size).ok())?,
        written: Timestamp::from_second(written.secs()).ok()?,
    })
}

async fn send(aws: &Aws, instance: &str, command: &str) -> Result<String, CloudError> {
    let api_call = ApiCall::new(Service::Ssm, "SendCommand", instance);
    let request = aws
        .ssm
        .send_command()
        .document_name(DOCUMENT)
        .instance_ids(instance)
        .timeout_seconds(DELIVERY_SECONDS)
        .parameters("commands", vec![command.to_owned()])
        .parameters("executionTimeout", vec![EXECUTION_SECONDS.to_owned()]);
    let answer = aws.send(api_call, request.send()).await.map_err(|error| {
        let refusal = error.as_service_error();
        if refusal.is_some_and(SendCommandError::is_invalid_instance_id) {
            return agent_offline(instance);
        }
        explain(api_call, &error)
    })?;
    let id = answer.command.and_then(|command| command.command_id);
    id.ok_or_else(|| CloudError::Unreachable {
        operation: api_call.to_string(),
        message: "the answer names no command".to_owned(),
    })
}

fn agent_offline(instance: &str) -> CloudError {
    CloudError::Offline(format!("the SSM agent on {instance}"))
}

/// Waits for the end of a command, which AWS brings about after [`EXECUTION_SECONDS`].
async fn follow(aws: &Aws, instance: &str, id: &str) -> Result<CommandResult, CloudError> {
    let api_call = ApiCall::new(Service::Ssm, "GetCommandInvocation", instance);
    let mut unknown = 0;
    let found = retry(aws, Backoff::constant(PAUSE, u32::MAX), async || {
        let request = aws.ssm.get_command_invocation();
        let request = request.command_id(id).instance_id(instance);
        match aws.send(api_call, request.send()).await {
            // The command is known a moment before its run on the machine is.
            Err(error) if is_not_yet_known(&error) && unknown < UNKNOWN_LOOKS => {
                unknown += 1;
                Try::Again(Err(explain(api_call, &error)))
            }
            Err(error) => Try::Final(Err(explain(api_call, &error))),
            Ok(found) => Try::pending(Ok(found), is_in_progress),
        }
    })
    .await?;
    // Never started there: the code is -1.
    if found.status == Some(CommandInvocationStatus::TimedOut) && found.response_code < 0 {
        return Err(agent_offline(instance));
    }
    // Success, failure, a cancellation, a time-out while it ran, and words that are not known yet.
    Ok(CommandResult {
        instance: instance.to_owned(),
        code: found.response_code,
        stdout: found.standard_output_content.unwrap_or_default(),
        stderr: found.standard_error_content.unwrap_or_default(),
    })
}

fn is_not_yet_known(error: &SdkError<GetCommandInvocationError, HttpResponse>) -> bool {
    let error = error.as_service_error();
    error.is_some_and(GetCommandInvocationError::is_invocation_does_not_exist)
}

fn is_in_progress(found: &GetCommandInvocationOutput) -> bool {
    use CommandInvocationStatus::{Cancelling, Delayed, InProgress, Pending};
    let status = found.status.as_ref();
    matches!(status, Some(Pending | InProgress | Delayed | Cancelling))
}
