//! The events of one followed operation: emits each once, reports the first real failure at once, and
//! decides from events and stack when the operation is over.

use std::collections::HashSet;
use std::time::Duration;

use jiff::Timestamp;

use super::boot::{self, FailedGroup};
use super::cause;
use super::follow::{Direction, FollowError, FollowedOperation};
use super::poller::{Subscription, WakeReason};
use crate::cloud::{Cloud, CloudError, LiveStack, StackEvent, StackStatus, Store};
use crate::common::clock::elapsed;
use crate::events::{BootFinding, Verb};

/// How long a stack may contradict its own last event before its status counts.
/// Reads of `DescribeStacks` were seen stale for seconds; this leaves room.
const STALE: Duration = Duration::from_mins(1);
/// How long all polls may fail before the follower gives up.
const UNREADABLE: Duration = Duration::from_mins(10);
/// Longest wait between two polls that fail.
const LONGEST_WAIT: Duration = Duration::from_secs(30);
/// How often a stack is read while neither its events nor the poller say that it moves.
const STACK_READ: Duration = Duration::from_secs(30);
/// Tries of the one read after the end.
const LAST_READS: usize = 3;

/// Time to the next poll: short while things begin or move, longer while only slow ones are left.
fn pace(age: Duration, quiet: Duration) -> Duration {
    const LIVELY: Duration = Duration::from_secs(30);
    if age < Duration::from_secs(10) {
        return Duration::from_secs(1);
    }
    let slower = quiet.saturating_sub(LIVELY) / 10;
    (Duration::from_secs(2) + slower).min(Duration::from_secs(10))
}

/// The events of one operation and what was read of its stack.
pub(super) struct EventTracker<'a, C> {
    subject: &'a FollowedOperation<'a, C>,
    began: Timestamp,
    last_event: Timestamp,
    /// When the stack itself was last read.
    last_stack_read: Timestamp,
    /// Since when the stack has been at rest while its events do not show the end.
    settling_since: Option<Timestamp>,
    /// Since when all polls failed.
    unreadable_since: Option<Timestamp>,
    seen: HashSet<String>,
    /// Everything that happened, in the order in which AWS listed it.
    pub events: Vec<StackEvent>,
    /// The event that was reported as the first real failure.
    reported: Option<String>,
    /// What a machine said whose group did not boot.
    pub boot: Option<BootFinding>,
}

impl<'a, C: Cloud + Store> EventTracker<'a, C> {
    pub fn new(subject: &'a FollowedOperation<'a, C>) -> Self {
        let now = subject.poller.cloud.now();
        Self {
            subject,
            began: now,
            last_event: now,
            last_stack_read: now,
            settling_since: None,
            unreadable_since: None,
            seen: HashSet::new(),
            events: Vec::new(),
            reported: None,
            boot: None,
        }
    }

