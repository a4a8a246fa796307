//! What the double answers to each question of the cloud's traits.

use crate::common::Clock;
use crate::common::tags::TAG_CLUSTER;
use std::collections::{BTreeSet, HashSet, VecDeque};
use std::time::Duration;

use jiff::Timestamp;
use secrecy::SecretString;
use serde_json::Value;

use super::{Double, Held, found};
use crate::cloud::{
    ChangeSet, ChangeSetRequest, Cloud, CloudError, Console, Drift, Identity, LiveResource,
    LiveStack, OnFailure, OpenChangeSet, Operation, Protection, PutResult, StackEvent, StackStatus,
    Store,
};
use crate::plan::heal::resumes;

impl Cloud for Double {
    async fn identity(&self) -> Result<Identity, CloudError> {
        unreachable!("apply does not ask who is asking")
    }

    async fn stacks(&self, cluster: Option<&str>) -> Result<Vec<LiveStack>, CloudError> {
        self.call("stacks", "", || {
            let stacks = self.stacks.borrow();
            let all = stacks.values().map(|held| held.found.clone());
            Ok(all
                .filter(|found| cluster.is_none_or(|cluster| found.cluster == cluster))
                .filter(|found| found.status != StackStatus::DeleteComplete)
                .collect())
        })
    }

    async fn stack(&self, id: &str) -> Result<Option<LiveStack>, CloudError> {
        self.call("stack", id, || {
            Ok(self.by_id(id, |held| held.found.clone()).ok())
        })
    }

    async fn template(&self, stack_id: &str) -> Result<Value, CloudError> {
        self.call("template", stack_id, || {
            self.by_id(stack_id, |held| held.template.clone())
        })
    }

    async fn create(
        &self,
        wanted: &ChangeSetRequest,
        protection: &Protection,
    ) -> Result<String, CloudError> {
        let name = &wanted.stack;
        self.call("create", name, || {
            let gone = |held: &Held| held.found.status == StackStatus::DeleteComplete;
            if self
                .stacks
                .borrow()
                .get(name)
                .is_some_and(|held| !gone(held))
            {
                return Err(CloudError::Conflict(format!(
                    "Stack [{name}] already exists"
                )));
            }
            let cluster = wanted.tags.get(TAG_CLUSTER).cloned().unwrap_or_default();
            let mut made = found(&cluster, name, "CREATE_IN_PROGRESS");
            made.parameters.clone_from(&wanted.parameters);
            made.tags.clone_from(&wanted.tags);
            made.termination_protection = protection.termination;
            let id = made.id.clone();
            let template = serde_json::from_str(&wanted.template).expect("a template");
            self.put(made, template);
            self.begin(name, "CREATE", "create", &wanted.token);
            Ok(id)
        })
    }

    async fn create_change_set(&self, wanted: &ChangeSetRequest) -> Result<ChangeSet, CloudError> {
        let name = &wanted.stack;
        self.call("propose", name, || {
            let answer = self
                .answers
                .borrow_mut()
                .get_mut(name)
                .and_then(VecDeque::pop_front);
            let changes = answer.unwrap_or_default();
            let id = format!("set:{}", wanted.token);
            if !changes.is_empty() {
                self.open.borrow_mut().insert(id.clone(), wanted.clone());
            }
            let stack_id = format!("arn:{name}");
            let told = ChangeSet {
                id: id.clone(),
                stack_id,
                changes,
                warnings: Vec::new(),
            };
            self.told.borrow_mut().insert(id, told.clone());
            Ok(told)
        })
    }

    async fn execute(
        &self,
        change_set: &ChangeSet,
        token: &str,
        on_failure: OnFailure,
    ) -> Result<(), CloudError> {
        self.call("execute", &change_set.id, || {
            let Some(wanted) = self.open.borrow_mut().remove(&change_set.id) else {
                return Err(CloudError::NotFound(change_set.id.clone()));
            };
            let stopped = |held: &mut Held| resumes(&held.found.status);
            if on_failure == OnFailure::GoBack && self.by_id(&change_set.stack_id, stopped)? {
                let message = "please use the disable-rollback parameter".to_owned();
                let operation = "ExecuteChangeSet".to_owned();
                return Err(CloudError::Refused { operation, message });
            }
            self.by_id(&change_set.stack_id, |held| {
                held.found.parameters = wanted.parameters;
                held.template = serde_json::from_str(&wanted.template).expect("a template");
            })?;
            self.begin(&wanted.stack, "UPDATE", "execute", token);
            Ok(())
        })
    }

    async fn delete_change_set(&self, change_set: &ChangeSet) -> Result<(), CloudError> {
        self.call("discard", &change_set.id, || {
            self.open.borrow_mut().remove(&change_set.id);
            Ok(())
        })
    }

