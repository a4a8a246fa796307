//! How many stacks are in operation at once, and which ready stack starts first.
//!
//! Some stacks make machines that join the API of another stack of the same run, and end only after it
//! answers. They must not keep the joined stack from starting, so two rules hold until it is settled:
//! a stack that joins starts only while AWS has accepted the joined one's operation and does not roll it
//! back, and joining stacks never hold the last permit. Every other stack with a permit ends without
//! them, and the joined stack goes before all others: so it always starts, with any number of permits
//! (with one permit: before all that join it). Following an operation that somebody else began takes no
//! permit.

#[cfg(test)]
mod tests;

use std::cell::RefCell;
use std::cmp::Ordering;
use std::pin::pin;

use futures::future::select;
use tokio::sync::{Notify, watch};
use tokio::task::yield_now;

use super::registry::StackState;
use crate::plan::Plan;
use crate::plan::status::rests;
use crate::stacks::StackKind;

/// Hands out permits to be in operation.
pub(super) struct Scheduler {
    permits: usize,
    /// The state of the joined stack; `None` where this run has none.
    joined: Option<watch::Receiver<StackState>>,
    queue: RefCell<Queue>,
    /// The queue is another one, or a permit came back.
    changed: Notify,
}

struct Queue {
    free: usize,
    /// Permits that are held by stacks that join.
    joining: usize,
    waiting: Vec<Waiter>,
    /// How many have come so far.
    numbers: usize,
}

#[derive(Clone, Copy)]
struct Waiter {
    claim: PermitClaim,
    /// The first to come goes first where all else is equal.
    number: usize,
}

/// What decides when a stack gets its permit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct PermitClaim {
    pub role: Role,
    /// Seconds of the longest way from here to the end of the run.
    pub remaining: f64,
}

/// What a stack is to those that wait for the API of another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Role {
    /// It waits for no API, and no stack for its.
    Alone,
    /// Its machines join the other's.
    Joins,
    /// Its API is what others join: it goes first.
    Joined,
}

/// Leave to be in operation, once it is granted; given back when dropped.
pub(super) struct Permit<'s> {
    scheduler: &'s Scheduler,
    waiter: Waiter,
    granted: bool,
}

impl Scheduler {
    /// No permits at all would never begin: they count as one.
    pub fn new(permits: usize, joined: Option<watch::Receiver<StackState>>) -> Self {
        let permits = permits.max(1);
        Self {
            permits,
            joined,
            queue: RefCell::new(Queue {
                free: permits,
                joining: 0,
                waiting: Vec::new(),
                numbers: 0,
            }),
            changed: Notify::new(),
        }
    }

    /// Waits for leave to begin.
    pub async fn acquire(&self, claim: PermitClaim) -> Permit<'_> {
        let mut permit = self.enqueue(claim);
        let mut joined = self.joined.clone();
        loop {
            // What becomes ready in the same moment queues before a permit is handed out.
            yield_now().await;
            if self.grant(&mut permit) {
                return permit;
            }
            let moved = async {
                let moved = match &mut joined {
                    Some(joined) => joined.changed().await.is_ok(),
                    None => false,
                };
                if !moved {
                    std::future::pending::<()>().await;
                }
            };
            select(pin!(moved), pin!(self.changed.notified())).await;
        }
    }

    fn enqueue(&self, claim: PermitClaim) -> Permit<'_> {
        let mut queue = self.queue.borrow_mut();
        let number = queue.numbers;
        let waiter = Waiter { claim, number };
        queue.numbers += 1;
        queue.waiting.push(waiter);
        Permit {
            scheduler: self,
            waiter,
            granted: false,
        }
    }

    /// Grants a permit if it is the next one; then another may be next.
    fn grant(&self, permit: &mut Permit<'_>) -> bool {
        let mut queue = self.queue.borrow_mut();
        let may_join = self.may_join(&queue);
        let may = |waiter: &&Waiter| waiter.claim.role != Role::Joins || may_join;
        let next = queue.waiting.iter().filter(may).max_by(|a, b| rank(a, b));
        let number = permit.waiter.number;
        if queue.free == 0 || next.is_none_or(|next| next.number != number) {
            return false;
        }
        queue.waiting.retain(|waiter| waiter.number != number);
        queue.free -= 1;
        queue.joining += usize::from(permit.waiter.claim.role == Role::Joins);
        permit.granted = true;
        self.changed.notify_waiters();
        true
    }

    /// Whether one more stack that joins may start.
    fn may_join(&self, queue: &Queue) -> bool {
        let Some(joined) = &self.joined else {
            return true;
        };
        match &*joined.borrow() {
            StackState::Waiting | StackState::Requested | StackState::RollingBack => false,
            StackState::External { rolling_back, .. } if *rolling_back => false,
            StackState::Running | StackState::External { .. } => queue.joining + 1 < self.permits,
            StackState::Settled(..) | StackState::Lost(_) | StackState::Left => true,
        }
    }
}

fn rank(one: &Waiter, other: &Waiter) -> Ordering {
    let first = |waiter: &Waiter| waiter.claim.role == Role::Joined;
    let longer = one.claim.remaining.total_cmp(&other.claim.remaining);
    let joined = first(one).cmp(&first(other));
    joined.then(longer).then(other.number.cmp(&one.number))
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        let mut queue = self.scheduler.queue.borrow_mut();
        if self.granted {
            queue.free += 1;
            queue.joining -= usize::from(self.waiter.claim.role == Role::Joins);
        } else {
            let number = self.waiter.number;
            queue.waiting.retain(|waiter| waiter.number != number);
        }
        self.scheduler.changed.notify_waiters();
    }
}

/// The stack whose API the machines of others join.
pub(super) struct JoinedStack {
    pub kind: StackKind,
    /// Whether it served before this run.
    pub serves: bool,
}

impl JoinedStack {
    pub fn of(plan: &Plan) -> Option<Self> {
        let kind = plan.steps.iter().find_map(|step| step.stack.kind.joins())?;
        let step = plan.steps.iter().find(|step| step.stack.kind == kind)?;
        let serves = step.found.as_ref().is_some_and(|found| {
            rests(&found.status) || found.status.as_str().starts_with("UPDATE_")
        });
        Some(Self { kind, serves })
    }
}
