//! The way of one stack through a run: wait, prepare, then create, update or keep it, and follow.

use std::collections::{BTreeMap, BTreeSet};

use futures::future::try_join;

use super::board::Place;
use super::cause::Words;
use super::follow::{Course, Rest, Subject, follow};
use super::halt::{Halt, failed, unanswered, unbegun};
use super::patience::{Lost, patiently};
use super::requests::Begun;
use super::run::{Walk, resolve};
use super::{Prepare, Session, verdict};
use crate::cloud::{
    ChangeSet, ChangeSetLifetime, Cloud, CloudError, LiveStack, OnFailure, Operation, Protection,
    Store,
};
use crate::events::{Outcome, Verb};
use crate::plan::complete::proposal;
use crate::plan::heal::{not_resumed, resumes};
use crate::plan::{self, Action, Step};
use crate::stacks::Stack;

/// How often a stack that somebody else moves is followed and looked at again.
const ROUNDS: usize = 3;

pub(super) type Parameters = BTreeMap<String, String>;

/// What came of one attempt.
pub(super) enum Attempt {
    Done(Halt),
    /// Somebody else's operation holds the stack.
    Taken(Box<LiveStack>),
}

impl<C: Cloud + Store, P: Prepare> Walk<'_, C, P> {
    /// The whole way of one stack.
    pub async fn advance(&self, mut step: Step) -> Result<Halt, Halt> {
        let mut mended = false;
        let mut prepared = false;
        let mut taken = match (&step.action, &step.found) {
            (Action::Follow(_), Some(found)) => Some(found.clone()),
            (Action::Continue { stuck, skip }, Some(found)) => {
                let now = self.go_back(&step, found, stuck, skip).await?;
                mended = !now.status.is_moving();
                Some(now)
            }
            (Action::Blocked(why), found) => {
                let status = found.as_ref().map(|found| found.status.clone());
                let reason = format!("{}; {}", why.reason, why.next);
                return Err(Halt::at_rest(verdict::refused(status, reason)));
            }
            _ => None,
        };
        for round in 0..ROUNDS {
            if let Some(found) = taken.as_ref().filter(|_| round > 0 || !mended) {
                self.sit_out(&step, found).await?;
            }
            let early = !prepared && taken.is_none() && changes(&step);
            let outputs = if early {
                let needs = self.await_needs(&step.stack);
                try_join(needs, self.prepare_stack(&step.stack)).await?.0
            } else {
                self.await_needs(&step.stack).await?
            };
            prepared |= early;
            let parameters = resolve(&step, &outputs)?;
            if let Some(found) = &taken {
                step = self.look_again(step, found, &parameters, round).await?;
            }
            if !prepared && !stays(&step, &parameters) {
                self.prepare_stack(&step.stack).await?;
                prepared = true;
            }
            match self.attempt(&step, &parameters).await? {
                Attempt::Done(halt) if mended => return Ok(halt.changed()),
                Attempt::Done(halt) => return Ok(halt),
                Attempt::Taken(found) => taken = Some(*found),
            }
        }
        Err(failed(
            "somebody else keeps moving this stack; run the same command again when they are done",
        ))
    }

    async fn attempt(&self, step: &Step, parameters: &Parameters) -> Result<Attempt, Halt> {
        let _permit = match &step.action {
            Action::Keep if stays(step, parameters) => None,
            Action::Follow(_) | Action::Continue { .. } | Action::Blocked(_) => None,
            _ => Some(self.permit(step).await?),
        };
        match (&step.action, &step.found) {
            (Action::Create, _) => self.create(step, parameters).await,
            (Action::Recreate, Some(found)) => {
                if let Some(now) = self.clear(step, found).await? {
                    return Ok(Attempt::Taken(Box::new(now)));
                }
                self.create(step, parameters).await
            }
            (Action::Keep, Some(found)) if stays(step, parameters) => self.keep(step, found).await,
            (Action::Update(set), Some(found)) if *parameters == step.parameters => {
                self.update(step, found, set).await
            }
            (Action::Update(_) | Action::Keep | Action::Later, Some(found)) => {
                self.propose_anew(step, found, parameters).await
            }
            (Action::Follow(_), Some(found)) => Ok(Attempt::Taken(Box::new(found.clone()))),
            (Action::Continue { .. }, _) => Err(self.unexplained()),
            (Action::Blocked(why), found) => {
                // A policy that an earlier run left relaxed is not left so.
                if let Some(found) = found.as_ref().filter(|_| step.unguarded) {
                    self.set_back(&step.stack, found).await?;
                }
                Err(failed(format!("{}; {}", why.reason, why.next)))
            }
            (_, None) => Err(failed("the plan and the account disagree; plan again")),
        }
    }

    async fn create(&self, step: &Step, parameters: &Parameters) -> Result<Attempt, Halt> {
        let stack = &step.stack;
        self.upload(stack).await?;
        let token = plan::token(self.session.run, &stack.name, "create");
        let bucket = self.bucket();
        let wanted = proposal(
            stack,
            parameters,
            bucket.as_deref(),
            token.clone(),
            ChangeSetLifetime::Run,
        );
        let protection = protection(stack);
        self.board.set(&stack.kind, Place::Running);
        let (answer, lost) = patiently(self.cloud, async || {
            self.cloud.create(&wanted, &protection).await
        })
        .await;
        let id = match answer {
            Ok(id) => id,
            Err(error @ CloudError::Conflict(_)) => {
                match self.begun(stack, &token, lost, &error).await? {
                    Begun::Ours(id) => id,
                    Begun::Theirs(found) => return Ok(Attempt::Taken(found)),
                }
            }
            Err(error @ CloudError::Credentials { .. }) if lost == Lost::Some => {
                return Err(Halt::Expired(error));
            }
            Err(error) if lost == Lost::Some => return Err(unsure(&error)),
            Err(error) => return Err(self.refusal(stack, error)),
        };
        self.tell.started(&stack.kind, Verb::Create);
        self.conclude(step, Verb::Create, id, Some(token)).await
    }

    /// Follows an operation and turns its end into an outcome.
    async fn conclude(
        &self,
        step: &Step,
        verb: Verb,
        stack_id: String,
        token: Option<String>,
    ) -> Result<Attempt, Halt> {
        let operation = Operation { stack_id, token };
        let rest = self.follow(step, &operation, verb, Course::Forth).await?;
        let outcome = step.worded(self.session, |words| verdict::outcome(verb, &rest, words));
        for event in verdict::stranded(&outcome, &rest.events) {
            let reason = event.reason.as_deref().unwrap_or("no reason given");
            let what = event.physical_id.as_deref().unwrap_or(&event.logical_id);
            self.tell.note(
                Some(&step.stack.kind),
                format!("{what} is not needed any more, could not be removed and stays: {reason}"),
            );
        }
        let outputs = rest.found.map(|found| found.outputs).unwrap_or_default();
        Ok(Attempt::Done(Halt::with(outcome, outputs)))
    }

    /// Follows an operation to its end, whoever began it.
    pub async fn follow(
        &self,
        step: &Step,
        operation: &Operation,
        verb: Verb,
        course: Course,
    ) -> Result<Rest, Halt> {
        let rest = follow(
            &self.pulse,
            operation,
            &Subject {
                kind: &step.stack.kind,
                words: Words {
                    sentence: &|id| step.sentence(id),
                    explain: &|id, path| (self.session.explain)(&step.stack.kind, id, path),
                },
                verb,
                course,
            },
            self.tell,
        )
        .await;
        rest.map_err(Halt::from)
    }

    /// Executes exactly the change set that was shown.
    pub async fn update(
        &self,
        step: &Step,
        found: &LiveStack,
        set: &ChangeSet,
    ) -> Result<Attempt, Halt> {
        let stack = &step.stack;
        self.upload(stack).await?;
        let loses = loses(step);
        if step.reprotects() || stack.policy.is_some() {
            self.protect(stack, found, &loses).await?;
        }
        let token = plan::token(self.session.run, &stack.name, "execute");
        self.board.set(&stack.kind, Place::Running);
        self.open.borrow_mut().remove(&stack.kind);
        self.relaxed.borrow_mut().remove(&stack.kind);
        let on_failure = if resumes(&found.status) {
            OnFailure::Stop
        } else {
            OnFailure::GoBack
        };
        let ask = async || self.cloud.execute(set, &token, on_failure).await;
        let (answer, lost) = patiently(self.cloud, ask).await;
        if let Err(error) = answer {
            let operation = Operation {
                stack_id: found.id.clone(),
                token: Some(token.clone()),
            };
            if !self.has_begun(&operation, lost).await {
                return self.not_executed(step, found, set, error, lost).await;
            }
        }
        self.tell.started(&stack.kind, Verb::Update);
        let id = found.id.clone();
        let attempt = self.conclude(step, Verb::Update, id, Some(token)).await;
        if !loses.is_empty() && attempt.is_ok() {
            self.set_back(stack, found).await?;
        }
        attempt
    }

    /// A change set that could not be executed: another operation holds the stack, or moved it.
    async fn not_executed(
        &self,
        step: &Step,
        found: &LiveStack,
        set: &ChangeSet,
        error: CloudError,
        lost: Lost,
    ) -> Result<Attempt, Halt> {
        if lost == Lost::Some && error.is_transient() {
            return Err(unsure(&error));
        }
        let kind = step.stack.kind.clone();
        self.board.set(&kind, Place::Waiting);
        self.open.borrow_mut().insert(kind.clone(), set.clone());
        if matches!(error, CloudError::Credentials { .. }) {
            return Err(Halt::Expired(error));
        }
        if !loses(step).is_empty() {
            self.protect(&step.stack, found, &BTreeSet::new()).await?;
        }
        if matches!(error, CloudError::Conflict(_) | CloudError::NotFound(_)) {
            // Another run's execution holds the stack, or has removed this change set with all others.
            let (now, _) = patiently(self.cloud, async || self.cloud.stack(&found.id).await).await;
            if let Ok(Some(now)) = now {
                return Ok(Attempt::Taken(Box::new(now)));
            }
        }
        if error.is_transient() {
            return Err(unbegun(error.to_string()));
        }
        if resumes(&found.status) {
            let why = not_resumed(found, &error.to_string());
            return Err(failed(format!("{}; {}", why.reason, why.next)));
        }
        Err(failed(format!(
            "{error}; the stack moved since the plan was made: look at the plan again"
        )))
    }

    /// Nothing to change but, perhaps, its protection.
    ///
    /// Looked at once more: since the plan was made somebody may have moved it, and what was read then,
    /// shortly after another run began an update, may have been old.
    pub async fn keep(&self, step: &Step, found: &LiveStack) -> Result<Attempt, Halt> {
        let (now, _) = patiently(self.cloud, async || self.cloud.stack(&found.id).await).await;
        let now = now.map_err(|error| unanswered("", error))?;
        let same = |now: &LiveStack| now.status == found.status && now.updated == found.updated;
        if !now.as_ref().is_some_and(same) {
            return Ok(Attempt::Taken(Box::new(
                now.unwrap_or_else(|| found.clone()),
            )));
        }
        let mut outcome = Outcome::Unchanged;
        if step.reprotects() {
            self.protect(&step.stack, found, &BTreeSet::new()).await?;
            outcome = Outcome::Updated;
        }
        let halt = Halt::with(outcome, found.outputs.clone());
        Ok(Attempt::Done(halt))
    }
}

