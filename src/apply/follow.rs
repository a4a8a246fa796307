//! Following one operation of one stack to its end. A poll that fails never decides a verdict: only
//! the stack's own last event, confirmed by the stack, does.

use std::time::Duration;

use super::cause::Words;
use super::pulse::{Pulse, Woken};
use super::tell::Teller;
use super::track::Track;
use crate::cloud::{
    Cloud, CloudError, Console, LiveStack, Operation, StackEvent, StackStatus, Store,
};
use crate::events::Verb;
use crate::stacks::StackKind;

/// The end of an operation.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Rest {
    pub status: StackStatus,
    /// The stack at its end; `None` when it is gone.
    pub found: Option<LiveStack>,
    /// Everything that happened, in the order in which AWS told it.
    pub events: Vec<StackEvent>,
    /// What a machine said last whose group never reported.
    pub console: Option<Console>,
}

/// Nobody can follow any more; the operation goes on in AWS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Astray {
    Lost(String),
    /// Nor can anybody else: the credentials have ended.
    Expired(CloudError),
}

/// How to tell what is followed.
pub(super) struct Subject<'a> {
    pub kind: &'a StackKind,
    pub words: Words<'a>,
    /// What is done. Where it is a deletion, the stack going away is what was asked for.
    pub verb: Verb,
    pub course: Course,
}

/// Which way an operation goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Course {
    Forth,
    /// It goes back from the start: a rollback that is gone on with.
    Back,
}

/// Follows an operation to its end, telling every resource's movement once.
pub(super) async fn follow<C: Cloud + Store>(
    pulse: &Pulse<'_, C>,
    operation: &Operation,
    subject: &Subject<'_>,
    tell: Teller<'_, C>,
) -> Result<Rest, Astray> {
    let mut member = pulse.join(&operation.stack_id);
    let mut track = Track::new(operation, subject, tell);
    let mut woken = Woken::Time;
    let mut wait = Duration::ZERO;
    member.turn().await;
    loop {
        let looked = track.look(pulse.cloud(), &member, woken).await;
        wait = match looked {
            Ok(Some((status, found))) => {
                track.last_read(pulse.cloud(), &member).await;
                return Ok(Rest {
                    status,
                    found,
                    events: track.events,
                    console: track.console,
                });
            }
            Ok(None) => track.next(),
            Err(error) => track.trouble(error, wait)?,
        };
        woken = member.wait(wait).await;
    }
}
