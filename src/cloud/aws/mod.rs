//! The cloud that is AWS: the traits of [`crate::cloud`] over the SDK. The only module that names it.
//! Knows how AWS answers and how it fails; not what the calls are for.

mod account;
mod answers;
mod bucket;
mod calls;
mod changes;
mod config;
mod downloads;
mod drift;
mod ec2;
mod error;
mod events;
mod findings;
mod iam;
mod inspect;
mod kms;
mod listing;
mod log;
mod machines;
mod mapping;
mod outside;
mod prices;
mod profile;
mod protection;
mod recovery;
mod remote;
mod request;
mod scaling;
mod signed;
mod stacks;
mod store;
mod template;
#[cfg(test)]
mod tests;
mod throttles;
mod versioned;

use crate::common::{Clock, SystemClock};
use std::collections::{BTreeSet, HashSet};
use std::time::Duration;

use aws_config::Region;
use aws_config::retry::RetryConfig;
use aws_credential_types::Credentials;
use aws_sdk_cloudformation::primitives::DateTime;
use jiff::Timestamp;
use serde_json::Value;

use answers::{AnswerCheck, RetryUnreadable};
use calls::ApiCall;
pub use config::Settings;
use config::{Connection, Overrides};
use log::CallLog;
use throttles::ThrottleWatch;

use super::limiter::{Limiter, Service};
use super::{
    ChangeSet, ChangeSetRequest, Cloud, CloudError, DriftReport, Identity, LiveResource, LiveStack,
    OnFailure, OpenChangeSet, Protection, StackEvent, StackOperation,
};

/// One account and region of AWS. Everything that reads CloudFormation through one value shares one
/// budget of calls, so a run has exactly one.
#[derive(Debug)]
pub struct Aws {
    cloudformation: aws_sdk_cloudformation::Client,
    signed: signed::Client,
    pricing: aws_sdk_pricing::Client,
    s3: aws_sdk_s3::Client,
    ssm: aws_sdk_ssm::Client,
    sts: aws_sdk_sts::Client,
    region: String,
    ambient_region: Option<String>,
    s3_endpoint: Option<String>,
    limiter: Limiter,
    clock: SystemClock,
}

impl Aws {
    /// Loads profile, region, credentials chain and endpoints. Sends nothing yet:
    /// [`Cloud::identity`] checks the credentials.
    ///
    /// # Errors
    /// `Credentials` when the profile cannot be read or needs what the SDK lacks (an MFA prompt, an
    /// `aws login` session), `Refused` when no region is set anywhere.
    pub async fn connect(settings: &Settings) -> Result<Self, CloudError> {
        Ok(Self::over(config::load(settings, None).await?))
    }

    /// As [`Aws::connect`], at an endpoint and with credentials given here instead of found.
    ///
    /// # Errors
    /// As [`Aws::connect`], but for the credentials.
    pub async fn connect_to(
        endpoint: &str,
        credentials: Credentials,
        settings: &Settings,
    ) -> Result<Self, CloudError> {
        let overrides = Overrides {
            endpoint: endpoint.to_owned(),
            credentials,
        };
        Ok(Self::over(config::load(settings, Some(overrides)).await?))
    }

    fn over(connection: Connection) -> Self {
        let (limiter, clock) = (Limiter::default(), SystemClock::start());
        let watch = |service| ThrottleWatch {
            service,
            limiter: limiter.clone(),
            clock,
        };
        let cloudformation = aws_sdk_cloudformation::config::Builder::from(&connection.sdk)
            .interceptor(watch(Service::CloudFormation))
            .interceptor(AnswerCheck(Service::CloudFormation))
            .retry_classifier(RetryUnreadable)
            .interceptor(CallLog)
            .build();
        // Emulators serve no virtual hosts.
        let s3 = aws_sdk_s3::config::Builder::from(&connection.sdk)
            .force_path_style(connection.s3_endpoint.is_some())
            .interceptor(watch(Service::S3))
            .interceptor(AnswerCheck(Service::S3))
            .retry_classifier(RetryUnreadable)
            .interceptor(CallLog)
            .build();
        // The first call of every run: without a network it fails in seconds.
        let sts = aws_sdk_sts::config::Builder::from(&connection.sdk)
            .retry_config(RetryConfig::standard().with_max_attempts(3))
            .interceptor(watch(Service::Sts))
            .interceptor(AnswerCheck(Service::Sts))
            .retry_classifier(RetryUnreadable)
            .interceptor(CallLog)
            .build();
        let ssm = aws_sdk_ssm::config::Builder::from(&connection.sdk)
            .interceptor(watch(Service::Ssm))
            .interceptor(AnswerCheck(Service::Ssm))
            .retry_classifier(RetryUnreadable)
            .interceptor(CallLog)
            .build();
        let pricing = aws_sdk_pricing::config::Builder::from(&connection.sdk)
            .region(Region::new(prices::REGION))
            .retry_config(RetryConfig::standard().with_max_attempts(prices::ATTEMPTS))
            .interceptor(watch(Service::Pricing))
            .interceptor(AnswerCheck(Service::Pricing))
            .retry_classifier(RetryUnreadable)
            .interceptor(CallLog)
            .build();
        Self {
            signed: signed::Client::over(&connection),
            pricing: aws_sdk_pricing::Client::from_conf(pricing),
            cloudformation: aws_sdk_cloudformation::Client::from_conf(cloudformation),
            s3: aws_sdk_s3::Client::from_conf(s3),
            ssm: aws_sdk_ssm::Client::from_conf(ssm),
            sts: aws_sdk_sts::Client::from_conf(sts),
            region: connection.region,
            ambient_region: connection.ambient_region,
            s3_endpoint: connection.s3_endpoint,
            limiter,
            clock,
        }
    }

