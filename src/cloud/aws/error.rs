//! From the SDK's errors to [`CloudError`], in words for people.
//! Reads codes and messages, never the `Debug` of an answer: that could hold a secret.

use std::error::Error;

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_cloudformation::config::http::HttpResponse;
use aws_sdk_cloudformation::error::{ProvideErrorMetadata, SdkError};

use super::answers::is_numbered;
use super::calls::ApiCall;
use crate::cloud::CloudError;

mod credentials;
mod missing;
mod newer;
mod text;

use missing::missing;
pub(super) use newer::{explain_newer, is_unknown_call};
pub(super) use text::with_causes;
use text::{as_text, find, innermost, quote, shorten, words};

/// `arn:aws:cloudformation:eu-west-1:1:stack/canary-base/4f…` reads better as `canary-base`.
pub(super) fn short_name(of: &str) -> &str {
    let Some((_, resource)) = of.split_once(":stack/").or(of.split_once(":changeSet/")) else {
        return of;
    };
    resource.split('/').next().unwrap_or(resource)
}

/// Code and message of an answer that no SDK read.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct ErrorText<'a> {
    pub(super) code: Option<&'a str>,
    pub(super) message: Option<&'a str>,
    /// The whole of it, for one that has neither.
    pub(super) body: Option<&'a str>,
}

/// An answer that refuses, with its HTTP status.
#[derive(Debug, Default)]
struct Answer<'a> {
    status: u16,
    code: Option<&'a str>,
    message: Option<&'a str>,
    body: Option<&'a str>,
    /// AWS has numbered it: it comes from no proxy.
    numbered: bool,
}

