//! A failure as people read it: which resource, and why, cause first.

use super::model::{Model, Pinned, StackProgress};
use super::text::{Line, Mark, clean, elapsed, room, wrap};
use crate::apply::event::Outcome;
use crate::stacks::StackKind;

/// What failed and why, in at most `reason_lines` lines for the reason.
/// A reason that is cut ends in `..`; its cause stands in front.
pub(super) fn failure_lines(
    stack: &StackKind,
    failure: &Pinned,
    width: usize,
    reason_lines: usize,
) -> Vec<Line> {
    let mut title = wrap(&title(stack, failure), room(width));
    let mut reason = wrap(&failure.reason, room(width));
    if reason_lines < usize::MAX {
        title.truncate(1);
    }
    if reason.len() > reason_lines {
        reason.truncate(reason_lines);
        if let Some(last) = reason.last_mut() {
            // Longer than the line on purpose: fitting puts the two dots at its end.
            *last = super::text::fit(&format!("{last} .."), room(width));
        }
    }
    let marks = std::iter::once(Mark::Failed).chain(std::iter::repeat(Mark::Detail));
    title
        .iter()
        .chain(&reason)
        .zip(marks)
        .map(|(text, mark)| Line::new(mark, text, width))
        .collect()
}

/// `edge: NAT gateway in eu-west-1a (NatGatewayA) CREATE_FAILED after 1m52s`
pub(super) fn title(stack: &StackKind, failure: &Pinned) -> String {
    let resource = match (&failure.resource, &failure.logical_id) {
        (Some(sentence), Some(id)) if sentence != id => format!(" {sentence} ({id})"),
        (Some(one), _) | (None, Some(one)) => format!(" {one}"),
        (None, None) => String::new(),
    };
    let status = failure.status.as_deref().unwrap_or("refused");
    let after = failure
        .after
        .map_or(String::new(), |span| format!(" after {}", elapsed(span)));
    format!("{}:{resource} {status}{after}", clean(&stack.to_string()))
}

impl Model {
    /// What a failure left: where its stack stands now, what is stuck, who never started.
    pub(super) fn aftermath(&self, stack: &StackProgress) -> String {
        let mut parts = Vec::new();
        match &stack.settled {
            Some((_, Outcome::RolledBack(failure))) => {
                parts.push(format!("rolled back{}", in_status(failure.status.as_ref())));
            }
            Some((_, Outcome::Failed(failure))) => {
                let status = in_status(failure.status.as_ref());
                parts.push(format!("not rolled back, needs a hand{status}"));
            }
            Some((_, Outcome::Updated)) => parts.push("updated all the same".to_owned()),
            Some(_) => {}
            None if stack.rolling_back => parts.push("still rolling back".to_owned()),
            None => parts.push("still at it".to_owned()),
        }
        let remains: Vec<&str> = stack.stuck().collect();
        if !remains.is_empty() {
            parts.push(format!("still there: {}", remains.join(", ")));
        }
        let stranded: Vec<String> = self.stranded(&stack.kind).collect();
        if !stranded.is_empty() {
            parts.push(format!(
                "not started because of it: {}",
                stranded.join(", ")
            ));
        }
        format!("now: {}", parts.join("; "))
    }

    fn stranded(&self, kind: &StackKind) -> impl Iterator<Item = String> {
        self.stacks
            .iter()
            .filter_map(move |stack| match &stack.settled {
                Some((_, Outcome::NotStarted { needs })) if needs == kind => {
                    Some(clean(&stack.kind.to_string()))
                }
                _ => None,
            })
    }
}

fn in_status(status: Option<&crate::cloud::StackStatus>) -> String {
    status.map_or(String::new(), |word| format!(" ({})", clean(word.as_str())))
}
