//! A small double of the cloud for the tests of this room: stacks in a map, operations that take
//! scripted time on tokio's virtual clock, scripted answers and errors. It knows no templates, no
//! dependencies between resources and no rules of CloudFormation beyond those written here.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashSet, VecDeque};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use secrecy::SecretString;
use serde_json::Value;
use tokio::time::Instant;

use crate::cloud::{
    ChangeSet, Cloud, CloudError, FoundResource, FoundStack, Identity, Kept, Operation, Proposal,
    Protection, ResourceChange, ResourceStatus, StackEvent, StackStatus, Store, TAG_CLUSTER,
    TAG_STACK,
};

/// What an operation on a stack does.
#[derive(Debug, Clone)]
pub struct Script {
    pub seconds: u64,
    pub ends: &'static str,
    /// Second, logical id, type, status, reason.
    pub events: Vec<(u64, &'static str, &'static str, &'static str, &'static str)>,
    pub outputs: Vec<(&'static str, &'static str)>,
}

#[derive(Debug, Clone)]
pub struct Held {
    pub found: FoundStack,
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
    pub open: RefCell<BTreeMap<String, Proposal>>,
    pub resources: RefCell<Vec<FoundResource>>,
    number: Cell<usize>,
}

impl Script {
    pub fn well(seconds: u64, ends: &'static str) -> Self {
        Self {
            seconds,
            ends,
            events: Vec::new(),
            outputs: Vec::new(),
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
            resources: RefCell::default(),
            number: Cell::new(0),
        }
    }

    pub fn script(&self, key: &str, script: Script) {
        self.scripts.borrow_mut().insert(key.to_owned(), script);
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
    pub fn put(&self, found: FoundStack, template: Value) {
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
            let Some(running) = &held.running else {
                continue;
            };
            if running.began.elapsed() >= Duration::from_secs(running.script.seconds) {
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
        });
    }

