//! A small double of the cloud for the tests of this room: stacks in a map, operations that take
//! scripted time on tokio's virtual clock, scripted answers and errors. It knows no templates, no
//! dependencies between resources and no rules of CloudFormation beyond those written here.

mod answers;

use crate::common::tags::{TAG_CLUSTER, TAG_STACK};
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use tokio::time::Instant;

use crate::cloud::{
    ChangeSet, ChangeSetRequest, CloudError, Console, Drift, LiveResource, LiveStack,
    OpenChangeSet, ResourceChange, ResourceStatus, StackEvent, StackStatus,
};

/// What an operation on a stack does.
#[derive(Debug, Clone)]
pub struct Script {
    pub seconds: u64,
    pub ends: &'static str,
    /// Second, logical id, type, status, reason.
    pub events: Vec<(u64, &'static str, &'static str, &'static str, &'static str)>,
    pub outputs: Vec<(&'static str, &'static str)>,
    /// Seconds by which the event of this place in `events` can be read later than it happened.
    pub late: BTreeMap<usize, u64>,
}

#[derive(Debug, Clone)]
pub struct Held {
    pub found: LiveStack,
    pub template: Value,
    running: Option<Running>,
}

#[derive(Debug, Clone)]
struct Running {
    token: String,
    began: Instant,
    script: Script,
    verb: &'static str,
    number: usize,
    over: bool,
}

/// A lost answer: the request has its effect, and the caller gets an error.
#[derive(Debug, Clone)]
pub enum Fault {
    Before(CloudError),
    After(CloudError),
}

pub struct Double {
    pub began: Instant,
    pub stacks: RefCell<BTreeMap<String, Held>>,
    /// Scripts by `create canary-base`, `execute canary-base`, `delete canary-base`.
    pub scripts: RefCell<BTreeMap<String, Script>>,
    /// Answers to proposals, by stack; empty when there is none.
    pub answers: RefCell<BTreeMap<String, VecDeque<Vec<ResourceChange>>>>,
    /// Faults by method, or by `method stack`; each call takes one.
    pub faults: RefCell<BTreeMap<String, VecDeque<Fault>>>,
    /// `second method what`.
    pub calls: RefCell<Vec<String>>,
    /// Change sets neither executed nor discarded.
    pub open: RefCell<BTreeMap<String, ChangeSetRequest>>,
    /// Every answer to a proposal, by the change set's id; readable as long as the set is open.
    pub told: RefCell<BTreeMap<String, ChangeSet>>,
    /// What drifted, by the stack's id.
    pub drifts: RefCell<BTreeMap<String, Vec<Drift>>>,
    pub resources: RefCell<Vec<LiveResource>>,
    /// Stack policies as they were set, one after the other.
    pub policies: RefCell<Vec<Value>>,
    /// Change sets of others, by the stack's ARN.
    pub others: RefCell<BTreeMap<String, Vec<OpenChangeSet>>>,
    /// What the machines of every group said last.
    pub console: RefCell<Option<Console>>,
    number: Cell<usize>,
}

impl Script {
    pub fn well(seconds: u64, ends: &'static str) -> Self {
        Self {
            seconds,
            ends,
            events: Vec::new(),
            outputs: Vec::new(),
            late: BTreeMap::new(),
        }
    }
}

impl Double {
    pub fn new() -> Self {
        Self {
            began: Instant::now(),
            stacks: RefCell::default(),
            scripts: RefCell::default(),
            answers: RefCell::default(),
            faults: RefCell::default(),
            calls: RefCell::default(),
            open: RefCell::default(),
            told: RefCell::default(),
            drifts: RefCell::default(),
            resources: RefCell::default(),
            policies: RefCell::default(),
            others: RefCell::default(),
            console: RefCell::default(),
            number: Cell::new(0),
        }
    }

    pub fn script(&self, key: &str, script: Script) {
        self.scripts.borrow_mut().insert(key.to_owned(), script);
    }

    /// How many change sets lie about.
    pub fn orphans(&self) -> usize {
        self.open.borrow().len()
    }

    pub fn fault(&self, key: &str, times: usize, fault: &Fault) {
        let mut faults = self.faults.borrow_mut();
        let queue = faults.entry(key.to_owned()).or_default();
        queue.extend(std::iter::repeat_n(fault.clone(), times));
    }

    pub fn answer(&self, stack: &str, changes: Vec<ResourceChange>) {
        let mut answers = self.answers.borrow_mut();
        answers
            .entry(stack.to_owned())
            .or_default()
            .push_back(changes);
    }

    /// Puts a stack there as if it had been made long ago.
    pub fn put(&self, found: LiveStack, template: Value) {
        let held = Held {
            found,
            template,
            running: None,
        };
        self.stacks
            .borrow_mut()
            .insert(held.found.name.clone(), held);
    }

    /// Calls of a method, as `second what`.
    pub fn called(&self, method: &str) -> Vec<String> {
        let calls = self.calls.borrow();
        let of = |line: &String| {
            let (second, rest) = line.split_once(' ')?;
            let what = rest.strip_prefix(method)?.strip_prefix(' ')?;
            Some(format!("{second} {what}"))
        };
        calls.iter().filter_map(of).collect()
    }

