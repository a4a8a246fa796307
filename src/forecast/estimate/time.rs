//! Times that are not certain: one after the other, and side by side. A time is a list of imagined runs;
//! times add up, or the later one counts, run by run.

use std::collections::BTreeMap;

use crate::catalog::durations::Seconds;
use crate::templates::graph::{Needs, longest};

/// How many runs are imagined. One less than a round number: the median and the 90th percentile are runs.
const RUNS: u32 = 199;
const MEDIAN: usize = 99;
const NINE_IN_TEN: usize = 179;

/// An uncertain length of time: the seconds that it takes in each of [`RUNS`] runs.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Work(Vec<f64>);

impl Default for Work {
    fn default() -> Self {
        Self(vec![0.0; RUNS as usize])
    }
}

impl Work {
    /// Times that have these two percentiles: never much shorter, now and then much longer (the
    /// exponential distribution).
    pub fn of(seconds: Seconds) -> Self {
        let late = seconds.p90.max(seconds.p50) - seconds.p50;
        let time = |run: u32| {
            let share = f64::from(run) / f64::from(RUNS + 1);
            (seconds.p50 - late * (2.0 * (1.0 - share)).log(5.0)).max(0.0)
        };
        Self((1..=RUNS).map(time).collect())
    }

    /// One after the other, each independent of the other.
    pub fn then(&self, next: &Self) -> Self {
        self.with(&next.shuffled(u64::MAX), |a, b| a + b)
    }

    /// One or the other, as likely as not.
    pub fn or(&self, other: &Self) -> Self {
        let mut first = false;
        self.with(other, |a, b| {
            first = !first;
            if first { a } else { b }
        })
    }

    /// The median of the runs, and the time that nine in ten of them stay under.
    pub fn seconds(&self) -> Seconds {
        let mut runs = self.0.clone();
        runs.sort_by(f64::total_cmp);
        let (p50, p90) = (runs[MEDIAN], runs[NINE_IN_TEN]);
        Seconds { p50, p90 }
    }

    /// The time of parts that wait for each other and otherwise run side by side. Of many ways one is
    /// always late: so this is more than the longest of their medians.
    pub fn of_all(needs: &Needs, part: impl Fn(&str) -> Self) -> Self {
        // One further than all it needs: an order in which each comes after those.
        let depth = longest(needs, |_| 1.0).done;
        let mut order: Vec<(&String, f64)> = depth.iter().map(|(id, at)| (id, *at)).collect();
        order.sort_by(|a, b| a.1.total_cmp(&b.1));
        let mut done: BTreeMap<&str, Self> = BTreeMap::new();
        for (place, (id, _)) in (0..).zip(order) {
            let before = needs[id].iter().filter_map(|need| done.get(need.as_str()));
            let start = before.fold(Self::default(), |last, end| last.with(end, f64::max));
            let end = start.with(&part(id).shuffled(place), |a, b| a + b);
            done.insert(id, end);
        }
        done.values()
            .fold(Self::default(), |last, end| last.with(end, f64::max))
    }

    fn with(&self, other: &Self, mut both: impl FnMut(f64, f64) -> f64) -> Self {
        let pairs = self.0.iter().zip(&other.0);
        Self(pairs.map(|(a, b)| both(*a, *b)).collect())
    }

    /// The same runs in another order, so that what is late is late by its own chance. The same `seed`
    /// gives the same order: an estimate never differs from run to run.
    fn shuffled(&self, seed: u64) -> Self {
        let mut runs = self.0.clone();
        fastrand::Rng::with_seed(seed).shuffle(&mut runs);
        Self(runs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn work(p50: f64, p90: f64) -> Work {
        Work::of(Seconds { p50, p90 })
    }

    fn needs(lines: &[(&str, &[&str])]) -> Needs {
        let line = |(id, named): &(&str, &[&str])| {
            let named = named.iter().map(|name| (*name).to_owned()).collect();
            ((*id).to_owned(), named)
        };
        lines.iter().map(line).collect()
    }

    #[test]
    fn percentiles_round_trip() {
        let found = work(240.0, 480.0).seconds();
        assert!((found.p50 - 240.0).abs() < 1e-6);
        assert!((found.p90 - 480.0).abs() < 1e-6);
    }

    #[test]
    fn sequence_p90_is_below_the_sum_of_p90s() {
        let chain = needs(&[("a", &[]), ("b", &["a"]), ("c", &["b"])]);
        let found = Work::of_all(&chain, |_| work(100.0, 200.0)).seconds();
        assert!(found.p50 > 300.0 && found.p90 < 550.0, "{found:?}");
    }

    #[test]
    fn parallel_parts_take_longer_than_their_median() {
        let many = needs(&[("a", &[]), ("b", &[]), ("c", &[]), ("d", &[])]);
        let found = Work::of_all(&many, |_| work(100.0, 150.0)).seconds();
        assert!(found.p50 > 120.0 && found.p50 < 150.0, "{found:?}");
    }

    #[test]
    fn shared_prefix_of_two_paths_counts_once() {
        let fork = needs(&[("a", &[]), ("b", &["a"]), ("c", &["a"])]);
        let sure = |id: &str| {
            if id == "a" {
                work(100.0, 200.0)
            } else {
                work(10.0, 10.0)
            }
        };
        let found = Work::of_all(&fork, sure).seconds();
        let chain = work(100.0, 200.0).then(&work(10.0, 10.0)).seconds();
        assert!((found.p50 - chain.p50).abs() < 1e-6);
        assert!((found.p90 - chain.p90).abs() < 1e-6);
    }

    #[test]
    fn nothing_to_do_takes_no_time() {
        let found = Work::of_all(&needs(&[("a", &[])]), |_| Work::default());
        assert_eq!(found.seconds().span().to, 0);
        assert_eq!(
            Work::of_all(&Needs::new(), |_| work(1.0, 2.0)),
            Work::default()
        );
    }
}
