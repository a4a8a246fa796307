//! A local record of each run: its events, one JSON object a line, in the XDG state directory.
//! Only timelines and expected durations come from it: nothing is decided by it, and losing it loses nothing.
//!
//! A record is `$XDG_STATE_HOME/kube-cfn/runs/<account>/<region>/<cluster>/<UTC start>-<run>.jsonl`,
//! `~/.local/state` where the variable is not set: a header line ([`RunHeader`]), then each event as it
//! happens. Files are 0600, directories 0700. A run that was killed leaves a readable beginning. The
//! last [`KEPT`] runs of a cluster are kept; older ones are removed when the next begins. Events carry no secrets,
//! so records carry none. A rehearsal is never recorded: its times are invented.

mod archive;
mod learned;
mod record;
mod samples;
#[cfg(test)]
mod tests;

use std::io;
use std::path::PathBuf;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc::{self, UnboundedReceiver};

use crate::events::Event;

pub use archive::{Record, RunArchive};
pub use learned::learned_durations;
pub use record::{Journal, RecordedRun, load};
pub use samples::samples;

/// Records of one cluster that are kept.
pub const KEPT: usize = 50;
/// The first field of every header.
pub const KIND: &str = "kube-cfn/run";
/// Version of the format. Grows when an older program could misread a record.
pub const SCHEMA: u32 = 1;

/// What a run is, without what happened in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RunHeader {
    /// Version of the program that ran.
    pub tool: String,
    pub cluster: String,
    pub account: String,
    pub region: String,
    /// The run's id, as its events and the tokens of its requests have it.
    pub run: String,
    /// The command that resumes it: `kube-cfn apply canary`.
    pub command: String,
    pub started: Timestamp,
}

/// Why a record can't be kept or read; fits after "failed to ".
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    #[error("find the state directory: {0}")]
    NoStateDirectory(String),
    /// A name that would lead out of the directory of records.
    #[error("keep a record of {0:?}: not a valid name of a cluster, account, region or run")]
    Name(String),
    #[error("write the record {path}: {source}", path = path.display())]
    Write { path: PathBuf, source: io::Error },
    #[error("read the record {path}: {source}", path = path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("read the record {path}: {why}", path = path.display())]
    Foreign { path: PathBuf, why: String },
}

/// Writes every event of a run to its journal and passes it on. The first error ends the writing, never
/// the run: the returned future ends with it, after the last event.
pub fn tee(
    mut events: UnboundedReceiver<Event>,
    journal: Option<Journal>,
) -> (
    UnboundedReceiver<Event>,
    impl Future<Output = Result<(), JournalError>>,
) {
    let (sender, copied) = mpsc::unbounded_channel();
    let recording = async move {
        let mut journal = journal;
        let mut written = Ok(());
        while let Some(event) = events.recv().await {
            if let Some(open) = &mut journal
                && let Err(error) = open.write(&event)
            {
                written = Err(error);
                journal = None;
            }
            // The record continues when the screen is gone.
            let _ = sender.send(event);
        }
        written
    };
    (copied, recording)
}
