//! Commands on machines through Systems Manager's Run Command, and a bucket's objects.

use crate::common::Clock;
use crate::common::retry::{Backoff, Try, retry};
use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_sdk_ssm::config::http::HttpResponse;
use aws_sdk_ssm::error::SdkError;
use aws_sdk_ssm::operation::get_command_invocation::{
    GetCommandInvocationError, GetCommandInvocationOutput,
};
use aws_sdk_ssm::operation::send_command::SendCommandError;
use aws_sdk_ssm::types::{CommandFilter, CommandFilterKey, CommandInvocationStatus};
use jiff::Timestamp;

use super::calls::{ApiCall, all_pages};
use super::error::{explain, unanswered};
use super::{Aws, ec2};
use crate::cloud::CloudError;
use crate::cloud::limiter::Service;
use crate::cloud::remote::{CommandResult, ObjectSummary, Remote, RemoteCommand};

/// AWS's own document that runs a shell command.
const DOCUMENT: &str = "AWS-RunShellScript";
/// Seconds after which a command that runs is ended: the longest waits for containers and a fetch.
const EXECUTION_SECONDS: &str = "1800";
/// Seconds in which the agent has to take the command.
const DELIVERY_SECONDS: i32 = 60;
const PAUSE: Duration = Duration::from_secs(2);
/// Looks, with a pause between, in which an invocation may not be known yet.
const UNKNOWN_LOOKS: u32 = 10;
/// Looks one after the other that may stay without an answer; the SDK repeats each of them itself.
const UNANSWERED_LOOKS: u32 = 5;
/// Looks for a command whose answer was lost, for 7 seconds.
const SETTLING: Backoff = Backoff::new(Duration::from_secs(1), 4);
/// How far back it is looked for: more than this machine's clock can be ahead.
const LOOK_BACK: Duration = Duration::from_hours(24);

