//! How long things take, by what a cluster's own runs from this machine have shown.

use super::{RecordedRun, RunArchive, load, samples};
use crate::catalog::durations::{self, Durations};
use crate::cloud::Identity;
use crate::stacks::{Stack, StackKind};

/// How many past runs are learned from.
const RUNS: usize = 20;

/// The built-in durations, corrected by the recorded runs of a cluster with these `stacks`. A record that
/// can't be read is left out.
pub fn learned_durations(identity: &Identity, cluster: &str, stacks: &[&Stack]) -> Durations {
    let mut learned = Durations::builtin();
    let records = RunArchive::of_user()
        .and_then(|archive| archive.list(&identity.account, &identity.region, cluster));
    let newest = records.unwrap_or_default().into_iter().take(RUNS);
    let runs: Vec<RecordedRun> = newest
        .filter_map(|record| load(&record.path).ok())
        .collect();
    let body = |kind: &StackKind, id: &str| {
        let stack = stacks.iter().find(|stack| stack.kind == *kind)?;
        stack.template["Resources"].get(id)
    };
    let key = |operation, kind: &StackKind, id: &str, of_type: &str| {
        durations::key(operation, of_type, body(kind, id))
    };
    for ((operation, key), seconds) in samples(&runs, &key) {
        learned.learn(operation, &key, &seconds);
    }
    learned
}
