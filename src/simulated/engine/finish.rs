//! The end of jobs and of phases: what a finished job changes, which phase follows, and the cleanup of what
//! a finished update or rollback leaves behind.

use super::job::{Direction, JobAction, chain};
use super::{Environment, Job, Phase, Running, Work};
use crate::cloud::{DeletionPolicy, StackStatus};
use crate::simulated::inspect::RemovalCause;
use crate::simulated::stack::Stack;

impl Stack {
    pub(super) fn end(
        &mut self,
        run: &mut Running,
        env: &mut Environment,
        at: i64,
        number: usize,
        in_use: Option<String>,
    ) {
        let Some(job) = run.jobs.get(number) else {
            return;
        };
        let (slot, verb) = (job.slot, job.verb);
        if let Work::Remove(removal) = &job.work {
            let removal = removal.clone();
            if let Some(reason) = in_use.or_else(|| self.removal_error(env, slot, &removal)) {
                self.fail_job(run, env, at, number, &reason);
                return;
            }
            self.removed(run, env, at, number, &removal);
        } else if run.phase == Phase::RollingBackUpdate {
            self.restored(run, slot);
            self.set_status(env, at, run, slot, "UPDATE_COMPLETE", None);
        } else {
            let status = match verb {
                JobAction::Create => "CREATE_COMPLETE",
                JobAction::Update | JobAction::Replace | JobAction::Delete => "UPDATE_COMPLETE",
            };
            if let Some(resource) = self
                .resources
                .get_mut(slot)
                .filter(|_| verb == JobAction::Update)
            {
                resource.version += 1;
                resource.external_properties.clear();
            }
            self.set_status(env, at, run, slot, status, None);
        }
        if let Some(job) = run.job(number) {
            job.runs = false;
        }
        run.active = run.active.saturating_sub(1);
        let free = run.release_followers(number);
        self.release(run, env, at, free);
    }

    pub(super) fn finish(&mut self, mut run: Running, env: &mut Environment, at: i64) {
        use StackStatus as S;
        let what = if run.phase == Phase::RollingBackUpdate {
            "update"
        } else {
            "delete"
        };
        let failed = run.failed.join(", ");
        let message = format!("The following resource(s) failed to {what}: [{failed}]. ");
        let message = (!run.failed.is_empty()).then_some(message.as_str());
        match run.phase {
            Phase::Creating => {
                self.set_outputs(&env.setting);
                self.stack_event(env, at, &run, S::CreateComplete, None);
            }
            Phase::RollingBackCreate if message.is_none() => {
                self.stack_event(env, at, &run, S::RollbackComplete, None);
            }
            Phase::RollingBackCreate => self.stack_event(env, at, &run, S::RollbackFailed, message),
            Phase::Deleting if message.is_none() => {
                self.sets.clear();
                self.stack_event(env, at, &run, S::DeleteComplete, None);
            }
            Phase::Deleting => self.stack_event(env, at, &run, S::DeleteFailed, message),
            Phase::Updating => self.clean_up(run, env, at),
            Phase::Cleanup => {
                self.forget_removed(&run);
                self.stack_event(env, at, &run, S::UpdateComplete, None);
            }
            Phase::RollingBackUpdate if message.is_none() => self.clean_up_rollback(run, env, at),
            Phase::RollingBackUpdate => {
                self.stack_event(env, at, &run, S::UpdateRollbackFailed, message);
                run.failed.clear();
                self.failed_rollback = Some(run);
            }
            Phase::RollbackCleanup => {
                let made = std::mem::take(&mut run.update.made);
                let ids = made.iter().filter_map(|slot| self.resources.get(*slot));
                run.update.dropped = ids.map(|one| one.logical_id.clone()).collect();
                self.forget_removed(&run);
                self.stack_event(env, at, &run, S::UpdateRollbackComplete, None);
            }
        }
    }

    fn forget_removed(&mut self, run: &Running) {
        let gone = &run.update.dropped;
        self.resources
            .retain(|resource| !gone.contains(&resource.logical_id));
    }

    /// The update is complete: old resources are deleted.
    fn clean_up(&mut self, mut run: Running, env: &mut Environment, at: i64) {
        run.phase = Phase::Cleanup;
        self.set_outputs(&env.setting);
        self.stack_event(
            env,
            at,
            &run,
            StackStatus::UpdateCompleteCleanupInProgress,
            None,
        );
        let mut jobs = Vec::new();
        let before = run.update.before.take();
        let old = before.as_ref().map(|before| before.compiled.clone());
        for (slot, was) in std::mem::take(&mut run.update.replaced_resources) {
            let new = self
                .compiled
                .as_ref()
                .and_then(|all| all.item(&was.logical_id));
            let deletion_policy = new.map_or(DeletionPolicy::Delete, |item| item.when_replaced);
            let removal = self.removal(env, &was, deletion_policy, RemovalCause::Replaced);
            jobs.push(Job::new(slot, Work::Remove(removal)));
        }
        for id in &run.update.dropped {
            let item = old.as_ref().and_then(|all| all.item(id));
            let deletion_policy = item.map_or(DeletionPolicy::Delete, |item| item.when_removed);
            if let Some(slot) = self.slot(id) {
                let resource = self.resources.get(slot);
                let removal = resource.map(|one| {
                    self.removal(env, one, deletion_policy, RemovalCause::RemovedFromTemplate)
                });
                jobs.extend(removal.map(|removal| Job::new(slot, Work::Remove(removal))));
            }
        }
        if let Some(old) = old {
            chain(&mut jobs, &self.resources, &old, Direction::Down);
        }
        run.jobs = jobs;
        self.begin(&mut run, env, at);
        self.running = Some(run);
    }

    /// The rollback is complete: new resources are deleted.
    fn clean_up_rollback(&mut self, mut run: Running, env: &mut Environment, at: i64) {
        run.phase = Phase::RollbackCleanup;
        let status = StackStatus::UpdateRollbackCompleteCleanupInProgress;
        self.stack_event(env, at, &run, status, None);
        let mut jobs = Vec::new();
        for (slot, new) in std::mem::take(&mut run.update.discarded) {
            let removal = self.removal(
                env,
                &new,
                DeletionPolicy::Delete,
                RemovalCause::UpdateRolledBack,
            );
            jobs.push(Job::new(slot, Work::Remove(removal)));
        }
        for slot in &run.update.made {
            if let Some(resource) = self.resources.get(*slot) {
                let removal = self.removal(
                    env,
                    resource,
                    DeletionPolicy::Delete,
                    RemovalCause::CreateRolledBack,
                );
                jobs.push(Job::new(*slot, Work::Remove(removal)));
            }
        }
        run.jobs = jobs;
        self.begin(&mut run, env, at);
        self.running = Some(run);
    }
}
