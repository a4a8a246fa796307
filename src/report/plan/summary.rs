//! The last lines of a plan: how many stacks change, how long it takes and what it costs.

use super::{PlanView, StackAction, forecast};
use crate::common::text::{count as counted, listed_line};

/// What a plan can't say about new stacks.
const UNKNOWABLE: &str = "Known only after apply: IDs, addresses. Not checked: instance capacity.";
/// The same where nobody looked before the first stack.
const UNCHECKED: &str = "Known only after apply: IDs, addresses. Not checked: service quotas, instance \
                         capacity.";

/// What drift detection leaves out (<https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-resource-iam-policy.html>
/// and cloudformation-coverage-roadmap#936, #1686, #1858, #2489).
const NOT_COMPARED: &str = "CloudFormation does not compare key policies, documents of managed policies, and policies \
                            inside or attached to roles";

/// The last lines of a plan.
pub(super) fn summary(view: &PlanView<'_>) -> String {
    let count = |words: &[StackAction]| {
        view.stacks
            .iter()
            .filter(|s| words.contains(&s.action))
            .count()
    };
    let mut parts = vec![
        format!(
            "{} to create",
            count(&[StackAction::Create, StackAction::Recreate])
        ),
        format!(
            "{} to update",
            count(&[
                StackAction::Update,
                StackAction::Later,
                StackAction::Protect,
                StackAction::PutBack,
                StackAction::Suspend
            ])
        ),
        format!("{} unchanged", count(&[StackAction::Keep])),
    ];
    for (words, what) in [
        (&[StackAction::Follow][..], "in progress"),
        (&[StackAction::Refused][..], "refused"),
        (&[StackAction::Blocked][..], "blocked"),
    ] {
        if count(words) > 0 {
            parts.push(format!("{} {what}", count(words)));
        }
    }
    if view.changes {
        let mut lines = vec![format!("Plan: {}.", parts.join(", "))];
        lines.extend(forecast::lines(&view.expected, &view.cost));
        if count(&[StackAction::Create, StackAction::Recreate]) > 0 {
            let checked = !view.checks.is_empty();
            lines.push(listed_line(
                "",
                if checked { UNKNOWABLE } else { UNCHECKED },
            ));
        }
        lines.extend(drift_lines(view));
        lines.join("\n") + "\n"
    } else {
        let mut lines = vec![listed_line("", &verdict(view))];
        if view.stacks.iter().any(|s| !s.sizes_unknown.is_empty()) {
            lines.push("Not everything could be looked at: see ?? above.".to_owned());
        }
        lines.extend(drift_lines(view));
        lines.join("\n") + "\n"
    }
}

/// What is said where a run would change nothing: of the resources only where they were looked at.
fn verdict(view: &PlanView<'_>) -> String {
    let stacks = view.stacks.len();
    let drift = &view.drift;
    if drift.needs_action > 0 {
        let differ = counted(drift.needs_action, "resource");
        let verb = if drift.needs_action == 1 {
            "differs"
        } else {
            "differ"
        };
        return format!(
            "Nothing that apply changes: all {stacks} stacks have the defined templates, but {differ} in AWS {verb}."
        );
    }
    let unread = view.stacks.iter().any(|s| !s.sizes_unknown.is_empty());
    if drift.unknown + drift.not_looked > 0 || unread {
        return format!("Nothing to do: all {stacks} stacks have the defined templates.");
    }
    format!("Nothing to do: all {stacks} stacks are as defined.")
}

/// What drift detection found and left out; nothing about a cluster that does not exist.
fn drift_lines(view: &PlanView<'_>) -> Vec<String> {
    let drift = &view.drift;
    let mut lines = Vec::new();
    if !view.refused.is_empty() {
        return lines;
    }
    if drift.needs_action > 0 {
        lines.push(format!(
            "Drift: {} changed outside kube-cfn; apply leaves that as it is, see `next` above.",
            counted(drift.needs_action, "resource")
        ));
    }
    if let Some(reason) = drift.reason {
        let stacks = counted(drift.unknown, "stack");
        lines.push(format!("Drift is unknown in {stacks}: {reason}."));
    }
    let looked = drift.compared + drift.unknown > 0;
    match (drift.not_looked, looked) {
        (0, _) => {}
        (_, true) => lines.push("Drift was looked for only in stacks that change.".to_owned()),
        (_, false) => lines.push("Drift was not looked for.".to_owned()),
    }
    if drift.compared > 0 {
        let cluster = view.cluster;
        lines.push(format!("{NOT_COMPARED}: `kube-cfn doctor {cluster}` does."));
    }
    lines.iter().map(|line| listed_line("", line)).collect()
}
