//! The block of a running operation: as many of its facts as fit a terminal, the worst ones first.
//! Pure: the same model, time and size give the same lines.

use jiff::Timestamp;

use super::forecast::Forecast;
use super::line::{Line, Mark};
use super::model::{Model, StackProgress};
use super::resource::ResourceProgress;
use super::table::{Row, table};
use crate::cloud::status::ResourcePhase;
use crate::common::duration::{elapsed, estimate};
use crate::common::text::{clean, count};
use crate::events::{Operation, Outcome, Verb};
use crate::stacks::StackKind;

/// What is left out, one after the other, when the terminal is short.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fold {
    Nothing,
    /// Stacks that are done become one line.
    Done,
    /// Stacks that wait become one line.
    Waiting,
    /// Failures show their title alone; the report is above the block.
    Causes,
    /// The last rows become one line.
    Rows,
}

impl Model {
    /// The block of what is going on at `now`: the wait for a cluster, or the run. Empty when neither is.
    pub(super) fn screen(&self, now: Timestamp, width: usize, height: usize) -> Vec<Line> {
        match &self.wait {
            Some(wait) => wait.view(now, width, height),
            None if self.rolls() => {
                let roll = self.roll.iter();
                roll.flat_map(|roll| roll.view(now, width, height))
                    .collect()
            }
            None if self.finished.is_some() => Vec::new(),
            None if self.started.is_some() => self.view(now, width, height),
            // Kubernetes may have to release something before the run of the stacks starts.
            None => self.sweep(now, width, height, Fold::Nothing),
        }
    }

    /// The block at `now`: at most `height` lines of at most `width` columns.
    pub fn view(&self, now: Timestamp, width: usize, height: usize) -> Vec<Line> {
        let mut block = Vec::new();
        let folds = [
            Fold::Nothing,
            Fold::Done,
            Fold::Waiting,
            Fold::Causes,
            Fold::Rows,
        ];
        for fold in folds {
            block = self.block(now, width, height, fold);
            if block.len() <= height {
                break;
            }
        }
        block.truncate(height);
        block
    }

    fn block(&self, now: Timestamp, width: usize, height: usize, fold: Fold) -> Vec<Line> {
        let failures = self.failures(width, fold);
        let forecast = self.forecast(now);
        let critical = forecast.as_ref().and_then(|known| known.critical.as_ref());
        let mut rows = self.rows(now, fold, critical);
        let sweep = self.sweep(now, width, height, fold);
        if fold == Fold::Rows {
            // Without failures every line is for rows; with them, rows get a third at least.
            let room = height
                .saturating_sub(1 + failures.len() + sweep.len())
                .max(height.saturating_sub(1) / 3);
            rows = shorten(rows, room, "more stack");
        }
        let mut lines = vec![Line::new(
            Mark::Title,
            &self.header(now, forecast.as_ref()),
            width,
        )];
        lines.extend(table(&rows, width));
        lines.extend(sweep);
        lines.extend(failures);
        lines
    }

    /// What is being removed outside the stacks; nothing where nothing is.
    fn sweep(&self, now: Timestamp, width: usize, height: usize, fold: Fold) -> Vec<Line> {
        let Some(sweep) = self.sweeps.current(now) else {
            return Vec::new();
        };
        let mut rows = sweep.rows(fold >= Fold::Done);
        let room = if fold == Fold::Rows {
            height / 4
        } else {
            height.saturating_sub(1)
        };
        rows = shorten(rows, room, "more kind");
        let mut lines = vec![Line::new(Mark::Title, &sweep.title(now), width)];
        lines.extend(table(&rows, width));
        lines
    }

    fn header(&self, now: Timestamp, forecast: Option<&Forecast>) -> String {
        let (done, all) = self.resources_done();
        let (stacks_done, stacks) = self.stacks_done();
        let failed = self
            .stacks
            .iter()
            .filter(|stack| stack.failure.is_some() && !stack.is_done())
            .count();
        let failed = match failed {
            0 => String::new(),
            _ => format!("  {failed} failed"),
        };
        let eta = forecast.map_or(String::new(), |known| format!("  {}", known.text()));
        format!(
            "{}  {}  {}{eta}  {done}/{all} resources  {stacks_done}/{stacks} stacks{failed}",
            self.cluster,
            self.verb.map_or("", Verb::as_str),
            elapsed(self.elapsed(now)),
        )
    }

    fn rows(&self, now: Timestamp, fold: Fold, critical: Option<&StackKind>) -> Vec<Row> {
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
        let (done, waiting) = (number(Mark::Done), number(Mark::Waiting));
        if done > 0 {
            let text = format!("{} done", count(done, "stack"));
            rows.push(Row::fold(Mark::Done, text, done));
        }
        let shown = self.stacks.iter().filter(|stack| !folded(stack));
        rows.extend(shown.map(|stack| {
            let row = self.row(stack, now);
            // The star marks the stack that all others wait for.
            let star = if critical == Some(&stack.kind) {
                "*"
            } else {
                ""
            };
            let name = row.name.map(|name| name + star);
            Row { name, ..row }
        }));
        if waiting > 0 {
            let wait = if waiting == 1 { "waits" } else { "wait" };
            let text = format!("{} {wait}", count(waiting, "more stack"));
            rows.push(Row::fold(Mark::Waiting, text, waiting));
        }
        rows
    }

