//! Which stack gets a permit when others wait for its API.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use futures::future::join_all;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use super::{PermitClaim, Role, Scheduler};
use crate::apply::registry::{StackState, StackStates};

const JOINS: Role = Role::Joins;

fn claim(role: Role, remaining: f64) -> PermitClaim {
    PermitClaim { role, remaining }
}

/// What happened, in order.
#[derive(Clone, Default)]
struct Log(Rc<RefCell<Vec<String>>>);

impl Log {
    fn say(&self, text: &str) {
        self.0.borrow_mut().push(text.to_owned());
    }

    fn place(&self, text: &str) -> usize {
        let all = self.0.borrow();
        let place = all.iter().position(|line| line == text);
        place.unwrap_or_else(|| panic!("{text} is not in {all:?}"))
    }
}

/// The stack that others join: ready after a while, in operation for a hundred seconds.
async fn joined(scheduler: &Scheduler, place: &watch::Sender<StackState>, ready: u64, log: &Log) {
    sleep(Duration::from_secs(ready)).await;
    let permit = scheduler.acquire(claim(Role::Joined, 1.0)).await;
    place.send_replace(StackState::Running);
    log.say("joined starts");
    sleep(Duration::from_secs(100)).await;
    log.say("joined ends");
    place.send_replace(StackState::Left);
    drop(permit);
}

/// A stack that ends ten seconds after the joined one does, and not before.
async fn joining(
    scheduler: &Scheduler,
    place: &watch::Sender<StackState>,
    number: usize,
    log: &Log,
) {
    // By its way alone it would go before all others.
    let _permit = scheduler.acquire(claim(JOINS, 1000.0)).await;
    log.say(&format!("{number} starts"));
    let mut place = place.subscribe();
    let ended = |place: &StackState| *place == StackState::Left;
    place.wait_for(ended).await.expect("a sender");
    sleep(Duration::from_secs(10)).await;
}

/// Twenty stacks that join one that is ready later than they. Ends, or the test hangs for an hour.
async fn crowd(permits: usize, others: usize) -> Log {
    let place = watch::Sender::new(StackState::Waiting);
    let scheduler = Scheduler::new(permits, Some(place.subscribe()));
    let log = Log::default();
    let pools = (0..20).map(|number| joining(&scheduler, &place, number, &log));
    let alone = (0..others).map(|_| async {
        let _permit = scheduler.acquire(claim(Role::Alone, 2.0)).await;
        sleep(Duration::from_mins(15)).await;
    });
    let all = async {
        tokio::join!(
            join_all(pools),
            join_all(alone),
            joined(&scheduler, &place, 30, &log)
        )
    };
    let ends = timeout(Duration::from_hours(10), all);
    let ends = ends.await;
    assert!(
        ends.is_ok(),
        "{permits} permits, no stack goes on: {:?}",
        log.0
    );
    log
}

#[tokio::test(start_paused = true)]
async fn joined_stack_starts_with_any_number_of_permits() {
    for permits in 1..=22 {
        for others in 0..=1 {
            let log = crowd(permits, others).await;
            let lines = log.0.borrow().clone();
            assert_eq!(lines.len(), 22, "{lines:?}");
            let beside = log.place("joined ends") - log.place("joined starts") - 1;
            assert_eq!(log.place("joined starts"), 0, "{lines:?}");
            // One permit is its own; a stack that joins nothing holds another where there are two.
            let free = (permits - 1).saturating_sub(others);
            assert_eq!(beside, free.min(20), "{permits} permits, {others} others");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn stacks_joining_an_external_creation_leave_one_permit() {
    let place = watch::Sender::new(StackState::External {
        what: "CREATE_IN_PROGRESS".to_owned(),
        rolling_back: false,
    });
    let scheduler = Scheduler::new(3, Some(place.subscribe()));
    let work = async {
        let first = scheduler.acquire(claim(JOINS, 1.0)).await;
        let second = scheduler.acquire(claim(JOINS, 1.0)).await;
        let mut third = std::pin::pin!(scheduler.acquire(claim(JOINS, 9.0)));
        let soon = Duration::from_secs(1);
        assert!(timeout(soon, &mut third).await.is_err());
        // What the other run made was rolled back: this one makes it, with the permit that was kept.
        place.send_replace(StackState::Waiting);
        let own = scheduler.acquire(claim(Role::Joined, 0.0)).await;
        drop((first, second));
        let early = timeout(soon, &mut third).await.is_ok();
        assert!(!early, "nothing runs that could be joined");
        place.send_replace(StackState::Running);
        drop(third.await);
        drop(own);
    };
    work.await;
}

#[tokio::test(start_paused = true)]
async fn newly_ready_stack_with_longer_path_starts_first() {
    let scheduler = Scheduler::new(1, None);
    let (ended, ends) = tokio::sync::oneshot::channel();
    let log = Log::default();
    let one = async {
        drop(scheduler.acquire(claim(Role::Alone, 9.0)).await);
        ended.send(()).expect("a stack that waits for it");
    };
    let waits = async {
        let _permit = scheduler.acquire(claim(Role::Alone, 2.0)).await;
        log.say("what waited");
    };
    let ready = async {
        ends.await.expect("an end");
        let _permit = scheduler.acquire(claim(Role::Alone, 5.0)).await;
        log.say("what was made ready");
    };
    let all = async { tokio::join!(waits, one, ready) };
    all.await;
    assert_eq!(log.0.take(), ["what was made ready", "what waited"]);
}

#[tokio::test(start_paused = true)]
async fn run_without_joined_stack_delays_no_stack() {
    let scheduler = Scheduler::new(1, None);
    let work = async { drop(scheduler.acquire(claim(JOINS, 1.0)).await) };
    work.await;
}

#[tokio::test(start_paused = true)]
async fn joining_waits_for_accepted_creation_and_not_for_rollback() {
    let outside = |rolling_back| StackState::External {
        what: "CREATE_IN_PROGRESS".to_owned(),
        rolling_back,
    };
    for (state, may_join) in [
        (StackState::Waiting, false),
        (StackState::Requested, false),
        (StackState::Running, true),
        (StackState::RollingBack, false),
        (outside(false), true),
        (outside(true), false),
        (StackState::Left, true),
    ] {
        let joined = watch::Sender::new(state.clone());
        let scheduler = Scheduler::new(3, Some(joined.subscribe()));
        let permit = scheduler.acquire(claim(JOINS, 1.0));
        let starts = timeout(Duration::from_secs(1), permit).await;
        assert_eq!(starts.is_ok(), may_join, "{state:?}");
    }
}

#[test]
fn rollback_is_a_state_of_its_own() {
    let kind = crate::stacks::StackKind::ControlPlane;
    let states = StackStates::new([&kind].into_iter());
    let state = states.watch(&kind).expect("a stack of the run");
    states.mark_rolling_back(&kind);
    assert_eq!(*state.borrow(), StackState::Waiting);
    states.set(&kind, StackState::Running);
    states.mark_rolling_back(&kind);
    assert_eq!(*state.borrow(), StackState::RollingBack);
}
