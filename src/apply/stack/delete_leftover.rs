//! Deleting what a failed creation left, or a stack that only ever had a change set.

use std::collections::BTreeSet;

use super::phase::Signal;
use super::{StackRun, blocked};
use crate::apply::Prepare;
use crate::apply::follow::Direction;
use crate::apply::stack_result::StackResult;
use crate::cloud::{Cloud, FoundStack, StackStatus, Store};
use crate::events::Verb;
use crate::plan::heal::look_inside;
use crate::plan::{self, Action, Terms};

impl<C: Cloud + Store, P: Prepare> StackRun<'_, '_, C, P> {
    /// Deletes the leftover, unless it is not what it was when the plan was made.
    pub(super) async fn delete_leftover(&mut self) -> Result<Signal, StackResult> {
        let found = self.found()?;
        match self.read(&found.id).await? {
            None => return Ok(Signal::Missing),
            Some(now) if now.status == StackStatus::DeleteComplete => return Ok(Signal::Missing),
            Some(now) if now.status != found.status => return Ok(self.moved_to(now)),
            Some(_) => self.still_expendable(&found).await?,
        }
        let (kind, context) = (&self.step.stack.kind, self.context);
        let text = format!("removing what is left of {} first", found.name);
        context.emit.note(Some(kind), text);
        let token = plan::token(context.session.run, &self.step.stack.name, "clear");
        let Some(operation) = context.request_deletion(kind, &found, token).await? else {
            return Ok(Signal::Missing);
        };
        let sentence = |id: &str| self.step.sentence(id);
        let end = context.follow(
            kind,
            &sentence,
            &operation,
            Verb::Delete,
            Direction::Forward,
        );
        let (outcome, rest) = end.await?;
        if rest.status == StackStatus::DeleteComplete {
            return Ok(Signal::Missing);
        }
        Err(StackResult::at_rest(outcome))
    }

    /// Refuses a leftover into which somebody put something since the plan.
    async fn still_expendable(&self, found: &FoundStack) -> Result<(), StackResult> {
        let (none, before) = (BTreeSet::new(), self.step.before.as_ref());
        let terms = Terms::new(self.context.session.run, &none, &none);
        let look = async |cloud: &C| look_inside(found, before, cloud, &terms).await;
        match self.context.ask("", look).await? {
            Action::Blocked(why) => Err(blocked(&why)),
            _ => Ok(()),
        }
    }
}
