//! Sends the events of a run. A receiver that has gone away stops nothing.

use jiff::Timestamp;
use tokio::sync::mpsc::UnboundedSender;

use super::{Event, Expected, Failure, MachineStep, Outcome, RollPart, SweepPart, Verb};
use crate::cloud::StackEvent;
use crate::common::Clock;
use crate::stacks::StackKind;

/// Emits the events of one run, with the time of the cloud's own clock.
#[derive(Debug)]
pub struct Emitter<'a, K> {
    pub events: &'a UnboundedSender<Event>,
    pub clock: &'a K,
}

impl<K> Clone for Emitter<'_, K> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<K> Copy for Emitter<'_, K> {}

impl<K: Clock> Emitter<'_, K> {
    fn emit(self, event: Event) {
        // Without a receiver the work continues all the same.
        let _ = self.events.send(event);
    }

    pub fn run_started(self, run: &str, cluster: &str, verb: Verb, stacks: Vec<Expected>) {
        self.emit(Event::RunStarted {
            at: self.clock.now(),
            run: run.to_owned(),
            cluster: cluster.to_owned(),
            verb,
            stacks,
        });
    }

    pub fn started(self, stack: &StackKind, operation: Verb) {
        self.emit(Event::StackStarted {
            at: self.clock.now(),
            stack: stack.clone(),
            operation,
        });
    }

    pub fn resource(self, stack: &StackKind, sentence: String, event: &StackEvent) {
        self.emit(Event::Resource {
            at: event.at,
            stack: stack.clone(),
            logical_id: event.logical_id.clone(),
            resource_type: event.resource_type.clone(),
            sentence,
            status: event.status.clone(),
            reason: event.reason.clone(),
        });
    }

    /// A stack's first real failure, as soon as it is seen.
    pub fn failed(self, stack: &StackKind, failure: &Failure) {
        self.emit(Event::Failed {
            at: self.clock.now(),
            stack: stack.clone(),
            failure: failure.clone(),
        });
    }

    pub fn settled(self, stack: &StackKind, outcome: &Outcome) {
        self.emit(Event::StackSettled {
            at: self.clock.now(),
            stack: stack.clone(),
            outcome: outcome.clone(),
        });
    }

    /// How far the removal of what lies outside the stacks is, which began at `since`.
    pub fn sweep(self, since: Timestamp, parts: Vec<SweepPart>) {
        self.emit(Event::Sweep {
            at: self.clock.now(),
            since,
            parts,
        });
    }

    /// How far a roll is, which began at `since`; with its end, whether it succeeded.
    pub fn roll(
        self,
        since: Timestamp,
        cluster: &str,
        parts: Vec<RollPart>,
        succeeded: Option<bool>,
    ) {
        self.emit(Event::Roll {
            at: self.clock.now(),
            since,
            cluster: cluster.to_owned(),
            parts,
            succeeded,
        });
    }

    /// A step of a machine in a roll.
    pub fn machine(self, stack: &StackKind, machine: &str, step: MachineStep, detail: &str) {
        self.emit(Event::Machine {
            at: self.clock.now(),
            stack: stack.clone(),
            machine: machine.to_owned(),
            step,
            detail: detail.to_owned(),
        });
    }

    pub fn note(self, stack: Option<&StackKind>, text: impl Into<String>) {
        self.emit(Event::Note {
            at: self.clock.now(),
            stack: stack.cloned(),
            text: text.into(),
        });
    }

    pub fn run_finished(self, succeeded: bool) {
        self.emit(Event::RunFinished {
            at: self.clock.now(),
            succeeded,
        });
    }
}
