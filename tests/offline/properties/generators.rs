//! What is generated from a seed: failures, faults of the cloud, and changes by others.

use fastrand::Rng;
use kube_cfn::simulated::{
    Crash, CrashPoint, ExternalChange, Faults, Operation, ResourceFailure, RollbackFailure,
    Simulated,
};
use kube_cfn::stacks::Stack;
use serde_json::json;

/// Name of a change set that is not this tool's.
pub const THEIRS: &str = "theirs";

/// Something done by hand.
#[derive(Debug)]
pub enum Hand {
    Meddle(ExternalChange),
    Touch(String, String),
    Vanish(String, String),
}

/// Some resource of some stack.
fn some(rng: &mut Rng, stacks: &[Stack]) -> (String, String) {
    let stack = &stacks[rng.usize(..stacks.len())];
    let ids: Vec<_> = stack.resources().map(|(id, _)| id.to_owned()).collect();
    (stack.name.clone(), ids[rng.usize(..ids.len())].clone())
}

pub fn failures(rng: &mut Rng, wanted: &[Stack]) -> Vec<ResourceFailure> {
    let one = |rng: &mut Rng| {
        let (stack, logical_id) = some(rng, wanted);
        let operation = [Operation::Create, Operation::Update, Operation::Delete][rng.usize(..3)];
        ResourceFailure {
            stack,
            logical_id,
            operation,
            reason: None,
            boot: None,
            times: 1,
        }
    };
    (0..rng.usize(..3)).map(|_| one(rng)).collect()
}

/// Milder with every run. Kills and expired credentials come within so many calls.
pub fn faults(
    rng: &mut Rng,
    number: usize,
    calls: u64,
    wanted: &[Stack],
    failures: &[ResourceFailure],
) -> Faults {
    let most = [0.3, 0.15, 0.05][number.min(2)];
    let mut chance = || if rng.bool() { rng.f64() * most } else { 0.0 };
    let mut faults = Faults {
        throttle: chance(),
        lost_answer: chance(),
        unreachable: chance(),
        stale_read: chance(),
        late_events: chance(),
        duplicate_pages: chance(),
        reorder: chance(),
        ..Faults::default()
    };
    let when = if rng.bool() {
        CrashPoint::BeforeEffect
    } else {
        CrashPoint::AfterEffect
    };
    match rng.u8(..5) {
        0 | 1 => {
            let call = rng.u64(1..calls);
            faults.crash_at = Some(Crash { call, when });
        }
        2 => faults.expire_after = Some(rng.u64(1..calls)),
        _ => {}
    }
    if rng.bool() {
        // What fails in an update is what has to be brought back.
        let (stack, logical_id) = match failures.first() {
            Some(failing) => (failing.stack.clone(), failing.logical_id.clone()),
            None => some(rng, wanted),
        };
        faults.rollback_fails.push(RollbackFailure {
            stack,
            logical_id,
            reason: None,
            times: 1,
        });
    }
    faults
}

pub fn hand(rng: &mut Rng, cluster: &str, wanted: &[Stack]) -> Hand {
    let kind = wanted[rng.usize(..wanted.len())].kind.to_string();
    let (stack, logical_id) = some(rng, wanted);
    match rng.u8(..6) {
        0 => Hand::Touch(stack, logical_id),
        1 => Hand::Vanish(stack, logical_id),
        2 => Hand::Meddle(ExternalChange::Update { stack, logical_id }),
        3 => Hand::Meddle(ExternalChange::Delete { stack }),
        4 => Hand::Meddle(ExternalChange::ChangeSet {
            stack,
            name: THEIRS.to_owned(),
        }),
        _ => Hand::Meddle(ExternalChange::ReviewStack {
            stack: format!("{cluster}-{kind}"),
            cluster: cluster.to_owned(),
            kind,
        }),
    }
}

impl Hand {
    /// Whether there was anything to do it to.
    pub fn act(&self, cloud: &Simulated) -> bool {
        match self {
            Self::Meddle(what) => cloud.apply_external_change(what),
            Self::Touch(stack, id) => cloud.change_property(stack, id, "ByHand", json!("other")),
            Self::Vanish(stack, id) => cloud.delete_resource(stack, id),
        }
    }

    /// The stack whose operations it adds to, or that it takes away.
    pub fn moves(&self) -> Option<&str> {
        match self {
            Self::Meddle(
                ExternalChange::Update { stack, .. }
                | ExternalChange::Delete { stack }
                | ExternalChange::ReviewStack { stack, .. },
            ) => Some(stack),
            _ => None,
        }
    }

    /// The stack that it leaves a change set with.
    pub fn leaves(&self) -> Option<&str> {
        match self {
            Self::Meddle(ExternalChange::ChangeSet { stack, .. }) => Some(stack),
            _ => None,
        }
    }
}
