//! Following the operation of this run that AWS accepted, to its end.

use super::phase::Signal;
use super::{StackRun, allowed_losses, disagreement};
use crate::apply::follow::Direction;
use crate::apply::registry::StackState;
use crate::apply::stack_result::StackResult;
use crate::apply::{Prerequisites, outcome};
use crate::cloud::{Cloud, StackOperation, Store};
use crate::events::Verb;

impl<C: Cloud + Store, P: Prerequisites> StackRun<'_, '_, C, P> {
    /// AWS accepted an operation of this run.
    pub(super) fn accept(&mut self, verb: Verb, operation: StackOperation) -> Signal {
        self.set_state(StackState::Running);
        self.context.emit.started(&self.step.stack.kind, verb);
        self.operated = Some(operation.stack_id.clone());
        self.accepted = Some((verb, operation));
        Signal::Accepted
    }

    /// Follows it, and turns its end into the stack's result.
    pub(super) async fn follow_accepted(&mut self) -> Result<Signal, StackResult> {
        let (verb, operation) = self.accepted.take().ok_or_else(disagreement)?;
        let end = self.follow(&operation, verb, Direction::Forward);
        let (outcome, rest) = end.await?;
        for event in outcome::not_removed(&outcome, &rest.events) {
            let reason = event.reason.as_deref().unwrap_or("no reason given");
            let what = event.physical_id.as_deref().unwrap_or(&event.logical_id);
            self.note(format!(
                "{what} is no longer needed but could not be removed: {reason}"
            ));
        }
        if verb == Verb::Update && !allowed_losses(&self.step).is_empty() {
            self.restore_policy(&self.found()?).await?;
        }
        let outputs = rest.found.map(|found| found.outputs).unwrap_or_default();
        Ok(self.end(StackResult::with(outcome, outputs)))
    }
}
