//! Times that are not certain: one after the other, and side by side.

use std::collections::BTreeSet;

use crate::catalog::durations::Seconds;
use crate::templates::graph::{Needs, longest};

/// Standard deviations between the middle and the 90th percentile of a normal distribution.
const NINETY: f64 = 1.281_55;

/// An uncertain length of time by its mean and variance, which add up where p50 and p90 do not.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Work {
    mean: f64,
    variance: f64,
}

impl Work {
    /// The log-normal distribution that has these two percentiles.
    pub fn of(seconds: Seconds) -> Self {
        if seconds.p50 <= 0.0 {
            return Self::default();
        }
        let sigma = (seconds.p90 / seconds.p50).max(1.0).ln() / NINETY;
        Self::of_log(seconds.p50.ln(), sigma * sigma)
    }

    /// The log-normal distribution whose logarithm has this mean and variance.
    fn of_log(mean: f64, variance: f64) -> Self {
        let linear = (mean + variance / 2.0).exp();
        Self {
            mean: linear,
            variance: variance.exp_m1() * linear * linear,
        }
    }

    /// One after the other, each independent of the other.
    pub fn then(self, next: Self) -> Self {
        Self {
            mean: self.mean + next.mean,
            variance: self.variance + next.variance,
        }
    }

    /// One or the other, as likely as not.
    pub fn or(self, other: Self) -> Self {
        let apart = (self.mean - other.mean) / 2.0;
        Self {
            mean: f64::midpoint(self.mean, other.mean),
            variance: f64::midpoint(self.variance, other.variance) + apart * apart,
        }
    }

    /// The percentiles of the log-normal distribution with this mean and variance. A sum of log-normal
    /// times is near enough to one (Fenton's approximation).
    pub fn seconds(self) -> Seconds {
        if self.mean <= 0.0 {
            return Seconds { p50: 0.0, p90: 0.0 };
        }
        let square = 1.0 + self.variance / (self.mean * self.mean);
        let p50 = self.mean / square.sqrt();
        Seconds {
            p50,
            p90: p50 * (NINETY * square.ln().sqrt()).exp(),
        }
    }

    /// The time of parts that wait for each other and otherwise run side by side. Along a way means and
    /// variances add up: it is rare that everything is late at once, so this is less than the sum of the
    /// 90th percentiles. Where ways meet the later one counts, and of many ways one is always late: so
    /// this is more than the longest of their medians.
    pub fn of_all(needs: &Needs, part: impl Fn(&str) -> Self) -> Self {
        // One further than all it needs: an order in which each comes after those.
        let depth = longest(needs, |_| 1.0).done;
        let mut order: Vec<(&String, f64)> = depth.iter().map(|(id, at)| (id, *at)).collect();
        order.sort_by(|a, b| a.1.total_cmp(&b.1));
        let mut done: Vec<(&String, End)> = Vec::with_capacity(order.len());
        for (place, (id, _)) in order.into_iter().enumerate() {
            let before = done
                .iter()
                .filter(|(other, _)| needs.get(id).is_some_and(|named| named.contains(*other)));
            let start = End::last(before.map(|(_, end)| end).collect());
            done.push((id, start.followed_by(part(id), place)));
        }
        let end = End::last(done.iter().map(|(_, end)| end).collect());
        Self {
            mean: end.mean,
            variance: end.variance(),
        }
    }
}

/// When something is done. Ends of parts that have a part before them in common are late together: each
/// end keeps what every part contributes to its uncertainty.
#[derive(Debug, Clone, Default)]
struct End {
    mean: f64,
    /// Standard deviation by the place of the part that it comes from.
    from: Vec<f64>,
    /// Variance that comes from no single part.
    rest: f64,
    /// The places of the parts that are done by then, whatever chance does.
    after: BTreeSet<usize>,
    /// The place of the part that ends here; `None` where several ends met.
    place: Option<usize>,
}

impl End {
    fn variance(&self) -> f64 {
        self.from.iter().map(|part| part * part).sum::<f64>() + self.rest
    }

    fn covariance(&self, other: &Self) -> f64 {
        self.from.iter().zip(&other.from).map(|(a, b)| a * b).sum()
    }

    /// The end of a part that starts at this one.
    fn followed_by(mut self, part: Work, place: usize) -> Self {
        self.mean += part.mean;
        self.from.resize(place, 0.0);
        self.from.push((part.variance + self.rest).sqrt());
        self.rest = 0.0;
        self.after.extend(self.place);
        self.place = Some(place);
        self
    }

    /// The last of several ends; the start of everything where there is none.
    fn last(mut ends: Vec<&Self>) -> Self {
        let passed: BTreeSet<usize> = ends.iter().flat_map(|end| end.after.clone()).collect();
        let met = ends.iter().filter_map(|end| end.place);
        let all: BTreeSet<usize> = passed.iter().copied().chain(met).collect();
        // What another one waited for is never the last.
        ends.retain(|end| end.place.is_none_or(|place| !passed.contains(&place)));
        ends.sort_by(|a, b| a.mean.total_cmp(&b.mean));
        let last = ends
            .into_iter()
            .cloned()
            .reduce(|last, end| last.later(&end));
        Self {
            after: all,
            place: None,
            ..last.unwrap_or_default()
        }
    }

