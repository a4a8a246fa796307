//! Events to text: a live block, plain lines or JSON, all from the same events with the same facts.
//! Knows nothing of how things are done; it only listens.

mod brief;
mod diagnosis;
mod failure;
mod forecast;
mod json;
mod lines;
mod live;
mod model;
mod now;
mod pace;
mod resource;
mod summary;
mod table;
mod text;
mod view;
mod waiting;

use std::io::{self, IsTerminal};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::MissedTickBehavior;

use crate::catalog::durations::Durations;
use crate::events::Event;
use pace::Clock;

pub use diagnosis::report;
pub use failure::Detail;
pub use json::{Json, SCHEMA};
pub use lines::{HEARTBEAT, Lines};
pub use live::{Live, Size};
pub use model::Model;
pub use pace::Pace;
pub use text::{Line, Mark};
pub use waiting::{Awaited, WaitingBlock, WaitingLines};

/// Time between two paintings of the live block.
const REPAINT: Duration = Duration::from_millis(250);

/// How progress is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Style {
    /// A live block in a terminal, plain lines elsewhere and under `CI`.
    #[default]
    Auto,
    /// A block that repaints itself; plain lines where standard error is no terminal.
    Live,
    /// One line an event on standard error.
    Plain,
    /// One JSON object an event on standard output.
    Json,
}

/// What standard error leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Surroundings {
    /// A terminal that can move its cursor.
    pub terminal: bool,
    /// A build server, as its `CI` variable says.
    pub ci: bool,
}

impl Surroundings {
    /// As this process finds them.
    pub fn here() -> Self {
        let is = |name: &str, word: &str| std::env::var(name).is_ok_and(|value| value == word);
        let ci = std::env::var("CI").is_ok_and(|value| !value.is_empty());
        Self {
            terminal: io::stderr().is_terminal() && !is("TERM", "dumb"),
            ci: ci && !is("CI", "false") && !is("CI", "0"),
        }
    }
}

impl Style {
    /// What it comes down to here; never [`Style::Auto`].
    #[must_use]
    pub fn resolve(self, surroundings: Surroundings) -> Self {
        match self {
            Self::Json => Self::Json,
            Self::Live if surroundings.terminal => Self::Live,
            Self::Auto if surroundings.terminal && !surroundings.ci => Self::Live,
            Self::Auto | Self::Live | Self::Plain => Self::Plain,
        }
    }
}

/// Something that shows events. Consumes each of them once, in order.
pub trait Shower {
    /// Takes one event in, and writes what stays.
    fn take(&mut self, event: &Event) -> io::Result<()>;
    /// Time went by.
    fn tick(&mut self, now: Timestamp) -> io::Result<()>;
    /// No event will come any more.
    fn finish(&mut self, now: Timestamp) -> io::Result<()>;
}

/// Shows events until their channel closes, then sums up.
///
/// A reader that went away (`| head`) is no error: the rest goes unseen, the run goes on.
/// Any other failure to write is returned after the channel closed, for the same reason.
pub async fn show(
    style: Style,
    events: UnboundedReceiver<Event>,
    pace: Pace,
    durations: Durations,
) -> io::Result<()> {
    match style.resolve(Surroundings::here()) {
        Style::Json => follow(Json::new(io::stdout()), events, pace).await,
        Style::Live => follow(Live::on_stderr().knowing(durations), events, pace).await,
        Style::Auto | Style::Plain => {
            follow(Lines::new(io::stderr()).knowing(durations), events, pace).await
        }
    }
}

/// Shows the wait for a cluster, the events of [`Event::Readiness`], in the style of the run before it.
pub async fn show_waiting(style: Style, events: UnboundedReceiver<Event>) -> io::Result<()> {
    let pace = Pace::default();
    match style.resolve(Surroundings::here()) {
        Style::Json => follow(Json::new(io::stdout()), events, pace).await,
        Style::Live => follow(WaitingBlock::on_stderr(), events, pace).await,
        Style::Auto | Style::Plain => follow(WaitingLines::new(io::stderr()), events, pace).await,
    }
}

/// [`show`] with a shower of one's own.
pub async fn follow(
    mut shower: impl Shower,
    mut events: UnboundedReceiver<Event>,
    pace: Pace,
) -> io::Result<()> {
    let mut clock = Clock::new(pace);
    let mut written = Ok(());
    let mut repaint = tokio::time::interval(REPAINT);
    repaint.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        tokio::select! {
            event = events.recv() => {
                let Some(event) = event else { break };
                clock.hear(&event);
                written = written.and_then(|()| shower.take(&event));
            }
            _ = repaint.tick() => {
                if let Some(now) = clock.now() {
                    written = written.and_then(|()| shower.tick(now));
                }
            }
        }
    }
    let end = clock.now().unwrap_or_else(Timestamp::now);
    written = written.and_then(|()| shower.finish(end));
    match written {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}
