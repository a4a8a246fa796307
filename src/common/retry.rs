//! Asking again: retries with exponential backoff over a [`Clock`], and polling until something is so.

use std::time::Duration;

use super::Clock;

/// Waits between the tries of one request: each twice as long as the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    first: Duration,
    longest: Duration,
    tries: u32,
}

impl Backoff {
    /// For a request to AWS that bears repeating: five tries at 0, 1, 3, 7 and 15 seconds.
    pub const REQUEST: Self = Self::new(Duration::from_secs(1), 5);

    /// For `tries` requests in all, the second one `first` after the first.
    pub const fn new(first: Duration, tries: u32) -> Self {
        Self {
            first,
            longest: Duration::MAX,
            tries,
        }
    }

    /// No wait longer than this.
    #[must_use]
    pub const fn at_most(self, longest: Duration) -> Self {
        Self { longest, ..self }
    }

    /// The same wait between all tries.
    pub const fn constant(wait: Duration, tries: u32) -> Self {
        Self::new(wait, tries).at_most(wait)
    }

    /// The waits, one fewer than there are tries.
    pub fn waits(self) -> impl Iterator<Item = Duration> {
        let factor = |retry| 2_u32.saturating_pow(retry);
        (0..self.tries.saturating_sub(1))
            .map(move |retry| self.first.saturating_mul(factor(retry)).min(self.longest))
    }
}

/// What came of one try of [`retry`].
#[derive(Debug)]
pub enum Try<T> {
    /// The answer, good or bad: nothing is asked again.
    Final(T),
    /// Worth asking again; this is the answer if no try is left.
    Again(T),
}

impl<T, E> Try<Result<T, E>> {
    /// Asks again after an error that `is_transient`.
    pub fn transient(answer: Result<T, E>, is_transient: impl FnOnce(&E) -> bool) -> Self {
        match answer {
            Err(error) if is_transient(&error) => Self::Again(Err(error)),
            answer => Self::Final(answer),
        }
    }

    /// Asks again while the answer `is_pending`; an error is final. For polling.
    pub fn pending(answer: Result<T, E>, is_pending: impl FnOnce(&T) -> bool) -> Self {
        match answer {
            Ok(answer) if is_pending(&answer) => Self::Again(Ok(answer)),
            answer => Self::Final(answer),
        }
    }
}

/// Tries until an answer is final or the tries of `backoff` are used up; then the last answer.
pub async fn retry<T>(
    clock: &impl Clock,
    backoff: Backoff,
    mut request: impl AsyncFnMut() -> Try<T>,
) -> T {
    for wait in backoff.waits() {
        match request().await {
            Try::Final(answer) => return answer,
            Try::Again(_) => clock.sleep(wait).await,
        }
    }
    match request().await {
        Try::Final(answer) | Try::Again(answer) => answer,
    }
}

#[cfg(test)]
mod tests {
    use std::cell::{Cell, RefCell};

    use jiff::Timestamp;

    use super::*;

    #[derive(Default)]
    struct Waits(RefCell<Vec<u64>>);

    impl Clock for Waits {
        fn now(&self) -> Timestamp {
            Timestamp::UNIX_EPOCH
        }

        async fn sleep(&self, time: Duration) {
            self.0.borrow_mut().push(time.as_secs());
        }
    }

    async fn waited(backoff: Backoff, good_try: u32) -> (Vec<u64>, Result<u32, u32>) {
        let (clock, tries) = (Waits::default(), Cell::new(0));
        let answer = retry(&clock, backoff, async || {
            tries.set(tries.get() + 1);
            let answer = if tries.get() == good_try {
                Ok(tries.get())
            } else {
                Err(tries.get())
            };
            Try::transient(answer, |error| *error != 3)
        })
        .await;
        (clock.0.into_inner(), answer)
    }

    #[tokio::test]
    async fn retries_double_their_wait_up_to_the_longest() {
        let backoff = Backoff::new(Duration::from_secs(1), 3);
        assert_eq!(waited(backoff, 9).await, (vec![1, 2], Err(3)));
        let backoff = Backoff::new(Duration::from_secs(4), 9).at_most(Duration::from_secs(6));
        assert_eq!(waited(backoff, 2).await, (vec![4], Ok(2)));
        assert_eq!(waited(backoff, 9).await, (vec![4, 6], Err(3)));
        let backoff = Backoff::constant(Duration::from_secs(5), 2);
        assert_eq!(waited(backoff, 9).await, (vec![5], Err(2)));
    }
}
