//! Taking the operation lock: a free one at once, one of a run that has ended as soon as that is certain, one of
//! a living run never.

use std::time::Duration;

use jiff::Timestamp;

use super::lease::Lease;
use super::record::{Claim, Record, Stub};
use super::{STALE, read_value};
use crate::cloud::{CloudError, Moment, PutResult, Store, VersionedParameters, VersionedValue};
use crate::common::clock::elapsed;
use crate::stacks::operation_parameter;

/// Time between two looks at a lock that is held.
const POLL_INTERVAL: Duration = Duration::from_secs(2);
/// Pause after a write that came to nothing.
const PAUSE: Duration = Duration::from_secs(1);
/// So many writes that came to nothing are enough.
const TRIES: usize = 10;

/// A version of the parameter, and since when it is known not to have changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Observation {
    version: u64,
    /// By the clock of the observer.
    since: Timestamp,
}

/// Why a run does not get the lock.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum LockError {
    /// Another run holds it, and lives.
    #[error("{}", holder.as_ref().map_or_else(
        || "another run holds the operation lock".to_owned(),
        |holder| format!("{holder} holds the operation lock"),
    ))]
    Held {
        /// `None` where the lock does not say it.
        holder: Option<Box<Record>>,
        /// Whether its process is on this machine.
        is_here: bool,
    },
    #[error(transparent)]
    Cloud(#[from] CloudError),
}

/// What is to be done about a lock.
#[derive(Debug, PartialEq)]
enum Judgement {
    /// It is this claim's: the answer to the write was lost.
    Mine,
    /// It is free, or its holder has ended: with what to say about that.
    Take(Option<String>),
    Refuse {
        is_here: bool,
    },
    Wait,
}

/// Looks at a lock without taking it, so that the time until [`acquire`] counts as observation. Also returns
/// the holder, if the lock is held.
///
/// # Errors
/// Those of the read; a holder on this machine that lives and renews it is [`LockError::Held`].
pub async fn observe(
    cloud: &impl VersionedParameters,
    cluster: &str,
) -> Result<Option<(Observation, Option<Record>)>, LockError> {
    let Some(found) = read_value(cloud, &operation_parameter(cluster)).await? else {
        return Ok(None);
    };
    let record = Record::of(&found);
    let held = record.filter(|record| record.ended.is_none());
    let since = cloud.now();
    let version = found.version;
    let holder = held.filter(Record::holds);
    match holder {
        Some(record) if record.is_renewed_here(since) => Err(held_by(Some(record), true)),
        holder => Ok(Some((Observation { version, since }, holder))),
    }
}

fn held_by(holder: Option<Record>, is_here: bool) -> LockError {
    LockError::Held {
        holder: holder.map(Box::new),
        is_here,
    }
}

/// Takes the lock. Waits up to [`STALE`] to learn whether a holder on another machine still runs; `say` is given
/// a line when that begins, and one when a lock is taken over. `seen` is an earlier observation.
///
/// # Errors
/// [`LockError::Held`] when a living run has it; errors of the cloud, `Denied` first of all.
pub async fn acquire<C: Store + VersionedParameters>(
    cloud: &C,
    claim: Claim,
    seen: Option<Observation>,
    say: impl Fn(String),
) -> Result<Lease<'_, C>, LockError> {
    let mut attempt = Attempt {
        name: operation_parameter(&claim.cluster),
        cloud,
        claim,
        seen,
        say,
        is_waiting: false,
        first_write: None,
    };
    let mut last = held_by(None, false);
    for _ in 0..TRIES {
        let found = attempt.settled().await?;
        match attempt.write(found).await {
            Ok(Some((record, sent))) => return Ok(Lease::new(cloud, attempt.name, record, sent)),
            // Somebody else was quicker: it has the lock, or its write is as void as ours.
            Ok(None) => {}
            // Whether it came through shows when it is read.
            Err(error) if error.is_transient() => last = error.into(),
            Err(error) => return Err(error.into()),
        }
        cloud.sleep(PAUSE).await;
    }
    Err(last)
}

