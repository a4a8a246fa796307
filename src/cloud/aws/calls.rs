//! The one way of a request to AWS: named for errors, held back by the limiter, read page by page.

use std::error::Error;
use std::fmt;

use aws_sdk_cloudformation::config::http::HttpResponse;
use aws_sdk_cloudformation::error::{ProvideErrorMetadata, SdkError};

use super::Aws;
use super::error::{explain, explain_newer, short_name};
use crate::cloud::CloudError;
use crate::cloud::limiter::{CallKind, Service};

/// What is asked: the API's name of the call and what it is about.
#[derive(Debug, Clone, Copy)]
pub(super) struct ApiCall<'a> {
    pub(super) service: Service,
    pub(super) call: &'static str,
    /// Name or ARN; empty where the call says it all.
    pub(super) of: &'a str,
}

impl<'a> ApiCall<'a> {
    pub(super) const fn new(service: Service, call: &'static str, of: &'a str) -> Self {
        Self { service, call, of }
    }

    /// The IAM action that the call needs: its own name, but for two.
    pub(super) fn action(&self) -> String {
        let call = match self.call {
            "HeadBucket" => "ListBucket",
            "GetObjectLockConfiguration" => "GetBucketObjectLockConfiguration",
            call => call,
        };
        let prefix = match self.service {
            Service::AutoScaling => "autoscaling",
            Service::ClassicLoadBalancing | Service::LoadBalancing => "elasticloadbalancing",
            Service::CloudFormation => "cloudformation",
            Service::Ec2 => "ec2",
            Service::Iam => "iam",
            Service::Kms => "kms",
            Service::Logs => "logs",
            Service::Pricing => "pricing",
            Service::Quotas => "servicequotas",
            Service::Rds => "rds",
            Service::Route53 => "route53",
            Service::S3 | Service::S3Control => "s3",
            Service::Ssm => "ssm",
            Service::Sts => "sts",
            Service::Tagging => "tag",
        };
        format!("{prefix}:{call}")
    }

    /// Of CloudFormation.
    pub(super) const fn stacks(call: &'static str, of: &'a str) -> Self {
        Self::new(Service::CloudFormation, call, of)
    }
}

impl fmt::Display for ApiCall<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.of {
            "" => f.write_str(self.call),
            of => write!(f, "{} of {}", self.call, short_name(of)),
        }
    }
}

impl Aws {
    /// Sends a request when the limiter lets it out, for callers that look at the SDK's own error.
    pub(super) async fn send<T, E>(
        &self,
        api_call: ApiCall<'_>,
        request: impl Future<Output = Result<T, SdkError<E, HttpResponse>>>,
    ) -> Result<T, SdkError<E, HttpResponse>> {
        let effect = CallKind::of(api_call.call);
        self.limiter
            .acquire(&self.clock, api_call.service, effect)
            .await;
        request.await
    }

    /// Sends a request.
    pub(super) async fn ask<T, E>(
        &self,
        api_call: ApiCall<'_>,
        request: impl Future<Output = Result<T, SdkError<E, HttpResponse>>>,
    ) -> Result<T, CloudError>
    where
        E: ProvideErrorMetadata + Error + 'static,
    {
        let answer = self.send(api_call, request).await;
        answer.map_err(|error| explain(api_call, &error))
    }

    /// As [`Aws::ask`], for calls that an endpoint may lack.
    pub(super) async fn ask_newer<T, E>(
        &self,
        api_call: ApiCall<'_>,
        request: impl Future<Output = Result<T, SdkError<E, HttpResponse>>>,
    ) -> Result<T, CloudError>
    where
        E: ProvideErrorMetadata + Error + 'static,
    {
        let answer = self.send(api_call, request).await;
        answer.map_err(|error| explain_newer(api_call, &error))
    }
}

/// Reads page after page. `read` is given what the page before named as the next one, and returns what
/// its own page names; `None` ends it.
pub(super) async fn each_page<N>(
    mut read: impl AsyncFnMut(Option<N>) -> Result<Option<N>, CloudError>,
) -> Result<(), CloudError> {
    let mut next = read(None).await?;
    while next.is_some() {
        next = read(next).await?;
    }
    Ok(())
}

/// Everything on every page, in order.
pub(super) async fn all_pages<T>(
    mut read: impl AsyncFnMut(Option<String>) -> Result<(Option<Vec<T>>, Option<String>), CloudError>,
) -> Result<Vec<T>, CloudError> {
    let mut all = Vec::new();
    each_page(async |next| {
        let (page, next) = read(next).await?;
        all.extend(page.unwrap_or_default());
        Ok(next)
    })
    .await?;
    Ok(all)
}
