//! The last lines of a plan: how many stacks change, how long it takes and what it costs.

use super::{PlanView, StackAction, forecast};
use crate::common::text::listed_line;

/// What a plan can't say about new stacks.
const UNKNOWABLE: &str = "Known only after apply: IDs, addresses. Not checked: instance capacity.";
/// The same where nobody looked before the first stack.
const UNCHECKED: &str = "Known only after apply: IDs, addresses. Not checked: service quotas, instance \
                         capacity.";

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
                StackAction::PutBack
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
        lines.join("\n") + "\n"
    } else {
        format!(
            "Nothing to do: all {} stacks are as defined.\n",
            view.stacks.len()
        )
    }
}
