//! How a run is watched, and how its report becomes an exit code and the sentence that says how to go on.

use jiff::Timestamp;
use tokio::sync::mpsc::{self, UnboundedSender};

use super::failure::{Exit, Failure};
use super::out::talk;
use crate::apply::event::Event;
use crate::apply::{End, Report};
use crate::cloud::Identity;
use crate::journal::{self, About, Journal};
use crate::progress::{self, Style};

/// What it costs that a run has no record.
const UNRECORDED: &str = "`kube-cfn timeline` will not have all of this run";

/// What the record of a run says of it; `command` is the one that takes it up again.
pub fn about(cluster: &str, identity: &Identity, run: &str, command: String) -> About {
    About {
        tool: env!("CARGO_PKG_VERSION").to_owned(),
        cluster: cluster.to_owned(),
        account: identity.account.clone(),
        region: identity.region.clone(),
        run: run.to_owned(),
        command,
        started: Timestamp::now(),
    }
}

/// Does `work` with its events shown beside it, and recorded where `record` says of what run they
/// are. That they could not be shown or recorded is only said: the run's own end decides how the
/// command ends.
pub async fn watched(
    style: Style,
    record: Option<About>,
    work: impl AsyncFnOnce(&UnboundedSender<Event>) -> Report,
) -> Report {
    let (sender, events) = mpsc::unbounded_channel();
    let begun = record.map(|about| Journal::begin(&about)).transpose();
    let journal = begun.unwrap_or_else(|error| {
        talk(&format!("{UNRECORDED}: failed to {error}"));
        None
    });
    let (events, recording) = journal::tee(events, journal);
    let doing = async move {
        // The sender goes with this block: then the showing ends too.
        work(&sender).await
    };
    let (report, shown, recorded) = tokio::join!(doing, progress::show(style, events), recording);
    if let Err(error) = shown {
        talk(&format!("failed to show the progress: {error}"));
    }
    if let Err(error) = recorded {
        talk(&format!("{UNRECORDED}: failed to {error}"));
    }
    report
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
