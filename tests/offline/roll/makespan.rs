//! How long a roll of many machines takes, in virtual time, against a bound that no order undercuts. The bench has the figure
//! for 100 machines; here are few, so that batches or another order would be seen.

#[path = "../../../benches/makespan.rs"]
mod bench;

use bench::{quantile, ratio};

/// Three places at a time.
const MACHINES: u32 = 30;
const SEEDS: u64 = 5;

#[test]
fn roll_takes_hardly_longer_than_its_bound() {
    let ratios: Vec<f64> = (0..SEEDS).map(|seed| ratio(MACHINES, seed)).collect();
    let (median, longest) = (quantile(&ratios, 0.5), quantile(&ratios, 1.0));
    // Batches take 1.59, the order of arrival up to 1.14.
    assert!(
        median <= 1.08 && longest <= 1.2,
        "median {median:.4}, longest {longest:.4}"
    );
}
