//! One budget of calls for everybody who reads from CloudFormation through the same [`super::Aws`].
//! AWS counts calls by account and region, so twenty followers must share, and one throttle slows them all.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_sdk_cloudformation::config::interceptors::FinalizerInterceptorContextRef;
use aws_sdk_cloudformation::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_cloudformation::error::BoxError;
use tokio::time::Instant;

use super::error::is_throttle_code;

/// Calls a second in the long run. One `DescribeStacks` reader is throttled at about 5 (aws-sam-cli#2671).
const RATE: f64 = 3.0;
/// Calls that may go out at once after a quiet time.
const BURST: f64 = 10.0;
/// Below one call a second half a dozen followed stacks would look dead.
const SLOWEST: f64 = 1.0;
/// A quiet time after which the rate doubles again.
const RECOVERY: Duration = Duration::from_secs(10);
/// Throttles that come together are one throttle: several calls were under way.
const SAME_THROTTLE: Duration = Duration::from_secs(1);

/// A token bucket whose rate halves at every throttle and recovers by itself.
#[derive(Debug)]
pub(super) struct Limiter {
    bucket: Mutex<Bucket>,
}

#[derive(Debug)]
struct Bucket {
    /// Below zero when callers are waiting already.
    tokens: f64,
    filled: Instant,
    rate: f64,
    throttled: Option<Instant>,
}

impl Limiter {
    pub(super) fn new() -> Self {
        let bucket = Bucket {
            tokens: BURST,
            filled: Instant::now(),
            rate: RATE,
            throttled: None,
        };
        Self {
            bucket: Mutex::new(bucket),
        }
    }

    /// Waits until the next call may go out. First come, first served.
    pub(super) async fn turn(&self) {
        let delay = self.bucket().take(Instant::now());
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
    }

    /// AWS asked to slow down: everybody does.
    pub(super) fn throttled(&self) {
        self.bucket().slow_down(Instant::now());
    }

    #[cfg(test)]
    pub(super) fn is_slowed(&self) -> bool {
        self.bucket().throttled.is_some()
    }

    fn bucket(&self) -> MutexGuard<'_, Bucket> {
        self.bucket.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Bucket {
    fn take(&mut self, now: Instant) -> Duration {
        self.recover(now);
        self.fill(now);
        self.tokens -= 1.0;
        if self.tokens >= 0.0 {
            Duration::ZERO
        } else {
            Duration::from_secs_f64(-self.tokens / self.rate)
        }
    }

    fn fill(&mut self, now: Instant) {
        let quiet = now.saturating_duration_since(self.filled).as_secs_f64();
        self.tokens = (self.tokens + quiet * self.rate).min(BURST);
        self.filled = now;
    }

    fn recover(&mut self, now: Instant) {
        while let Some(since) = self.throttled {
            if now.saturating_duration_since(since) < RECOVERY {
                return;
            }
            self.rate = (self.rate * 2.0).min(RATE);
            self.throttled = (self.rate < RATE).then(|| since + RECOVERY);
        }
    }

    fn slow_down(&mut self, now: Instant) {
        let same = |since| now.saturating_duration_since(since) < SAME_THROTTLE;
        if self.throttled.is_some_and(same) {
            return;
        }
        self.fill(now);
        self.tokens = self.tokens.min(0.0);
        self.rate = (self.rate / 2.0).max(SLOWEST);
        self.throttled = Some(now);
    }
}

/// Tells the limiter of throttles that the SDK retries by itself, which nobody else would hear of.
#[derive(Debug)]
pub(super) struct ThrottleWatch(pub(super) Arc<Limiter>);

impl Intercept for ThrottleWatch {
    fn name(&self) -> &'static str {
        "ThrottleWatch"
    }

    fn read_after_attempt(
        &self,
        context: &FinalizerInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let Some(response) = context.response() else {
            return Ok(());
        };
        let status = response.status().as_u16();
        let body = response.body().bytes().unwrap_or_default();
        if status == 429 || (status >= 400 && error_code(body).is_some_and(is_throttle_code)) {
            tracing::debug!("AWS asks to slow down");
            self.0.throttled();
        }
        Ok(())
    }
}

/// The `<Code>` of an error answer in the query protocol.
fn error_code(body: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(body).ok()?;
    let (_, rest) = text.split_once("<Code>")?;
    rest.split_once("</Code>").map(|(code, _)| code.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn seconds_for(limiter: &Limiter, calls: usize) -> f64 {
        let start = Instant::now();
        for _ in 0..calls {
            limiter.turn().await;
        }
        start.elapsed().as_secs_f64()
    }

    #[tokio::test(start_paused = true)]
    async fn a_burst_goes_out_at_once_and_the_rest_at_three_a_second() {
        let limiter = Limiter::new();
        assert!(seconds_for(&limiter, 10).await < 0.01);
        let taken = seconds_for(&limiter, 30).await;
        assert!((9.9..10.2).contains(&taken), "{taken}");
    }

    #[tokio::test(start_paused = true)]
    async fn twenty_followers_share_one_budget() {
        let limiter = Limiter::new();
        let start = Instant::now();
        let followers = (0..20).map(|_| seconds_for(&limiter, 4));
        futures::future::join_all(followers).await;
        let taken = start.elapsed().as_secs_f64();
        assert!((23.0..24.0).contains(&taken), "{taken}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_throttle_halves_the_rate_and_spends_the_burst() {
        let limiter = Limiter::new();
        limiter.throttled();
        limiter.throttled();
        let taken = seconds_for(&limiter, 6).await;
        assert!((3.9..4.2).contains(&taken), "{taken}");
    }

    #[tokio::test(start_paused = true)]
    async fn throttle_after_throttle_never_stops_the_tool() {
        let limiter = Limiter::new();
        for _ in 0..20 {
            limiter.throttled();
            tokio::time::sleep(Duration::from_secs(2)).await;
        }
        limiter.throttled();
        assert!(seconds_for(&limiter, 1).await < 3.0);
    }

    #[tokio::test(start_paused = true)]
    async fn the_rate_recovers_after_a_quiet_time() {
        let limiter = Limiter::new();
        limiter.throttled();
        tokio::time::sleep(Duration::from_secs(20)).await;
        seconds_for(&limiter, 10).await;
        let taken = seconds_for(&limiter, 30).await;
        assert!((9.9..10.2).contains(&taken), "{taken}");
    }

    #[test]
    fn the_code_of_an_answer_is_found_and_nothing_else() {
        let body = b"<ErrorResponse><Error><Type>Sender</Type><Code>Throttling</Code>\
            <Message>Rate exceeded</Message></Error></ErrorResponse>";
        assert_eq!(error_code(body), Some("Throttling"));
        assert_eq!(error_code(b"<html>Bad gateway</html>"), None);
        assert_eq!(error_code(&[0xff, 0xfe]), None);
    }
}
