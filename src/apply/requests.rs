//! The requests that need care: deleting a protected stack, and finding out whether a request whose
//! answer was lost has had its effect.

use std::collections::HashSet;
use std::time::Duration;

use super::registry::StackState;
use super::retry::{Rejected, send, with_retry};
use super::run_context::RunContext;
use super::stack_result::{StackResult, failed, unanswered, unbegun, unknown};
use crate::cloud::{Cloud, CloudError, LiveStack, Protection, StackOperation, Store};
use crate::stacks::StackKind;

/// How often a lost request is looked for; its events may be late.
const SEARCHES: usize = 3;

/// The newest operation of a stack.
pub(super) fn newest(stack_id: &str) -> StackOperation {
    StackOperation {
        stack_id: stack_id.to_owned(),
        token: None,
    }
}

/// The operation that a request with this token began.
pub(super) fn with_token(stack_id: &str, token: String) -> StackOperation {
    StackOperation {
        stack_id: stack_id.to_owned(),
        token: Some(token),
    }
}

/// Lifts the termination protection of a stack that is going to be deleted.
pub(super) async fn unprotect(cloud: &impl Cloud, found: &LiveStack) -> Result<(), CloudError> {
    if !found.termination_protection {
        return Ok(());
    }
    let open = Protection {
        termination: false,
        policy: None,
    };
    with_retry(cloud, async |cloud| {
        cloud.set_protection(&found.id, &open).await
    })
    .await
}

impl<C: Cloud + Store> RunContext<'_, C> {
    /// Asks for the deletion of a stack, whether it is protected or not. `None` when it is gone already.
    pub async fn request_deletion(
        &self,
        stack: &StackKind,
        found: &LiveStack,
        token: String,
    ) -> Result<Option<StackOperation>, StackResult> {
        let unprotected = unprotect(self.cloud, found).await;
        let doing = "lifting its termination protection";
        unprotected.map_err(|error| unanswered(doing, error))?;
        self.states.set(stack, StackState::Requested);
        let delete = async |cloud: &C| cloud.delete(&found.id, &token).await;
        match send(self.cloud, delete).await {
            Ok(()) => Ok(Some(with_token(&found.id, token))),
            Err(rejected) if matches!(rejected.error, CloudError::NotFound(_)) => Ok(None),
            Err(rejected) => Err(self.rejected(stack, rejected)),
        }
    }

    /// Sends the request that begins an operation. One that shows by its token has begun, no matter what
    /// was answered.
    pub async fn begin(
        &self,
        operation: &StackOperation,
        request: impl AsyncFnMut(&C) -> Result<(), CloudError>,
    ) -> Result<(), Rejected> {
        match send(self.cloud, request).await {
            Err(rejected) if !self.has_begun(operation, rejected.lost).await => Err(rejected),
            _ => Ok(()),
        }
    }

    /// What a rejected request means for its stack. Where an answer was lost an earlier try may have had
    /// its effect, no matter what the last one was answered.
    pub fn rejected(&self, stack: &StackKind, rejected: Rejected) -> StackResult {
        let Rejected { error, lost } = rejected;
        if !lost {
            self.states.set(stack, StackState::Waiting);
        }
        match error {
            CloudError::Credentials { .. } => StackResult::Expired(error),
            error if lost => unknown(&error),
            error if error.is_transient() => unbegun(error.to_string()),
            error => failed(error.to_string()),
        }
    }

    /// Whether an operation shows by its token, although its request was not accepted.
    pub async fn has_begun(&self, operation: &StackOperation, lost: bool) -> bool {
        for search in 0..if lost { SEARCHES } else { 1 } {
            if search > 0 {
                self.cloud.sleep(Duration::from_secs(2)).await;
            }
            let events = self.cloud.events(operation, &HashSet::new()).await;
            if events.is_ok_and(|events| !events.is_empty()) {
                return true;
            }
        }
        false
    }
}
