//! A plan as text for 80 columns. Decides nothing: it only formats the view.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use console::{Style, measure_text_width};

use super::changes::{ChangeView, action_words, property_lines, risk_words};
use super::notes::notes;
use super::summary::summary;
use super::{PlanView, StackAction, StackView, checks, forecast};
use crate::common::terminal::paint;
use crate::common::text::{count, listed_line, one_line};
use crate::plan::{Blocked, ChangeCounts, Risk};
use crate::stacks::StackKind;

/// The column of time and cost, behind what is done to a stack.
const COLUMN: usize = 50;

/// How much of a plan is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlanDetail {
    /// New stacks by their number of resources.
    Short,
    /// Every resource of new stacks too.
    Full,
}

/// A plan as text.
pub fn text(view: &PlanView<'_>, detail: PlanDetail) -> String {
    let mut out = String::new();
    for warning in &view.warnings {
        line(
            &mut out,
            format_args!("{}", listed_line("warning: ", &warning.text())),
        );
    }
    refused_text(&mut out, view.refused);
    for stack in &view.stacks {
        stack_text(&mut out, stack, detail);
    }
    if !view.leftover.is_empty() {
        let names = view.leftover.join(", ");
        wrapped(
            &mut out,
            "",
            &format!("In AWS but not in the definition, left alone: {names}."),
        );
        wrapped(
            &mut out,
            "  ",
            "kube-cfn deletes a stack only with the whole cluster; to remove one, delete it in CloudFormation.",
        );
    }
    checks_text(&mut out, view);
    out.push_str(&summary(view));
    out
}

/// What was looked at before the first stack.
fn checks_text(out: &mut String, view: &PlanView<'_>) {
    if let Some(text) = checks::fine(view) {
        wrapped(out, "", &text);
    }
    for check in checks::lines(view) {
        wrapped(out, "", &format!("{} {}", check.mark, check.text));
        if let Some(next) = check.next {
            wrapped(out, "    ", &format!("next: {next}"));
        }
    }
}

/// What refuses the plan as a whole.
fn refused_text(out: &mut String, refused: &[Blocked]) {
    if refused.is_empty() {
        return;
    }
    let red = Style::new().red().bold();
    let name = format!("{:<16}", "the plan");
    let (mark, said) = (paint(&red, "!"), paint(&red, "refused"));
    line(out, format_args!("{mark} {} {said}", paint(&red, name)));
    for why in refused {
        blocked_text(out, why);
    }
}

fn blocked_text(out: &mut String, why: &Blocked) {
    wrapped(out, "    ", &format!("{}: {}", why.code, why.reason));
    wrapped(out, "    ", &format!("next: {}", why.remedy));
}

fn stack_text(out: &mut String, stack: &StackView<'_>, detail: PlanDetail) {
    let (mark, colour, said) = headline(stack);
    let name = format!("{:<16}", stack.stack.to_string());
    let time = stack.expected.map(forecast::span).unwrap_or_default();
    let money = forecast::difference(stack.cost_difference).unwrap_or_default();
    let weighed = format!("{time:>7}  {money}");
    let head = format!(
        "{} {} {said}",
        paint(&colour, mark),
        paint(&Style::new().bold(), name)
    );
    let room = COLUMN.saturating_sub(measure_text_width(&head));
    if weighed.trim().is_empty() {
        line(out, format_args!("{head}"));
    } else if room > 0 {
        line(
            out,
            format_args!("{head}{:room$}{}", "", weighed.trim_end()),
        );
    } else {
        line(out, format_args!("{head}\n    {}", weighed.trim()));
    }
    if let Some(blocked) = stack.blocked.filter(|_| !stack.refused_above) {
        blocked_text(out, blocked);
    }
    if detail == PlanDetail::Full {
        for planned in &stack.creates {
            let text = format!("+ {}  ({})", planned.sentence, planned.logical_id);
            wrapped(out, "    ", &text);
        }
    }
    for change in &stack.changes {
        change_text(out, change, stack.risks);
    }
    // What is lost for certain by changes that are known only later.
    let shown = |risk: &&Risk| {
        let mut changes = stack.changes.iter();
        changes.any(|change| change.logical_id == risk.logical_id)
    };
    for risk in stack.risks.iter().filter(|risk| !shown(risk)) {
        wrapped(
            out,
            "    ",
            &format!("!! {}: {}", risk.logical_id, risk_words(risk)),
        );
    }
    for (mark, text) in notes(stack, detail) {
        wrapped(out, "    ", &format!("{mark} {text}"));
    }
    stuck_text(out, stack);
    pending_text(out, stack);
    if let Some(on) = stack.termination_protection {
        let word = if on { "on" } else { "off" };
        line(
            out,
            format_args!("    termination protection is switched {word}"),
        );
    }
    if stack.policy {
        line(out, format_args!("    its stack policy is reset"));
    }
}

