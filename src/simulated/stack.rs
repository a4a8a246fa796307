//! A stack as the simulated `CloudFormation` keeps it, and what it writes into its own history.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::compiled::Compiled;
use super::engine::Running;
use super::machines::NoSignal;
use super::names::{self, Setting};
use crate::cloud::{LiveStack, ResourceChange, ResourceStatus, StackEvent, StackStatus};
use crate::templates::evaluate::{Pseudo, Resources, Scope, text};

/// The moment at which every simulated cloud begins.
const BASE: i64 = 1_768_467_600;

/// The moment so many milliseconds after the beginning.
pub(super) fn timestamp(at: i64) -> Timestamp {
    let base = Timestamp::from_second(BASE).unwrap_or(Timestamp::UNIX_EPOCH);
    let later = base.checked_add(SignedDuration::from_millis(at));
    later.unwrap_or(Timestamp::MAX)
}

pub(super) struct Stack {
    /// Its present state.
    pub(super) live: LiveStack,
    /// Its states, each with the millisecond from which it is valid.
    pub(super) versions: Vec<(i64, Rc<LiveStack>)>,
    /// Its template; `None` for a stack under review.
    pub(super) compiled: Option<Rc<Compiled>>,
    pub(super) resources: Vec<Resource>,
    pub(super) policy: Option<Value>,
    pub(super) events: Vec<PublishedEvent>,
    /// Whether some event became readable later than it happened.
    pub(super) has_late: bool,
    pub(super) sets: Vec<SimChangeSet>,
    pub(super) running: Option<Running>,
    /// A rollback that failed and can be continued.
    pub(super) failed_rollback: Option<Running>,
    /// Tokens of the operations that it has seen.
    pub(super) tokens: BTreeSet<String>,
    /// How many operations it has seen; a change set of an earlier count is obsolete.
    pub(super) operations: u64,
}

/// An event, since when it can be read, and the number of its operation.
pub(super) struct PublishedEvent {
    pub(super) event: StackEvent,
    pub(super) readable: i64,
    pub(super) operation: u64,
}

/// A resource of a stack.
#[derive(Debug, Clone)]
pub(super) struct Resource {
    pub(super) logical_id: String,
    /// Its type in CloudFormation's words.
    pub(super) kind: String,
    pub(super) physical_id: Option<String>,
    pub(super) status: &'static str,
    pub(super) reason: Option<String>,
    /// How many physical resources it has had.
    pub(super) generation: u64,
    /// How often it was changed in place, plus one.
    pub(super) version: u64,
    /// Why its machines don't signal, where that is the reason why it is not up.
    pub(super) no_signal: Option<NoSignal>,
    /// Whether its machines' consoles are empty, as a while after their boot.
    pub(super) silent_console: bool,
    /// Properties that were changed outside CloudFormation: path inside its properties and the value.
    pub(super) external_properties: BTreeMap<String, Value>,
    /// Whether it was deleted outside CloudFormation.
    pub(super) deleted_externally: bool,
    /// Whether the next deletion of its stack retains it, as `RetainResources` of a request says.
    pub(super) retains: bool,
    /// Of an Auto Scaling group: how many machines it is to have, once somebody has said it.
    pub(super) desired: Option<u32>,
    /// Of an Auto Scaling group: its suspended processes.
    pub(super) suspended: BTreeSet<String>,
}

/// A change set.
#[derive(Clone)]
pub(super) struct SimChangeSet {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) created: Timestamp,
    pub(super) compiled: Rc<Compiled>,
    pub(super) parameters: BTreeMap<String, String>,
    pub(super) tags: BTreeMap<String, String>,
    pub(super) changes: Vec<ResourceChange>,
    /// Ids of those that it sets back to their template.
    pub(super) reverted: BTreeSet<String>,
    /// [`Stack::operations`] when it was made.
    pub(super) operations: u64,
}

impl Resource {
    pub(super) fn new(logical_id: &str, resource_type: &str) -> Self {
        Self {
            logical_id: logical_id.to_owned(),
            kind: resource_type.to_owned(),
            physical_id: None,
            status: "",
            reason: None,
            generation: 0,
            version: 1,
            no_signal: None,
            silent_console: false,
            external_properties: BTreeMap::new(),
            deleted_externally: false,
            retains: false,
            desired: None,
            suspended: BTreeSet::new(),
        }
    }

    /// Whether there is something in the account.
    pub(super) fn exists(&self) -> bool {
        self.physical_id.is_some() && !self.status.starts_with("DELETE_COMPLETE")
    }
}

/// The resources of a stack as a template sees them.
pub(super) struct StackResources<'a> {
    pub(super) setting: &'a Setting,
    pub(super) resources: &'a [Resource],
}

