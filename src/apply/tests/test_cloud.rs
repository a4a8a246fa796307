//! The simulated cloud with what tests of a run ask of it: the calls since the run began, and what other
//! people do in the same account.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::ops::Deref;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

use super::{go, outcome_lines, planned, stacks};
use crate::apply::RunOutcome;
use crate::cloud::{
    ChangeSetLifetime, ChangeSetRequest, Cloud, CloudError, Limited, LiveStack, OnFailure,
    Protection,
};
use crate::common::Clock as _;
use crate::simulated::{
    CallFault, ExternalChange, FaultKind, Noise, Operation, ResourceFailure, Simulated,
    SimulationConfig,
};
use crate::stacks::Stack;

/// The simulated cloud behind the rate limiter, and from where on a test counts.
pub struct TestCloud {
    pub cloud: Limited<Simulated>,
    /// When the simulation began.
    start: Timestamp,
    /// Calls and writes before belong to the setting.
    calls: Cell<usize>,
    writes: Cell<usize>,
    /// When the run began.
    pub began: Cell<Timestamp>,
}

impl Deref for TestCloud {
    type Target = Simulated;

    fn deref(&self) -> &Simulated {
        &self.cloud
    }
}

impl TestCloud {
    /// An empty account where everything takes its median.
    pub fn new() -> Self {
        let cloud = Simulated::new(SimulationConfig {
            noise: Noise::None,
            ..SimulationConfig::default()
        });
        Self {
            calls: Cell::new(0),
            writes: Cell::new(0),
            start: cloud.now(),
            began: Cell::new(cloud.now()),
            cloud: Limited::new(cloud),
        }
    }

    /// An account in which the whole cluster is up.
    pub async fn standing() -> Self {
        Self::standing_as(stacks()).await
    }

    pub async fn standing_as(stacks: Vec<Stack>) -> Self {
        let cloud = Self::new();
        let plan = planned(&cloud, stacks).await;
        let (report, _) = go(&cloud, plan).await;
        assert_eq!(
            report.outcome(),
            RunOutcome::Done,
            "{:?}",
            outcome_lines(&report)
        );
        cloud.set_up();
        cloud
    }

    /// What was done so far was the setting.
    pub fn set_up(&self) {
        self.calls.set(self.cloud.calls().total());
        self.writes.set(self.cloud.writes().len());
        self.began.set(self.now());
    }

    /// Calls of a method, as `second what`; seconds from the beginning of the run.
    pub fn called(&self, verb: &str) -> Vec<String> {
        let zero = self.began.get().duration_since(self.start).as_secs();
        let zero = u64::try_from(zero).expect("not before the start");
        let calls = self.cloud.calls();
        let calls = calls.all().iter().skip(self.calls.get());
        let of_verb = calls.filter(|call| call.verb == verb);
        let line = |second: u64, about: &str| format!("{} {about}", second.saturating_sub(zero));
        of_verb.map(|call| line(call.second, &call.about)).collect()
    }

    /// Writes that had an effect, as `method stack`.
    pub fn effects(&self) -> Vec<String> {
        let writes = self.cloud.writes().into_iter().skip(self.writes.get());
        writes
            .map(|write| format!("{} {}", write.verb, write.stack))
            .collect()
    }

    /// The stack policies that were set, one after the other.
    pub fn policies(&self) -> Vec<Value> {
        let writes = self.cloud.writes().into_iter().skip(self.writes.get());
        let set = writes.filter(|write| write.verb == "set_protection");
        set.filter_map(|write| write.policy).collect()
    }

    pub async fn policy_of(&self, stack: &str) -> Option<Value> {
        let id = self.found(stack).id;
        self.cloud.policy(&id).await.expect("an answer")
    }

    /// How long ago the run began.
    pub fn elapsed(&self) -> Duration {
        let elapsed = self.now().duration_since(self.began.get());
        elapsed.try_into().expect("a short test")
    }

    /// Change sets that nobody has executed.
    pub fn orphans(&self) -> usize {
        self.cloud.open_change_sets().len()
    }

    /// The newest stack of a name.
    pub fn found(&self, name: &str) -> LiveStack {
        let all = self.cloud.all_stacks();
        let named = all.into_iter().rev().find(|found| found.name == name);
        named.expect("a stack of that name")
    }