/// What blocks the rollback of a stack, and what is skipped.
fn stuck_text(out: &mut String, stack: &StackView<'_>) {
    for one in stack.stuck {
        wrapped(out, "    ", &format!("blocks the rollback: {}", one.text()));
    }
    if !stack.skip.is_empty() {
        let text = format!(
            "skipped, will no longer match the template: {}",
            stack.skip.join(", ")
        );
        wrapped(out, "    ", &text);
    }
}

/// For a new stack, those that it depends on; for one that exists, the values that may still change.
fn pending_text(out: &mut String, stack: &StackView<'_>) {
    if matches!(stack.action, StackAction::Create | StackAction::Recreate) {
        let producers: BTreeSet<&StackKind> =
            stack.pending.iter().map(|input| &input.from).collect();
        if !producers.is_empty() {
            let names: Vec<_> = producers.into_iter().map(ToString::to_string).collect();
            wrapped(out, "    ", &format!("depends on {}", names.join(", ")));
        }
        return;
    }
    let mut moving: BTreeMap<(&StackKind, bool), Vec<&str>> = BTreeMap::new();
    for input in stack.pending {
        let named = moving.entry((&input.from, input.now.is_some()));
        named.or_default().push(&input.parameter);
    }
    for ((from, has_value), parameters) in moving {
        let what = if has_value {
            "may change with"
        } else {
            "known after"
        };
        let text = format!("{what} {from}: {}", parameters.join(", "));
        wrapped(out, "    ", &text);
    }
}

/// What is done to a stack, in words.
pub(super) fn headline_words(stack: &StackView<'_>) -> String {
    let (_, _, said) = headline(stack);
    one_line(&said)
}

fn headline(stack: &StackView<'_>) -> (&'static str, Style, String) {
    let counts = &stack.counts;
    match stack.action {
        StackAction::Create => (
            "+",
            Style::new().green(),
            format!("create    {}", count(counts.add, "resource")),
        ),
        StackAction::Recreate => (
            "+",
            Style::new().green(),
            format!(
                "recreate  {} resources; the failed stack is deleted first",
                counts.add
            ),
        ),
        StackAction::Update => (
            "~",
            Style::new().yellow(),
            format!("update    {}", counted(counts)),
        ),
        StackAction::Later => (
            "~",
            Style::new().yellow(),
            "update    once its inputs are known".to_owned(),
        ),
        StackAction::Protect => (
            "~",
            Style::new().yellow(),
            "update    its protection only".to_owned(),
        ),
        StackAction::PutBack => (
            "~",
            Style::new().yellow(),
            "update    its objects in buckets only".to_owned(),
        ),
        StackAction::Suspend => (
            "~",
            Style::new().yellow(),
            "update    the processes of its groups only".to_owned(),
        ),
        StackAction::Keep if !stack.pending.is_empty() => (
            "=",
            Style::new().dim(),
            "nothing to do, unless its inputs change".to_owned(),
        ),
        StackAction::Keep => ("=", Style::new().dim(), "nothing to do".to_owned()),
        StackAction::Follow => (
            ">",
            Style::new().cyan(),
            "in progress: will follow it, then re-plan".to_owned(),
        ),
        StackAction::Continue => (
            "~",
            Style::new().yellow(),
            "rollback failed; will continue the rollback, then re-plan".to_owned(),
        ),
        StackAction::Refused => ("!", Style::new().red(), "refused".to_owned()),
        StackAction::Blocked => ("!", Style::new().red(), "blocked".to_owned()),
    }
}

/// `2 in place, 1 replaced`.
pub(super) fn counted(counts: &ChangeCounts) -> String {
    let parts = [
        (counts.add, "added"),
        (counts.modify, "in place"),
        (counts.might_replace, "might be replaced"),
        (counts.replace, "replaced"),
        (counts.remove, "removed"),
    ];
    let said = parts
        .iter()
        .filter(|(n, _)| *n > 0)
        .map(|(n, what)| format!("{n} {what}"));
    said.collect::<Vec<_>>().join(", ")
}

fn change_text(out: &mut String, change: &ChangeView<'_>, risks: &[Risk]) {
    let (mark, action) = action_words(change);
    let head = format!(
        "{mark} {}  ({}) {action}",
        change.sentence, change.logical_id
    );
    wrapped(out, "    ", &head);
    for text in property_lines(change) {
        wrapped(out, "        ", &text);
    }
    let here = |risk: &&Risk| risk.logical_id == change.logical_id;
    for risk in risks.iter().filter(here) {
        wrapped(out, "        ", &format!("!! {}", risk_words(risk)));
    }
}

fn line(out: &mut String, arguments: std::fmt::Arguments<'_>) {
    // Writing to a String can't fail.
    let _ = writeln!(out, "{arguments}");
}

/// Writes text folded to the width: every line with `indent`, the following ones a little deeper.
fn wrapped(out: &mut String, indent: &str, text: &str) {
    line(out, format_args!("{}", listed_line(indent, text)));
}
