//! How long a plan takes: a range for every stack and for the whole, by the ways through the resources
//! of a stack and through the stacks. Pure; an estimate decides nothing but the order in which
//! stacks that may start are started.

mod time;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::Value;

use crate::catalog::durations::{Durations, JOIN, Operation, Seconds, Span};
use crate::cloud::{
    ChangeAction, ChangeSet, DeletionPolicy, Replacement, ResourceChange, StackStatus,
};
use crate::plan::deletion::{DeletePlan, DeleteStep};
use crate::plan::order::{joins, needs};
use crate::plan::status::Deletes;
use crate::plan::{Action, Plan, Step};
use crate::stacks::StackKind;
use crate::templates::graph::{self, Needs, longest};
use time::Work;

/// How long a plan takes.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Estimate {
    /// Every stack that has something to do, by itself.
    pub stacks: BTreeMap<StackKind, Span>,
    /// From the first start to the last end.
    pub whole: Span,
    /// The stacks that usually make it as long as it is, first to last.
    pub path: Vec<StackKind>,
    /// Seconds by which a stack may be late without making the whole longer.
    pub slack: BTreeMap<StackKind, u32>,
    /// Seconds from the start of a stack to the end of the last one that waits for it. Where several may
    /// start, the one with the most left goes first.
    pub remaining: BTreeMap<StackKind, f64>,
}

/// How long a plan takes, if every stack starts as soon as it can.
pub fn estimate(plan: &Plan, durations: &Durations) -> Estimate {
    let times = plan
        .steps
        .iter()
        .filter_map(|step| Some((step.stack.kind.clone(), work(step, durations)?)));
    let order = plan
        .steps
        .iter()
        .map(|step| (step.stack.kind.clone(), needs(&step.stack)));
    let joined = plan.steps.iter().filter_map(|step| {
        // What an update makes may be known only then: the plan is not taken for longer than it may be.
        let known = !matches!(step.action, Action::Later | Action::Continue { .. });
        joins(step).filter(|_| known && work(step, durations).is_some())
    });
    assemble(&order.collect(), &times.collect(), &joined.collect())
}

/// How long a deletion takes.
pub fn deletion(plan: &DeletePlan, durations: &Durations) -> Estimate {
    let times = plan
        .steps
        .iter()
        .filter_map(|step| Some((step.kind.clone(), removal(step, durations)?)));
    let order = plan
        .steps
        .iter()
        .map(|step| (step.kind.clone(), step.after.clone()));
    assemble(&order.collect(), &times.collect(), &BTreeSet::new())
}

/// How long one step takes by itself. `None` when it has nothing to do, or what runs already is not known
/// well enough.
pub fn step(step: &Step, durations: &Durations) -> Option<Span> {
    Some(work(step, durations)?.seconds().span())
}

fn work(step: &Step, durations: &Durations) -> Option<Work> {
    let overhead = Work::of(durations.stack_overhead());
    let made = || creation(&step.stack.template, durations).then(overhead);
    match &step.action {
        Action::Create | Action::Follow(StackStatus::CreateInProgress) => Some(made()),
        // The leftover is empty: deleting it is CloudFormation's own time alone.
        Action::Recreate => Some(overhead.then(made())),
        Action::Update(set) => Some(update(step, set, durations).then(overhead)),
        Action::Later | Action::Continue { .. } => Some(later(step, durations).then(overhead)),
        Action::Keep | Action::Follow(_) | Action::Blocked(_) => None,
    }
}

fn creation(template: &Value, durations: &Durations) -> Work {
    Work::of_all(&graph::needs(template), |id| {
        one(template, id, Operation::Create, durations)
    })
}

/// One operation on one resource of a template.
fn one(template: &Value, id: &str, operation: Operation, durations: &Durations) -> Work {
    let body = template.get("Resources").and_then(|all| all.get(id));
    let of_type = body.and_then(|body| body.get("Type")?.as_str());
    Work::of(durations.seconds(operation, of_type.unwrap_or_default(), body))
}

/// What a change set takes: first everything new and changed, then what has become superfluous, as
/// CloudFormation cleans up when the rest is done.
fn update(step: &Step, set: &ChangeSet, durations: &Durations) -> Work {
    let wanted = &step.stack.template;
    let old = step.before.as_ref().unwrap_or(&Value::Null);
    let changes: BTreeMap<&str, &ResourceChange> = set
        .changes
        .iter()
        .map(|change| (change.logical_id.as_str(), change))
        .collect();
    let forward = Work::of_all(&graph::needs(wanted), |id| {
        let change = changes.get(id);
        change.map_or(Work::default(), |change| {
            change_forward(wanted, change, durations)
        })
    });
    let cleanup = Work::of_all(&graph::needs(old), |id| {
        let change = changes.get(id);
        change.map_or(Work::default(), |change| {
            change_cleanup(old, change, durations)
        })
    });
    forward.then(cleanup)
}

fn change_forward(wanted: &Value, change: &ResourceChange, durations: &Durations) -> Work {
    let of = |operation| one(wanted, &change.logical_id, operation, durations);
    match (&change.action, change.replacement) {
        (ChangeAction::Remove, _) => Work::default(),
        (ChangeAction::Add, _) | (_, Replacement::Yes) => of(Operation::Create),
        (_, Replacement::Might) => of(Operation::Update).or(of(Operation::Create)),
        (_, Replacement::No) => of(Operation::Update),
    }
}

