//! Saying what happens, as events. A listener that has gone away stops nothing.

use crate::common::Clock;
use tokio::sync::mpsc::UnboundedSender;

use crate::cloud::StackEvent;
use crate::events::{Event, Expected, Failure, Outcome, Verb};
use crate::stacks::StackKind;

/// Says what happens in one run, by the cloud's own time.
#[derive(Debug)]
pub(super) struct Teller<'a, K> {
    pub events: &'a UnboundedSender<Event>,
    pub clock: &'a K,
}

impl<K> Clone for Teller<'_, K> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<K> Copy for Teller<'_, K> {}

impl<K: Clock> Teller<'_, K> {
    fn say(self, event: Event) {
        // Nobody listens any more: the work goes on all the same.
        let _ = self.events.send(event);
    }

    pub fn run_started(self, run: &str, cluster: &str, verb: Verb, stacks: Vec<Expected>) {
        self.say(Event::RunStarted {
            at: self.clock.now(),
            run: run.to_owned(),
            cluster: cluster.to_owned(),
            verb,
            stacks,
        });
    }

    pub fn started(self, stack: &StackKind, operation: Verb) {
        self.say(Event::StackStarted {
            at: self.clock.now(),
            stack: stack.clone(),
            operation,
        });
    }

    pub fn resource(self, stack: &StackKind, sentence: String, event: &StackEvent) {
        self.say(Event::Resource {
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
        self.say(Event::Failed {
            at: self.clock.now(),
            stack: stack.clone(),
            failure: failure.clone(),
        });
    }

    pub fn settled(self, stack: &StackKind, outcome: &Outcome) {
        self.say(Event::StackSettled {
            at: self.clock.now(),
            stack: stack.clone(),
            outcome: outcome.clone(),
        });
    }

    pub fn note(self, stack: Option<&StackKind>, text: impl Into<String>) {
        self.say(Event::Note {
            at: self.clock.now(),
            stack: stack.cloned(),
            text: text.into(),
        });
    }

    pub fn run_finished(self, succeeded: bool) {
        self.say(Event::RunFinished {
            at: self.clock.now(),
            succeeded,
        });
    }
}
