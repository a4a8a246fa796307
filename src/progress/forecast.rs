//! How long a run will still take, by what is expected of its stacks and how far they are.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::model::{Model, StackProgress};
use crate::common::duration::estimate;
use crate::events::Span;
use crate::forecast::remaining::remaining;
use crate::stacks::StackKind;

/// What is left of a run.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Forecast {
    /// Seconds until the last stack is done.
    pub left: Span,
    /// Whether the critical stack takes longer than nine in ten do; then `left` is the least.
    pub overdue: bool,
    /// The stack at work on the longest way.
    pub critical: Option<StackKind>,
}

impl Forecast {
    /// `eta 6-9m`; `eta over 2m`, `eta overdue` when the critical stack is late.
    pub fn text(&self) -> String {
        match (self.overdue, self.left.to) {
            (true, 0) => "eta overdue".to_owned(),
            (true, to) => format!("eta over {}", estimate(to, to)),
            (false, to) => format!("eta {}", estimate(self.left.from, to)),
        }
    }
}

impl Model {
    /// What is left of the run at `now`. `None` when it is over, or when it is not known how long one of
    /// the stacks takes that are left.
    pub(super) fn forecast(&self, now: Timestamp) -> Option<Forecast> {
        if self.finished.is_some() {
            return None;
        }
        let left = self.stacks.iter().filter(|stack| self.may_succeed(stack));
        let left =
            left.map(|stack| Some((&stack.kind, (stack.open_needs(), stack.time_left(now)?))));
        let left: BTreeMap<_, _> = left.collect::<Option<_>>()?;
        let (whole, critical) = remaining(&left)?;
        let own = left.get(critical).map(|(_, span)| span.to);
        let works = self.stack(critical)?.started.is_some();
        Some(Forecast {
            left: whole,
            overdue: works && own == Some(0),
            critical: works.then(|| critical.clone()),
        })
    }

    /// Whether a stack is still expected to succeed. Not if it failed, or needs one that did.
    fn may_succeed(&self, stack: &StackProgress) -> bool {
        let over = stack.failure.is_some() || stack.settled.is_some();
        let blocked = || {
            let failed = |other: &StackProgress| other.failure.is_some() && !other.is_done();
            self.stacks
                .iter()
                .any(|other| failed(other) && self.depends(&stack.kind, &other.kind))
        };
        stack.operation.is_some() && !over && (stack.started.is_some() || !blocked())
    }
}

impl StackProgress {
    /// The stacks that it waits for; none once it began.
    fn open_needs(&self) -> &[StackKind] {
        if self.started.is_some() {
            &[]
        } else {
            &self.needs
        }
    }

    /// Seconds that its own operation still takes.
    fn time_left(&self, now: Timestamp) -> Option<Span> {
        let span = self.span?;
        let Some(started) = self.started else {
            return Some(span);
        };
        let passed = now.duration_since(started).as_secs().max(0);
        let passed = u32::try_from(passed).unwrap_or(u32::MAX);
        let left = Span {
            from: span.from.saturating_sub(passed),
            to: span.to.saturating_sub(passed),
        };
        if left.to > 0 {
            return Some(left);
        }
        // Late as a whole, perhaps only because one of its resources began late.
        let slowest = self
            .slowest(now)
            .and_then(|resource| resource.time_left(now));
        Some(slowest.unwrap_or_default())
    }
}
