//! The wait for a cluster, once its stacks are done: a block that repaints itself, or lines that tell
//! what changed. Knows what to say of it, not what is looked at.

use std::io::{self, Write};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use jiff::Timestamp;

use super::live::Size;
use super::text::{Line, Mark, room};
use super::{HEARTBEAT, Shower};
use crate::common::duration::elapsed;
use crate::common::text::{clean, pad, wrap};
use crate::events::{Event, ReadyPart};

/// Lines that one part's missing things may take in the block; the end names them all.
const DETAILS: usize = 3;

/// A cluster that is waited for, as the newest look found it. Pure: the same look, time and size give
/// the same lines.
#[derive(Debug, Clone)]
pub struct Awaited {
    cluster: String,
    since: Timestamp,
    until: Timestamp,
    ready: bool,
    parts: Vec<ReadyPart>,
    remarks: Vec<String>,
}

impl Awaited {
    /// What an event tells; `None` for those of a run's stacks.
    pub fn of(event: &Event) -> Option<Self> {
        let Event::Readiness {
            cluster,
            since,
            until,
            ready,
            parts,
            remarks,
            ..
        } = event
        else {
            return None;
        };
        Some(Self {
            cluster: clean(cluster),
            since: *since,
            until: *until,
            ready: *ready,
            parts: parts.clone(),
            remarks: remarks.iter().map(|remark| clean(remark)).collect(),
        })
    }

    fn waited(&self, now: Timestamp) -> String {
        elapsed(now.min(self.until).duration_since(self.since))
    }

    fn names(&self) -> usize {
        let widths = self.parts.iter().map(|part| part.name.chars().count());
        widths.max().unwrap_or_default()
    }

    /// The block at `now`, at most `height` lines of at most `width` columns.
    pub fn view(&self, now: Timestamp, width: usize, height: usize) -> Vec<Line> {
        let header = format!(
            "{}  waits for Kubernetes  {} of at most {}",
            self.cluster,
            self.waited(now),
            elapsed(self.until.duration_since(self.since)),
        );
        let mut lines = vec![Line::new(Mark::Title, &header, width)];
        let names = self.names();
        for part in &self.parts {
            let text = format!(
                "{}  {}",
                pad(&clean(&part.name), names),
                clean(&part.stands)
            );
            lines.push(Line::new(mark(part), &text, width));
            for what in part.missing.iter().take(DETAILS) {
                lines.extend(detail(what, width));
            }
            if let Some(more) = part
                .missing
                .len()
                .checked_sub(DETAILS)
                .filter(|more| *more > 0)
            {
                lines.push(Line::new(Mark::Detail, &format!("and {more} more"), width));
            }
        }
        lines.truncate(height);
        lines
    }

    /// What stays on the screen.
    pub fn summary(&self, now: Timestamp, width: usize) -> Vec<Line> {
        let waited = self.waited(now);
        let mut lines = Vec::new();
        if self.ready {
            let parts: Vec<_> = self.parts.iter().map(sentence).collect();
            let text = format!(
                "{} works after {waited}: {}",
                self.cluster,
                parts.join(", ")
            );
            lines.extend(marked(Mark::Done, &text, width));
        } else {
            let text = format!(
                "{} does not work yet after {waited}; missing:",
                self.cluster
            );
            lines.push(Line::new(Mark::Failed, &text, width));
            for part in self.parts.iter().filter(|part| part.done < part.wanted) {
                lines.extend(detail(&sentence(part), width));
                for what in &part.missing {
                    let indented = wrap(&clean(what), room(width).saturating_sub(2));
                    let indented = indented.iter().map(|line| format!("  {line}"));
                    lines.extend(indented.map(|line| Line::new(Mark::Detail, &line, width)));
                }
            }
        }
        for remark in &self.remarks {
            lines.extend(detail(remark, width));
        }
        lines
    }
}

fn sentence(part: &ReadyPart) -> String {
    clean(&format!("{} {}", part.name, part.stands))
}

fn mark(part: &ReadyPart) -> Mark {
    if part.done >= part.wanted {
        Mark::Done
    } else if part.done > 0 || !part.missing.is_empty() {
        Mark::Running
    } else {
        Mark::Waiting
    }
}

fn detail(text: &str, width: usize) -> Vec<Line> {
    marked(Mark::Detail, text, width)
}

fn marked(mark: Mark, text: &str, width: usize) -> Vec<Line> {
    let marks = std::iter::once(mark).chain(std::iter::repeat(Mark::Detail));
    let lines = wrap(&clean(text), room(width));
    let lines = lines.iter().zip(marks);
    lines
        .map(|(text, mark)| Line::new(mark, text, width))
        .collect()
}