    /// Seconds from the beginning of the run in which each stack's newest operation began and ended.
    pub fn spans(&self) -> BTreeMap<String, (u64, u64)> {
        let mut spans: BTreeMap<String, (u64, u64)> = BTreeMap::new();
        for event in self.cloud.history() {
            let second = event.at.duration_since(self.began.get()).as_secs();
            if let (Some(_), Ok(second)) = (&event.stack_status, u64::try_from(second)) {
                let span = spans.entry(event.logical_id).or_insert((second, second));
                span.1 = second;
            }
        }
        spans
    }

    /// The next calls of a method about something, or about anything, have no effect.
    pub fn refuse(&self, verb: &'static str, about: &str, times: u32, error: &CloudError) {
        self.strike(verb, about, times, FaultKind::Refused(error.clone()));
    }

    pub fn strike(&self, verb: &'static str, about: &str, times: u32, kind: FaultKind) {
        let fault = CallFault {
            verb: Some(verb),
            about: (!about.is_empty()).then(|| about.to_owned()),
            after: 0,
            times,
            kind,
        };
        self.cloud
            .change_faults(|faults| faults.calls.insert(0, fault));
    }

    /// What is done next to a resource of a stack fails.
    pub fn fails(&self, stack: &str, id: &str, operation: Operation, reason: &str) {
        self.cloud.fail(ResourceFailure {
            stack: stack.to_owned(),
            logical_id: id.to_owned(),
            operation,
            reason: Some(reason.to_owned()),
            boot: None,
            times: 1,
        });
    }

    pub fn external(&self, change: &ExternalChange) {
        assert!(self.cloud.apply_external_change(change), "{change:?}");
    }

    /// Somebody else begins to update a resource in place.
    pub fn touch(&self, stack: &str, id: &str) {
        self.external(&ExternalChange::Update {
            stack: stack.to_owned(),
            logical_id: id.to_owned(),
        });
    }

    /// Somebody else begins to delete a stack.
    pub fn remove(&self, stack: &str) {
        self.external(&ExternalChange::Delete {
            stack: stack.to_owned(),
        });
    }

    /// Somebody else has deleted a stack.
    pub async fn removed(&self, stack: &str) {
        self.remove(stack);
        self.rest().await;
    }

    /// What fails from now on in the running operation of a stack is not rolled back.
    pub fn without_rollback(&self, stack: &str) {
        self.external(&ExternalChange::DisableRollback {
            stack: stack.to_owned(),
        });
    }

    /// Somebody else begins to create a stack as it is wanted.
    pub async fn begin(&self, stack: &Stack) {
        let protection = Protection {
            termination: false,
            policy: None,
        };
        let wanted = proposal(stack, "somebody-else");
        let begun = self.cloud.create(&wanted, &protection).await;
        begun.expect("begun");
    }

    /// Somebody else begins to update a stack as it is wanted.
    pub async fn update(&self, stack: &Stack, token: &str) {
        let set = self.cloud.create_change_set(&proposal(stack, token)).await;
        let set = set.expect("a change set");
        let begun = self.cloud.execute(&set, token, OnFailure::Rollback).await;
        begun.expect("begun");
    }

    /// Waits until no stack moves. Then the test begins.
    pub async fn rest(&self) {
        while self
            .all_stacks()
            .iter()
            .any(|one| one.status.is_in_progress())
        {
            self.sleep(Duration::from_secs(1)).await;
        }
        self.set_up();
    }
}

/// What somebody asks for who wants this stack.
pub fn proposal(stack: &Stack, token: &str) -> ChangeSetRequest {
    let values = [
        ("VpcId", "vpc-1"),
        ("Profile", "profile-1"),
        ("Host", "api.example"),
    ];
    let wanted = stack.template.get("Parameters");
    let given = values.iter().filter(|(name, _)| {
        let declared = wanted.and_then(|all| all.get(*name));
        declared.is_some()
    });
    ChangeSetRequest {
        stack: stack.name.clone(),
        template: stack.body(),
        bucket: None,
        parameters: given
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect(),
        capabilities: stack.capabilities.clone(),
        tags: stack.tags.clone(),
        token: token.to_owned(),
        lifetime: ChangeSetLifetime::Run,
        comparison: crate::cloud::Comparison::Template,
    }
}
