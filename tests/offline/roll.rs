//! Rolls on a simulated AWS and a simulated Kubernetes, over thousands of seeds: whatever fails and whenever the run is
//! killed, no budget is undercut, no machine ends undrained, and the same command finishes the work. Each invariant has a
//! variant of the decisions, or of the simulation, that breaks it, and that the same seeds catch.

mod broken;
mod cluster;
mod invariants;
mod makespan;

mod scenario;

use std::ops::Range;

use kube_cfn::roll;

use crate::support::share;
use scenario::{Broken, Variant};

/// Seeds of each half; the halves run side by side. One of fifty in a plain run: 100 each.
const HALF: u64 = 5_000;

fn play(seed: u64, variant: Variant, verbose: bool) -> Result<(), Vec<Broken>> {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder.enable_time().start_paused(true).build().unwrap();
    runtime.block_on(scenario::play(seed, variant, verbose))
}

fn keep(seeds: Range<u64>) {
    let verbose = share::only().is_some();
    let mut broken = Vec::new();
    for seed in share::seeds(seeds) {
        if let Err(why) = play(seed, Variant::of(roll::next), verbose) {
            let why = &why[0];
            broken.push(format!(
                "{}: {}\n  KUBE_CFN_SEED={seed} cargo test --test offline roll::",
                why.invariant, why.how
            ));
        }
        if broken.len() == 5 {
            break;
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn invariants_hold_for_seeds_of_half_1() {
    keep(0..HALF);
}

#[test]
fn invariants_hold_for_seeds_of_half_2() {
    keep(HALF..2 * HALF);
}
