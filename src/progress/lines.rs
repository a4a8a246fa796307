//! One line an event, in stable columns, for logs and pipes; a heartbeat so that it is never silent.
//! Columns: UTC time, stack, logical id, status, elapsed, text; `-` where a column has nothing.
//! Upper-case statuses are CloudFormation's words, lower-case ones are ours.

use std::io::{self, Write};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::Shower;
use super::brief::cause_first;
use super::failure::{Detail, Pinned};
use super::model::{Model, StackProgress};
use super::view::{present, usual, verdict};
use crate::catalog::durations::Durations;
use crate::common::duration::elapsed;
use crate::common::text::{clean, count};
use crate::events::{Event, Expected, Outcome};
use crate::stacks::StackKind;

/// Time between heartbeats.
pub const HEARTBEAT: SignedDuration = SignedDuration::from_secs(30);

/// Shows events as lines.
#[derive(Debug)]
pub struct Lines<W> {
    out: W,
    model: Model,
    /// Width of the stack column, from the names announced at the start.
    stack_width: usize,
    /// When the last heartbeat was due; the run's start at first.
    beat: Option<Timestamp>,
    /// The failures that were told.
    told: Vec<(StackKind, Pinned)>,
}

/// The columns between time and text.
struct Columns<'a> {
    stack: Option<&'a StackKind>,
    logical_id: &'a str,
    status: &'a str,
    elapsed: Option<SignedDuration>,
}

impl<W: Write> Lines<W> {
    pub fn new(out: W) -> Self {
        Self {
            out,
            model: Model::default(),
            stack_width: "control-plane".len(),
            beat: None,
            told: Vec::new(),
        }
    }

    /// Judges what is slow by these.
    #[must_use]
    pub fn knowing(mut self, durations: Durations) -> Self {
        self.model.durations = Arc::new(durations);
        self
    }

    fn line(&mut self, at: Timestamp, columns: &Columns, text: &str) -> io::Result<()> {
        let or_dash = |text: String| {
            if text.is_empty() {
                "-".to_owned()
            } else {
                text
            }
        };
        let stack = columns.stack.map(|kind| clean(&kind.to_string()));
        let line = format!(
            "{time}  {stack:stack_width$}  {id:24}  {status:20}  {span:>6}  {text}",
            time = at.strftime("%Y-%m-%dT%H:%M:%SZ"),
            stack = or_dash(stack.unwrap_or_default()),
            stack_width = self.stack_width,
            id = or_dash(clean(columns.logical_id).replace(' ', "_")),
            status = or_dash(clean(columns.status).replace(' ', "_")),
            span = columns.elapsed.map_or_else(|| "-".to_owned(), elapsed),
            text = clean(text),
        );
        writeln!(self.out, "{}", line.trim_end())
    }

    /// A line that is about the run.
    fn run_line(&mut self, at: Timestamp, status: &str, text: &str) -> io::Result<()> {
        let columns = Columns {
            stack: None,
            logical_id: "",
            status,
            elapsed: Some(self.model.elapsed(at)),
        };
        self.line(at, &columns, text)
    }

    /// A line that is about a stack.
    fn stack_line(
        &mut self,
        at: Timestamp,
        stack: &StackKind,
        status: &str,
        text: &str,
    ) -> io::Result<()> {
        let columns = Columns {
            stack: Some(stack),
            logical_id: "",
            status,
            elapsed: self.model.stack(stack).and_then(|known| known.span(at)),
        };
        self.line(at, &columns, text)
    }

    fn resource_line(&mut self, event: &Event) -> io::Result<()> {
        let Event::Resource {
            at,
            stack,
            logical_id,
            sentence,
            status,
            reason,
            ..
        } = event
        else {
            return Ok(());
        };
        let known = self.model.stack(stack);
        let known = known.and_then(|known| known.resources.get(logical_id));
        let columns = Columns {
            stack: Some(stack),
            logical_id,
            status: status.as_str(),
            elapsed: known.map(|known| known.span(*at)),
        };
        let text = match reason {
            Some(reason) => format!("{sentence}: {}", cause_first(reason)),
            None => sentence.clone(),
        };
        self.line(*at, &columns, &text)
    }

    /// The report of a failure, a line each; once, and again when the cause changes.
    fn failing_lines(&mut self, at: Timestamp, stack: &StackKind) -> io::Result<()> {
        let Some(known) = self.model.stack(stack) else {
            return Ok(());
        };
        let Some(failure) = known.failure.clone() else {
            return Ok(());
        };
        let told = |(of, seen): &(StackKind, Pinned)| of == stack && seen.is_same(&failure);
        if self.told.iter().any(told) {
            return Ok(());
        }
        let now = self.model.now(known);
        let elapsed = known.span(at);
        for text in failure.report(stack, &now, usize::MAX, Detail::Brief) {
            let columns = Columns {
                stack: Some(stack),
                logical_id: failure.logical_id.as_deref().unwrap_or_default(),
                status: "failing",
                elapsed,
            };
            self.line(at, &columns, &text)?;
        }
        self.told.retain(|(of, _)| of != stack);
        self.told.push((stack.clone(), failure));
        Ok(())
    }

