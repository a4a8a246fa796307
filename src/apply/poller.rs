//! One poller for all followers of a run. If its polls fail or are old, the followers poll for themselves:
//! it never decides an outcome.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::pin::pin;
use std::time::Duration;

use futures::future::{Either, select};
use jiff::Timestamp;
use tokio::sync::watch;

use crate::cloud::{Cloud, CloudError};
use crate::common::clock::elapsed;

/// Calls a second that followers plan with. Less than the cloud's limiter allows, so that the poller and
/// the requests of the run do not queue behind them.
const PLANNED: f64 = 1.8;
/// Time between two polls while a follower polls often.
const INTERVAL: Duration = Duration::from_secs(2);
/// The same while only slow things run.
const SLOW_INTERVAL: Duration = Duration::from_secs(5);
/// Longest time between two polls that fail.
const LONGEST_INTERVAL: Duration = Duration::from_mins(1);
/// A follower with a shorter interval than this polls often.
const LIVELY: Duration = Duration::from_secs(5);
/// An answer older than this does not count.
const OLD: Duration = Duration::from_secs(15);

/// The answer of the last poll.
#[derive(Debug, Clone, Default)]
struct PollResult {
    at: Option<Timestamp>,
    /// ARNs of the stacks in which an operation runs.
    moving: BTreeSet<String>,
}

/// Asks which stacks have a running operation, once for all followers of a run.
pub(super) struct Poller<'a, C> {
    pub cloud: &'a C,
    answers: watch::Sender<PollResult>,
    /// Why the credentials expired; then the whole run detaches at once.
    expired: watch::Sender<Option<String>>,
    /// The poll interval of each follower, if it were alone, by its number.
    paces: RefCell<BTreeMap<usize, Duration>>,
    subscriptions: Cell<usize>,
}

/// Why a wait was over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WakeReason {
    Time,
    /// The stack was seen moving, and moves no more.
    Stopped,
}

impl<'a, C: Cloud> Poller<'a, C> {
    pub fn new(cloud: &'a C) -> Self {
        Self {
            cloud,
            answers: watch::Sender::default(),
            expired: watch::Sender::default(),
            paces: RefCell::default(),
            subscriptions: Cell::new(0),
        }
    }

    /// Polls for ever, while a follower needs it. Runs beside the work.
    pub async fn poll_forever(&self) {
        let mut fails: u32 = 0;
        loop {
            let wait = self.interval() * 2_u32.saturating_pow(fails.min(5));
            self.cloud.sleep(wait.min(LONGEST_INTERVAL)).await;
            if !self.is_useful() {
                continue;
            }
            match self.cloud.in_progress_stacks().await {
                Ok(moving) => {
                    fails = 0;
                    let at = Some(self.cloud.now());
                    self.answers.send_replace(PollResult { at, moving });
                }
                Err(error @ CloudError::Credentials { .. }) => self.expire(&error),
                Err(_) => fails += 1,
            }
        }
    }

    fn interval(&self) -> Duration {
        let lively = self.paces.borrow().values().any(|pace| *pace < LIVELY);
        if lively { INTERVAL } else { SLOW_INTERVAL }
    }

    /// A single follower that polls as often as the poller needs none.
    fn is_useful(&self) -> bool {
        let paces = self.paces.borrow();
        paces.len() > 1 || paces.values().any(|pace| *pace > INTERVAL)
    }

    /// Takes part as the follower of a stack.
    pub fn subscribe(&self, stack_id: &str) -> Subscription<'_, 'a, C> {
        let number = self.subscriptions.get();
        self.subscriptions.set(number + 1);
        Subscription {
            poller: self,
            number,
            stack_id: stack_id.to_owned(),
            moved: false,
            answers: self.answers.subscribe(),
        }
    }

    /// The credentials expired: nothing can be read or started any more.
    pub fn expire(&self, error: &CloudError) {
        self.expired.send_replace(Some(error.to_string()));
    }

    /// Resolves with the reason when the credentials have expired.
    pub async fn expired(&self) -> String {
        let mut expired = self.expired.subscribe();
        match expired.wait_for(Option::is_some).await {
            Ok(why) => why.clone().unwrap_or_default(),
            Err(_) => std::future::pending().await,
        }
    }

    /// The interval of a follower, longer if all together would poll too often: the fastest slow down first.
    fn stretched(&self, pace: Duration) -> Duration {
        let paces = self.paces.borrow();
        let paces: Vec<f64> = paces.values().map(Duration::as_secs_f64).collect();
        pace.max(Duration::from_secs_f64(shortest_interval(&paces)))
    }
}

/// The least time between two polls of one follower, in seconds, with which all together keep to
/// [`PLANNED`]. None of those that want to look less often is slowed down by it.
fn shortest_interval(paces: &[f64]) -> f64 {
    let mut slow = paces.to_vec();
    slow.sort_by(|a, b| b.total_cmp(a));
    let mut left = PLANNED;
    let mut others = slow.len();
    for pace in slow {
        // Lossless: nobody follows so many stacks.
        let least = f64::from(u32::try_from(others).unwrap_or(u32::MAX)) / left;
        if pace < least {
            return least;
        }
        left -= 1.0 / pace;
        others -= 1;
    }
    0.0
}

/// The subscription of one follower, until it is dropped.
pub(super) struct Subscription<'p, 'a, C> {
    poller: &'p Poller<'a, C>,
    number: usize,
    stack_id: String,
    /// Whether an answer had the stack moving since the last wait that its end cut short.
    moved: bool,
    answers: watch::Receiver<PollResult>,
}

impl<C: Cloud> Subscription<'_, '_, C> {
    /// Waits until the next poll: for the own interval, as far as all together allow it, or until the stack
    /// stops moving.
    pub async fn wait(&mut self, pace: Duration) -> WakeReason {
        let poller = self.poller;
        poller.paces.borrow_mut().insert(self.number, pace);
        let time = pin!(poller.cloud.sleep(poller.stretched(pace)));
        match select(pin!(self.stops()), time).await {
            Either::Left(_) => WakeReason::Stopped,
            Either::Right(_) => WakeReason::Time,
        }
    }

    /// Whether a recent answer shows the stack moving.
    pub fn moves(&self) -> bool {
        let answer = self.answers.borrow();
        let fresh = |at| elapsed(at, self.poller.cloud.now()) <= OLD;
        answer.at.is_some_and(fresh) && answer.moving.contains(&self.stack_id)
    }

    async fn stops(&mut self) {
        loop {
            if self.answers.changed().await.is_err() {
                return std::future::pending().await;
            }
            let moves = self
                .answers
                .borrow_and_update()
                .moving
                .contains(&self.stack_id);
            if self.moved && !moves {
                self.moved = false;
                return;
            }
            self.moved |= moves;
        }
    }
}

impl<C> Drop for Subscription<'_, '_, C> {
    fn drop(&mut self) {
        self.poller.paces.borrow_mut().remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn poll_rate_limit_slows_only_fast_followers() {
        let near = |wishes: &[f64], wanted: f64| {
            let found = shortest_interval(wishes);
            assert!((found - wanted).abs() < 0.01, "{wishes:?}: {found}");
        };
        near(&[1.0], 0.0);
        near(&[2.0, 2.0, 2.0], 0.0);
        near(&[1.0, 1.0], 1.111);
        near(&[10.0; 10], 0.0);
        near(&[2.0; 20], 11.111);
        // Ten slow ones leave 0.8 calls a second for the two quick ones.
        let mut mixed = vec![10.0; 10];
        mixed.extend([1.0, 1.0]);
        near(&mixed, 2.5);
    }
}
