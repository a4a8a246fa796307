//! The run that holds the operation lock, as `status` shows it.

use jiff::Timestamp;
use serde::Serialize;

use crate::cloud::CloudError;
use crate::common::text::listed_line;
use crate::operation::Record;

/// The run that holds the operation lock, or why that is not known.
#[derive(Serialize)]
#[serde(rename_all = "camelCase", tag = "state")]
pub enum OperationView {
    Held {
        /// `apply`, `delete`, ...
        verb: &'static str,
        /// ARN of the caller.
        caller: String,
        /// Process and host.
        place: String,
        run: String,
        /// By the clock of its machine.
        since: Timestamp,
        /// Whether its process runs; `None` for one on another machine.
        alive: Option<bool>,
    },
    Unknown {
        reason: String,
    },
}

impl OperationView {
    /// Of what was read; `None` when nothing holds the lock.
    pub fn of(read: Result<Option<Record>, CloudError>) -> Option<Self> {
        match read {
            Ok(record) => record.map(|record| Self::Held {
                alive: record.is_alive(),
                verb: record.verb.word(),
                place: record.place(),
                caller: record.caller,
                run: record.run,
                since: record.started,
            }),
            Err(error) => Some(Self::Unknown {
                reason: error.to_string(),
            }),
        }
    }

    pub(super) fn line(&self) -> String {
        match self {
            Self::Held {
                verb,
                caller,
                place,
                run: _,
                since,
                alive,
            } => {
                let unknown = "; whether it still runs is not known here";
                let alive = if alive.is_some() { "" } else { unknown };
                let text = format!("{verb} by {caller} ({place}) since {since:.0}{alive}");
                listed_line("lock      ", &text)
            }
            Self::Unknown { reason } => {
                let text = format!("whether an operation runs is not known: {reason}");
                listed_line("?? ", &text)
            }
        }
    }
}
