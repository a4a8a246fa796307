//! Operations on stacks as events in time: every resource starts when its dependencies are complete, and
//! each event decides the next ones. Knows one stack at a time.

mod change;
mod create_update;
mod delete;
mod events;
mod failure;
mod finish;
mod job;
mod rollback;

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use create_update::Candidate;
pub(super) use create_update::{StackUpdate, candidates, single_update};
pub(super) use job::{Job, Removal, Work};

use jiff::Timestamp;

use super::compiled::Compiled;
use super::config::{Faults, Noise, ResourceFailure};
use super::inspect::{Loss, Write};
use super::machines::JoinWait;
use super::names::Setting;
use super::outside::Things;
use super::rng::{stream, takes};
use super::stack::{Resource, Stack, timestamp};
use super::timing;
use crate::catalog::durations::Operation;
use crate::cloud::StackStatus;

/// What all stacks share.
pub(super) struct Environment {
    pub(super) setting: Setting,
    pub(super) noise: Noise,
    pub(super) faults: Faults,
    pub(super) failures: Vec<ResourceFailure>,
    pub(super) log: Vec<Write>,
    pub(super) losses: Vec<Loss>,
    /// Objects by bucket and key.
    pub(super) buckets: BTreeMap<String, BTreeMap<String, StoredObject>>,
    pub(super) outside: Things,
}

/// An object of a bucket.
pub(super) struct StoredObject {
    pub(super) bytes: Vec<u8>,
    pub(super) written: Timestamp,
    /// How often the object was put.
    pub(super) version: u64,
}

/// The phase of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    Creating,
    /// A failed creation is rolled back.
    RollingBackCreate,
    Updating,
    /// What an update left over is deleted.
    Cleanup,
    /// A failed update is rolled back.
    RollingBackUpdate,
    /// What a failed update had made is deleted.
    RollbackCleanup,
    Deleting,
}

/// Something that happens to an operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum SimEvent {
    Begin,
    Initiated(usize),
    Configured(usize),
    /// The machines of the job's group check whether they can join.
    Join(usize, JoinWait),
    End(usize),
    /// The job fails, for this reason.
    Fail(usize, String),
    /// The operation failed and was begun without rollback.
    Stop,
    /// The rollback starts.
    RollBack(String),
    Finish,
}

/// What the next event of a stack has to know of the other stacks.
pub(super) struct OtherStacks {
    /// Why what it would remove can't go.
    pub(super) in_use: Option<String>,
    /// Whether the control plane of its cluster answers.
    pub(super) serves: bool,
}

/// A running operation, or a failed rollback.
pub(super) struct Running {
    /// Number of the operation that its events belong to.
    pub(super) number: u64,
    pub(super) token: Option<String>,
    pub(super) phase: Phase,
    /// Its line in the log of writes.
    log: usize,
    jobs: Vec<Job>,
    queue: BTreeMap<(i64, u32), SimEvent>,
    ticket: u32,
    active: usize,
    /// Resources that failed in this phase, cancelled ones too.
    failed: Vec<String>,
    /// Whether it stops where it fails.
    stops: bool,
    /// Whether its rollback is scheduled.
    rolls_back: bool,
    tail: i64,
    update: Update,
}

/// The state of an update.
#[derive(Default)]
pub(super) struct Update {
    before: Option<Before>,
    /// Resources that may change: `true` for those changed whatever their properties say.
    candidates: BTreeMap<String, Candidate>,
    /// Resources that the new template no longer has.
    dropped: Vec<String>,
    /// New resources.
    made: Vec<usize>,
    /// What was changed in place, or tried.
    changed: Vec<usize>,
    /// Replaced ones as they were.
    replaced_resources: Vec<(usize, Resource)>,
    /// New ones of replacements that were rolled back.
    discarded: Vec<(usize, Resource)>,
    skip: BTreeSet<String>,
}

/// A stack before its update.
pub(super) struct Before {
    compiled: Rc<Compiled>,
    parameters: BTreeMap<String, String>,
    tags: BTreeMap<String, String>,
    resources: Vec<Resource>,
}

/// Whether a job runs or was done at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum JobProgress {
    Started,
    Done,
}

/// A scripted failure.
struct ScriptedFailure {
    /// Its reason, where it has one of its own.
    reason: Option<String>,
    /// The code of the cause for which machines don't boot.
    boot: Option<&'static str>,
}

impl Environment {
    /// Takes a scripted failure, if one is due.
    fn take_failure(
        &mut self,
        stack: &str,
        id: &str,
        operation: Operation,
    ) -> Option<ScriptedFailure> {
        let fits = |one: &&mut ResourceFailure| {
            one.times > 0
                && one.operation == operation
                && one.logical_id == id
                && one.stack == stack
        };
        let failing = self.failures.iter_mut().find(fits)?;
        failing.times -= 1;
        Some(ScriptedFailure {
            reason: failing.reason.clone(),
            boot: failing.boot,
        })
    }

    /// Milliseconds that something takes, from a stream of its own.
    fn takes(&self, words: &[&str], number: u64, typical: timing::Typical) -> i64 {
        let mut rng = stream(self.setting.seed, words, number);
        takes(&mut rng, self.noise, typical)
    }
}

