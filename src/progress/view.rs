//! The block of a running operation: as many of its facts as fit a terminal, the worst ones first.
//! Pure: the same model, time and size give the same lines.

use jiff::Timestamp;

use super::failure::failure_lines;
use super::model::{Model, ResourceProgress, StackProgress};
use super::table::{Row, table};
use super::text::{Line, Mark, clean, count, elapsed, roughly};
use crate::apply::event::{Outcome, Verb};
use crate::catalog::durations::Operation;
use crate::stacks::StackKind;

/// What gives way, one after the other, when the terminal is short.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fold {
    Nothing,
    /// Stacks that are done become one line.
    Done,
    /// Stacks that wait become one line.
    Waiting,
    /// Failures show the beginning of their reason, which is its cause.
    Reasons,
    /// Failures show one line of it.
    Causes,
    /// The last rows become one line.
    Rows,
}

impl Model {
    /// The block at `now`: at most `height` lines of at most `width` columns.
    pub fn view(&self, now: Timestamp, width: usize, height: usize) -> Vec<Line> {
        use Fold::{Causes, Done, Nothing, Reasons, Rows, Waiting};
        let mut block = Vec::new();
        for fold in [Nothing, Done, Waiting, Reasons, Causes, Rows] {
            block = self.block(now, width, height, fold);
            if block.len() <= height {
                break;
            }
        }
        block.truncate(height);
        block
    }

    fn block(&self, now: Timestamp, width: usize, height: usize, fold: Fold) -> Vec<Line> {
        let failures = self.pinned(width, fold);
        let mut rows = self.rows(now, fold);
        if fold == Fold::Rows {
            // Without failures every line is for rows; with them, rows get a third at least.
            let room = height
                .saturating_sub(1 + failures.len())
                .max(height.saturating_sub(1) / 3);
            rows = shorten(rows, room);
        }
        let mut lines = vec![Line::new(Mark::Title, &self.header(now), width)];
        lines.extend(table(&rows, width));
        lines.extend(failures);
        lines
    }

    fn header(&self, now: Timestamp) -> String {
        let (done, all) = self.resources_done();
        let (stacks_done, stacks) = self.stacks_done();
        let failed = self.stacks.iter().filter(|s| s.failure.is_some()).count();
        let mut header = format!(
            "{}  {}  {}  {done}/{all} resources  {stacks_done}/{stacks} stacks",
            self.cluster,
            self.verb.map_or("", present),
            elapsed(self.elapsed(now)),
        );
        if failed > 0 {
            header.push_str(&format!("  {failed} failed"));
        }
        header
    }

    fn rows(&self, now: Timestamp, fold: Fold) -> Vec<Row> {
        let folded = |stack: &StackProgress| match stack.mark() {
            Mark::Done => fold >= Fold::Done,
            Mark::Waiting => fold >= Fold::Waiting,
            _ => false,
        };
        let number = |mark: Mark| {
            let folded = self.stacks.iter().filter(|s| s.mark() == mark && folded(s));
            folded.count()
        };
        let mut rows = Vec::new();
        match number(Mark::Done) {
            0 => {}
            done => rows.push(Row::fold(
                Mark::Done,
                format!("{} done", count(done, "stack")),
            )),
        }
        let shown = self.stacks.iter().filter(|stack| !folded(stack));
        rows.extend(shown.map(|stack| self.row(stack, now)));
        match number(Mark::Waiting) {
            0 => {}
            1 => rows.push(Row::fold(Mark::Waiting, "1 more stack waits".to_owned())),
            more => {
                let text = format!("{more} more stacks wait");
                rows.push(Row::fold(Mark::Waiting, text));
            }
        }
        rows
    }

    pub(super) fn row(&self, stack: &StackProgress, now: Timestamp) -> Row {
        let (done, all) = stack.resources_done();
        let (text, timing) = self.activity(stack, now);
        Row {
            mark: stack.mark(),
            name: Some(clean(&stack.kind.to_string())),
            elapsed: stack.span(now).map(elapsed).unwrap_or_default(),
            count: if all == 0 {
                String::new()
            } else {
                format!("{done}/{all}")
            },
            text,
            timing,
        }
    }

