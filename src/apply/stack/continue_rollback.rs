//! Continuing a rollback that failed half way.

use super::StackRun;
use super::phase::Signal;
use crate::apply::Prepare;
use crate::apply::follow::Direction;
use crate::apply::registry::StackState;
use crate::apply::requests::with_token;
use crate::apply::retry::Rejected;
use crate::apply::stack_result::{StackResult, failed, unanswered, unknown};
use crate::cloud::{Cloud, FoundStack, StackStatus, Store};
use crate::events::{Failure, Outcome, Verb};
use crate::plan::{self, Action, Stuck};

impl<C: Cloud + Store, P: Prepare> StackRun<'_, '_, C, P> {
    /// Continues the rollback and follows it. The stack is read again afterwards.
    pub(super) async fn continue_rollback(&mut self) -> Result<Signal, StackResult> {
        let found = self.found()?;
        let Action::Continue { stuck, skip } = &self.step.action else {
            return Err(super::disagreement());
        };
        let (kind, context) = (&self.step.stack.kind, self.context);
        let token = plan::token(context.session.run, &self.step.stack.name, "continue");
        let operation = with_token(&found.id, token.clone());
        context.emit.note(Some(kind), announcement(skip));
        context.states.set(kind, StackState::Requested);
        let request =
            context.send(async |cloud| cloud.continue_rollback(&found.id, skip, &token).await);
        if let Err(rejected) = request.await
            && !context.has_begun(&operation, rejected.lost).await
        {
            let now = self.not_continued(&found, rejected).await?;
            return Ok(self.rolled_back(now));
        }
        context.states.set(kind, StackState::RollingBack);
        context.emit.started(kind, Verb::Update);
        let sentence = |id: &str| self.step.sentence(id);
        let end = context.follow(
            kind,
            &sentence,
            &operation,
            Verb::Update,
            Direction::Rollback,
        );
        let (outcome, rest) = end.await?;
        context.states.set(kind, StackState::Waiting);
        match (rest.status, rest.found, outcome) {
            (StackStatus::UpdateRollbackFailed, _, Outcome::Failed(failure))
            | (_, None, Outcome::Failed(failure)) => {
                let hint = Some(way_out(&self.step.stack.name, stuck, &failure));
                Err(StackResult::at_rest(Outcome::Failed(Failure {
                    hint,
                    ..failure
                })))
            }
            (_, Some(now), _) => Ok(self.rolled_back(now)),
            (_, None, outcome) => Err(StackResult::at_rest(outcome)),
        }
    }

    /// The stack has left the failed rollback, by this run or by somebody else.
    fn rolled_back(&mut self, now: FoundStack) -> Signal {
        self.recovered = !now.status.is_moving();
        if !self.recovered {
            return self.moved_to(now);
        }
        self.moved = Some(now);
        Signal::AtRest
    }

    async fn not_continued(
        &self,
        found: &FoundStack,
        rejected: Rejected,
    ) -> Result<FoundStack, StackResult> {
        if rejected.lost && rejected.error.is_passing() {
            return Err(unknown(&rejected.error));
        }
        // Somebody else may have been quicker.
        match self.read(&found.id).await {
            Ok(Some(now)) if now.status != found.status => Ok(now),
            _ => Err(unanswered("continuing its rollback", rejected.error)),
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
fn way_out(name: &str, stuck: &[Stuck], failure: &Failure) -> String {
    let before = || stuck.first().map(|one| one.logical_id.as_str());
    match failure.logical_id.as_deref().or_else(before) {
        Some(id) => format!(
            "fix it and re-run the same command, or leave it as it is, no longer matching its \
             template, with `--skip {name}/{id}`"
        ),
        None => "fix it and re-run the same command".to_owned(),
    }
}