/// Shows the wait as a block.
pub struct WaitingBlock {
    screen: MultiProgress,
    block: ProgressBar,
    size: Size,
    look: Option<Awaited>,
}

impl WaitingBlock {
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
            look: None,
        }
    }

    fn width(&self) -> usize {
        (self.size)().0.saturating_sub(1)
    }
}

impl Shower for WaitingBlock {
    fn take(&mut self, event: &Event) -> io::Result<()> {
        if let Some(look) = Awaited::of(event) {
            self.look = Some(look);
        }
        Ok(())
    }

    fn tick(&mut self, now: Timestamp) -> io::Result<()> {
        let Some(look) = &self.look else {
            return Ok(());
        };
        let (_, height) = (self.size)();
        let lines = look.view(now, self.width(), height.saturating_sub(2));
        // An empty line leads the block, as in that of the run.
        let lines = lines.iter().map(Line::painted);
        let block: Vec<String> = std::iter::once(String::new()).chain(lines).collect();
        self.block.set_message(block.join("\n"));
        self.block.tick();
        Ok(())
    }

    fn finish(&mut self, now: Timestamp) -> io::Result<()> {
        self.block.finish_and_clear();
        let Some(look) = &self.look else {
            return Ok(());
        };
        let lines = look.summary(now, self.width());
        let lines: Vec<String> = lines.iter().map(Line::painted).collect();
        self.screen.println(lines.join("\n"))
    }
}

/// Shows the wait as lines in the columns of a run: a line where a part changed, and a heartbeat.
#[derive(Debug)]
pub struct WaitingLines<W> {
    out: W,
    look: Option<Awaited>,
    /// What was last told of each part.
    told: Vec<String>,
    beat: Option<Timestamp>,
}

impl<W: Write> WaitingLines<W> {
    pub fn new(out: W) -> Self {
        Self {
            out,
            look: None,
            told: Vec::new(),
            beat: None,
        }
    }

    fn line(&mut self, at: Timestamp, status: &str, waited: &str, text: &str) -> io::Result<()> {
        let time = at.strftime("%Y-%m-%dT%H:%M:%SZ");
        let (stack, id) = ("-", "-");
        writeln!(
            self.out,
            "{time}  {stack:13}  {id:24}  {status:20}  {waited:>6}  {}",
            clean(text)
        )
    }
}

fn whole(part: &ReadyPart) -> String {
    let mut text = sentence(part);
    for what in &part.missing {
        text = format!("{text}; {}", clean(what));
    }
    text
}

impl<W: Write> Shower for WaitingLines<W> {
    fn take(&mut self, event: &Event) -> io::Result<()> {
        let Some(look) = Awaited::of(event) else {
            return Ok(());
        };
        let at = event.at();
        let waited = look.waited(at);
        if self.look.is_none() {
            let most = elapsed(look.until.duration_since(look.since));
            let text = format!("{}: waits for Kubernetes, at most {most}", look.cluster);
            self.line(at, "waiting", &waited, &text)?;
            self.beat = Some(at);
        }
        let told: Vec<String> = look.parts.iter().map(whole).collect();
        for (part, text) in look.parts.iter().zip(&told) {
            // What nobody can know yet is no news.
            if self.told.contains(text) || mark(part) == Mark::Waiting {
                continue;
            }
            let status = if part.done >= part.wanted {
                "ready"
            } else {
                "waiting"
            };
            self.line(at, status, &waited, text)?;
        }
        self.told = told;
        self.look = Some(look);
        self.out.flush()
    }

    fn tick(&mut self, now: Timestamp) -> io::Result<()> {
        let Some(look) = self.look.as_ref().filter(|look| !look.ready) else {
            return Ok(());
        };
        if self
            .beat
            .is_some_and(|beat| now.duration_since(beat) < HEARTBEAT)
        {
            return Ok(());
        }
        let done = look
            .parts
            .iter()
            .filter(|part| part.done >= part.wanted)
            .count();
        let text = format!("{done} of {} parts are there", look.parts.len());
        let waited = look.waited(now);
        self.beat = Some(now);
        self.line(now, "waiting", &waited, &text)?;
        self.out.flush()
    }

    fn finish(&mut self, now: Timestamp) -> io::Result<()> {
        let Some(look) = &self.look else {
            return Ok(());
        };
        writeln!(self.out)?;
        for line in look.summary(now, usize::MAX) {
            writeln!(self.out, "{line}")?;
        }
        self.out.flush()
    }
}
