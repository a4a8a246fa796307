//! The events of a run from AWS's own history, for runs that were recorded nowhere or elsewhere.

use jiff::Timestamp;

use crate::cloud::status::Phase;
use crate::cloud::{LiveStack, StackEvent, StackStatus};
use crate::events::{Event, Expected, Failure, Outcome, Verb};
use crate::stacks::{StackKind, sentence};
use serde_json::Value;

/// A value shorter than this may stand in two stacks by chance: it joins none.
const TELLING: usize = 8;

/// A stack with its newest operation, as AWS still knows it.
#[derive(Debug, Clone)]
pub struct Past {
    pub kind: StackKind,
    pub found: LiveStack,
    /// Of the newest operation, whoever started it.
    pub events: Vec<StackEvent>,
    /// The run that started it, where its request token says so.
    pub run: Option<String>,
    /// Has the sentences of its resources; `Null` where it can't be read.
    pub template: Value,
}

/// One operation in time.
struct Course<'a> {
    past: &'a Past,
    verb: Verb,
    begin: Timestamp,
    end: Timestamp,
}

/// The newest run over these stacks, in the events that it would have told. The operations of one run
/// carry its id, or overlap in time; a stack that moved at another time was left unchanged by it.
/// What waited for what is read from values that one stack puts out and another takes. Empty when
/// nothing ever happened to them.
pub fn events_of(cluster: &str, pasts: &[Past]) -> Vec<Event> {
    let courses = newest_run(pasts.iter().filter_map(Course::of).collect());
    let Some(begin) = courses.iter().map(|course| course.begin).min() else {
        return Vec::new();
    };
    let run = courses.iter().find_map(|course| course.past.run.clone());
    let mut events = vec![Event::RunStarted {
        at: begin,
        run: run.unwrap_or_else(|| "unknown".to_owned()),
        cluster: cluster.to_owned(),
        verb: verb(&courses),
        stacks: pasts.iter().map(|past| expected(past, &courses)).collect(),
    }];
    for course in &courses {
        events.extend(course.events());
    }
    let resting = courses.iter().all(|course| course.outcome().is_some());
    if let Some(end) = courses
        .iter()
        .map(|course| course.end)
        .max()
        .filter(|_| resting)
    {
        let good = |course: &Course| course.outcome().is_some_and(|outcome| outcome.is_good());
        events.push(Event::RunFinished {
            at: end,
            succeeded: courses.iter().all(good),
        });
    }
    // Stable: what begins and what ends the run stay first and last.
    events.sort_by_key(Event::at);
    events
}

