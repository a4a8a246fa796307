//! Following one operation of one stack to its end. A poll that fails never decides a verdict: only
//! the stack's own last event, confirmed by the stack, does.

use std::collections::HashSet;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::tell::Teller;
use crate::cloud::{Clock, Cloud, CloudError, FoundStack, Operation, StackEvent, StackStatus};
use crate::stacks::StackKind;

/// How long a stack may contradict its own last event, or stay silent, before it is taken at its
/// word. Reads of `DescribeStacks` were seen stale for seconds; this leaves room.
const STALE: Duration = Duration::from_mins(1);
/// How long nothing but errors may come back before nobody can be said to follow any more.
const BLIND: Duration = Duration::from_mins(10);
/// Longest wait between two polls that fail.
const LONGEST_WAIT: Duration = Duration::from_secs(30);
/// How often a stack is looked at while its events say nothing of an end.
const HEARTBEAT: Duration = Duration::from_secs(30);
/// Tries of the one read after the end.
const LAST_READS: usize = 3;

/// The end of an operation.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Rest {
    pub status: StackStatus,
    /// The stack at its end; `None` when it is gone.
    pub found: Option<FoundStack>,
    /// Everything that happened, in the order in which AWS told it.
    pub events: Vec<StackEvent>,
}

/// Nobody can follow any more; the operation goes on in AWS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Astray(pub String);

/// How to tell what is followed.
pub(super) struct Subject<'a> {
    pub kind: &'a StackKind,
    pub sentence: &'a dyn Fn(&str) -> String,
    /// Whether the stack going away is what was asked for.
    pub leaves: bool,
}

/// Follows an operation to its end, telling every resource's movement once.
pub(super) async fn follow<C: Cloud>(
    cloud: &C,
    operation: &Operation,
    subject: &Subject<'_>,
    tell: Teller<'_, C>,
) -> Result<Rest, Astray> {
    let mut watch = Watch::new(operation, subject, tell);
    let mut wait = Duration::ZERO;
    loop {
        cloud.sleep(wait).await;
        let looked = watch.look(cloud).await;
        wait = match looked {
            Ok(Some((status, found))) => {
                watch.last_read(cloud).await;
                return Ok(Rest {
                    status,
                    found,
                    events: watch.events,
                });
            }
            Ok(None) => {
                watch.blind = None;
                pace(watch.since(watch.began), watch.since(watch.moved))
            }
            Err(error) => watch.trouble(&error, wait)?,
        };
    }
}

/// Time to the next poll: close while things begin or move, wider while only slow ones are left.
fn pace(age: Duration, quiet: Duration) -> Duration {
    const LIVELY: Duration = Duration::from_secs(30);
    if age < Duration::from_secs(10) {
        return Duration::from_secs(1);
    }
    let slower = quiet.saturating_sub(LIVELY) / 10;
    (Duration::from_secs(2) + slower).min(Duration::from_secs(10))
}

struct Watch<'a, K> {
    operation: &'a Operation,
    subject: &'a Subject<'a>,
    tell: Teller<'a, K>,
    began: Timestamp,
    /// When the last event came.
    moved: Timestamp,
    /// When the stack itself was last looked at.
    looked: Timestamp,
    /// Since when the stack has said that it rests, while its events do not say so, or say otherwise.
    doubt: Option<Timestamp>,
    /// Since when there was nothing but errors.
    blind: Option<Timestamp>,
    seen: HashSet<String>,
    events: Vec<StackEvent>,
}

impl<'a, K: Clock> Watch<'a, K> {
    fn new(operation: &'a Operation, subject: &'a Subject<'a>, tell: Teller<'a, K>) -> Self {
        let now = tell.clock.now();
        Self {
            operation,
            subject,
            tell,
            began: now,
            moved: now,
            looked: now,
            doubt: None,
            blind: None,
            seen: HashSet::new(),
            events: Vec::new(),
        }
    }

    fn now(&self) -> Timestamp {
        self.tell.clock.now()
    }

    fn since(&self, moment: Timestamp) -> Duration {
        let passed = self.now().duration_since(moment);
        passed.max(SignedDuration::ZERO).unsigned_abs()
    }

