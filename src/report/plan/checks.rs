//! What was looked at before the first stack: what is fine on one line, the rest each with its next step.

use super::PlanView;
use crate::plan::{Check, Verdict};

/// The mark of a verdict.
fn mark(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Ok => "=",
        Verdict::Refused => "!",
        Verdict::Warning => "!!",
        Verdict::Unknown => "??",
    }
}

/// One line of the block: mark, text, next step.
pub(super) struct CheckLine<'a> {
    pub mark: &'static str,
    pub text: String,
    pub next: Option<&'a str>,
}

/// What is fine, in one sentence; `None` where nothing is.
pub(super) fn fine(view: &PlanView<'_>) -> Option<String> {
    let mut subjects: Vec<&str> = Vec::new();
    // A check with several results is fine only where all of them are.
    let bad = |one: &Check| {
        view.checks
            .iter()
            .any(|other| other.code == one.code && other.verdict != Verdict::Ok)
    };
    for check in view.checks.iter().filter(|check| !bad(check)) {
        let subject = check.code.subject();
        if !subjects.contains(&subject) {
            subjects.push(subject);
        }
    }
    (!subjects.is_empty())
        .then(|| format!("Checked before the first stack: {}.", subjects.join(", ")))
}

/// Everything else.
pub(super) fn lines<'a>(view: &PlanView<'a>) -> Vec<CheckLine<'a>> {
    let found = view.checks.iter();
    let found = found.filter(|check| check.verdict != Verdict::Ok);
    let line = |check: &'a Check| CheckLine {
        mark: mark(check.verdict),
        text: match check.verdict {
            Verdict::Refused => format!("refused, {}: {}", check.code, check.text),
            Verdict::Ok | Verdict::Warning => format!("{}: {}", check.code, check.text),
            Verdict::Unknown => check.text.clone(),
        },
        next: check.next.as_deref(),
    };
    found.map(line).collect()
}
