//! What has to be done to one resource, and the order in which jobs wait for each other.

use std::collections::HashMap;

use crate::cloud::DeletionPolicy;
use crate::simulated::compiled::Compiled;
use crate::simulated::inspect::RemovalCause;
use crate::simulated::stack::Resource;
use crate::simulated::timing::Typical;

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::simulated) enum Work {
    Make,
    /// Make, change, replace or leave alone: decided by the evaluated properties.
    Change,
    /// May this resource be deleted when the update is done?
    CheckRemoval,
    /// Bring it back to what it was.
    Restore,
    Remove(Removal),
}

/// What is removed, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::simulated) struct Removal {
    pub(in crate::simulated) physical_id: Option<String>,
    pub(in crate::simulated) deletion_policy: DeletionPolicy,
    pub(in crate::simulated) how: RemovalCause,
    /// Whether deletion protection is on.
    pub(in crate::simulated) protected: bool,
}

#[derive(Debug)]
pub(in crate::simulated) struct Job {
    pub(super) slot: usize,
    pub(super) work: Work,
    /// What it does, once decided.
    pub(super) verb: JobAction,
    pub(super) runs: bool,
    /// How many jobs have to be done before.
    pub(super) waits: usize,
    pub(super) next: Vec<usize>,
}

/// What a job does to its resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum JobAction {
    Create,
    Update,
    Replace,
    Delete,
}

/// The order in which dependencies are followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Direction {
    /// Dependencies first.
    Up,
    /// Dependents first.
    Down,
}

impl Job {
    pub(super) fn new(slot: usize, work: Work) -> Self {
        Self {
            slot,
            work,
            verb: JobAction::Create,
            runs: false,
            waits: 0,
            next: Vec::new(),
        }
    }
}

/// Makes jobs wait for each other as the template says. A resource outside it waits for nothing.
pub(super) fn chain(
    jobs: &mut [Job],
    resources: &[Resource],
    compiled: &Compiled,
    direction: Direction,
) {
    let mut of_item: HashMap<usize, Vec<usize>> = HashMap::new();
    let item = |job: &Job| {
        compiled
            .index
            .get(&resources.get(job.slot)?.logical_id)
            .copied()
    };
    let items: Vec<Option<usize>> = jobs.iter().map(item).collect();
    for (number, item) in items.iter().enumerate() {
        if let Some(item) = item {
            of_item.entry(*item).or_default().push(number);
        }
    }
    let mut pairs = Vec::new();
    for (number, item) in items.iter().enumerate() {
        let needed = item.and_then(|item| compiled.items.get(item));
        let needed = needed.into_iter().flat_map(|item| &item.needs);
        for other in needed.filter_map(|need| of_item.get(need)).flatten() {
            pairs.push(match direction {
                Direction::Up => (*other, number),
                Direction::Down => (number, *other),
            });
        }
    }
    for (first, then) in pairs {
        if let Some(job) = jobs.get_mut(first) {
            job.next.push(then);
        }
        if let Some(job) = jobs.get_mut(then) {
            job.waits += 1;
        }
    }
}

/// Half a minute or so more for a last snapshot.
pub(super) fn with_snapshot(typical: Typical, deletion_policy: DeletionPolicy) -> Typical {
    let more = if deletion_policy == DeletionPolicy::Snapshot {
        60.0
    } else {
        0.0
    };
    Typical {
        p50: typical.p50 + more,
        p90: typical.p90 + more,
    }
}
