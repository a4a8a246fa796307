//! The end of a run: what succeeded, how long it took, what failed, why, and what is left.

use jiff::Timestamp;

use super::failure::FailureDetail;
use super::line::{Line, Mark, room};
use super::model::{Model, StackProgress};
use super::table::table;
use crate::common::duration::elapsed;
use crate::common::text::{clean, count, wrap};
use crate::events::{Outcome, Verb};

impl Model {
    /// What stays on the screen of the run and of the wait for its cluster; empty for what never began.
    pub(super) fn summaries(&self, now: Timestamp, width: usize) -> (Vec<Line>, Vec<Line>) {
        let run = self.started.map(|_| self.summary(now, width));
        let roll = self.roll.as_ref().map(|roll| roll.summary(now, width));
        let run = [run, roll].into_iter().flatten().flatten().collect();
        let wait = self.wait.as_ref().map(|wait| wait.summary(now, width));
        (run, wait.unwrap_or_default())
    }

    /// The summary, wrapped to `width` columns; nothing of it is cut for height.
    pub fn summary(&self, now: Timestamp, width: usize) -> Vec<Line> {
        let mut lines: Vec<Line> = wrap(&self.headline(now), width)
            .iter()
            .map(|text| Line::new(Mark::Title, text, width))
            .collect();
        let stacks = self.stacks.iter().map(|stack| self.row(stack, now));
        let rows: Vec<_> = stacks
            .chain(self.sweeps.row(self.finished.is_some()))
            .collect();
        lines.extend(table(&rows, width));
        lines.extend(self.reports(width, FailureDetail::Final));
        lines.extend(self.detached_lines(now, width));
        lines
    }

    /// The failures of all stacks, each in five lines at most, or in full.
    pub fn reports(&self, width: usize, detail: FailureDetail) -> Vec<Line> {
        let reports = self
            .stacks
            .iter()
            .map(|stack| self.report(stack, width, detail));
        reports.flatten().collect()
    }

    /// The failure of a stack in five lines or fewer; nothing where it did not fail.
    pub(super) fn report(
        &self,
        stack: &StackProgress,
        width: usize,
        detail: FailureDetail,
    ) -> Vec<Line> {
        let Some(failure) = &stack.failure else {
            return Vec::new();
        };
        let after = self.after_failure(stack);
        let texts = failure.report(&stack.kind, &after, room(width), detail);
        Line::group(Mark::Failed, texts, width)
    }

    /// What continues in AWS after a run that is no longer followed, and how to go on with the rest.
    fn detached_lines(&self, now: Timestamp, width: usize) -> Vec<Line> {
        if self.finished.is_some() || self.started.is_none() {
            return Vec::new();
        }
        let is_stopped = self.is_stopped();
        let mut texts = if is_stopped {
            vec!["no stack is in progress: nothing goes on by itself".to_owned()]
        } else {
            vec!["nothing was cancelled".to_owned()]
        };
        let moving: Vec<String> = self
            .stacks
            .iter()
            .filter(|stack| stack.is_in_progress())
            .map(moving)
            .collect();
        if !moving.is_empty() {
            let eta = self
                .forecast(now)
                .map_or(String::new(), |known| format!(" ({})", known.text()));
            texts = vec![format!("continues in AWS{eta}: {}", moving.join(", "))];
        }
        let idle: Vec<String> = self
            .idle()
            .map(|stack| clean(&stack.kind.to_string()))
            .collect();
        if !idle.is_empty() {
            texts.push(format!("not started: {}", idle.join(", ")));
        }
        if !self.sweeps.is_done() {
            let (removed, all) = self.sweeps.removed();
            texts.push(format!(
                "stopped: the removal outside the stacks, {removed} of {all} done"
            ));
        }
        let (mark, next) = if is_stopped {
            let rest = format!("{}  does the rest", self.next());
            (Mark::Waiting, vec![rest])
        } else {
            let watch = format!("kube-cfn watch {}  follows it", self.argument());
            let resume = format!("{}  resumes it", self.next());
            (Mark::Running, vec![watch, resume])
        };
        let texts = texts.iter().flat_map(|text| wrap(text, room(width)));
        let mut lines = Line::group(mark, texts, width);
        lines.extend(next.iter().map(|text| Line::new(Mark::Detail, text, width)));
        lines
    }

    /// Stacks that were not begun.
    fn idle(&self) -> impl Iterator<Item = &StackProgress> {
        let all = self.stacks.iter();
        all.filter(|stack| stack.mark() == Mark::Waiting)
    }

    /// Whether what is left is done by this command alone: AWS has nothing of it in progress.
    fn is_stopped(&self) -> bool {
        let is_open = self.idle().next().is_some() || !self.sweeps.is_done();
        is_open && !self.stacks.iter().any(StackProgress::is_in_progress)
    }

    /// One sentence: which cluster, how it ended, how long it took.
    pub(super) fn headline(&self, now: Timestamp) -> String {
        let cluster = &self.cluster;
        let span = elapsed(self.elapsed(now));
        let (done, all) = self.stacks_done();
        let stacks = count(all, "stack");
        let verb = self.verb.unwrap_or(Verb::Update);
        match self.finished {
            Some(_) if self.is_at_rest() => {
                let bad = match all - done {
                    0 => String::new(),
                    bad => format!(", {bad} of them in a status that needs action"),
                };
                format!("{cluster}: nothing is moving; {stacks} at rest{bad}")
            }
            Some((_, true)) if !self.has_changed() => match verb {
                // Parameters are none of what is counted.
                Verb::Delete => format!("{cluster}: what was left of it is deleted, in {span}"),
                Verb::Create | Verb::Update if all == 0 => format!("{cluster}: no stacks"),
                Verb::Create | Verb::Update => {
                    format!("{cluster}: nothing to do, {stacks} as defined")
                }
            },
            Some((_, true)) => {
                let resources = count(self.resources_done().0, "resource");
                let outside = match self.sweeps.removed() {
                    (0, _) => String::new(),
                    (done, _) => format!(", {done} outside the stacks"),
                };
                let stacks = match all {
                    0 => String::new(),
                    _ => format!(", {stacks}, {resources}"),
                };
                format!("{cluster}: {} in {span}{stacks}{outside}", verb.past())
            }
            Some((_, false)) => format!(
                "{cluster}: {} failed after {span}, {done} of {stacks} done",
                verb.as_str()
            ),
            None if self.is_stopped() => {
                format!("{cluster}: stopped after {span}, {done} of {stacks} done")
            }
            None => {
                let running = self
                    .stacks
                    .iter()
                    .filter(|stack| stack.is_in_progress())
                    .count();
                format!(
                    "{cluster}: no longer followed after {span}, {done} of {stacks} done, \
                     {running} still in progress"
                )
            }
        }
    }

    /// Whether stacks were watched of which none moved.
    fn is_at_rest(&self) -> bool {
        !self.stacks.is_empty() && self.stacks.iter().all(StackProgress::is_at_rest)
    }

    fn has_changed(&self) -> bool {
        let outside = self.sweeps.removed().0 > 0;
        let changed = self.stacks.iter().any(|stack| match &stack.settled {
            Some((_, outcome)) => !matches!(outcome, Outcome::Unchanged | Outcome::AtRest(_)),
            None => stack.started.is_some() || stack.operation.is_some(),
        });
        changed || outside
    }
}

/// `edge (rolling back)`
fn moving(stack: &StackProgress) -> String {
    let name = clean(&stack.kind.to_string());
    match stack.mark() {
        Mark::RollingBack => format!("{name} (rolling back)"),
        Mark::Failed => format!("{name} (failed)"),
        _ => name,
    }
}
