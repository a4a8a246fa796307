//! What a run does about operations that are not its own beginnings: going on with a rollback that
//! failed half way, and meeting what somebody else has begun.

use std::collections::HashSet;

use super::board::Place;
use super::follow::Course;
use super::halt::{Halt, failed, unanswered};
use super::patience::{Lost, patiently};
use super::run::Walk;
use super::{Meeting, Prepare, verdict};
use crate::cloud::{Cloud, CloudError, LiveStack, Operation, StackStatus, Store};
use crate::events::{Failure, Outcome, Verb};
use crate::plan::{self, Action, Plan, Step, Stuck};

impl<C: Cloud + Store, P: Prepare> Walk<'_, C, P> {
    /// Goes on with a rollback that failed half way. The stack as it is when it went well; or as it
    /// is now, when it is in that status no more.
    pub async fn go_back(
        &self,
        step: &Step,
        found: &LiveStack,
        stuck: &[Stuck],
        skip: &[String],
    ) -> Result<LiveStack, Halt> {
        let kind = &step.stack.kind;
        let _permit = self.scheduler.acquire(self.claim(step, false)).await;
        let token = plan::token(self.session.run, &step.stack.name, "continue");
        let operation = Operation {
            stack_id: found.id.clone(),
            token: Some(token.clone()),
        };
        self.tell.note(Some(kind), told(skip));
        self.board.set(kind, Place::Running);
        let go_on = async || self.cloud.continue_rollback(&found.id, skip, &token).await;
        let (answer, lost) = patiently(self.cloud, go_on).await;
        if let Err(error) = answer
            && !self.has_begun(&operation, lost).await
        {
            return self.not_gone_on(found, error, lost).await;
        }
        self.tell.started(kind, Verb::Update);
        let rest = self
            .follow(step, &operation, Verb::Update, Course::Back)
            .await?;
        self.board.set(kind, Place::Waiting);
        match (&rest.status, rest.found.clone()) {
            (StackStatus::UpdateRollbackFailed, _) | (_, None) => {
                let failure = step.worded(self.session, |words| {
                    verdict::failure(Verb::Update, &rest, words)
                });
                let hint = Some(way_out(step, stuck, &failure));
                Err(Halt::at_rest(Outcome::Failed(Failure { hint, ..failure })))
            }
            (_, Some(now)) => Ok(now),
        }
    }

    async fn not_gone_on(
        &self,
        found: &LiveStack,
        error: CloudError,
        lost: Lost,
    ) -> Result<LiveStack, Halt> {
        if lost == Lost::Some && error.is_transient() {
            return Err(Halt::Lost(format!(
                "{error}; whether it began is not known"
            )));
        }
        // Somebody else may have been quicker.
        let (now, _) = patiently(self.cloud, async || self.cloud.stack(&found.id).await).await;
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
            self.board.set(&step.stack.kind, Place::Lost(what));
            met = true;
        }
        met
    }

    /// Follows what somebody else, or an earlier run, has begun.
    pub async fn sit_out(&self, step: &Step, found: &LiveStack) -> Result<(), Halt> {
        let kind = &step.stack.kind;
        if !found.status.is_moving() {
            let text = "changed elsewhere since the plan was made: looking again";
            self.tell.note(Some(kind), text);
            return Ok(());
        }
        let what = self.what_runs(found).await;
        if self.session.meeting == Meeting::Stop {
            return Err(Halt::Lost(what));
        }
        self.tell.note(Some(kind), format!("{what}: following it"));
        let verb = verb(&found.status);
        self.tell.started(kind, verb);
        self.board.set(kind, Place::Held(what));
        let operation = Operation {
            stack_id: found.id.clone(),
            token: None,
        };
        self.follow(step, &operation, verb, course(&found.status))
            .await?;
        self.board.set(kind, Place::Waiting);
        Ok(())
    }

    /// `UPDATE_IN_PROGRESS since 2026-11-23T09:41:07Z, begun by run 18a2`.
    async fn what_runs(&self, found: &LiveStack) -> String {
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
    pub fn unexplained(&self) -> Halt {
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
pub(super) fn course(status: &StackStatus) -> Course {
    match status {
        StackStatus::UpdateRollbackInProgress => Course::Back,
        _ => Course::Forth,
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
