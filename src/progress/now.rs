//! How things stand after a failure: what becomes of its stack, what goes on beside it, what never
//! starts because of it, and the command that comes next.

use super::model::{Model, StackProgress};
use super::text::Mark;
use crate::cloud::StackStatus;
use crate::common::text::{clean, fit, wrap};
use crate::events::{Outcome, Verb};
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
    /// The word before the command goes.
    Label,
    /// Stacks that go on are counted.
    Beside,
    /// In fewer letters.
    Short,
    /// What could not be removed is counted.
    Stuck,
    /// What was cancelled goes.
    Cancelled,
    /// Other stacks go.
    Others,
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
            Cut::Label,
            Cut::Beside,
            Cut::Short,
            Cut::Stuck,
            Cut::Cancelled,
            Cut::Others,
        ];
        let told = cuts.map(|cut| wrap(&self.told(cut), columns));
        let fits = told.iter().find(|told| told.len() <= lines);
        fits.cloned()
            .unwrap_or_else(|| vec![fit(&self.told(Cut::Others), columns)])
    }

    fn told(&self, cut: Cut) -> String {
        let mut parts = vec![self.state.clone()];
        if self.cancelled > 0 && cut < Cut::Cancelled {
            parts = vec![format!("{}, {} cancelled", self.state, self.cancelled)];
        }
        if !self.stuck.is_empty() {
            parts.push(if cut < Cut::Stuck {
                format!("still there: {}", self.stuck.join(", "))
            } else {
                format!("{} still there", self.stuck.len())
            });
        }
        if cut < Cut::Others {
            parts.extend(self.others(cut));
        }
        if !self.next.is_empty() {
            let label = if cut < Cut::Label { "next: " } else { "" };
            parts.push(format!("{label}{}", self.next));
        }
        format!("now: {}", parts.join("; "))
    }

    /// What goes on, and what waits.
    fn others(&self, cut: Cut) -> Option<String> {
        let beside = (!self.goes_on.is_empty()).then(|| {
            let verb = if self.goes_on.len() == 1 {
                "goes on"
            } else {
                "go on"
            };
            if cut < Cut::Beside {
                format!("{} {verb}", self.goes_on.join(", "))
            } else {
                format!("{} {verb}", self.goes_on.len())
            }
        });
        let waits = (!self.waits.is_empty()).then(|| match self.waits.len() {
            _ if cut < Cut::Waits => format!("not started: {}", self.waits.join(", ")),
            number if cut < Cut::Short => format!("{number} not started"),
            1 => "1 waits".to_owned(),
            number => format!("{number} wait"),
        });
        let parts: Vec<String> = beside.into_iter().chain(waits).collect();
        (!parts.is_empty()).then(|| parts.join("; "))
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
        let cause = failure.and_then(|failure| failure.resource.as_deref());
        Now {
            state: state(stack),
            cancelled: failure.map_or(0, |failure| failure.cancelled.len()),
            stuck: stack
                .stuck()
                .filter(|sentence| cause != Some(*sentence))
                .map(str::to_owned)
                .collect(),
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
        Some((_, Outcome::RolledBack(failure))) if failure.status.is_some() => {
            "rolled back".to_owned()
        }
        Some((_, Outcome::RolledBack(_))) => unresolved(None),
        Some((_, Outcome::Failed(failure))) => unresolved(failure.status.as_ref()),
        Some((_, Outcome::Updated)) => "updated all the same".to_owned(),
        Some(_) => "at rest".to_owned(),
        None if stack.rolling_back => "rolling back".to_owned(),
        None => match stack.operation {
            Some(Verb::Delete) => "the rest is still being deleted".to_owned(),
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
