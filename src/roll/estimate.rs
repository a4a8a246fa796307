//! How long the pods of a machine are expected to take to leave it: the order of a roll goes by it. Pure.

use super::drain::has_to_go;
use super::observed::Observed;
use crate::cloud::{Budget, PodState};

/// Seconds for a volume to leave one machine and reach another. An assumption: EBS detaches and attaches in ten to thirty.
const VOLUME_SECONDS: u64 = 20;
/// Seconds that a pod may wait for its budget where that allows one eviction or none. An assumption: a replacement of it
/// starts and gets Ready.
const BUDGET_SECONDS: u64 = 60;

/// Whether a budget selects a pod.
pub(super) fn covers(budget: &Budget, pod: &PodState) -> bool {
    budget.namespace == pod.pod.namespace && budget.selector.selects(&pod.labels)
}

/// Seconds that the drain of a node is expected to take: the longest grace period, 20 s a volume, and 60 s a pod whose
/// budget allows one eviction or none.
pub fn drain_seconds(seen: &Observed, node: &str) -> u64 {
    let pods: Vec<&PodState> = seen.pods_on(node).filter(|pod| has_to_go(pod)).collect();
    let grace = pods.iter().map(|pod| pod.grace_seconds).max();
    let volumes: usize = pods.iter().map(|pod| pod.claims.len()).sum();
    let is_tight = |pod: &&&PodState| {
        let mut budgets = seen.budgets.iter();
        budgets.any(|budget| budget.allowed <= 1 && covers(budget, pod))
    };
    let tight = pods.iter().filter(is_tight).count();
    let each = |number: usize, seconds: u64| {
        u64::try_from(number)
            .unwrap_or(u64::MAX)
            .saturating_mul(seconds)
    };
    grace
        .unwrap_or(0)
        .saturating_add(each(volumes, VOLUME_SECONDS))
        .saturating_add(each(tight, BUDGET_SECONDS))
}
