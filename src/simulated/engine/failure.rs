//! Failures: what a failed job does to the rest of its operation, and an operation without rollback.

use std::collections::BTreeMap;

use super::job::JobAction;
use super::{Environment, Phase, Running, SimEvent};
use crate::cloud::StackStatus;
use crate::simulated::stack::Stack;

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
            JobAction::Create => self.set_status(env, at, run, slot, "CREATE_FAILED", Some(reason)),
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
