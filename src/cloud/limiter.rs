//! The one rate limiter: how many calls a second AWS gets from this tool, by service and by whether they
//! change anything. Waits on the cloud's own clock.
//!
//! AWS counts calls by account, region and API action, so everybody who uses one cloud shares one limiter, and one
//! throttle slows all of them. [`Aws`](super::aws::Aws) asks it before every request, each page and each poll too;
//! [`Limited`](super::Limited) puts it around a cloud that has none.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;

use super::{CloudError, WriteGate};
use crate::common::Clock;
use crate::common::clock::elapsed;

/// Below one call a second half a dozen followed stacks would look dead.
const SLOWEST: f64 = 1.0;
/// A quiet time after which the rate doubles again.
const RECOVERY: Duration = Duration::from_secs(10);
/// Throttles that come together are one throttle: several calls were under way.
const SAME_THROTTLE: Duration = Duration::from_secs(1);

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

/// What is allowed of a kind of call.
#[derive(Debug, Clone, Copy)]
struct Limit {
    /// Calls a second in the long run.
    rate: f64,
    /// Calls that may go out at once after a quiet time.
    burst: f64,
}

impl Limit {
    const fn new(rate: f64, burst: f64) -> Self {
        Self { rate, burst }
    }

    /// For CloudFormation AWS publishes no figures: a reader of `DescribeStacks` is throttled at about
    /// five calls a second (aws-sam-cli#2671), 30 stacks deployed at once always are (aws-cdk-cli#1777).
    /// Half of what AWS documents: EC2 reads (bucket of 100, 20 a second; "Request throttling for the
    /// Amazon EC2 API"), `GetParameter` (40 a second; Systems Manager's endpoints and quotas), reads of each API of Elastic
    /// Load Balancing (bucket of 40, 10 a second; "Request throttling for the Elastic Load Balancing API") and Route 53
    /// (5 a second for a whole account, external-dns's calls among them; Route 53's quotas).
    /// The rest is cautious where calls are few, and wide for S3 and STS, which take hundreds.
    const fn of(service: Service, effect: CallKind) -> Self {
        match (service, effect) {
            // One every 20 seconds.
            (_, CallKind::Lock) => Self::new(3.0, 10.0),
            (Service::CloudFormation, CallKind::Read) | (Service::Ssm, CallKind::Write) => {
                Self::new(3.0, 10.0)
            }
            // A run makes a few a stack: they wait only after a throttle, so that one that is sent and one
            // that waits to be sent are hardly ever mixed up when the run is stopped.
            (Service::CloudFormation, CallKind::Write) => Self::new(5.0, 100.0),
            (Service::Ec2, CallKind::Read) => Self::new(10.0, 50.0),
            (Service::Ec2 | Service::AutoScaling | Service::Rds, CallKind::Write) => {
                Self::new(2.0, 20.0)
            }
            (Service::Ssm, CallKind::Read) | (Service::Kms, _) => Self::new(20.0, 20.0),
            // AWS publishes no figures; a plan asks one question about a pool, one about a database.
            (Service::AutoScaling | Service::Rds, CallKind::Read) => Self::new(5.0, 20.0),
            (Service::LoadBalancing | Service::ClassicLoadBalancing, CallKind::Read) => {
                Self::new(5.0, 20.0)
            }
            (Service::LoadBalancing | Service::ClassicLoadBalancing, CallKind::Write) => {
                Self::new(2.0, 10.0)
            }
            (Service::Route53, _) => Self::new(2.5, 5.0),
            (
                Service::Pricing
                | Service::S3Control
                | Service::Quotas
                | Service::Tagging
                | Service::Logs,
                _,
            ) => Self::new(5.0, 10.0),
            // A check of a cluster reads about twenty things of IAM.
            (Service::Iam, _) => Self::new(5.0, 30.0),
            (Service::S3 | Service::Sts, _) => Self::new(100.0, 100.0),
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

/// A token bucket whose rate halves at every throttle and recovers by itself.
#[derive(Debug)]
struct Bucket {
    limit: Limit,
    /// Below zero when callers are waiting already.
    tokens: f64,
    filled: Timestamp,
    rate: f64,
    throttled: Option<Timestamp>,
}

impl Bucket {
    fn full(limit: Limit, now: Timestamp) -> Self {
        Self {
            limit,
            tokens: limit.burst,
            filled: now,
            rate: limit.rate,
            throttled: None,
        }
    }

    fn take(&mut self, now: Timestamp) -> Duration {
        self.recover(now);
        self.fill(now);
        self.tokens -= 1.0;
        if self.tokens >= 0.0 {
            Duration::ZERO
        } else {
            Duration::from_secs_f64(-self.tokens / self.rate)
        }
    }

    fn fill(&mut self, now: Timestamp) {
        let quiet = elapsed(self.filled, now).as_secs_f64();
        self.tokens = (self.tokens + quiet * self.rate).min(self.limit.burst);
        self.filled = now;
    }

    fn recover(&mut self, now: Timestamp) {
        while let Some(since) = self.throttled {
            if elapsed(since, now) < RECOVERY {
                return;
            }
            self.rate = (self.rate * 2.0).min(self.limit.rate);
            self.throttled = (self.rate < self.limit.rate).then(|| since + RECOVERY);
        }
    }

    fn slow_down(&mut self, now: Timestamp) {
        if self
            .throttled
            .is_some_and(|since| elapsed(since, now) < SAME_THROTTLE)
        {
            return;
        }
        self.fill(now);
        self.tokens = self.tokens.min(0.0);
        self.rate = (self.rate / 2.0).max(SLOWEST);
        self.throttled = Some(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::common::SystemClock;

    const READ: (Service, CallKind) = (Service::CloudFormation, CallKind::Read);

    struct Reader {
        limiter: Limiter,
        clock: SystemClock,
    }

    impl Reader {
        fn new() -> Self {
            Self {
                limiter: Limiter::default(),
                clock: SystemClock::start(),
            }
        }

        async fn seconds_for(&self, calls: usize) -> f64 {
            let start = self.clock.now();
            for _ in 0..calls {
                self.limiter.acquire(&self.clock, READ.0, READ.1).await;
            }
            elapsed(start, self.clock.now()).as_secs_f64()
        }

        fn throttled(&self) {
            self.limiter.throttled(self.clock.now(), READ.0, READ.1);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn limiter_allows_a_burst_then_three_calls_a_second() {
        let reader = Reader::new();
        assert!(reader.seconds_for(10).await < 0.01);
        let taken = reader.seconds_for(30).await;
        assert!((9.9..10.2).contains(&taken), "{taken}");
    }

    #[tokio::test(start_paused = true)]
    async fn limiter_is_shared_by_all_callers() {
        let reader = Reader::new();
        let start = reader.clock.now();
        let followers = (0..20).map(|_| reader.seconds_for(4));
        futures::future::join_all(followers).await;
        let taken = elapsed(start, reader.clock.now()).as_secs_f64();
        assert!((23.0..24.0).contains(&taken), "{taken}");
    }

    #[tokio::test(start_paused = true)]
    async fn throttle_halves_the_rate_and_empties_the_burst() {
        let reader = Reader::new();
        reader.throttled();
        reader.throttled();
        let taken = reader.seconds_for(6).await;
        assert!((3.9..4.2).contains(&taken), "{taken}");
    }

    #[tokio::test(start_paused = true)]
    async fn repeated_throttles_keep_a_minimum_rate() {
        let reader = Reader::new();
        for _ in 0..20 {
            reader.throttled();
            tokio::time::sleep(Duration::from_secs(2)).await;
        }
        reader.throttled();
        assert!(reader.seconds_for(1).await < 3.0);
    }

    #[tokio::test(start_paused = true)]
    async fn rate_recovers_after_a_quiet_time() {
        let reader = Reader::new();
        reader.throttled();
        tokio::time::sleep(Duration::from_secs(20)).await;
        reader.seconds_for(10).await;
        let taken = reader.seconds_for(30).await;
        assert!((9.9..10.2).contains(&taken), "{taken}");
    }

    #[tokio::test(start_paused = true)]
    async fn limiter_has_a_bucket_per_kind_of_call() {
        let reader = Reader::new();
        reader.throttled();
        let other = [
            (Service::CloudFormation, CallKind::Write),
            (Service::Ssm, CallKind::Read),
        ];
        let start = reader.clock.now();
        for (service, effect) in other {
            for _ in 0..10 {
                reader.limiter.acquire(&reader.clock, service, effect).await;
            }
        }
        assert!(elapsed(start, reader.clock.now()).as_secs_f64() < 0.01);
        assert!(reader.limiter.is_slowed(READ.0, READ.1));
        assert!(!reader.limiter.is_slowed(Service::Ssm, CallKind::Read));
    }

    #[test]
    fn call_kind_follows_the_api_name() {
        for call in [
            "DescribeStacks",
            "GetParametersByPath",
            "HeadBucket",
            "HeadObject",
            "ListStacks",
        ] {
            assert_eq!(CallKind::of(call), CallKind::Read, "{call}");
        }
        for call in [
            "CreateStack",
            "DetectStackDrift",
            "PutParameter",
            "SendCommand",
            "TerminateInstances",
            "RevokeSecurityGroupIngress",
            "ChangeResourceRecordSets",
            "ScheduleKeyDeletion",
        ] {
            assert_eq!(CallKind::of(call), CallKind::Write, "{call}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn calls_that_are_given_up_cost_nothing() {
        let (limiter, clock) = (Limiter::default(), SystemClock::start());
        for _ in 0..10 {
            limiter.acquire(&clock, READ.0, READ.1).await;
        }
        for _ in 0..20 {
            let given_up = limiter.acquire(&clock, READ.0, READ.1);
            let soon = tokio::time::timeout(Duration::from_millis(10), given_up).await;
            assert!(soon.is_err());
        }
        let next = limiter.acquire(&clock, READ.0, READ.1);
        assert!(
            tokio::time::timeout(Duration::from_millis(400), next)
                .await
                .is_ok()
        );
    }
}