    /// What a stack is at, and how long that has taken of how much.
    fn activity(&self, stack: &StackProgress, now: Timestamp) -> (String, String) {
        if let Some((_, outcome)) = &stack.settled {
            return (verdict(outcome), String::new());
        }
        let back = if stack.rolling_back {
            "rolling back"
        } else {
            ""
        };
        if let Some(resource) = stack.slowest(now) {
            let action = doing(resource, stack.operation);
            let what = [back, &action].into_iter().filter(|part| !part.is_empty());
            let what = what.collect::<Vec<_>>().join(": ");
            return (what, timing(resource, now));
        }
        let text = match (stack.started, &stack.note) {
            (_, Some(note)) => note.clone(),
            (Some(_), _) if stack.rolling_back => back.to_owned(),
            (Some(_), _) if stack.failure.is_some() => "stopping".to_owned(),
            (Some(_), _) if stack.resources.is_empty() => "starting".to_owned(),
            (Some(_), _) => finishing(stack),
            (None, _) if stack.operation.is_none() => "nothing to do".to_owned(),
            (None, _) => waiting(self.awaited(stack)),
        };
        (text, String::new())
    }

    /// The failures, as much of each as the fold leaves.
    fn pinned(&self, width: usize, fold: Fold) -> Vec<Line> {
        let reason_lines = match fold {
            Fold::Nothing | Fold::Done | Fold::Waiting => usize::MAX,
            Fold::Reasons => 3,
            Fold::Causes | Fold::Rows => 1,
        };
        self.stacks
            .iter()
            .filter_map(|stack| Some((stack, stack.failure.as_ref()?)))
            .flat_map(|(stack, failure)| failure_lines(&stack.kind, failure, width, reason_lines))
            .collect()
    }
}

/// The first rows that fit, the rest as one.
fn shorten(mut rows: Vec<Row>, room: usize) -> Vec<Row> {
    if rows.len() <= room {
        return rows;
    }
    // What moves or failed is worth more than the two lines that stand for many.
    rows.sort_by_key(|row| matches!(row.mark, Mark::Done | Mark::Waiting));
    let hidden = rows.split_off(room.saturating_sub(1).min(rows.len()));
    if room > 0 {
        let stacks = hidden.iter().filter(|row| row.name.is_some()).count();
        let text = match (stacks, hidden.len() - stacks) {
            (0, _) => "the others are done or wait".to_owned(),
            (_, 0) => format!("{} more", count(stacks, "stack")),
            _ => format!("{} more; others done or waiting", count(stacks, "stack")),
        };
        rows.push(Row::fold(Mark::Running, text));
    }
    rows
}

pub(super) fn present(verb: Verb) -> &'static str {
    match verb {
        Verb::Create => "create",
        Verb::Update => "update",
        Verb::Delete => "delete",
    }
}

/// How a stack came to rest, in a few words.
pub(super) fn verdict(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Created => "created".to_owned(),
        Outcome::Updated => "updated".to_owned(),
        Outcome::Unchanged => "nothing to do".to_owned(),
        Outcome::Deleted => "deleted".to_owned(),
        Outcome::RolledBack(_) => "rolled back".to_owned(),
        Outcome::Failed(_) => "failed, needs a hand".to_owned(),
        Outcome::NotStarted { needs } => {
            format!("not started: needs {}", clean(&needs.to_string()))
        }
    }
}

/// A resource's sentence, with what happens to it where that is not what happens to the stack.
fn doing(resource: &ResourceProgress, stack: Option<Verb>) -> String {
    let (same, verb) = match resource.operation() {
        Some(Operation::Create) => (stack == Some(Verb::Create), "creating"),
        Some(Operation::Update) => (stack == Some(Verb::Update), "updating"),
        Some(Operation::Delete) => (stack == Some(Verb::Delete), "deleting"),
        None => return format!("{}: {}", clean(resource.status.as_str()), resource.sentence),
    };
    let known = resource.status.phase() == crate::cloud::status::Phase::Running;
    match (known, same) {
        (false, _) => format!("{}: {}", clean(resource.status.as_str()), resource.sentence),
        (true, true) => resource.sentence.clone(),
        (true, false) => format!("{verb} {}", resource.sentence),
    }
}

/// `1m52s ~2m`, and whether that is slow by any measure.
pub(super) fn timing(resource: &ResourceProgress, now: Timestamp) -> String {
    let span = elapsed(resource.span(now));
    let slow = if resource.is_slow(now) { " slow" } else { "" };
    match resource.range() {
        Some(range) => format!("{span} {}{slow}", roughly(range.from, range.to)),
        None => span,
    }
}

fn finishing(stack: &StackProgress) -> String {
    match stack.resources_done() {
        (done, all) if done < all => format!("next of {all}"),
        _ => "finishing".to_owned(),
    }
}

fn waiting<'a>(awaited: impl Iterator<Item = &'a StackKind>) -> String {
    let names: Vec<String> = awaited.map(|kind| clean(&kind.to_string())).collect();
    if names.is_empty() {
        return "starts next".to_owned();
    }
    format!("waits for {}", names.join(", "))
}
