//! The errors of requests to the cloud.

use super::Finding;

/// Why a request to the cloud failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CloudError {
    /// No credentials, or expired ones; `help` says how to get some.
    #[error("no valid AWS credentials: {reason}")]
    Credentials { reason: String, help: String },
    /// The caller may not do this; `action` is the missing IAM action where AWS names it.
    #[error("{caller_may_not}")]
    Denied {
        caller_may_not: String,
        action: Option<String>,
    },
    #[error("AWS asks to slow down and kept asking: {0}")]
    Throttled(String),
    #[error("{0} does not exist")]
    NotFound(String),
    /// A machine takes no commands.
    #[error("{0} is not online")]
    Offline(String),
    /// Another operation holds the stack, or it exists already.
    #[error("{0}")]
    Conflict(String),
    /// Early validation refused a template, before anything was made.
    #[error("AWS refused the template of {stack}: {reason}")]
    Invalid {
        stack: String,
        reason: String,
        findings: Vec<Finding>,
    },
    /// AWS refused the request itself.
    #[error("AWS refused {operation}: {message}")]
    Refused { operation: String, message: String },
    /// No answer: network, time-out, garbled. What was asked may have happened.
    #[error("no answer from AWS for {operation}: {message}")]
    Unreachable { operation: String, message: String },
}

impl CloudError {
    /// Whether a retry can succeed without any other action.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Throttled(_) | Self::Unreachable { .. })
    }

    /// `None` where something does not exist.
    pub(super) fn optional<T>(answer: Result<T, Self>) -> Result<Option<T>, Self> {
        match answer {
            Ok(found) => Ok(Some(found)),
            Err(Self::NotFound(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }
}
