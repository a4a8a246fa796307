//! The writes: what each does to the state, and what `CloudFormation` refuses.

use super::changesets::missing;
use super::compiled::Compiled;
use super::engine::{StackUpdate, candidates};
use super::stack::Stack;
use super::state::{NewStack, State};
use crate::cloud::{ChangeSet, ChangeSetRequest, CloudError, OnFailure, Protection, StackStatus};

impl State {
    pub(super) fn create(
        &mut self,
        wanted: &ChangeSetRequest,
        protection: &Protection,
    ) -> Result<String, CloudError> {
        if let Some(index) = self.named(&wanted.stack) {
            let stack = self
                .stacks
                .get(index)
                .ok_or_else(|| missing(&wanted.stack))?;
            return if stack.tokens.contains(&wanted.token) {
                Ok(stack.live.id.clone())
            } else {
                let message = format!("Stack [{}] already exists", wanted.stack);
                Err(CloudError::Conflict(message))
            };
        }
        let compiled = self.admit(wanted, "CreateStack")?;
        acknowledged(wanted, &compiled)?;
        let token = Some(wanted.token.as_str());
        let log = self.log("create", &wanted.stack, token, Some(protection));
        let mut stack = self.new_stack(NewStack {
            name: &wanted.stack,
            tags: wanted.tags.clone(),
            parameters: wanted.parameters.clone(),
            status: StackStatus::CreateInProgress,
        });
        stack.versions.clear();
        stack.live.termination_protection = protection.termination;
        stack.policy.clone_from(&protection.policy);
        stack.compiled = Some(compiled);
        stack.create(&mut self.env, self.now, Some(&wanted.token), log);
        let id = stack.live.id.clone();
        self.stacks.push(stack);
        Ok(id)
    }

    pub(super) fn execute(
        &mut self,
        set: &ChangeSet,
        token: &str,
        on_failure: OnFailure,
    ) -> Result<(), CloudError> {
        let index = self
            .find(&set.stack_id)
            .ok_or_else(|| missing(&set.stack_id))?;
        let stack = self
            .stacks
            .get(index)
            .ok_or_else(|| missing(&set.stack_id))?;
        if stack.tokens.contains(token) {
            return Ok(());
        }
        if stack.live.status.is_in_progress() {
            let (id, status) = (&stack.live.id, &stack.live.status);
            return Err(CloudError::Conflict(format!(
                "Stack:{id} is in {status} state and can not be updated."
            )));
        }
        let Some(found) = stack.sets.iter().find(|known| known.id == set.id).cloned() else {
            return Err(CloudError::NotFound(format!("change set {}", set.id)));
        };
        if found.operations != stack.operations {
            return Err(CloudError::Conflict(format!(
                "ChangeSet [{}] cannot be executed in its current execution status of [OBSOLETE]",
                set.id
            )));
        }
        let (at, name) = (self.now, stack.live.name.clone());
        if stopped(&stack.live.status) && on_failure == OnFailure::Rollback {
            let message = format!(
                "This stack is currently in a non-terminal [{}] state. To update the stack from this \
                 state, please use the disable-rollback parameter with update-stack API.",
                stack.live.status
            );
            return Err(refusal("ExecuteChangeSet", &name, message));
        }
        let log = self.write("execute", &name, Some(token));
        let (stack, env) = self
            .stack_and_env(index)
            .ok_or_else(|| missing(&set.stack_id))?;
        stack.sets.clear();
        let wanted = StackUpdate {
            candidates: candidates(&found.changes, &found.reverted),
            compiled: found.compiled,
            parameters: found.parameters,
            tags: found.tags,
        };
        stack.update(env, at, wanted, Some(token), log);
        if on_failure == OnFailure::DoNothing {
            stack.disable_rollback();
        }
        Ok(())
    }

    pub(super) fn delete_change_set(&mut self, set: &ChangeSet) {
        if let Some(stack) = self
            .find(&set.stack_id)
            .and_then(|at| self.stacks.get_mut(at))
        {
            stack.sets.retain(|known| known.id != set.id);
        }
    }

    pub(super) fn protect(
        &mut self,
        stack_id: &str,
        protection: &Protection,
    ) -> Result<(), CloudError> {
        let (index, name) = self.resources(stack_id)?;
        self.log("set_protection", &name, None, Some(protection));
        let at = self.now;
        let (stack, _) = self.stack_and_env(index).ok_or_else(|| missing(stack_id))?;
        stack.live.termination_protection = protection.termination;
        match &protection.policy {
            Some(policy) => stack.policy = Some(policy.clone()),
            // A policy can't be taken away, only opened.
            None if stack.policy.is_some() => stack.policy = Some(open_policy()),
            None => {}
        }
        stack.remember(at);
        Ok(())
    }

