//! The invariants themselves, checked against what the simulated cloud really holds.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use kube_cfn::apply::{RunOutcome, RunReport};
use kube_cfn::cloud::{DeletionPolicy, LiveStack, StackEvent, StackStatus};
use kube_cfn::events::{Event, Outcome};
use kube_cfn::plan::Plan;
use kube_cfn::simulated::{ExternalChange, Loss, RemovalCause, Write};
use kube_cfn::stacks::StackKind;

use super::generators::THEIRS;
use super::scenario::{Done, SECRET, Scenario};

/// What stands after a run, and what it did.
struct After<'a> {
    scenario: &'a Scenario<'a>,
    stacks: BTreeMap<String, LiveStack>,
    writes: Vec<Write>,
    began: Timestamp,
}

impl Scenario<'_> {
    /// No resource with data goes without its name in `--allow-data-loss`, or in the plan of a deletion.
    /// A database never goes without a snapshot.
    pub fn nothing_lost(&self) -> Result<(), String> {
        for loss in self.cloud.losses() {
            let name = format!("{}/{}", loss.stack, loss.logical_id);
            let leave = match loss.how {
                RemovalCause::CreateRolledBack | RemovalCause::UpdateRolledBack => continue,
                RemovalCause::Replaced | RemovalCause::RemovedFromTemplate => {
                    self.allow.contains(&name)
                }
                RemovalCause::StackDeleted if is_leftover(&loss) => true,
                RemovalCause::StackDeleted => self.named.borrow().contains(&name),
            };
            let theirs = loss.token.as_deref() == Some("somebody-else");
            let database = loss.logical_id == "Database";
            if loss.deletion_policy != DeletionPolicy::Retain && !theirs && !leave {
                return Err(format!("{name} was lost without leave: {loss:?}"));
            }
            if database && loss.deletion_policy == DeletionPolicy::Delete {
                return Err(format!("{name} left no snapshot: {loss:?}"));
            }
        }
        Ok(())
    }

    /// What the report says is what is so.
    pub fn verdict(
        &self,
        run: &str,
        done: &Done,
        report: &RunReport,
        (before, began): (usize, Timestamp),
    ) -> Result<(), String> {
        let all = self.cloud.all_stacks().into_iter();
        let after = After {
            scenario: self,
            stacks: all.map(|found| (found.name.clone(), found)).collect(),
            writes: self.cloud.writes().split_off(before),
            began,
        };
        let plan = match done {
            Done::Applied(plan) => Some(plan.as_ref()),
            Done::Deleted => None,
        };
        for (kind, outcome) in &report.outcomes {
            after.is_so(kind, outcome, report, plan)?;
        }
        if report.outcome() == RunOutcome::Detached && run.starts_with("calm") {
            return Err("detached without faults".to_owned());
        }
        if report.outcome() != RunOutcome::Done {
            return Ok(());
        }
        if plan.is_some() && report.outcomes.len() != self.wanted.len() {
            return Err("done without all stacks".to_owned());
        }
        let standing = |found: &&LiveStack| found.status != StackStatus::DeleteComplete;
        if let (None, Some(found)) = (plan, after.stacks.values().find(standing)) {
            return Err(format!("deleted, but {} is {}", found.name, found.status));
        }
        Ok(())
    }

    /// The stream of events says the same as the report.
    pub fn events_match(report: &RunReport, events: &[Event]) -> Result<(), String> {
        let said = events.iter().find_map(|event| match event {
            Event::RunFinished { succeeded, .. } => Some(*succeeded),
            _ => None,
        });
        let is = match report.outcome() {
            RunOutcome::Detached => None,
            end => Some(end == RunOutcome::Done),
        };
        let settled = |event: &&Event| matches!(event, Event::StackSettled { .. });
        let settled = events.iter().filter(settled).count();
        if said != is || settled != report.outcomes.len() {
            return Err(format!(
                "{:?}, but the events say {said:?} and {settled} ends",
                report.outcome()
            ));
        }
        if format!("{report:?}").contains(SECRET) {
            return Err("the report holds a secret".to_owned());
        }
        Ok(())
    }

    /// Whether a guard refuses the plan; an error when all that it refuses was allowed.
    pub fn rightly_refused(&self, plan: &Plan) -> Result<bool, String> {
        for (kind, why) in plan.blocked().filter(|(_, why)| why.by_guard) {
            let mut of = plan.steps.iter().filter(|step| step.stack.kind == *kind);
            if of.all(|step| {
                step.risks
                    .iter()
                    .all(|risk| self.allow.contains(&risk.name))
            }) {
                return Err(format!("refused, but allowed: {kind} {why:?}"));
            }
        }
        Ok(plan.is_refused())
    }

    /// Does what a plan says that only a hand can do: deletes the leftovers that it names.
    pub fn lend_hand(&self, plan: &Plan) {
        for (kind, _) in plan.blocked() {
            let name = kind.stack_name(self.family.cluster);
            let all = self.cloud.all_stacks();
            let left = all.iter().any(|found| {
                use StackStatus as S;
                found.name == name && matches!(found.status, S::RollbackFailed | S::DeleteFailed)
            });
            let delete = ExternalChange::Delete {
                stack: name.clone(),
            };
            if left && self.cloud.apply_external_change(&delete) {
                self.say(|| format!("{name} is deleted by hand"));
                self.moved.borrow_mut().insert(name);
            }
        }
    }

    /// Whether somebody deleted a stack under those that use it: no run can help that.
    pub fn is_stuck(&self) -> bool {
        let moved = self.moved.borrow();
        self.cloud
            .all_stacks()
            .iter()
            .any(|found| moved.contains(&found.name) && found.status == StackStatus::DeleteFailed)
    }

    /// No change set of ours lies about, none of somebody else's was removed, nothing was done twice,
    /// no secret was sent.
    pub fn tidy(&self) -> Result<(), String> {
        let lying = self.cloud.open_change_sets();
        let ours = lying.iter().find(|(_, set)| set.name != THEIRS);
        if let Some(set) = ours {
            return Err(format!("a change set is left: {set:?}"));
        }
        let writes = self.cloud.writes();
        for (stack, before) in self.theirs.borrow().iter() {
            let left = lying.iter().any(|(of, _)| of == stack);
            let since = writes.get(*before..).unwrap_or_default();
            let moved = since.iter().any(|write| write.stack == *stack);
            if !left && !moved {
                return Err(format!("somebody else's change set of {stack} was removed"));
            }
        }
        if self.cloud.texts().iter().any(|text| text.contains(SECRET)) {
            return Err("CloudFormation got a secret".to_owned());
        }
        self.once()
    }

    /// Whether somebody else ever moved a stack.
    fn meddled(&self, stack: &str) -> bool {
        let writes = self.cloud.writes();
        let mut theirs = writes
            .iter()
            .filter(|write| write.verb == "external_change");
        self.hands.borrow().contains(stack) || theirs.any(|write| write.stack == stack)
    }

    /// Nothing was done twice: no stack made that stands, or deleted that goes or is gone, no token used
    /// again, no update after one that succeeded.
    pub fn once(&self) -> Result<(), String> {
        let mut asked = BTreeSet::new();
        let mut last: BTreeMap<&str, &Write> = BTreeMap::new();
        let mut updates: BTreeMap<&str, (usize, Timestamp)> = BTreeMap::new();
        let writes = self.cloud.writes();
        let ours = writes.iter().enumerate();
        for (number, write) in ours.filter(|(_, write)| write.verb != "external_change") {
            let stack = write.stack.as_str();
            let token = write.token.as_ref();
            let again = token.is_some_and(|token| !asked.insert((write.verb, token)));
            let before = last.get(stack).copied();
            let twice = match (write.verb, before.map(|before| before.verb)) {
                ("create", before) => before == Some("create"),
                ("delete", before) => before != Some("create"),
                _ => false,
            };
            let since = before.map_or(write.at, |before| before.at);
            if again
                || (twice
                    && !self.meddled(stack)
                    && self.came_to(stack, "DELETE_FAILED", since) == 0)
            {
                return Err(format!("twice: {write:?}"));
            }
            match write.verb {
                "create" | "delete" => {
                    last.insert(stack, write);
                }
                "execute" if number >= self.era => {
                    updates.entry(stack).or_insert((0, write.at)).0 += 1;
                }
                _ => {}
            }
        }
        for (stack, (count, since)) in updates.into_iter().filter(|(_, (count, _))| *count > 1) {
            let back = self.came_to(stack, "UPDATE_ROLLBACK_IN_PROGRESS", since);
            if count > 1 + back && self.moved.borrow().is_empty() {
                return Err(format!("{stack} was updated {count} times, {back} failed"));
            }
        }
        Ok(())
    }

    /// How often a stack came to a status since a moment.
    fn came_to(&self, stack: &str, status: &str, since: Timestamp) -> usize {
        let so = |event: &&StackEvent| {
            event.logical_id == stack
                && event
                    .stack_status
                    .as_ref()
                    .is_some_and(|is| is.as_str() == status)
                && event.at >= since
        };
        self.cloud.history().iter().filter(so).count()
    }
}

