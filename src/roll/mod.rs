//! Replaces machines that were launched from another launch-template version than their group has now, or that are
//! named: which ones, in which order, and what is waited for. Its state is in AWS and in the cluster alone.
//!
//! [`next`] is pure: from what was seen ([`Observed`]) to the next actions, the waits, and the end. It keeps no list of steps:
//! a machine that is detached and not cordoned waits for its replacement, one that is cordoned is drained, one without pods is
//! terminated. So the same command goes on after any interruption. [`Roll`] looks, asks [`next`], does, and emits events.
//!
//! # How a command uses it
//! 1. [`Options`] from the flags, the outputs of the control plane's stack ([`crate::etcd::slots`]) and the versions that the
//!    machines of each stack boot (the output `KubernetesVersion`).
//! 2. [`Roll::observe`] once, then [`foresee`]: the machines with their reasons, minutes and what would block.
//!    [`Forecast::machines`] is empty: nothing to roll. [`Forecast::refusals`]: refused before anything moves, exit code 5.
//! 3. Under the operation lock: [`Roll::run`]. [`End::Finished`] is exit code 0, [`End::Stopped`] 4 with the reasons; dropping
//!    the future at any moment is safe (130). An error is a cloud or an API that does not do what was asked.
//! 4. `status` calls [`Roll::observe`] and [`unfinished`].

mod action_text;
mod answers;
mod control_plane;
mod drain;
mod estimate;
mod executor;
mod foresee;
mod keep;
mod look;
mod memory;
mod noted;
mod observed;
mod pools;
mod progress;
mod select;
mod step;
#[cfg(test)]
mod tests;
mod text;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

pub use estimate::drain_seconds;
pub use executor::{Etcd, Next, Roll, RollError};
pub use foresee::{Forecast, MachineForecast, Obstacle, Waiver, foresee};
pub use memory::{Blocked, Memory};
pub use observed::{ControlPlane, Observed};
pub use select::{Reason, Unfinished, unfinished};
pub use step::{Action, End, Step, Stop, Wait, next};

use crate::etcd::Slot;

/// The kind of the control plane's stack, as its tag has it.
pub(crate) const CONTROL_PLANE: &str = "control-plane";
/// How the tags of the stacks of pools begin.
const POOL: &str = "pool-";

/// What is to be replaced, and how.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    pub cluster: String,
    pub scope: RollScope,
    /// More machines than a pool wants, while it is rolled.
    pub surge: Surge,
    /// How long the pods of one machine may take to leave it.
    pub drain_timeout: Duration,
    /// Also machines that were launched longer ago than this.
    pub older_than: Option<Duration>,
    /// Pods without a controller that may be lost: namespace and name.
    pub lose_pods: BTreeSet<(String, String)>,
    /// Budgets whose pods are deleted where an eviction is blocked: namespace and name.
    pub evict_anyway: BTreeSet<(String, String)>,
    /// The control-plane nodes, from [`crate::etcd::slots`].
    pub slots: Vec<Slot>,
    /// ARN of the target group of the API's load balancer; `None` where it isn't asked.
    pub target_group: Option<String>,
    /// The Kubernetes version that the machines of a stack boot, by the stack's tag: `1.36.4`. A stack without one is not
    /// checked for it.
    pub versions: BTreeMap<String, String>,
    /// The version of etcd that control-plane nodes boot, `3.6.14`; `None`: not checked.
    pub etcd_version: Option<String>,
}

/// Which machines are looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RollScope {
    /// The outdated ones of every pool.
    Pools,
    /// The outdated ones of these pools, by name.
    Named(BTreeSet<String>),
    /// The outdated control-plane nodes.
    ControlPlane,
    /// All of both: the control plane first.
    All,
    /// This one, whatever its version: an instance's id, which is its node's name.
    Node(String),
}

/// How many machines more than it wants a pool may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Surge {
    /// Of the machines that the pool wants, rounded up; one at least.
    Percent(u32),
    /// 0: one machine fewer instead, one after the other.
    Count(u32),
}

impl Surge {
    /// How many machines may be replaced at once in a pool that wants so many.
    pub fn lanes(self, desired: u32) -> usize {
        let lanes = match self {
            Self::Percent(percent) => (u64::from(desired) * u64::from(percent))
                .div_ceil(100)
                .max(1),
            Self::Count(count) => u64::from(count.max(1)),
        };
        usize::try_from(lanes).unwrap_or(usize::MAX)
    }

    /// Whether machines are drained in their group, before their replacement.
    pub fn is_in_place(self) -> bool {
        self == Self::Count(0)
    }
}

impl std::str::FromStr for Surge {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text} is neither a number of machines nor a percentage like 10%");
        let number = |digits: &str| digits.parse().map_err(|_| wrong());
        match text.strip_suffix('%') {
            Some(digits) => match number(digits)? {
                percent @ 1..=100 => Ok(Self::Percent(percent)),
                _ => Err(format!("{text}: a percentage is from 1% to 100%")),
            },
            None => number(text).map(Self::Count),
        }
    }
}

impl Options {
    /// Outdated machines of every pool, one in ten at once, with 15 minutes for each drain.
    pub fn new(cluster: &str) -> Self {
        Self {
            cluster: cluster.to_owned(),
            scope: RollScope::Pools,
            surge: Surge::Percent(10),
            drain_timeout: Duration::from_mins(15),
            older_than: None,
            lose_pods: BTreeSet::new(),
            evict_anyway: BTreeSet::new(),
            slots: Vec::new(),
            target_group: None,
            versions: BTreeMap::new(),
            etcd_version: None,
        }
    }
}