    fn fault_of(&self, method: &str, what: &str) -> Option<Fault> {
        let mut faults = self.faults.borrow_mut();
        let exact = faults
            .get_mut(&format!("{method} {what}"))
            .and_then(VecDeque::pop_front);
        exact.or_else(|| faults.get_mut(method)?.pop_front())
    }

    fn call<T>(
        &self,
        method: &str,
        what: &str,
        effect: impl FnOnce() -> Result<T, CloudError>,
    ) -> Result<T, CloudError> {
        let second = self.began.elapsed().as_secs();
        self.calls
            .borrow_mut()
            .push(format!("{second} {method} {what}"));
        self.settle();
        match self.fault_of(method, what) {
            None => effect(),
            Some(Fault::Before(error)) => Err(error),
            Some(Fault::After(error)) => {
                let _ = effect();
                Err(error)
            }
        }
    }

    /// Lets operations end whose time has come.
    fn settle(&self) {
        for held in self.stacks.borrow_mut().values_mut() {
            let Some(running) = held.running.as_mut().filter(|running| !running.over) else {
                continue;
            };
            if running.began.elapsed() >= Duration::from_secs(running.script.seconds) {
                running.over = true;
                held.found.status = StackStatus::from(running.script.ends);
                for (key, value) in &running.script.outputs {
                    held.found
                        .outputs
                        .insert((*key).to_owned(), (*value).to_owned());
                }
            }
        }
    }

    fn begin(&self, name: &str, verb: &'static str, method: &str, token: &str) {
        let script = self
            .scripts
            .borrow()
            .get(&format!("{method} {name}"))
            .cloned();
        let ends = match verb {
            "CREATE" => "CREATE_COMPLETE",
            "UPDATE" => "UPDATE_COMPLETE",
            "UPDATE_ROLLBACK" => "UPDATE_ROLLBACK_COMPLETE",
            _ => "DELETE_COMPLETE",
        };
        self.number.set(self.number.get() + 1);
        let mut stacks = self.stacks.borrow_mut();
        let held = stacks.get_mut(name).expect("the stack is there");
        held.found.status = StackStatus::from(format!("{verb}_IN_PROGRESS").as_str());
        held.running = Some(Running {
            token: token.to_owned(),
            began: Instant::now(),
            script: script.unwrap_or_else(|| Script::well(5, ends)),
            verb,
            number: self.number.get(),
            over: false,
        });
    }

    /// Starts an operation as somebody else would.
    pub fn elsewhere(&self, name: &str, verb: &'static str, method: &str) {
        self.begun_by(name, verb, method, "somebody-else");
    }

    /// The same with a token.
    pub fn begun_by(&self, name: &str, verb: &'static str, method: &str, token: &str) {
        self.begin(name, verb, method, token);
    }

    fn history(running: &Running) -> Vec<StackEvent> {
        let began = format!("{}_IN_PROGRESS", running.verb);
        let script = &running.script;
        let mut lines = vec![(0, "", "", began.as_str(), "")];
        lines.extend(script.events.iter().copied());
        lines.push((script.seconds, "", "", script.ends, ""));
        let event = |(index, line): (usize, (u64, &str, &str, &str, &str))| {
            let (second, logical_id, kind, status, reason) = line;
            let at = i64::try_from(second).expect("seconds of a script");
            // The operation's own first event comes before those of the script.
            let late = index
                .checked_sub(1)
                .and_then(|place| script.late.get(&place));
            let readable = second + late.copied().unwrap_or(0);
            (readable <= running.began.elapsed().as_secs()).then(|| StackEvent {
                id: format!("{}-{index}", running.number),
                at: Timestamp::UNIX_EPOCH + SignedDuration::from_secs(at),
                logical_id: logical_id.to_owned(),
                physical_id: (!logical_id.is_empty()).then(|| format!("phys-{logical_id}")),
                resource_type: kind.to_owned(),
                status: ResourceStatus::new(status),
                reason: (!reason.is_empty()).then(|| reason.to_owned()),
                token: Some(running.token.clone()),
                stack_status: logical_id.is_empty().then(|| StackStatus::from(status)),
            })
        };
        lines.into_iter().enumerate().filter_map(event).collect()
    }

    fn by_id<T>(&self, id: &str, read: impl FnOnce(&mut Held) -> T) -> Result<T, CloudError> {
        let mut stacks = self.stacks.borrow_mut();
        let held = stacks.values_mut().find(|held| held.found.id == id);
        held.map(read)
            .ok_or_else(|| CloudError::NotFound(id.to_owned()))
    }
}

/// A stack as it stands after its creation.
pub fn found(cluster: &str, name: &str, status: &str) -> LiveStack {
    let kind = name.strip_prefix(&format!("{cluster}-")).unwrap_or(name);
    let tags = [(TAG_CLUSTER, cluster), (TAG_STACK, kind)];
    LiveStack {
        id: format!("arn:{name}"),
        name: name.to_owned(),
        cluster: cluster.to_owned(),
        kind: kind.to_owned(),
        status: StackStatus::from(status),
        reason: None,
        parameters: BTreeMap::new(),
        outputs: BTreeMap::new(),
        tags: tags.map(|(k, v)| (k.to_owned(), v.to_owned())).into(),
        termination_protection: false,
        created: Timestamp::UNIX_EPOCH,
        updated: None,
    }
}
