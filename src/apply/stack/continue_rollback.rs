//! Continuing a rollback that failed half way.

use super::StackRun;
use super::phase::Signal;
use crate::apply::Prerequisites;
use crate::apply::follow::Direction;
use crate::apply::registry::StackState;
use crate::apply::requests::with_token;
use crate::apply::retry::Rejected;
use crate::apply::stack_result::{StackResult, failed, unanswered};
use crate::cloud::{Cloud, LiveStack, StackStatus, Store};
use crate::events::{Failure, Outcome, Verb};
use crate::plan::{Action, StuckResource};

impl<C: Cloud + Store, P: Prerequisites> StackRun<'_, '_, C, P> {
    /// Continues the rollback and follows it. The stack is read again afterwards.
    pub(super) async fn continue_rollback(&mut self) -> Result<Signal, StackResult> {
        let found = self.found()?;
        let Action::Continue { stuck, skip } = &self.step.action else {
            return Err(super::disagreement());
        };
        self.note(announcement(skip));
        self.set_state(StackState::Requested);
        let (id, token) = (&found.id, self.token("continue"));
        let operation = with_token(id, token.clone());
        let go_on = async |cloud: &C| cloud.continue_rollback(id, skip, &token).await;
        if let Err(rejected) = self.context.begin(&operation, go_on).await {
            let now = self.not_continued(&found, rejected).await?;
            return Ok(self.rolled_back(now));
        }
        self.set_state(StackState::RollingBack);
        self.context
            .emit
            .started(&self.step.stack.kind, Verb::Update);
        let end = self.follow(&operation, Verb::Update, Direction::Rollback);
        let (outcome, rest) = end.await?;
        self.set_state(StackState::Waiting);
        match (outcome, rest.found) {
            (_, Some(now)) if rest.status != StackStatus::UpdateRollbackFailed => {
                Ok(self.rolled_back(now))
            }
            (Outcome::Failed(mut failure), _) => {
                failure.hint = Some(way_out(&self.step.stack.name, stuck, &failure));
                Err(StackResult::at_rest(Outcome::Failed(failure)))
            }
            (outcome, _) => Err(StackResult::at_rest(outcome)),
        }
    }

    /// The stack has left the failed rollback, by this run or by somebody else.
    fn rolled_back(&mut self, now: LiveStack) -> Signal {
        self.recovered = !now.status.is_in_progress();
        if !self.recovered {
            return self.moved_to(now);
        }
        self.moved = Some(now);
        Signal::AtRest
    }

    async fn not_continued(
        &self,
        found: &LiveStack,
        rejected: Rejected,
    ) -> Result<LiveStack, StackResult> {
        let error = rejected.known()?;
        self.set_state(StackState::Waiting);
        // Somebody else may have been quicker.
        match self.read(&found.id).await {
            Ok(Some(now)) if now.status != found.status => Ok(now),
            _ => Err(unanswered("continuing its rollback", error)),
        }
    }

    /// A rollback that failed and that the plan did not show.
    pub(super) fn rollback_not_shown(&self) -> StackResult {
        failed(format!(
            "its update failed, and so did the rollback, which the plan did not show; \
             `kube-cfn apply {}` shows what is in the way and continues it",
            self.run.cluster
        ))
    }
}

fn announcement(skip: &[String]) -> String {
    if skip.is_empty() {
        return "continuing the rollback that failed".to_owned();
    }
    format!(
        "continuing the rollback that failed, leaving as they are: {}",
        skip.join(", ")
    )
}

/// What helps when it failed once more.
fn way_out(name: &str, stuck: &[StuckResource], failure: &Failure) -> String {
    let before = || stuck.first().map(|one| one.logical_id.as_str());
    match failure.logical_id.as_deref().or_else(before) {
        Some(id) => format!(
            "fix it and re-run the same command, or leave it as it is, no longer matching its \
             template, with `--skip-resource {name}/{id}`"
        ),
        None => "fix it and re-run the same command".to_owned(),
    }
}
