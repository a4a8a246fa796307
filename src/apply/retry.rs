//! Sends a request again after a transient error. Only for idempotent requests: reads, and writes with a
//! token.

use super::stack_result::{StackResult, unknown};
use crate::cloud::CloudError;
use crate::common::Clock;
use crate::common::retry::{Backoff, Try, retry};

/// A request that AWS did not accept.
pub(super) struct Rejected {
    pub error: CloudError,
    /// Whether the answer to one of the tries was lost, so that it may have had its effect.
    pub lost: bool,
}

impl Rejected {
    /// The error of a request that certainly had no effect.
    pub fn known(self) -> Result<CloudError, StackResult> {
        match self.error {
            error if self.lost && error.is_transient() => Err(unknown(&error)),
            error @ CloudError::Credentials { .. } if self.lost => Err(StackResult::Expired(error)),
            error => Ok(error),
        }
    }
}

/// Sends a request, again where the error is transient.
pub(super) async fn with_retry<C: Clock, T>(
    cloud: &C,
    request: impl AsyncFnMut(&C) -> Result<T, CloudError>,
) -> Result<T, CloudError> {
    let answer = send(cloud, request).await;
    answer.map_err(|rejected| rejected.error)
}

/// The same for a request of which it matters whether a try without an answer had its effect.
pub(super) async fn send<C: Clock, T>(
    cloud: &C,
    mut request: impl AsyncFnMut(&C) -> Result<T, CloudError>,
) -> Result<T, Rejected> {
    let mut lost = false;
    let answer = retry(cloud, Backoff::REQUEST, async || {
        let answer = request(cloud).await;
        lost |= matches!(answer, Err(CloudError::Unreachable { .. }));
        Try::transient(answer, CloudError::is_transient)
    })
    .await;
    answer.map_err(|error| Rejected { error, lost })
}
