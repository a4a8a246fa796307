//! The settings of one run: everything it gets besides its plan.

use std::collections::BTreeMap;

use tokio::sync::mpsc::UnboundedSender;

use super::diagnose::Explain;
use crate::events::{Event, Span};
use crate::stacks::StackKind;

/// How many stacks are in operation at once by default.
const PARALLEL: usize = 10;

static NO_LENGTHS: BTreeMap<StackKind, f64> = BTreeMap::new();
static NO_SPANS: BTreeMap<StackKind, Span> = BTreeMap::new();

/// The settings of one run: everything it gets besides its plan.
#[derive(Clone, Copy)]
pub struct Session<'a> {
    /// Names the run: the tokens of all its requests derive from it. The plan was made with the same.
    pub run: &'a str,
    pub events: &'a UnboundedSender<Event>,
    /// Seconds from the start of each stack to the end of the run along the longest path. Of the ready
    /// stacks the one with the longest path starts first, after a stack whose API the machines of others
    /// join. A stack that is not in here starts last.
    pub remaining: &'a BTreeMap<StackKind, f64>,
    /// Expected duration of each stack, for the screen.
    pub spans: &'a BTreeMap<StackKind, Span>,
    /// How many stacks are in operation at once.
    pub parallel: usize,
    pub on_external_operation: OnExternalOperation,
    /// Where a resource of a stack, or a property of it, comes from.
    pub explain: &'a Explain<'a>,
}

/// What a run does about an operation that another run or person began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnExternalOperation {
    /// Waits for its end, then plans the stack again.
    #[default]
    Wait,
    /// Reports what runs since when, and ends.
    Fail,
}

impl<'a> Session<'a> {
    /// Settings without durations and definitions that wait for external operations.
    pub fn new(run: &'a str, events: &'a UnboundedSender<Event>) -> Self {
        Self {
            run,
            events,
            remaining: &NO_LENGTHS,
            spans: &NO_SPANS,
            parallel: PARALLEL,
            on_external_operation: OnExternalOperation::Wait,
            explain: &|_, _, _| None,
        }
    }

    /// Seconds from the start of this stack to the end of the run; 0 if unknown.
    pub(super) fn remaining(&self, stack: &StackKind) -> f64 {
        self.remaining.get(stack).copied().unwrap_or(0.0)
    }
}
