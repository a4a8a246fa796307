//! One state machine for each stack of a run: it waits for its inputs, is created, updated or left as it
//! is, and is followed to its end. There is a file for each phase; `phase.rs` says which follows which.
//!
//! A plan begins with `WaitForInputs`; with `FollowExternal` where something runs already, with
//! `ContinueRollback` where a rollback failed. What a phase finds out decides the next one. Every phase
//! may also find out the stack's result, well or not (`Ended`): then it is `Done`.
//!
//! | phase | finds out | next phase |
//! |---|---|---|
//! | `WaitForInputs` | `Missing` | `Create` |
//! | `WaitForInputs` | `Leftover` | `DeleteLeftover` |
//! | `WaitForInputs` | `Differs` | `Update` |
//! | `WaitForInputs` | `Same` | `NoChange` |
//! | `WaitForInputs` | `Outdated` | `Replan` |
//! | `FollowExternal` | `AtRest` | `WaitForInputs` |
//! | `ContinueRollback` | `MovedElsewhere` | `FollowExternal` |
//! | `ContinueRollback` | `AtRest` | `WaitForInputs` |
//! | `Replan` | `Missing` | `Create` |
//! | `Replan` | `Leftover` | `DeleteLeftover` |
//! | `Replan` | `Differs` | `Update` |
//! | `Replan` | `Same` | `NoChange` |
//! | `Replan` | `MovedElsewhere` | `FollowExternal` |
//! | `DeleteLeftover` | `Missing` | `Create` |
//! | `DeleteLeftover` | `MovedElsewhere` | `FollowExternal` |
//! | `Create` | `MovedElsewhere` | `FollowExternal` |
//! | `Create` | `Accepted` | `Follow` |
//! | `Update` | `MovedElsewhere` | `FollowExternal` |
//! | `Update` | `Accepted` | `Follow` |
//! | `NoChange` | `MovedElsewhere` | `FollowExternal` |

mod continue_rollback;
mod create;
mod delete_leftover;
mod external_operation;
mod follow;
mod phase;
mod rebalancing;
mod replan;
mod update;
mod wait_for_inputs;

use std::collections::{BTreeMap, BTreeSet};

use super::Prerequisites;
use super::follow::{Direction, OperationEnd};
use super::registry::StackState;
use super::run::ApplyRun;
use super::run_context::RunContext;
use super::scheduler::Permit;
use super::stack_result::{StackResult, blocked, failed};
use crate::cloud::{Cloud, LiveStack, Protection, StackOperation, Store};
use crate::events::{Outcome, Verb};
use crate::plan::{self, Action, Step};
use crate::stacks::Stack;

pub(super) use external_operation::{direction, verb};
use phase::{Phase, Signal};

/// How often a stack may be moved by somebody else before this run gives up.
const CONFLICTS: usize = 3;

pub(super) type Parameters = BTreeMap<String, String>;

/// What one stack's state machine knows.
pub(super) struct StackRun<'r, 'a, C, P> {
    run: &'r ApplyRun<'a, C, P>,
    context: &'r RunContext<'a, C>,
    step: Step,
    /// The values of all its parameters, once its inputs are there.
    parameters: Parameters,
    /// The stack as somebody else moves it, or has moved it.
    moved: Option<LiveStack>,
    /// How often that happened.
    conflicts: usize,
    /// What has to be done outside CloudFormation is done.
    prepared: bool,
    /// A failed rollback was continued: a change, even if nothing is left to do after it.
    recovered: bool,
    permit: Option<Permit<'r>>,
    accepted: Option<(Verb, StackOperation)>,
    /// ARN of the stack that an operation of this run made or changed: a new one in the place of a leftover.
    operated: Option<String>,
    result: Option<StackResult>,
}

impl<'r, 'a, C: Cloud + Store, P: Prerequisites> StackRun<'r, 'a, C, P> {
    pub fn new(run: &'r ApplyRun<'a, C, P>, step: Step) -> Self {
        let found = step.found.clone();
        let status = found.as_ref().map(|found| found.status.clone());
        let result = match &step.action {
            Action::Blocked(why) => Some(blocked(status, why)),
            _ => None,
        };
        Self {
            run,
            context: &run.context,
            moved: found.filter(|_| matches!(step.action, Action::Follow(_))),
            step,
            parameters: BTreeMap::new(),
            conflicts: 0,
            prepared: false,
            recovered: false,
            permit: None,
            accepted: None,
            operated: None,
            result,
        }
    }

