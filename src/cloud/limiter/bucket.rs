//! How many calls a second each service allows, and the bucket of tokens that counts them.

use std::time::Duration;

use jiff::Timestamp;

use super::{CallKind, Service};
use crate::common::clock::elapsed;

/// Below one call a second half a dozen followed stacks would look dead.
const SLOWEST: f64 = 1.0;
/// A quiet time after which the rate doubles again.
const RECOVERY: Duration = Duration::from_secs(10);
/// Throttles that come together are one throttle: several calls were under way.
const SAME_THROTTLE: Duration = Duration::from_secs(1);

/// What is allowed of a kind of call.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limit {
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
    pub const fn of(service: Service, effect: CallKind) -> Self {
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

/// A token bucket whose rate halves at every throttle and recovers by itself.
#[derive(Debug)]
pub(super) struct Bucket {
    limit: Limit,
    /// Below zero when callers are waiting already.
    pub tokens: f64,
    filled: Timestamp,
    rate: f64,
    pub throttled: Option<Timestamp>,
}

impl Bucket {
    pub fn full(limit: Limit, now: Timestamp) -> Self {
        Self {
            limit,
            tokens: limit.burst,
            filled: now,
            rate: limit.rate,
            throttled: None,
        }
    }

    pub fn take(&mut self, now: Timestamp) -> Duration {
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

    pub fn slow_down(&mut self, now: Timestamp) {
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
