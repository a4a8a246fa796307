//! What one run is given beside its plan.

use std::collections::BTreeMap;

use tokio::sync::mpsc::UnboundedSender;

use super::diagnose::Explain;
use crate::events::{Event, Span};
use crate::stacks::StackKind;

/// How many stacks are in operation at once by default.
const PARALLEL: usize = 10;

static NO_LENGTHS: BTreeMap<StackKind, f64> = BTreeMap::new();
static NO_SPANS: BTreeMap<StackKind, Span> = BTreeMap::new();

/// What one run is given beside its plan.
#[derive(Clone, Copy)]
pub struct Session<'a> {
    /// Names the run: the tokens of all its requests derive from it. The plan was made with the same.
    pub run: &'a str,
    pub events: &'a UnboundedSender<Event>,
    /// Seconds from the start of each stack to the end of the run along the longest way. Of those
    /// that are ready the longest goes first, after a stack whose API the machines of others join; one
    /// that is not in here comes last.
    pub remaining: &'a BTreeMap<StackKind, f64>,
    /// How long each stack takes by experience, to be shown beside it.
    pub spans: &'a BTreeMap<StackKind, Span>,
    /// How many stacks are in operation at once.
    pub parallel: usize,
    pub meeting: Meeting,
    /// Where a resource of a stack, or a property of it, comes from.
    pub explain: &'a Explain<'a>,
}

/// What a run does when it meets an operation that somebody else has begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Meeting {
    /// Follows it to its end, then plans the stack again.
    #[default]
    Follow,
    /// Says what runs since when, and leaves.
    Stop,
}

impl<'a> Session<'a> {
    /// A run that knows nothing of durations and definitions, and follows what it meets.
    pub fn new(run: &'a str, events: &'a UnboundedSender<Event>) -> Self {
        Self {
            run,
            events,
            remaining: &NO_LENGTHS,
            spans: &NO_SPANS,
            parallel: PARALLEL,
            meeting: Meeting::Follow,
            explain: &|_, _, _| None,
        }
    }

    /// How long the way from this stack to the end is; the shortest of all where nobody knows.
    pub(super) fn remaining(&self, stack: &StackKind) -> f64 {
        self.remaining.get(stack).copied().unwrap_or(0.0)
    }
}
