//! Failures: what a failed job does to the rest of its operation, and an operation without rollback.

use std::collections::BTreeMap;

use super::job::JobAction;
use super::{Environment, Phase, Running, SimEvent, StoredObject};
use crate::cloud::{BOOT_LOGS, StackStatus};
use crate::simulated::machines::{self, NoSignal};
use crate::simulated::stack::{Resource, Stack, timestamp};

/// The parameter with which machines are given the state bucket.
const STATE_BUCKET: &str = "StateBucket";

/// Whether nothing of the group's machines reaches AWS.
fn is_silent(group: &Resource) -> bool {
    group.no_signal == Some(NoSignal::Boot(machines::SILENT))
}

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

    /// The machine of a group whose boot fails stores its log and signals, where it can.
    fn boot_failed(&mut self, run: &Running, env: &mut Environment, at: i64, slot: usize) {
        let Some(group) = self.resources.get(slot) else {
            return;
        };
        let Some(NoSignal::Boot(code)) = group.no_signal.filter(|_| !is_silent(group)) else {
            return;
        };
        let instance = machines::instance(env.setting.seed, &self.live.id, group);
        let log = machines::recorded(code).and_then(|boot| boot.log);
        if let (Some(log), Some(bucket)) = (log, self.live.parameters.get(STATE_BUCKET)) {
            let time = timestamp(at).strftime("%Y%m%dT%H%M%SZ");
            let key = format!("{BOOT_LOGS}AROASIMULATED:{instance}/{time}.log");
            let object = StoredObject {
                bytes: log.as_bytes().to_vec(),
                written: timestamp(at),
                version: 1,
            };
            let objects = env.buckets.entry(bucket.clone()).or_default();
            objects.insert(key, object);
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
