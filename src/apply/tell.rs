//! Saying what happens, as events. A listener that has gone away stops nothing.

use jiff::Timestamp;
use tokio::sync::mpsc::UnboundedSender;

use super::event::{Event, Expected, Outcome, Verb};
use crate::cloud::StackEvent;
use crate::stacks::StackKind;

/// Says what happens in one run.
#[derive(Debug, Clone, Copy)]
pub(super) struct Teller<'a>(pub &'a UnboundedSender<Event>);

impl Teller<'_> {
    fn say(self, event: Event) {
        // Nobody listens any more: the work goes on all the same.
        let _ = self.0.send(event);
    }

    pub fn run_started(self, cluster: &str, verb: Verb, stacks: Vec<Expected>) {
        self.say(Event::RunStarted {
            at: Timestamp::now(),
            cluster: cluster.to_owned(),
            verb,
            stacks,
        });
    }

    pub fn started(self, stack: &StackKind, operation: Verb) {
        self.say(Event::StackStarted {
            at: Timestamp::now(),
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

    pub fn settled(self, stack: &StackKind, outcome: &Outcome) {
        self.say(Event::StackSettled {
            at: Timestamp::now(),
            stack: stack.clone(),
            outcome: outcome.clone(),
        });
    }

    pub fn note(self, stack: Option<&StackKind>, text: impl Into<String>) {
        self.say(Event::Note {
            at: Timestamp::now(),
            stack: stack.cloned(),
            text: text.into(),
        });
    }

    pub fn run_finished(self, succeeded: bool) {
        self.say(Event::RunFinished {
            at: Timestamp::now(),
            succeeded,
        });
    }
}
