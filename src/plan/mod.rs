//! Comparing wanted with found: what a run would do to every stack, and how risky each change is.
//! A plan is data: it can be printed, tested and executed. Knows nothing of SDK, time or printing.

use serde::Serialize;
use std::collections::BTreeMap;

use crate::cloud::{ChangeSet, FoundStack, StackStatus};
use crate::stacks::{Stack, StackKind};

/// What a run would do, stack by stack.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    pub cluster: String,
    pub steps: Vec<Step>,
    /// Stacks of this cluster in AWS that the definition no longer has; `apply` leaves them alone.
    pub leftover: Vec<FoundStack>,
}

/// What a run would do to one stack.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    pub stack: Stack,
    pub found: Option<FoundStack>,
    /// Parameter values as far as known now; missing ones come from stacks that are not there yet.
    pub parameters: BTreeMap<String, String>,
    pub action: Action,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    Create,
    /// An empty leftover of a failed creation is deleted first, then created.
    Recreate,
    /// Execute this change set. Its inputs may still change when a stack before it changes.
    Update(ChangeSet),
    Keep,
    /// Follow what already runs, then look again.
    Follow(StackStatus),
    /// Can't be done as things stand.
    Blocked(Blocked),
}

/// Why a stack can't be touched, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Blocked {
    pub reason: String,
    /// The next command or step.
    pub next: String,
    /// Whether it is a guard of this tool that refuses (exit code 5), not the state of the stack.
    pub guard: bool,
}

impl Plan {
    /// Whether a run would change anything.
    pub fn has_changes(&self) -> bool {
        self.steps
            .iter()
            .any(|step| !matches!(step.action, Action::Keep))
    }

    /// The stacks that can't be touched.
    pub fn blocked(&self) -> impl Iterator<Item = (&StackKind, &Blocked)> {
        self.steps.iter().filter_map(|step| match &step.action {
            Action::Blocked(why) => Some((&step.stack.kind, why)),
            _ => None,
        })
    }
}
