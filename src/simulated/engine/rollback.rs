//! Rollback: of a failed creation or update, continued after a failure, or asked for by a cancellation.

use std::collections::BTreeSet;

use super::job::{Direction, JobAction, chain};
use super::{Environment, Job, JobProgress, Phase, Running, SimEvent, Work};
use crate::catalog::durations::Operation;
use crate::cloud::StackStatus;
use crate::simulated::config::RollbackFailure;
use crate::simulated::inspect::RemovalCause;
use crate::simulated::reasons;
use crate::simulated::stack::Stack;
use crate::simulated::timing::Typical;

impl Stack {
    /// A phase failed: starts its rollback.
    pub(super) fn roll_back(
        &mut self,
        run: &mut Running,
        env: &mut Environment,
        at: i64,
        reason: &str,
    ) {
        run.failed.clear();
        run.rolls_back = false;
        if run.phase == Phase::Creating {
            run.phase = Phase::RollingBackCreate;
            let reason = Some(reason);
            self.stack_event(env, at, run, StackStatus::RollbackInProgress, reason);
            self.delete_resources(run, env, RemovalCause::CreateRolledBack);
        } else {
            self.roll_back_update(run);
            let reason = Some(reason);
            self.stack_event(env, at, run, StackStatus::UpdateRollbackInProgress, reason);
        }
        self.begin(run, env, at);
    }

    /// Jobs that restore what an update has changed.
    fn roll_back_update(&mut self, run: &mut Running) {
        run.phase = Phase::RollingBackUpdate;
        let Some(before) = &run.update.before else {
            return;
        };
        self.compiled = Some(before.compiled.clone());
        self.live.parameters.clone_from(&before.parameters);
        self.live.tags.clone_from(&before.tags);
        let replaced_resources = run.update.replaced_resources.iter().map(|(slot, _)| *slot);
        let slots: BTreeSet<usize> = run
            .update
            .changed
            .iter()
            .copied()
            .chain(replaced_resources)
            .collect();
        run.jobs = slots
            .into_iter()
            .map(|slot| Job::new(slot, Work::Restore))
            .collect();
        chain(
            &mut run.jobs,
            &self.resources,
            &before.compiled,
            Direction::Up,
        );
    }

    /// Starts restoring a resource.
    pub(super) fn restore(
        &mut self,
        run: &mut Running,
        env: &mut Environment,
        at: i64,
        number: usize,
    ) -> JobProgress {
        let Some(slot) = run.jobs.get(number).map(|job| job.slot) else {
            return JobProgress::Done;
        };
        let id = self.resources.get(slot).map(|one| one.logical_id.clone());
        let id = id.unwrap_or_default();
        if run.update.skip.contains(&id) {
            self.restored(run, slot);
            self.set_status(env, at, run, slot, "UPDATE_COMPLETE", None);
            return JobProgress::Done;
        }
        if let Some(job) = run.job(number) {
            (job.runs, job.verb) = (true, JobAction::Update);
        }
        self.set_status(env, at, run, slot, "UPDATE_IN_PROGRESS", None);
        let item = self.compiled.as_ref().and_then(|all| all.item(&id));
        let usual = Typical {
            p50: 5.0,
            p90: 15.0,
        };
        let typical = item.map_or(usual, |item| item.typical(Operation::Update));
        let words = [self.live.name.as_str(), id.as_str(), "restore"];
        let takes = env.takes(&words, self.operations, typical);
        let stuck = |one: &&mut RollbackFailure| {
            one.times > 0 && one.stack == self.live.name && one.logical_id == id
        };
        let event = match env.faults.rollback_fails.iter_mut().find(stuck) {
            Some(stuck) => {
                stuck.times -= 1;
                let of_type = self.resources.get(slot).map(|one| one.kind.clone());
                let of_type = of_type.unwrap_or_default();
                let usual = || reasons::usual(&env.setting, &id, &of_type, Operation::Update, None);
                let reason = stuck.reason.clone().unwrap_or_else(usual);
                SimEvent::Fail(number, reason)
            }
            None => SimEvent::End(number),
        };
        run.after(at + takes, event);
        JobProgress::Started
    }

    /// A resource is what it was before the update.
    pub(super) fn restored(&mut self, run: &mut Running, slot: usize) {
        run.update.changed.retain(|other| *other != slot);
        let at = run
            .update
            .replaced_resources
            .iter()
            .position(|(other, _)| *other == slot);
        let old = at.map(|at| run.update.replaced_resources.remove(at).1);
        let Some(resource) = self.resources.get_mut(slot) else {
            return;
        };
        match old {
            Some(old) if old.physical_id != resource.physical_id => {
                let new = std::mem::replace(resource, old);
                run.update.discarded.push((slot, new));
            }
            Some(old) => *resource = old,
            None => resource.version += 1,
        }
    }

    /// Continues a failed rollback. Its events carry the new token, and belong to the update.
    pub(in crate::simulated) fn continue_rollback(
        &mut self,
        env: &mut Environment,
        at: i64,
        skip: &[String],
        token: &str,
    ) {
        let Some(mut run) = self.failed_rollback.take() else {
            return;
        };
        run.update.skip = skip.iter().cloned().collect();
        run.token = Some(token.to_owned());
        run.log = env.log.len().saturating_sub(1);
        self.tokens.insert(token.to_owned());
        self.roll_back_update(&mut run);
        let status = StackStatus::UpdateRollbackInProgress;
        self.stack_event(env, at, &run, status, Some("User Initiated"));
        run.after(at + 2000, SimEvent::Begin);
        self.running = Some(run);
    }

    /// Cancels an update.
    pub(in crate::simulated) fn cancel_update(&mut self, env: &mut Environment, at: i64) {
        let Some(mut run) = self.running.take() else {
            return;
        };
        self.cancel(&mut run, env, at);
        run.after(at + 1000, SimEvent::RollBack("User Initiated".to_owned()));
        self.running = Some(run);
    }

    /// Whether an update runs that is not rolled back yet.
    pub(in crate::simulated) fn is_updating(&self) -> bool {
        let run = self.running.as_ref();
        run.is_some_and(|run| run.phase == Phase::Updating)
            && self.live.status == StackStatus::UpdateInProgress
    }
}
