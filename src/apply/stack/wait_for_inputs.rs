//! Waiting for the outputs of other stacks, and deciding by them what the plan means.

use futures::future::try_join;

use super::phase::Signal;
use super::{Parameters, StackRun, disagreement};
use crate::apply::stack_result::{StackResult, failed};
use crate::apply::{Outputs, Prerequisites};
use crate::cloud::{Cloud, Store};
use crate::plan::{Action, Step};
use crate::stacks::Source;

impl<C: Cloud + Store, P: Prerequisites> StackRun<'_, '_, C, P> {
    /// Waits for everything that the stack needs. What has to be done outside CloudFormation is done
    /// beside it, where it is certain by now that the stack changes.
    pub(super) async fn wait_for_inputs(&mut self) -> Result<Signal, StackResult> {
        let stack = &self.step.stack;
        let early = !self.prepared && self.moved.is_none() && changes(&self.step.action);
        let outputs = if early {
            try_join(self.run.inputs(stack), self.run.prepare(stack))
                .await?
                .0
        } else {
            self.run.inputs(stack).await?
        };
        self.prepared |= early;
        self.parameters = resolve(&self.step, &outputs)?;
        if self.moved.is_some() {
            return Ok(Signal::Outdated);
        }
        self.decide()
    }

    /// What the plan of the stack means with the parameters of now.
    pub(super) fn decide(&self) -> Result<Signal, StackResult> {
        let same = self.parameters == self.step.parameters;
        match (&self.step.action, &self.step.found) {
            (Action::Create, _) => Ok(Signal::Missing),
            (Action::Replace, Some(_)) => Ok(Signal::Leftover),
            (Action::Update(_), Some(_)) if same => Ok(Signal::Differs),
            (Action::NoChange, Some(_)) if same => Ok(Signal::Same),
            (Action::Update(_) | Action::NoChange | Action::Deferred, Some(_)) => {
                Ok(Signal::Outdated)
            }
            _ => Err(disagreement()),
        }
    }
}

/// Whether it is certain before its inputs are there that something is done to the stack.
fn changes(action: &Action) -> bool {
    match action {
        Action::Create | Action::Replace | Action::Update(_) | Action::Deferred => true,
        Action::NoChange | Action::Follow(_) | Action::Continue { .. } | Action::Blocked(_) => {
            false
        }
    }
}

/// Values for all parameters of a stack, now that what it needs is done.
fn resolve(step: &Step, outputs: &Outputs) -> Result<Parameters, StackResult> {
    let mut parameters = step.parameters.clone();
    for input in &step.stack.inputs {
        let Source::Output { stack, key } = &input.source else {
            continue;
        };
        let Some(value) = outputs.get(stack).and_then(|of| of.get(key)) else {
            return Err(failed(format!(
                "{stack} is done but has no output {key}, which is wanted for {}; \
                 was its template overridden?",
                input.parameter
            )));
        };
        parameters.insert(input.parameter.clone(), value.clone());
    }
    Ok(parameters)
}
