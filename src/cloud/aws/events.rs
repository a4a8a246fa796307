//! The events of one operation, out of a history that is served newest first and never cleanly cut.
//! The clock of this machine plays no part: an operation begins with its own first event.

use std::collections::HashSet;

use aws_sdk_cloudformation::types;

use super::error::{Asked, explain};
use super::{Aws, timestamp};
use crate::cloud::{CloudError, Operation, ResourceStatus, StackEvent, StackStatus};

/// How many pages without a trace of our operation are read before it counts as not yet visible.
const SEARCHED: usize = 10;

/// Whether the next, older page is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Page {
    Next,
    Enough,
}

/// Picks an operation's events out of pages that are fed newest first.
#[derive(Debug)]
pub(super) struct Picker<'a> {
    token: Option<&'a str>,
    seen: &'a HashSet<String>,
    /// Newest first.
    picked: Vec<StackEvent>,
    /// Ids met in this reading: pages shift while events arrive, so one event can come twice.
    met: HashSet<String>,
    start: Option<StackEvent>,
    pages: usize,
    ours_met: bool,
}

impl<'a> Picker<'a> {
    pub(super) fn new(operation: &'a Operation, seen: &'a HashSet<String>) -> Self {
        Self {
            token: operation.token.as_deref(),
            seen,
            picked: Vec::new(),
            met: HashSet::new(),
            start: None,
            pages: 0,
            ours_met: false,
        }
    }

    /// Takes one page. All of it is looked at, also past a known event: events of the same moment
    /// come in any order, and late ones turn up below known ones.
    pub(super) fn feed(&mut self, page: impl IntoIterator<Item = StackEvent>) -> Page {
        self.pages += 1;
        let mut known = false;
        for event in page {
            if !self.met.insert(event.id.clone()) {
                continue;
            }
            known |= self.seen.contains(&event.id);
            self.look_at(event);
        }
        let lost = !self.ours_met && self.pages >= SEARCHED;
        if known || lost || self.start.is_some() {
            Page::Enough
        } else {
            Page::Next
        }
    }

    fn look_at(&mut self, event: StackEvent) {
        if let Some(start) = &self.start {
            // Written in the same moment as the start, sorted below it.
            if event.at == start.at && event.token.is_some() && event.token == start.token {
                self.pick(event);
            }
            return;
        }
        match (self.token, event.token.as_deref()) {
            (Some(ours), theirs) if theirs != Some(ours) && starts_operation(&event) => {
                // What came above without a token was of this later operation, not of ours.
                self.picked.retain(|kept| kept.token.is_some());
                return;
            }
            (Some(ours), Some(theirs)) if ours != theirs => return,
            (Some(_), None) => {}
            (Some(_), Some(_)) | (None, _) => self.ours_met = true,
        }
        if starts_operation(&event) {
            self.start = Some(event);
        } else {
            self.pick(event);
        }
    }

    fn pick(&mut self, event: StackEvent) {
        if !self.seen.contains(&event.id) {
            self.picked.push(event);
        }
    }

    /// The operation's unseen events, oldest first. None without a trace of the operation.
    pub(super) fn finish(mut self) -> Vec<StackEvent> {
        if !self.ours_met && self.seen.is_empty() {
            return Vec::new();
        }
        if let Some(start) = self.start.take() {
            self.pick(start);
        }
        self.picked.reverse();
        self.picked
    }
}

/// The first event of a create, update, import or delete. A rollback belongs to what it rolls back.
fn starts_operation(event: &StackEvent) -> bool {
    matches!(
        event.stack_status,
        Some(
            StackStatus::CreateInProgress
                | StackStatus::UpdateInProgress
                | StackStatus::ImportInProgress
                | StackStatus::DeleteInProgress
        )
    )
}

pub(super) async fn events(
    aws: &Aws,
    operation: &Operation,
    seen: &HashSet<String>,
) -> Result<Vec<StackEvent>, CloudError> {
    Ok(read(aws, operation, seen).await?.finish())
}

/// Whether the operation of this token has begun on the stack.
pub(super) async fn has_begun(aws: &Aws, stack_id: &str, token: &str) -> Result<bool, CloudError> {
    let operation = Operation {
        stack_id: stack_id.to_owned(),
        token: Some(token.to_owned()),
    };
    let seen = HashSet::new();
    Ok(read(aws, &operation, &seen).await?.start.is_some())
}

/// Whether the operation of this token is the newest of the stack.
pub(super) async fn is_newest(aws: &Aws, stack_id: &str, token: &str) -> Result<bool, CloudError> {
    let operation = Operation {
        stack_id: stack_id.to_owned(),
        token: None,
    };
    let seen = HashSet::new();
    let start = read(aws, &operation, &seen).await?.start;
    Ok(start.is_some_and(|start| start.token.as_deref() == Some(token)))
}

async fn read<'a>(
    aws: &Aws,
    operation: &'a Operation,
    seen: &'a HashSet<String>,
) -> Result<Picker<'a>, CloudError> {
    let asked = Asked {
        call: "DescribeStackEvents",
        of: &operation.stack_id,
    };
    let mut picker = Picker::new(operation, seen);
    let mut next = None;
    loop {
        aws.limiter.turn().await;
        let answer = aws
            .cloudformation
            .describe_stack_events()
            .stack_name(&operation.stack_id)
            .set_next_token(next)
            .send()
            .await
            .map_err(|error| explain(asked, &error))?;
        next = answer.next_token;
        let page = answer.stack_events.unwrap_or_default();
        let wanted = picker.feed(page.into_iter().map(ours));
        if wanted == Page::Enough || next.is_none() {
            return Ok(picker);
        }
    }
}

fn ours(event: types::StackEvent) -> StackEvent {
    let status = event
        .resource_status
        .map(|status| status.as_str().to_owned());
    let status = status.unwrap_or_default();
    // A nested stack is a resource of that type too, but not the stack itself.
    let about_stack = event.resource_type.as_deref() == Some("AWS::CloudFormation::Stack")
        && event.physical_resource_id.is_some()
        && event.physical_resource_id == event.stack_id;
    StackEvent {
        id: event.event_id.unwrap_or_default(),
        at: timestamp(event.timestamp),
        logical_id: event.logical_resource_id.unwrap_or_default(),
        physical_id: event.physical_resource_id.filter(|id| !id.is_empty()),
        resource_type: event.resource_type.unwrap_or_default(),
        stack_status: about_stack.then(|| StackStatus::from(status.as_str())),
        status: ResourceStatus::new(status),
        reason: event.resource_status_reason.filter(|text| !text.is_empty()),
        token: event.client_request_token,
    }
}

#[cfg(test)]
mod tests;
