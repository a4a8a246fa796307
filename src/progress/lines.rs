//! One line an event, in stable columns, for logs and pipes; a heartbeat so that it is never silent.
//! Columns: UTC time, stack, logical id, status, elapsed, text; `-` where a column has nothing.
//! Upper-case statuses are CloudFormation's words, lower-case ones are ours.

mod parts;

use std::io::{self, Write};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::Renderer;
use super::cluster_wait::is_ready;
use super::failure::{FailureDetail, Reported};
use super::model::{Commands, Model, StackProgress};
use super::roll::RollProgress;
use super::shorten_reason::cause_first;
use super::sweep::Sweep;
use super::view::{usual, verdict};
use crate::catalog::durations::Durations;
use crate::common::duration::elapsed;
use crate::common::terminal::visible;
use crate::common::text::{clean, count};
use crate::events::{Event, Expected, Outcome, Verb};
use crate::stacks::StackKind;
use parts::PartLines;

/// Time between heartbeats.
pub const HEARTBEAT: SignedDuration = SignedDuration::from_secs(30);

/// Shows events as lines.
#[derive(Debug)]
pub struct LineRenderer<W> {
    out: W,
    model: Model,
    /// Width of the stack column, from the names announced at the start.
    stack_width: usize,
    /// When the last heartbeat was due; the start of the run or of the wait at first.
    heartbeat_at: Option<Timestamp>,
    reported: Reported,
    /// The newest lines about what is waited for, or removed outside the stacks.
    parts: PartLines,
}

/// The columns between time and text.
#[derive(Default)]
struct EventColumns<'a> {
    stack: Option<&'a StackKind>,
    logical_id: &'a str,
    status: &'a str,
    elapsed: Option<SignedDuration>,
}

impl<W: Write> LineRenderer<W> {
    pub fn new(out: W) -> Self {
        Self {
            out,
            model: Model::default(),
            stack_width: "control-plane".len(),
            heartbeat_at: None,
            reported: Reported::default(),
            parts: PartLines::default(),
        }
    }

    /// With the durations by which a resource is called slow.
    #[must_use]
    pub fn with_durations(mut self, durations: Durations) -> Self {
        self.model.durations = Arc::new(durations);
        self
    }

    /// With the commands that are advised, where the cluster's name alone is not enough.
    #[must_use]
    pub fn with_commands(mut self, commands: Commands) -> Self {
        self.model.commands = commands;
        self
    }

    fn line(&mut self, at: Timestamp, columns: &EventColumns, text: &str) -> io::Result<()> {
        let word = |text: &str| match clean(text) {
            text if text.is_empty() => "-".to_owned(),
            text => text.replace(' ', "_"),
        };
        let stack = columns.stack.map_or_else(String::new, ToString::to_string);
        let line = format!(
            "{time}  {stack:stack_width$}  {id:24}  {status:20}  {span:>6}  {text}",
            time = at.strftime("%Y-%m-%dT%H:%M:%SZ"),
            stack = word(&stack),
            stack_width = self.stack_width,
            id = word(columns.logical_id),
            status = word(columns.status),
            span = columns.elapsed.map_or_else(|| "-".to_owned(), elapsed),
            text = clean(text),
        );
        writeln!(self.out, "{}", visible(line.trim_end()))
    }

