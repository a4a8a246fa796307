//! How long a roll of many machines takes, in virtual time, against a bound that no order undercuts.

#[path = "../../../benches/makespan.rs"]
mod bench;

use bench::{quantile, ratio};

/// So many seeds are enough for figures that tell a wrong order from a right one; the bench makes 400.
const SEEDS: u64 = 25;

#[test]
fn roll_takes_hardly_longer_than_its_bound() {
    let ratios: Vec<f64> = (0..SEEDS).map(ratio).collect();
    let (median, ninth) = (quantile(&ratios, 0.5), quantile(&ratios, 0.9));
    assert!(median <= 1.06 && ninth <= 1.10, "{median:.3}, {ninth:.3}");
}
