//! Events to text: a live block, plain lines or JSON, all from the same events with the same facts.
//! Knows nothing of how things are done; it only listens.

mod after_failure;
mod boots;
mod cluster_wait;
mod diagnosis;
mod failure;
mod forecast;
mod json;
mod line;
mod lines;
mod live;
mod model;
mod resource;
mod roll;
mod shorten_reason;
mod summary;
mod sweep;
mod table;
mod ticker;
mod view;

use std::io::{self, IsTerminal};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::MissedTickBehavior;

use crate::catalog::durations::Durations;
use crate::events::Event;
use ticker::Ticker;

pub use boots::failed_boot;
pub use cluster_wait::ClusterWait;
pub use diagnosis::report;
pub use failure::FailureDetail;
pub use json::{JsonRenderer, SCHEMA};
pub use line::{Line, Mark};
pub use lines::{HEARTBEAT, LineRenderer};
pub use live::{LiveRenderer, ScreenSize};
pub use model::{Commands, Model};
pub use roll::RollProgress;
pub use ticker::Pace;

/// Time between two paintings of the live block.
const REPAINT: Duration = Duration::from_millis(250);

/// How progress is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Style {
    /// A live block in a terminal, plain lines elsewhere and under `CI`.
    #[default]
    Auto,
    /// A block that is repainted; plain lines where stderr is no terminal.
    Live,
    /// One line per event, on stderr.
    Plain,
    /// One JSON object per event, on stdout.
    Json,
}

/// Where standard error is written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Environment {
    /// A terminal that can move its cursor.
    pub terminal: bool,
    /// A build server, as its `CI` variable says.
    pub ci: bool,
}

impl Environment {
    /// That of this process.
    pub fn detect() -> Self {
        let is = |name: &str, word: &str| std::env::var(name).is_ok_and(|value| value == word);
        let ci = std::env::var("CI").is_ok_and(|value| !value.is_empty());
        Self {
            terminal: io::stderr().is_terminal() && !is("TERM", "dumb"),
            ci: ci && !is("CI", "false") && !is("CI", "0"),
        }
    }
}

impl Style {
    /// The style that is used there; never [`Style::Auto`].
    #[must_use]
    pub fn resolve(self, environment: Environment) -> Self {
        match self {
            Self::Json => Self::Json,
            Self::Live if environment.terminal => Self::Live,
            Self::Auto if environment.terminal && !environment.ci => Self::Live,
            Self::Auto | Self::Live | Self::Plain => Self::Plain,
        }
    }
}

/// Something that shows events. Consumes each of them once, in order.
pub trait Renderer {
    /// Takes one event in, and writes what stays.
    fn render(&mut self, event: &Event) -> io::Result<()>;
    /// Time went by.
    fn tick(&mut self, now: Timestamp) -> io::Result<()>;
    /// No event will come any more.
    fn finish(&mut self, now: Timestamp) -> io::Result<()>;
}

/// Shows the events of a run, or of the wait for a cluster, until their channel closes; then sums up.
///
/// A reader that went away (`| head`) is no error: the run continues without a screen.
/// Any other failure to write is returned after the channel closed, for the same reason.
pub async fn show(
    style: Style,
    events: UnboundedReceiver<Event>,
    pace: Pace,
    durations: Durations,
    commands: Commands,
) -> io::Result<()> {
    match style.resolve(Environment::detect()) {
        Style::Json => follow(JsonRenderer::new(io::stdout()), events, pace).await,
        Style::Live => {
            follow(
                LiveRenderer::on_stderr()
                    .with_durations(durations)
                    .with_commands(commands),
                events,
                pace,
            )
            .await
        }
        Style::Auto | Style::Plain => {
            follow(
                LineRenderer::new(io::stderr())
                    .with_durations(durations)
                    .with_commands(commands),
                events,
                pace,
            )
            .await
        }
    }
}

/// [`show`] with any renderer.
pub async fn follow(
    mut renderer: impl Renderer,
    mut events: UnboundedReceiver<Event>,
    pace: Pace,
) -> io::Result<()> {
    let mut ticker = Ticker::new(pace);
    let mut written = Ok(());
    let mut repaint = tokio::time::interval(REPAINT);
    repaint.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        tokio::select! {
            event = events.recv() => {
                let Some(event) = event else { break };
                ticker.observe(&event);
                written = written.and_then(|()| renderer.render(&event));
            }
            _ = repaint.tick() => {
                if let Some(now) = ticker.now() {
                    written = written.and_then(|()| renderer.tick(now));
                }
            }
        }
    }
    let end = ticker.now().unwrap_or_else(Timestamp::now);
    written = written.and_then(|()| renderer.finish(end));
    match written {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}
