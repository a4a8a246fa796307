//! Whether the run that holds the lock goes on, as somebody sees it who only watches.

use std::cell::RefCell;

use jiff::Timestamp;

use super::record::Record;
use super::{STALE, read_value};
use crate::cloud::{CloudError, VersionedParameters};
use crate::common::clock::elapsed;
use crate::stacks::operation_parameter;

/// Follows the holder of the lock of one cluster, also when another run takes over.
pub struct HolderWatch<'a, C> {
    cloud: &'a C,
    cluster: &'a str,
    /// The lock as it was last seen held.
    seen: RefCell<Option<Seen>>,
}

/// A held lock.
struct Seen {
    version: u64,
    /// `None` for one that this version can't read.
    record: Option<Record>,
    /// Since when it is unchanged, by the clock of the watcher.
    since: Timestamp,
}

impl<'a, C: VersionedParameters> HolderWatch<'a, C> {
    /// Reads nothing yet.
    pub fn new(cloud: &'a C, cluster: &'a str) -> Self {
        Self {
            cloud,
            cluster,
            seen: RefCell::default(),
        }
    }

    /// Looks at the lock: whether a run holds it that renews it, or whose process lives on this machine. Without an
    /// answer what was seen before counts, as long as it would without a change.
    pub async fn goes_on(&self) -> bool {
        match self.look().await {
            Ok(None) => {
                self.seen.take();
                false
            }
            Ok(Some(now)) => {
                let mut seen = self.seen.borrow_mut();
                if seen.as_ref().map(|seen| seen.version) != Some(now.version) {
                    *seen = Some(now);
                }
                seen.as_ref()
                    .is_some_and(|seen| seen.lives_here() || self.is_fresh(seen))
            }
            Err(_) => {
                let seen = self.seen.borrow();
                seen.as_ref().is_some_and(|seen| self.is_fresh(seen))
            }
        }
    }

    /// The holder that did not go on, in words; `None` where the last one gave the lock back.
    pub fn silent(&self) -> Option<String> {
        let seen = self.seen.borrow();
        let seen = seen.as_ref().filter(|seen| !self.is_fresh(seen))?;
        let holder = seen.record.as_ref();
        let holder = holder.map_or_else(|| "another run".to_owned(), ToString::to_string);
        Some(format!(
            "{holder} holds the operation lock and has not renewed it for {}s: it may have ended",
            STALE.as_secs()
        ))
    }

    fn is_fresh(&self, seen: &Seen) -> bool {
        elapsed(seen.since, self.cloud.now()) < STALE
    }

    /// The lock, if it is held. One that can't be read counts as held.
    async fn look(&self) -> Result<Option<Seen>, CloudError> {
        let found = read_value(self.cloud, &operation_parameter(self.cluster)).await?;
        let seen = found.map(|found| Seen {
            record: Record::of(&found),
            version: found.version,
            since: self.cloud.now(),
        });
        Ok(seen.filter(|seen| seen.record.as_ref().is_none_or(Record::holds)))
    }
}

impl Seen {
    fn lives_here(&self) -> bool {
        self.record.as_ref().and_then(Record::is_alive) == Some(true)
    }
}