impl Step {
    /// Puts something of this stack into words.
    pub(super) fn worded<T>(&self, session: &Session<'_>, tell: impl FnOnce(&Words<'_>) -> T) -> T {
        tell(&Words {
            sentence: &|id| self.sentence(id),
            explain: &|id, path| (session.explain)(&self.stack.kind, id, path),
        })
    }
}

/// Whether it is certain before its inputs are there that something is done to the stack.
fn changes(step: &Step) -> bool {
    match step.action {
        Action::Create | Action::Recreate | Action::Update(_) | Action::Later => true,
        Action::Keep | Action::Follow(_) | Action::Continue { .. } | Action::Blocked(_) => false,
    }
}

fn stays(step: &Step, parameters: &Parameters) -> bool {
    step.action == Action::Keep && *parameters == step.parameters
}

/// What may be lost by name: its protection has to step aside for this one update.
fn loses(step: &Step) -> BTreeSet<String> {
    let named = step.risks.iter().filter(|risk| risk.allowed);
    named.map(|risk| risk.logical_id.clone()).collect()
}

/// No answer came, and what was asked may have happened all the same.
fn unsure(error: &CloudError) -> Halt {
    Halt::Lost(format!("{error}; whether it began is not known"))
}

/// What keeps a stack from harm, as the definition wants it.
pub(super) fn protection(stack: &Stack) -> Protection {
    Protection {
        termination: stack.termination_protection,
        policy: stack.policy.clone(),
    }
}
