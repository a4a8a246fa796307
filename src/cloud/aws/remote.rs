//! Commands on machines through Systems Manager's Run Command, and a bucket's objects.

use crate::common::Clock;
use std::time::Duration;

use aws_sdk_ssm::types::CommandInvocationStatus;
use jiff::Timestamp;

use super::error::{Asked, explain};
use super::{Aws, ec2};
use crate::cloud::CloudError;
use crate::cloud::remote::{FoundObject, Ran, Remote};

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
    async fn run(&self, group: &str, command: &str) -> Result<Ran, CloudError> {
        let Some(instance) = ec2::running(self, group).await? else {
            return Err(CloudError::NotFound(format!(
                "a running machine of {group}"
            )));
        };
        let id = send(self, &instance, command).await?;
        follow(self, &instance, &id).await
    }

    async fn objects(&self, bucket: &str, prefix: &str) -> Result<Vec<FoundObject>, CloudError> {
        let asked = Asked {
            call: "ListObjectsV2",
            of: bucket,
        };
        let mut objects = Vec::new();
        let mut next = None;
        loop {
            let request = self.s3.list_objects_v2().bucket(bucket).prefix(prefix);
            let page = request.set_continuation_token(next).send().await;
            let page = page.map_err(|error| explain(asked, &error))?;
            let found = page.contents.unwrap_or_default();
            objects.extend(found.into_iter().filter_map(object));
            next = page.next_continuation_token;
            if next.is_none() {
                objects.sort_by(|a, b| a.key.cmp(&b.key));
                return Ok(objects);
            }
        }
    }
}

fn object(found: aws_sdk_s3::types::Object) -> Option<FoundObject> {
    let written = found.last_modified?;
    Some(FoundObject {
        key: found.key?,
        bytes: found.size.and_then(|size| u64::try_from(size).ok())?,
        written: Timestamp::from_second(written.secs()).ok()?,
    })
}

async fn send(aws: &Aws, instance: &str, command: &str) -> Result<String, CloudError> {
    let asked = Asked {
        call: "SendCommand",
        of: instance,
    };
    let answer = aws
        .ssm
        .send_command()
        .document_name(DOCUMENT)
        .instance_ids(instance)
        .timeout_seconds(DELIVERY_SECONDS)
        .parameters("commands", vec![command.to_owned()])
        .parameters("executionTimeout", vec![EXECUTION_SECONDS.to_owned()])
        .send()
        .await;
    let answer = answer.map_err(|error| {
        let unmanaged = error.as_service_error().is_some_and(
            aws_sdk_ssm::operation::send_command::SendCommandError::is_invalid_instance_id,
        );
        if unmanaged {
            return silent(instance);
        }
        explain(asked, &error)
    })?;
    let id = answer.command.and_then(|command| command.command_id);
    id.ok_or_else(|| CloudError::Unreachable {
        operation: asked.to_string(),
        message: "the answer names no command".to_owned(),
    })
}

fn silent(instance: &str) -> CloudError {
    CloudError::NotFound(format!(
        "an agent of Systems Manager that answers on {instance}"
    ))
}

async fn follow(aws: &Aws, instance: &str, id: &str) -> Result<Ran, CloudError> {
    let asked = Asked {
        call: "GetCommandInvocation",
        of: instance,
    };
    let mut unknown = 0;
    loop {
        let request = aws.ssm.get_command_invocation();
        let answer = request.command_id(id).instance_id(instance).send().await;
        let found = match answer {
            Ok(found) => found,
            Err(error) => {
                // The command is known a moment before its run on the machine is.
                let early = error.as_service_error().is_some_and(
                    aws_sdk_ssm::operation::get_command_invocation::GetCommandInvocationError::is_invocation_does_not_exist,
                );
                if !early || unknown == UNKNOWN_LOOKS {
                    return Err(explain(asked, &error));
                }
                unknown += 1;
                aws.sleep(PAUSE).await;
                continue;
            }
        };
        match found.status {
            Some(
                CommandInvocationStatus::Pending
                | CommandInvocationStatus::InProgress
                | CommandInvocationStatus::Delayed
                | CommandInvocationStatus::Cancelling,
            ) => aws.sleep(PAUSE).await,
            // Never started there: the code is -1.
            Some(CommandInvocationStatus::TimedOut) if found.response_code < 0 => {
                return Err(silent(instance));
            }
            // Success, failure, a cancellation, a time-out while it ran, and words that are not known yet.
            _ => {
                return Ok(Ran {
                    instance: instance.to_owned(),
                    code: found.response_code,
                    stdout: found.standard_output_content.unwrap_or_default(),
                    stderr: found.standard_error_content.unwrap_or_default(),
                });
            }
        }
    }
}
