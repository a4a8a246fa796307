//! How long a run will still take, by what is expected of its stacks and how far they are.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::model::{Model, StackProgress};
use crate::common::duration::estimate;
use crate::events::Span;
use crate::stacks::StackKind;

/// Nothing takes longer, in seconds.
const CENTURY: i64 = 3_155_760_000;

/// What is left of a run.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Forecast {
    /// Seconds until the last stack is done.
    pub left: Span,
    /// Whether what all wait for takes longer than nine in ten do; then `left` is the least.
    pub overdue: bool,
    /// The stack that all wait for now: the one at work on the longest way.
    pub critical: Option<StackKind>,
}

/// When a stack is done, in seconds from now, and the stack before it on its longest way.
#[derive(Debug, Clone, Copy)]
struct Done<'a> {
    from: i64,
    to: i64,
    after: Option<&'a StackKind>,
}

impl Forecast {
    /// `eta 6-9m`; `eta over 2m`, `eta overdue` when what all wait for is late.
    pub fn text(&self) -> String {
        match (self.overdue, self.left.to) {
            (true, 0) => "eta overdue".to_owned(),
            (true, to) => format!("eta over {}", estimate(to, to)),
            (false, to) => format!("eta {}", estimate(self.left.from, to)),
        }
    }
}

impl Model {
    /// What is left of the run at `now`. `None` when it is over, or when nobody knows how long one of
    /// the stacks takes that are left.
    pub(super) fn forecast(&self, now: Timestamp) -> Option<Forecast> {
        if self.finished.is_some() {
            return None;
        }
        let left: Vec<&StackProgress> = self
            .stacks
            .iter()
            .filter(|stack| self.is_left(stack))
            .collect();
        let done = ends(&left, now)?;
        let last = left
            .iter()
            .filter_map(|stack| Some((&stack.kind, done.get(&stack.kind.to_string())?)))
            .max_by_key(|(_, end)| (end.to, end.from))?;
        let seconds = |seconds: i64| u32::try_from(seconds.clamp(0, CENTURY)).unwrap_or_default();
        let left = Span {
            from: done
                .values()
                .map(|end| seconds(end.from))
                .max()
                .unwrap_or_default(),
            to: seconds(last.1.to),
        };
        let mut critical = last.0;
        while let Some(before) = done.get(&critical.to_string()).and_then(|end| end.after) {
            critical = before;
        }
        let works = self
            .stack(critical)
            .is_some_and(|stack| stack.started.is_some());
        let own = done.get(&critical.to_string());
        Some(Forecast {
            left,
            overdue: works && own.is_some_and(|end| end.to == 0),
            critical: works.then(|| critical.clone()),
        })
    }

    /// Whether a stack has still to come to its good end. One that failed, or needs one that did, has none.
    fn is_left(&self, stack: &StackProgress) -> bool {
        let lost = |stack: &StackProgress| stack.failure.is_some() || stack.settled.is_some();
        let stranded = || {
            let failed = self
                .stacks
                .iter()
                .filter(|other| other.failure.is_some() && !other.is_done());
            failed
                .into_iter()
                .any(|other| self.depends(&stack.kind, &other.kind))
        };
        stack.operation.is_some() && !lost(stack) && !(stack.started.is_none() && stranded())
    }
}

/// When each stack is done. `None` when nobody knows how long one of them takes.
fn ends<'a>(left: &[&'a StackProgress], now: Timestamp) -> Option<BTreeMap<String, Done<'a>>> {
    let mut done: BTreeMap<String, Done> = BTreeMap::new();
    // Each round settles at least one stack, unless they need each other in a circle.
    for _ in 0..left.len() {
        for stack in left {
            let ready = stack.needs.iter().all(|need| {
                let waits = left.iter().any(|other| other.kind == *need);
                !waits || done.contains_key(&need.to_string())
            });
            if ready && !done.contains_key(&stack.kind.to_string()) {
                let end = end_of(stack, &done, now)?;
                done.insert(stack.kind.to_string(), end);
            }
        }
    }
    Some(done)
}

fn end_of<'a>(
    stack: &'a StackProgress,
    done: &BTreeMap<String, Done<'a>>,
    now: Timestamp,
) -> Option<Done<'a>> {
    let span = stack.span?;
    let (from, to) = (i64::from(span.from), i64::from(span.to));
    if let Some(started) = stack.started {
        let passed = now.duration_since(started).as_secs().max(0);
        let (mut from, mut to) = ((from - passed).max(0), (to - passed).max(0));
        if to == 0 {
            // Late as a whole, perhaps only because one of its resources began late.
            let slowest = stack.slowest(now).and_then(|resource| resource.left(now));
            (from, to) = slowest.unwrap_or((0, 0));
        }
        let after = None;
        return Some(Done { from, to, after });
    }
    let before = stack
        .needs
        .iter()
        .filter_map(|need| Some((need, done.get(&need.to_string())?)));
    let last = before.clone().max_by_key(|(_, end)| end.to);
    let begin = before.map(|(_, end)| end.from).max().unwrap_or_default();
    Some(Done {
        from: begin + from,
        to: last.map_or(0, |(_, end)| end.to) + to,
        after: last.map(|(need, _)| need),
    })
}
