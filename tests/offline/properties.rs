//! Invariants of a run, over thousands of seeds on the simulated cloud: whatever fails, no data is lost
//! without consent, no outcome is reported wrongly, nothing is done twice, and a re-run finishes the work.
//!
//! 10,000 seeds in a debug build take 183 s of processor time (2026-11-23), some 90 s on two free cores; most
//! of it is polling, so most seeds are of clusters that are made in seconds.
//!
//! A seed that fails prints the command that plays it again, alone and with every event.

mod clusters;
mod generators;
mod invariants;
mod outside;
mod scenario;
mod two_runs;

use std::ops::Range;

use kube_cfn::simulated::Library;

use crate::support::share;

/// Seeds of each quarter; the quarters run side by side.
const QUARTER: u64 = 2_500;

fn play(seed: u64, library: &Library, verbose: bool) -> Result<(), String> {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder.enable_time().start_paused(true).build().unwrap();
    runtime.block_on(scenario::play(seed, library, verbose))
}

fn keep(seeds: Range<u64>) {
    let library = Library::default();
    let verbose = share::only().is_some();
    let mut broken = Vec::new();
    for seed in share::seeds(seeds) {
        if let Err(why) = play(seed, &library, verbose) {
            broken.push(format!(
                "{why}\n  KUBE_CFN_SEED={seed} cargo test --test offline properties"
            ));
        }
        if broken.len() == 5 {
            break;
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn invariants_hold_for_seeds_of_quarter_1() {
    keep(0..QUARTER);
}

#[test]
fn invariants_hold_for_seeds_of_quarter_2() {
    keep(QUARTER..2 * QUARTER);
}

#[test]
fn invariants_hold_for_seeds_of_quarter_3() {
    keep(2 * QUARTER..3 * QUARTER);
}

#[test]
fn invariants_hold_for_seeds_of_quarter_4() {
    keep(3 * QUARTER..4 * QUARTER);
}
