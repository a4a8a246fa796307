//! The last word on a run: what succeeded, how long it took, what failed, why, and what is left.

use jiff::Timestamp;

use super::failure::failure_lines;
use super::model::Model;
use super::table::table;
use super::text::{Line, Mark, count, elapsed, room, wrap};
use super::view::present;
use crate::apply::event::{Outcome, Verb};

impl Model {
    /// The summary, wrapped to `width` columns; nothing of it is cut for height.
    pub fn summary(&self, now: Timestamp, width: usize) -> Vec<Line> {
        let mut lines: Vec<Line> = wrap(&self.headline(now), width)
            .iter()
            .map(|text| Line::new(Mark::Title, text, width))
            .collect();
        let rows: Vec<_> = self
            .stacks
            .iter()
            .map(|stack| self.row(stack, now))
            .collect();
        lines.extend(table(&rows, width));
        for stack in &self.stacks {
            let Some(failure) = &stack.failure else {
                continue;
            };
            lines.extend(failure_lines(&stack.kind, failure, width, usize::MAX));
            let aftermath = wrap(&self.aftermath(stack), room(width));
            lines.extend(
                aftermath
                    .iter()
                    .map(|text| Line::new(Mark::Detail, text, width)),
            );
        }
        lines
    }

    /// One sentence: which cluster, how it ended, how long it took.
    pub(super) fn headline(&self, now: Timestamp) -> String {
        let cluster = &self.cluster;
        let span = elapsed(self.elapsed(now));
        let (done, all) = self.stacks_done();
        let stacks = count(all, "stack");
        let verb = self.verb.unwrap_or(Verb::Update);
        match self.finished {
            Some((_, true)) if !self.has_changed() => match verb {
                Verb::Delete => format!("{cluster}: nothing to delete"),
                _ => format!("{cluster}: nothing to do, {stacks} as defined"),
            },
            Some((_, true)) => {
                let resources = count(self.resources_done().0, "resource");
                format!("{cluster}: {} in {span}, {stacks}, {resources}", past(verb))
            }
            Some((_, false)) if self.is_detached() => {
                self.left(&cluster_span(cluster, &span, done, &stacks))
            }
            Some((_, false)) => format!(
                "{cluster}: {} failed after {span}, {done} of {stacks} done",
                present(verb)
            ),
            None => self.left(&cluster_span(cluster, &span, done, &stacks)),
        }
    }

    fn left(&self, so_far: &str) -> String {
        let moving = |mark| matches!(mark, Mark::Running | Mark::RollingBack | Mark::Failed);
        let running = self
            .stacks
            .iter()
            .filter(|stack| stack.settled.is_none() && moving(stack.mark()))
            .count();
        format!("{so_far}, {running} still moving")
    }

    fn has_changed(&self) -> bool {
        self.stacks.iter().any(|stack| match &stack.settled {
            Some((_, outcome)) => *outcome != Outcome::Unchanged,
            None => stack.started.is_some() || stack.operation.is_some(),
        })
    }
}

fn cluster_span(cluster: &str, span: &str, done: usize, stacks: &str) -> String {
    format!("{cluster}: no longer followed after {span}, {done} of {stacks} done")
}

fn past(verb: Verb) -> &'static str {
    match verb {
        Verb::Create => "created",
        Verb::Update => "updated",
        Verb::Delete => "deleted",
    }
}
