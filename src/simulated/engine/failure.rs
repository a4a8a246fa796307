//! Failures: what a failed job does to the rest of its operation, and an operation without rollback.

use std::collections::BTreeMap;

use super::job::JobAction;
use super::{Environment, Phase, Running, SimEvent, StoredObject};
use crate::cloud::{BOOT_LOGS, StackStatus};
use crate::simulated::machines::{self, NoSignal, STATE_BUCKET};
use crate::simulated::rng;
use crate::simulated::stack::{Stack, timestamp};

impl Stack {
    /// A job fails. In a creation or an update everything else is cancelled; a rollback continues with the rest.
    pub(super) fn fail_job(
        &mut self,
        run: &mut Running,
        env: &mut Environment,
        at: i64,
        number: usize,
        reason: &str,
    ) {
        let Some(job) = run.job(number) else {
            return;
        };
        job.runs = false;
        let (slot, verb) = (job.slot, job.verb);
        run.failed
            .extend(self.resources.get(slot).map(|one| one.logical_id.clone()));
        match verb {
            JobAction::Delete => {
                self.removal_failed(run, env, at, number, reason);
                run.active = run.active.saturating_sub(1);
                self.release(run, env, at, Vec::new());
                return;
            }
            JobAction::Create => {
                self.boot_failed(run, env, at, slot);
                self.set_status(env, at, run, slot, "CREATE_FAILED", Some(reason));
            }
            JobAction::Update | JobAction::Replace => {
                self.set_status(env, at, run, slot, "UPDATE_FAILED", Some(reason));
            }
        }
        if run.phase == Phase::RollingBackUpdate {
            run.active = run.active.saturating_sub(1);
            self.release(run, env, at, Vec::new());
            return;
        }
        if run.rolls_back {
            return;
        }
        run.rolls_back = true;
        // What fails in the same moment is not cancelled any more.
        let soon = |due: i64| due < at + 1000;
        let others = std::mem::take(&mut run.queue);
        let failing = others
            .into_iter()
            .filter(|((due, _), event)| soon(*due) && matches!(event, SimEvent::Fail(..)));
        let failing: BTreeMap<_, _> = failing.collect();
        for event in failing.values() {
            if let SimEvent::Fail(other, _) = event
                && let Some(job) = run.job(*other)
            {
                job.runs = false;
            }
        }
        self.cancel(run, env, at);
        run.queue = failing;
        if run.stops {
            run.after(at + 1000, SimEvent::Stop);
            return;
        }
        let (what, more) = match run.phase {
            Phase::Creating => ("create", "Rollback requested by user."),
            Phase::RollingBackCreate
            | Phase::Updating
            | Phase::Cleanup
            | Phase::RollingBackUpdate
            | Phase::RollbackCleanup
            | Phase::Deleting => ("update", ""),
        };
        let failed = run.failed.join(", ");
        let message = format!("The following resource(s) failed to {what}: [{failed}]. {more}");
        run.after(at + 1000, SimEvent::RollBack(message));
    }

    /// The machine of a group whose boot fails has stored its log, and signals where the group waits long enough.
    fn boot_failed(&mut self, run: &Running, env: &mut Environment, at: i64, slot: usize) {
        let Some(group) = self.resources.get(slot) else {
            return;
        };
        let Some(NoSignal::Boot(code)) = group.no_signal else {
            return;
        };
        let compiled = self.compiled.as_ref();
        let item = compiled.and_then(|all| all.item(&group.logical_id));
        let Some((timeout, _)) = item.and_then(|item| item.signals) else {
            return;
        };
        let signals = machines::signals_after(code) <= rng::milliseconds(timeout) / 1000;
        let stored = if signals {
            at
        } else {
            at - rng::milliseconds(timeout) + machines::fails_after(code) * 1000
        };
        let names = machines::Names::new(env.setting.seed, &self.live, group);
        let instance = names.instance.clone();
        let log = machines::recorded(code).and_then(|boot| boot.log);
        let bucket = self.live.parameters.get(STATE_BUCKET);
        if let (Some(log), Some(bucket), true) = (log, bucket, stored <= at) {
            let time = timestamp(stored).strftime("%Y%m%dT%H%M%SZ");
            let key = format!("{BOOT_LOGS}AROASIMULATED:{instance}/{time}.log");
            let object = StoredObject {
                bytes: names.fill(log).into_bytes(),
                written: timestamp(stored),
                version: 1,
            };
            let objects = env.buckets.entry(bucket.clone()).or_default();
            objects.insert(key, object);
        }
        if !signals {
            return;
        }
        let signal = format!("Received FAILURE signal with UniqueId {instance}");
        self.set_status(env, at, run, slot, "CREATE_IN_PROGRESS", Some(&signal));
    }

    /// Cancels every running job.
    pub(super) fn cancel(&mut self, run: &mut Running, env: &mut Environment, at: i64) {
        run.queue.clear();
        run.active = 0;
        for number in 0..run.jobs.len() {
            let Some(job) = run.job(number).filter(|job| job.runs) else {
                continue;
            };
            job.runs = false;
            let (slot, verb) = (job.slot, job.verb);
            run.failed
                .extend(self.resources.get(slot).map(|one| one.logical_id.clone()));
            let (status, reason) = match verb {
                JobAction::Create => ("CREATE_FAILED", "Resource creation cancelled"),
                JobAction::Update | JobAction::Replace | JobAction::Delete => {
                    ("UPDATE_FAILED", "Resource update cancelled")
                }
            };
            self.set_status(env, at, run, slot, status, Some(reason));
        }
    }

    /// An operation that failed stops where it is; its resources stay.
    pub(super) fn stop(&mut self, run: &Running, env: &mut Environment, at: i64) {
        let (status, what) = match run.phase {
            Phase::Creating => (StackStatus::CreateFailed, "create"),
            Phase::RollingBackCreate
            | Phase::Updating
            | Phase::Cleanup
            | Phase::RollingBackUpdate
            | Phase::RollbackCleanup
            | Phase::Deleting => (StackStatus::UpdateFailed, "update"),
        };
        let failed = run.failed.join(", ");
        let reason = format!("The following resource(s) failed to {what}: [{failed}]. ");
        self.stack_event(env, at, run, status, Some(&reason));
    }

    /// The running operation is not rolled back where it fails. `None` when none runs.
    pub(in crate::simulated) fn disable_rollback(&mut self) -> Option<()> {
        let run = self.running.as_mut()?;
        run.stops = true;
        Some(())
    }
}