    pub(super) fn row(&self, stack: &StackProgress, now: Timestamp) -> Row {
        let (done, all) = stack.resources_done();
        let resource = stack.slowest(now).filter(|_| stack.settled.is_none());
        Row {
            mark: stack.mark(),
            name: Some(clean(&stack.kind.to_string())),
            elapsed: stack.span(now).map(elapsed).unwrap_or_default(),
            count: if all == 0 {
                String::new()
            } else {
                format!("{done}/{all}")
            },
            text: match resource {
                Some(resource) => resource_text(resource, stack),
                None => self.activity(stack, now),
            },
            running: resource.map_or(String::new(), |resource| elapsed(resource.span(now))),
            usual: resource.map_or(String::new(), |resource| usual(resource, now)),
            stands_for: 1,
        }
    }

    /// What a stack does while no operation on a resource runs.
    fn activity(&self, stack: &StackProgress, now: Timestamp) -> String {
        let (done, all) = stack.resources_done();
        match (&stack.settled, stack.started, &stack.note) {
            (Some((_, outcome)), _, _) => verdict(outcome),
            (None, _, Some(note)) => note.clone(),
            (None, Some(_), _) if stack.rolling_back => "rolling back".to_owned(),
            (None, Some(_), _) if stack.failure.is_some() => "stopping".to_owned(),
            (None, Some(_), _) if stack.resources.is_empty() => "starting".to_owned(),
            (None, Some(_), _) if done < all => "no resource in progress".to_owned(),
            (None, Some(_), _) => "finishing".to_owned(),
            (None, None, _) if stack.operation.is_none() => "nothing to do".to_owned(),
            (None, None, _) => self.waiting(stack, now),
        }
    }

    fn waiting(&self, stack: &StackProgress, now: Timestamp) -> String {
        let failed = |kind| {
            self.stack(kind)
                .is_some_and(|known| known.failure.is_some())
        };
        let names = self.awaited(stack).map(|kind| {
            let why = if failed(kind) { " (failed)" } else { "" };
            format!("{}{why}", clean(&kind.to_string()))
        });
        let names: Vec<String> = names.collect();
        let outside = self
            .waits_for_outside(stack, now)
            .then(|| "what is outside the stacks".to_owned());
        let names: Vec<String> = names.into_iter().chain(outside).collect();
        if names.is_empty() {
            return "starts next".to_owned();
        }
        format!("waits for {}", names.join(", "))
    }

    /// Whether what is removed outside the stacks has to go before this one: everything that Kubernetes releases goes
    /// before the first stack, everything else before the network.
    fn waits_for_outside(&self, stack: &StackProgress, now: Timestamp) -> bool {
        let has_begun = self.stacks.iter().any(|stack| stack.started.is_some());
        let is_before = stack.kind == StackKind::Network || !has_begun;
        is_before && self.sweeps.current(now).is_some()
    }

    /// The failures: which and why, in two lines; their report is above the block.
    fn failures(&self, width: usize, fold: Fold) -> Vec<Line> {
        let lines = if fold >= Fold::Causes { 1 } else { 2 };
        self.stacks
            .iter()
            .filter_map(|stack| Some((stack, stack.failure.as_ref()?)))
            .flat_map(|(stack, failure)| failure.short(&stack.kind, width).into_iter().take(lines))
            .collect()
    }
}

/// The first rows that fit, the rest as one.
fn shorten(mut rows: Vec<Row>, room: usize, noun: &str) -> Vec<Row> {
    if rows.len() <= room {
        return rows;
    }
    // What runs or failed is worth more than the two lines that stand for many.
    rows.sort_by_key(|row| matches!(row.mark, Mark::Done | Mark::Waiting));
    let hidden = rows.split_off(room.saturating_sub(1).min(rows.len()));
    if room > 0 {
        let number = hidden.iter().map(|row| row.stands_for).sum();
        rows.push(Row::fold(Mark::Detail, count(number, noun), number));
    }
    rows
}

/// How the operation on a stack ended, in a few words.
pub(super) fn verdict(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Unchanged => "nothing to do".to_owned(),
        Outcome::Failed(_) => "failed, needs manual action".to_owned(),
        Outcome::NotStarted { needs } => {
            format!("not started: needs {}", clean(&needs.to_string()))
        }
        Outcome::AtRest(status) => format!("at rest in {}", clean(status.as_str())),
        Outcome::Created
        | Outcome::Updated
        | Outcome::Deleted
        | Outcome::RolledBack(_)
        | Outcome::NotBegun(_) => outcome.as_str().to_owned(),
    }
}

/// A resource's description, with its operation where the stack's row does not say so already.
fn resource_text(resource: &ResourceProgress, stack: &StackProgress) -> String {
    let obvious = match (stack.operation, stack.rolling_back) {
        (Some(Verb::Create), false) => Some(Operation::Create),
        (Some(Verb::Update), _) => Some(Operation::Update),
        (Some(Verb::Create), true) | (Some(Verb::Delete), _) => Some(Operation::Delete),
        (None, _) => None,
    };
    let verb = match resource.operation() {
        known if known.is_some() && known == obvious => "",
        Some(Operation::Create) => "creating ",
        Some(Operation::Update) => "updating ",
        Some(Operation::Delete) => "deleting ",
        None => "",
    };
    let description = &resource.description;
    match resource.phase() {
        ResourcePhase::Running if resource.operation().is_some() => format!("{verb}{description}"),
        _ => format!("{}: {description}", clean(resource.status().as_str())),
    }
}

/// `~2m`, whether it is slow by any measure, and whether it only stabilises. Empty where nothing is known.
pub(super) fn usual(resource: &ResourceProgress, now: Timestamp) -> String {
    let range = resource
        .range()
        .map(|range| format!("~{}", estimate(range.from, range.to)));
    let slow = resource.is_slow(now).then(|| "slow".to_owned());
    let applied = resource.is_applied().then(|| "applied".to_owned());
    let words: Vec<String> = range.into_iter().chain(slow).chain(applied).collect();
    words.join(" ")
}
