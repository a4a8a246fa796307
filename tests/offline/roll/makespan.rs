//! How long a roll of many machines takes, in virtual time, against a bound that no order undercuts.

#[path = "../../../benches/makespan.rs"]
mod bench;

use bench::{quantile, ratio};

use crate::support::share;

/// All of them are the bench's.
const SEEDS: u64 = 400;
/// So many are enough for figures that tell a wrong order from a right one.
const LEAST: u64 = 25;

#[test]
fn roll_takes_hardly_longer_than_its_bound() {
    let seeds = share::share(SEEDS).max(LEAST);
    let ratios: Vec<f64> = (0..seeds).map(ratio).collect();
    let (median, ninth) = (quantile(&ratios, 0.5), quantile(&ratios, 0.9));
    println!("median {median:.4}, ninth decile {ninth:.4}");
    assert!(median <= 1.06 && ninth <= 1.10, "{median:.3}, {ninth:.3}");
}
