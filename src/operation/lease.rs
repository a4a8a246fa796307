//! A held lock: renewed while the run works, given back at its end.

use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::pin::pin;
use std::time::Duration;

use futures::future::{Either, select};
use tokio::sync::Notify;

use super::BEAT;
use super::record::{Record, Stub};
use crate::cloud::{CloudError, Moment, VersionedParameters};

/// Time until a renewal that failed is tried again.
const RETRY: Duration = Duration::from_secs(5);
/// Time for the end of a run whose lock could not be deleted.
const END: Duration = Duration::from_secs(5);
/// Reads of a lock that seems to be somebody else's: a read may lag.
const READS: usize = 3;
/// Pause between them.
const PAUSE: Duration = Duration::from_secs(1);

/// The operation lock of a cluster, held by this run. Writes of its cloud go out only while it is renewed.
/// Dropped without [`release`](Lease::release), it is free for others once they have seen it unchanged.
pub struct Lease<'a, C: VersionedParameters> {
    cloud: &'a C,
    name: String,
    record: RefCell<Record>,
    /// The version of the parameter that the last confirmed write got.
    version: Cell<u64>,
    lost: RefCell<Option<String>>,
    notify: Notify,
}

/// What the parameter says to its holder.
enum Found {
    /// It may be written over this version.
    Ours(u64),
    /// Somebody else has it.
    Theirs(Option<Box<Record>>),
}

impl<'a, C: VersionedParameters> Lease<'a, C> {
    pub(super) fn new(cloud: &'a C, name: String, record: Record, sent: Moment) -> Self {
        cloud.write_gate().confirm(sent);
        Self {
            cloud,
            name,
            version: Cell::new(record.replaces + 1),
            record: RefCell::new(record),
            lost: RefCell::default(),
            notify: Notify::new(),
        }
    }

    /// Does `work` and renews the lock beside it. `note` is given a line when that fails, and when it works again.
    pub async fn hold<T>(&self, note: impl Fn(String), work: impl Future<Output = T>) -> T {
        match select(pin!(work), pin!(self.renew_forever(note))).await {
            Either::Left((done, _)) => done,
            Either::Right((never, _)) => match never {},
        }
    }

    /// Resolves when the lock is lost to another run.
    pub async fn lost(&self) {
        loop {
            let notified = self.notify.notified();
            if self.lost.borrow().is_some() {
                return;
            }
            notified.await;
        }
    }

    /// To whom the lock was lost, in words; `None` while it is held.
    pub fn lost_to(&self) -> Option<String> {
        self.lost.borrow().clone()
    }

    /// Gives the lock back, unless it is lost. Takes at most `within`; a lock that is not given back is free for
    /// others once they have seen it unchanged.
    pub async fn release(self, within: Duration) {
        self.end(within).await;
        self.cloud.write_gate().open();
    }

    /// Writes the end of the run, unless the lock is lost.
    async fn end(&self, within: Duration) {
        self.record.borrow_mut().ended = Some(self.cloud.now());
        if self.lost.borrow().is_none() {
            let renewed = pin!(self.renew());
            select(renewed, pin!(self.cloud.sleep(within))).await;
        }
    }

    /// Deletes the parameter with the cluster that it was for, unless it is lost.
    ///
    /// # Errors
    /// Those of the request; then the end of the run is written instead, so that the lock is free for others.
    pub async fn remove(self) -> Result<(), CloudError> {
        let removed = match self.look().await {
            Ok(Found::Ours(_)) if self.lost.borrow().is_none() => {
                self.cloud.delete_parameter(&self.name).await
            }
            Ok(Found::Ours(_) | Found::Theirs(_)) => Ok(()),
            Err(error) => Err(error),
        };
        if removed.is_err() {
            self.end(END).await;
        }
        self.cloud.write_gate().open();
        removed
    }

    async fn renew_forever(&self, note: impl Fn(String)) -> Infallible {
        let mut is_failing = false;
        loop {
            self.cloud
                .sleep(if is_failing { RETRY } else { BEAT })
                .await;
            match self.renew().await {
                Ok(()) => {
                    if let Some(who) = self.lost_to() {
                        note(format!(
                            "the operation lock is lost to {who}: nothing more is started"
                        ));
                        return std::future::pending().await;
                    }
                    if std::mem::take(&mut is_failing) {
                        note("the operation lock is renewed again".to_owned());
                    }
                }
                Err(error) => {
                    if !std::mem::replace(&mut is_failing, true) {
                        note(format!(
                            "the operation lock could not be renewed: {error}; after a minute without it \
                             nothing new is started, AWS continues what runs"
                        ));
                    }
                }
            }
        }
    }

    /// Writes the record again, unless somebody else has the lock by now: then it is lost.
    async fn renew(&self) -> Result<(), CloudError> {
        let base = match self.look().await? {
            Found::Ours(version) => version,
            Found::Theirs(record) => {
                self.lose(record.as_deref());
                return Ok(());
            }
        };
        let text = {
            let mut record = self.record.borrow_mut();
            record.replaces = base;
            record.renewals += 1;
            record.renewed = Some(self.cloud.now());
            record.text()
        };
        let sent = Moment::now(self.cloud);
        let version = self.cloud.write_parameter(&self.name, &text).await?;
        // The second, where the read lagged.
        if version == base + 1 || version == self.version.get() + 1 {
            self.version.set(version);
            self.cloud.write_gate().confirm(sent);
        } else {
            self.lose(None);
        }
        Ok(())
    }

    /// Reads the parameter. A valid record of ours with a higher version is a write whose answer was lost; a void
    /// record is of somebody who did not get the lock.
    async fn look(&self) -> Result<Found, CloudError> {
        let mut theirs = None;
        for read in 0..READS {
            if read > 0 {
                self.cloud.sleep(PAUSE).await;
            }
            let Some(found) = self.cloud.versioned_parameter(&self.name).await? else {
                // Somebody deleted it: it is made again.
                return Ok(Found::Ours(0));
            };
            let is_newer = found.version > self.version.get();
            let (is_ours, is_valid) = match Stub::of(&found) {
                Some(stub) => (
                    stub.token == self.record.borrow().token,
                    stub.is_valid(&found),
                ),
                None => (false, false),
            };
            match (is_ours, is_valid) {
                // Our own write, without its answer, over one that may have been valid.
                (true, false) if is_newer => return Ok(Found::Theirs(None)),
                (true, _) | (false, false) => return Ok(Found::Ours(found.version)),
                (false, true) => theirs = Record::of(&found).map(Box::new),
            }
            if is_newer {
                return Ok(Found::Theirs(theirs));
            }
            // From before it was taken, or of a parameter that was deleted and made again.
        }
        Ok(Found::Theirs(theirs))
    }

    fn lose(&self, to: Option<&Record>) {
        let who = to.map_or_else(|| "another run".to_owned(), ToString::to_string);
        self.lost.borrow_mut().get_or_insert(who);
        self.cloud.write_gate().close();
        self.notify.notify_waiters();
    }
}
