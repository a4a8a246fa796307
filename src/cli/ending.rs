//! How a run is watched, and how its report becomes an exit code and the sentence that says how to go on.

use jiff::Timestamp;
use tokio::sync::mpsc::{self, UnboundedSender};

use super::failure::{Exit, Failure};
use super::out::talk;
use crate::apply::{End, Report};
use crate::catalog::durations::Durations;
use crate::cloud::Identity;
use crate::events::Event;
use crate::journal::{self, Journal, JournalError, RunHeader};
use crate::progress::{self, Pace, Style};

/// Does `work` with its events shown beside it. That they could not be shown is only said: the run's
/// own end decides how the command ends.
pub async fn watched(
    showing: Showing,
    work: impl AsyncFnOnce(&UnboundedSender<Event>) -> Report,
) -> Report {
    let (sender, events) = mpsc::unbounded_channel();
    let doing = async move {
        // The sender goes with this block: then the showing ends too.
        work(&sender).await
    };
    let journal = showing.record.and_then(|about| {
        let begun = Journal::begin(&about);
        begun.map_err(|error| unrecorded(&error)).ok()
    });
    let (events, recording) = journal::tee(events, journal);
    let pace = Pace {
        speed: showing.speed,
    };
    let (report, recorded, shown) = tokio::join!(
        doing,
        recording,
        progress::show(showing.style, events, pace, showing.durations)
    );
    if let Err(error) = recorded {
        unrecorded(&error);
    }
    if let Err(error) = shown {
        talk(&format!("failed to show the progress: {error}"));
    }
    report
}

fn unrecorded(error: &JournalError) {
    talk(&format!(
        "this run has no timeline later: failed to {error}"
    ));
}

/// How a run is shown, and what is kept of it.
pub struct Showing {
    pub style: Style,
    /// Seconds of the run in one of ours.
    pub speed: f64,
    /// How long things take: what is slow is judged by it.
    pub durations: Durations,
    /// `None` for what is not recorded: a rehearsal, a watch.
    pub record: Option<RunHeader>,
}

impl Showing {
    /// At the wall's pace, without a record.
    pub fn plain(style: Style) -> Self {
        Self {
            style,
            speed: 1.0,
            durations: Durations::builtin(),
            record: None,
        }
    }

    /// At the wall's pace, with a record.
    pub fn recorded(style: Style, run: &str, cluster: &str, place: &Identity, verb: &str) -> Self {
        let about = RunHeader {
            tool: env!("CARGO_PKG_VERSION").to_owned(),
            cluster: cluster.to_owned(),
            account: place.account.clone(),
            region: place.region.clone(),
            run: run.to_owned(),
            command: format!("kube-cfn {verb} {cluster}"),
            started: Timestamp::now(),
        };
        Self {
            record: Some(about),
            ..Self::plain(style)
        }
    }
}

/// `Done`, or why it is not; `again` is the command that goes on.
pub fn exit(report: &Report, again: &str) -> Result<Exit, Failure> {
    match report.end() {
        End::Done => Ok(Exit::Done),
        End::Detached => {
            for running in &report.running {
                talk(&format!(
                    "> {} goes on in AWS: {}",
                    running.stack, running.why
                ));
            }
            let message = "detached: nothing was cancelled, what runs goes on in AWS";
            Err(Failure::new(Exit::Detached, message).help(format!("`{again}` takes it up again")))
        }
        End::RolledBack => {
            let message = "a stack failed and is back where it was; the cause stands above";
            Err(Failure::new(Exit::RolledBack, message).help(format!(
                "mend the cause, then `{again}`: what is done stays done"
            )))
        }
        End::NeedsHand => {
            let message = "a stack failed and needs a hand; the cause stands above";
            Err(Failure::new(Exit::NeedsHand, message).help(format!(
                "mend the cause, then `{again}` says what is left to do"
            )))
        }
    }
}
