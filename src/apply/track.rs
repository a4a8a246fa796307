//! What one follower knows of an operation: every event once, the first real failure at once, and
//! what events and stack say of the end.

use crate::common::Clock;
use std::collections::HashSet;
use std::time::Duration;

use futures::future::{Either, select};
use jiff::Timestamp;

use super::cause;
use super::follow::{Astray, Course, Subject};
use super::pulse::{Member, Says, Woken};
use super::tell::Teller;
use crate::cloud::{
    Cloud, CloudError, Console, LiveStack, Operation, StackEvent, StackStatus, Store,
};
use crate::common::clock::elapsed;
use crate::events::Verb;

/// How long a stack may contradict its own last event, or stay silent, before it is taken at its
/// word. Reads of `DescribeStacks` were seen stale for seconds; this leaves room.
const STALE: Duration = Duration::from_mins(1);
/// How long nothing but errors may come back before nobody can be said to follow any more.
const BLIND: Duration = Duration::from_mins(10);
/// Longest wait between two polls that fail.
const LONGEST_WAIT: Duration = Duration::from_secs(30);
/// How often a stack is looked at while neither its events nor a heartbeat say that it moves.
const HEARTBEAT: Duration = Duration::from_secs(30);
/// Tries of the one read after the end.
const LAST_READS: usize = 3;
/// How long a machine's console may take to be read.
const CONSOLE: Duration = Duration::from_secs(10);

/// What a machine of a group said last, while there still is one.
async fn listen(cloud: &(impl Clock + Store), group: Option<&str>) -> Option<Console> {
    let asked = std::pin::pin!(cloud.console(group?));
    let time = std::pin::pin!(cloud.sleep(CONSOLE));
    match select(asked, time).await {
        Either::Left((Ok(console), _)) => console,
        _ => None,
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

/// One follower's knowledge.
pub(super) struct Track<'a, K> {
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
    /// Everything that happened, in the order in which AWS told it.
    pub events: Vec<StackEvent>,
    /// The event that was told as the first real failure.
    blamed: Option<String>,
    /// What a machine said last whose group never reported.
    pub console: Option<Console>,
}

impl<'a, K: Clock> Track<'a, K> {
    pub fn new(operation: &'a Operation, subject: &'a Subject<'a>, tell: Teller<'a, K>) -> Self {
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
            blamed: None,
            console: None,
        }
    }

    fn now(&self) -> Timestamp {
        self.tell.clock.now()
    }

    fn since(&self, moment: Timestamp) -> Duration {
        elapsed(moment, self.now())
    }

    /// It was seen: time to the next look, if this follower were alone.
    pub fn next(&mut self) -> Duration {
        self.blind = None;
        pace(self.since(self.began), self.since(self.moved))
    }

    /// One poll. Something when the operation is over.
    pub async fn look<C: Cloud + Store>(
        &mut self,
        cloud: &C,
        member: &Member<'_, '_, C>,
        woken: Woken,
    ) -> Result<Option<(StackStatus, Option<LiveStack>)>, CloudError> {
        self.read(cloud).await?;
        let ended = self.last_word();
        if ended.is_none() && woken == Woken::Time {
            if member.says() == Says::Moves {
                self.doubt = None;
                return Ok(None);
            }
            if self.since(self.looked) < HEARTBEAT {
                return Ok(None);
            }
        }
        member.turn().await;
        let found = cloud.stack(&self.operation.stack_id).await?;
        self.looked = self.now();
        Ok(self.confirm(ended, found))
    }

    async fn read<C: Cloud + Store>(&mut self, cloud: &C) -> Result<(), CloudError> {
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
        self.blame(cloud).await;
        Ok(())
    }

    /// Tells the first real failure as soon as it is seen, and again when an earlier one turns up.
    /// Not of a deletion: CloudFormation tries what failed there again by itself.
    async fn blame(&mut self, cloud: &(impl Clock + Store)) {
        let verb = self.subject.verb;
        let cause = cause::cause(verb, &self.events).filter(|event| !event.status.is_delete());
        let Some(cause) = cause.filter(|cause| self.blamed.as_ref() != Some(&cause.id)) else {
            return;
        };
        let group = cause.physical_id.clone();
        self.blamed = Some(cause.id.clone());
        let status = self
            .events
            .iter()
            .rev()
            .find_map(|e| e.stack_status.as_ref());
        let told = cause::failure(verb, status, &self.events, &self.subject.words);
        let Some(mut failure) = told else { return };
        if cause::is_silence(&failure) {
            self.console = listen(cloud, group.as_deref()).await;
            if let Some(console) = &self.console {
                failure = cause::with_console(failure, console);
            }
        }
        self.tell.failed(self.subject.kind, &failure);
    }

    fn say(&self, event: &StackEvent) {
        match &event.stack_status {
            None => {
                let sentence = (self.subject.words.sentence)(&event.logical_id);
                self.tell.resource(self.subject.kind, sentence, event);
            }
            Some(StackStatus::RollbackInProgress | StackStatus::UpdateRollbackInProgress)
                if self.subject.course == Course::Forth =>
            {
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
        found: Option<LiveStack>,
    ) -> Option<(StackStatus, Option<LiveStack>)> {
        let says = match &found {
            Some(found) => found.status.clone(),
            None => StackStatus::DeleteComplete,
        };
        // A stack that is gone stays gone: nothing old says so.
        let gone = says == StackStatus::DeleteComplete && self.subject.verb == Verb::Delete;
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
    pub async fn last_read<C: Cloud + Store>(&mut self, cloud: &C, member: &Member<'_, '_, C>) {
        for _ in 0..LAST_READS {
            member.turn().await;
            if self.read(cloud).await.is_ok() {
                return;
            }
            cloud.sleep(Duration::from_secs(1)).await;
        }
    }

    /// An error while looking. Returns the time to the next try.
    pub fn trouble(&mut self, error: CloudError, waited: Duration) -> Result<Duration, Astray> {
        match error {
            CloudError::Credentials { .. } => return Err(Astray::Expired(error)),
            CloudError::Denied { .. } => return Err(Astray::Lost(error.to_string())),
            _ => {}
        }
        match self.blind {
            None => {
                self.blind = Some(self.now());
                self.tell.note(
                    Some(self.subject.kind),
                    format!("can't be seen for the moment, it goes on in AWS: {error}"),
                );
            }
            Some(since) if self.since(since) >= BLIND => {
                return Err(Astray::Lost(error.to_string()));
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
