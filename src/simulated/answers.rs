//! What the simulated cloud answers to each question of `Cloud`.

use crate::common::Clock;
use std::collections::{BTreeSet, HashSet};
use std::time::Duration;

use serde_json::Value;

use super::Simulated;
use super::changesets::missing;
use super::gate::Effect;
use super::names::partition_of;
use super::stack::{Resource, Set, Stack};
use super::state::State;
use crate::cloud::{
    ChangeSet, ChangeSetRequest, Cloud, CloudError, Drift, Identity, LiveResource, LiveStack,
    OnFailure, OpenChangeSet, Operation, Protection, ResourceStatus, StackEvent, StackStatus,
};

/// What computing a change set takes.
const COMPUTING: Duration = Duration::from_secs(3);
/// What looking for drift takes.
const LOOKING: Duration = Duration::from_secs(30);

impl Cloud for Simulated {
    async fn identity(&self) -> Result<Identity, CloudError> {
        self.call("identity", Effect::None, |state| {
            let setting = &state.env.setting;
            let (partition, account) = (partition_of(setting), setting.account.clone());
            Ok(Identity {
                caller: format!("arn:{partition}:sts::{account}:assumed-role/rehearsal/kube-cfn"),
                account,
                region: setting.region.clone(),
            })
        })
        .await
    }

    async fn stacks(&self, cluster: Option<&str>) -> Result<Vec<LiveStack>, CloudError> {
        self.call("stacks", Effect::None, |state| {
            let at = state.as_of();
            let seen = state.stacks.iter().filter_map(|stack| stack.at(at));
            let wanted = |found: &&LiveStack| match cluster {
                Some(cluster) => found.cluster == cluster,
                None => !found.cluster.is_empty(),
            };
            let there = seen.filter(|found| found.status != StackStatus::DeleteComplete);
            Ok(there.filter(wanted).cloned().collect())
        })
        .await
    }

    async fn stack(&self, id: &str) -> Result<Option<LiveStack>, CloudError> {
        self.call("stack", Effect::None, |state| {
            let at = state.as_of();
            let stack = state.find(id).and_then(|index| state.stacks.get(index));
            Ok(stack.and_then(|stack| stack.at(at)).cloned())
        })
        .await
    }

    async fn template(&self, stack_id: &str) -> Result<Value, CloudError> {
        self.call("template", Effect::None, |state| {
            let compiled = state.stack(stack_id)?.compiled.as_ref();
            let compiled = compiled.ok_or_else(|| missing(stack_id))?;
            Ok(compiled.template.clone())
        })
        .await
    }

    async fn create(
        &self,
        wanted: &ChangeSetRequest,
        protection: &Protection,
    ) -> Result<String, CloudError> {
        self.call("create", Effect::Some, |state| {
            state.create(wanted, protection)
        })
        .await
    }

    async fn create_change_set(&self, wanted: &ChangeSetRequest) -> Result<ChangeSet, CloudError> {
        self.sleep(COMPUTING).await;
        self.call("propose", Effect::Some, |state| {
            state.create_change_set(wanted)
        })
        .await
    }

    async fn execute(
        &self,
        change_set: &ChangeSet,
        token: &str,
        _: OnFailure,
    ) -> Result<(), CloudError> {
        // No stack of this cloud stops where only the other answer is taken.
        self.call("execute", Effect::Some, |state| {
            state.execute(change_set, token)
        })
        .await
    }

    async fn delete_change_set(&self, change_set: &ChangeSet) -> Result<(), CloudError> {
        self.call("discard", Effect::Some, |state| {
            state.delete_change_set(change_set);
            Ok(())
        })
        .await
    }

    async fn set_protection(
        &self,
        stack_id: &str,
        protection: &Protection,
    ) -> Result<(), CloudError> {
        self.call("protect", Effect::Some, |state| {
            state.protect(stack_id, protection)
        })
        .await
    }

