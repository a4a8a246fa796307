//! The one rate limiter: how many calls a second AWS gets from this tool, by service and by whether they
//! change anything. Waits on the cloud's own clock.
//!
//! AWS counts calls by account, region and API action, so everybody who uses one cloud shares one limiter, and one
//! throttle slows all of them. [`Aws`](super::aws::Aws) asks it before every request, each page and each poll too;
//! [`Limited`](super::Limited) puts it around a cloud that has none.

mod bucket;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;

use super::{CloudError, WriteGate};
use crate::common::Clock;
use bucket::{Bucket, Limit};

/// A service of AWS that is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Service {
    AutoScaling,
    /// Elastic Load Balancing's first API, that of classic load balancers.
    ClassicLoadBalancing,
    CloudFormation,
    Ec2,
    Iam,
    Kms,
    /// Elastic Load Balancing's second API.
    LoadBalancing,
    /// `CloudWatch` Logs.
    Logs,
    Pricing,
    /// Service Quotas.
    Quotas,
    Rds,
    Route53,
    S3,
    S3Control,
    Ssm,
    Sts,
    /// Resource Groups Tagging.
    Tagging,
}

/// Whether a call changes anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum CallKind {
    Read,
    Write,
    /// Changes the operation lock alone: passes no gate.
    Lock,
}

impl CallKind {
    /// As the name of an API action says it.
    pub fn of(call: &str) -> Self {
        let reads = ["Describe", "Get", "Head", "List"];
        if reads.iter().any(|verb| call.starts_with(verb)) {
            Self::Read
        } else {
            Self::Write
        }
    }
}

/// One bucket of tokens for each kind of call, shared by all clones.
#[derive(Debug, Clone, Default)]
pub struct Limiter {
    buckets: Arc<Mutex<BTreeMap<(Service, CallKind), Bucket>>>,
    gate: WriteGate,
}

impl Limiter {
    /// Holds writes back while the operation lock is not certainly held.
    pub fn gate(&self) -> &WriteGate {
        &self.gate
    }

    /// Waits until the next call of that kind may go out. First come, first served.
    pub async fn acquire(&self, clock: &impl Clock, service: Service, effect: CallKind) {
        let now = clock.now();
        let delay = self.with_bucket(service, effect, now, |bucket| bucket.take(now));
        if !delay.is_zero() {
            let token = Token {
                limiter: self,
                kind: (service, effect),
            };
            clock.sleep(delay).await;
            std::mem::forget(token);
        }
        match effect {
            CallKind::Write => self.gate.pass(clock).await,
            CallKind::Read | CallKind::Lock => {}
        }
    }

    /// AWS asked to slow down: everybody does.
    pub fn throttled(&self, now: Timestamp, service: Service, effect: CallKind) {
        self.with_bucket(service, effect, now, |bucket| bucket.slow_down(now));
    }

    /// Makes a call when it may go out, and slows down if it is throttled.
    pub(super) async fn call<T>(
        &self,
        clock: &impl Clock,
        (service, effect): (Service, CallKind),
        request: impl Future<Output = Result<T, CloudError>>,
    ) -> Result<T, CloudError> {
        self.acquire(clock, service, effect).await;
        let answer = request.await;
        if matches!(answer, Err(CloudError::Throttled(_))) {
            self.throttled(clock.now(), service, effect);
        }
        answer
    }

    #[cfg(test)]
    pub(super) fn is_slowed(&self, service: Service, effect: CallKind) -> bool {
        let buckets = self.buckets();
        let bucket = buckets.get(&(service, effect));
        bucket.is_some_and(|bucket| bucket.throttled.is_some())
    }

    fn with_bucket<T>(
        &self,
        service: Service,
        effect: CallKind,
        now: Timestamp,
        work: impl FnOnce(&mut Bucket) -> T,
    ) -> T {
        let mut buckets = self.buckets();
        let full = || Bucket::full(Limit::of(service, effect), now);
        work(buckets.entry((service, effect)).or_insert_with(full))
    }

    fn buckets(&self) -> MutexGuard<'_, BTreeMap<(Service, CallKind), Bucket>> {
        self.buckets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A call's token while it waits. Dropped when the caller stops waiting: then the call is not made, and
/// the token serves the next one.
struct Token<'a> {
    limiter: &'a Limiter,
    kind: (Service, CallKind),
}

impl Drop for Token<'_> {
    fn drop(&mut self) {
        if let Some(bucket) = self.limiter.buckets().get_mut(&self.kind) {
            bucket.tokens += 1.0;
        }
    }
}
