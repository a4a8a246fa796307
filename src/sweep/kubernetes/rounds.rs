//! Requests that are repeated, rounds that end when nothing moves any more, and the progress of both.

use std::cell::RefCell;
use std::fmt::Display;
use std::time::Duration;

use futures::{StreamExt as _, TryStreamExt as _, stream};
use jiff::Timestamp;

use crate::common::Clock;
use crate::common::clock::elapsed;
use crate::common::retry::{Backoff, Try, retry};
use crate::events::{Emitter, SweepPart};
use crate::kube::{Api, KubeError};

/// Between two looks.
const INTERVAL: Duration = Duration::from_secs(5);
/// The longest wait in which nothing moves. The cloud controller manager itself waits as long for AWS to release the
/// security group of a load balancer.
const STALL: Duration = Duration::from_mins(10);
/// For one request: tries at 0, 1, 3, 7, 15, 30 and 45 seconds. A control plane of one machine may restart meanwhile.
const REQUEST: Backoff = Backoff::new(Duration::from_secs(1), 7).at_most(Duration::from_secs(15));
/// Requests at once: far below what an API server lets one user have.
pub const AT_ONCE: usize = 8;
/// Names in one line at most.
const NAMES: usize = 5;

/// One run of this part of a deletion.
pub struct Run<'a, K> {
    pub api: &'a Api,
    emit: Emitter<'a, K>,
    since: Timestamp,
    parts: RefCell<Vec<SweepPart>>,
}

/// Watches that what is left becomes less.
pub struct Movement {
    least: usize,
    at: Timestamp,
}

impl<'a, K: Clock> Run<'a, K> {
    pub fn new(api: &'a Api, emit: Emitter<'a, K>) -> Self {
        Self {
            api,
            emit,
            since: emit.clock.now(),
            parts: RefCell::default(),
        }
    }

    /// One request, repeated while its failure may pass.
    pub async fn ask<T>(
        &self,
        request: impl AsyncFn() -> Result<T, KubeError>,
    ) -> Result<T, KubeError> {
        retry(self.emit.clock, REQUEST, async || {
            Try::transient(request().await, KubeError::is_transient)
        })
        .await
    }

    /// The same for a deletion: an object that was made again under its name is one for the next round.
    pub async fn remove(
        &self,
        request: impl AsyncFn() -> Result<(), KubeError>,
    ) -> Result<(), KubeError> {
        retry(self.emit.clock, REQUEST, async || {
            let answer = match request().await {
                Err(KubeError::Conflict(_)) => Ok(()),
                answer => answer,
            };
            Try::transient(answer, KubeError::is_transient)
        })
        .await
    }

    /// Does the same to several objects, a few at once, until one fails.
    pub async fn each<T>(
        &self,
        items: impl IntoIterator<Item = T>,
        work: impl AsyncFn(T) -> Result<(), KubeError>,
    ) -> Result<(), KubeError> {
        let work = &work;
        stream::iter(items)
            .map(async |item| work(item).await)
            .buffer_unordered(AT_ONCE)
            .try_collect()
            .await
    }

    /// Emits how far one part is, with the others.
    pub fn show(&self, name: &str, done: usize, wanted: usize, state: impl Into<String>) {
        if wanted == 0 {
            return;
        }
        let part = SweepPart {
            name: name.to_owned(),
            done,
            wanted,
            state: state.into(),
        };
        let mut parts = self.parts.borrow_mut();
        match parts.iter_mut().find(|known| known.name == name) {
            Some(known) if *known == part => return,
            Some(known) => *known = part,
            None => parts.push(part),
        }
        self.emit.sweep(self.since, parts.clone());
    }

    pub fn note(&self, text: String) {
        self.emit.note(None, text);
    }

    pub async fn pause(&self) {
        self.emit.clock.sleep(INTERVAL).await;
    }

    /// A watch over what is left, from now on.
    pub fn movement(&self) -> Movement {
        Movement {
            least: usize::MAX,
            at: self.emit.clock.now(),
        }
    }

    /// Whether nothing has moved for too long, where so much is left. What comes back is no movement.
    pub fn is_stalled(&self, movement: &mut Movement, left: usize) -> bool {
        let now = self.emit.clock.now();
        if left < movement.least {
            *movement = Movement {
                least: left,
                at: now,
            };
        }
        elapsed(movement.at, now) >= STALL
    }
}

/// The first names of a list, and how many more there are.
pub fn some(names: impl IntoIterator<Item = impl Display>) -> String {
    let all: Vec<String> = names.into_iter().map(|name| name.to_string()).collect();
    match all.len().checked_sub(NAMES) {
        None | Some(0) => all.join(", "),
        Some(more) => format!("{} and {more} more", all[..NAMES].join(", ")),
    }
}
