//! How things stand after a failure: what becomes of its stack, what goes on beside it, what never
//! starts because of it, and the command that comes next.

use super::model::{Model, StackProgress};
use super::text::{Mark, clean, count, fit, wrap};
use crate::apply::event::{Outcome, Verb};
use crate::cloud::StackStatus;
use crate::stacks::StackKind;

/// The last line of a report.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Now {
    /// What becomes of the stack.
    pub state: String,
    /// Resources that were cancelled.
    pub cancelled: usize,
    /// Sentences of what could not be removed.
    pub stuck: Vec<String>,
    /// Stacks that go on beside it.
    pub goes_on: Vec<String>,
    /// Stacks that do not start because of it.
    pub waits: Vec<String>,
    /// The command.
    pub next: String,
}

/// How much of it is told, from most to least.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Cut {
    Nothing,
    /// Stacks that do not start are counted.
    Waits,
    /// So are stacks that go on.
    Beside,
    /// The word before the command goes.
    Label,
    /// What was cancelled goes.
    Cancelled,
}

impl Now {
    /// Everything, on one line.
    pub fn text(&self) -> String {
        self.told(Cut::Nothing)
    }

    /// As much as fits so many lines; the command is kept longest.
    pub fn lines(&self, columns: usize, lines: usize) -> Vec<String> {
        let cuts = [
            Cut::Nothing,
            Cut::Waits,
            Cut::Beside,
            Cut::Label,
            Cut::Cancelled,
        ];
        let told = cuts.map(|cut| wrap(&self.told(cut), columns));
        let fits = told.iter().find(|told| told.len() <= lines);
        fits.cloned()
            .unwrap_or_else(|| vec![fit(&self.told(Cut::Cancelled), columns)])
    }

    fn told(&self, cut: Cut) -> String {
        let mut state = self.state.clone();
        if self.cancelled > 0 && cut < Cut::Cancelled {
            state = format!("{state}, {} cancelled", self.cancelled);
        }
        let names = |names: &[String], counted: bool| {
            if counted && names.len() > 1 {
                count(names.len(), "stack")
            } else {
                names.join(", ")
            }
        };
        let mut parts = vec![state];
        if !self.stuck.is_empty() {
            parts.push(format!("still there: {}", self.stuck.join(", ")));
        }
        if !self.goes_on.is_empty() {
            let verb = if self.goes_on.len() == 1 {
                "goes on"
            } else {
                "go on"
            };
            parts.push(format!(
                "{} {verb}",
                names(&self.goes_on, cut >= Cut::Beside)
            ));
        }
        if !self.waits.is_empty() {
            parts.push(format!(
                "{} not started",
                names(&self.waits, cut >= Cut::Waits)
            ));
        }
        if !self.next.is_empty() {
            let label = if cut < Cut::Label { "next: " } else { "" };
            parts.push(format!("{label}{}", self.next));
        }
        format!("now: {}", parts.join("; "))
    }
}

impl Model {
    /// How things stand with a stack that failed.
    pub(super) fn now(&self, stack: &StackProgress) -> Now {
        let beside = |other: &&StackProgress| {
            other.kind != stack.kind && other.settled.is_none() && other.mark() == Mark::Running
        };
        let waits = |other: &&StackProgress| {
            let idle = match &other.settled {
                Some((_, outcome)) => matches!(outcome, Outcome::NotStarted { .. }),
                None => other.started.is_none() && other.operation.is_some(),
            };
            idle && self.depends(&other.kind, &stack.kind)
        };
        let failure = stack.failure.as_ref();
        Now {
            state: state(stack),
            cancelled: failure.map_or(0, |failure| failure.cancelled.len()),
            stuck: stack.stuck().map(str::to_owned).collect(),
            goes_on: self.stacks.iter().filter(beside).map(name).collect(),
            waits: self.stacks.iter().filter(waits).map(name).collect(),
            next: self.next(),
        }
    }

    /// The command that goes on with the run.
    pub(super) fn next(&self) -> String {
        next(self.verb, &self.cluster)
    }

    /// Whether a stack needs another one, through any number of others.
    pub(super) fn depends(&self, kind: &StackKind, on: &StackKind) -> bool {
        let mut met = vec![kind];
        let mut at = 0;
        while let Some(kind) = met.get(at).copied() {
            let needs = self.stack(kind).map_or(&[][..], |stack| &stack.needs);
            if needs.contains(on) {
                return true;
            }
            for need in needs {
                if !met.contains(&need) {
                    met.push(need);
                }
            }
            at += 1;
        }
        false
    }
}

/// The command that does, again, what was done to a cluster.
pub(super) fn next(verb: Option<Verb>, cluster: &str) -> String {
    match verb {
        Some(Verb::Delete) => format!("kube-cfn delete {cluster}"),
        _ => format!("kube-cfn apply {cluster}"),
    }
}

fn name(stack: &StackProgress) -> String {
    clean(&stack.kind.to_string())
}

fn state(stack: &StackProgress) -> String {
    match &stack.settled {
        Some((_, Outcome::RolledBack(_))) => "rolled back".to_owned(),
        Some((_, Outcome::Failed(failure))) => unresolved(failure.status.as_ref()),
        Some((_, Outcome::Updated)) => "updated all the same".to_owned(),
        Some(_) => "at rest".to_owned(),
        None if stack.rolling_back => "rolling back".to_owned(),
        None => match stack.operation {
            Some(Verb::Delete) => "the rest of it goes on being deleted".to_owned(),
            _ => "rolls back".to_owned(),
        },
    }
}

/// How a stack is told that failed and did not go back by itself.
pub(super) fn unresolved(status: Option<&StackStatus>) -> String {
    match status {
        Some(status) => format!("needs a hand ({})", clean(status.as_str())),
        None => "nothing of it was begun".to_owned(),
    }
}
