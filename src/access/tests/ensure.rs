//! Two runs at once, crashes, and what was there before.

use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use proptest::prelude::{ProptestConfig, any, proptest};

use super::shelf::Shelf;
use super::*;
use crate::cloud::Store as _;

type Answer = Result<Ensured, AccessError>;

/// A run that advances one step at a time; dropping it is a crash.
struct Run<'a> {
    future: Pin<Box<dyn Future<Output = Answer> + 'a>>,
    answer: Option<Ensured>,
}

impl<'a> Run<'a> {
    fn new(shelf: &'a Shelf) -> Self {
        Self {
            future: Box::pin(ensure_authorities(shelf, "canary", KEY, now())),
            answer: None,
        }
    }

    /// Takes at most `count` steps; returns how many it took.
    fn steps(&mut self, count: usize) -> usize {
        let mut context = Context::from_waker(Waker::noop());
        for taken in 0..count {
            if self.answer.is_some() {
                return taken;
            }
            if let Poll::Ready(answer) = self.future.as_mut().poll(&mut context) {
                self.answer = Some(answer.unwrap());
            }
        }
        count
    }

    fn finish(mut self) -> Ensured {
        self.steps(usize::MAX);
        self.answer.unwrap()
    }
}

/// A store whose answers arrive in an order of their own.
fn unsteady(seed: usize) -> Shelf {
    let shelf = Shelf::default();
    shelf.chance.set(seed as u64 * 2 + 1);
    shelf
}

/// Both runs agree on everything, and each secret was made by exactly one of them.
fn assert_one_won_each(one: &Ensured, two: &Ensured) {
    assert_eq!(one.facts, two.facts);
    assert_eq!(one.certificate_pem, two.certificate_pem);
    assert_eq!(one.service_accounts, two.service_accounts);
    let mut made: Vec<_> = one.made.iter().chain(&two.made).collect();
    made.sort();
    made.dedup();
    assert_eq!(made.len(), 5);
    assert_eq!(one.made.len() + two.made.len(), 5);
}

#[test]
fn a_second_run_uses_what_is_there() {
    let shelf = Shelf::default();
    let first = Run::new(&shelf).finish();
    assert!(first.created());
    let second = Run::new(&shelf).finish();
    assert!(!second.created());
    assert_one_won_each(&first, &second);
    shelf.assert_complete();
}

/// Nine parameters, each read and written: one after another they are eighteen requests.
#[test]
fn the_parameters_take_the_time_of_four_requests() {
    let request = 2;
    let shelf = Shelf::default();
    let taken = Run::new(&shelf).steps(usize::MAX);
    shelf.assert_complete();
    assert!(taken <= 4 * request + 1, "{taken} steps");
}

#[tokio::test(start_paused = true)]
async fn who_may_not_read_the_secrets_may_apply_once_they_are_there() {
    let shelf = Shelf::default();
    shelf.secrets_denied.set(true);
    let refused = ensure_authorities(&shelf, "canary", KEY, now()).await;
    assert!(matches!(refused, Err(AccessError::Denied { .. })));
    shelf.secrets_denied.set(false);
    let first = Run::new(&shelf).finish();
    shelf.secrets_denied.set(true);
    let second = ensure_authorities(&shelf, "canary", KEY, now())
        .await
        .unwrap();
    assert!(!second.created());
    assert_eq!(second.facts, first.facts);
    assert_eq!(second.certificate_pem, first.certificate_pem);
}

#[test]
fn of_two_runs_at_once_one_wins_at_every_point() {
    let alone = Run::new(&unsteady(0)).steps(usize::MAX);
    for ahead in 0..=alone {
        for meanwhile in 0..=alone {
            let shelf = unsteady(ahead * 100 + meanwhile);
            let (mut one, mut two) = (Run::new(&shelf), Run::new(&shelf));
            one.steps(ahead);
            two.steps(meanwhile);
            shelf.assert_sound();
            assert_one_won_each(&one.finish(), &two.finish());
            shelf.assert_complete();
        }
    }
}

#[test]
fn a_crash_at_any_point_is_finished_by_the_next_run() {
    let alone = Run::new(&unsteady(0)).steps(usize::MAX);
    for reached in 0..=alone {
        for reached_again in [0, reached / 2, reached, reached + 1] {
            let shelf = unsteady(reached * 100 + reached_again);
            let (mut one, mut two) = (Run::new(&shelf), Run::new(&shelf));
            one.steps(reached);
            drop(one);
            shelf.assert_sound();
            two.steps(reached_again);
            drop(two);
            shelf.assert_sound();
            Run::new(&shelf).finish();
            shelf.assert_complete();
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn any_order_of_three_runs_ends_the_same(
        seed in any::<u16>(),
        turns in proptest::collection::vec(any::<u8>(), 150),
    ) {
        let shelf = unsteady(usize::from(seed));
        let mut runs = [Run::new(&shelf), Run::new(&shelf), Run::new(&shelf)];
        for turn in turns {
            runs[usize::from(turn % 3)].steps(1);
            shelf.assert_sound();
        }
        let [one, two, three] = runs.map(Run::finish);
        assert_eq!((&one.facts, &two.facts), (&two.facts, &three.facts));
        assert_eq!(one.made.len() + two.made.len() + three.made.len(), 5);
        shelf.assert_complete();
    }
}

#[tokio::test(start_paused = true)]
async fn a_read_that_lags_behind_the_write_is_asked_again() {
    let shelf = Shelf::default();
    let first = ensure_authorities(&shelf, "canary", KEY, now())
        .await
        .unwrap();
    shelf.lag.set(4);
    let second = ensure_authorities(&shelf, "canary", KEY, now())
        .await
        .unwrap();
    assert_one_won_each(&first, &second);
    shelf.lag.set(u32::MAX);
    let never = ensure_authorities(&shelf, "canary", KEY, now()).await;
    assert!(matches!(never, Err(AccessError::Vanished(_))));
}

#[tokio::test(start_paused = true)]
async fn a_certificate_left_by_another_cluster_stops_the_run() {
    let shelf = Shelf::default();
    ensure_authorities(&shelf, "canary", KEY, now())
        .await
        .unwrap();
    shelf
        .secret
        .borrow_mut()
        .remove("/kube-cfn/canary/cp/ca.key");
    let error = ensure_authorities(&shelf, "canary", KEY, now())
        .await
        .unwrap_err();
    let message = error.to_string();
    assert!(
        message.starts_with(
            "/kube-cfn/canary/pub/ca.crt does not belong to /kube-cfn/canary/cp/ca.key"
        ),
        "{message}"
    );
    assert_eq!(
        shelf
            .delete_parameters_under("/kube-cfn/canary/")
            .await
            .unwrap()
            .len(),
        9
    );
    assert!(
        ensure_authorities(&shelf, "canary", KEY, now())
            .await
            .unwrap()
            .created()
    );
}
