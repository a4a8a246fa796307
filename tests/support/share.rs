//! How many of the seeded runs and kills a run of the tests makes: all of them with `tests/run --full`, which sets
//! `KUBE_CFN_TEST_FULL`, otherwise one of fifty. The same ones each time.
#![allow(dead_code, reason = "no test binary uses all of it")]

use std::ops::Range;

/// One of so many is a part of a run that is not full.
const PART: u64 = 50;

/// So many mean something, where there are as many.
const LEAST: u64 = 6;

/// Whether all of them are wanted.
pub fn is_full() -> bool {
    std::env::var_os("KUBE_CFN_TEST_FULL").is_some_and(|value| value == "1")
}

/// How many of `all` runs to make.
pub fn share(all: u64) -> u64 {
    part(all, is_full())
}

fn part(all: u64, is_full: bool) -> u64 {
    if is_full {
        all
    } else {
        all.div_ceil(PART).max(LEAST).min(all)
    }
}

/// The first seeds of a range, or the one of `KUBE_CFN_SEED` if it is among all of them.
pub fn seeds(all: Range<u64>) -> Range<u64> {
    match only() {
        Some(seed) if all.contains(&seed) => seed..seed + 1,
        Some(_) => 0..0,
        None => all.start..all.start + share(all.end - all.start),
    }
}

/// The seed of `KUBE_CFN_SEED`, which is played alone and with every event.
pub fn only() -> Option<u64> {
    let seed = std::env::var("KUBE_CFN_SEED").ok();
    seed.map(|seed| seed.parse().expect("KUBE_CFN_SEED is a number"))
}

/// Of how many consecutive ones, about `all`, to make one: where it is not known how many there will be.
pub fn every(all: usize) -> usize {
    all / count(all).max(1)
}

/// Places of `0..all`, as far from each other as they can be; the first and the last are among them.
pub fn places(all: usize) -> Vec<usize> {
    spread(all, count(all))
}

fn count(all: usize) -> usize {
    usize::try_from(share(all as u64)).expect("no more than all")
}

fn spread(all: usize, count: usize) -> Vec<usize> {
    let steps = count.saturating_sub(1).max(1);
    (0..count).map(|n| n * (all - 1) / steps).collect()
}

#[test]
fn all_of_them_run_with_full() {
    for all in [0, 1, 6, 200, 2_500] {
        assert_eq!(part(all, true), all);
    }
    for all in [0, 1, 6, 200] {
        assert_eq!(spread(all, all), (0..all).collect::<Vec<_>>());
    }
}

#[test]
fn one_of_fifty_runs_otherwise_and_six_at_least() {
    let parts = [0, 1, 6, 7, 300, 301, 2_500].map(|all| part(all, false));
    assert_eq!(parts, [0, 1, 6, 6, 6, 7, 50]);
    assert_eq!(spread(31, 6), [0, 6, 12, 18, 24, 30]);
}