    /// The region that the person's environment or profile names, whatever region this talks to.
    pub fn ambient_region(&self) -> Option<&str> {
        self.ambient_region.as_deref()
    }
}

impl Clock for Aws {
    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    async fn sleep(&self, time: Duration) {
        self.clock.sleep(time / config::HASTE).await;
    }
}

/// Calls that are answered by a function of one of the modules here.
macro_rules! answered_by {
    ($($call:ident($($name:ident: $type:ty),*) -> $answer:ty: $($module:ident)::+;)+) => {$(
        async fn $call(&self, $($name: $type),*) -> Result<$answer, CloudError> {
            $($module)::+(self, $($name),*).await
        }
    )+};
}

#[rustfmt::skip]
impl Cloud for Aws {
    async fn identity(&self) -> Result<Identity, CloudError> {
        let api_call = ApiCall::new(Service::Sts, "GetCallerIdentity", "");
        let answer = self.ask(api_call, self.sts.get_caller_identity().send());
        let answer = answer.await?;
        Ok(Identity {
            account: answer.account.unwrap_or_default(),
            caller: answer.arn.unwrap_or_default(),
            region: self.region.clone(),
        })
    }

    async fn delete_change_set(&self, change_set: &ChangeSet) -> Result<(), CloudError> {
        changes::delete(self, &change_set.id, &change_set.stack_id).await
    }

    answered_by! {
        stacks(cluster: Option<&str>) -> Vec<LiveStack>: stacks::all;
        stack(id: &str) -> Option<LiveStack>: stacks::one;
        template(stack_id: &str) -> Value: stacks::template;
        create(wanted: &ChangeSetRequest, protection: &Protection) -> String: stacks::create;
        create_change_set(wanted: &ChangeSetRequest) -> ChangeSet: changes::create;
        execute(change_set: &ChangeSet, token: &str, on_failure: OnFailure) -> (): changes::execute;
        set_protection(stack_id: &str, protection: &Protection) -> (): protection::set;
        events(operation: &StackOperation, seen: &HashSet<String>) -> Vec<StackEvent>: events::events;
        resources(stack_id: &str) -> Vec<LiveResource>: listing::resources;
        delete(stack_id: &str, token: &str) -> (): stacks::delete;
        in_progress_stacks() -> BTreeSet<String>: listing::in_progress;
        change_sets(stack_id: &str) -> Vec<OpenChangeSet>: listing::change_sets;
        change_set(id: &str, stack_id: &str) -> Option<ChangeSet>: changes::reread;
        policy(stack_id: &str) -> Option<Value>: protection::policy;
        continue_rollback(stack_id: &str, skip: &[String], token: &str) -> (): recovery::continue_rollback;
        cancel_update(stack_id: &str, token: &str) -> (): recovery::cancel_update;
        drift(stack_id: &str) -> DriftReport: drift::drift;
    }
}

/// The server's time; the epoch where there is none.
fn timestamp(time: Option<DateTime>) -> Timestamp {
    let nanos = |time: DateTime| i32::try_from(time.subsec_nanos()).unwrap_or_default();
    time.and_then(|time| Timestamp::new(time.secs(), nanos(time)).ok())
        .unwrap_or_default()
}
