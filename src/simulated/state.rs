//! The state of a simulated cloud, and how it advances in time.

use crate::common::tags::{TAG_CLUSTER, TAG_STACK};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::account::SimulatedAccount;
use super::compiled::Library;
use super::config::{Faults, SimulationConfig};
use super::engine::{Environment, OtherStacks, Running};
use super::fleet::Fleet;
use super::inspect::{Call, Write};
use super::middleware::FaultRng;
use super::names::{Setting, arn};
use super::outside::{Distort, Things};
use super::reasons;
use super::rng::{stream, uuid};
use super::stack::{Stack, timestamp};
use super::store::StoredParameter;
use crate::cloud::remote::CommandResult;
use crate::cloud::{LiveStack, Protection, StackStatus};

pub(super) struct State {
    pub(super) env: Environment,
    /// Deleted ones too, in the order in which they were made.
    pub(super) stacks: Vec<Stack>,
    /// Milliseconds up to which everything has happened.
    pub(super) now: i64,
    pub(super) library: Library,
    /// Parameters and secrets, by name.
    pub(super) parameters: BTreeMap<String, StoredParameter>,
    pub(super) fault_rng: FaultRng,
    /// How far behind the present call's read is, in milliseconds, by a scripted fault.
    pub(super) lag: i64,
    pub(super) calls: Vec<Call>,
    /// Scripted answers of machines, by group and command.
    pub(super) commands: BTreeMap<(String, String), VecDeque<CommandResult>>,
    pub(super) account: SimulatedAccount,
    /// What the caller's client makes of what lies outside the stacks.
    pub(super) distort: Option<Distort>,
    /// The machines one by one, once they are asked for.
    pub(super) fleet: Option<Box<Fleet>>,
    /// Calls since the start or the last restart.
    pub(super) call_count: u64,
    /// Templates, parameters and tags that came in.
    pub(super) received: BTreeSet<String>,
}

/// The beginning of a stack.
pub(super) struct NewStack<'a> {
    pub(super) name: &'a str,
    pub(super) tags: BTreeMap<String, String>,
    pub(super) parameters: BTreeMap<String, String>,
    pub(super) status: StackStatus,
}

impl State {
    pub(super) fn new(config: SimulationConfig, library: Library) -> Self {
        Self {
            fault_rng: FaultRng::new(config.seed),
            env: Environment {
                setting: Setting {
                    seed: config.seed,
                    account: config.account,
                    region: config.region,
                },
                noise: config.noise,
                faults: config.faults,
                failures: config.failures,
                log: Vec::new(),
                losses: Vec::new(),
                buckets: BTreeMap::new(),
                outside: Things::new(config.seed),
            },
            stacks: Vec::new(),
            now: 0,
            library,
            parameters: BTreeMap::new(),
            lag: 0,
            calls: Vec::new(),
            commands: BTreeMap::new(),
            account: SimulatedAccount::default(),
            distort: None,
            fleet: None,
            call_count: 0,
            received: BTreeSet::new(),
        }
    }

    pub(super) fn restart(&mut self, faults: Faults) {
        self.call_count = 0;
        self.env.faults = faults;
    }

    /// Handles every event that is due, over all stacks in the order of time.
    pub(super) fn advance(&mut self, now: i64) {
        loop {
            let outside = self.env.outside.next().filter(|at| *at <= now);
            let stack = self.next().filter(|(at, _)| *at <= now);
            let (at, index) = match (stack, outside) {
                (Some((at, _)), Some(first)) if first < at => {
                    self.step_outside(first);
                    continue;
                }
                (None, Some(first)) => {
                    self.step_outside(first);
                    continue;
                }
                (Some(stack), _) => stack,
                (None, None) => break,
            };
            self.now = at;
            let others = OtherStacks {
                in_use: self.in_use(index),
                serves: self.joins_next(index) && self.serves(index),
            };
            if let Some((stack, env)) = self.stack_and_env(index) {
                stack.step(env, others);
            }
        }
        self.now = self.now.max(now);
        self.advance_fleet(now);
    }

    fn next(&self) -> Option<(i64, usize)> {
        let all = self.stacks.iter().enumerate();
        let next = all.filter_map(|(index, stack)| Some((stack.running.as_ref()?.next()?, index)));
        next.min()
    }

