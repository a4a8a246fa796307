//! How long a roll of many machines takes, in virtual time, against a bound that no order undercuts.

#[path = "../../../benches/makespan.rs"]
mod bench;

use bench::{quantile, ratio};

use crate::support::share;

/// As many as the bench makes; one of fifty in a plain run.
const SEEDS: u64 = 400;

#[test]
fn roll_takes_hardly_longer_than_its_bound() {
    let ratios: Vec<f64> = (0..share::share(SEEDS)).map(ratio).collect();
    let (median, ninth) = (quantile(&ratios, 0.5), quantile(&ratios, 0.9));
    assert!(
        median <= 1.06 && ninth <= 1.10,
        "median {median:.4}, ninth decile {ninth:.4}"
    );
}
