//! What an operation writes into the history of its stack.

use super::{Environment, Running};
use crate::cloud::{ResourceStatus, StackEvent, StackStatus};
use crate::simulated::rng::{stream, uuid};
use crate::simulated::stack::{PublishedEvent, Stack, timestamp};

impl Stack {
    /// An event of the stack itself, and its new status.
    pub(super) fn stack_event(
        &mut self,
        env: &mut Environment,
        at: i64,
        run: &Running,
        status: StackStatus,
        reason: Option<&str>,
    ) {
        self.publish_status(at, status, reason);
        let mut event = self.event_of_itself();
        let words = ["event", self.live.id.as_str()];
        let number = self.events.len() as u64;
        event.id = uuid(&mut stream(env.setting.seed, &words, number));
        self.publish(env, at, run, event);
    }

    /// An event of a resource.
    pub(super) fn resource_event(
        &mut self,
        env: &mut Environment,
        at: i64,
        run: &Running,
        of: (&str, &str, Option<&str>),
        status: &'static str,
        reason: Option<&str>,
    ) {
        let (logical_id, resource_type, physical_id) = of;
        let event = StackEvent {
            id: format!("{logical_id}-{status}-{at}-{}", self.events.len()),
            at: timestamp(at),
            logical_id: logical_id.to_owned(),
            physical_id: physical_id.map(str::to_owned),
            resource_type: resource_type.to_owned(),
            status: ResourceStatus::new(status),
            reason: reason.map(str::to_owned),
            token: None,
            stack_status: None,
        };
        self.publish(env, at, run, event);
    }

    /// A resource of the stack takes a status, and an event says so.
    pub(super) fn set_status(
        &mut self,
        env: &mut Environment,
        at: i64,
        run: &Running,
        slot: usize,
        status: &'static str,
        reason: Option<&str>,
    ) {
        let Some(resource) = self.resources.get_mut(slot) else {
            return;
        };
        resource.status = status;
        resource.reason = reason.map(str::to_owned);
        let (id, of_type) = (resource.logical_id.clone(), resource.kind.clone());
        let physical_id = resource.physical_id.clone();
        let of = (id.as_str(), of_type.as_str(), physical_id.as_deref());
        self.resource_event(env, at, run, of, status, reason);
    }

    fn publish(&mut self, env: &Environment, at: i64, run: &Running, mut event: StackEvent) {
        event.at = timestamp(at);
        event.token.clone_from(&run.token);
        let late = env.faults.late_events;
        let mut readable = at;
        if late > 0.0 {
            let words = ["late", self.live.id.as_str(), event.id.as_str()];
            let mut rng = stream(env.setting.seed, &words, 0);
            if rng.f64() < late {
                let most = i64::try_from(env.faults.late_for.as_millis()).unwrap_or(i64::MAX);
                self.has_late = true;
                readable += rng.i64(0..=most.clamp(0, 600_000));
            }
        }
        let late = env.faults.late.iter().find(|late| {
            late.logical_id == event.logical_id && late.status == event.status.as_str()
        });
        if let Some(late) = late {
            self.has_late = true;
            readable += i64::try_from(late.by.as_millis()).unwrap_or(i64::MAX);
        }
        self.events.push(PublishedEvent {
            event,
            readable,
            operation: run.number,
        });
    }
}