    fn cloud(&self) -> &'a C {
        self.subject.poller.cloud
    }

    fn now(&self) -> Timestamp {
        self.cloud().now()
    }

    fn since(&self, moment: Timestamp) -> Duration {
        elapsed(moment, self.now())
    }

    /// After a poll that was answered: time to the next one, if this follower were alone.
    pub fn next_wait(&mut self) -> Duration {
        self.unreadable_since = None;
        pace(self.since(self.began), self.since(self.last_event))
    }

    /// Polls once. `Some` when the operation is over.
    pub async fn poll(
        &mut self,
        subscription: &Subscription<'_, '_, C>,
        reason: WakeReason,
    ) -> Result<Option<(StackStatus, Option<LiveStack>)>, CloudError> {
        self.read_events().await?;
        let ended = self.own_end();
        if ended.is_none() && reason == WakeReason::Time {
            if subscription.moves() {
                self.settling_since = None;
                return Ok(None);
            }
            if self.since(self.last_stack_read) < STACK_READ {
                return Ok(None);
            }
        }
        let found = self.cloud().stack(&self.subject.operation.stack_id).await?;
        self.last_stack_read = self.now();
        Ok(self.confirm(ended, found))
    }

    async fn read_events(&mut self) -> Result<(), CloudError> {
        let events = self.cloud().events(self.subject.operation, &self.seen);
        let new_events = match events.await {
            // A stack that is only just there, or just gone, may have no history for a moment.
            Err(CloudError::NotFound(_)) => Vec::new(),
            answer => answer?,
        };
        let mut read = 0;
        for event in new_events {
            if self.seen.insert(event.id.clone()) {
                self.last_event = self.now();
                self.emit_resource(&event);
                self.events.push(event);
                read += 1;
            }
        }
        self.report_first_failure().await;
        // After the cause: this names the resources that failed at most.
        let first = self.events.len().saturating_sub(read);
        for event in self.events.get(first..).unwrap_or_default() {
            self.emit_rollback(event);
        }
        Ok(())
    }

    /// Reports the first real failure as soon as it is seen, and again when an earlier one turns up.
    /// Not of a deletion: CloudFormation tries what failed there again by itself.
    async fn report_first_failure(&mut self) {
        let verb = self.subject.verb;
        let cause = cause::cause(verb, &self.events).filter(|event| !event.status.is_delete());
        let Some(cause) = cause.filter(|cause| self.reported.as_ref() != Some(&cause.id)) else {
            return;
        };
        let group = FailedGroup::new(cause, &self.events);
        self.reported = Some(cause.id.clone());
        let mut statuses = self.events.iter().rev();
        let status = statuses.find_map(|event| event.stack_status.as_ref());
        let failure = cause::failure(verb, status, &self.events, &self.subject.labels);
        let Some(mut failure) = failure else { return };
        if cause::is_signal_failure(&failure) {
            self.boot = self.read_boot(&group).await;
            if let Some(boot) = &self.boot {
                failure = boot.explain(failure);
            }
        }
        self.subject.emit.failed(self.subject.kind, &failure);
    }

    /// What a machine of the group said, while the group may still be there.
    async fn read_boot(&self, group: &FailedGroup) -> Option<BootFinding> {
        let stack = self.cloud().stack(&self.subject.operation.stack_id).await;
        let stack = stack.ok().flatten();
        let parameters = stack.map(|stack| stack.parameters).unwrap_or_default();
        boot::of_group(self.cloud(), group, &parameters).await
    }

    fn emit_resource(&self, event: &StackEvent) {
        if event.stack_status.is_none() {
            let description = (self.subject.labels.describe)(&event.logical_id);
            self.subject
                .emit
                .resource(self.subject.kind, description, event);
        }
    }

    fn emit_rollback(&self, event: &StackEvent) {
        if self.subject.direction != Direction::Forward {
            return;
        }
        if let Some(StackStatus::RollbackInProgress | StackStatus::UpdateRollbackInProgress) =
            &event.stack_status
        {
            (self.subject.mark_rolling_back)();
            // The resources that failed were reported, each with its own reason.
            let reason = event
                .reason
                .as_deref()
                .filter(|reason| !cause::only_sums_up(reason));
            let reason = reason.map_or(String::new(), |reason| format!(": {reason}"));
            let text = format!("failed and is being rolled back{reason}");
            self.subject.emit.note(Some(self.subject.kind), text);
        }
    }

    /// The status of the stack's own last event, if that is an end.
    fn own_end(&self) -> Option<StackStatus> {
        let own = self
            .events
            .iter()
            .filter(|event| event.stack_status.is_some());
        // Of several in one moment the last one listed.
        let last = own.max_by_key(|event| event.at)?.stack_status.clone()?;
        let ended = !last.is_in_progress() && last != StackStatus::ReviewInProgress;
        ended.then_some(last)
    }

    /// Compares the events with the stack. Right after a request the stack may still show its old status,
    /// or not exist yet.
    fn confirm(
        &mut self,
        ended: Option<StackStatus>,
        found: Option<LiveStack>,
    ) -> Option<(StackStatus, Option<LiveStack>)> {
        let now = found.as_ref().map(|found| found.status.clone());
        let now = now.unwrap_or(StackStatus::DeleteComplete);
        // A deleted stack stays deleted: this answer can't be stale.
        let gone = now == StackStatus::DeleteComplete && self.subject.verb == Verb::Delete;
        if gone || ended.as_ref() == Some(&now) {
            return Some((now, found));
        }
        let rests = !now.is_in_progress() && now != StackStatus::ReviewInProgress;
        if ended.is_none() && !rests {
            self.settling_since = None;
            return None;
        }
        let since = self.now();
        let since = *self.settling_since.get_or_insert(since);
        (self.since(since) >= STALE).then(|| (ended.unwrap_or(now), found))
    }

    /// Reads events that became readable only after the end; the cause of a failure may be among them.
    pub async fn last_read(&mut self) {
        for _ in 0..LAST_READS {
            if self.read_events().await.is_ok() {
                return;
            }
            self.cloud().sleep(Duration::from_secs(1)).await;
        }
    }

    /// After a poll that failed: time to the next one.
    pub fn on_poll_error(
        &mut self,
        error: CloudError,
        waited: Duration,
    ) -> Result<Duration, FollowError> {
        match error {
            CloudError::Credentials { .. } => return Err(FollowError::Expired(error)),
            CloudError::Denied { .. } => return Err(FollowError::Lost(error.to_string())),
            _ => {}
        }
        match self.unreadable_since {
            None => {
                self.unreadable_since = Some(self.now());
                let text = format!("can't be read at the moment, AWS continues: {error}");
                self.subject.emit.note(Some(self.subject.kind), text);
            }
            Some(since) if self.since(since) >= UNREADABLE => {
                return Err(FollowError::Lost(error.to_string()));
            }
            Some(_) => {}
        }
        Ok((waited * 2).clamp(Duration::from_secs(2), LONGEST_WAIT))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn poll_interval_widens_while_nothing_changes() {
        let seconds =
            |age, quiet| pace(Duration::from_secs(age), Duration::from_secs(quiet)).as_secs_f64();
        let shown: Vec<f64> = [
            (0, 0),
            (9, 9),
            (10, 10),
            (60, 0),
            (60, 50),
            (300, 110),
            (900, 800),
        ]
        .into_iter()
        .map(|(age, quiet)| seconds(age, quiet))
        .collect();
        assert_eq!(shown, [1.0, 1.0, 2.0, 2.0, 4.0, 10.0, 10.0]);
    }
}