fn change_cleanup(old: &Value, change: &ResourceChange, durations: &Durations) -> Work {
    let gone = || one(old, &change.logical_id, Operation::Delete, durations);
    match (&change.action, change.replacement) {
        _ if change.deletion_policy == Some(DeletionPolicy::Retain) => Work::default(),
        (ChangeAction::Remove, _) | (ChangeAction::Modify, Replacement::Yes) => gone(),
        (ChangeAction::Modify, Replacement::Might) => Work::default().or(gone()),
        _ => Work::default(),
    }
}

/// What is known of an update whose change set can't be asked for yet: the resources whose text differs,
/// and those that take a value which is not there yet.
fn later(step: &Step, durations: &Durations) -> Work {
    let wanted = &step.stack.template;
    let unknown: BTreeSet<&str> = step
        .pending
        .iter()
        .filter(|input| input.now.is_none())
        .map(|input| input.parameter.as_str())
        .collect();
    let body = |template: &Value, id: &str| template.get("Resources")?.get(id).cloned();
    Work::of_all(&graph::needs(wanted), |id| {
        let new = body(wanted, id).unwrap_or_default();
        let old = step.before.as_ref().and_then(|before| body(before, id));
        let mut names = BTreeSet::new();
        graph::collect(&new, &mut names);
        let waits = names.iter().any(|name| unknown.contains(name.as_str()));
        match old {
            None => one(wanted, id, Operation::Create, durations),
            Some(old) if waits || old != new => one(wanted, id, Operation::Update, durations),
            Some(_) => Work::default(),
        }
    })
}

fn removal(step: &DeleteStep, durations: &Durations) -> Option<Work> {
    let template = step.template.as_ref().unwrap_or(&Value::Null);
    match step.action {
        Deletes::Gone | Deletes::Blocked(_) => None,
        Deletes::Shell => Some(Work::of(durations.stack_overhead())),
        // As long forwards as backwards.
        Deletes::Delete | Deletes::Follow | Deletes::FollowThenDelete => {
            let all = Work::of_all(&graph::needs(template), |id| {
                let kept = template["Resources"][id]["DeletionPolicy"] == "Retain";
                if kept {
                    Work::default()
                } else {
                    one(template, id, Operation::Delete, durations)
                }
            });
            Some(all.then(Work::of(durations.stack_overhead())))
        }
    }
}

type Order = BTreeMap<StackKind, Vec<StackKind>>;

/// Ending of the name of a part that is no stack: the machines of other stacks join an API that is up.
/// They are usually up before it, so that their stacks end with this part.
const JOINED: &str = " joined";

/// Puts the times of stacks together. A stack without a time passes its needs on. Machines join each
/// stack in `joined` once it is done.
fn assemble(
    order: &Order,
    times: &BTreeMap<StackKind, Work>,
    joined: &BTreeSet<StackKind>,
) -> Estimate {
    let named: BTreeMap<String, &StackKind> =
        order.keys().map(|kind| (kind.to_string(), kind)).collect();
    let mut forward = named_needs(order);
    for kind in joined.iter().filter(|kind| times.contains_key(kind)) {
        let done = BTreeSet::from([kind.to_string()]);
        forward.insert(format!("{kind}{JOINED}"), done);
    }
    let join = Work::of(JOIN);
    let time = |name: &str| {
        if name.ends_with(JOINED) {
            return join;
        }
        let kind = named.get(name).copied();
        kind.and_then(|kind| times.get(kind).copied())
            .unwrap_or_default()
    };
    let usual = |name: &str| time(name).seconds().p50;
    let ways = longest(&forward, usual);
    let left = longest(&backward(&forward), usual).done;
    let busy = |name: &String| {
        named
            .get(name)
            .copied()
            .filter(|kind| times.contains_key(kind))
    };
    let slack = |name: &String| {
        let begins = ways.done.get(name)? - usual(name);
        let spare = ways.total - begins - left.get(name)?;
        Some((busy(name)?.clone(), whole(spare)))
    };
    let remaining = |name: &String| Some(((*named.get(name)?).clone(), *left.get(name)?));
    let span = |(kind, time): (&StackKind, &Work)| (kind.clone(), time.seconds().span());
    Estimate {
        stacks: times.iter().map(span).collect(),
        whole: Work::of_all(&forward, time).seconds().span(),
        path: ways.path.iter().filter_map(busy).cloned().collect(),
        slack: forward.keys().filter_map(slack).collect(),
        remaining: forward.keys().filter_map(remaining).collect(),
    }
}

/// Whole seconds; what is below nought by rounding is nought.
fn whole(seconds: f64) -> u32 {
    let same = Seconds {
        p50: seconds,
        p90: seconds,
    };
    same.span().from
}

/// Needs by name, without those of stacks that are not in the plan.
fn named_needs(order: &Order) -> Needs {
    let line = |(kind, needs): (&StackKind, &Vec<StackKind>)| {
        let known = needs.iter().filter(|need| order.contains_key(*need));
        (kind.to_string(), known.map(ToString::to_string).collect())
    };
    order.iter().map(line).collect()
}

/// Who is waited for becomes who waits.
fn backward(needs: &Needs) -> Needs {
    let mut users: Needs = needs
        .keys()
        .map(|name| (name.clone(), BTreeSet::new()))
        .collect();
    for (user, suppliers) in needs {
        for supplier in suppliers {
            if let Some(of) = users.get_mut(supplier) {
                of.insert(user.clone());
            }
        }
    }
    users
}
