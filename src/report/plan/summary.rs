//! The last lines of a plan: how many stacks change, how long it takes and what it costs.

use super::{PlanView, Word, forecast};
use crate::common::text::listed_line;

/// What no plan of a creation contains.
const UNKNOWABLE: &str = "Known only after apply: IDs, addresses. Not checked: service quotas, instance \
                          capacity.";

/// The last lines of a plan.
pub(super) fn summary(view: &PlanView<'_>) -> String {
    let count = |words: &[Word]| {
        view.stacks
            .iter()
            .filter(|s| words.contains(&s.action))
            .count()
    };
    let mut parts = vec![
        format!("{} to create", count(&[Word::Create, Word::Recreate])),
        format!(
            "{} to update",
            count(&[Word::Update, Word::Later, Word::Protect])
        ),
        format!("{} unchanged", count(&[Word::Keep])),
    ];
    for (words, what) in [
        (&[Word::Follow][..], "in progress"),
        (&[Word::Refused][..], "refused"),
        (&[Word::Blocked][..], "blocked"),
    ] {
        if count(words) > 0 {
            parts.push(format!("{} {what}", count(words)));
        }
    }
    if view.changes {
        let mut lines = vec![format!("Plan: {}.", parts.join(", "))];
        lines.extend(forecast::lines(&view.expected, &view.cost));
        if count(&[Word::Create, Word::Recreate]) > 0 {
            lines.push(listed_line("", UNKNOWABLE));
        }
        lines.join("\n") + "\n"
    } else {
        format!(
            "Nothing to do: all {} stacks are as defined.\n",
            view.stacks.len()
        )
    }
}