impl Remote for Aws {
    async fn run(&self, group: &str, command: &RemoteCommand) -> Result<CommandResult, CloudError> {
        let Some(instance) = ec2::running(self, group).await? else {
            return Err(CloudError::NotFound(format!(
                "a running machine of {group}"
            )));
        };
        if !is_instance_id(&instance) {
            let api_call = ApiCall::new(Service::Ec2, "DescribeInstances", group);
            return Err(unanswered(
                api_call,
                "the answer holds no id of an instance",
            ));
        }
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

/// `i-` and hexadecimal digits: it becomes a part of requests and of commands that messages advise.
fn is_instance_id(text: &str) -> bool {
    let digits = text.strip_prefix("i-").unwrap_or_default();
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn object(found: aws_sdk_s3::types::Object) -> Option<ObjectSummary> {
    let written = found.last_modified?;
    Some(ObjectSummary {
        key: found.key?,
        bytes: found.size.and_then(|size| u64::try_from(size).ok())?,
        written: Timestamp::from_second(written.secs()).ok()?,
    })
}

/// Has a command run and returns its id. `SendCommand` takes no token that would keep a second request from
/// running it again; so every request has a comment of its own, and one whose answer was lost is looked for
/// by that before anything is sent again.
async fn send(aws: &Aws, instance: &str, command: &RemoteCommand) -> Result<String, CloudError> {
    let comment = comment(aws, command);
    retry(aws, Backoff::REQUEST, async || {
        match send_once(aws, instance, command, &comment).await {
            Err(lost @ CloudError::Unreachable { .. }) => match find(aws, &comment).await {
                Ok(Some(id)) => Try::Final(Ok(id)),
                Ok(None) => Try::Again(Err(lost)),
                Err(why) => Try::Final(Err(unknown(&aws.region, instance, &comment, &lost, &why))),
            },
            // Throttled: certainly not run.
            answer => Try::transient(answer, CloudError::is_transient),
        }
    })
    .await
}

/// Names one command, at most 100 characters.
fn comment(aws: &Aws, command: &RemoteCommand) -> String {
    let (program, second) = (command.program().name(), aws.now().as_nanosecond());
    format!("kube-cfn {program} {second:x}-{:016x}", fastrand::u64(..))
}

async fn send_once(
    aws: &Aws,
    instance: &str,
    command: &RemoteCommand,
    comment: &str,
) -> Result<String, CloudError> {
    let api_call = ApiCall::new(Service::Ssm, "SendCommand", instance);
    // The SDK would repeat a lost request without looking.
    let once = aws_sdk_ssm::config::Builder::new().retry_config(RetryConfig::disabled());
    let request = aws
        .ssm
        .send_command()
        .document_name(DOCUMENT)
        .instance_ids(instance)
        .comment(comment)
        .timeout_seconds(DELIVERY_SECONDS)
        .parameters("commands", vec![command.line()])
        .parameters("executionTimeout", vec![EXECUTION_SECONDS.to_owned()])
        .customize()
        .config_override(once);
    let answer = aws.send(api_call, request.send()).await.map_err(|error| {
        let refusal = error.as_service_error();
        if refusal.is_some_and(SendCommandError::is_invalid_instance_id) {
            return agent_offline(instance);
        }
        explain(api_call, &error)
    })?;
    let id = answer.command.and_then(|command| command.command_id);
    id.ok_or_else(|| unanswered(api_call, "the answer names no command"))
}

/// The id of the command with this comment. Looks for a while: the list may be behind.
async fn find(aws: &Aws, comment: &str) -> Result<Option<String>, CloudError> {
    retry(aws, SETTLING, async || {
        Try::pending(listed(aws, comment).await, Option::is_none)
    })
    .await
}

/// Not by the instance: the list of its commands lacks those that have not reached it yet.
async fn listed(aws: &Aws, comment: &str) -> Result<Option<String>, CloudError> {
    let api_call = ApiCall::new(Service::Ssm, "ListCommands", "");
    let since = aws.now() - LOOK_BACK;
    let filter = CommandFilter::builder()
        .key(CommandFilterKey::InvokedAfter)
        .value(since.strftime("%Y-%m-%dT%H:%M:%SZ").to_string());
    let filter = filter
        .build()
        .map_err(|error| unanswered(api_call, &error.to_string()))?;
    let commands = all_pages(async |next| {
        let request = aws.ssm.list_commands().filters(filter.clone());
        let request = request.set_next_token(next);
        let page = aws.ask(api_call, request.send()).await?;
        if page.commands.is_none() {
            return Err(unanswered(api_call, "the answer holds no list"));
        }
        Ok((page.commands, page.next_token))
    })
    .await?;
    let found = commands
        .into_iter()
        .find(|command| command.comment.as_deref() == Some(comment));
    Ok(found.and_then(|command| command.command_id))
}

/// The answer was lost, and nobody can say what became of the command.
fn unknown(
    region: &str,
    instance: &str,
    comment: &str,
    lost: &CloudError,
    why: &CloudError,
) -> CloudError {
    if matches!(why, CloudError::Credentials { .. }) {
        return why.clone();
    }
    CloudError::Unreachable {
        operation: format!("SendCommand of {instance}"),
        message: format!(
            "{lost}; whether the command runs there is not known, because looking for it failed: {why}; \
             `aws ssm list-commands --region {region}` shows it with the comment \"{comment}\""
        ),
    }
}

fn agent_offline(instance: &str) -> CloudError {
    CloudError::Offline(format!("the SSM agent on {instance}"))
}

/// Waits for the end of a command, which AWS brings about after [`EXECUTION_SECONDS`].
async fn follow(aws: &Aws, instance: &str, id: &str) -> Result<CommandResult, CloudError> {
    let api_call = ApiCall::new(Service::Ssm, "GetCommandInvocation", instance);
    let (mut unknown, mut without_answer) = (0, 0);
    let found = retry(aws, Backoff::constant(PAUSE, u32::MAX), async || {
        let request = aws.ssm.get_command_invocation();
        let request = request.command_id(id).instance_id(instance);
        match aws.send(api_call, request.send()).await {
            // The command is known a moment before its run on the machine is.
            Err(error) if is_not_yet_known(&error) && unknown < UNKNOWN_LOOKS => {
                unknown += 1;
                Try::Again(Err(explain(api_call, &error)))
            }
            Err(error) => {
                let error = explain(api_call, &error);
                // The command runs on, whether anybody sees it or not.
                without_answer += 1;
                if error.is_transient() && without_answer < UNANSWERED_LOOKS {
                    Try::Again(Err(error))
                } else {
                    Try::Final(Err(still_running(&aws.region, instance, id, error)))
                }
            }
            Ok(found) => {
                without_answer = 0;
                Try::pending(Ok(found), is_in_progress)
            }
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

/// The last answer about a command that was accepted: whatever the error is, the command goes on.
fn still_running(region: &str, instance: &str, id: &str, error: CloudError) -> CloudError {
    let with = |message: &str| {
        format!(
            "{message}; the command may still run on the machine: `aws ssm get-command-invocation \
             --region {region} --command-id {id} --instance-id {instance}` shows it"
        )
    };
    match error {
        CloudError::Credentials { reason, help } => CloudError::Credentials {
            reason: with(&reason),
            help,
        },
        CloudError::Denied {
            caller_may_not,
            action,
        } => CloudError::Denied {
            caller_may_not: with(&caller_may_not),
            action,
        },
        CloudError::Throttled(message) => CloudError::Throttled(with(&message)),
        CloudError::Conflict(message) => CloudError::Conflict(with(&message)),
        CloudError::Refused { operation, message } => CloudError::Refused {
            operation,
            message: with(&message),
        },
        CloudError::Unreachable { operation, message } => CloudError::Unreachable {
            operation,
            message: with(&message),
        },
        // Their texts go on after what is named.
        error @ (CloudError::NotFound(_) | CloudError::Offline(_) | CloudError::Invalid { .. }) => {
            CloudError::Unreachable {
                operation: format!("the command on {instance}"),
                message: with(&error.to_string()),
            }
        }
    }
}

fn is_not_yet_known(error: &SdkError<GetCommandInvocationError, HttpResponse>) -> bool {
    let error = error.as_service_error();
    error.is_some_and(GetCommandInvocationError::is_invocation_does_not_exist)
}

fn is_in_progress(found: &GetCommandInvocationOutput) -> bool {
    use CommandInvocationStatus::{Cancelling, Delayed, InProgress, Pending};
    let status = found.status.as_ref();
    // An answer without a status says nothing.
    matches!(
        status,
        None | Some(Pending | InProgress | Delayed | Cancelling)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_error_after_the_command_was_accepted_says_that_it_may_run() {
        let text = || "x".to_owned();
        for error in [
            CloudError::Credentials {
                reason: text(),
                help: text(),
            },
            CloudError::Denied {
                caller_may_not: text(),
                action: None,
            },
            CloudError::Throttled(text()),
            CloudError::NotFound(text()),
            CloudError::Offline(text()),
            CloudError::Conflict(text()),
            CloudError::Refused {
                operation: text(),
                message: text(),
            },
            CloudError::Unreachable {
                operation: text(),
                message: text(),
            },
        ] {
            let is_login = matches!(error, CloudError::Credentials { .. });
            let found = still_running("eu-west-1", "i-1", "c-1", error);
            assert_eq!(matches!(found, CloudError::Credentials { .. }), is_login);
            let said = found.to_string();
            assert!(said.contains("may still run on the machine"), "{said}");
            assert!(
                said.contains("--command-id c-1 --instance-id i-1"),
                "{said}"
            );
        }
    }
}
