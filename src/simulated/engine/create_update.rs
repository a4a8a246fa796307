//! Creating, changing and replacing resources.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::job::{Direction, JobAction, chain};
use super::{
    Before, Environment, Job, JobProgress, Phase, Running, ScriptedFailure, SimEvent, Work,
};
use crate::catalog::durations::Operation;
use crate::cloud::{ResourceChange, StackStatus};
use crate::simulated::compiled::Compiled;
use crate::simulated::config::QUOTA;
use crate::simulated::machines::{self, JoinCheck, JoinWait, NoSignal};
use crate::simulated::stack::{Resource, Stack};
use crate::simulated::timing::Typical;
use crate::simulated::{names, reasons, rng, timing};

/// What an update applies.
pub(in crate::simulated) struct StackUpdate {
    pub(in crate::simulated) compiled: Rc<Compiled>,
    pub(in crate::simulated) parameters: BTreeMap<String, String>,
    pub(in crate::simulated) tags: BTreeMap<String, String>,
    pub(in crate::simulated) candidates: BTreeMap<String, Candidate>,
}

/// Types that report when they are configured but not yet complete.
const REPORTS_CONFIGURED: &[&str] = &[
    "AWS::EC2::SecurityGroup",
    "AWS::ElasticLoadBalancingV2::LoadBalancer",
    "AWS::IAM::InstanceProfile",
    "AWS::IAM::Role",
    "AWS::KMS::Alias",
    "AWS::KMS::Key",
    "AWS::S3::Bucket",
];

/// How a change set touches a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::simulated) enum Candidate {
    /// Where its properties differ from those of the template before.
    Compared,
    /// In spite of equal properties.
    Forced,
    /// It is set back to its template, or made again where it is gone.
    Reverted,
}

/// Which resources a change set touches.
pub(in crate::simulated) fn candidates(
    changes: &[ResourceChange],
    reverted: &BTreeSet<String>,
) -> BTreeMap<String, Candidate> {
    let forced = |change: &ResourceChange| {
        let mut paths = change
            .properties
            .iter()
            .map(|property| property.path.as_str());
        if reverted.contains(&change.logical_id) {
            Candidate::Reverted
        } else if paths.any(|path| !path.starts_with("Properties")) {
            Candidate::Forced
        } else {
            Candidate::Compared
        }
    };
    let named = changes
        .iter()
        .map(|change| (change.logical_id.clone(), forced(change)));
    named.collect()
}

/// An update that changes nothing but one resource, in place.
pub(in crate::simulated) fn single_update(stack: &Stack, id: &str) -> Option<StackUpdate> {
    let compiled = stack.compiled.clone()?;
    compiled.item(id)?;
    Some(StackUpdate {
        compiled,
        parameters: stack.live.parameters.clone(),
        tags: stack.live.tags.clone(),
        candidates: BTreeMap::from([(id.to_owned(), Candidate::Forced)]),
    })
}

impl Stack {
    pub(in crate::simulated) fn create(
        &mut self,
        env: &mut Environment,
        at: i64,
        token: Option<&str>,
        log: usize,
    ) {
        let Some(compiled) = self.compiled.clone() else {
            return;
        };
        let items = compiled.items.iter();
        self.resources = items
            .map(|item| Resource::new(&item.id, &item.of_type))
            .collect();
        let number = self.number();
        let mut run = Running::new(number, token, Phase::Creating, log);
        let slots = 0..self.resources.len();
        run.jobs = slots.map(|slot| Job::new(slot, Work::Make)).collect();
        chain(&mut run.jobs, &self.resources, &compiled, Direction::Up);
        self.launch(env, at, run, StackStatus::CreateInProgress);
    }

