//! Suspending `AZRebalance` in groups over several zones: Auto Scaling would terminate machines undrained to even out
//! their zones, and CloudFormation has no property for it. Done whenever the stack is as wanted; what an interrupted run
//! left out is found by the next plan.

use std::collections::BTreeMap;

use super::StackRun;
use crate::apply::Prerequisites;
use crate::apply::retry::with_retry;
use crate::apply::stack_result::{StackResult, failed};
use crate::cloud::{AZ_REBALANCE, Cloud, CloudError, Store};
use crate::events::Outcome;
use crate::plan::{live, sizes};

impl<C: Cloud + Store, P: Prerequisites> StackRun<'_, '_, C, P> {
    /// Suspends it in the groups of a stack that settled well. One in which that fails is not as wanted.
    pub(super) async fn suspend_rebalancing(&self, result: StackResult) -> StackResult {
        let StackResult::Settled(outcome, outputs) = &result else {
            return result;
        };
        let groups = match **outcome {
            Outcome::Unchanged => self.step.sizes.rebalancing.clone(),
            Outcome::Created | Outcome::Updated => {
                sizes::regional_groups(&self.step.stack.template)
            }
            Outcome::Deleted
            | Outcome::AtRest(_)
            | Outcome::NotBegun(_)
            | Outcome::RolledBack(_)
            | Outcome::Failed(_)
            | Outcome::NotStarted { .. } => return result,
        };
        if groups.is_empty() {
            return result;
        }
        match self.suspend_in(&groups, outputs).await {
            Ok(0) => result,
            Ok(_) => result.changed(),
            Err(error @ CloudError::Credentials { .. }) => StackResult::Expired(error),
            Err(error) => failed(format!(
                "the stack is as defined, but {AZ_REBALANCE} could not be suspended: {error}; until it is, AWS may \
                 terminate machines undrained to even out zones"
            )),
        }
    }

    /// In how many groups it was not suspended yet.
    async fn suspend_in(
        &self,
        groups: &[String],
        outputs: &BTreeMap<String, String>,
    ) -> Result<usize, CloudError> {
        let (cloud, name) = (self.context.cloud, &self.step.stack.name);
        let found = self.step.found.as_ref().map(|found| &found.id);
        let stack = self.operated.as_ref().or(found).unwrap_or(name);
        let place = (stack.as_str(), outputs);
        let (template, wanted) = (&self.step.stack.template, Vec::from_iter(groups));
        let names = async |cloud: &C| live::physical_ids(cloud, place, template, &wanted).await;
        let names = with_retry(cloud, names).await?;
        let mut done = 0;
        for id in groups {
            let group = names.get(id);
            let group =
                group.ok_or_else(|| CloudError::NotFound(format!("group {id} of {name}")))?;
            match with_retry(cloud, async |cloud: &C| cloud.group(group).await).await {
                Ok(Some(live)) if !live.rebalances() => continue,
                // Who may not look may still be allowed to do it.
                Ok(_) | Err(CloudError::Denied { .. }) => {}
                Err(error) => return Err(error),
            }
            let suspend = async |cloud: &C| cloud.suspend(group, AZ_REBALANCE).await;
            with_retry(cloud, suspend).await?;
            done += 1;
            let what = self.step.description(id);
            self.note(format!("suspended {AZ_REBALANCE}: {what} ({id})"));
        }
        Ok(done)
    }
}