impl Running {
    fn new(number: u64, token: Option<&str>, phase: Phase, log: usize) -> Self {
        Self {
            number,
            token: token.map(str::to_owned),
            phase,
            log,
            jobs: Vec::new(),
            queue: BTreeMap::new(),
            ticket: 0,
            active: 0,
            failed: Vec::new(),
            stops: false,
            rolls_back: false,
            tail: 0,
            update: Update::default(),
        }
    }

    fn after(&mut self, at: i64, event: SimEvent) {
        self.ticket += 1;
        self.queue.insert((at, self.ticket), event);
    }

    /// The time of the next event.
    pub(super) fn next(&self) -> Option<i64> {
        self.queue.first_key_value().map(|((at, _), _)| *at)
    }

    /// The physical id and type that the next event would remove.
    pub(super) fn removes(&self) -> Option<&str> {
        let (_, event) = self.queue.first_key_value()?;
        let SimEvent::End(number) = event else {
            return None;
        };
        match &self.jobs.get(*number)?.work {
            Work::Remove(removal) => removal.physical_id.as_deref(),
            Work::Make | Work::Change | Work::CheckRemoval | Work::Restore => None,
        }
    }

    /// Whether the next event is a check whether machines can join.
    pub(super) fn joins(&self) -> bool {
        let next = self.queue.first_key_value();
        matches!(next, Some((_, SimEvent::Join(..))))
    }

    fn job(&mut self, number: usize) -> Option<&mut Job> {
        self.jobs.get_mut(number)
    }

    /// Removes a finished job from what its followers wait for. Returns those that can start.
    fn release_followers(&mut self, number: usize) -> Vec<usize> {
        let next = self.job(number).map(|job| std::mem::take(&mut job.next));
        let mut free = Vec::new();
        for follower in next.unwrap_or_default() {
            if let Some(job) = self.job(follower) {
                job.waits = job.waits.saturating_sub(1);
                if job.waits == 0 {
                    free.push(follower);
                }
            }
        }
        free
    }
}

impl Stack {
    /// Starts an operation: its first event, and the time until its first resource.
    fn launch(&mut self, env: &mut Environment, at: i64, mut run: Running, status: StackStatus) {
        let words = ["overhead", self.live.name.as_str()];
        let around = env.takes(&words, self.operations, timing::overhead());
        let lead = around * 3 / 8;
        run.tail = around - lead;
        run.after(at + lead, SimEvent::Begin);
        self.tokens.extend(run.token.clone());
        self.stack_event(env, at, &run, status, Some("User Initiated"));
        self.running = Some(run);
    }

    /// The number of the next operation.
    fn number(&mut self) -> u64 {
        self.operations += 1;
        self.operations
    }

    /// Handles the next event.
    pub(super) fn step(&mut self, env: &mut Environment, others: OtherStacks) {
        let Some(mut run) = self.running.take() else {
            return;
        };
        let Some(((at, _), event)) = run.queue.pop_first() else {
            return;
        };
        match event {
            SimEvent::Begin => self.begin(&mut run, env, at),
            SimEvent::Initiated(job) => self.initiated(&mut run, env, at, job),
            SimEvent::Configured(job) => self.configured(&mut run, env, at, job),
            SimEvent::End(job) => self.end(&mut run, env, at, job, others.in_use),
            SimEvent::Join(job, waiting) => {
                let look = waiting.check(at, others.serves);
                self.join_checked(&mut run, job, waiting, look);
            }
            SimEvent::Fail(job, reason) => self.fail_job(&mut run, env, at, job, &reason),
            SimEvent::Stop => return self.stop(&run, env, at),
            SimEvent::RollBack(reason) => self.roll_back(&mut run, env, at, &reason),
            SimEvent::Finish => return self.finish(run, env, at),
        }
        self.running = Some(run);
    }

    fn begin(&mut self, run: &mut Running, env: &mut Environment, at: i64) {
        let free = run.jobs.iter().enumerate();
        let free = free
            .filter(|(_, job)| job.waits == 0)
            .map(|(number, _)| number);
        self.release(run, env, at, free.collect());
    }

    /// Starts jobs, and those that only waited for ones that are done at once. The end, when none is left.
    fn release(
        &mut self,
        run: &mut Running,
        env: &mut Environment,
        at: i64,
        mut ready: Vec<usize>,
    ) {
        ready.reverse();
        while let Some(number) = ready.pop() {
            if self.start(run, env, at, number) == JobProgress::Done {
                ready.extend(run.release_followers(number));
            } else {
                run.active += 1;
            }
        }
        if run.active == 0 {
            let tail = match run.phase {
                Phase::Cleanup | Phase::RollbackCleanup | Phase::RollingBackUpdate => 1000,
                Phase::Creating | Phase::RollingBackCreate | Phase::Updating | Phase::Deleting => {
                    run.tail
                }
            };
            run.after(at + tail, SimEvent::Finish);
        }
    }

    fn start(
        &mut self,
        run: &mut Running,
        env: &mut Environment,
        at: i64,
        number: usize,
    ) -> JobProgress {
        let Some(job) = run.jobs.get(number) else {
            return JobProgress::Done;
        };
        match &job.work {
            Work::Make => self.make(run, env, at, number),
            Work::Change => self.change(run, env, at, number),
            Work::CheckRemoval => self.check_removal(run, env, at, number),
            Work::Restore => self.restore(run, env, at, number),
            Work::Remove(removal) => {
                let removal = removal.clone();
                self.remove(run, env, at, number, &removal)
            }
        }
    }
}