    pub(in crate::simulated) fn update(
        &mut self,
        env: &mut Environment,
        at: i64,
        wanted: StackUpdate,
        token: Option<&str>,
        log: usize,
    ) {
        let Some(old) = self.compiled.replace(Rc::clone(&wanted.compiled)) else {
            return;
        };
        let number = self.number();
        let mut run = Running::new(number, token, Phase::Updating, log);
        run.update.before = Some(Before {
            compiled: old,
            parameters: std::mem::replace(&mut self.live.parameters, wanted.parameters),
            tags: std::mem::replace(&mut self.live.tags, wanted.tags),
            resources: self.resources.clone(),
        });
        run.update.candidates = wanted.candidates;
        for item in &wanted.compiled.items {
            if self.slot(&item.id).is_none() {
                self.resources.push(Resource::new(&item.id, &item.of_type));
            }
        }
        for slot in 0..self.resources.len() {
            let id = self.resources.get(slot).map(|one| one.logical_id.clone());
            let id = id.unwrap_or_default();
            if wanted.compiled.index.contains_key(&id) {
                run.jobs.push(Job::new(slot, Work::Change));
            } else {
                run.jobs.push(Job::new(slot, Work::CheckRemoval));
                run.update.dropped.push(id);
            }
        }
        chain(
            &mut run.jobs,
            &self.resources,
            &wanted.compiled,
            Direction::Up,
        );
        self.live.updated = Some(super::timestamp(at));
        self.launch(env, at, run, StackStatus::UpdateInProgress);
    }

    /// Starts making a resource, also the new one of a replacement.
    pub(super) fn make(
        &mut self,
        run: &mut Running,
        env: &mut Environment,
        at: i64,
        number: usize,
    ) -> JobProgress {
        let Some(job) = run.job(number) else {
            return JobProgress::Done;
        };
        let (slot, replaces) = (job.slot, job.verb == JobAction::Replace);
        job.runs = true;
        if replaces {
            let message = "Requested update requires the creation of a new physical resource; hence \
                        creating one.";
            self.set_status(env, at, run, slot, "UPDATE_IN_PROGRESS", Some(message));
        } else {
            self.set_status(env, at, run, slot, "CREATE_IN_PROGRESS", None);
        }
        self.schedule(run, env, at, number, Operation::Create);
        JobProgress::Started
    }

    /// Schedules the events of a resource that has started: its end, or its failure.
    pub(super) fn schedule(
        &mut self,
        run: &mut Running,
        env: &mut Environment,
        at: i64,
        number: usize,
        operation: Operation,
    ) {
        let Some(slot) = run.jobs.get(number).map(|job| job.slot) else {
            return;
        };
        let Some(resource) = self.resources.get(slot) else {
            return;
        };
        let compiled = self.compiled.clone();
        let item = compiled
            .as_ref()
            .and_then(|all| all.item(&resource.logical_id));
        let typical = item.map_or(
            Typical {
                p50: 5.0,
                p90: 15.0,
            },
            |item| item.typical(operation),
        );
        let words = [
            self.live.name.as_str(),
            resource.logical_id.as_str(),
            if operation == Operation::Create {
                "create"
            } else {
                "update"
            },
        ];
        let takes = env.takes(&words, self.operations, typical);
        let signals = item
            .and_then(|item| item.signals)
            .filter(|_| operation == Operation::Create);
        let due = env.take_failure(&self.live.name, &resource.logical_id, operation);
        let creates = operation == Operation::Create;
        let first = (takes / 8).clamp(1, 3000);
        if let Some(ScriptedFailure { reason, boot }) = due {
            // Of machines that are never launched no signal is expected.
            let signals = signals.filter(|_| boot != Some(QUOTA));
            let count = signals.map(|(_, count)| count);
            let in_time = |code: &&str| {
                let after = machines::signals_after(code) * 1000;
                signals.is_some_and(|(timeout, _)| after <= rng::milliseconds(timeout))
            };
            let reports = boot.filter(|code| *code != QUOTA).filter(in_time);
            let reason = match (reports, count) {
                (Some(_), Some(count)) => reasons::failure_signalled(count),
                _ => reason.unwrap_or_else(|| {
                    let (id, of_type) = (&resource.logical_id, &resource.kind);
                    reasons::usual(&env.setting, id, of_type, operation, count)
                }),
            };
            let no_signal = (signals.is_some() && reason.contains("signal")).then_some(
                NoSignal::Boot(boot.unwrap_or_else(|| machines::usual_cause(self.joins()))),
            );
            let until = match (signals, reports) {
                (Some((timeout, _)), Some(code)) => (takes * 2)
                    .max(machines::signals_after(code) * 1000)
                    .min(rng::milliseconds(timeout)),
                (Some((timeout, _)), _) if no_signal.is_some() => rng::milliseconds(timeout),
                _ => (takes / 2).max(1),
            };
            if let Some(resource) = self.resources.get_mut(slot) {
                resource.no_signal = no_signal;
            }
            if creates && until > first {
                run.after(at + first, SimEvent::Initiated(number));
            }
            run.after(at + until, SimEvent::Fail(number, reason));
            return;
        }
        if creates {
            run.after(at + first, SimEvent::Initiated(number));
            let kind = resource.kind.as_str();
            if takes > 4 * first && REPORTS_CONFIGURED.contains(&kind) {
                run.after(at + takes / 3, SimEvent::Configured(number));
            }
        }
        match signals.filter(|_| self.joins()) {
            Some((timeout, count)) => {
                let words = [
                    self.live.name.as_str(),
                    resource.logical_id.as_str(),
                    "join",
                ];
                let joining = env.takes(&words, self.operations, timing::join());
                let waiting = JoinWait {
                    joining: joining.min(takes - first),
                    until: at + rng::milliseconds(timeout),
                    count,
                };
                let up = at + takes - waiting.joining;
                run.after(up, SimEvent::Join(number, waiting));
            }
            None => run.after(at + takes, SimEvent::End(number)),
        }
    }

