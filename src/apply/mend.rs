//! What a run does about operations that are not its own beginnings: going on with a rollback that
//! failed half way, and meeting what somebody else has begun.

use std::collections::HashSet;

use super::follow::Direction;
use super::registry::StackState;
use super::retry::{Lost, with_retry};
use super::run::ApplyRun;
use super::stack_result::{StackResult, failed, unanswered};
use super::{Meeting, Prepare, outcome};
use crate::cloud::{Cloud, CloudError, FoundStack, Operation, StackStatus, Store};
use crate::events::{Failure, Outcome, Verb};
use crate::plan::{self, Action, Plan, Step, Stuck};

impl<C: Cloud + Store, P: Prepare> ApplyRun<'_, C, P> {
    /// Goes on with a rollback that failed half way. The stack as it is when it went well; or as it
    /// is now, when it is in that status no more.
    pub async fn go_back(
        &self,
        step: &Step,
        found: &FoundStack,
        stuck: &[Stuck],
        skip: &[String],
    ) -> Result<FoundStack, StackResult> {
        let kind = &step.stack.kind;
        let _permit = self.scheduler.acquire(self.claim(step, false)).await;
        let token = plan::token(self.session.run, &step.stack.name, "continue");
        let operation = Operation {
            stack_id: found.id.clone(),
            token: Some(token.clone()),
        };
        self.tell.note(Some(kind), told(skip));
        self.board.set(kind, StackState::Running);
        let go_on = async || self.cloud.continue_rollback(&found.id, skip, &token).await;
        let (answer, lost) = with_retry(self.cloud, go_on).await;
        if let Err(error) = answer
            && !self.has_begun(&operation, lost).await
        {
            return self.not_gone_on(found, error, lost).await;
        }
        self.tell.started(kind, Verb::Update);
        let rest = self
            .follow(step, &operation, Verb::Update, Direction::Rollback)
            .await?;
        self.board.set(kind, StackState::Waiting);
        match (&rest.status, rest.found.clone()) {
            (StackStatus::UpdateRollbackFailed, _) | (_, None) => {
                let failure = step.worded(self.session, |words| {
                    outcome::failure(Verb::Update, &rest, words)
                });
                let hint = Some(way_out(step, stuck, &failure));
                Err(StackResult::at_rest(Outcome::Failed(Failure {
                    hint,
                    ..failure
                })))
            }
            (_, Some(now)) => Ok(now),
        }
    }

    async fn not_gone_on(
        &self,
        found: &FoundStack,
        error: CloudError,
        lost: Lost,
    ) -> Result<FoundStack, StackResult> {
        if lost == Lost::Some && error.is_passing() {
            return Err(StackResult::Lost(format!(
                "{error}; whether it began is not known"
            )));
        }
        // Somebody else may have been quicker.
        let (now, _) = with_retry(self.cloud, async || self.cloud.stack(&found.id).await).await;
        match now {
            Ok(Some(now)) if now.status != found.status => Ok(now),
            _ => Err(unanswered("going on with its rollback", error)),
        }
    }

    /// Whether something of a plan moves already; says what, since when and by whom.
    pub async fn meets(&self, plan: &Plan) -> bool {
        let mut met = false;
        for step in &plan.steps {
            let (Action::Follow(_), Some(found)) = (&step.action, &step.found) else {
                continue;
            };
            let what = self.what_runs(found).await;
            self.tell.note(Some(&step.stack.kind), what.clone());
            self.board.set(&step.stack.kind, StackState::Lost(what));
            met = true;
        }
        met
    }

    /// Follows what somebody else, or an earlier run, has begun.
    pub async fn sit_out(&self, step: &Step, found: &FoundStack) -> Result<(), StackResult> {
        let kind = &step.stack.kind;
        if !found.status.is_moving() {
            let text = "changed elsewhere since the plan was made: looking again";
            self.tell.note(Some(kind), text);
            return Ok(());
        }
        let what = self.what_runs(found).await;
        if self.session.meeting == Meeting::Stop {
            return Err(StackResult::Lost(what));
        }
        self.tell.note(Some(kind), format!("{what}: following it"));
        let verb = verb(&found.status);
        self.tell.started(kind, verb);
        self.board.set(kind, StackState::Held(what));
        let operation = Operation {
            stack_id: found.id.clone(),
            token: None,
        };
        self.follow(step, &operation, verb, direction(&found.status))
            .await?;
        self.board.set(kind, StackState::Waiting);
        Ok(())
    }

    /// `UPDATE_IN_PROGRESS since 2026-11-23T09:41:07Z, begun by run 18a2`.
    async fn what_runs(&self, found: &FoundStack) -> String {
        let newest = Operation {
            stack_id: found.id.clone(),
            token: None,
        };
        // Only for the sentence: without an answer it says less.
        let events = self.cloud.events(&newest, &HashSet::new()).await;
        let events = events.unwrap_or_default();
        let since = events.first().map(|event| event.at);
        let since = since.or(found.updated).unwrap_or(found.created);
        let mut tokens = events.iter().filter_map(|event| event.token.as_deref());
        let run = tokens.find_map(|token| plan::run_of(token, &found.name));
        let by = match run {
            Some(run) if run == self.session.run => "begun by this run".to_owned(),
            Some(run) => format!("begun by run {run}"),
            None => "begun elsewhere".to_owned(),
        };
        format!("{} since {since:.0}, {by}", found.status)
    }

    /// A rollback that failed and that the plan did not show.
    pub fn unexplained(&self) -> StackResult {
        failed(format!(
            "its update failed, and so did going back, which the plan did not show; \
             `kube-cfn apply {}` shows what is in the way and goes on",
            self.cluster
        ))
    }
}

/// What an operation of this status does.
pub(super) fn verb(status: &StackStatus) -> Verb {
    match status {
        StackStatus::CreateInProgress | StackStatus::RollbackInProgress => Verb::Create,
        StackStatus::DeleteInProgress => Verb::Delete,
        _ => Verb::Update,
    }
}

/// Which way it goes.
pub(super) fn direction(status: &StackStatus) -> Direction {
    match status {
        StackStatus::UpdateRollbackInProgress => Direction::Rollback,
        _ => Direction::Forward,
    }
}

fn told(skip: &[String]) -> String {
    if skip.is_empty() {
        return "going on with the rollback that failed".to_owned();
    }
    format!(
        "going on with the rollback that failed, leaving as they are: {}",
        skip.join(", ")
    )
}

/// What helps when it failed once more.
fn way_out(step: &Step, stuck: &[Stuck], failure: &Failure) -> String {
    let now = failure.logical_id.as_deref();
    let before = || stuck.first().map(|one| one.logical_id.as_str());
    let name = &step.stack.name;
    match now.or_else(before) {
        Some(id) => format!(
            "mend it and run again, or leave it as it is, no longer matching its template, \
             with `--skip {name}/{id}`"
        ),
        None => "mend it and run again".to_owned(),
    }
}
