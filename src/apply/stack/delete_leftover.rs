//! Deleting what a failed creation left, or a stack that only ever had a change set.

use std::collections::BTreeSet;

use super::StackRun;
use super::phase::Signal;
use crate::apply::Prerequisites;
use crate::apply::follow::Direction;
use crate::apply::stack_result::{StackResult, blocked};
use crate::cloud::{Cloud, LiveStack, StackStatus, Store};
use crate::events::{Outcome, Verb};
use crate::plan::inspect::look_inside;
use crate::plan::{Action, PlanOptions};

impl<C: Cloud + Store, P: Prerequisites> StackRun<'_, '_, C, P> {
    /// Deletes the leftover, unless it is not what it was when the plan was made.
    pub(super) async fn delete_leftover(&mut self) -> Result<Signal, StackResult> {
        let found = self.found()?;
        match self.read(&found.id).await? {
            None => return Ok(Signal::Missing),
            Some(now) if now.status == StackStatus::DeleteComplete => return Ok(Signal::Missing),
            Some(now) if now.status != found.status => return Ok(self.moved_to(now)),
            Some(_) => self.still_expendable(&found).await?,
        }
        self.note(format!("removing what is left of {} first", found.name));
        let (kind, token) = (&self.step.stack.kind, self.token("clear"));
        let deletion = self.context.request_deletion(kind, &found, token);
        let Some(operation) = deletion.await? else {
            return Ok(Signal::Missing);
        };
        let end = self.follow(&operation, Verb::Delete, Direction::Forward);
        match end.await? {
            (Outcome::Deleted, _) => Ok(Signal::Missing),
            (outcome, _) => Err(StackResult::at_rest(outcome)),
        }
    }

    /// Refuses a leftover into which somebody put something since the plan.
    async fn still_expendable(&self, found: &LiveStack) -> Result<(), StackResult> {
        let (none, before) = (BTreeSet::new(), self.step.before.as_ref());
        let terms = PlanOptions::new(self.context.session.run, &none, &none);
        let look = async |cloud: &C| look_inside(found, before, cloud, &terms).await;
        match self.context.ask("", look).await? {
            Action::Blocked(why) => Err(blocked(None, &why)),
            _ => Ok(()),
        }
    }
}
