//! The block that repaints itself in a terminal, with lines above it that stay: notes, first failures,
//! stacks that settled. Knows how to draw, not what.

use std::io;
use std::sync::Arc;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use jiff::Timestamp;

use super::Renderer;
use super::failure::{FailureDetail, Reported};
use super::line::{Line, Mark};
use super::model::{Commands, Model};
use super::sweep::Sweep;
use super::view::verdict;
use crate::catalog::durations::Durations;
use crate::common::duration::elapsed;
use crate::common::terminal::visible;
use crate::common::text::clean;
use crate::events::{Event, Outcome};
use crate::stacks::StackKind;

/// Size of the screen in columns and lines, read for every painting.
pub type ScreenSize = Box<dyn Fn() -> (usize, usize)>;

/// Shows events as a block.
pub struct LiveRenderer {
    screen: MultiProgress,
    block: ProgressBar,
    size: ScreenSize,
    model: Model,
    reported: Reported,
}

impl LiveRenderer {
    /// On standard error, as large as it is at any moment.
    pub fn on_stderr() -> Self {
        let size = || {
            let (height, width) = console::Term::stderr().size();
            (usize::from(width), usize::from(height))
        };
        Self::new(ProgressDrawTarget::stderr(), Box::new(size))
    }

    /// On any target whose size `size` returns.
    pub fn new(target: ProgressDrawTarget, size: ScreenSize) -> Self {
        let screen = MultiProgress::with_draw_target(target);
        let style = ProgressStyle::with_template("{msg}");
        let block = ProgressBar::no_length()
            .with_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
        let block = screen.add(block);
        Self {
            screen,
            block,
            size,
            model: Model::default(),
            reported: Reported::default(),
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

    /// Columns to write to: a line that fills the last one wraps in some terminals.
    fn width(&self) -> usize {
        (self.size)().0.saturating_sub(1)
    }

    /// Lines that stay, above the block.
    fn print(&self, lines: &[Line]) -> io::Result<()> {
        let lines: Vec<String> = lines.iter().map(Line::styled).collect();
        self.screen.println(visible(&lines.join("\n")))
    }

    /// Prints the report of a stack's failure, once for each cause.
    fn report(&mut self, stack: &StackKind) -> io::Result<()> {
        let Some(known) = self.model.stack(stack) else {
            return Ok(());
        };
        if self.reported.is_new(stack, known.failure.as_ref()) {
            self.print(&self.model.report(known, self.width(), FailureDetail::Brief))?;
        }
        Ok(())
    }

    fn settled(&self, stack: &StackKind, outcome: &Outcome) -> Vec<Line> {
        let Some(known) = self.model.stack(stack) else {
            return Vec::new();
        };
        let span = known.settled.as_ref().and_then(|(at, _)| known.span(*at));
        let span = span.map_or(String::new(), |span| format!(" after {}", elapsed(span)));
        let name = clean(&stack.to_string());
        let text = format!("{name}: {}{span}", verdict(outcome));
        Line::wrapped(known.mark(), &text, self.width())
    }
}

impl Renderer for LiveRenderer {
    fn render(&mut self, event: &Event) -> io::Result<()> {
        let complete = self.model.sweeps.complete();
        self.model.update(event);
        match event {
            Event::Failed { stack, .. } => self.report(stack),
            Event::StackSettled { stack, outcome, .. } => {
                self.report(stack)?;
                self.print(&self.settled(stack, outcome))
            }
            Event::Note { stack, text, .. } => {
                let text = match stack {
                    Some(stack) => clean(&format!("{stack}: {text}")),
                    None => clean(text),
                };
                self.print(&Line::wrapped(Mark::Detail, &text, self.width()))
            }
            Event::Sweep { .. } => {
                let swept = self.model.sweeps.completed_since(complete);
                let text = swept.map(Sweep::ended);
                let lines = text.map(|text| Line::wrapped(Mark::Done, &text, self.width()));
                lines.map_or(Ok(()), |lines| self.print(&lines))
            }
            Event::Machine { step, .. } if step.stays() => {
                let text = super::roll::machine_text(event);
                let mark = super::roll::machine_mark(*step);
                self.print(&Line::wrapped(mark, &text, self.width()))
            }
            Event::RunStarted { .. }
            | Event::Roll { .. }
            | Event::Machine { .. }
            | Event::StackStarted { .. }
            | Event::Resource { .. }
            | Event::RunFinished { .. }
            | Event::Readiness { .. } => Ok(()),
        }
    }

    fn tick(&mut self, now: Timestamp) -> io::Result<()> {
        let (_, height) = (self.size)();
        // The cursor is on the line below the block.
        let block = self
            .model
            .screen(now, self.width(), height.saturating_sub(2));
        if block.is_empty() {
            return Ok(());
        }
        // An empty line leads the block: what a typed key (`^C`) pushes down a line then leaves no rest.
        let lines = block.iter().map(Line::styled);
        let block: Vec<String> = std::iter::once(String::new()).chain(lines).collect();
        self.block
            .set_message(visible(&block.join("\n")).into_owned());
        self.block.tick();
        Ok(())
    }

    fn finish(&mut self, now: Timestamp) -> io::Result<()> {
        self.block.finish_and_clear();
        let (run, wait) = self.model.summaries(now, self.width());
        if !run.is_empty() {
            self.print(&[])?;
            self.print(&run)?;
        }
        if !wait.is_empty() {
            self.print(&wait)?;
        }
        Ok(())
    }
}
