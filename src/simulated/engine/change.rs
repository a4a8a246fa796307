//! What an update does to a resource: nothing, change it in place, or replace it.

use super::create_update::Candidate;
use super::job::JobAction;
use super::{Environment, JobProgress, Running, SimEvent};
use crate::catalog::durations::Operation;
use crate::cloud::Replacement;
use crate::simulated::differences::differences;
use crate::simulated::policy;
use crate::simulated::stack::{Stack, StackResources};
use crate::templates::evaluate::{Pseudo, Scope};

impl Stack {
    /// Decides what an update does to a resource, and starts it.
    pub(super) fn change(
        &mut self,
        run: &mut Running,
        env: &mut Environment,
        at: i64,
        number: usize,
    ) -> JobProgress {
        let Some(slot) = run.jobs.get(number).map(|job| job.slot) else {
            return JobProgress::Done;
        };
        let Some(resource) = self.resources.get(slot) else {
            return JobProgress::Done;
        };
        let Some(candidate) = run.update.candidates.get(&resource.logical_id).copied() else {
            return JobProgress::Done;
        };
        if resource.physical_id.is_none()
            || resource.status == "CREATE_FAILED"
            || (resource.deleted_externally && candidate == Candidate::Reverted)
        {
            run.update.made.push(slot);
            return self.make(run, env, at, number);
        }
        let verb = match self.compare(run, env, slot) {
            Some(Replacement::Yes) => JobAction::Replace,
            None if candidate == Candidate::Compared => return JobProgress::Done,
            None | Some(_) => JobAction::Update,
        };
        let action = if verb == JobAction::Replace {
            "Update:Replace"
        } else {
            "Update:Modify"
        };
        if let Some(job) = run.job(number) {
            (job.runs, job.verb) = (true, verb);
        }
        let (id, of_type) = (&resource.logical_id, &resource.kind);
        if let Some(reason) = policy::forbidden(self.policy.as_ref(), action, id, of_type) {
            run.after(at + 500, SimEvent::Fail(number, reason));
            return JobProgress::Started;
        }
        if verb == JobAction::Update && resource.deleted_externally {
            let gone =
                format!("Resource of type '{of_type}' with identifier '{id}' was not found.");
            run.after(at + 500, SimEvent::Fail(number, gone));
            return JobProgress::Started;
        }
        if verb == JobAction::Replace {
            self.record_write(run, env, slot, |write| &mut write.replaced);
            run.update.replaced_resources.push((slot, resource.clone()));
            return self.make(run, env, at, number);
        }
        run.update.changed.push(slot);
        self.set_status(env, at, run, slot, "UPDATE_IN_PROGRESS", None);
        self.schedule(run, env, at, number, Operation::Update);
        JobProgress::Started
    }

    /// What the change of a resource's properties does to it; `None` when they are as they were.
    fn compare(&self, run: &Running, env: &Environment, slot: usize) -> Option<Replacement> {
        let before = run.update.before.as_ref()?;
        let resource = self.resources.get(slot)?;
        let id = &resource.logical_id;
        let now = self.properties(&env.setting, id);
        let resources = StackResources {
            setting: &env.setting,
            resources: &before.resources,
        };
        let scope = Scope {
            template: &before.compiled.template,
            parameters: &before.parameters,
            pseudo: Pseudo {
                account: &env.setting.account,
                region: &env.setting.region,
                stack_id: &self.live.id,
                stack_name: &self.live.name,
            },
            resources: &resources,
        };
        let written = before.compiled.body(id).get("Properties");
        let was = written
            .and_then(|written| scope.evaluate(written))
            .unwrap_or_default();
        let changes = differences(&resource.kind, &was, &now);
        let gravest = changes.iter().map(|change| change.recreates).max()?;
        Some(gravest)
    }

    /// Whether a resource may go when the update is done.
    pub(super) fn check_removal(
        &mut self,
        run: &mut Running,
        _: &mut Environment,
        at: i64,
        number: usize,
    ) -> JobProgress {
        let slot = run.jobs.get(number).map(|job| job.slot);
        let Some(resource) = slot.and_then(|slot| self.resources.get(slot)) else {
            return JobProgress::Done;
        };
        let (id, of_type) = (&resource.logical_id, &resource.kind);
        let denied = policy::forbidden(self.policy.as_ref(), "Update:Delete", id, of_type);
        let Some(reason) = denied else {
            return JobProgress::Done;
        };
        if let Some(job) = run.job(number) {
            (job.runs, job.verb) = (true, JobAction::Update);
        }
        run.after(at + 500, SimEvent::Fail(number, reason));
        JobProgress::Started
    }
}
