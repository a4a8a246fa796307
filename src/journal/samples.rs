//! How long resources took in past runs, for learning what to expect. Knows nothing of estimates.

use std::collections::{BTreeMap, BTreeSet};

use super::RecordedRun;
use crate::cloud::status::ResourcePhase;
use crate::events::{Event, Operation, operations};
use crate::stacks::StackKind;

/// Names what is learned: of an operation on a resource by stack, logical id and type.
pub type SampleKey<'a> = dyn Fn(Operation, &StackKind, &str, &str) -> String + 'a;

/// Seconds of every successful create, update and delete of a resource, oldest run first as given, by
/// operation and key. Whether a database is Multi-AZ or a group waits for signals can't be seen in events:
/// `key` says under which name of its type a resource is known. Left out: what followed a failure of the
/// same resource, and updates that replaced it, which take as long as a creation.
pub fn samples<'a>(
    runs: impl IntoIterator<Item = &'a RecordedRun>,
    key: &SampleKey<'_>,
) -> BTreeMap<(Operation, String), Vec<f64>> {
    let mut samples: BTreeMap<_, Vec<f64>> = BTreeMap::new();
    for run in runs {
        for (stack, of_stack) in operations(&run.events) {
            // What follows a failure is a rollback: its times are not the usual ones.
            let mut failed = BTreeSet::new();
            for (first, one) in &of_stack {
                let Event::Resource {
                    logical_id,
                    resource_type,
                    ..
                } = first
                else {
                    continue;
                };
                if one.failed || one.cancelled || one.replaces {
                    failed.insert(logical_id);
                }
                let took = one.end.map(|end| end.duration_since(one.begin));
                let took = took.filter(|took| took.is_positive() && !failed.contains(logical_id));
                if let (Some(operation), Some(took), ResourcePhase::Done) =
                    (one.operation(), took, one.status.phase())
                {
                    let name = key(operation, stack, logical_id, resource_type);
                    let known = samples.entry((operation, name)).or_default();
                    known.push(took.as_secs_f64());
                }
            }
        }
    }
    samples
}
