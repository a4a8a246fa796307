//! The last look of a run at all stacks of its cluster: whether what it is about to say still holds. Somebody
//! may have deleted, changed or made again a stack that this run did not follow at that moment.

use std::collections::BTreeMap;
use std::time::Duration;

use super::RunReport;
use super::retry::with_retry;
use super::run_context::RunContext;
use crate::cloud::{Cloud, CloudError, LiveStack, StackStatus, Store};
use crate::common::retry::{Backoff, Try, retry};
use crate::events::Outcome;
use crate::plan::deletion::DeletePlan;
use crate::plan::status::rests;
use crate::plan::{Plan, Step};
use crate::stacks::StackKind;

/// Looks that find something wrong: a read may lag by some seconds.
const BACKOFF: Backoff = Backoff::constant(Duration::from_secs(3), 5);

/// The stacks of a run as they were last seen at rest, by kind.
pub(super) type LastSeen = BTreeMap<StackKind, LiveStack>;

impl<C: Cloud + Store> RunContext<'_, C> {
    /// Looks at the stacks of a finished `apply` and notes in its report what is otherwise than the run left it.
    pub async fn verify_applied(&self, plan: &Plan, report: &mut RunReport) {
        let seen = self.last_seen.borrow().clone();
        let good = report.outcomes.iter().filter(|(_, end)| end.is_good());
        let kinds: Vec<StackKind> = good.map(|(kind, _)| kind.clone()).collect();
        let found_by = |kind: &StackKind| {
            let is_of = |step: &&Step| step.stack.kind == *kind;
            let step = plan.steps.iter().find(is_of)?;
            seen.get(kind).or(step.found.as_ref())
        };
        let judge = |now: &[LiveStack]| {
            let trouble = kinds.iter().filter_map(|kind| {
                let name = kind.stack_name(&plan.cluster);
                changed_since(&name, found_by(kind), now)
            });
            trouble.collect()
        };
        self.verify(&plan.cluster, judge, report).await;
    }

    /// The same of a deletion: stacks that are there although they were deleted, or were not there before.
    pub async fn verify_deleted(&self, plan: &DeletePlan, report: &mut RunReport) {
        let deleted = |kind: &StackKind| {
            let of = |(other, end): &(StackKind, Outcome)| other == kind && end.is_good();
            report.outcomes.iter().any(of)
        };
        let left = plan.steps.iter().filter(|step| !deleted(&step.kind));
        let left: Vec<String> = left.map(|step| step.found.id.clone()).collect();
        let judge = |now: &[LiveStack]| {
            let there = now.iter().filter(|found| !left.contains(&found.id));
            there.map(came_back).collect()
        };
        self.verify(&plan.cluster, judge, report).await;
    }

    /// Stacks of the cluster that use a stack and are not among those that the deletion knows: somebody has
    /// made them since.
    pub async fn new_users(
        &self,
        plan: &DeletePlan,
        kind: &StackKind,
    ) -> Result<Vec<String>, CloudError> {
        let found = self.living_stacks(&plan.cluster).await?;
        let is_new = |found: &&LiveStack| plan.steps.iter().all(|step| step.found.id != found.id);
        let needs_it =
            |found: &&LiveStack| StackKind::parse(&found.kind).is_none_or(|other| other.uses(kind));
        let users = found.iter().filter(is_new).filter(needs_it);
        Ok(users.map(came_back).collect())
    }

    /// Looks until nothing is wrong, or the looks are used up.
    async fn verify(
        &self,
        cluster: &str,
        judge: impl Fn(&[LiveStack]) -> Vec<String>,
        report: &mut RunReport,
    ) {
        let look = async || {
            let trouble = self.living_stacks(cluster).await.map(|now| judge(&now));
            Try::pending(trouble, |trouble| !trouble.is_empty())
        };
        match retry(self.cloud, BACKOFF, look).await {
            Ok(trouble) => {
                report.changed_since = trouble;
            }
            Err(error) => report.not_looked_at = Some(error.to_string()),
        }
    }

    async fn living_stacks(&self, cluster: &str) -> Result<Vec<LiveStack>, CloudError> {
        let read = async |cloud: &C| cloud.stacks(Some(cluster)).await;
        let mut found = with_retry(self.cloud, read).await?;
        found.retain(|stack| stack.status != StackStatus::DeleteComplete);
        Ok(found)
    }
}

/// Why a stack is not as a run has seen it at last; `None` when it is.
fn changed_since(name: &str, seen: Option<&LiveStack>, now: &[LiveStack]) -> Option<String> {
    let Some(now) = now.iter().find(|found| found.name == name) else {
        return Some(format!("{name} is gone: somebody deleted it meanwhile"));
    };
    let status = &now.status;
    if seen.is_some_and(|seen| seen.id != now.id) {
        return Some(format!(
            "{name} was deleted and made again by somebody else, and is in {status}"
        ));
    }
    let is_as_seen = seen.is_some_and(|seen| seen.status == *status);
    let is_good = match status {
        StackStatus::UpdateCompleteCleanupInProgress => true,
        // Good only where it was so before.
        StackStatus::UpdateRollbackComplete | StackStatus::ImportRollbackComplete => is_as_seen,
        status => rests(status),
    };
    (!is_good).then(|| {
        format!("{name} is in {status}: somebody else has begun an operation on it meanwhile")
    })
}

fn came_back(found: &LiveStack) -> String {
    format!(
        "{} is there, in {}: somebody has made it since this deletion was planned",
        found.name, found.status
    )
}