/// A network that a failed creation left and that never carried anything.
fn is_leftover(loss: &Loss) -> bool {
    let network = [
        "AWS::EC2::VPC",
        "AWS::EC2::Subnet",
        "AWS::RDS::DBSubnetGroup",
    ];
    let clearing = loss
        .token
        .as_ref()
        .is_some_and(|token| token.ends_with("-clear"));
    clearing && network.contains(&loss.resource_type.as_str())
}

impl After<'_> {
    fn is_so(
        &self,
        kind: &StackKind,
        outcome: &Outcome,
        report: &RunReport,
        plan: Option<&Plan>,
    ) -> Result<(), String> {
        let scenario = self.scenario;
        let name = kind.stack_name(scenario.family.cluster);
        if scenario.moved.borrow().contains(&name) {
            return Ok(());
        }
        let found = self.stacks.get(&name);
        let is = found.map_or("none", |found| found.status.as_str());
        let wrong = |why: &str| {
            Err(format!(
                "{kind} is {is}, but was reported as {outcome:?}: {why}"
            ))
        };
        let well = is.starts_with("CREATE_COMPLETE") || is.starts_with("UPDATE_COMPLETE");
        let wanted = scenario.wanted.iter().find(|stack| stack.name == name);
        let as_wanted =
            well && wanted.is_some_and(|one| scenario.cloud.has_template(&name, &one.template));
        let touched = self.writes.iter().any(|write| write.stack == name);
        let begun = |write: &Write| {
            write.stack == name
                && !["set_protection", "continue_rollback", "suspend"].contains(&write.verb)
        };
        let begun = self.writes.iter().any(begun);
        if is.ends_with("IN_PROGRESS") && !is.contains("CLEANUP") {
            // An old read may hide what an earlier run began; this one then fails for itself.
            let apart = scenario.troubled.get() && !outcome.is_good() && !begun;
            return if apart { Ok(()) } else { wrong("it moves") };
        }
        match outcome {
            Outcome::Deleted if is != "DELETE_COMPLETE" && is != "none" => wrong("it is there"),
            Outcome::Created | Outcome::Updated | Outcome::Unchanged if !as_wanted => {
                wrong("it is not as wanted")
            }
            Outcome::Created | Outcome::Updated | Outcome::Unchanged
                if !scenario.cloud.rebalancing_groups(&name).is_empty() =>
            {
                wrong("AWS may even out its zones")
            }
            Outcome::Unchanged if touched => wrong("it was changed"),
            Outcome::Created if is != "CREATE_COMPLETE" => wrong("it was updated"),
            Outcome::NotBegun(_) if begun => wrong("it was begun"),
            Outcome::RolledBack(why) if why.status.is_none() => wrong("nothing was rolled back"),
            Outcome::RolledBack(why) | Outcome::NotBegun(why) | Outcome::Failed(why) => match &why
                .status
            {
                Some(reported)
                    if !is.starts_with(&reported.as_str().replace("_CLEANUP_IN_PROGRESS", "")) =>
                {
                    wrong("it is something else")
                }
                _ if self.failed(&name, is, plan, kind) => Ok(()),
                None if scenario.troubled.get() && !begun => Ok(()),
                // The stack is well, what is done beside it was not answered.
                None if scenario.troubled.get() && why.reason.contains("AZRebalance") => Ok(()),
                // Something that could be lost came up only while it was applied.
                None if !begun && why.reason.contains("look at the plan again") => Ok(()),
                Some(_) if scenario.troubled.get() => Ok(()),
                _ => wrong("nothing failed"),
            },
            Outcome::NotStarted { needs } => {
                let good = |(of, end): &(StackKind, Outcome)| of == needs && end.is_good();
                if begun {
                    wrong("it was begun")
                } else if report.outcomes.iter().any(good) {
                    wrong("what it needs is there")
                } else {
                    Ok(())
                }
            }
            _ => Ok(()),
        }
    }

    /// Whether something of a stack failed since the run began, or its plan was blocked.
    fn failed(&self, name: &str, is: &str, plan: Option<&Plan>, kind: &StackKind) -> bool {
        let blocked = plan.is_some_and(|plan| plan.blocked().any(|(of, _)| of == kind));
        let stacks = self.scenario.cloud.history();
        let id = |found: &LiveStack| found.id.clone();
        let id = self.stacks.get(name).map(id).unwrap_or_default();
        let mut ours = false;
        blocked
            || is.contains("FAILED")
            || stacks.iter().any(|event| {
                // Events stand stack by stack, each begun by one of the stack itself.
                if event.stack_status.is_some() {
                    ours = event.physical_id.as_deref() == Some(id.as_str());
                }
                ours && event.at >= self.began && event.status.as_str().ends_with("FAILED")
            })
    }
}
