//! The limiter under many callers and throttles, in virtual time.

use std::time::Duration;

use super::*;
use crate::common::SystemClock;
use crate::common::clock::elapsed;

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
