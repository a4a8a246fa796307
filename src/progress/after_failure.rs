//! What happens after a failure: to its stack, to the stacks beside it, to those that never start
//! because of it, and the command that comes next.

use super::failure::FirstFailure;
use super::line::Mark;
use super::model::{Model, StackProgress};
use crate::cloud::StackStatus;
use crate::common::text::{clean, count, fit, wrap};
use crate::events::{Outcome, Verb};
use crate::stacks::StackKind;

/// The last line of a report.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct AfterFailure {
    /// The state of the stack.
    pub state: String,
    /// Resources that were cancelled.
    pub cancelled: usize,
    /// Resources that could not be deleted.
    pub stuck: Vec<String>,
    /// Stacks that continue.
    pub continuing: Vec<String>,
    /// Stacks that do not start because of it.
    pub not_started: Vec<String>,
    /// The command.
    pub next: String,
    /// Whether a remedy stands in front of it: without that the command would fail again.
    pub after_remedy: bool,
}

/// What is left out, from nothing to most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Cut {
    Nothing,
    /// Stacks that do not start are counted.
    NotStarted,
    /// The word before the command is left out.
    Label,
    /// Stacks that continue are counted.
    Continuing,
    /// In fewer letters.
    Short,
    /// What could not be removed is counted.
    Stuck,
    /// What was cancelled is left out.
    Cancelled,
    /// Other stacks are left out.
    Others,
    /// Only the state and the command stay.
    Rest,
}

impl AfterFailure {
    /// Everything, on one line.
    pub fn text(&self) -> String {
        self.cut_to(Cut::Nothing)
    }

    /// As much as fits so many lines; the command is kept longest.
    pub fn lines(&self, columns: usize, lines: usize) -> Vec<String> {
        let cuts = [
            Cut::Nothing,
            Cut::NotStarted,
            Cut::Label,
            Cut::Continuing,
            Cut::Short,
            Cut::Stuck,
            Cut::Cancelled,
            Cut::Others,
            Cut::Rest,
        ];
        let texts = cuts.map(|cut| wrap(&self.cut_to(cut), columns));
        let fits = texts.iter().find(|text| text.len() <= lines);
        fits.cloned()
            .unwrap_or_else(|| vec![fit(&self.cut_to(Cut::Rest), columns)])
    }

    fn cut_to(&self, cut: Cut) -> String {
        let mut parts = vec![self.state.clone()];
        if self.cancelled > 0 && cut < Cut::Cancelled {
            let number = units(self.cancelled, "resource", cut < Cut::NotStarted);
            parts = vec![format!("{}, {number} cancelled", self.state)];
        }
        if !self.stuck.is_empty() && cut < Cut::Rest {
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
            let label = match (self.after_remedy, cut < Cut::Label) {
                (true, true) => "then: ",
                (false, true) => "next: ",
                (_, false) => "",
            };
            parts.push(format!("{label}{}", self.next));
        }
        format!("now: {}", parts.join("; "))
    }

    /// What continues, and what is blocked.
    fn others(&self, cut: Cut) -> Option<String> {
        let continuing_text = (!self.continuing.is_empty()).then(|| {
            let verb = if self.continuing.len() == 1 {
                "continues"
            } else {
                "continue"
            };
            if cut < Cut::Continuing {
                format!("{} {verb}", self.continuing.join(", "))
            } else {
                format!(
                    "{} {verb}",
                    units(self.continuing.len(), "stack", cut < Cut::Short)
                )
            }
        });
        let not_started = (!self.not_started.is_empty()).then(|| match self.not_started.len() {
            _ if cut < Cut::NotStarted => format!("not started: {}", self.not_started.join(", ")),
            number if cut < Cut::Short => format!("{number} not started"),
            number => format!("{number} blocked"),
        });
        let parts: Vec<String> = continuing_text.into_iter().chain(not_started).collect();
        (!parts.is_empty()).then(|| parts.join("; "))
    }
}

/// A number, with its unit where there is room.
fn units(number: usize, unit: &str, has_room: bool) -> String {
    if has_room {
        count(number, unit)
    } else {
        number.to_string()
    }
}

impl Model {
    /// What happens now that a stack failed.
    pub(super) fn after_failure(&self, stack: &StackProgress) -> AfterFailure {
        let continues = |other: &&StackProgress| {
            other.kind != stack.kind && other.settled.is_none() && other.mark() == Mark::Running
        };
        let not_started = |other: &&StackProgress| {
            let idle = match &other.settled {
                Some((_, outcome)) => matches!(outcome, Outcome::NotStarted { .. }),
                None => other.started.is_none() && other.operation.is_some(),
            };
            idle && self.depends(&other.kind, &stack.kind)
        };
        let failure = stack.failure.as_ref();
        let cause = failure.and_then(|failure| failure.resource.as_deref());
        let has_remedy = failure.is_some_and(FirstFailure::has_remedy);
        AfterFailure {
            state: state(stack),
            cancelled: failure.map_or(0, |failure| failure.cancelled.len()),
            stuck: stack
                .stuck()
                .filter(|sentence| cause != Some(*sentence))
                .map(str::to_owned)
                .collect(),
            continuing: self.stacks.iter().filter(continues).map(name).collect(),
            not_started: self.stacks.iter().filter(not_started).map(name).collect(),
            next: if stack.is_at_rest() || (is_undone(stack) && !has_remedy) {
                format!("kube-cfn diagnose {}", self.argument())
            } else {
                self.next()
            },
            after_remedy: has_remedy,
        }
    }

    /// The command that resumes the run.
    pub(super) fn next(&self) -> String {
        let again = self.commands.again.clone();
        again.unwrap_or_else(|| next(self.verb, self.argument()))
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

/// The command that repeats what was done to a cluster.
pub(super) fn next(verb: Option<Verb>, cluster: &str) -> String {
    match verb {
        Some(Verb::Delete) => format!("kube-cfn delete {cluster}"),
        Some(Verb::Create | Verb::Update) | None => format!("kube-cfn apply {cluster}"),
    }
}

/// Whether the operation is rolled back, or being so: repeated as it is, it fails again.
fn is_undone(stack: &StackProgress) -> bool {
    match &stack.settled {
        Some((_, outcome)) => matches!(outcome, Outcome::RolledBack(_)),
        None => stack.rolling_back || stack.operation != Some(Verb::Delete),
    }
}

fn name(stack: &StackProgress) -> String {
    clean(&stack.kind.to_string())
}

fn state(stack: &StackProgress) -> String {
    match &stack.settled {
        Some((_, Outcome::RolledBack(_))) => "rolled back".to_owned(),
        Some((_, Outcome::NotBegun(_))) => unresolved(None),
        Some((_, Outcome::Failed(failure))) => unresolved(failure.status.as_ref()),
        Some((_, Outcome::Updated)) => "updated anyway".to_owned(),
        Some(_) => "settled".to_owned(),
        None if stack.rolling_back => "rolling back".to_owned(),
        None => match stack.operation {
            Some(Verb::Delete) => "the rest is still being deleted".to_owned(),
            Some(Verb::Create | Verb::Update) | None => "rolls back".to_owned(),
        },
    }
}

/// The state of a stack that failed and was not rolled back.
pub(super) fn unresolved(status: Option<&StackStatus>) -> String {
    match status {
        Some(status) => format!("needs manual action ({})", clean(status.as_str())),
        None => "nothing was started".to_owned(),
    }
}