/// Those that belong together with the one that began last.
fn newest_run(mut courses: Vec<Course<'_>>) -> Vec<Course<'_>> {
    let Some(newest) = (0..courses.len()).max_by_key(|index| courses[*index].begin) else {
        return courses;
    };
    let mut chosen = vec![courses.swap_remove(newest)];
    let run = chosen.first().and_then(|course| course.past.run.clone());
    loop {
        let joins = |course: &Course| {
            let same = run.is_some() && course.past.run == run;
            let beside = |other: &Course| course.begin < other.end && other.begin < course.end;
            same || chosen.iter().any(beside)
        };
        let Some(index) = courses.iter().position(joins) else {
            chosen.sort_by_key(|course| (course.begin, course.past.kind.clone()));
            return chosen;
        };
        chosen.push(courses.swap_remove(index));
    }
}

fn verb(courses: &[Course<'_>]) -> Verb {
    let all = |verb| courses.iter().all(|course| course.verb == verb);
    if all(Verb::Create) {
        Verb::Create
    } else if courses.iter().any(|course| course.verb == Verb::Delete) {
        Verb::Delete
    } else {
        Verb::Update
    }
}

fn expected(past: &Past, courses: &[Course<'_>]) -> Expected {
    let own = courses.iter().find(|course| course.past.kind == past.kind);
    let others = courses
        .iter()
        .filter(|course| course.past.kind != past.kind);
    let deletes = own.is_some_and(|course| course.verb == Verb::Delete);
    let needs = others.filter(|other| {
        if deletes {
            takes_from(&other.past.found, &past.found)
        } else {
            takes_from(&past.found, &other.past.found)
        }
    });
    Expected {
        stack: past.kind.clone(),
        operation: own.map(|course| course.verb),
        resources: 0,
        needs: needs.map(|course| course.past.kind.clone()).collect(),
        span: None,
    }
}

/// Whether a parameter of `user` has a value that `giver` puts out.
fn takes_from(user: &LiveStack, giver: &LiveStack) -> bool {
    user.parameters
        .values()
        .any(|value| value.len() >= TELLING && giver.outputs.values().any(|output| output == value))
}

impl<'a> Course<'a> {
    fn of(past: &'a Past) -> Option<Self> {
        let times = || past.events.iter().map(|event| event.at);
        let own = past
            .events
            .iter()
            .filter_map(|event| event.stack_status.as_ref());
        Some(Self {
            past,
            verb: own.map(verb_of).next()?,
            begin: times().min()?,
            end: times().max()?,
        })
    }

    fn events(&self) -> Vec<Event> {
        let stack = &self.past.kind;
        let mut events = vec![Event::StackStarted {
            at: self.begin,
            stack: stack.clone(),
            operation: self.verb,
        }];
        let movements = self.past.events.iter();
        let movements = movements.filter(|event| event.stack_status.is_none());
        events.extend(movements.map(|event| Event::Resource {
            at: event.at,
            stack: stack.clone(),
            logical_id: event.logical_id.clone(),
            resource_type: event.resource_type.clone(),
            sentence: self.sentence(&event.logical_id),
            status: event.status.clone(),
            reason: event.reason.clone(),
        }));
        events.extend(self.outcome().map(|outcome| Event::StackSettled {
            at: self.end,
            stack: stack.clone(),
            outcome,
        }));
        events
    }

    fn sentence(&self, logical_id: &str) -> String {
        let sentence = sentence(&self.past.template, logical_id);
        sentence.unwrap_or(logical_id).to_owned()
    }

    /// How it ended; `None` while it moves.
    fn outcome(&self) -> Option<Outcome> {
        let own = self.past.events.iter().filter_map(|event| {
            let status = event.stack_status.as_ref()?;
            Some((event.at, status))
        });
        let (_, last) = own.reduce(|best, next| if next.0 >= best.0 { next } else { best })?;
        if last.is_moving() {
            return None;
        }
        Some(match last {
            StackStatus::CreateComplete | StackStatus::ImportComplete => Outcome::Created,
            StackStatus::UpdateComplete => Outcome::Updated,
            StackStatus::DeleteComplete => Outcome::Deleted,
            StackStatus::RollbackComplete
            | StackStatus::UpdateRollbackComplete
            | StackStatus::ImportRollbackComplete => Outcome::RolledBack(self.failure(last)),
            _ => Outcome::Failed(self.failure(last)),
        })
    }

    /// The first real failure in time.
    fn failure(&self, status: &StackStatus) -> Failure {
        let failed = self.past.events.iter().filter(|event| {
            let cancelled = event
                .reason
                .as_deref()
                .is_some_and(Failure::is_cancellation);
            let itself = event.stack_status.is_none();
            itself && event.status.phase() == Phase::Failed && !cancelled
        });
        let Some(cause) = failed.min_by_key(|event| event.at) else {
            let told = self.past.found.reason.clone();
            let reason = told.unwrap_or_else(|| "AWS gives no reason".to_owned());
            return Failure::of_stack(Some(status.clone()), reason);
        };
        let reason = cause.reason.clone();
        let reason = reason.unwrap_or_else(|| "AWS gives no reason".to_owned());
        Failure {
            resource: Some(self.sentence(&cause.logical_id)),
            logical_id: Some(cause.logical_id.clone()),
            resource_type: Some(cause.resource_type.clone()),
            ..Failure::of_stack(Some(status.clone()), reason)
        }
    }
}

fn verb_of(first: &StackStatus) -> Verb {
    match first.as_str().split('_').next() {
        Some("CREATE" | "REVIEW" | "IMPORT") => Verb::Create,
        Some("DELETE") => Verb::Delete,
        _ => Verb::Update,
    }
}
