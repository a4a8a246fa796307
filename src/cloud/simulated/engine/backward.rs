//! Ends and ways back: what a finished job leaves, deleting, rolling back, and the next phase.

use std::collections::BTreeSet;

use super::job::{Direction, Verb, chain, with_snapshot};
use super::{Happening, Job, Phase, Progress, Removal, Running, Surroundings, Work};
use crate::catalog::resources::holds;
use crate::cloud::simulated::inspect::{How, Loss, Write};
use crate::cloud::simulated::stack::{Resource, Stack, moment};
use crate::cloud::simulated::timing::Typical;
use crate::cloud::simulated::world::{Operation, Stuck};
use crate::cloud::simulated::{compiled, reasons};
use crate::cloud::{Fate, StackStatus};

impl Stack {
    pub(super) fn end(
        &mut self,
        run: &mut Running,
        env: &mut Surroundings,
        at: i64,
        number: usize,
        in_use: Option<String>,
    ) -> bool {
        let Some(job) = run.jobs.get(number) else {
            return false;
        };
        let (slot, verb) = (job.slot, job.verb);
        if let Work::Remove(removal) = &job.work {
            let removal = removal.clone();
            if let Some(reason) = in_use.or_else(|| self.refuses(env, slot, &removal)) {
                return self.breaks(run, env, at, number, &reason);
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
        true
    }

    /// Why a resource can't be deleted, for reasons of its own.
    fn refuses(&self, env: &Surroundings, slot: usize, removal: &Removal) -> Option<String> {
        let resource = self.resources.get(slot)?;
        let physical_id = removal.physical_id.as_deref()?;
        let holds_objects = || {
            env.buckets
                .get(physical_id)
                .is_some_and(|all| !all.is_empty())
        };
        match resource.resource_type.as_str() {
            "AWS::RDS::DBInstance" if removal.protected => {
                Some(reasons::protected(&env.setting, physical_id))
            }
            "AWS::S3::Bucket" if holds_objects() => {
                Some(reasons::not_empty(&env.setting, physical_id))
            }
            _ => None,
        }
    }

    /// Starts removing a resource, or passes it by.
    pub(super) fn remove(
        &mut self,
        run: &mut Running,
        env: &mut Surroundings,
        at: i64,
        number: usize,
        removal: &Removal,
    ) -> Progress {
        let Some(slot) = run.jobs.get(number).map(|job| job.slot) else {
            return Progress::Instant;
        };
        let Some(resource) = self.resources.get(slot).cloned() else {
            return Progress::Instant;
        };
        if removal.fate == Fate::Retain && removal.physical_id.is_some() {
            self.leave(run, env, at, slot, removal);
            return Progress::Instant;
        }
        if let Some(job) = run.job(number) {
            (job.runs, job.verb) = (true, Verb::Delete);
        }
        self.state(run, env, at, slot, removal, ("DELETE_IN_PROGRESS", None));
        let compiled = self.compiled.clone();
        let item = compiled
            .as_ref()
            .and_then(|all| all.item(&resource.logical_id));
        let usual = Typical {
            p50: 5.0,
            p90: 15.0,
        };
        let typical = item.map_or(usual, |item| item.typical(Operation::Delete));
        let words = [
            self.found.name.as_str(),
            resource.logical_id.as_str(),
            "delete",
        ];
        let takes = match &removal.physical_id {
            Some(_) => env.takes(
                &words,
                self.operations,
                with_snapshot(typical, removal.fate),
            ),
            None => 500,
        };
        let happening = match env.due(&self.found.name, &resource.logical_id, Operation::Delete) {
            Some(reason) => {
                let (id, of_type) = (&resource.logical_id, &resource.resource_type);
                let usual = || reasons::usual(&env.setting, id, of_type, Operation::Delete, None);
                Happening::Break(number, reason.unwrap_or_else(usual))
            }
            None => Happening::End(number),
        };
        run.after(at + takes, happening);
        Progress::Goes
    }

    /// An event of what is removed, which may no longer be the stack's own resource.
    fn state(
        &mut self,
        run: &Running,
        env: &mut Surroundings,
        at: i64,
        slot: usize,
        removal: &Removal,
        told: (&'static str, Option<&str>),
    ) {
        if !removal.how.is_of_old() {
            return self.mark(env, at, run, slot, told.0, told.1);
        }
        let Some(resource) = self.resources.get(slot) else {
            return;
        };
        let (id, of_type) = (resource.logical_id.clone(), resource.resource_type.clone());
        let of = (
            id.as_str(),
            of_type.as_str(),
            removal.physical_id.as_deref(),
        );
        self.tell(env, at, run, of, told.0, told.1);
    }

    fn leave(
        &mut self,
        run: &Running,
        env: &mut Surroundings,
        at: i64,
        slot: usize,
        removal: &Removal,
    ) {
        self.state(run, env, at, slot, removal, ("DELETE_SKIPPED", None));
        self.lose(run, env, at, slot, removal);
    }

    fn removed(
        &mut self,
        run: &Running,
        env: &mut Surroundings,
        at: i64,
        number: usize,
        removal: &Removal,
    ) {
        let Some(slot) = run.jobs.get(number).map(|job| job.slot) else {
            return;
        };
        self.state(run, env, at, slot, removal, ("DELETE_COMPLETE", None));
        self.note(run, env, slot, |write| &mut write.deleted);
        if let Some(bucket) = &removal.physical_id {
            env.buckets.remove(bucket);
        }
        self.lose(run, env, at, slot, removal);
    }

    /// Keeps account of what held data and is no longer the stack's.
    fn lose(
        &mut self,
        run: &Running,
        env: &mut Surroundings,
        at: i64,
        slot: usize,
        removal: &Removal,
    ) {
        let Some(resource) = self.resources.get(slot) else {
            return;
        };
        let Some(physical_id) = removal.physical_id.clone() else {
            return;
        };
        if holds(&resource.resource_type).is_some() {
            env.losses.push(Loss {
                at: moment(at),
                stack: self.found.name.clone(),
                logical_id: resource.logical_id.clone(),
                resource_type: resource.resource_type.clone(),
                physical_id,
                how: removal.how,
                fate: removal.fate,
                token: run.token.clone(),
            });
        }
    }

    /// Writes a resource into the log of the write that runs.
    pub(super) fn note(
        &self,
        run: &Running,
        env: &mut Surroundings,
        slot: usize,
        list: impl FnOnce(&mut Write) -> &mut Vec<String>,
    ) {
        let Some(resource) = self.resources.get(slot) else {
            return;
        };
        if let Some(write) = env.log.get_mut(run.log) {
            list(write).push(resource.logical_id.clone());
        }
    }

    /// A resource that could not be deleted.
    pub(super) fn remains(
        &mut self,
        run: &Running,
        env: &mut Surroundings,
        at: i64,
        number: usize,
        reason: &str,
    ) {
        let Some(job) = run.jobs.get(number) else {
            return;
        };
        let slot = job.slot;
        if let Work::Remove(removal) = &job.work {
            let removal = removal.clone();
            self.state(
                run,
                env,
                at,
                slot,
                &removal,
                ("DELETE_FAILED", Some(reason)),
            );
        }
    }

    /// A phase fails on its way: the next one takes back what it did.
    pub(super) fn turn(
        &mut self,
        run: &mut Running,
        env: &mut Surroundings,
        at: i64,
        reason: &str,
    ) -> bool {
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
        self.begin(run, env, at)
    }

    /// Jobs that remove everything that was begun, whatever needs it first.
    fn take_down(&mut self, run: &mut Running, env: &Surroundings, how: How) {
        let Some(compiled) = self.compiled.clone() else {
            return;
        };
        let begun = |resource: &Resource| {
            !resource.status.is_empty()
                && !matches!(resource.status, "DELETE_COMPLETE" | "DELETE_SKIPPED")
        };
        let mut jobs = Vec::new();
        for (slot, resource) in self.resources.iter().enumerate() {
            if begun(resource) {
                let of_template = compiled.item(&resource.logical_id);
                let fate = of_template.map_or(Fate::Delete, |item| item.when_removed);
                // A snapshot of what has only just been made is not taken.
                let fate = match (how, fate) {
                    (How::Undone, Fate::Snapshot) => Fate::Delete,
                    (_, fate) => fate,
                };
                let removal = self.removal(env, resource, fate, how);
                jobs.push(Job::new(slot, Work::Remove(removal)));
            }
        }
        chain(&mut jobs, &self.resources, &compiled, Direction::Down);
        run.jobs = jobs;
    }

    fn removal(&self, env: &Surroundings, resource: &Resource, fate: Fate, how: How) -> Removal {
        let is_up = !matches!(resource.status, "CREATE_FAILED" | "CREATE_IN_PROGRESS");
        let protected = resource.resource_type == "AWS::RDS::DBInstance" && is_up && {
            let key = "DeletionProtection";
            let by_hand = resource.touched.get(key).cloned();
            let now = by_hand.or_else(|| {
                let all = self.properties(&env.setting, &resource.logical_id);
                all.get(key).cloned()
            });
            now.is_some_and(|value| compiled::is_true(&value))
        };
        Removal {
            physical_id: resource.physical_id.clone().filter(|_| !resource.vanished),
            fate,
            how,
            protected,
        }
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
                let of_type = self
                    .resources
                    .get(slot)
                    .map(|one| one.resource_type.clone());
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
            let fate = new.map_or(Fate::Delete, |item| item.when_replaced);
            let removal = self.removal(env, &was, fate, How::Replaced);
            jobs.push(Job::new(slot, Work::Remove(removal)));
        }
        for id in &run.update.dropped {
            let item = old.as_ref().and_then(|all| all.item(id));
            let fate = item.map_or(Fate::Delete, |item| item.when_removed);
            if let Some(slot) = self.slot(id) {
                let resource = self.resources.get(slot);
                let removal = resource.map(|one| self.removal(env, one, fate, How::Dropped));
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
            let removal = self.removal(env, &new, Fate::Delete, How::Reverted);
            jobs.push(Job::new(slot, Work::Remove(removal)));
        }
        for slot in &run.update.made {
            if let Some(resource) = self.resources.get(*slot) {
                let removal = self.removal(env, resource, Fate::Delete, How::Undone);
                jobs.push(Job::new(*slot, Work::Remove(removal)));
            }
        }
        run.jobs = jobs;
        self.begin(&mut run, env, at);
        self.running = Some(run);
    }

    pub(in crate::cloud::simulated) fn delete(
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
    pub(in crate::cloud::simulated) fn go_on(
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
    pub(in crate::cloud::simulated) fn call_off(&mut self, env: &mut Surroundings, at: i64) {
        let Some(mut run) = self.running.take() else {
            return;
        };
        self.cancel(&mut run, env, at);
        run.after(at + 1000, Happening::Turn("User Initiated".to_owned()));
        self.running = Some(run);
    }

    /// Whether an update runs that has not turned back yet.
    pub(in crate::cloud::simulated) fn is_updating(&self) -> bool {
        let run = self.running.as_ref();
        run.is_some_and(|run| run.phase == Phase::Updating)
            && self.found.status == StackStatus::UpdateInProgress
    }
}
