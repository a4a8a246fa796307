//! Deleting resources: what is deleted or retained, what refuses, and which data is lost.

use super::job::{Direction, JobAction, chain, with_snapshot};
use super::{
    Environment, Job, JobProgress, Phase, Removal, Running, ScriptedFailure, SimEvent, Work,
};
use crate::catalog::durations::Operation;
use crate::catalog::resources::stored_data;
use crate::cloud::{DeletionPolicy, StackStatus};
use crate::simulated::inspect::{Loss, RemovalCause, Write};
use crate::simulated::stack::{Resource, Stack, timestamp};
use crate::simulated::timing::Typical;
use crate::simulated::{compiled, outside, reasons};

impl Stack {
    pub(in crate::simulated) fn delete(
        &mut self,
        env: &mut Environment,
        at: i64,
        token: Option<&str>,
        log: usize,
    ) {
        if let Some(mut run) = self.running.take() {
            self.cancel(&mut run, env, at);
        }
        self.failed_rollback = None;
        let number = self.number();
        let mut run = Running::new(number, token, Phase::Deleting, log);
        self.delete_resources(&mut run, env, RemovalCause::StackDeleted);
        for resource in &mut self.resources {
            resource.retains = false;
        }
        self.launch(env, at, run, StackStatus::DeleteInProgress);
    }

    /// Why a resource refuses to be deleted.
    pub(super) fn removal_error(
        &self,
        env: &Environment,
        slot: usize,
        removal: &Removal,
    ) -> Option<String> {
        let resource = self.resources.get(slot)?;
        let physical_id = removal.physical_id.as_deref()?;
        let holds_objects = || {
            env.buckets
                .get(physical_id)
                .is_some_and(|all| !all.is_empty())
        };
        match resource.kind.as_str() {
            "AWS::RDS::DBInstance" if removal.protected => {
                Some(reasons::protected(&env.setting, physical_id))
            }
            "AWS::S3::Bucket" if holds_objects() => {
                Some(reasons::not_empty(&env.setting, physical_id))
            }
            _ => None,
        }
    }