impl StackResources<'_> {
    fn find(&self, id: &str) -> Option<(&Resource, &str)> {
        let found = self.resources.iter().find(|one| one.logical_id == id)?;
        Some((found, found.physical_id.as_deref()?))
    }
}

impl Resources for StackResources<'_> {
    fn reference(&self, id: &str) -> Option<String> {
        Some(self.find(id)?.1.to_owned())
    }

    fn attribute(&self, id: &str, name: &str) -> Option<String> {
        let (found, physical) = self.find(id)?;
        Some(names::attribute(
            self.setting,
            &found.kind,
            physical,
            name,
            found.version,
        ))
    }
}

impl Stack {
    pub(super) fn new(live: LiveStack) -> Self {
        Self {
            live,
            versions: Vec::new(),
            compiled: None,
            resources: Vec::new(),
            policy: None,
            events: Vec::new(),
            has_late: false,
            sets: Vec::new(),
            running: None,
            failed_rollback: None,
            tokens: BTreeSet::new(),
            operations: 0,
        }
    }

    pub(super) fn is_deleted(&self) -> bool {
        self.live.status == StackStatus::DeleteComplete
    }

    /// The stack at a moment; `None` when there was none.
    pub(super) fn at(&self, at: i64) -> Option<&LiveStack> {
        let known = self.versions.iter().rev().find(|(since, _)| *since <= at)?;
        Some(&known.1)
    }

    pub(super) fn slot(&self, logical_id: &str) -> Option<usize> {
        let mut all = self.resources.iter();
        all.position(|one| one.logical_id == logical_id)
    }

    pub(super) fn pseudo<'a>(&'a self, setting: &'a Setting) -> Pseudo<'a> {
        Pseudo {
            account: &setting.account,
            region: &setting.region,
            stack_id: &self.live.id,
            stack_name: &self.live.name,
        }
    }

    /// The properties of a resource as the template has them.
    pub(super) fn properties(&self, setting: &Setting, logical_id: &str) -> Value {
        let Some(compiled) = &self.compiled else {
            return Value::Null;
        };
        let body = compiled.body(logical_id);
        let written = body.get("Properties").unwrap_or(&Value::Null);
        self.evaluate(setting, compiled, written)
    }

    fn evaluate(&self, setting: &Setting, compiled: &Compiled, written: &Value) -> Value {
        let resources = StackResources {
            setting,
            resources: &self.resources,
        };
        let scope = Scope {
            template: &compiled.template,
            parameters: &self.live.parameters,
            pseudo: self.pseudo(setting),
            resources: &resources,
        };
        scope.evaluate(written).unwrap_or_default()
    }

    /// A property that names a resource, evaluated; `None` where the template does not have it.
    pub(super) fn named(&self, setting: &Setting, slot: usize) -> Option<String> {
        let resource = self.resources.get(slot)?;
        let property = names::named_by(&resource.kind)?;
        let compiled = self.compiled.as_ref()?;
        let written = compiled.body(&resource.logical_id).get("Properties")?;
        let value = self.evaluate(setting, compiled, written.get(property)?);
        Some(text(&value))
    }

    /// Takes the outputs as the template has them now.
    pub(super) fn set_outputs(&mut self, setting: &Setting) {
        let Some(compiled) = self.compiled.clone() else {
            return;
        };
        let declared = compiled.template.get("Outputs").and_then(Value::as_object);
        let value = |(key, output): (&String, &Value)| {
            let written = output.get("Value")?;
            Some((
                key.clone(),
                text(&self.evaluate(setting, &compiled, written)),
            ))
        };
        self.live.outputs = declared.into_iter().flatten().filter_map(value).collect();
    }

    /// The stack takes a status, and says so.
    pub(super) fn publish_status(&mut self, at: i64, status: StackStatus, reason: Option<&str>) {
        self.live.status = status;
        self.live.reason = reason.map(str::to_owned);
        self.remember(at);
    }

    /// Keeps what the stack is now as what it is from this moment on.
    pub(super) fn remember(&mut self, at: i64) {
        self.versions.push((at, Rc::new(self.live.clone())));
    }

    pub(super) fn event_of_itself(&self) -> StackEvent {
        StackEvent {
            id: String::new(),
            at: Timestamp::UNIX_EPOCH,
            logical_id: self.live.name.clone(),
            physical_id: Some(self.live.id.clone()),
            resource_type: "AWS::CloudFormation::Stack".to_owned(),
            status: ResourceStatus::new(self.live.status.as_str()),
            reason: self.live.reason.clone(),
            token: None,
            stack_status: Some(self.live.status.clone()),
        }
    }
}