    /// The machines of a job's group have looked whether they can join.
    pub(super) fn join_checked(
        &mut self,
        run: &mut Running,
        number: usize,
        waiting: JoinWait,
        look: JoinCheck,
    ) {
        let slot = run.jobs.get(number).map(|job| job.slot);
        let Some(resource) = slot.and_then(|slot| self.resources.get_mut(slot)) else {
            return;
        };
        resource.no_signal = None;
        match look {
            JoinCheck::Signals(at) => run.after(at, SimEvent::End(number)),
            JoinCheck::Repeat(at) => {
                resource.no_signal = Some(NoSignal::ControlPlane);
                run.after(at, SimEvent::Join(number, waiting));
            }
            JoinCheck::TimesOut(at) => {
                resource.no_signal = Some(NoSignal::ControlPlane);
                let reason = reasons::unsignalled(waiting.count);
                run.after(at, SimEvent::Fail(number, reason));
            }
        }
    }

    pub(super) fn initiated(
        &mut self,
        run: &mut Running,
        env: &mut Environment,
        at: i64,
        number: usize,
    ) {
        let Some((slot, verb)) = run.jobs.get(number).map(|job| (job.slot, job.verb)) else {
            return;
        };
        let named = self.named(&env.setting, slot);
        let stack = self.live.name.clone();
        if let Some(resource) = self.resources.get_mut(slot) {
            let made = || {
                names::physical(
                    &env.setting,
                    &stack,
                    &resource.logical_id,
                    &resource.kind,
                    (resource.generation << 32) | self.operations,
                )
            };
            let id = named.unwrap_or_else(made);
            resource.generation += 1;
            resource.version = 1;
            resource.physical_id = Some(id);
            resource.deleted_externally = false;
            resource.external_properties.clear();
            resource.desired = None;
            resource.suspended.clear();
        }
        let status = match verb {
            JobAction::Replace => "UPDATE_IN_PROGRESS",
            JobAction::Create | JobAction::Update | JobAction::Delete => "CREATE_IN_PROGRESS",
        };
        self.set_status(
            env,
            at,
            run,
            slot,
            status,
            Some("Resource creation Initiated"),
        );
    }

    pub(super) fn configured(
        &mut self,
        run: &mut Running,
        env: &mut Environment,
        at: i64,
        number: usize,
    ) {
        let Some((slot, verb)) = run.jobs.get(number).map(|job| (job.slot, job.verb)) else {
            return;
        };
        let status = match verb {
            JobAction::Replace => "UPDATE_IN_PROGRESS",
            JobAction::Create | JobAction::Update | JobAction::Delete => "CREATE_IN_PROGRESS",
        };
        // The API's detailed status CONFIGURATION_COMPLETE comes with these words.
        let message = Some("Eventual consistency check initiated");
        self.set_status(env, at, run, slot, status, message);
    }
}