    async fn set_protection(
        &self,
        stack_id: &str,
        protection: &Protection,
    ) -> Result<(), CloudError> {
        self.call("protect", stack_id, || {
            self.policies.borrow_mut().extend(protection.policy.clone());
            self.by_id(stack_id, |held| {
                held.found.termination_protection = protection.termination;
            })
        })
    }

    async fn events(
        &self,
        operation: &Operation,
        seen: &HashSet<String>,
    ) -> Result<Vec<StackEvent>, CloudError> {
        self.call("events", &operation.stack_id, || {
            let running = self.by_id(&operation.stack_id, |held| held.running.clone())?;
            let mut events = running
                .map(|running| Self::history(&running))
                .unwrap_or_default();
            events.retain(|event| !seen.contains(&event.id));
            events.retain(|event| operation.token.is_none() || event.token == operation.token);
            Ok(events)
        })
    }

    async fn resources(&self, stack_id: &str) -> Result<Vec<LiveResource>, CloudError> {
        self.call("resources", stack_id, || {
            Ok(self.resources.borrow().clone())
        })
    }

    async fn delete(&self, stack_id: &str, token: &str) -> Result<(), CloudError> {
        self.call("delete", stack_id, || {
            let name = self.by_id(stack_id, |held| held.found.name.clone())?;
            self.begin(&name, "DELETE", "delete", token);
            Ok(())
        })
    }

    async fn in_progress_stacks(&self) -> Result<BTreeSet<String>, CloudError> {
        self.call("moving", "", || {
            let stacks = self.stacks.borrow();
            let moving = stacks.values().filter(|held| held.found.status.is_moving());
            Ok(moving.map(|held| held.found.id.clone()).collect())
        })
    }

    async fn change_sets(&self, stack_id: &str) -> Result<Vec<OpenChangeSet>, CloudError> {
        let others = self.others.borrow();
        Ok(others.get(stack_id).cloned().unwrap_or_default())
    }

    async fn change_set(&self, id: &str, _: &str) -> Result<Option<ChangeSet>, CloudError> {
        self.call("change_set", id, || {
            let open = self.open.borrow().contains_key(id);
            let told = self.told.borrow().get(id).cloned();
            Ok(told.filter(|_| open))
        })
    }

    async fn policy(&self, _: &str) -> Result<Option<Value>, CloudError> {
        Ok(self.policies.borrow().last().cloned())
    }

    async fn continue_rollback(
        &self,
        stack_id: &str,
        skip: &[String],
        token: &str,
    ) -> Result<(), CloudError> {
        self.call(
            "continue",
            &format!("{stack_id} {}", skip.join(" ")),
            || {
                let name = self.by_id(stack_id, |held| held.found.name.clone())?;
                self.begin(&name, "UPDATE_ROLLBACK", "continue", token);
                Ok(())
            },
        )
    }

    async fn cancel_update(&self, stack_id: &str, _: &str) -> Result<(), CloudError> {
        self.call("cancel", stack_id, || Ok(()))
    }

    async fn drift(&self, stack_id: &str) -> Result<Vec<Drift>, CloudError> {
        self.call("drift", stack_id, || {
            let drifts = self.drifts.borrow();
            Ok(drifts.get(stack_id).cloned().unwrap_or_default())
        })
    }
}

impl Clock for Double {
    fn now(&self) -> Timestamp {
        Timestamp::UNIX_EPOCH
            .checked_add(self.began.elapsed())
            .expect("a short test")
    }

    async fn sleep(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }
}

impl Store for Double {
    async fn parameter(&self, _: &str) -> Result<Option<String>, CloudError> {
        unreachable!("apply reads no parameter")
    }

    async fn secret(&self, _: &str) -> Result<Option<SecretString>, CloudError> {
        unreachable!("apply reads no secret")
    }

    async fn put_secret_if_absent(
        &self,
        _: &str,
        _: &SecretString,
        _: &str,
    ) -> Result<PutResult, CloudError> {
        unreachable!("apply keeps no secret")
    }

    async fn put_parameter_if_absent(&self, _: &str, _: &str) -> Result<PutResult, CloudError> {
        unreachable!("apply keeps no parameter")
    }

    async fn delete_parameters_under(&self, path: &str) -> Result<Vec<String>, CloudError> {
        self.call("forget", path, || Ok(vec![format!("{path}pki")]))
    }

    async fn upload(&self, bucket: &str, key: &str, _: &[u8]) -> Result<(), CloudError> {
        self.call("upload", &format!("{bucket}/{key}"), || Ok(()))
    }

    async fn object(&self, _: &str, _: &str) -> Result<Option<Vec<u8>>, CloudError> {
        unreachable!("apply reads no object")
    }

    async fn empty_bucket(&self, bucket: &str) -> Result<usize, CloudError> {
        self.call("empty", bucket, || Ok(3))
    }

    async fn console(&self, group: &str) -> Result<Option<Console>, CloudError> {
        self.call("console", group, || Ok(self.console.borrow().clone()))
    }
}
