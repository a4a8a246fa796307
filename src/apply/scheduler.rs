//! How many stacks are in operation at once, and which of those that are ready goes first.
//!
//! Some stacks make machines that join the API of another stack of the same run, and end only after it
//! answers. They must not keep the joined stack from starting, so two rules hold until it is settled:
//! a stack that joins starts only while AWS has accepted the joined one's operation and does not roll it
//! back, and joining stacks never hold the last permit. Every other stack with a permit ends without
//! them, and the joined stack goes before all others: so it always starts, with any number of permits
//! (with one permit: before all that join it). Following an operation that somebody else began takes no
//! permit.

use std::cell::{Cell, RefCell};
use std::cmp::Ordering;
use std::convert::Infallible;
use std::pin::pin;
use std::task::Poll;

use futures::future::{Either, select};
use tokio::sync::{Notify, oneshot, watch};

use super::registry::StackState;
use crate::plan::Plan;
use crate::plan::status::rests;
use crate::stacks::StackKind;

/// Hands out permits to be in operation.
pub(super) struct Scheduler {
    permits: usize,
    free: Cell<usize>,
    /// Permits that are held by stacks that join.
    joining: Cell<usize>,
    /// Where the joined stack is; `None` where this run has none.
    joined: Option<watch::Receiver<StackState>>,
    queue: RefCell<Vec<Waiter>>,
    came: Cell<usize>,
    /// A permit came back.
    returned: Notify,
}

/// What decides when a stack gets its permit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Claim {
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

struct Waiter {
    claim: Claim,
    /// Who came first goes first where all else is equal.
    number: usize,
    go: oneshot::Sender<()>,
}

/// Leave to be in operation; given back when dropped.
pub(super) struct Permit<'s> {
    scheduler: &'s Scheduler,
    role: Role,
}

impl Scheduler {
    /// No permits at all would never begin: they count as one.
    pub fn new(permits: usize, joined: Option<watch::Receiver<StackState>>) -> Self {
        let permits = permits.max(1);
        Self {
            permits,
            free: Cell::new(permits),
            joining: Cell::new(0),
            joined,
            queue: RefCell::default(),
            came: Cell::new(0),
            returned: Notify::new(),
        }
    }

    /// Waits for leave to begin.
    pub async fn acquire(&self, claim: Claim) -> Permit<'_> {
        let (go, called) = oneshot::channel();
        let number = self.came.get();
        self.came.set(number + 1);
        self.queue.borrow_mut().push(Waiter { claim, number, go });
        // What becomes ready in the same moment is heard before a permit is handed out.
        yield_now().await;
        self.call();
        let _ = called.await;
        Permit {
            scheduler: self,
            role: claim.role,
        }
    }

    /// Does `work`, and hands out what becomes free meanwhile.
    pub async fn run<T>(&self, work: impl Future<Output = T>) -> T {
        let (work, attend) = (pin!(work), pin!(self.attend()));
        match select(work, attend).await {
            Either::Left((done, _)) => done,
            Either::Right((never, _)) => match never {},
        }
    }

    /// Looks at the queue whenever a permit comes back or the joined stack moves.
    async fn attend(&self) -> Infallible {
        let mut joined = self.joined.clone();
        loop {
            let moved = async {
                let moved = match &mut joined {
                    Some(joined) => joined.changed().await.is_ok(),
                    None => false,
                };
                if !moved {
                    std::future::pending::<()>().await;
                }
            };
            select(pin!(moved), pin!(self.returned.notified())).await;
            // What the end of one stack makes ready is heard before its permit goes to another.
            yield_now().await;
            self.call();
        }
    }

    fn call(&self) {
        while self.free.get() > 0 {
            let Some(next) = self.next() else { return };
            if next.go.send(()).is_ok() {
                self.free.set(self.free.get() - 1);
                if next.claim.role == Role::Joins {
                    self.joining.set(self.joining.get() + 1);
                }
            }
        }
    }

    fn next(&self) -> Option<Waiter> {
        let may_join = self.may_join();
        let mut queue = self.queue.borrow_mut();
        let may = |waiter: &Waiter| waiter.claim.role != Role::Joins || may_join;
        let ready = queue.iter().enumerate().filter(|(_, waiter)| may(waiter));
        let (first, _) = ready.max_by(|(_, a), (_, b)| rank(a, b))?;
        Some(queue.swap_remove(first))
    }

    /// Whether one more stack that joins may start.
    fn may_join(&self) -> bool {
        let Some(joined) = &self.joined else {
            return true;
        };
        match &*joined.borrow() {
            StackState::Waiting | StackState::Requested | StackState::RollingBack => false,
            StackState::External { rolling_back, .. } if *rolling_back => false,
            StackState::Running | StackState::External { .. } => {
                self.joining.get() + 1 < self.permits
            }
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
        let Self { scheduler, role } = self;
        scheduler.free.set(scheduler.free.get() + 1);
        if *role == Role::Joins {
            scheduler.joining.set(scheduler.joining.get() - 1);
        }
        scheduler.returned.notify_one();
    }
}

/// The stack whose API the machines of others join.
pub(super) struct Joined {
    pub kind: StackKind,
    /// Whether it served before this run.
    pub serves: bool,
}

impl Joined {
    pub fn of(plan: &Plan) -> Option<Self> {
        let kind = plan.steps.iter().find_map(|step| step.stack.kind.joins())?;
        let step = plan.steps.iter().find(|step| step.stack.kind == kind)?;
        let serves = step.found.as_ref().is_some_and(|found| {
            rests(&found.status) || found.status.as_str().starts_with("UPDATE_")
        });
        Some(Self { kind, serves })
    }

    /// What `stack` is in a run with this joined stack; `joins` says whether its machines join one.
    pub fn role(joined: Option<&Self>, stack: &StackKind, joins: bool) -> Role {
        match joined {
            Some(joined) if joined.kind == *stack => Role::Joined,
            _ if joins => Role::Joins,
            _ => Role::Alone,
        }
    }
}

/// Lets everybody else who can go on do so first.
async fn yield_now() {
    let mut yielded = false;
    std::future::poll_fn(|context| {
        if yielded {
            return Poll::Ready(());
        }
        yielded = true;
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