    /// One poll. Something when the operation is over.
    async fn look(
        &mut self,
        cloud: &impl Cloud,
    ) -> Result<Option<(StackStatus, Option<FoundStack>)>, CloudError> {
        self.read(cloud).await?;
        let ended = self.last_word();
        if ended.is_none() && self.since(self.looked) < HEARTBEAT {
            return Ok(None);
        }
        let found = cloud.stack(&self.operation.stack_id).await?;
        self.looked = self.now();
        Ok(self.confirm(ended, found))
    }

    async fn read(&mut self, cloud: &impl Cloud) -> Result<(), CloudError> {
        let news = match cloud.events(self.operation, &self.seen).await {
            // A stack that is only just there, or just gone, may have no history for a moment.
            Err(CloudError::NotFound(_)) => Vec::new(),
            answer => answer?,
        };
        for event in news {
            if !self.seen.insert(event.id.clone()) {
                continue;
            }
            self.moved = self.now();
            self.say(&event);
            self.events.push(event);
        }
        Ok(())
    }

    fn say(&self, event: &StackEvent) {
        match &event.stack_status {
            None => {
                let sentence = (self.subject.sentence)(&event.logical_id);
                self.tell.resource(self.subject.kind, sentence, event);
            }
            Some(StackStatus::RollbackInProgress | StackStatus::UpdateRollbackInProgress) => {
                let reason = event.reason.as_deref().unwrap_or("no reason given");
                self.tell.note(
                    Some(self.subject.kind),
                    format!("failed and is being rolled back: {reason}"),
                );
            }
            Some(_) => {}
        }
    }

    /// The stack's own last event, if it tells of an end.
    fn last_word(&self) -> Option<StackStatus> {
        let mut own = self.events.iter().filter_map(|event| {
            let status = event.stack_status.clone()?;
            Some((event.at, status))
        });
        let first = own.next()?;
        let (_, last) = own.fold(
            first,
            |best, next| if next.0 >= best.0 { next } else { best },
        );
        let ended = !last.is_moving() && last != StackStatus::ReviewInProgress;
        ended.then_some(last)
    }

    /// Weighs what the events say against what the stack says. Right after a call the stack may
    /// still show its old status, or not be there at all.
    fn confirm(
        &mut self,
        ended: Option<StackStatus>,
        found: Option<FoundStack>,
    ) -> Option<(StackStatus, Option<FoundStack>)> {
        let says = match &found {
            Some(found) => found.status.clone(),
            None => StackStatus::DeleteComplete,
        };
        let gone = found.is_none() && self.subject.leaves;
        if gone || ended.as_ref() == Some(&says) {
            return Some((says, found));
        }
        let rests = !says.is_moving() && says != StackStatus::ReviewInProgress;
        if ended.is_none() && !rests {
            self.doubt = None;
            return None;
        }
        let now = self.now();
        let since = *self.doubt.get_or_insert(now);
        (self.since(since) >= STALE).then(|| (ended.unwrap_or(says), found))
    }

    /// What became readable only after the end; the cause of a failure may be among it.
    async fn last_read(&mut self, cloud: &impl Cloud) {
        for _ in 0..LAST_READS {
            if self.read(cloud).await.is_ok() {
                return;
            }
            cloud.sleep(Duration::from_secs(1)).await;
        }
    }

    /// An error while looking. Returns the time to the next try.
    fn trouble(&mut self, error: &CloudError, waited: Duration) -> Result<Duration, Astray> {
        if matches!(
            error,
            CloudError::Credentials { .. } | CloudError::Denied { .. }
        ) {
            return Err(Astray(error.to_string()));
        }
        match self.blind {
            None => {
                self.blind = Some(self.now());
                self.tell.note(
                    Some(self.subject.kind),
                    format!("can't be seen for the moment, it goes on in AWS: {error}"),
                );
            }
            Some(since) if self.since(since) >= BLIND => return Err(Astray(error.to_string())),
            Some(_) => {}
        }
        Ok((waited * 2).clamp(Duration::from_secs(2), LONGEST_WAIT))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn polls_are_close_at_first_and_widen_while_nothing_moves() {
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