    /// A line that is about the run.
    fn run_line(&mut self, at: Timestamp, status: &str, text: &str) -> io::Result<()> {
        let columns = EventColumns {
            status,
            elapsed: Some(self.model.elapsed(at)),
            ..EventColumns::default()
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
        let columns = EventColumns {
            stack: Some(stack),
            status,
            elapsed: self.model.stack(stack).and_then(|known| known.span(at)),
            ..EventColumns::default()
        };
        self.line(at, &columns, text)
    }

    fn started_lines(&mut self, event: &Event) -> io::Result<()> {
        let Event::RunStarted {
            at,
            cluster,
            verb,
            stacks,
            ..
        } = event
        else {
            return Ok(());
        };
        self.heartbeat_at = Some(*at);
        let names = stacks.iter().map(|known| known.stack.to_string().len());
        self.stack_width = names.max().unwrap_or(0).max(self.stack_width);
        let number = count(stacks.len(), "stack");
        let text = match verb {
            // A watch announces only what moves.
            Verb::Create | Verb::Update if stacks.is_empty() => {
                format!("{cluster}: nothing is moving")
            }
            Verb::Create | Verb::Update | Verb::Delete => {
                format!("{cluster}: {} {number}", verb.as_str())
            }
        };
        self.run_line(*at, "started", &text)?;
        for expected in stacks {
            self.stack_line(*at, &expected.stack, "planned", &planned_text(expected))?;
        }
        Ok(())
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
        let columns = EventColumns {
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
        if !self.reported.is_new(stack, Some(&failure)) {
            return Ok(());
        }
        let after = self.model.after_failure(known);
        let elapsed = known.span(at);
        for text in failure.report(stack, &after, usize::MAX, FailureDetail::Brief) {
            let columns = EventColumns {
                stack: Some(stack),
                logical_id: failure.logical_id.as_deref().unwrap_or_default(),
                status: "failing",
                elapsed,
            };
            self.line(at, &columns, &text)?;
        }
        Ok(())
    }

    fn settled_line(
        &mut self,
        at: Timestamp,
        stack: &StackKind,
        outcome: &Outcome,
    ) -> io::Result<()> {
        let known = self.model.stack(stack);
        let text = match known.and_then(|known| Some((known, known.failure.as_ref()?))) {
            Some((known, failure)) => format!(
                "{}; {}; {}",
                failure.title(stack),
                failure.short_reason(),
                self.model.after_failure(known).text()
            ),
            None => match (outcome, known.map(StackProgress::resources_done)) {
                (Outcome::NotStarted { .. } | Outcome::Unchanged | Outcome::AtRest(_), _)
                | (_, None) => verdict(outcome),
                (_, Some((done, _))) => count(done, "resource"),
            },
        };
        self.stack_line(at, stack, &outcome.as_str().replace(' ', "-"), &text)
    }

    /// Whether a heartbeat is due; remembers that it was.
    fn is_due(&mut self, now: Timestamp) -> bool {
        let due = |last| now.duration_since(last) >= HEARTBEAT;
        let is_due = self.heartbeat_at.is_some_and(due);
        if is_due {
            self.heartbeat_at = Some(now);
        }
        is_due
    }

    /// The text of a heartbeat of a run.
    fn running(&self, now: Timestamp) -> String {
        let sweep = self.model.sweeps.current(now).map(Sweep::text);
        let stacks = self.model.started.map(|_| self.running_stacks(now));
        let roll = self.model.roll.as_ref().map(RollProgress::text);
        let texts: Vec<String> = stacks.into_iter().chain(sweep).chain(roll).collect();
        texts.join(", ")
    }

    fn running_stacks(&self, now: Timestamp) -> String {
        let (done, all) = self.model.resources_done();
        let (stacks_done, stacks) = self.model.stacks_done();
        let slowest = match self.model.slowest(now) {
            Some((stack, resource)) => format!(
                ", slowest: {stack}: {} {} {}",
                resource.description,
                elapsed(resource.span(now)),
                usual(resource, now)
            ),
            None => String::new(),
        };
        format!("{done}/{all} resources, {stacks_done}/{stacks} stacks{slowest}")
    }
}

fn planned_text(expected: &Expected) -> String {
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
    format!("{} {resources}{after}", verb.as_str())
}

impl<W: Write> Renderer for LineRenderer<W> {
    fn render(&mut self, event: &Event) -> io::Result<()> {
        let waits = self.model.wait.is_some();
        self.model.update(event);
        let at = event.at();
        match event {
            Event::RunStarted { .. } => self.started_lines(event),
            Event::StackStarted {
                stack, operation, ..
            } => self.stack_line(at, stack, "started", operation.as_str()),
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
            Event::Sweep { .. } => self.sweep_lines(at),
            Event::Roll { .. } => {
                self.roll_lines(at);
                Ok(())
            }
            Event::Machine { .. } => self.machine_line(event),
            Event::Readiness { .. } => self.wait_lines(at, !waits),
        }?;
        self.out.flush()
    }

    fn tick(&mut self, now: Timestamp) -> io::Result<()> {
        let wait = self.model.wait.clone();
        let is_over = match &wait {
            Some(wait) => wait.ready,
            None => self.model.finished.is_some() && !self.model.rolls(),
        };
        if is_over || !self.is_due(now) {
            return Ok(());
        }
        if let Some(wait) = wait {
            let done = wait.parts.iter().filter(|part| is_ready(part)).count();
            let text = format!("{done} of {} parts are ready", wait.parts.len());
            self.wait_line(now, &wait, "waiting", &text)?;
        } else {
            let text = self.running(now);
            if text.is_empty() {
                return Ok(());
            }
            self.run_line(now, "running", &text)?;
        }
        self.out.flush()
    }

    fn finish(&mut self, now: Timestamp) -> io::Result<()> {
        let (run, wait) = self.model.summaries(now, usize::MAX);
        for summary in [run, wait].iter().filter(|lines| !lines.is_empty()) {
            writeln!(self.out)?;
            for line in summary {
                writeln!(self.out, "{}", visible(&line.to_string()))?;
            }
        }
        self.out.flush()
    }
}
