//! Updating a stack: executing exactly the change set that was shown, or setting its protection alone.

use std::collections::BTreeSet;

use super::phase::Signal;
use super::{StackRun, allowed_losses, protection};
use crate::apply::Prerequisites;
use crate::apply::registry::StackState;
use crate::apply::requests::with_token;
use crate::apply::retry::{Rejected, with_retry};
use crate::apply::stack_result::{StackResult, blocked, failed, unbegun};
use crate::cloud::{Cloud, CloudError, LiveStack, OnFailure, Store};
use crate::events::{Outcome, Verb};
use crate::plan::Action;
use crate::plan::recovery::{not_resumed, resumes};
use crate::plan::stack_policy::relaxed;

impl<C: Cloud + Store, P: Prerequisites> StackRun<'_, '_, C, P> {
    /// Executes the change set.
    pub(super) async fn update(&mut self) -> Result<Signal, StackResult> {
        let found = self.found()?;
        let Action::Update(set) = &self.step.action else {
            return Err(super::disagreement());
        };
        let stack = &self.step.stack;
        self.run.upload(stack).await?;
        if self.step.needs_protection_update() || stack.policy.is_some() {
            self.protect(&found, &allowed_losses(&self.step)).await?;
        }
        self.set_state(StackState::Requested);
        self.run.unexecuted.forget(&stack.kind);
        let on_failure = if resumes(&found.status) {
            OnFailure::DoNothing
        } else {
            OnFailure::Rollback
        };
        let token = self.token("execute");
        let operation = with_token(&found.id, token.clone());
        let execute = async |cloud: &C| cloud.execute(set, &token, on_failure).await;
        match self.context.begin(&operation, execute).await {
            Ok(()) => Ok(self.accept(Verb::Update, operation)),
            Err(rejected) => self.not_executed(&found, rejected).await,
        }
    }

    /// A change set that could not be executed: another operation holds the stack, or moved it.
    async fn not_executed(
        &mut self,
        found: &LiveStack,
        rejected: Rejected,
    ) -> Result<Signal, StackResult> {
        let error = rejected.known()?;
        self.set_state(StackState::Waiting);
        self.run.unexecuted.add(&self.step);
        if matches!(error, CloudError::Credentials { .. }) {
            return Err(StackResult::Expired(error));
        }
        if !allowed_losses(&self.step).is_empty() {
            self.protect(found, &BTreeSet::new()).await?;
        }
        if matches!(error, CloudError::Conflict(_) | CloudError::NotFound(_)) {
            // Another run's execution holds the stack, or has removed this change set with all others.
            if let Ok(Some(now)) = self.read(&found.id).await {
                return Ok(self.moved_to(now));
            }
        }
        if error.is_transient() {
            return Err(unbegun(error.to_string()));
        }
        if resumes(&found.status) {
            return Err(blocked(None, &not_resumed(found, &error.to_string())));
        }
        Err(failed(format!(
            "{error}; the stack changed since the plan was made: look at the plan again"
        )))
    }

    /// Nothing to change but, perhaps, its protection and its objects in buckets.
    ///
    /// Looked at once more: since the plan was made somebody may have moved it, and what was read then,
    /// shortly after another run began an update, may have been old.
    pub(super) async fn no_change(&mut self) -> Result<Signal, StackResult> {
        let found = self.found()?;
        let now = self.read(&found.id).await?;
        let same = |now: &LiveStack| now.status == found.status && now.updated == found.updated;
        if !now.as_ref().is_some_and(same) {
            return Ok(self.moved_to(now.unwrap_or(found)));
        }
        let mut outcome = Outcome::Unchanged;
        if self.step.needs_protection_update() {
            self.protect(&found, &BTreeSet::new()).await?;
            outcome = Outcome::Updated;
        }
        if !self.step.damaged_objects.is_empty() {
            self.run.prepare(&self.step.stack).await?;
            self.run.upload(&self.step.stack).await?;
            outcome = Outcome::Updated;
        }
        Ok(self.end(StackResult::with(outcome, found.outputs)))
    }

    /// Sets termination protection and stack policy as the definition wants them, but with a policy
    /// that lets go of the resources in `losses`.
    async fn protect(
        &self,
        found: &LiveStack,
        losses: &BTreeSet<String>,
    ) -> Result<(), StackResult> {
        let mut wanted = protection(&self.step.stack);
        let restored = (!losses.is_empty()).then(|| (found.id.clone(), wanted.clone()));
        let kind = &self.step.stack.kind;
        self.run.unexecuted.set_relaxed(kind, restored);
        wanted.policy = wanted.policy.map(|policy| relaxed(&policy, losses));
        let protect = async |cloud: &C| cloud.set_protection(&found.id, &wanted).await;
        self.context.ask("setting its protection", protect).await
    }

    /// Restores the policy that was relaxed for an update which is over by now.
    pub(super) async fn restore_policy(&self, found: &LiveStack) -> Result<(), StackResult> {
        let wanted = protection(&self.step.stack);
        let protect = async |cloud: &C| cloud.set_protection(&found.id, &wanted).await;
        match with_retry(self.context.cloud, protect).await {
            Err(error @ CloudError::Credentials { .. }) => Err(StackResult::Expired(error)),
            answer => answer.map_err(|error| {
                failed(format!(
                    "its update is over, but its stack policy is still relaxed: {error}; \
                     re-run the same command to restore it"
                ))
            }),
        }
    }
}
