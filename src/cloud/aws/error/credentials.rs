//! Credentials that are missing, broken, expired or unknown, and how to get good ones.

use aws_credential_types::provider::error::CredentialsError;

use super::text::{chain, shorten};
use crate::cloud::CloudError;

/// In the SDK's words and in those of IAM Identity Center, whose `UnauthorizedException` is an ended
/// session and whose `InvalidGrantException` a refresh that came too late.
const SESSION_IS_OVER: [&str; 6] = [
    "sso",
    "token has expired",
    "token is expired",
    "session token not found",
    "unauthorizedexception",
    "invalidgrantexception",
];

/// What to do about credentials that AWS does not take; `None` when the code is about something else.
pub(super) fn help(code: &str) -> Option<&'static str> {
    match code {
        "ExpiredToken" | "ExpiredTokenException" | "RequestExpired" => Some(
            "the session has expired: sign in again (`aws sso login`, or fresh AWS_* variables) \
             and run the same command again",
        ),
        "InvalidClientTokenId"
        | "UnrecognizedClientException"
        | "InvalidAccessKeyId"
        | "InvalidToken"
        | "AuthFailure"
        | "MissingAuthenticationToken"
        | "MissingAuthenticationTokenException" => Some(
            "AWS does not know this access key: check AWS_PROFILE and the AWS_* variables, \
             `aws sts get-caller-identity` must work",
        ),
        "SignatureDoesNotMatch" | "InvalidSignatureException" | "IncompleteSignature" => Some(
            "the signature does not match: check the secret access key, and this machine's clock",
        ),
        _ => None,
    }
}

/// The credential chain failed before anything was sent.
pub(super) fn from_chain(cause: &CredentialsError) -> CloudError {
    // The outermost texts only say that something failed while loading.
    let mut causes = chain(cause);
    let generic = |text: &String| text.contains("error occurred while loading");
    let specific = causes.iter().position(|text| !generic(text));
    let causes_text = shorten(&causes.split_off(specific.unwrap_or_default()).join(": "));
    let lower = causes_text.to_lowercase();
    let (reason, help) = if matches!(cause, CredentialsError::CredentialsNotLoaded(_)) {
        (
            "none found".to_owned(),
            "set AWS_PROFILE (or --profile), or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; \
             with IAM Identity Center run `aws sso login` first",
        )
    } else if SESSION_IS_OVER.iter().any(|sign| lower.contains(sign)) {
        (
            causes_text,
            "run `aws sso login` for this profile, then the same command again",
        )
    } else if lower.contains("login") {
        (causes_text, super::super::profile::NO_LOGIN_SESSIONS)
    } else {
        (
            causes_text,
            "check the profile in ~/.aws/config: `aws sts get-caller-identity` must work with it",
        )
    };
    CloudError::Credentials {
        reason,
        help: help.to_owned(),
    }
}
