//! The state of every stack of a run, published by its state machine for those that wait for it.

use std::cell::RefCell;
use std::collections::BTreeMap;

use tokio::sync::watch;

use super::{Outputs, RunReport, RunningStack};
use crate::events::Outcome;
use crate::stacks::StackKind;

/// The state of a stack in a run.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum StackState {
    /// No operation has begun.
    Waiting,
    /// An operation was requested; AWS has not accepted it yet.
    Requested,
    /// An operation of this run is running.
    Running,
    /// The same, rolling back.
    RollingBack,
    /// An operation that somebody else began is followed; ours has not begun.
    External {
        what: String,
        rolling_back: bool,
    },
    Settled(Box<Outcome>, BTreeMap<String, String>),
    /// It runs in AWS and is no longer followed.
    Lost(String),
    /// Not started, because a stack that it needs is no longer followed.
    Left,
}

/// The states of all stacks of a run, in the order of its plan.
#[derive(Debug)]
pub(super) struct StackStates(RefCell<Vec<(StackKind, watch::Sender<StackState>)>>);

impl StackStates {
    pub fn new<'a>(kinds: impl Iterator<Item = &'a StackKind>) -> Self {
        let waiting = |kind: &StackKind| (kind.clone(), watch::Sender::new(StackState::Waiting));
        Self(RefCell::new(kinds.map(waiting).collect()))
    }

    fn modify(&self, kind: &StackKind, change: impl FnOnce(&mut StackState)) {
        if let Some((_, sender)) = self.0.borrow().iter().find(|(other, _)| other == kind) {
            sender.send_modify(change);
        }
    }

    pub fn set(&self, kind: &StackKind, state: StackState) {
        self.modify(kind, |old| *old = state);
    }

    /// Adds a stack that the run did not know of.
    pub fn add(&self, kind: &StackKind) {
        if self.watch(kind).is_none() {
            let sender = watch::Sender::new(StackState::Waiting);
            self.0.borrow_mut().push((kind.clone(), sender));
        }
    }

    /// The running operation is rolled back.
    pub fn mark_rolling_back(&self, kind: &StackKind) {
        self.modify(kind, |state| match state {
            StackState::Running => *state = StackState::RollingBack,
            StackState::External { rolling_back, .. } => *rolling_back = true,
            StackState::Waiting
            | StackState::Requested
            | StackState::RollingBack
            | StackState::Settled(..)
            | StackState::Lost(_)
            | StackState::Left => {}
        });
    }

    /// The state of a stack, now and later; `None` for a stack that is not in this run.
    pub fn watch(&self, kind: &StackKind) -> Option<watch::Receiver<StackState>> {
        let all = self.0.borrow();
        let (_, sender) = all.iter().find(|(other, _)| other == kind)?;
        Some(sender.subscribe())
    }

    /// Whether a stack has its final state by now.
    pub fn is_final(&self, kind: &StackKind) -> bool {
        let state = self.watch(kind);
        state.is_some_and(|state| state.borrow().is_final())
    }

    /// The final state of a stack, as soon as it has one; `None` for a stack that is not in this run.
    pub async fn last(&self, kind: &StackKind) -> Option<StackState> {
        let mut state = self.watch(kind)?;
        let last = state.wait_for(StackState::is_final).await.ok()?;
        Some(last.clone())
    }

    /// Outputs of every stack that is as wanted by now.
    pub fn outputs(&self) -> Outputs {
        let good = |(kind, sender): &(StackKind, watch::Sender<StackState>)| match &*sender.borrow()
        {
            StackState::Settled(outcome, outputs) if outcome.is_good() => {
                Some((kind.clone(), outputs.clone()))
            }
            _ => None,
        };
        self.0.borrow().iter().filter_map(good).collect()
    }

    /// The run's report as of now. `detached_because` is the reason for what still runs.
    pub fn report(&self, detached_because: &str) -> RunReport {
        let mut report = RunReport {
            outputs: self.outputs(),
            ..RunReport::default()
        };
        for (stack, sender) in &*self.0.borrow() {
            let reason = match &*sender.borrow() {
                StackState::Settled(outcome, _) => {
                    report.outcomes.push((stack.clone(), (**outcome).clone()));
                    continue;
                }
                StackState::Waiting | StackState::Left => {
                    report.waiting.push(stack.clone());
                    continue;
                }
                StackState::Requested | StackState::Running | StackState::RollingBack => {
                    detached_because.to_owned()
                }
                StackState::External { what, .. } | StackState::Lost(what) => what.clone(),
            };
            let stack = stack.clone();
            report.running.push(RunningStack { stack, reason });
        }
        report
    }
}

impl StackState {
    fn is_final(&self) -> bool {
        matches!(self, Self::Settled(..) | Self::Lost(_) | Self::Left)
    }
}