    fn settled_line(
        &mut self,
        at: Timestamp,
        stack: &StackKind,
        outcome: &Outcome,
    ) -> io::Result<()> {
        let status = match outcome {
            Outcome::Created => "created",
            Outcome::Updated => "updated",
            Outcome::Unchanged => "unchanged",
            Outcome::Deleted => "deleted",
            Outcome::RolledBack(_) => "rolled-back",
            Outcome::Failed(_) => "failed",
            Outcome::NotStarted { .. } => "not-started",
        };
        let known = self.model.stack(stack);
        let text = match known.and_then(|known| Some((known, known.failure.as_ref()?))) {
            Some((known, failure)) => format!(
                "{}; {}; {}",
                failure.title(stack),
                failure.brief(),
                self.model.now(known).text()
            ),
            None => match (outcome, known.map(StackProgress::resources_done)) {
                (Outcome::NotStarted { .. } | Outcome::Unchanged, _) | (_, None) => {
                    verdict(outcome)
                }
                (_, Some((done, _))) => count(done, "resource"),
            },
        };
        self.stack_line(at, stack, status, &text)
    }
}

fn planned(expected: &Expected) -> String {
    let Some(verb) = expected.operation else {
        return "nothing to do".to_owned();
    };
    let resources = count(expected.resources, "resource");
    let needs: Vec<String> = expected.needs.iter().map(ToString::to_string).collect();
    let after = if needs.is_empty() {
        String::new()
    } else {
        format!(", waits for {}", needs.join(", "))
    };
    format!("{} {resources}{after}", present(verb))
}

impl<W: Write> Shower for Lines<W> {
    fn take(&mut self, event: &Event) -> io::Result<()> {
        self.model.update(event);
        let at = event.at();
        match event {
            Event::RunStarted {
                cluster,
                verb,
                stacks,
                ..
            } => {
                self.beat = Some(at);
                let names = stacks.iter().map(|known| known.stack.to_string().len());
                self.stack_width = names.max().unwrap_or(0).max(self.stack_width);
                let text = format!(
                    "{cluster}: {} {}",
                    present(*verb),
                    count(stacks.len(), "stack")
                );
                self.run_line(at, "started", &text)?;
                for expected in stacks {
                    self.stack_line(at, &expected.stack, "planned", &planned(expected))?;
                }
                Ok(())
            }
            Event::StackStarted {
                stack, operation, ..
            } => self.stack_line(at, stack, "started", present(*operation)),
            Event::Resource { .. } => self.resource_line(event),
            Event::Failed { stack, .. } => self.failing_lines(at, stack),
            Event::StackSettled { stack, outcome, .. } => self.settled_line(at, stack, outcome),
            Event::Note { stack, text, .. } => match stack {
                Some(stack) => self.stack_line(at, stack, "note", text),
                None => self.run_line(at, "note", text),
            },
            Event::RunFinished { succeeded, .. } => {
                let status = if *succeeded { "finished" } else { "failed" };
                let text = self.model.headline(at);
                self.run_line(at, status, &text)
            }
            Event::Readiness { .. } => Ok(()),
        }?;
        self.out.flush()
    }

    fn tick(&mut self, now: Timestamp) -> io::Result<()> {
        let due = self
            .beat
            .is_some_and(|beat| now.duration_since(beat) >= HEARTBEAT);
        if !due || self.model.finished.is_some() {
            return Ok(());
        }
        self.beat = Some(now);
        let (done, all) = self.model.resources_done();
        let (stacks_done, stacks) = self.model.stacks_done();
        let slowest = match self.model.slowest(now) {
            Some((stack, resource)) => format!(
                ", slowest: {stack}: {} {} {}",
                resource.sentence,
                elapsed(resource.span(now)),
                usual(resource, now)
            ),
            None => String::new(),
        };
        let text = format!("{done}/{all} resources, {stacks_done}/{stacks} stacks{slowest}");
        self.run_line(now, "running", &text)?;
        self.out.flush()
    }

    fn finish(&mut self, now: Timestamp) -> io::Result<()> {
        if self.model.started.is_none() {
            return Ok(());
        }
        writeln!(self.out)?;
        for line in self.model.summary(now, usize::MAX) {
            writeln!(self.out, "{line}")?;
        }
        self.out.flush()
    }
}
