//! What the simulated cloud answers to each question of `Cloud`.

use crate::common::Clock;
use std::collections::{BTreeSet, HashSet};
use std::time::Duration;

use serde_json::Value;

use super::Simulated;
use super::changesets::missing;
use super::names::partition_of;
use super::stack::{Resource, SimChangeSet, Stack};
use super::state::State;
use crate::cloud::{
    ChangeSet, ChangeSetRequest, Cloud, CloudError, DriftReport, Identity, LiveResource, LiveStack,
    OnFailure, OpenChangeSet, Protection, ResourceStatus, StackEvent, StackOperation, StackStatus,
};

/// What computing a change set takes.
const COMPUTING: Duration = Duration::from_secs(3);
/// What looking for drift takes.
const LOOKING: Duration = Duration::from_secs(30);

impl Cloud for Simulated {
    async fn identity(&self) -> Result<Identity, CloudError> {
        self.read("identity", "", |state| {
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
        self.read("stacks", cluster.unwrap_or_default(), |state| {
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
        self.read("stack", id, |state| {
            let at = state.as_of();
            let stack = state.find(id).and_then(|index| state.stacks.get(index));
            Ok(stack.and_then(|stack| stack.at(at)).cloned())
        })
        .await
    }

    async fn template(&self, stack_id: &str) -> Result<Value, CloudError> {
        self.read("template", stack_id, |state| {
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
        self.write("create", &wanted.stack, |state| {
            state.create(wanted, protection)
        })
        .await
    }

    async fn create_change_set(&self, wanted: &ChangeSetRequest) -> Result<ChangeSet, CloudError> {
        self.sleep(COMPUTING).await;
        self.write("create_change_set", &wanted.stack, |state| {
            state.create_change_set(wanted)
        })
        .await
    }

    async fn execute(
        &self,
        change_set: &ChangeSet,
        token: &str,
        on_failure: OnFailure,
    ) -> Result<(), CloudError> {
        self.write(
            "execute",
            &format!("{} {}", change_set.stack_id, change_set.id),
            |state| state.execute(change_set, token, on_failure),
        )
        .await
    }

    async fn delete_change_set(&self, change_set: &ChangeSet) -> Result<(), CloudError> {
        self.write(
            "delete_change_set",
            &format!("{} {}", change_set.stack_id, change_set.id),
            |state| {
                state.delete_change_set(change_set);
                Ok(())
            },
        )
        .await
    }

    async fn set_protection(
        &self,
        stack_id: &str,
        protection: &Protection,
    ) -> Result<(), CloudError> {
        self.write("set_protection", stack_id, |state| {
            state.protect(stack_id, protection)
        })
        .await
    }

    async fn events(
        &self,
        operation: &StackOperation,
        seen: &HashSet<String>,
    ) -> Result<Vec<StackEvent>, CloudError> {
        self.read("events", &operation.stack_id, |state| {
            let found = state
                .stack(&operation.stack_id)?
                .new_events(operation, seen, state.now);
            Ok(state.with_delivery_faults(found))
        })
        .await
    }

    async fn resources(&self, stack_id: &str) -> Result<Vec<LiveResource>, CloudError> {
        self.read("resources", stack_id, |state| {
            let all = state.stack(stack_id)?.resources.iter();
            Ok(all
                .filter(|one| !one.status.is_empty())
                .map(listed)
                .collect())
        })
        .await
    }

    async fn delete(&self, stack_id: &str, token: &str) -> Result<(), CloudError> {
        self.write("delete", stack_id, |state| state.delete(stack_id, token))
            .await
    }

    async fn in_progress_stacks(&self) -> Result<BTreeSet<String>, CloudError> {
        self.read("in_progress_stacks", "", |state| {
            let at = state.as_of();
            let seen = state.stacks.iter().filter_map(|stack| stack.at(at));
            let moving = seen.filter(|found| found.status.is_in_progress());
            Ok(moving.map(|found| found.id.clone()).collect())
        })
        .await
    }

    async fn change_sets(&self, stack_id: &str) -> Result<Vec<OpenChangeSet>, CloudError> {
        self.read("change_sets", stack_id, |state| {
            Ok(state
                .stack(stack_id)?
                .sets
                .iter()
                .map(SimChangeSet::open)
                .collect())
        })
        .await
    }

    async fn change_set(&self, id: &str, stack_id: &str) -> Result<Option<ChangeSet>, CloudError> {
        self.read("change_set", &format!("{stack_id} {id}"), |state| {
            Ok(state.change_set(id, stack_id))
        })
        .await
    }

    async fn policy(&self, stack_id: &str) -> Result<Option<Value>, CloudError> {
        self.read("policy", stack_id, |state| {
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
        self.write(
            "continue_rollback",
            &format!("{stack_id} {}", skip.join(" ")),
            |state| state.continue_rollback(stack_id, skip, token),
        )
        .await
    }

    async fn cancel_update(&self, stack_id: &str, token: &str) -> Result<(), CloudError> {
        self.write("cancel_update", stack_id, |state| {
            state.cancel_update(stack_id, token)
        })
        .await
    }

    async fn drift(&self, stack_id: &str) -> Result<DriftReport, CloudError> {
        self.sleep(LOOKING).await;
        self.read("drift", stack_id, |state| {
            let setting = &state.env.setting;
            Ok(DriftReport {
                resources: state.stack(stack_id)?.drift(setting),
                unknown: None,
            })
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
    fn new_events(
        &self,
        operation: &StackOperation,
        seen: &HashSet<String>,
        now: i64,
    ) -> Vec<StackEvent> {
        let ours = |event: &StackEvent| match &operation.token {
            Some(_) => event.token == operation.token,
            None => true,
        };
        let mut found = Vec::new();
        for published in self.events.iter().rev() {
            if operation.token.is_none() && published.operation != self.operations {
                break;
            }
            if published.readable > now || !ours(&published.event) {
                continue;
            }
            if !seen.contains(&published.event.id) {
                found.push(published.event.clone());
            } else if !self.has_late {
                // Who saw this one saw all before it: answers are complete.
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
