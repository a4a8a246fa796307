//! How many stacks are in operation at once, and which of those that are ready goes first: the one
//! with the longest way still before it.

use std::cell::{Cell, RefCell};
use std::task::Poll;

use tokio::sync::oneshot;

/// A gate that lets so many through at once.
pub(super) struct Gate {
    free: Cell<usize>,
    queue: RefCell<Vec<Waiter>>,
    came: Cell<usize>,
}

struct Waiter {
    /// Seconds of the longest way from here to the end of the run.
    remaining: f64,
    /// Who came first goes first where the ways are equally long.
    number: usize,
    go: oneshot::Sender<()>,
}

/// Leave to be in operation; given back when dropped.
pub(super) struct Pass<'g>(&'g Gate);

impl Gate {
    /// `parallel` of none would never begin: it counts as one.
    pub fn new(parallel: usize) -> Self {
        Self {
            free: Cell::new(parallel.max(1)),
            queue: RefCell::default(),
            came: Cell::new(0),
        }
    }

    /// Waits for leave to begin.
    pub async fn pass(&self, remaining: f64) -> Pass<'_> {
        let (go, called) = oneshot::channel();
        let number = self.came.get();
        self.came.set(number + 1);
        self.queue.borrow_mut().push(Waiter {
            remaining,
            number,
            go,
        });
        // Whoever becomes ready in the same moment is heard before anybody is let through.
        give_way().await;
        self.call();
        let _ = called.await;
        Pass(self)
    }

    fn call(&self) {
        while self.free.get() > 0 {
            let Some(next) = self.next() else { return };
            if next.go.send(()).is_ok() {
                self.free.set(self.free.get() - 1);
            }
        }
    }

    fn next(&self) -> Option<Waiter> {
        let mut queue = self.queue.borrow_mut();
        let rank = |one: &Waiter, other: &Waiter| {
            let longer = one.remaining.total_cmp(&other.remaining);
            longer.then(other.number.cmp(&one.number))
        };
        let best = (0..queue.len()).max_by(|a, b| match (queue.get(*a), queue.get(*b)) {
            (Some(a), Some(b)) => rank(a, b),
            _ => std::cmp::Ordering::Equal,
        })?;
        Some(queue.swap_remove(best))
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        self.0.free.set(self.0.free.get() + 1);
        self.0.call();
    }
}

/// Lets everybody else who can go on do so first.
async fn give_way() {
    let mut gave = false;
    std::future::poll_fn(|context| {
        if gave {
            return Poll::Ready(());
        }
        gave = true;
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
