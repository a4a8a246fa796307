//! Operations on a stack that another run, an earlier one, or a person began.

use std::collections::HashSet;

use super::StackRun;
use super::phase::Signal;
use crate::apply::follow::Direction;
use crate::apply::registry::StackState;
use crate::apply::requests::newest;
use crate::apply::run_context::RunContext;
use crate::apply::stack_result::StackResult;
use crate::apply::{OnExternalOperation, Prerequisites};
use crate::cloud::{Cloud, LiveStack, StackStatus, Store};
use crate::events::Verb;
use crate::plan;

impl<C: Cloud + Store, P: Prerequisites> StackRun<'_, '_, C, P> {
    /// Follows what somebody else has begun to its end.
    pub(super) async fn follow_external(&mut self) -> Result<Signal, StackResult> {
        let found = self.moved.clone().map_or_else(|| self.found(), Ok)?;
        if !found.status.is_in_progress() {
            self.note("changed outside this run since the plan was made: reading it again");
            return Ok(Signal::AtRest);
        }
        let what = self.context.what_runs(&found).await;
        if self.context.session.on_external_operation == OnExternalOperation::Fail {
            return Err(StackResult::Lost(what));
        }
        self.note(format!("{what}: following it"));
        self.set_state(StackState::External {
            what,
            rolling_back: found.status.as_str().contains("ROLLBACK"),
        });
        let (verb, direction) = (verb(&found.status), direction(&found.status));
        self.context.emit.started(&self.step.stack.kind, verb);
        self.follow(&newest(&found.id), verb, direction).await?;
        self.set_state(StackState::Waiting);
        Ok(Signal::AtRest)
    }
}

impl<C: Cloud + Store> RunContext<'_, C> {
    /// `UPDATE_IN_PROGRESS since 2026-11-23T09:41:07Z, begun by run 18a2`.
    pub async fn what_runs(&self, found: &LiveStack) -> String {
        // Only for the text: without an answer it says less.
        let events = self.cloud.events(&newest(&found.id), &HashSet::new()).await;
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
}

/// What an operation of this status does.
pub(in crate::apply) fn verb(status: &StackStatus) -> Verb {
    match status {
        StackStatus::CreateInProgress | StackStatus::RollbackInProgress => Verb::Create,
        StackStatus::DeleteInProgress => Verb::Delete,
        _ => Verb::Update,
    }
}

/// Which way it goes.
pub(in crate::apply) fn direction(status: &StackStatus) -> Direction {
    match status {
        StackStatus::UpdateRollbackInProgress => Direction::Rollback,
        _ => Direction::Forward,
    }
}