    /// Goes from phase to phase until the stack's result is known.
    pub async fn drive(mut self) -> StackResult {
        let mut phase = Phase::first(&self.step.action);
        while phase != Phase::Done {
            let signal = match self.perform(phase).await {
                Ok(signal) => signal,
                Err(result) => self.end(result),
            };
            phase = phase.next(signal).unwrap_or(Phase::Done);
        }
        let result = match self.result.take() {
            Some(result) if self.recovered => result.changed(),
            Some(result) => result,
            None => disagreement(),
        };
        self.suspend_rebalancing(result).await
    }

    async fn perform(&mut self, phase: Phase) -> Result<Signal, StackResult> {
        self.get_ready(phase).await?;
        let signal = match phase {
            Phase::WaitForInputs => self.wait_for_inputs().await?,
            Phase::FollowExternal => self.follow_external().await?,
            Phase::ContinueRollback => self.continue_rollback().await?,
            Phase::Replan => self.replan().await?,
            Phase::DeleteLeftover => self.delete_leftover().await?,
            Phase::Create => self.create().await?,
            Phase::Update => self.update().await?,
            Phase::NoChange => self.no_change().await?,
            Phase::Follow => self.follow_accepted().await?,
            Phase::Done => Signal::Ended,
        };
        if signal == Signal::MovedElsewhere {
            self.conflicts += 1;
            if self.conflicts >= CONFLICTS {
                let reason = "another run or person keeps changing this stack";
                return Err(failed(format!(
                    "{reason}; re-run the same command when they are done"
                )));
            }
        }
        Ok(signal)
    }

    /// Before an operation of this run: what has to be done outside CloudFormation, then a permit.
    async fn get_ready(&mut self, phase: Phase) -> Result<(), StackResult> {
        if !phase.operates() {
            self.permit = None;
            return Ok(());
        }
        let continues = phase == Phase::ContinueRollback;
        if !self.prepared && !continues {
            self.run.prepare(&self.step.stack).await?;
            self.prepared = true;
        }
        if self.permit.is_none() {
            let joins = !continues && plan::joins(&self.step).is_some();
            self.permit = Some(self.run.permit(&self.step.stack.kind, joins).await?);
        }
        Ok(())
    }

    /// Keeps the stack's result.
    fn end(&mut self, result: StackResult) -> Signal {
        self.result = Some(result);
        Signal::Ended
    }

    /// Somebody else moves the stack, or has moved it.
    fn moved_to(&mut self, found: LiveStack) -> Signal {
        self.set_state(StackState::Waiting);
        self.moved = Some(found);
        Signal::MovedElsewhere
    }

    /// The stack as it was planned with.
    fn found(&self) -> Result<LiveStack, StackResult> {
        self.step.found.clone().ok_or_else(disagreement)
    }

    /// The stack as AWS has it now.
    async fn read(&self, id: &str) -> Result<Option<LiveStack>, StackResult> {
        let stack = async |cloud: &C| cloud.stack(id).await;
        self.context.ask("", stack).await
    }

    fn note(&self, text: impl Into<String>) {
        self.context.emit.note(Some(&self.step.stack.kind), text);
    }

    fn set_state(&self, state: StackState) {
        self.context.states.set(&self.step.stack.kind, state);
    }

    /// The token of one of the requests about this stack.
    fn token(&self, request: &str) -> String {
        plan::token(self.context.session.run, &self.step.stack.name, request)
    }

    /// Follows an operation on this stack to its end.
    async fn follow(
        &self,
        operation: &StackOperation,
        verb: Verb,
        direction: Direction,
    ) -> Result<(Outcome, OperationEnd), StackResult> {
        let sentence = |id: &str| self.step.description(id);
        let (context, kind) = (self.context, &self.step.stack.kind);
        let end = context.follow(kind, &sentence, operation, verb, direction);
        Ok(end.await?)
    }
}

fn disagreement() -> StackResult {
    failed("the plan and the account disagree; plan again")
}

/// What may be lost by name: its policy has to be relaxed for this one update.
fn allowed_losses(step: &Step) -> BTreeSet<String> {
    let named = step.risks.iter();
    let named = named.filter(|risk| risk.allowed && risk.takes_resource());
    named.map(|risk| risk.logical_id.clone()).collect()
}

/// The protection that the definition wants.
fn protection(stack: &Stack) -> Protection {
    Protection {
        termination: stack.termination_protection,
        policy: stack.policy.clone(),
    }
}