/// Turns an SDK error into ours.
pub(super) fn explain<E>(api_call: ApiCall<'_>, error: &SdkError<E, HttpResponse>) -> CloudError
where
    E: ProvideErrorMetadata + Error + 'static,
{
    if let Some(cause) = find::<CredentialsError>(error) {
        return credentials::from_chain(cause);
    }
    match error {
        SdkError::ServiceError(refusal) => from_answer(
            api_call,
            &Answer {
                status: refusal.raw().status().as_u16(),
                code: refusal.err().code(),
                message: refusal.err().message(),
                body: refusal.raw().body().bytes().and_then(as_text),
                numbered: is_numbered(refusal.raw()),
            },
        ),
        SdkError::ResponseError(garbled) => {
            let body = garbled.raw().body().bytes().and_then(as_text);
            no_answer(api_call, foreign(garbled.raw().status().as_u16(), body))
        }
        SdkError::TimeoutError(_) => no_answer(api_call, "it took too long".to_owned()),
        SdkError::DispatchFailure(failure) if failure.is_timeout() => no_answer(
            api_call,
            format!("it took too long ({})", shorten(&innermost(error))),
        ),
        SdkError::DispatchFailure(_) => no_answer(
            api_call,
            format!(
                "{}; check the network, and HTTPS_PROXY and AWS_ENDPOINT_URL if they are set",
                shorten(&innermost(error))
            ),
        ),
        _ => refused(api_call, shorten(&innermost(error))),
    }
}

/// As [`explain`], for calls that carry a secret: AWS's validation messages quote the value.
pub(super) fn explain_secretly<E>(
    api_call: ApiCall<'_>,
    error: &SdkError<E, HttpResponse>,
) -> CloudError
where
    E: ProvideErrorMetadata + Error + 'static,
{
    match explain(api_call, error) {
        CloudError::Refused { operation, .. } => CloudError::Refused {
            operation,
            message: format!(
                "{} (AWS's own words are withheld, they may quote the value)",
                error.code().unwrap_or("no reason given")
            ),
        },
        CloudError::Unreachable { operation, .. } if error.raw_response().is_some() => {
            CloudError::Unreachable {
                operation,
                message: "an answer that cannot be read (withheld, it may quote the value)"
                    .to_owned(),
            }
        }
        other => other,
    }
}

/// An answer that no SDK read, by its status and the code and message in it.
pub(super) fn explain_answer(
    api_call: ApiCall<'_>,
    status: u16,
    text: ErrorText<'_>,
) -> CloudError {
    let answer = Answer {
        status,
        code: text.code,
        message: text.message,
        body: text.body,
        // Every error of a query API has a code; that is what counts then.
        numbered: false,
    };
    from_answer(api_call, &answer)
}

/// Nobody answered, with the cause in words.
pub(super) fn unanswered(api_call: ApiCall<'_>, cause: &str) -> CloudError {
    no_answer(api_call, shorten(cause))
}

/// No credentials from the chain.
pub(super) fn no_credentials(cause: &CredentialsError) -> CloudError {
    credentials::from_chain(cause)
}

/// Whether a code asks to slow down, as AWS's own retry rules list them, and the classic load balancers' own.
pub(super) fn is_throttle_code(code: &str) -> bool {
    matches!(
        code,
        "Throttling"
            | "ThrottlingException"
            | "ThrottledException"
            | "RequestThrottledException"
            | "RequestThrottled"
            | "RequestLimitExceeded"
            | "TooManyRequestsException"
            | "TooManyUpdates"
            | "ProvisionedThroughputExceededException"
            | "BandwidthLimitExceeded"
            | "DependencyThrottle"
            | "PriorRequestNotComplete"
            | "SlowDown"
    )
}

fn from_answer(api_call: ApiCall<'_>, answer: &Answer<'_>) -> CloudError {
    let code = answer.code.unwrap_or_default();
    let message = answer.message.unwrap_or_default();
    if is_throttle_code(code) || answer.status == 429 {
        return CloudError::Throttled(api_call.to_string());
    }
    // EC2 says so about what AWS made for another service, such as the interfaces of load balancers.
    if code == "AuthFailure" && message.contains("do not have permission") {
        return denied(api_call, message);
    }
    if let Some(help) = credentials::help(code) {
        return CloudError::Credentials {
            reason: shorten(if message.is_empty() { code } else { message }),
            help: help.to_owned(),
        };
    }
    missing(api_call, code)
        .or_else(|| by_code(api_call, code, message))
        .unwrap_or_else(|| by_status(api_call, answer))
}

fn by_status(api_call: ApiCall<'_>, answer: &Answer<'_>) -> CloudError {
    let code = answer.code.unwrap_or_default();
    let message = answer.message.unwrap_or_default();
    // The SDK itself names a 404 to a HEAD request, no matter who gave it.
    let named = !matches!(code, "" | "NotFound");
    match answer.status {
        // Good, but not to be read: what was asked may have happened.
        200..=299 => no_answer(api_call, foreign(answer.status, answer.body)),
        ..500 if !named && !answer.numbered => {
            no_answer(api_call, foreign(answer.status, answer.body))
        }
        403 if code.is_empty() => denied(api_call, message),
        404 if code.is_empty() || code == "NotFound" => {
            CloudError::NotFound(api_call.of.to_owned())
        }
        500.. => no_answer(api_call, server_fault(answer)),
        status if code.is_empty() && message.is_empty() => {
            refused(api_call, format!("HTTP {status}{}", quote(answer.body)))
        }
        _ => refused(api_call, words(message, code)),
    }
}

/// `None` for a code that does not decide; then the HTTP status does.
fn by_code(api_call: ApiCall<'_>, code: &str, message: &str) -> Option<CloudError> {
    Some(match code {
        "AccessDenied"
        | "AccessDeniedException"
        | "UnauthorizedOperation"
        | "Forbidden"
        | "KMSAccessDeniedException" => denied(api_call, message),
        "ChangeSetNotFound" | "ChangeSetNotFoundException" => {
            CloudError::NotFound(subject(message, "change set", api_call))
        }
        "ValidationError" if is_missing_stack(message) => {
            CloudError::NotFound(subject(message, "stack", api_call))
        }
        "AlreadyExistsException"
        | "TokenAlreadyExistsException"
        | "ParameterAlreadyExists"
        | "InvalidChangeSetStatus"
        | "OperationInProgressException"
        | "OperationAborted"
        | "ScalingActivityInProgress" => CloudError::Conflict(words(message, code)),
        "ValidationError" if is_busy(message) => CloudError::Conflict(words(message, code)),
        _ => return None,
    })
}

/// An answer of a proxy, or one that is damaged.
fn foreign(status: u16, body: Option<&str>) -> String {
    format!(
        "HTTP {status} with an answer that AWS would not give{}",
        quote(body)
    )
}

fn server_fault(answer: &Answer<'_>) -> String {
    let status = answer.status;
    match (answer.code, answer.message) {
        (None, None) => format!("HTTP {status}{}", quote(answer.body)),
        (code, message) => {
            let said = words(message.unwrap_or_default(), code.unwrap_or_default());
            format!("HTTP {status}: {said}")
        }
    }
}

/// From AWS's sentence "User: X is not authorized to perform: Y on resource: Z because …".
fn denied(api_call: ApiCall<'_>, message: &str) -> CloudError {
    let after = |mark: &str| message.split_once(mark).map(|(_, rest)| rest.trim_start());
    let word = |text: &str| -> String {
        let end = text.find(char::is_whitespace).unwrap_or(text.len());
        let word = text.get(..end).unwrap_or(text);
        word.trim_end_matches(['.', ',']).to_owned()
    };
    let caller = after("User:").map(word);
    let action = after("not authorized to perform:")
        .map(word)
        .filter(|action| action.contains(':'));
    let resource = after("on resource:").map(word);
    let because = after(" because ").map(|text| text.lines().next().unwrap_or(text));

    let mut text = match caller {
        Some(caller) => format!("{caller} may not "),
        None => "the caller may not ".to_owned(),
    };
    match &action {
        Some(action) => text.push_str(action),
        None => text.push_str(&api_call.to_string()),
    }
    if let Some(resource) = resource {
        text.push_str(" on ");
        text.push_str(&resource);
    }
    if let Some(because) = because {
        text.push_str(": ");
        text.push_str(&shorten(because));
    }
    CloudError::Denied {
        caller_may_not: text,
        action,
    }
}

/// Only these sentences: "S3 error: The specified bucket does not exist" is a refusal, not a missing stack.
fn is_missing_stack(message: &str) -> bool {
    (message.starts_with("Stack ") || message.starts_with("ChangeSet "))
        && message.trim_end_matches('.').ends_with("does not exist")
}

/// Another operation has the stack.
fn is_busy(message: &str) -> bool {
    message.contains("_IN_PROGRESS state and can not")
        || message.contains("_IN_PROGRESS state and cannot")
        || message.contains("currently being updated")
        || message.contains("An operation on this ChangeSet is in progress")
}

/// The name that AWS puts in brackets or after `with id`, else what was asked about.
fn subject(message: &str, noun: &str, api_call: ApiCall<'_>) -> String {
    let named = message
        .split_once('[')
        .and_then(|(_, rest)| rest.split_once(']'))
        .map(|(name, _)| name)
        .or_else(|| {
            let (_, rest) = message.split_once("with id ")?;
            rest.split_once(" does not").map(|(name, _)| name)
        });
    format!("{noun} {}", short_name(named.unwrap_or(api_call.of)))
}

fn refused(api_call: ApiCall<'_>, message: String) -> CloudError {
    CloudError::Refused {
        operation: api_call.to_string(),
        message,
    }
}

fn no_answer(api_call: ApiCall<'_>, message: String) -> CloudError {
    CloudError::Unreachable {
        operation: api_call.to_string(),
        message,
    }
}

#[cfg(test)]
mod tests;
