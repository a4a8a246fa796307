//! Asking again what had no answer. Only for requests that bear it: reads, and writes with a token.

use crate::common::Clock;
use std::time::Duration;

use crate::cloud::CloudError;

/// How often a request is sent in all.
const TRIES: u32 = 5;
/// Wait before the second try; doubles from there.
const FIRST_WAIT: Duration = Duration::from_secs(1);

/// Sends a request again while the error is a passing one. The second value says whether an answer
/// was lost on the way, so that an earlier try may have had its effect.
pub(super) async fn patiently<T>(
    clock: &impl Clock,
    mut request: impl AsyncFnMut() -> Result<T, CloudError>,
) -> (Result<T, CloudError>, Lost) {
    let mut lost = Lost::None;
    let mut wait = FIRST_WAIT;
    for _ in 1..TRIES {
        match request().await {
            Err(error) if error.is_transient() => {
                if matches!(error, CloudError::Unreachable { .. }) {
                    lost = Lost::Some;
                }
                clock.sleep(wait).await;
                wait *= 2;
            }
            answer => return (answer, lost),
        }
    }
    let answer = request().await;
    if matches!(answer, Err(CloudError::Unreachable { .. })) {
        lost = Lost::Some;
    }
    (answer, lost)
}

/// Whether an answer was lost on the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lost {
    None,
    Some,
}
