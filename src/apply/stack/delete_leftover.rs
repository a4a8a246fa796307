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
use crate::stacks::{StackKind, parameter_path};

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
        self.forget_machine_state(&found).await?;
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

    /// A control plane whose creation was rolled back may have noted that its etcd had data. The volumes go
    /// with it, and the note would keep the next machines from starting with new ones. A note that is older than the
    /// stack stays: it is of data that an operator has to restore.
    async fn forget_machine_state(&self, found: &LiveStack) -> Result<(), StackResult> {
        let rolled_back = matches!(
            found.status,
            StackStatus::RollbackComplete | StackStatus::RollbackFailed
        );
        if self.step.stack.kind != StackKind::ControlPlane || !rolled_back {
            return Ok(());
        }
        let path = format!("{}/state", parameter_path(self.run.cluster));
        let doing = "clearing what its machines noted";
        let list = async |cloud: &C| cloud.parameters_under(&path).await;
        let noted = self.context.ask(doing, list).await?;
        if noted.is_empty() || noted.iter().any(|one| one.written < found.created) {
            return Ok(());
        }
        let forget = async |cloud: &C| cloud.delete_parameters_under(&path, None).await;
        let names = self.context.ask(doing, forget).await?;
        self.note(format!(
            "removed what its machines noted: {}",
            names.join(", ")
        ));
        Ok(())
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