    async fn events(
        &self,
        operation: &Operation,
        seen: &HashSet<String>,
    ) -> Result<Vec<StackEvent>, CloudError> {
        self.call("events", Effect::None, |state| {
            let found = state
                .stack(&operation.stack_id)?
                .told(operation, seen, state.now);
            Ok(state.garbled(found))
        })
        .await
    }

    async fn resources(&self, stack_id: &str) -> Result<Vec<LiveResource>, CloudError> {
        self.call("resources", Effect::None, |state| {
            let all = state.stack(stack_id)?.resources.iter();
            Ok(all
                .filter(|one| !one.status.is_empty())
                .map(listed)
                .collect())
        })
        .await
    }

    async fn delete(&self, stack_id: &str, token: &str) -> Result<(), CloudError> {
        self.call("delete", Effect::Some, |state| {
            state.delete(stack_id, token)
        })
        .await
    }

    async fn in_progress_stacks(&self) -> Result<BTreeSet<String>, CloudError> {
        self.call("moving", Effect::None, |state| {
            let at = state.as_of();
            let seen = state.stacks.iter().filter_map(|stack| stack.at(at));
            let moving = seen.filter(|found| found.status.is_moving());
            Ok(moving.map(|found| found.id.clone()).collect())
        })
        .await
    }

    async fn change_sets(&self, stack_id: &str) -> Result<Vec<OpenChangeSet>, CloudError> {
        self.call("change_sets", Effect::None, |state| {
            Ok(state.stack(stack_id)?.sets.iter().map(Set::open).collect())
        })
        .await
    }

    async fn change_set(&self, id: &str, stack_id: &str) -> Result<Option<ChangeSet>, CloudError> {
        self.call("change_set", Effect::None, |state| {
            Ok(state.change_set(id, stack_id))
        })
        .await
    }

    async fn policy(&self, stack_id: &str) -> Result<Option<Value>, CloudError> {
        self.call("policy", Effect::None, |state| {
            Ok(state.stack(stack_id)?.policy.clone())
        })
        .await
    }

    async fn continue_rollback(
        &self,
        stack_id: &str,
        skip: &[String],
        token: &str,
    ) -> Result<(), CloudError> {
        self.call("continue_rollback", Effect::Some, |state| {
            state.continue_rollback(stack_id, skip, token)
        })
        .await
    }

    async fn cancel_update(&self, stack_id: &str, token: &str) -> Result<(), CloudError> {
        self.call("cancel_update", Effect::Some, |state| {
            state.cancel_update(stack_id, token)
        })
        .await
    }

    async fn drift(&self, stack_id: &str) -> Result<Vec<Drift>, CloudError> {
        self.sleep(LOOKING).await;
        self.call("drift", Effect::None, |state| {
            let setting = &state.env.setting;
            Ok(state.stack(stack_id)?.drift(setting))
        })
        .await
    }
}

impl State {
    fn stack(&self, id: &str) -> Result<&Stack, CloudError> {
        let stack = self.find(id).and_then(|index| self.stacks.get(index));
        stack.ok_or_else(|| missing(id))
    }
}

impl Stack {
    /// An operation's events that are readable and were not seen, oldest first.
    fn told(&self, operation: &Operation, seen: &HashSet<String>, now: i64) -> Vec<StackEvent> {
        let ours = |event: &StackEvent| match &operation.token {
            Some(_) => event.token == operation.token,
            None => true,
        };
        let mut found = Vec::new();
        for told in self.events.iter().rev() {
            if operation.token.is_none() && told.operation != self.operations {
                break;
            }
            if told.readable > now || !ours(&told.event) {
                continue;
            }
            if !seen.contains(&told.event.id) {
                found.push(told.event.clone());
            } else if !self.has_late {
                // Whoever saw this one saw all before it: answers are whole.
                break;
            }
        }
        found.reverse();
        found
    }
}

fn listed(resource: &Resource) -> LiveResource {
    LiveResource {
        logical_id: resource.logical_id.clone(),
        physical_id: resource.physical_id.clone(),
        resource_type: resource.kind.clone(),
        status: ResourceStatus::new(resource.status),
        reason: resource.reason.clone(),
    }
}