    /// Whether the next event of a stack is a check whether its machines can join.
    fn joins_next(&self, index: usize) -> bool {
        let running = self
            .stacks
            .get(index)
            .and_then(|stack| stack.running.as_ref());
        running.is_some_and(Running::joins)
    }

    /// Why what the next event of a stack would remove can't go: another stack still uses it.
    fn in_use(&self, index: usize) -> Option<String> {
        let physical_id = self.stacks.get(index)?.running.as_ref()?.removes()?;
        let mut others = self
            .stacks
            .iter()
            .enumerate()
            .filter(|(other, _)| *other != index);
        let blocked = others.any(|(_, stack)| uses(stack, physical_id));
        let blocked = blocked.then(|| reasons::in_use(&self.env.setting, physical_id));
        blocked.or_else(|| self.held_from_outside(physical_id))
    }

    /// The stack of this name that is not deleted.
    pub(super) fn named(&self, name: &str) -> Option<usize> {
        let is = |stack: &Stack| stack.live.name == name && !stack.is_deleted();
        self.stacks.iter().position(is)
    }

    /// A stack by ARN, or by name while it is not deleted.
    pub(super) fn find(&self, id: &str) -> Option<usize> {
        let by_id = self.stacks.iter().position(|stack| stack.live.id == id);
        by_id.or_else(|| self.named(id))
    }

    /// A stack, with what surrounds it.
    pub(super) fn stack_and_env(&mut self, index: usize) -> Option<(&mut Stack, &mut Environment)> {
        Some((self.stacks.get_mut(index)?, &mut self.env))
    }

    /// Records a write. Returns its index in the log.
    pub(super) fn write(&mut self, verb: &'static str, stack: &str, token: Option<&str>) -> usize {
        self.log(verb, stack, token, None)
    }

    /// The same of a write that sets a stack's protection.
    pub(super) fn log(
        &mut self,
        verb: &'static str,
        stack: &str,
        token: Option<&str>,
        protection: Option<&Protection>,
    ) -> usize {
        self.env.log.push(Write {
            at: timestamp(self.now),
            verb,
            stack: stack.to_owned(),
            token: token.map(str::to_owned),
            policy: protection.and_then(|set| set.policy.clone()),
            deleted: Vec::new(),
            replaced: Vec::new(),
        });
        self.env.log.len() - 1
    }

    /// A stack that is created now.
    pub(super) fn new_stack(&mut self, beginning: NewStack<'_>) -> Stack {
        let setting = &self.env.setting;
        let number = self.stacks.len() as u64;
        let rng = &mut stream(setting.seed, &["stack", beginning.name], number);
        let resource = format!("stack/{}/{}", beginning.name, uuid(rng));
        let tag = |name| beginning.tags.get(name).cloned().unwrap_or_default();
        let live = LiveStack {
            id: arn(setting, "cloudformation", &resource),
            name: beginning.name.to_owned(),
            cluster: tag(TAG_CLUSTER),
            kind: tag(TAG_STACK),
            status: beginning.status,
            reason: None,
            parameters: beginning.parameters,
            outputs: BTreeMap::new(),
            tags: beginning.tags,
            termination_protection: false,
            created: timestamp(self.now),
            updated: None,
        };
        let mut stack = Stack::new(live);
        stack.remember(self.now);
        stack
    }
}

/// Types whose resources only remember an id and don't hold on to what it names.
const LOOSE: &[&str] = &[
    "AWS::EC2::LaunchTemplate",
    "AWS::IAM::Policy",
    "AWS::SSM::Parameter",
];

/// Whether a live resource of a stack holds on to something that came in by a parameter.
fn uses(stack: &Stack, physical_id: &str) -> bool {
    let Some(compiled) = stack.compiled.as_ref().filter(|_| !stack.is_deleted()) else {
        return false;
    };
    let given = |name: &String| {
        let value = stack.live.parameters.get(name);
        value.is_some_and(|value| value.split(',').any(|one| one == physical_id))
    };
    stack.resources.iter().any(|resource| {
        let item = compiled.item(&resource.logical_id);
        resource.exists()
            && !LOOSE.contains(&resource.kind.as_str())
            && item.is_some_and(|item| item.parameters.iter().any(given))
    })
}
