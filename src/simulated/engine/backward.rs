//! Ends and ways back: what a finished job leaves, rolling back, deleting, and the next phase.

use std::collections::BTreeSet;

use super::job::{Direction, Verb, chain};
use super::{Happening, Job, Phase, Progress, Running, Surroundings, Work};
use crate::cloud::{DeletionPolicy, StackStatus};
use crate::simulated::inspect::How;
use crate::simulated::reasons;
use crate::simulated::stack::Stack;
use crate::simulated::timing::Typical;
use crate::simulated::world::{Operation, Stuck};

impl Stack {
    pub(super) fn end(
        &mut self,
        run: &mut Running,
        env: &mut Surroundings,
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
            if let Some(reason) = in_use.or_else(|| self.refuses(env, slot, &removal)) {
                self.breaks(run, env, at, number, &reason);
                return;
            }
            self.removed(run, env, at, number, &removal);
        } else if run.phase == Phase::Restoring {
            self.restored(run, slot);
            self.mark(env, at, run, slot, "UPDATE_COMPLETE", None);
        } else {
            let status = match verb {
                Verb::Create => "CREATE_COMPLETE",
                _ => "UPDATE_COMPLETE",
            };
            if let Some(resource) = self
                .resources
                .get_mut(slot)
                .filter(|_| verb == Verb::Update)
            {
                resource.version += 1;
                resource.touched.clear();
            }
            self.mark(env, at, run, slot, status, None);
        }
        if let Some(job) = run.job(number) {
            job.runs = false;
        }
        run.active = run.active.saturating_sub(1);
        let free = run.settle(number);
        self.release(run, env, at, free);
    }

    /// A phase fails on its way: the next one takes back what it did.
    pub(super) fn turn(
        &mut self,
        run: &mut Running,
        env: &mut Surroundings,
        at: i64,
        reason: &str,
    ) {
        run.failed.clear();
        if run.phase == Phase::Creating {
            run.phase = Phase::Undoing;
            let reason = Some(reason);
            self.say(env, at, run, StackStatus::RollbackInProgress, reason);
            self.take_down(run, env, How::Undone);
        } else {
            self.take_back(run);
            let reason = Some(reason);
            self.say(env, at, run, StackStatus::UpdateRollbackInProgress, reason);
        }
        self.begin(run, env, at);
    }

    /// Jobs that bring back what an update has changed.
    fn take_back(&mut self, run: &mut Running) {
        run.phase = Phase::Restoring;
        let Some(before) = &run.update.before else {
            return;
        };
        self.compiled = Some(before.compiled.clone());
        self.found.parameters.clone_from(&before.parameters);
        self.found.tags.clone_from(&before.tags);
        let swapped = run.update.swapped.iter().map(|(slot, _)| *slot);
        let slots: BTreeSet<usize> = run.update.changed.iter().copied().chain(swapped).collect();
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

    /// Starts bringing a resource back.
    pub(super) fn restore(
        &mut self,
        run: &mut Running,
        env: &mut Surroundings,
        at: i64,
        number: usize,
    ) -> Progress {
        let Some(slot) = run.jobs.get(number).map(|job| job.slot) else {
            return Progress::Instant;
        };
        let id = self.resources.get(slot).map(|one| one.logical_id.clone());
        let id = id.unwrap_or_default();
        if run.update.skip.contains(&id) {
            self.restored(run, slot);
            self.mark(env, at, run, slot, "UPDATE_COMPLETE", None);
            return Progress::Instant;
        }
        if let Some(job) = run.job(number) {
            (job.runs, job.verb) = (true, Verb::Update);
        }
        self.mark(env, at, run, slot, "UPDATE_IN_PROGRESS", None);
        let item = self.compiled.as_ref().and_then(|all| all.item(&id));
        let usual = Typical {
            p50: 5.0,
            p90: 15.0,
        };
        let typical = item.map_or(usual, |item| item.typical(Operation::Update));
        let words = [self.found.name.as_str(), id.as_str(), "restore"];
        let takes = env.takes(&words, self.operations, typical);
        let stuck = |one: &&mut Stuck| {
            one.times > 0 && one.stack == self.found.name && one.logical_id == id
        };
        let happening = match env.faults.rollback_fails.iter_mut().find(stuck) {
            Some(stuck) => {
                stuck.times -= 1;
                let of_type = self.resources.get(slot).map(|one| one.kind.clone());
                let of_type = of_type.unwrap_or_default();
                let reason = reasons::usual(&env.setting, &id, &of_type, Operation::Update, None);
                Happening::Break(number, reason)
            }
            None => Happening::End(number),
        };
        run.after(at + takes, happening);
        Progress::Goes
    }

    /// A resource is what it was before the update.
    fn restored(&mut self, run: &mut Running, slot: usize) {
        run.update.changed.retain(|other| *other != slot);
        let at = run
            .update
            .swapped
            .iter()
            .position(|(other, _)| *other == slot);
        let old = at.map(|at| run.update.swapped.remove(at).1);
        let Some(resource) = self.resources.get_mut(slot) else {
            return;
        };
        match old {
            Some(old) if old.physical_id != resource.physical_id => {
                let new = std::mem::replace(resource, old);
                run.update.swept.push((slot, new));
            }
            Some(old) => *resource = old,
            None => resource.version += 1,
        }
    }

    pub(super) fn finish(&mut self, mut run: Running, env: &mut Surroundings, at: i64) {
        use StackStatus as S;
        let what = if run.phase == Phase::Restoring {
            "update"
        } else {
            "delete"
        };
        let failed = run.failed.join(", ");
        let told = format!("The following resource(s) failed to {what}: [{failed}]. ");
        let told = (!run.failed.is_empty()).then_some(told.as_str());
        match run.phase {
            Phase::Creating => {
                self.put_out(&env.setting);
                self.say(env, at, &run, S::CreateComplete, None);
            }
            Phase::Undoing if told.is_none() => self.say(env, at, &run, S::RollbackComplete, None),
            Phase::Undoing => self.say(env, at, &run, S::RollbackFailed, told),
            Phase::Deleting if told.is_none() => {
                self.sets.clear();
                self.say(env, at, &run, S::DeleteComplete, None);
            }
            Phase::Deleting => self.say(env, at, &run, S::DeleteFailed, told),
            Phase::Updating => self.tidy(run, env, at),
            Phase::Tidying => {
                self.drop_dropped(&run);
                self.say(env, at, &run, S::UpdateComplete, None);
            }
            Phase::Restoring if told.is_none() => self.sweep(run, env, at),
            Phase::Restoring => {
                self.say(env, at, &run, S::UpdateRollbackFailed, told);
                run.failed.clear();
                self.stuck = Some(run);
            }
            Phase::Sweeping => {
                let made = std::mem::take(&mut run.update.made);
                let ids = made.iter().filter_map(|slot| self.resources.get(*slot));
                run.update.dropped = ids.map(|one| one.logical_id.clone()).collect();
                self.drop_dropped(&run);
                self.say(env, at, &run, S::UpdateRollbackComplete, None);
            }
        }
    }

    fn drop_dropped(&mut self, run: &Running) {
        let gone = &run.update.dropped;
        self.resources
            .retain(|resource| !gone.contains(&resource.logical_id));
    }

    /// The new is there: what it took the place of goes.
    fn tidy(&mut self, mut run: Running, env: &mut Surroundings, at: i64) {
        run.phase = Phase::Tidying;
        self.put_out(&env.setting);
        self.say(
            env,
            at,
            &run,
            StackStatus::UpdateCompleteCleanupInProgress,
            None,
        );
        let mut jobs = Vec::new();
        let before = run.update.before.take();
        let old = before.as_ref().map(|before| before.compiled.clone());
        for (slot, was) in std::mem::take(&mut run.update.swapped) {
            let new = self
                .compiled
                .as_ref()
                .and_then(|all| all.item(&was.logical_id));
            let deletion_policy = new.map_or(DeletionPolicy::Delete, |item| item.when_replaced);
            let removal = self.removal(env, &was, deletion_policy, How::Replaced);
            jobs.push(Job::new(slot, Work::Remove(removal)));
        }
        for id in &run.update.dropped {
            let item = old.as_ref().and_then(|all| all.item(id));
            let deletion_policy = item.map_or(DeletionPolicy::Delete, |item| item.when_removed);
            if let Some(slot) = self.slot(id) {
                let resource = self.resources.get(slot);
                let removal =
                    resource.map(|one| self.removal(env, one, deletion_policy, How::Dropped));
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

    /// The old is back: what had been made beside it goes.
    fn sweep(&mut self, mut run: Running, env: &mut Surroundings, at: i64) {
        run.phase = Phase::Sweeping;
        let status = StackStatus::UpdateRollbackCompleteCleanupInProgress;
        self.say(env, at, &run, status, None);
        let mut jobs = Vec::new();
        for (slot, new) in std::mem::take(&mut run.update.swept) {
            let removal = self.removal(env, &new, DeletionPolicy::Delete, How::Reverted);
            jobs.push(Job::new(slot, Work::Remove(removal)));
        }
        for slot in &run.update.made {
            if let Some(resource) = self.resources.get(*slot) {
                let removal = self.removal(env, resource, DeletionPolicy::Delete, How::Undone);
                jobs.push(Job::new(*slot, Work::Remove(removal)));
            }
        }
        run.jobs = jobs;
        self.begin(&mut run, env, at);
        self.running = Some(run);
    }

    pub(in crate::simulated) fn delete(
        &mut self,
        env: &mut Surroundings,
        at: i64,
        token: Option<&str>,
        log: usize,
    ) {
        if let Some(mut run) = self.running.take() {
            self.cancel(&mut run, env, at);
        }
        self.stuck = None;
        let number = self.number();
        let mut run = Running::new(number, token, Phase::Deleting, log);
        self.take_down(&mut run, env, How::StackDeleted);
        self.launch(env, at, run, StackStatus::DeleteInProgress);
    }

    /// Goes on with a rollback that got stuck. Its events carry the new token, and belong to the update.
    pub(in crate::simulated) fn go_on(
        &mut self,
        env: &mut Surroundings,
        at: i64,
        skip: &[String],
        token: &str,
    ) {
        let Some(mut run) = self.stuck.take() else {
            return;
        };
        run.update.skip = skip.iter().cloned().collect();
        run.token = Some(token.to_owned());
        run.log = env.log.len().saturating_sub(1);
        self.tokens.insert(token.to_owned());
        self.take_back(&mut run);
        let status = StackStatus::UpdateRollbackInProgress;
        self.say(env, at, &run, status, Some("User Initiated"));
        run.after(at + 2000, Happening::Begin);
        self.running = Some(run);
    }

    /// Breaks off an update.
    pub(in crate::simulated) fn call_off(&mut self, env: &mut Surroundings, at: i64) {
        let Some(mut run) = self.running.take() else {
            return;
        };
        self.cancel(&mut run, env, at);
        run.after(at + 1000, Happening::Turn("User Initiated".to_owned()));
        self.running = Some(run);
    }

    /// Whether an update runs that has not turned back yet.
    pub(in crate::simulated) fn is_updating(&self) -> bool {
        let run = self.running.as_ref();
        run.is_some_and(|run| run.phase == Phase::Updating)
            && self.found.status == StackStatus::UpdateInProgress
    }
}
