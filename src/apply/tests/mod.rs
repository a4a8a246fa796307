//! Plans and runs on the simulated cloud.

mod cluster;
mod delete;
mod diagnose;
mod drift;
mod failure;
mod faults;
mod objects;
mod outside;
mod pace;
mod rebalancing;
mod recovery;
mod run;
mod saved_plan;
mod test_cloud;
mod together;
mod update;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::{Outputs, OutsidePlan, Prerequisites, RunReport, Session};
use crate::cloud::{Cloud as _, CloudError, Protection};
use crate::common::Clock as _;
use crate::common::tags::TAG_CLUSTER;
use crate::events::{Event, Outcome};
use crate::plan::{DeletePlan, Plan, PlanError, PlanOptions, draft, resolve, survey};
use crate::simulated::{ExternalChange, FaultKind, Operation, Simulated};
use crate::stacks::{Stack, StackKind};
use cluster::*;
use test_cloud::TestCloud;

/// Deletes the stacks of a plan, of which nothing lies outside.
async fn delete_stacks(
    plan: &DeletePlan,
    cloud: &TestCloud,
    session: &Session<'_>,
    stop: impl Future<Output = ()>,
) -> RunReport {
    let outside = OutsidePlan::default();
    let released = std::future::ready(Ok(Vec::new()));
    super::delete((plan, &outside), &cloud.cloud, session, released, stop).await
}

async fn planned_with(
    cloud: &TestCloud,
    stacks: Vec<Stack>,
    allow: &[&str],
) -> Result<Plan, PlanError> {
    planned_under(cloud, stacks, allow, &[]).await
}

async fn planned_under(
    cloud: &TestCloud,
    stacks: Vec<Stack>,
    allow: &[&str],
    skip: &[&str],
) -> Result<Plan, PlanError> {
    let own = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    let (allow, skip): (BTreeSet<String>, BTreeSet<String>) = (own(allow), own(skip));
    let terms = PlanOptions::new("r1", &allow, &skip);
    let cloud: &Simulated = cloud;
    let survey = survey(cloud, CLUSTER).await.expect("a survey");
    resolve(draft(stacks, &survey, &BTreeMap::new()), cloud, &terms).await
}

async fn planned(cloud: &TestCloud, stacks: Vec<Stack>) -> Plan {
    planned_with(cloud, stacks, &[]).await.expect("a plan")
}

/// Remembers what it was asked to prepare; refuses one stack, if it has to.
#[derive(Default)]
struct Prepared {
    asked: RefCell<Vec<(StackKind, Vec<StackKind>)>>,
    refuses: Option<StackKind>,
}

impl Prerequisites for Prepared {
    async fn prepare(
        &self,
        stack: &StackKind,
        outputs: &Outputs,
    ) -> Result<Option<String>, String> {
        let known = outputs.keys().cloned().collect();
        self.asked.borrow_mut().push((stack.clone(), known));
        if self.refuses.as_ref() == Some(stack) {
            return Err("no authorities".to_owned());
        }
        Ok(Some(format!("{stack} is prepared")))
    }
}

async fn go_until(
    cloud: &TestCloud,
    plan: Plan,
    stop: impl Future<Output = ()>,
) -> (RunReport, Vec<Event>) {
    go_as(cloud, plan, |_| {}, stop).await
}

/// Runs a plan under a session that is not the usual one.
async fn go_as(
    cloud: &TestCloud,
    plan: Plan,
    amend: impl FnOnce(&mut Session<'_>),
    stop: impl Future<Output = ()>,
) -> (RunReport, Vec<Event>) {
    let (events, heard) = unbounded_channel();
    let mut session = Session::new("r1", &events);
    amend(&mut session);
    let report = go_in(cloud, plan, &session, stop).await;
    (report, received(heard))
}

async fn go_in(
    cloud: &TestCloud,
    plan: Plan,
    session: &Session<'_>,
    stop: impl Future<Output = ()>,
) -> RunReport {
    cloud.began.set(cloud.now());
    super::run(plan, &cloud.cloud, &Prepared::default(), session, stop).await
}

async fn go(cloud: &TestCloud, plan: Plan) -> (RunReport, Vec<Event>) {
    go_until(cloud, plan, std::future::pending()).await
}

/// Every event of a run that is over.
fn received(mut events: UnboundedReceiver<Event>) -> Vec<Event> {
    let mut all = Vec::new();
    while let Ok(event) = events.try_recv() {
        all.push(event);
    }
    all
}

/// Outcomes as `kind word`, failures with their reason.
fn outcome_lines(report: &RunReport) -> Vec<String> {
    let line = |(kind, outcome): &(StackKind, Outcome)| match outcome {
        Outcome::NotBegun(why) => format!("{kind} not begun: {}", why.reason),
        Outcome::AtRest(status) => format!("{kind} at rest in {status}"),
        Outcome::RolledBack(why) => format!("{kind} rolled back: {}", why.reason),
        Outcome::Failed(why) => format!("{kind} failed: {}", why.reason),
        Outcome::NotStarted { needs } => format!("{kind} not started: {needs}"),
        other => format!("{kind} {other:?}"),
    };
    report.outcomes.iter().map(line).collect()
}

fn notes(events: &[Event]) -> Vec<String> {
    let text = |event: &Event| match event {
        Event::Note { text, .. } => Some(text.clone()),
        _ => None,
    };
    events.iter().filter_map(text).collect()
}

fn unreachable(operation: &str) -> CloudError {
    CloudError::Unreachable {
        operation: operation.to_owned(),
        message: "connection reset".to_owned(),
    }
}

fn expired() -> CloudError {
    CloudError::Credentials {
        reason: "the token has expired".to_owned(),
        help: "log in again".to_owned(),
    }
}

fn refused(operation: &str, message: &str) -> CloudError {
    CloudError::Refused {
        operation: operation.to_owned(),
        message: message.to_owned(),
    }
}