    /// Starts an operation as somebody else would.
    pub fn elsewhere(&self, name: &str, verb: &'static str, method: &str) {
        self.begin(name, verb, method, "somebody-else");
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
            (second <= running.began.elapsed().as_secs()).then(|| StackEvent {
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
pub fn found(cluster: &str, name: &str, status: &str) -> FoundStack {
    let kind = name.strip_prefix(&format!("{cluster}-")).unwrap_or(name);
    let tags = [(TAG_CLUSTER, cluster), (TAG_STACK, kind)];
    FoundStack {
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

impl Cloud for Double {
    async fn identity(&self) -> Result<Identity, CloudError> {
        unreachable!("apply does not ask who is asking")
    }

    async fn stacks(&self, cluster: Option<&str>) -> Result<Vec<FoundStack>, CloudError> {
        self.call("stacks", "", || {
            let stacks = self.stacks.borrow();
            let all = stacks.values().map(|held| held.found.clone());
            Ok(all
                .filter(|found| cluster.is_none_or(|cluster| found.cluster == cluster))
                .filter(|found| found.status != StackStatus::DeleteComplete)
                .collect())
        })
    }

    async fn stack(&self, id: &str) -> Result<Option<FoundStack>, CloudError> {
        self.call("stack", id, || {
            Ok(self.by_id(id, |held| held.found.clone()).ok())
        })
    }

    async fn template(&self, stack_id: &str) -> Result<Value, CloudError> {
        self.call("template", stack_id, || {
            self.by_id(stack_id, |held| held.template.clone())
        })
    }

    async fn create(
        &self,
        wanted: &Proposal,
        protection: &Protection,
    ) -> Result<String, CloudError> {
        let name = &wanted.stack;
        self.call("create", name, || {
            let gone = |held: &Held| held.found.status == StackStatus::DeleteComplete;
            if self
                .stacks
                .borrow()
                .get(name)
                .is_some_and(|held| !gone(held))
            {
                return Err(CloudError::Conflict(format!(
                    "Stack [{name}] already exists"
                )));
            }
            let cluster = wanted.tags.get(TAG_CLUSTER).cloned().unwrap_or_default();
            let mut made = found(&cluster, name, "CREATE_IN_PROGRESS");
            made.parameters.clone_from(&wanted.parameters);
            made.tags.clone_from(&wanted.tags);
            made.termination_protection = protection.termination;
            let id = made.id.clone();
            let template = serde_json::from_str(&wanted.template).expect("a template");
            self.put(made, template);
            self.begin(name, "CREATE", "create", &wanted.token);
            Ok(id)
        })
    }

    async fn propose(&self, wanted: &Proposal) -> Result<ChangeSet, CloudError> {
        let name = &wanted.stack;
        self.call("propose", name, || {
            let answer = self
                .answers
                .borrow_mut()
                .get_mut(name)
                .and_then(VecDeque::pop_front);
            let changes = answer.unwrap_or_default();
            let id = format!("set:{}", wanted.token);
            if !changes.is_empty() {
                self.open.borrow_mut().insert(id.clone(), wanted.clone());
            }
            let stack_id = format!("arn:{name}");
            Ok(ChangeSet {
                id,
                stack_id,
                changes,
            })
        })
    }

    async fn execute(&self, change_set: &ChangeSet, token: &str) -> Result<(), CloudError> {
        self.call("execute", &change_set.id, || {
            let Some(wanted) = self.open.borrow_mut().remove(&change_set.id) else {
                return Err(CloudError::NotFound(change_set.id.clone()));
            };
            self.by_id(&change_set.stack_id, |held| {
                held.found.parameters = wanted.parameters;
                held.template = serde_json::from_str(&wanted.template).expect("a template");
            })?;
            self.begin(&wanted.stack, "UPDATE", "execute", token);
            Ok(())
        })
    }

    async fn discard(&self, change_set: &ChangeSet) -> Result<(), CloudError> {
        self.call("discard", &change_set.id, || {
            self.open.borrow_mut().remove(&change_set.id);
            Ok(())
        })
    }

    async fn protect(&self, stack_id: &str, protection: &Protection) -> Result<(), CloudError> {
        self.call("protect", stack_id, || {
            self.by_id(stack_id, |held| {
                held.found.termination_protection = protection.termination;
            })
        })
    }

    async fn events(
        &self,
        operation: &Operation,
        seen: &HashSet<String>,
    ) -> Result<Vec<StackEvent>, CloudError> {
        self.call("events", &operation.stack_id, || {
            let running = self.by_id(&operation.stack_id, |held| held.running.clone())?;
            let mut events = running
                .map(|running| Self::history(&running))
                .unwrap_or_default();
            events.retain(|event| !seen.contains(&event.id));
            events.retain(|event| operation.token.is_none() || event.token == operation.token);
            Ok(events)
        })
    }

    async fn resources(&self, stack_id: &str) -> Result<Vec<FoundResource>, CloudError> {
        self.call("resources", stack_id, || {
            Ok(self.resources.borrow().clone())
        })
    }

    async fn delete(&self, stack_id: &str, token: &str) -> Result<(), CloudError> {
        self.call("delete", stack_id, || {
            let name = self.by_id(stack_id, |held| held.found.name.clone())?;
            self.begin(&name, "DELETE", "delete", token);
            Ok(())
        })
    }
}

impl Store for Double {
    async fn parameter(&self, _: &str) -> Result<Option<String>, CloudError> {
        unreachable!("apply reads no parameter")
    }

    async fn secret(&self, _: &str) -> Result<Option<SecretString>, CloudError> {
        unreachable!("apply reads no secret")
    }

    async fn keep_secret(&self, _: &str, _: &SecretString, _: &str) -> Result<Kept, CloudError> {
        unreachable!("apply keeps no secret")
    }

    async fn keep_parameter(&self, _: &str, _: &str) -> Result<Kept, CloudError> {
        unreachable!("apply keeps no parameter")
    }

    async fn forget_parameters(&self, path: &str) -> Result<Vec<String>, CloudError> {
        self.call("forget", path, || Ok(vec![format!("{path}pki")]))
    }

    async fn upload(&self, bucket: &str, key: &str, _: &[u8]) -> Result<(), CloudError> {
        self.call("upload", &format!("{bucket}/{key}"), || Ok(()))
    }

    async fn empty_bucket(&self, bucket: &str) -> Result<usize, CloudError> {
        self.call("empty", bucket, || Ok(3))
    }
}
