//! The next step of a roll: actions, waits, and the end. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::memory::Memory;
use super::observed::Observed;
use super::{CONTROL_PLANE, Options, control_plane, keep, noted, pools, select};
use crate::cloud::PodRef;

/// From here on a person should see a wait for a new machine.
pub(super) const LATE: Duration = Duration::from_mins(5);
/// From here on a person should see that the API does not answer: one request may fail.
pub(super) const SILENT: Duration = Duration::from_secs(20);
/// How long it may take until a new machine serves, with all that belongs on it. The groups of our stacks wait as long.
pub(super) const REPLACEMENT: Duration = Duration::from_mins(15);

/// Something that is done now. Each may be repeated, and finds its machine gone without harm.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Action {
    /// Keeps Auto Scaling from evening out the zones of a group by terminating machines.
    SuspendRebalancing {
        group: String,
    },
    /// Tags an instance with its group.
    Mark {
        instance: String,
        group: String,
    },
    Unmark {
        instance: String,
    },
    /// Out of its group, whose size stays.
    Detach {
        group: String,
        instance: String,
    },
    /// Gives or takes the taint of outdated nodes.
    Taint {
        node: String,
        is_outdated: bool,
    },
    Cordon {
        node: String,
    },
    Uncordon {
        node: String,
    },
    Evict {
        node: String,
        pod: PodRef,
    },
    /// Deletes a pod: it has finished, or its budget may be broken.
    Remove {
        node: String,
        pod: PodRef,
    },
    /// Terminates an instance that is in no group.
    Terminate {
        instance: String,
    },
    /// Terminates an instance by its group, whose size stays.
    TerminateInGroup {
        instance: String,
    },
    DeleteNode {
        node: String,
        uid: String,
    },
    /// Keeps the cluster autoscaler from removing a node, or not any more.
    Keep {
        node: String,
        is_kept: bool,
    },
}

impl Action {
    /// The machine or the node that it is about; of a group, its name.
    pub(super) fn subject(&self) -> &str {
        match self {
            Self::SuspendRebalancing { group } => group,
            Self::Mark { instance, .. }
            | Self::Unmark { instance }
            | Self::Detach { instance, .. }
            | Self::Terminate { instance }
            | Self::TerminateInGroup { instance } => instance,
            Self::Taint { node, .. }
            | Self::Cordon { node }
            | Self::Uncordon { node }
            | Self::Evict { node, .. }
            | Self::Remove { node, .. }
            | Self::DeleteNode { node, .. }
            | Self::Keep { node, .. } => node,
        }
    }
}

/// Something that is waited for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Wait {
    /// The tag of the stack.
    pub stack: String,
    /// The instance that waits.
    pub instance: String,
    pub text: String,
    /// Whether a person should see it: a usual wait (a machine boots) is none.
    pub is_notable: bool,
}

/// Why no further machine of a stack is replaced.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stop {
    /// The tag of the stack.
    pub stack: String,
    /// The machine whose console or node says more.
    pub instance: String,
    pub text: String,
}

/// How a roll ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// Nothing is left to do, and nothing of the roll is left.
    Finished,
    /// It can't go on by itself; the same command goes on once the reasons are gone.
    Stopped(Vec<Stop>),
}

/// What is done next.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Step {
    /// In this order.
    pub actions: Vec<Action>,
    pub waits: Vec<Wait>,
    /// New reasons to stop: to be kept in [`Memory::stops`].
    pub stops: Vec<Stop>,
    /// Groups that lack Ready machines, and how many have arrived: for [`Memory::remember`].
    pub lacking: BTreeMap<String, usize>,
    /// Machines that are waited for without anything to do: for [`Memory::remember`].
    pub idle: BTreeSet<String>,
    /// Letters of control-plane nodes that are not complete: for [`Memory::remember`].
    pub incomplete: BTreeSet<char>,
    /// Whether the API is probed until the next look.
    pub probes: bool,
    /// Whether a control-plane node may not be taken away now: for [`Memory::remember`].
    pub is_held: bool,
    /// Whether the pools had their turn: the control plane is as wanted, or not looked at.
    pub control_plane_done: bool,
    /// Set once nothing is left to do or to wait for.
    pub end: Option<End>,
}

impl Step {
    pub(super) fn wait(&mut self, stack: &str, instance: &str, text: impl Into<String>) {
        self.add_wait(stack, instance, text.into(), false);
    }

    /// A wait that a person should see.
    pub(super) fn obstacle(&mut self, stack: &str, instance: &str, text: impl Into<String>) {
        self.add_wait(stack, instance, text.into(), true);
    }

    /// A wait that a person should see after some time, and that stops its stack at the limit of a replacement.
    pub(super) fn wait_limited(
        &mut self,
        (stack, instance): (&str, &str),
        (waited, said_after): (Duration, Duration),
        text: impl Into<String>,
    ) {
        if waited >= REPLACEMENT {
            self.stop(stack, instance, text);
        } else {
            self.add_wait(stack, instance, text.into(), waited >= said_after);
        }
    }

    fn add_wait(&mut self, stack: &str, instance: &str, text: String, is_notable: bool) {
        self.waits.push(Wait {
            stack: stack.to_owned(),
            instance: instance.to_owned(),
            text,
            is_notable,
        });
    }

    pub(super) fn stop(&mut self, stack: &str, instance: &str, text: impl Into<String>) {
        self.stops.push(Stop {
            stack: stack.to_owned(),
            instance: instance.to_owned(),
            text: text.into(),
        });
    }
}

/// What is done next, by what was seen and what this run remembers.
pub fn next(seen: &Observed, memory: &Memory, options: &Options) -> Step {
    let mut step = Step::default();
    let selection = select::select(seen, memory, options);
    let is_selected = selection.is_any_of(seen, CONTROL_PLANE);
    let is_wanted = options.is_of(CONTROL_PLANE) && (is_selected || !memory.control_plane_done);
    if is_wanted {
        control_plane::next(seen, memory, options, &selection, &mut step);
    }
    let is_stopped = is_wanted && memory.is_stopped(CONTROL_PLANE);
    let waits = !step.actions.is_empty() || !step.waits.is_empty() || !step.stops.is_empty();
    if !waits && !is_stopped {
        step.control_plane_done = true;
        for stack in seen.pools() {
            if options.is_of(stack) {
                pools::next(seen, memory, options, &selection, stack, &mut step);
            }
        }
    }
    if step.actions.is_empty() && step.waits.is_empty() && memory.stops.is_empty() {
        select::wait_for_service(seen, memory, &selection, &mut step);
        select::wait_for_tags(seen, memory, &mut step);
    }
    keep::keep(seen, memory, options, &selection, &mut step);
    noted::unanswered(seen, memory, &mut step);
    let is_over = step.actions.is_empty() && step.waits.is_empty() && step.stops.is_empty();
    let mut marks = Step::default();
    select::taints(seen, &selection, is_over, &mut marks);
    noted::unanswered(seen, memory, &mut marks);
    step.actions.extend(marks.actions);
    step.waits.extend(marks.waits);
    step.stops.extend(marks.stops);
    if is_over && step.actions.is_empty() && step.stops.is_empty() {
        step.end = Some(if memory.stops.is_empty() {
            End::Finished
        } else {
            End::Stopped(memory.stops.clone())
        });
    }
    step
}
