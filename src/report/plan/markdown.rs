//! A plan as Markdown, fit for a pull request: a table of the stacks, data at stake in the open, every
//! change folded.

use std::fmt::Write;

use super::changes::{ChangeView, action_words, property_lines, risk_words};
use super::notes::notes;
use super::summary::summary;
use super::text::{counted, headline_words};
use super::{PlanDetail, PlanView, StackView, checks, forecast};
use crate::common::text::count;
use crate::plan::Blocked;

/// A plan as Markdown.
pub fn markdown(view: &PlanView<'_>) -> String {
    let mut out = String::new();
    // Writing to a String can't fail.
    let _ = writeln!(
        out,
        "### kube-cfn plan: {} ({}, account {})\n",
        plain(view.cluster),
        view.region,
        view.account
    );
    for warning in &view.warnings {
        let _ = writeln!(out, "> warning: {}  ", plain(&warning.text()));
    }
    if !view.warnings.is_empty() {
        out.push('\n');
    }
    for why in view.refused {
        blocked(&mut out, "the plan", why);
    }
    if !view.refused.is_empty() {
        out.push('\n');
    }
    for check in checks::lines(view) {
        let (text, next) = (plain(&check.text), check.next.map(plain));
        let next = next.map_or_else(String::new, |next| format!("  \n> next: {next}"));
        let _ = writeln!(out, "> `{}` {text}{next}\n", check.mark);
    }
    if let Some(text) = checks::fine(view) {
        let _ = writeln!(out, "{}\n", plain(&text));
    }
    for line in summary(view).lines() {
        let _ = writeln!(out, "{}  ", plain(line));
    }
    out.push_str("\n| stack | what | time | a month |\n|---|---|---|---|\n");
    for stack in &view.stacks {
        let time = stack.expected.map(forecast::span).unwrap_or_default();
        let money = forecast::difference(stack.cost_difference).unwrap_or_default();
        let said = headline_words(stack);
        let _ = writeln!(
            out,
            "| {} | {} | {time} | {money} |",
            stack.stack,
            plain(&said)
        );
    }
    view.stacks
        .iter()
        .for_each(|stack| details(&mut out, stack));
    if !view.leftover.is_empty() {
        let names = view.leftover.join(", ");
        let _ = writeln!(
            out,
            "\nIn AWS but not in the definition, left alone: {names}."
        );
    }
    out
}

fn blocked(out: &mut String, what: &str, why: &Blocked) {
    let (reason, next) = (plain(&why.reason), plain(&why.remedy));
    let _ = writeln!(
        out,
        "\n> **{what}** ({}): {reason}  \n> next: {next}",
        why.code
    );
}

fn details(out: &mut String, stack: &StackView<'_>) {
    if let Some(why) = stack.blocked.filter(|_| !stack.refused_above) {
        blocked(out, &stack.stack.to_string(), why);
    }
    for risk in stack.risks {
        let text = plain(&risk_words(risk));
        let _ = writeln!(out, "\n> **{}** {text}", plain(&risk.name));
    }
    for (mark, text) in notes(stack, PlanDetail::Short) {
        let _ = writeln!(out, "\n- `{mark}` {}: {}", stack.stack, plain(&text));
    }
    if stack.changes.is_empty() && stack.creates.is_empty() {
        return;
    }
    let what = if stack.changes.is_empty() {
        format!("{} created", count(stack.counts.add, "resource"))
    } else {
        counted(&stack.counts)
    };
    let _ = writeln!(
        out,
        "\n<details><summary>{}: {what}</summary>\n\n```diff",
        stack.stack
    );
    for change in &stack.changes {
        change_lines(out, change);
    }
    for planned in &stack.creates {
        let _ = writeln!(
            out,
            "+ {} ({})",
            code(&planned.sentence),
            planned.logical_id
        );
    }
    out.push_str("```\n\n</details>\n");
}

fn change_lines(out: &mut String, change: &ChangeView<'_>) {
    let (mark, action) = action_words(change);
    // A diff is coloured by its first sign alone.
    let sign = match mark {
        "+" => "+",
        "~" => "!",
        _ => "-",
    };
    let _ = writeln!(
        out,
        "{sign} {} ({}) {action}",
        code(&change.sentence),
        change.logical_id
    );
    for text in property_lines(change) {
        let _ = writeln!(out, "!     {}", code(&text));
    }
}

/// Escapes text of a definition or of AWS, so that none of it is read as markup.
fn plain(text: &str) -> String {
    let mut out = String::new();
    for sign in text.chars() {
        if matches!(sign, '<' | '>' | '|' | '*' | '_' | '[' | ']' | '#') {
            out.push('\\');
        }
        out.push(if sign == '\n' { ' ' } else { sign });
    }
    out
}

/// Escapes text inside a fence, where only the fence itself has a meaning.
fn code(text: &str) -> String {
    text.replace('\n', " ").replace("```", "'''")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markdown_escapes_values() {
        assert_eq!(plain("a|b <x> *y*"), "a\\|b \\<x\\> \\*y\\*");
        assert_eq!(code("```\nrm"), "''' rm");
    }
}
