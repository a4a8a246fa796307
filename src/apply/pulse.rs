//! One heartbeat and one budget of calls for all followers of a run. A heartbeat that fails or is old
//! only means that everybody looks for themselves: it never decides a verdict.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use futures::future::{Either, select};
use jiff::Timestamp;
use tokio::sync::watch;

use crate::cloud::{Cloud, CloudError};
use crate::common::clock::elapsed;

/// Calls that followers make in any one second; the heartbeat comes on top. Together they stay under
/// the three calls a second at which `DescribeStacks` readers begin to be throttled.
const CALLS: usize = 2;
/// Calls a second that followers plan with: a little less, so that nobody queues for long.
const PLANNED: f64 = 1.8;
/// Time between two heartbeats while somebody has much to see.
const BEAT: Duration = Duration::from_secs(2);
/// The same while only slow things run.
const SLOW_BEAT: Duration = Duration::from_secs(5);
/// Longest time between two heartbeats that fail.
const LONGEST_BEAT: Duration = Duration::from_mins(1);
/// A wish for less than this is "much to see".
const LIVELY: Duration = Duration::from_secs(5);
/// After this long a heartbeat tells nothing any more.
const OLD: Duration = Duration::from_secs(15);

/// What the last heartbeat told.
#[derive(Debug, Clone, Default)]
struct Beat {
    at: Option<Timestamp>,
    /// ARNs of the stacks in which an operation runs.
    moving: BTreeSet<String>,
}

/// The heartbeat of a run.
pub(super) struct Pulse<'a, C> {
    cloud: &'a C,
    beats: watch::Sender<Beat>,
    /// Why credentials ended; then everybody detaches at once.
    expired: watch::Sender<Option<String>>,
    /// How often each follower would look if it were alone.
    wishes: RefCell<BTreeMap<usize, Duration>>,
    /// When the last calls went out, or will.
    calls: RefCell<VecDeque<Timestamp>>,
    joined: Cell<usize>,
}

/// What the heartbeat says of a stack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Says {
    Moves,
    Rests,
    /// No heartbeat, or an old one.
    Nothing,
}

/// Why a wait was over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Woken {
    Time,
    /// The stack was seen moving, and moves no more.
    Stopped,
}

impl<'a, C: Cloud> Pulse<'a, C> {
    pub fn new(cloud: &'a C) -> Self {
        Self {
            cloud,
            beats: watch::Sender::default(),
            expired: watch::Sender::default(),
            wishes: RefCell::default(),
            calls: RefCell::default(),
            joined: Cell::new(0),
        }
    }

    pub fn cloud(&self) -> &'a C {
        self.cloud
    }

    /// Beats for ever, while anybody listens. Runs beside the work.
    pub async fn beat(&self) {
        let mut fails: u32 = 0;
        loop {
            let wait = self.interval() * 2_u32.saturating_pow(fails.min(5));
            self.cloud.sleep(wait.min(LONGEST_BEAT)).await;
            if !self.wanted() {
                continue;
            }
            match self.cloud.in_progress_stacks().await {
                Ok(moving) => {
                    fails = 0;
                    let at = Some(self.cloud.now());
                    self.beats.send_replace(Beat { at, moving });
                }
                Err(error @ CloudError::Credentials { .. }) => self.expire(&error),
                Err(_) => fails += 1,
            }
        }
    }

    fn interval(&self) -> Duration {
        let wishes = self.wishes.borrow();
        let lively = wishes.values().any(|wish| *wish < LIVELY);
        if lively { BEAT } else { SLOW_BEAT }
    }

    /// One follower that looks as often as the heartbeat itself needs none.
    fn wanted(&self) -> bool {
        let wishes = self.wishes.borrow();
        wishes.len() > 1 || wishes.values().any(|wish| *wish > BEAT)
    }

    /// Takes part as the follower of a stack.
    pub fn join(&self, stack_id: &str) -> Member<'_, 'a, C> {
        let number = self.joined.get();
        self.joined.set(number + 1);
        Member {
            pulse: self,
            number,
            stack_id: stack_id.to_owned(),
            moved: false,
            heard: self.beats.subscribe(),
        }
    }

    /// Credentials ended: nobody can look or begin anything any more.
    pub fn expire(&self, error: &CloudError) {
        self.expired.send_replace(Some(error.to_string()));
    }

    /// Resolves with the reason when credentials have ended.
    pub async fn expired(&self) -> String {
        let mut heard = self.expired.subscribe();
        match heard.wait_for(Option::is_some).await {
            Ok(why) => why.clone().unwrap_or_default(),
            Err(_) => std::future::pending().await,
        }
    }

    /// Waits for leave to make one call.
    pub async fn turn(&self) {
        let now = self.cloud.now();
        let at = {
            let mut calls = self.calls.borrow_mut();
            let free = calls.front().filter(|_| calls.len() >= CALLS);
            let free = free.and_then(|first| first.checked_add(Duration::from_secs(1)).ok());
            let at = free.map_or(now, |free| free.max(now));
            calls.push_back(at);
            while calls.len() > CALLS {
                calls.pop_front();
            }
            at
        };
        let wait = elapsed(now, at);
        if !wait.is_zero() {
            self.cloud.sleep(wait).await;
        }
    }

    /// A follower's pace, widened when all together would ask too often: the quick ones give way first.
    fn stretched(&self, pace: Duration) -> Duration {
        let wishes = self.wishes.borrow();
        let wishes: Vec<f64> = wishes.values().map(Duration::as_secs_f64).collect();
        pace.max(Duration::from_secs_f64(quickest(&wishes)))
    }
}

