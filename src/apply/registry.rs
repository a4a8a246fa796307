//! Where every stack of a run stands: what one stack's walk tells those that wait for it.

use std::collections::BTreeMap;

use tokio::sync::watch;

use super::{Outputs, Report, Running};
use crate::events::Outcome;
use crate::stacks::StackKind;

/// Where a stack stands.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum StackState {
    /// Nothing of it has begun.
    Waiting,
    /// Something runs in AWS, or has been asked for.
    Running,
    /// What somebody else has begun runs to its end, said in words; ours has not begun.
    Held(String),
    Settled(Box<Outcome>, BTreeMap<String, String>),
    /// It runs in AWS, and nobody follows it any more.
    Lost(String),
    /// Left waiting for a stack that nobody follows any more.
    Left,
}

/// The places of all stacks of a run.
#[derive(Debug)]
pub(super) struct StackStates(Vec<(StackKind, watch::Sender<StackState>)>);

impl StackStates {
    pub fn new<'a>(kinds: impl Iterator<Item = &'a StackKind>) -> Self {
        Self(
            kinds
                .map(|kind| (kind.clone(), watch::Sender::new(StackState::Waiting)))
                .collect(),
        )
    }

    fn sender(&self, kind: &StackKind) -> Option<&watch::Sender<StackState>> {
        let mut all = self.0.iter();
        all.find(|(other, _)| other == kind)
            .map(|(_, sender)| sender)
    }

    pub fn set(&self, kind: &StackKind, place: StackState) {
        if let Some(sender) = self.sender(kind) {
            sender.send_replace(place);
        }
    }

    /// Where a stack is, now and later; `None` for a stack that is not in this run.
    pub fn watch(&self, kind: &StackKind) -> Option<watch::Receiver<StackState>> {
        Some(self.sender(kind)?.subscribe())
    }

    /// Where a stack is now; `None` for a stack that is not in this run.
    pub fn place(&self, kind: &StackKind) -> Option<StackState> {
        Some(self.sender(kind)?.borrow().clone())
    }

    /// The final place of a stack, as soon as it has one; `None` for a stack that is not in this run.
    pub async fn rest(&self, kind: &StackKind) -> Option<StackState> {
        let mut place = self.sender(kind)?.subscribe();
        let rested = |place: &StackState| {
            !matches!(
                place,
                StackState::Waiting | StackState::Running | StackState::Held(_)
            )
        };
        let last = place.wait_for(rested).await.ok()?;
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
        self.0.iter().filter_map(good).collect()
    }

    /// How things stand now. `why` explains what still runs.
    pub fn report(&self, why: &str) -> Report {
        let mut report = Report {
            outputs: self.outputs(),
            ..Report::default()
        };
        for (stack, sender) in &self.0 {
            let running = |why: &str| Running {
                stack: stack.clone(),
                why: why.to_owned(),
            };
            match &*sender.borrow() {
                StackState::Settled(outcome, _) => {
                    report.outcomes.push((stack.clone(), (**outcome).clone()));
                }
                StackState::Running => report.running.push(running(why)),
                StackState::Held(why) | StackState::Lost(why) => report.running.push(running(why)),
                StackState::Waiting | StackState::Left => report.waiting.push(stack.clone()),
            }
        }
        report
    }
}
