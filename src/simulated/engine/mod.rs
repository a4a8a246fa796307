//! Operations on stacks as a course of happenings in time: every resource starts when what it needs is
//! there, and what happens next is decided when it happens. Knows one stack at a time.

mod backward;
mod change;
mod forward;
mod job;
mod removal;
mod telling;

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

pub(super) use forward::{Wanted, candidates, touching};
pub(super) use job::{Job, Removal, Work};

use super::chance::{stream, takes};
use super::compiled::Compiled;
use super::inspect::{Loss, Write};
use super::machines::Waiting;
use super::names::Setting;
use super::stack::{Resource, Stack, moment};
use super::timing;
use super::world::{Failing, Faults, Noise, Operation};
use crate::cloud::StackStatus;

/// What all stacks share.
pub(super) struct Surroundings {
    pub(super) setting: Setting,
    pub(super) noise: Noise,
    pub(super) faults: Faults,
    pub(super) failures: Vec<Failing>,
    pub(super) log: Vec<Write>,
    pub(super) losses: Vec<Loss>,
    /// Objects by bucket and key.
    pub(super) buckets: BTreeMap<String, BTreeMap<String, Vec<u8>>>,
}

/// How far an operation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    Creating,
    /// A failed creation is taken back.
    Undoing,
    Updating,
    /// What an update left over is deleted.
    Tidying,
    /// A failed update is taken back.
    Restoring,
    /// What a failed update had made is deleted.
    Sweeping,
    Deleting,
}

/// Something that happens to an operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Happening {
    Begin,
    Initiated(usize),
    Configured(usize),
    /// The machines of the job's group look whether they can join.
    Join(usize, Waiting),
    End(usize),
    /// The job fails, for this reason.
    Break(usize, String),
    /// The operation turns back.
    Turn(String),
    Finish,
}

/// What the next happening of a stack has to know of the other stacks.
pub(super) struct Outside {
    /// Why what it would remove can't go.
    pub(super) in_use: Option<String>,
    /// Whether the control plane of its cluster answers.
    pub(super) serves: bool,
}

/// An operation that runs, or a rollback that got stuck.
pub(super) struct Running {
    /// Number of the operation that its events belong to.
    pub(super) number: u64,
    pub(super) token: Option<String>,
    pub(super) phase: Phase,
    /// Its line in the log of writes.
    log: usize,
    jobs: Vec<Job>,
    queue: BTreeMap<(i64, u32), Happening>,
    ticket: u32,
    active: usize,
    /// Resources that failed in this phase, cancelled ones too.
    failed: Vec<String>,
    tail: i64,
    update: Update,
}

/// What an update has to remember.
#[derive(Default)]
pub(super) struct Update {
    before: Option<Before>,
    /// Resources that may change: `true` for those changed whatever their properties say.
    candidates: BTreeMap<String, bool>,
    /// Resources that the new template no longer has.
    dropped: Vec<String>,
    /// What was made anew.
    made: Vec<usize>,
    /// What was changed in place, or tried.
    changed: Vec<usize>,
    /// Replaced ones as they were.
    swapped: Vec<(usize, Resource)>,
    /// New ones of replacements that were taken back.
    swept: Vec<(usize, Resource)>,
    skip: BTreeSet<String>,
}

/// A stack before its update.
pub(super) struct Before {
    compiled: Rc<Compiled>,
    parameters: BTreeMap<String, String>,
    tags: BTreeMap<String, String>,
    resources: Vec<Resource>,
}

/// Whether a job goes on or is done at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Progress {
    Goes,
    Instant,
}

/// A scripted failure, with its reason where it has one of its own.
struct Due(Option<String>);