/// One claim on its way to the lock.
struct Attempt<'a, C, S> {
    cloud: &'a C,
    name: String,
    claim: Claim,
    seen: Option<Observation>,
    say: S,
    is_waiting: bool,
    /// When the first write went out.
    first_write: Option<Moment>,
}

impl<C: Store + VersionedParameters, S: Fn(String)> Attempt<'_, C, S> {
    /// Waits until the lock can be taken, or must not be: what is there then.
    async fn settled(&mut self) -> Result<Option<VersionedValue>, LockError> {
        loop {
            let Some(found) = read_value(self.cloud, &self.name).await? else {
                return Ok(None);
            };
            let record = Record::of(&found);
            match self.judge(&found, record.as_ref()) {
                Judgement::Mine | Judgement::Take(None) => return Ok(Some(found)),
                Judgement::Take(Some(text)) => {
                    (self.say)(text);
                    return Ok(Some(found));
                }
                Judgement::Refuse { is_here } => return Err(held_by(record, is_here)),
                Judgement::Wait => {}
            }
            if !std::mem::replace(&mut self.is_waiting, true) {
                (self.say)(waiting(record.as_ref()));
            }
            self.cloud.sleep(POLL_INTERVAL).await;
        }
    }

    fn judge(&mut self, found: &VersionedValue, record: Option<&Record>) -> Judgement {
        let now = self.cloud.now();
        if let Some(record) = record {
            if record.ended.is_some() {
                return Judgement::Take(None);
            }
            if record.token == self.claim.token {
                return Judgement::Mine;
            }
            if record.is_alive() == Some(false) {
                return Judgement::Take(Some(taken_over(record, "has ended")));
            }
            if record.is_renewed_here(now) {
                return Judgement::Refuse { is_here: true };
            }
        }
        match (self.seen, record) {
            (Some(seen), _) if seen.version == found.version => {
                if elapsed(seen.since, now) < STALE {
                    return Judgement::Wait;
                }
                let still = format!("has not renewed it for {}s", STALE.as_secs());
                Judgement::Take(record.map(|record| taken_over(record, &still)))
            }
            // It was renewed meanwhile.
            (Some(_), _) if Stub::of(found).is_some_and(|stub| stub.is_valid(found)) => {
                Judgement::Refuse {
                    is_here: record.and_then(Record::is_alive) == Some(true),
                }
            }
            (Some(_) | None, _) => {
                let version = found.version;
                self.seen = Some(Observation {
                    version,
                    since: now,
                });
                Judgement::Wait
            }
        }
    }

    /// Writes the claim over what was found; returns its record and a moment at which it held the lock. `None`
    /// when somebody else wrote in between.
    async fn write(
        &mut self,
        found: Option<VersionedValue>,
    ) -> Result<Option<(Record, Moment)>, CloudError> {
        let sent = Moment::now(self.cloud);
        let first = *self.first_write.get_or_insert(sent);
        let Some(found) = found else {
            let record = self.claim.record(0, self.cloud.now());
            let text = record.text();
            let put = self
                .cloud
                .put_parameter_if_absent(&self.name, &text)
                .await?;
            return Ok((put == PutResult::Stored).then_some((record, sent)));
        };
        let mine = Record::of(&found).filter(|record| record.token == self.claim.token);
        if let Some(record) = mine.filter(|record| record.ended.is_none()) {
            return Ok(Some((record, first)));
        }
        let record = self.claim.record(found.version, self.cloud.now());
        let text = record.text();
        let version = self.cloud.write_parameter(&self.name, &text).await?;
        Ok((version == found.version + 1).then_some((record, sent)))
    }
}

fn waiting(record: Option<&Record>) -> String {
    let holder = record.map_or_else(|| "another run".to_owned(), ToString::to_string);
    format!(
        "{holder} holds the operation lock: waiting up to {}s to see whether it still runs",
        STALE.as_secs()
    )
}

fn taken_over(record: &Record, why: &str) -> String {
    let place = record.place();
    format!("the operation lock of {record} is taken over: {place} {why}")
}
