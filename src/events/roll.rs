//! What a roll says of itself: how far the machines of each stack are, and the steps of single ones.

use serde::{Deserialize, Serialize};

/// The machines of one stack that are replaced.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RollPart {
    /// The stack, as people write it: `pool-workers`, `control-plane`.
    pub name: String,
    /// Machines that this run has replaced.
    pub done: usize,
    /// Those and the ones that it still has to replace.
    pub wanted: usize,
    /// What goes on, in one short phrase: `3 boot, 2 drain`; empty when nothing does.
    pub state: String,
    /// What is waited for, a sentence each.
    pub waits: Vec<String>,
    /// Why it stopped, a sentence each; none while it goes on.
    pub stops: Vec<String>,
}

/// A step of a machine that is replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MachineStep {
    /// Taken out of its group, which launches another one in its place.
    Detached,
    /// No new pods, and evictions begin.
    Cordoned,
    /// Its pods are being evicted.
    Draining,
    /// Schedulable again.
    Uncordoned,
    /// Its termination was asked for.
    Terminated,
    /// Gone, with its Node object.
    Replaced,
    /// It waits for something; the detail says for what.
    Waiting,
    /// Its part of the roll stopped; the detail says why.
    Stopped,
}

impl MachineStep {
    /// As it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Detached => "detached",
            Self::Cordoned => "cordoned",
            Self::Draining => "draining",
            Self::Uncordoned => "uncordoned",
            Self::Terminated => "terminated",
            Self::Replaced => "replaced",
            Self::Waiting => "waiting",
            Self::Stopped => "stopped",
        }
    }

    /// Whether it deserves a line that stays above a live block.
    pub const fn stays(self) -> bool {
        matches!(self, Self::Replaced | Self::Stopped | Self::Uncordoned)
    }
}