    /// The later of two ends: Clark's formulas of 1961 for the larger of two normal variables, used on
    /// the logarithms, as the times are taken for log-normal.
    fn later(&self, other: &Self) -> Self {
        if self.mean <= 0.0 || other.mean <= 0.0 {
            let larger = if self.mean > other.mean { self } else { other };
            return larger.clone();
        }
        let (mine, its) = (self.log(), other.log());
        let common = (self.covariance(other) / (self.mean * other.mean)).ln_1p();
        let spread = (mine.variance + its.variance - 2.0 * common)
            .max(0.0)
            .sqrt();
        if spread < 1e-6 {
            let larger = if self.mean > other.mean { self } else { other };
            return larger.clone();
        }
        let lead = (mine.mean - its.mean) / spread;
        let share = below(lead);
        let bump = spread * density(lead);
        let mean = mine.mean * share + its.mean * (1.0 - share) + bump;
        let square = (mine.variance + mine.mean * mine.mean) * share
            + (its.variance + its.mean * its.mean) * (1.0 - share)
            + (mine.mean + its.mean) * bump;
        let last = Work::of_log(mean, (square - mean * mean).max(0.0));
        self.mix(other, share, last)
    }

    /// Mean and variance of the logarithm.
    fn log(&self) -> Work {
        let variance = (self.variance() / (self.mean * self.mean)).ln_1p();
        Work {
            mean: self.mean.ln() - variance / 2.0,
            variance,
        }
    }

    /// An end as uncertain as `whole`, that hangs on the parts of one and the other by its share.
    fn mix(&self, other: &Self, share: f64, whole: Work) -> Self {
        let parts = self.from.len().max(other.from.len());
        let at = |end: &Self, place: usize| end.from.get(place).copied().unwrap_or(0.0);
        let from: Vec<f64> = (0..parts)
            .map(|place| at(self, place) * share + at(other, place) * (1.0 - share))
            .collect();
        let told: f64 = from.iter().map(|part| part * part).sum();
        let scale = if told > whole.variance {
            (whole.variance / told).sqrt()
        } else {
            1.0
        };
        Self {
            mean: whole.mean,
            from: from.into_iter().map(|part| part * scale).collect(),
            rest: (whole.variance - told).max(0.0),
            ..Self::default()
        }
    }
}

/// Density of the standard normal distribution.
fn density(x: f64) -> f64 {
    (-x * x / 2.0).exp() / std::f64::consts::TAU.sqrt()
}

/// The share of a standard normal distribution below `x`, to seven digits (Abramowitz and Stegun 26.2.17).
fn below(x: f64) -> f64 {
    let t = 1.0 / (1.0 + 0.231_641_9 * x.abs());
    let factors = [
        0.319_381_530,
        -0.356_563_782,
        1.781_477_937,
        -1.821_255_978,
        1.330_274_429,
    ];
    let sum = factors
        .iter()
        .rev()
        .fold(0.0, |sum, factor| t * (sum + factor));
    let tail = density(x) * sum;
    if x < 0.0 { tail } else { 1.0 - tail }
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
    fn percentiles_come_back_as_they_went_in() {
        let found = work(240.0, 480.0).seconds();
        assert!((found.p50 - 240.0).abs() < 1e-6);
        assert!((found.p90 - 480.0).abs() < 1e-6);
    }

    #[test]
    fn the_normal_distribution_is_right_to_six_digits() {
        for (x, wanted) in [
            (0.0, 0.5),
            (1.0, 0.841_345),
            (-1.281_55, 0.1),
            (3.0, 0.998_650),
        ] {
            assert!((below(x) - wanted).abs() < 1e-6, "{x}");
        }
    }

    #[test]
    fn a_chain_is_late_by_less_than_its_parts_together() {
        let chain = needs(&[("a", &[]), ("b", &["a"]), ("c", &["b"])]);
        let found = Work::of_all(&chain, |_| work(100.0, 200.0)).seconds();
        assert!(found.p50 > 300.0 && found.p90 < 550.0, "{found:?}");
    }

    #[test]
    fn of_many_side_by_side_one_is_late() {
        let many = needs(&[("a", &[]), ("b", &[]), ("c", &[]), ("d", &[])]);
        let found = Work::of_all(&many, |_| work(100.0, 150.0)).seconds();
        assert!(found.p50 > 120.0 && found.p50 < 150.0, "{found:?}");
    }

    #[test]
    fn what_two_ways_have_in_common_makes_neither_later() {
        let fork = needs(&[("a", &[]), ("b", &["a"]), ("c", &["a"])]);
        let sure = |id: &str| {
            if id == "a" {
                work(100.0, 200.0)
            } else {
                work(10.0, 10.0)
            }
        };
        let found = Work::of_all(&fork, sure).seconds();
        let chain = work(100.0, 200.0).then(work(10.0, 10.0)).seconds();
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
