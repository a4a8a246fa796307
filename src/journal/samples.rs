//! How long resources took in past runs, for learning what to expect. Knows nothing of estimates.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::Run;
use crate::catalog::durations::Operation;
use crate::cloud::ResourceStatus;
use crate::cloud::status::Phase;
use crate::events::{Event, Failure};
use crate::stacks::StackKind;

/// In AWS's reason for an update that makes a new resource in place of the old one.
const REPLACING: &str = "new physical resource";

/// Names what is learned: of an operation on a resource by stack, logical id and type.
pub type Key<'a> = dyn Fn(Operation, &StackKind, &str, &str) -> String + 'a;

/// What is known of a resource while a run is read.
#[derive(Default)]
struct Course {
    /// What happens to it, and since when.
    under_way: Option<(Operation, Timestamp)>,
    /// It failed or was cancelled once: what follows is a way back, and tells nothing of the usual.
    spoilt: bool,
}

/// Seconds of every successful create, update and delete of a resource, oldest run first as given, by
/// operation and key. Whether a database is Multi-AZ or a group waits for signals can't be seen in events:
/// `key` says under which name of its type a resource is known. Left out: what followed a failure of the same resource, and
/// updates that replaced it, which take as long as a creation.
pub fn samples<'a>(
    runs: impl IntoIterator<Item = &'a Run>,
    key: &Key<'_>,
) -> BTreeMap<(Operation, String), Vec<f64>> {
    let mut samples = BTreeMap::new();
    for run in runs {
        gather(&run.events, key, &mut samples);
    }
    samples
}

fn gather(events: &[Event], key: &Key<'_>, samples: &mut BTreeMap<(Operation, String), Vec<f64>>) {
    let mut courses: BTreeMap<(&StackKind, &str), Course> = BTreeMap::new();
    let mut movements: Vec<&Event> = events
        .iter()
        .filter(|event| matches!(event, Event::Resource { .. }))
        .collect();
    // They are recorded as they became readable, which is not always as they happened.
    movements.sort_by_key(|event| event.at());
    for event in movements {
        let Event::Resource {
            at,
            stack,
            logical_id,
            resource_type,
            status,
            reason,
            ..
        } = event
        else {
            continue;
        };
        let course = courses.entry((stack, logical_id)).or_default();
        if let Some((operation, seconds)) = course.step(*at, status, reason.as_deref()) {
            let known = (operation, key(operation, stack, logical_id, resource_type));
            samples.entry(known).or_default().push(seconds);
        }
    }
}

impl Course {
    /// The operation that ended well with this step, and its seconds.
    fn step(
        &mut self,
        at: Timestamp,
        status: &ResourceStatus,
        reason: Option<&str>,
    ) -> Option<(Operation, f64)> {
        let operation = operation(status)?;
        let replaced = reason.is_some_and(|reason| reason.contains(REPLACING));
        let cancelled = reason.is_some_and(Failure::is_cancellation);
        self.spoilt |= status.phase() == Phase::Failed || replaced || cancelled;
        match status.phase() {
            Phase::Running => {
                let same = self.under_way.is_some_and(|(known, _)| known == operation);
                if !same {
                    self.under_way = Some((operation, at));
                }
                None
            }
            Phase::Done => {
                let (known, since) = self.under_way.take()?;
                let good = known == operation && !self.spoilt;
                good.then(|| (operation, at.duration_since(since).as_secs_f64()))
            }
            _ => {
                self.under_way = None;
                None
            }
        }
    }
}

fn operation(status: &ResourceStatus) -> Option<Operation> {
    match status.as_str().split('_').next()? {
        "CREATE" => Some(Operation::Create),
        "UPDATE" => Some(Operation::Update),
        "DELETE" => Some(Operation::Delete),
        _ => None,
    }
}
