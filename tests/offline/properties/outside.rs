//! Deletions of clusters with things outside their stacks, over hundreds of seeds on the simulated cloud: whatever fails
//! and others do, nothing foreign is touched, no data is lost without consent, and nothing is left without a name.
//!
//! A seed that fails prints the command that plays it again, alone and with every event.

mod cluster;
mod invariants;
mod others;
mod things;
mod trial;

use std::ops::Range;

use kube_cfn::cloud::outside::OutsideKind;
use kube_cfn::simulated::Library;

use trial::Broken;

use crate::support::share;

/// Seeds of each half; the halves run side by side.
const HALF: u64 = 400;

fn play(seed: u64, library: &Library, broken: Broken, verbose: bool) -> Result<(), String> {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder.enable_time().start_paused(true).build().unwrap();
    let design = if seed % 25 == 3 {
        cluster::canary()
    } else {
        cluster::small()
    };
    runtime.block_on(trial::play(seed, &design, library, (broken, verbose)))
}

fn failures(seeds: Range<u64>, broken: Broken) -> Vec<String> {
    let library = Library::default();
    let only = share::only();
    let failing = |seed| {
        let why = play(seed, &library, broken, only.is_some()).err()?;
        Some(format!(
            "seed {seed}: {why}\n  KUBE_CFN_SEED={seed} cargo test --test offline properties::outside"
        ))
    };
    share::seeds(seeds).filter_map(failing).take(5).collect()
}

fn keep(seeds: Range<u64>) {
    let failures = failures(seeds, Broken::Nothing);
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn deletion_leaves_nothing_or_names_it_for_seeds_of_half_1() {
    keep(0..HALF);
}

#[test]
fn deletion_leaves_nothing_or_names_it_for_seeds_of_half_2() {
    keep(HALF..2 * HALF);
}

/// Whether the invariants find something broken, with these words.
fn finds(broken: Broken, words: &str) {
    let library = Library::default();
    let mut all = (0..60).filter_map(|seed| play(seed, &library, broken, false).err());
    assert!(
        all.any(|why| why.contains(words)),
        "{broken:?} is not found"
    );
}

#[test]
fn listing_without_interfaces_is_found() {
    finds(
        Broken::Hides(OutsideKind::Interface),
        "the network's stack failed",
    );
}

#[test]
fn listing_without_volumes_is_found() {
    finds(Broken::Hides(OutsideKind::Volume), "was not named");
}

#[test]
fn listing_without_databases_is_found() {
    finds(Broken::Hides(OutsideKind::Database), "was not named");
}

#[test]
fn listing_without_nat_gateways_is_found() {
    finds(Broken::Hides(OutsideKind::NatGateway), "was not named");
}

#[test]
fn taking_what_is_shared_is_found() {
    finds(Broken::TakesShared, "somebody else's was removed");
}

#[test]
fn deletion_of_volumes_that_are_kept_is_found() {
    finds(Broken::DeletesVolumes, "a volume was removed");
}

#[test]
fn key_that_only_plain_tags_prove_is_found() {
    finds(Broken::ProvesKeys, "somebody else's was removed");
}

#[test]
fn question_without_buckets_and_keys_is_found() {
    finds(Broken::Unsaid, "it was removed and not shown before");
}

#[test]
fn end_that_does_not_name_what_is_kept_is_found() {
    finds(Broken::Forgets, "it is kept without a word");
}