    pub(super) fn delete(&mut self, stack_id: &str, token: &str) -> Result<(), CloudError> {
        use StackStatus as S;
        let index = self.find(stack_id).ok_or_else(|| missing(stack_id))?;
        let stack = self.stacks.get(index).ok_or_else(|| missing(stack_id))?;
        let (name, status) = (stack.live.name.clone(), stack.live.status.clone());
        let refused = |message: String| CloudError::Refused {
            operation: format!("DeleteStack of {name}"),
            message,
        };
        if stack.tokens.contains(token) || matches!(status, S::DeleteComplete | S::DeleteInProgress)
        {
            return Ok(());
        }
        if stack.live.termination_protection {
            return Err(refused(format!(
                "Stack [{name}] cannot be deleted while TerminationProtection is enabled"
            )));
        }
        if status.is_in_progress() && status != S::CreateInProgress {
            return Err(CloudError::Conflict(format!(
                "Stack [{}] cannot be deleted while in status {status}",
                stack.live.id
            )));
        }
        let at = self.now;
        let log = self.write("delete", &name, Some(token));
        let (stack, env) = self.stack_and_env(index).ok_or_else(|| missing(stack_id))?;
        stack.delete(env, at, Some(token), log);
        Ok(())
    }

    pub(super) fn continue_rollback(
        &mut self,
        stack_id: &str,
        skip: &[String],
        token: &str,
    ) -> Result<(), CloudError> {
        let (index, name) = self.resources(stack_id)?;
        let stack = self.stacks.get(index).ok_or_else(|| missing(stack_id))?;
        if stack.tokens.contains(token) {
            return Ok(());
        }
        let status = &stack.live.status;
        if *status != StackStatus::UpdateRollbackFailed {
            let message = format!(
                "Stack:{} is in {status} state and can not continue rollback.",
                stack.live.id
            );
            return Err(if status.is_in_progress() {
                CloudError::Conflict(message)
            } else {
                refusal("ContinueUpdateRollback", &name, message)
            });
        }
        let failed = |id: &&String| {
            let slot = stack.slot(id);
            let found = slot.and_then(|slot| stack.resources.get(slot));
            found.is_none_or(|one| one.status != "UPDATE_FAILED")
        };
        if let Some(id) = skip.iter().find(failed) {
            let message =
                format!("Resource [{id}] is not in UPDATE_FAILED, so it can't be skipped");
            return Err(refusal("ContinueUpdateRollback", &name, message));
        }
        let at = self.now;
        self.write("continue_rollback", &name, Some(token));
        let (stack, env) = self.stack_and_env(index).ok_or_else(|| missing(stack_id))?;
        stack.continue_rollback(env, at, skip, token);
        Ok(())
    }

    pub(super) fn cancel_update(&mut self, stack_id: &str, token: &str) -> Result<(), CloudError> {
        let (index, name) = self.resources(stack_id)?;
        let at = self.now;
        let (stack, _) = self.stack_and_env(index).ok_or_else(|| missing(stack_id))?;
        if stack.tokens.contains(token) {
            return Ok(());
        }
        if !stack.is_updating() {
            let message = "CancelUpdateStack cannot be called from current stack status".to_owned();
            return Err(refusal("CancelUpdateStack", &name, message));
        }
        stack.tokens.insert(token.to_owned());
        self.write("cancel_update", &name, Some(token));
        let (stack, env) = self.stack_and_env(index).ok_or_else(|| missing(stack_id))?;
        stack.cancel_update(env, at);
        Ok(())
    }

    /// A stack that is there, and its name.
    fn resources(&self, stack_id: &str) -> Result<(usize, String), CloudError> {
        let index = self.find(stack_id);
        let there = |index: &usize| self.stacks.get(*index).is_some_and(|one| !one.is_deleted());
        let index = index.filter(there).ok_or_else(|| missing(stack_id))?;
        let name = |stack: &Stack| stack.live.name.clone();
        Ok((index, self.stacks.get(index).map(name).unwrap_or_default()))
    }
}

/// Whether an operation failed in this status and stopped there.
fn stopped(status: &StackStatus) -> bool {
    matches!(
        status,
        StackStatus::CreateFailed | StackStatus::UpdateFailed
    )
}

fn refusal(call: &str, stack: &str, message: String) -> CloudError {
    CloudError::Refused {
        operation: format!("{call} of {stack}"),
        message,
    }
}

/// IAM resources have to be acknowledged.
fn acknowledged(wanted: &ChangeSetRequest, compiled: &Compiled) -> Result<(), CloudError> {
    let iam = |item: &super::compiled::Item| item.of_type.starts_with("AWS::IAM::");
    if !compiled.items.iter().any(iam) || !wanted.capabilities.is_empty() {
        return Ok(());
    }
    Err(refusal(
        "CreateStack",
        &wanted.stack,
        "Requires capabilities : [CAPABILITY_IAM]".to_owned(),
    ))
}

fn open_policy() -> serde_json::Value {
    serde_json::json!({"Statement": [
        {"Effect": "Allow", "Action": "Update:*", "Principal": "*", "Resource": "*"}
    ]})
}
