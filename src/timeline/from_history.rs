//! The events of a run from AWS's own history, for runs that were recorded nowhere or elsewhere.

use jiff::Timestamp;

use crate::cloud::status::ResourcePhase;
use crate::cloud::{LiveStack, StackEvent, StackStatus};
use crate::events::{Event, Expected, Failure, Outcome, Verb};
use crate::stacks::{StackKind, description};
use serde_json::Value;

/// A shorter value may occur in two stacks by chance: it joins none.
const DISTINCT: usize = 8;

/// A stack with its newest operation, as AWS still knows it.
#[derive(Debug, Clone)]
pub struct StackHistory {
    pub kind: StackKind,
    pub found: LiveStack,
    /// Of the newest operation, by whatever client it was started.
    pub events: Vec<StackEvent>,
    /// The run that started it, where its request token says so.
    pub run: Option<String>,
    /// Describes its resources; `Null` where it can't be read.
    pub template: Value,
}

/// One operation in time.
struct StackOperation<'a> {
    history: &'a StackHistory,
    verb: Verb,
    begin: Timestamp,
    end: Timestamp,
}

/// The newest run over these stacks, in the events that it would have emitted. The operations of one run
/// carry its id, or overlap in time; a stack with an operation at another time was left unchanged by it.
/// What waited for what is read from values that one stack has as output and another as parameter. Empty when
/// nothing ever happened to them.
pub fn events_of(cluster: &str, histories: &[StackHistory]) -> Vec<Event> {
    let operations = newest_run(histories.iter().filter_map(StackOperation::of).collect());
    let Some(begin) = operations.iter().map(|operation| operation.begin).min() else {
        return Vec::new();
    };
    let run = operations
        .iter()
        .find_map(|operation| operation.history.run.clone());
    let mut events = vec![Event::RunStarted {
        at: begin,
        run: run.unwrap_or_else(|| "unknown".to_owned()),
        cluster: cluster.to_owned(),
        verb: verb(&operations),
        stacks: histories
            .iter()
            .map(|history| expected(history, &operations))
            .collect(),
    }];
    for operation in &operations {
        events.extend(operation.events());
    }
    let settled = operations
        .iter()
        .all(|operation| operation.outcome().is_some());
    if let Some(end) = operations
        .iter()
        .map(|operation| operation.end)
        .max()
        .filter(|_| settled)
    {
        let good = |operation: &StackOperation| {
            operation.outcome().is_some_and(|outcome| outcome.is_good())
        };
        events.push(Event::RunFinished {
            at: end,
            succeeded: operations.iter().all(good),
        });
    }
    // Stable: what begins and what ends the run stay first and last.
    events.sort_by_key(Event::at);
    events
}

/// Those that belong together with the one that began last.
fn newest_run(mut operations: Vec<StackOperation<'_>>) -> Vec<StackOperation<'_>> {
    let Some(newest) = (0..operations.len()).max_by_key(|index| operations[*index].begin) else {
        return operations;
    };
    let mut chosen = vec![operations.swap_remove(newest)];
    let run = chosen
        .first()
        .and_then(|operation| operation.history.run.clone());
    loop {
        let joins = |operation: &StackOperation| {
            let same = run.is_some() && operation.history.run == run;
            let beside =
                |other: &StackOperation| operation.begin < other.end && other.begin < operation.end;
            same || chosen.iter().any(beside)
        };
        let Some(index) = operations.iter().position(joins) else {
            chosen.sort_by_key(|operation| (operation.begin, operation.history.kind.clone()));
            return chosen;
        };
        chosen.push(operations.swap_remove(index));
    }
}

fn verb(operations: &[StackOperation<'_>]) -> Verb {
    let all = |verb| operations.iter().all(|operation| operation.verb == verb);
    if all(Verb::Create) {
        Verb::Create
    } else if operations
        .iter()
        .any(|operation| operation.verb == Verb::Delete)
    {
        Verb::Delete
    } else {
        Verb::Update
    }
}

fn expected(history: &StackHistory, operations: &[StackOperation<'_>]) -> Expected {
    let own = operations
        .iter()
        .find(|operation| operation.history.kind == history.kind);
    let others = operations
        .iter()
        .filter(|operation| operation.history.kind != history.kind);
    let deletes = own.is_some_and(|operation| operation.verb == Verb::Delete);
    let needs = others.filter(|other| {
        if deletes {
            uses_output_of(&other.history.found, &history.found)
        } else {
            uses_output_of(&history.found, &other.history.found)
        }
    });
    Expected {
        stack: history.kind.clone(),
        operation: own.map(|operation| operation.verb),
        resources: 0,
        needs: needs
            .map(|operation| operation.history.kind.clone())
            .collect(),
        span: None,
    }
}

/// Whether a parameter of `user` has the value of an output of `source`.
fn uses_output_of(user: &LiveStack, source: &LiveStack) -> bool {
    user.parameters.values().any(|value| {
        value.len() >= DISTINCT && source.outputs.values().any(|output| output == value)
    })
}

impl<'a> StackOperation<'a> {
    fn of(history: &'a StackHistory) -> Option<Self> {
        let times = || history.events.iter().map(|event| event.at);
        let own = history
            .events
            .iter()
            .filter_map(|event| event.stack_status.as_ref());
        Some(Self {
            history,
            verb: own.map(verb_of).next()?,
            begin: times().min()?,
            end: times().max()?,
        })
    }

    fn events(&self) -> Vec<Event> {
        let stack = &self.history.kind;
        let mut events = vec![Event::StackStarted {
            at: self.begin,
            stack: stack.clone(),
            operation: self.verb,
        }];
        let of_resources = self.history.events.iter();
        let of_resources = of_resources.filter(|event| event.stack_status.is_none());
        events.extend(of_resources.map(|event| Event::Resource {
            at: event.at,
            stack: stack.clone(),
            logical_id: event.logical_id.clone(),
            resource_type: event.resource_type.clone(),
            sentence: self.description(&event.logical_id),
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

    fn description(&self, logical_id: &str) -> String {
        let sentence = description(&self.history.template, logical_id);
        sentence.unwrap_or(logical_id).to_owned()
    }

    /// How it ended; `None` while it moves.
    fn outcome(&self) -> Option<Outcome> {
        let own = self.history.events.iter().filter_map(|event| {
            let status = event.stack_status.as_ref()?;
            Some((event.at, status))
        });
        let (_, last) = own.reduce(|best, next| if next.0 >= best.0 { next } else { best })?;
        if last.is_in_progress() {
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
        let failed = self.history.events.iter().filter(|event| {
            let cancelled = event
                .reason
                .as_deref()
                .is_some_and(Failure::is_cancellation);
            let itself = event.stack_status.is_none();
            itself && event.status.phase() == ResourcePhase::Failed && !cancelled
        });
        let Some(cause) = failed.min_by_key(|event| event.at) else {
            return Failure::of_stack(
                Some(status.clone()),
                reason(self.history.found.reason.as_deref()),
            );
        };
        Failure {
            resource: Some(self.description(&cause.logical_id)),
            logical_id: Some(cause.logical_id.clone()),
            resource_type: Some(cause.resource_type.clone()),
            ..Failure::of_stack(Some(status.clone()), reason(cause.reason.as_deref()))
        }
    }
}

fn reason(given: Option<&str>) -> String {
    given.unwrap_or("AWS gives no reason").to_owned()
}

fn verb_of(first: &StackStatus) -> Verb {
    match first.as_str().split('_').next() {
        Some("CREATE" | "REVIEW" | "IMPORT") => Verb::Create,
        Some("DELETE") => Verb::Delete,
        _ => Verb::Update,
    }
}
