//! Runs of whole clusters as events: every resource of the real templates begins when what it refers
//! to is done, and takes what the catalogue says.

use std::collections::BTreeMap;

use jiff::Timestamp;
use kube_cfn::apply::event::{Event, Expected, Failure, Outcome, Verb};
use kube_cfn::catalog::durations::{Operation, range};
use kube_cfn::cloud::ResourceStatus;
use kube_cfn::cloud::template::graph;
use kube_cfn::spec::ClusterSpec;
use kube_cfn::stacks::{self, Stack, StackKind};
use kube_cfn::templates::Templates;

use crate::progress::runs::at;
use crate::support::specs;

/// Seconds between the last end that a stack waits for and its own first resource.
const DISPATCH: i64 = 2;

pub fn templates() -> Templates {
    Templates::new(None).expect("the embedded templates parse")
}

/// The events of creating a cluster; where a resource is named in `fail`, its stack is rolled back,
/// and what needs it never begins.
pub fn create(spec: &ClusterSpec, fail: Option<(&StackKind, &str, &str)>) -> Vec<Event> {
    let stacks = stacks::design(spec, &templates()).expect("a design");
    let mut events = vec![Event::RunStarted {
        at: at(0),
        run: "7f3a".to_owned(),
        cluster: spec.name.clone(),
        verb: Verb::Create,
        stacks: stacks.iter().map(expected).collect(),
    }];
    let mut ends: BTreeMap<StackKind, Option<i64>> = BTreeMap::new();
    for stack in &stacks {
        let needs: Vec<_> = stack.needs().collect();
        let bad = needs.iter().find(|kind| ends[**kind].is_none());
        let ready = needs.iter().filter_map(|kind| ends[*kind]).max();
        if let Some(needs) = bad {
            let outcome = Outcome::NotStarted {
                needs: (*needs).clone(),
            };
            events.push(settled(ready.unwrap_or(300), &stack.kind, outcome));
            ends.insert(stack.kind.clone(), None);
            continue;
        }
        let failing = fail.filter(|(kind, ..)| **kind == stack.kind);
        let failing = failing.map(|(_, id, reason)| (id, reason));
        let end = walk(stack, ready.map_or(1, |end| end + 1), failing, &mut events);
        ends.insert(stack.kind.clone(), failing.is_none().then_some(end));
    }
    events.sort_by_key(Event::at);
    let last = events.last().expect("an end").at();
    events.push(Event::RunFinished {
        at: last,
        succeeded: fail.is_none(),
    });
    events
}

fn expected(stack: &Stack) -> Expected {
    let mut needs: Vec<StackKind> = stack.needs().cloned().collect();
    needs.sort();
    needs.dedup();
    Expected {
        stack: stack.kind.clone(),
        operation: Some(Verb::Create),
        resources: stack.resources().count(),
        needs,
        span: None,
    }
}

/// Creates one stack from second `begin` on; returns its end.
fn walk(stack: &Stack, begin: i64, failing: Option<(&str, &str)>, events: &mut Vec<Event>) -> i64 {
    let kind = &stack.kind;
    events.push(Event::StackStarted {
        at: at(begin),
        stack: kind.clone(),
        operation: Verb::Create,
    });
    let times = schedule(stack, begin + DISPATCH);
    let broken = failing.map(|(id, reason)| (times[id].1, id, reason));
    let mut last = begin;
    for (id, (from, to)) in &times {
        let mut say = |second, status: &str, reason: Option<&str>| {
            events.push(moved(stack, id, second, status, reason));
        };
        let Some((second, failed, reason)) = broken else {
            say(*from, "CREATE_IN_PROGRESS", None);
            say(*to, "CREATE_COMPLETE", None);
            last = last.max(*to);
            continue;
        };
        if *from >= second && id != failed {
            continue;
        }
        say(*from, "CREATE_IN_PROGRESS", None);
        if id == failed {
            say(second, "CREATE_FAILED", Some(reason));
        } else if *to > second {
            say(second, "CREATE_FAILED", Some("Resource creation cancelled"));
        } else {
            say(*to, "CREATE_COMPLETE", None);
        }
        let gone = second + 4 + (to - from).min(60);
        say(second + 4, "DELETE_IN_PROGRESS", None);
        say(gone, "DELETE_COMPLETE", None);
        last = last.max(gone);
    }
    let outcome = match failing {
        None => Outcome::Created,
        Some((id, reason)) => Outcome::RolledBack(Failure {
            resource: stack.sentence(id).map(str::to_owned),
            logical_id: Some(id.to_owned()),
            ..Failure::of_stack(None, reason)
        }),
    };
    events.push(settled(last + 3, kind, outcome));
    last + 3
}

/// Begin and end of every resource, in seconds.
fn schedule(stack: &Stack, begin: i64) -> BTreeMap<String, (i64, i64)> {
    let needs = graph::needs(&stack.template);
    let types: BTreeMap<&str, &str> = stack.resources().collect();
    let mut times: BTreeMap<String, (i64, i64)> = BTreeMap::new();
    while times.len() < needs.len() {
        let before = times.len();
        for (id, needed) in &needs {
            let ends: Option<Vec<i64>> = needed
                .iter()
                .map(|id| times.get(id).map(|(_, end)| *end))
                .collect();
            if let Some(ends) = ends.filter(|_| !times.contains_key(id)) {
                let from = ends.into_iter().max().unwrap_or(begin);
                let known = range(Operation::Create, types[&**id]);
                let takes = known.map_or(5, |range| i64::from(range.to));
                times.insert(id.clone(), (from, from + takes));
            }
        }
        assert!(times.len() > before, "the template refers in a circle");
    }
    times
}

fn moved(stack: &Stack, id: &str, second: i64, status: &str, reason: Option<&str>) -> Event {
    let types: BTreeMap<&str, &str> = stack.resources().collect();
    Event::Resource {
        at: at(second),
        stack: stack.kind.clone(),
        logical_id: id.to_owned(),
        resource_type: types[id].to_owned(),
        sentence: stack.sentence(id).unwrap_or(id).to_owned(),
        status: ResourceStatus::new(status),
        reason: reason.map(str::to_owned),
    }
}

fn settled(second: i64, stack: &StackKind, outcome: Outcome) -> Event {
    Event::StackSettled {
        at: at(second),
        stack: stack.clone(),
        outcome,
    }
}

pub fn production() -> Vec<Event> {
    create(&specs::production(), None)
}

/// The NAT gateway finds no address left.
pub fn failed() -> Vec<Event> {
    let reason = "Resource handler returned message: \"The maximum number of addresses has been \
        reached. (Service: Ec2, Status Code: 400)\" (HandlerErrorCode: ServiceLimitExceeded)";
    let fail = (&StackKind::Edge, "RegionalNatGateway", reason);
    create(&specs::production(), Some(fail))
}

/// Twenty stacks: fifteen pools beside the five others.
pub fn twenty() -> Vec<Event> {
    let mut spec = specs::production();
    let pool = spec.pools[0].clone();
    spec.pools = (1..=15)
        .map(|number| {
            let mut pool = pool.clone();
            pool.name = format!("workers-{number}");
            pool
        })
        .collect();
    create(&spec, None)
}

/// The same run as far as somebody followed it.
pub fn until(events: &[Event], end: Timestamp) -> Vec<Event> {
    let seen = events.iter().filter(|event| event.at() <= end);
    seen.cloned().collect()
}
