//! The block that repaints itself in a terminal, with lines above it that stay: notes, first
//! failures, stacks that came to rest. Knows how to draw, not what.

use std::io;
use std::sync::Arc;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use jiff::Timestamp;

use super::Shower;
use super::failure::{Detail, Pinned};
use super::model::Model;
use super::text::{Line, Mark, room};
use super::view::verdict;
use crate::catalog::durations::Durations;
use crate::common::duration::elapsed;
use crate::common::text::{clean, wrap};
use crate::events::{Event, Outcome};
use crate::stacks::StackKind;

/// Size of the screen in columns and lines, asked anew for every painting.
pub type Size = Box<dyn Fn() -> (usize, usize)>;

/// Shows events as a block.
pub struct Live {
    screen: MultiProgress,
    block: ProgressBar,
    size: Size,
    model: Model,
    /// The failures whose report stands above the block.
    reported: Vec<(StackKind, Pinned)>,
}

impl Live {
    /// On standard error, as large as it is at any moment.
    pub fn on_stderr() -> Self {
        let size = || {
            let (height, width) = console::Term::stderr().size();
            (usize::from(width), usize::from(height))
        };
        Self::new(ProgressDrawTarget::stderr(), Box::new(size))
    }

    /// On any target of the size that `size` says.
    pub fn new(target: ProgressDrawTarget, size: Size) -> Self {
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
            reported: Vec::new(),
        }
    }

    /// Judges what is slow by these.
    #[must_use]
    pub fn knowing(mut self, durations: Durations) -> Self {
        self.model.durations = Arc::new(durations);
        self
    }

    /// Columns to write to: a line that fills the last one wraps in some terminals.
    fn width(&self) -> usize {
        (self.size)().0.saturating_sub(1)
    }

    /// Lines that stay, above the block.
    fn print(&self, lines: &[Line]) -> io::Result<()> {
        let lines: Vec<String> = lines.iter().map(Line::painted).collect();
        self.screen.println(lines.join("\n"))
    }

    /// The report of a stack's failure, unless it stands there already.
    fn news(&mut self, stack: &StackKind) -> Vec<Line> {
        let width = self.width();
        let Some(known) = self.model.stack(stack) else {
            return Vec::new();
        };
        let Some(failure) = &known.failure else {
            self.reported.retain(|(of, _)| of != stack);
            return Vec::new();
        };
        let told = self
            .reported
            .iter()
            .any(|(of, seen)| of == stack && seen.is_same(failure));
        if told {
            return Vec::new();
        }
        let lines = self.model.report(known, width, Detail::Brief);
        let failure = failure.clone();
        self.reported.retain(|(of, _)| of != stack);
        self.reported.push((stack.clone(), failure));
        lines
    }

    fn settled(&self, stack: &StackKind, outcome: &Outcome) -> Vec<Line> {
        let Some(known) = self.model.stack(stack) else {
            return Vec::new();
        };
        let span = known.settled.as_ref().and_then(|(at, _)| known.span(*at));
        let span = span.map_or(String::new(), |span| format!(" after {}", elapsed(span)));
        let name = clean(&stack.to_string());
        let text = format!("{name}: {}{span}", verdict(outcome));
        wrapped(known.mark(), &text, self.width())
    }
}

fn wrapped(mark: Mark, text: &str, width: usize) -> Vec<Line> {
    let marks = std::iter::once(mark).chain(std::iter::repeat(Mark::Detail));
    let lines = wrap(text, room(width));
    let lines = lines.iter().zip(marks);
    lines
        .map(|(text, mark)| Line::new(mark, text, width))
        .collect()
}

impl Shower for Live {
    fn take(&mut self, event: &Event) -> io::Result<()> {
        self.model.update(event);
        if let Event::Failed { stack, .. } | Event::StackSettled { stack, .. } = event {
            let news = self.news(stack);
            if !news.is_empty() {
                self.print(&news)?;
            }
        }
        match event {
            Event::StackSettled { stack, outcome, .. } => self.print(&self.settled(stack, outcome)),
            Event::Note { stack, text, .. } => {
                let text = match stack {
                    Some(stack) => clean(&format!("{stack}: {text}")),
                    None => clean(text),
                };
                self.print(&wrapped(Mark::Detail, &text, self.width()))
            }
            _ => Ok(()),
        }
    }

    fn tick(&mut self, now: Timestamp) -> io::Result<()> {
        if self.model.started.is_none() || self.model.finished.is_some() {
            return Ok(());
        }
        let (_, height) = (self.size)();
        // The cursor rests on the line below the block.
        // An empty line leads the block: what a key typed meanwhile (`^C`) pushes down a line then
        // leaves nothing behind.
        let block = self.model.view(now, self.width(), height.saturating_sub(2));
        let lines = block.iter().map(Line::painted);
        let block: Vec<String> = std::iter::once(String::new()).chain(lines).collect();
        self.block.set_message(block.join("\n"));
        self.block.tick();
        Ok(())
    }

    fn finish(&mut self, now: Timestamp) -> io::Result<()> {
        self.block.finish_and_clear();
        if self.model.started.is_none() {
            return Ok(());
        }
        self.print(&[])?;
        self.print(&self.model.summary(now, self.width()))
    }
}
