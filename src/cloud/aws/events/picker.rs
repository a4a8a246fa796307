//! Picks the events of one operation out of pages that are fed newest first. Pure.

use std::collections::HashSet;

use crate::cloud::{StackEvent, StackOperation, StackStatus};

/// How many pages without a trace of our operation are read before it counts as not yet visible.
pub(super) const SEARCHED: usize = 10;

/// Whether the next, older page is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Page {
    Next,
    Enough,
}

/// Picks an operation's events out of pages that are fed newest first.
#[derive(Debug)]
pub(in super::super) struct Picker<'a> {
    token: Option<&'a str>,
    seen: &'a HashSet<String>,
    /// Newest first; with those of an unknown later token until `finish` knows whose they are.
    picked: Vec<StackEvent>,
    /// Ids met in this reading: pages shift while events arrive, so one event can come twice.
    met: HashSet<String>,
    start: Option<StackEvent>,
    pages: usize,
    ours_met: bool,
    /// The newest status of the stack under our token.
    ours_newest: Option<StackStatus>,
    later: Later,
    /// Below our events an older operation began: ours has no start of its own.
    passed: bool,
}

/// Newer events under another token: the rollback of our update that was cancelled elsewhere,
/// or an operation of its own.
#[derive(Debug, Default)]
struct Later {
    /// The oldest status of the stack in it.
    first: Option<StackStatus>,
    /// Some of it was reported before as ours.
    reported: bool,
}

impl<'a> Picker<'a> {
    pub(in super::super) fn new(operation: &'a StackOperation, seen: &'a HashSet<String>) -> Self {
        Self {
            token: operation.token.as_deref(),
            seen,
            picked: Vec::new(),
            met: HashSet::new(),
            start: None,
            pages: 0,
            ours_met: false,
            ours_newest: None,
            later: Later::default(),
            passed: false,
        }
    }

    /// Takes one page. All of it is looked at, also past a known event: events of the same moment
    /// come in any order, and late ones turn up below known ones.
    pub(in super::super) fn feed(&mut self, page: impl IntoIterator<Item = StackEvent>) -> Page {
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
        if known || lost || self.passed || self.start.is_some() {
            Page::Enough
        } else {
            Page::Next
        }
    }

    /// The first event of the operation, if it has been met.
    pub(in super::super) fn start(&self) -> Option<&StackEvent> {
        self.start.as_ref()
    }

    /// Whether anything of the operation has been met.
    pub(in super::super) fn has_events(&self) -> bool {
        self.ours_met
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
                // What came above without our token was of this other operation.
                self.picked
                    .retain(|kept| kept.token.as_deref() == Some(ours));
                self.later = Later::default();
                self.passed |= self.ours_met;
                return;
            }
            (Some(ours), Some(theirs)) if ours != theirs => {
                self.look_at_another(event);
                return;
            }
            (Some(_), None) => {}
            (Some(_), Some(_)) | (None, _) => {
                self.ours_met = true;
                if self.ours_newest.is_none() {
                    self.ours_newest.clone_from(&event.stack_status);
                }
            }
        }
        if starts_operation(&event) {
            self.start = Some(event);
        } else {
            self.pick(event);
        }
    }

    fn look_at_another(&mut self, event: StackEvent) {
        if self.ours_met {
            self.passed |= event.stack_status.is_some();
            return;
        }
        if event.stack_status.is_some() {
            self.later.first.clone_from(&event.stack_status);
        }
        self.later.reported |= self.seen.contains(&event.id);
        self.pick(event);
    }

    fn pick(&mut self, event: StackEvent) {
        if !self.seen.contains(&event.id) {
            self.picked.push(event);
        }
    }

    /// The operation's unseen events, oldest first. None without a trace of the operation.
    pub(in super::super) fn finish(mut self) -> Vec<StackEvent> {
        if !self.ours_met && self.seen.is_empty() {
            return Vec::new();
        }
        if let Some(ours) = self.token
            && !self.later_is_ours()
        {
            let mine = |token: Option<&str>| token.is_none_or(|token| token == ours);
            self.picked.retain(|kept| mine(kept.token.as_deref()));
        }
        if let Some(start) = self.start.take() {
            self.pick(start);
        }
        self.picked.reverse();
        self.picked
    }

    /// The rollback of a cancelled update carries the token of the cancellation. It begins while
    /// ours is still under way; going on with a failed rollback begins after ours has ended.
    fn later_is_ours(&self) -> bool {
        let ended = self
            .ours_newest
            .as_ref()
            .is_some_and(|status| !status.is_in_progress());
        let rolls_back = self.later.first == Some(StackStatus::UpdateRollbackInProgress);
        self.later.reported || (rolls_back && !ended)
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