impl Surroundings {
    /// Takes a scripted failure, if one is due.
    fn due(&mut self, stack: &str, id: &str, operation: Operation) -> Option<Due> {
        let fits = |one: &&mut Failing| {
            one.times > 0
                && one.operation == operation
                && one.logical_id == id
                && one.stack == stack
        };
        let failing = self.failures.iter_mut().find(fits)?;
        failing.times -= 1;
        Some(Due(failing.reason.clone()))
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
            tail: 0,
            update: Update::default(),
        }
    }

    fn after(&mut self, at: i64, happening: Happening) {
        self.ticket += 1;
        self.queue.insert((at, self.ticket), happening);
    }

    /// When the next thing happens.
    pub(super) fn next(&self) -> Option<i64> {
        self.queue.first_key_value().map(|((at, _), _)| *at)
    }

    /// The physical id and type that the next happening would remove.
    pub(super) fn removes(&self) -> Option<&str> {
        let (_, happening) = self.queue.first_key_value()?;
        let Happening::End(number) = happening else {
            return None;
        };
        match &self.jobs.get(*number)?.work {
            Work::Remove(removal) => removal.physical_id.as_deref(),
            _ => None,
        }
    }

    /// Whether the next thing is that machines look whether they can join.
    pub(super) fn joins(&self) -> bool {
        let next = self.queue.first_key_value();
        matches!(next, Some((_, Happening::Join(..))))
    }

    fn job(&mut self, number: usize) -> Option<&mut Job> {
        self.jobs.get_mut(number)
    }

    /// Takes a job off its followers. Those that wait for nothing any more.
    fn settle(&mut self, number: usize) -> Vec<usize> {
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
    fn launch(&mut self, env: &mut Surroundings, at: i64, mut run: Running, status: StackStatus) {
        let words = ["overhead", self.found.name.as_str()];
        let around = env.takes(&words, self.operations, timing::overhead());
        let lead = around * 3 / 8;
        run.tail = around - lead;
        run.after(at + lead, Happening::Begin);
        self.tokens.extend(run.token.clone());
        self.say(env, at, &run, status, Some("User Initiated"));
        self.running = Some(run);
    }

    /// The number of the next operation.
    fn number(&mut self) -> u64 {
        self.operations += 1;
        self.operations
    }

    /// Lets the next thing happen.
    pub(super) fn happen(&mut self, env: &mut Surroundings, outside: Outside) {
        let Some(mut run) = self.running.take() else {
            return;
        };
        let Some(((at, _), happening)) = run.queue.pop_first() else {
            return;
        };
        match happening {
            Happening::Begin => self.begin(&mut run, env, at),
            Happening::Initiated(job) => self.initiated(&mut run, env, at, job),
            Happening::Configured(job) => self.configured(&mut run, env, at, job),
            Happening::End(job) => self.end(&mut run, env, at, job, outside.in_use),
            Happening::Join(job, waiting) => {
                let look = waiting.look(at, outside.serves);
                self.joining(&mut run, job, waiting, look);
            }
            Happening::Break(job, reason) => self.breaks(&mut run, env, at, job, &reason),
            Happening::Turn(reason) => self.turn(&mut run, env, at, &reason),
            Happening::Finish => return self.finish(run, env, at),
        }
        self.running = Some(run);
    }

    fn begin(&mut self, run: &mut Running, env: &mut Surroundings, at: i64) {
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
        env: &mut Surroundings,
        at: i64,
        mut ready: Vec<usize>,
    ) {
        ready.reverse();
        while let Some(number) = ready.pop() {
            if self.start(run, env, at, number) == Progress::Instant {
                ready.extend(run.settle(number));
            } else {
                run.active += 1;
            }
        }
        if run.active == 0 {
            let tail = match run.phase {
                Phase::Tidying | Phase::Sweeping | Phase::Restoring => 1000,
                _ => run.tail,
            };
            run.after(at + tail, Happening::Finish);
        }
    }

    fn start(
        &mut self,
        run: &mut Running,
        env: &mut Surroundings,
        at: i64,
        number: usize,
    ) -> Progress {
        let Some(job) = run.jobs.get(number) else {
            return Progress::Instant;
        };
        match &job.work {
            Work::Make => self.make(run, env, at, number),
            Work::Change => self.change(run, env, at, number),
            Work::Depart => self.depart(run, env, at, number),
            Work::Restore => self.restore(run, env, at, number),
            Work::Remove(removal) => {
                let removal = removal.clone();
                self.remove(run, env, at, number, &removal)
            }
        }
    }
}