/// The least time between two looks of one follower, in seconds, with which all together keep to
/// [`PLANNED`]. None of those that want to look less often is slowed down by it.
fn quickest(wishes: &[f64]) -> f64 {
    let mut slow = wishes.to_vec();
    slow.sort_by(|a, b| b.total_cmp(a));
    let mut left = PLANNED;
    let mut others = slow.len();
    for wish in slow {
        // Lossless: nobody follows so many stacks.
        let least = f64::from(u32::try_from(others).unwrap_or(u32::MAX)) / left;
        if wish < least {
            return least;
        }
        left -= 1.0 / wish;
        others -= 1;
    }
    0.0
}

/// One follower's part in the pulse. Leaves it when dropped.
pub(super) struct Member<'p, 'a, C> {
    pulse: &'p Pulse<'a, C>,
    number: usize,
    stack_id: String,
    /// Whether a heartbeat has seen the stack moving since the last wait that its end cut short.
    moved: bool,
    heard: watch::Receiver<Beat>,
}

impl<C: Cloud> Member<'_, '_, C> {
    /// Waits until the next look: at the own pace as far as all together allow it, or at once when
    /// the stack stops moving.
    pub async fn wait(&mut self, pace: Duration) -> Woken {
        let Self {
            pulse,
            number,
            stack_id,
            moved,
            heard,
        } = self;
        pulse.wishes.borrow_mut().insert(*number, pace);
        let time = std::pin::pin!(pulse.cloud.sleep(pulse.stretched(pace)));
        let stops = std::pin::pin!(stops(stack_id, moved, heard));
        let woken = match select(stops, time).await {
            Either::Left(_) => Woken::Stopped,
            Either::Right(_) => Woken::Time,
        };
        pulse.turn().await;
        woken
    }

    /// Leave to make one more call in the same look.
    pub async fn turn(&self) {
        self.pulse.turn().await;
    }

    pub fn says(&self) -> Says {
        let beat = self.heard.borrow();
        let fresh = |at: &Timestamp| elapsed(*at, self.pulse.cloud.now()) <= OLD;
        match beat.at.filter(fresh) {
            None => Says::Nothing,
            Some(_) if beat.moving.contains(&self.stack_id) => Says::Moves,
            Some(_) => Says::Rests,
        }
    }
}

async fn stops(stack_id: &str, moved: &mut bool, heard: &mut watch::Receiver<Beat>) {
    loop {
        if heard.changed().await.is_err() {
            return std::future::pending().await;
        }
        let now = heard.borrow_and_update().moving.contains(stack_id);
        if *moved && !now {
            *moved = false;
            return;
        }
        *moved |= now;
    }
}

impl<C> Drop for Member<'_, '_, C> {
    fn drop(&mut self) {
        self.pulse.wishes.borrow_mut().remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_quick_ones_give_way_and_the_slow_ones_keep_their_pace() {
        let near = |wishes: &[f64], wanted: f64| {
            let found = quickest(wishes);
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