    /// Starts deleting a resource, or retains it.
    pub(super) fn remove(
        &mut self,
        run: &mut Running,
        env: &mut Environment,
        at: i64,
        number: usize,
        removal: &Removal,
    ) -> JobProgress {
        let Some(slot) = run.jobs.get(number).map(|job| job.slot) else {
            return JobProgress::Done;
        };
        let Some(resource) = self.resources.get(slot).cloned() else {
            return JobProgress::Done;
        };
        if removal.deletion_policy == DeletionPolicy::Retain && removal.physical_id.is_some() {
            self.retain(run, env, at, slot, removal);
            return JobProgress::Done;
        }
        if let Some(job) = run.job(number) {
            (job.runs, job.verb) = (true, JobAction::Delete);
        }
        self.removal_event(run, env, at, slot, removal, ("DELETE_IN_PROGRESS", None));
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
            self.live.name.as_str(),
            resource.logical_id.as_str(),
            "delete",
        ];
        let takes = match &removal.physical_id {
            Some(_) => env.takes(
                &words,
                self.operations,
                with_snapshot(typical, removal.deletion_policy),
            ),
            None => 500,
        };
        let event = match env.take_failure(&self.live.name, &resource.logical_id, Operation::Delete)
        {
            Some(ScriptedFailure { reason, .. }) => {
                let (id, of_type) = (&resource.logical_id, &resource.kind);
                let usual = || reasons::usual(&env.setting, id, of_type, Operation::Delete, None);
                SimEvent::Fail(number, reason.unwrap_or_else(usual))
            }
            None => SimEvent::End(number),
        };
        run.after(at + takes, event);
        JobProgress::Started
    }

    /// An event of what is removed, which may no longer be the stack's own resource.
    pub(super) fn removal_event(
        &mut self,
        run: &Running,
        env: &mut Environment,
        at: i64,
        slot: usize,
        removal: &Removal,
        now: (&'static str, Option<&str>),
    ) {
        if !removal.how.is_of_previous() {
            return self.set_status(env, at, run, slot, now.0, now.1);
        }
        let Some(resource) = self.resources.get(slot) else {
            return;
        };
        let (id, of_type) = (resource.logical_id.clone(), resource.kind.clone());
        let of = (
            id.as_str(),
            of_type.as_str(),
            removal.physical_id.as_deref(),
        );
        self.resource_event(env, at, run, of, now.0, now.1);
    }

    fn retain(
        &mut self,
        run: &Running,
        env: &mut Environment,
        at: i64,
        slot: usize,
        removal: &Removal,
    ) {
        self.removal_event(run, env, at, slot, removal, ("DELETE_SKIPPED", None));
        self.record_loss(run, env, at, slot, removal);
        if let Some(resource) = self.resources.get(slot) {
            outside::retained(env, self, &with_id(resource, removal), at);
        }
    }

    pub(super) fn removed(
        &mut self,
        run: &Running,
        env: &mut Environment,
        at: i64,
        number: usize,
        removal: &Removal,
    ) {
        let Some(slot) = run.jobs.get(number).map(|job| job.slot) else {
            return;
        };
        self.removal_event(run, env, at, slot, removal, ("DELETE_COMPLETE", None));
        self.record_write(run, env, slot, |write| &mut write.deleted);
        if let (Some(id), Some(resource)) = (&removal.physical_id, self.resources.get(slot)) {
            env.buckets.remove(id);
            let of = (id.as_str(), removal.deletion_policy);
            outside::deleted(env, self, &with_id(resource, removal), of, at);
        }
        self.record_loss(run, env, at, slot, removal);
    }

    /// Records a resource with data that is no longer the stack's.
    fn record_loss(
        &mut self,
        run: &Running,
        env: &mut Environment,
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
        if stored_data(&resource.kind).is_some() {
            env.losses.push(Loss {
                at: timestamp(at),
                stack: self.live.name.clone(),
                logical_id: resource.logical_id.clone(),
                resource_type: resource.kind.clone(),
                physical_id,
                how: removal.how,
                deletion_policy: removal.deletion_policy,
                token: run.token.clone(),
            });
        }
    }

    /// Writes a resource into the log of the write that runs.
    pub(super) fn record_write(
        &self,
        run: &Running,
        env: &mut Environment,
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
    pub(super) fn removal_failed(
        &mut self,
        run: &Running,
        env: &mut Environment,
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
            self.removal_event(
                run,
                env,
                at,
                slot,
                &removal,
                ("DELETE_FAILED", Some(reason)),
            );
        }
    }

    /// Jobs that remove everything that was begun, whatever needs it first.
    pub(super) fn delete_resources(
        &mut self,
        run: &mut Running,
        env: &Environment,
        how: RemovalCause,
    ) {
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
                let deletion_policy =
                    of_template.map_or(DeletionPolicy::Delete, |item| item.when_removed);
                // A snapshot of what has only just been made is not taken.
                let deletion_policy = match (how, deletion_policy) {
                    (RemovalCause::CreateRolledBack, DeletionPolicy::Snapshot) => {
                        DeletionPolicy::Delete
                    }
                    (_, _) if resource.retains => DeletionPolicy::Retain,
                    (_, deletion_policy) => deletion_policy,
                };
                let removal = self.removal(env, resource, deletion_policy, how);
                jobs.push(Job::new(slot, Work::Remove(removal)));
            }
        }
        chain(&mut jobs, &self.resources, &compiled, Direction::Down);
        run.jobs = jobs;
    }

    pub(super) fn removal(
        &self,
        env: &Environment,
        resource: &Resource,
        deletion_policy: DeletionPolicy,
        how: RemovalCause,
    ) -> Removal {
        let is_up = !matches!(resource.status, "CREATE_FAILED" | "CREATE_IN_PROGRESS");
        let protected = resource.kind == "AWS::RDS::DBInstance" && is_up && {
            let key = "DeletionProtection";
            let by_hand = resource.external_properties.get(key).cloned();
            let now = by_hand.or_else(|| {
                let all = self.properties(&env.setting, &resource.logical_id);
                all.get(key).cloned()
            });
            now.is_some_and(|value| compiled::is_true(&value))
        };
        Removal {
            physical_id: resource
                .physical_id
                .clone()
                .filter(|_| !resource.deleted_externally),
            deletion_policy,
            how,
            protected,
        }
    }
}

/// A resource as it was when its removal was decided: it may have another id by now.
fn with_id(resource: &Resource, removal: &Removal) -> Resource {
    Resource {
        physical_id: removal.physical_id.clone(),
        ..resource.clone()
    }
}
