//! Updating a stack: executing exactly the change set that was shown, or setting its protection alone.

use std::collections::BTreeSet;

use super::phase::Signal;
use super::{StackRun, allowed_losses, protection};
use crate::apply::Prepare;
use crate::apply::registry::StackState;
use crate::apply::requests::with_token;
use crate::apply::retry::Rejected;
use crate::apply::stack_result::{StackResult, failed, unanswered, unbegun, unknown};
use crate::cloud::{Cloud, CloudError, FoundStack, OnFailure, Store};
use crate::events::{Outcome, Verb};
use crate::plan::heal::{not_resumed, resumes};
use crate::plan::policy::relaxed;
use crate::plan::{Action, token};

impl<C: Cloud + Store, P: Prepare> StackRun<'_, '_, C, P> {
    /// Executes the change set.
    pub(super) async fn update(&mut self) -> Result<Signal, StackResult> {
        let found = self.found()?;
        let Action::Update(set) = &self.step.action else {
            return Err(super::disagreement());
        };
        let (stack, context) = (&self.step.stack, self.context);
        self.run.upload(stack).await?;
        if self.step.reprotects() || stack.policy.is_some() {
            self.protect(&found, &allowed_losses(&self.step)).await?;
        }
        let token = token(context.session.run, &stack.name, "execute");
        context.states.set(&stack.kind, StackState::Requested);
        self.run.unexecuted.forget(&stack.kind);
        let on_failure = if resumes(&found.status) {
            OnFailure::Stop
        } else {
            OnFailure::GoBack
        };
        let request = context.send(async |cloud| cloud.execute(set, &token, on_failure).await);
        let answer = request.await;
        let operation = with_token(&found.id, token);
        if let Err(rejected) = answer
            && !context.has_begun(&operation, rejected.lost).await
        {
            return self.not_executed(&found, rejected).await;
        }
        Ok(self.accept(Verb::Update, operation))
    }

    /// A change set that could not be executed: another operation holds the stack, or moved it.
    async fn not_executed(
        &mut self,
        found: &FoundStack,
        Rejected { error, lost }: Rejected,
    ) -> Result<Signal, StackResult> {
        if lost && error.is_passing() {
            return Err(unknown(&error));
        }
        self.context
            .states
            .set(&self.step.stack.kind, StackState::Waiting);
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
        if error.is_passing() {
            return Err(unbegun(error.to_string()));
        }
        if resumes(&found.status) {
            return Err(super::blocked(&not_resumed(found, &error.to_string())));
        }
        Err(failed(format!(
            "{error}; the stack moved since the plan was made: look at the plan again"
        )))
    }

    /// Nothing to change but, perhaps, its protection.
    ///
    /// Looked at once more: since the plan was made somebody may have moved it, and what was read then,
    /// shortly after another run began an update, may have been old.
    pub(super) async fn no_change(&mut self) -> Result<Signal, StackResult> {
        let found = self.found()?;
        let now = self.read(&found.id).await?;
        let same = |now: &FoundStack| now.status == found.status && now.updated == found.updated;
        if !now.as_ref().is_some_and(same) {
            return Ok(self.moved_to(now.unwrap_or(found)));
        }
        let mut outcome = Outcome::Unchanged;
        if self.step.reprotects() {
            self.protect(&found, &BTreeSet::new()).await?;
            outcome = Outcome::Updated;
        }
        Ok(self.end(StackResult::with(outcome, found.outputs)))
    }

    /// Sets termination protection and stack policy as the definition wants them, but with a policy
    /// that lets go of the resources in `losses`.
    async fn protect(
        &self,
        found: &FoundStack,
        losses: &BTreeSet<String>,
    ) -> Result<(), StackResult> {
        let mut wanted = protection(&self.step.stack);
        self.run
            .unexecuted
            .relax(&self.step.stack.kind, found, &wanted, losses);
        wanted.policy = wanted.policy.map(|policy| relaxed(&policy, losses));
        let protect = async |cloud: &C| cloud.protect(&found.id, &wanted).await;
        self.context.ask("setting its protection", protect).await
    }

    /// Restores the policy that was relaxed for an update which is over by now.
    pub(super) async fn restore_policy(&self, found: &FoundStack) -> Result<(), StackResult> {
        let wanted = protection(&self.step.stack);
        let request = self
            .context
            .send(async |cloud| cloud.protect(&found.id, &wanted).await);
        match request.await {
            Ok(()) => Ok(()),
            Err(Rejected { error, .. }) if matches!(error, CloudError::Credentials { .. }) => {
                Err(unanswered("", error))
            }
            Err(Rejected { error, .. }) => Err(failed(format!(
                "its update is over, but its stack policy is still relaxed: {error}; \
                 re-run the same command to restore it"
            ))),
        }
    }
}
