//! Whether an answer is AWS's at all: a proxy's page, or nothing, under a good status is no answer. The SDK
//! reads some of those as success, and repeats none of them.

use aws_sdk_cloudformation::config::interceptors::AfterDeserializationInterceptorContextRef;
use aws_sdk_cloudformation::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_cloudformation::error::BoxError;
use aws_smithy_runtime_api::client::interceptors::context::InterceptorContext;
use aws_smithy_runtime_api::client::orchestrator::{HttpResponse, Metadata};
use aws_smithy_runtime_api::client::retries::classifiers::{ClassifyRetry, RetryAction};

use crate::cloud::limiter::Service;

/// The headers in which AWS numbers its answers; each answer has one of them.
const REQUEST_ID: [&str; 2] = ["x-amzn-requestid", "x-amz-request-id"];

/// Refuses good answers that do not look like those of `service`.
#[derive(Debug)]
pub(super) struct AnswerCheck(pub(super) Service);

impl Intercept for AnswerCheck {
    fn name(&self) -> &'static str {
        "AnswerCheck"
    }

    fn read_after_deserialization(
        &self,
        context: &AfterDeserializationInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let response = context.response();
        if !response.status().is_success() {
            return Ok(());
        }
        let call = config.load::<Metadata>().map_or("", Metadata::name);
        if is_numbered(response) && has_form(self.0, call, response.body().bytes()) {
            return Ok(());
        }
        Err("an answer that AWS would not give".into())
    }
}

/// Whether AWS has numbered an answer, as it does with all of its own.
pub(super) fn is_numbered(response: &HttpResponse) -> bool {
    let headers = response.headers();
    REQUEST_ID.iter().any(|name| headers.get(*name).is_some())
}

/// Whether a body has the form of the service's protocol. `None` is a body that is streamed.
fn has_form(service: Service, call: &str, body: Option<&[u8]>) -> bool {
    let Some(body) = body else {
        return true;
    };
    match service {
        Service::AutoScaling
        | Service::ClassicLoadBalancing
        | Service::CloudFormation
        | Service::LoadBalancing
        | Service::Route53
        | Service::Sts
        | Service::Ec2
        | Service::Iam
        | Service::Rds => {
            let root = format!("<{call}Response");
            std::str::from_utf8(body).is_ok_and(|text| text.contains(&root))
        }
        Service::Ssm
        | Service::Pricing
        | Service::Kms
        | Service::Quotas
        | Service::Tagging
        | Service::Logs => body.trim_ascii_start().starts_with(b"{"),
        Service::S3Control => std::str::from_utf8(body)
            .is_ok_and(|text| text.contains("<PublicAccessBlockConfiguration")),
        Service::S3 => s3_has_form(call, body),
    }
}

/// Objects have no form, and most answers about them no body; lists and settings are documents.
fn s3_has_form(call: &str, body: &[u8]) -> bool {
    let root = match call {
        "ListObjectsV2" => "<ListBucketResult",
        "ListObjectVersions" => "<ListVersionsResult",
        "DeleteObjects" => "<DeleteResult",
        "GetPublicAccessBlock" => "<PublicAccessBlockConfiguration",
        "GetBucketPolicy" => "{",
        _ => return true,
    };
    std::str::from_utf8(body).is_ok_and(|text| text.contains(root))
}

/// Repeats a request whose good answer could not be read, as one whose answer was lost.
#[derive(Debug)]
pub(super) struct RetryUnreadable;

impl ClassifyRetry for RetryUnreadable {
    fn name(&self) -> &'static str {
        "RetryUnreadable"
    }

    fn classify_retry(&self, context: &InterceptorContext) -> RetryAction {
        let good = context
            .response()
            .is_some_and(|response| response.status().is_success());
        match context.output_or_error() {
            Some(Err(_)) if good => RetryAction::transient_error(),
            Some(_) | None => RetryAction::NoActionIndicated,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_have_the_form_of_their_protocol() {
        let query = |body: &[u8]| has_form(Service::CloudFormation, "DeleteStack", Some(body));
        assert!(query(
            b"<?xml version=\"1.0\"?>\n<DeleteStackResponse xmlns=\"x\"/>"
        ));
        assert!(!query(b"<html>sign in</html>") && !query(b"") && !query(&[0xff]));
        let json = |body: &[u8]| has_form(Service::Ssm, "GetParameter", Some(body));
        assert!(json(b"{}") && json(b" {\"Parameter\":{}}"));
        assert!(!json(b"") && !json(b"<html>sign in</html>"));
        let s3 = |call: &str, body: &[u8]| has_form(Service::S3, call, Some(body));
        assert!(s3("HeadObject", b""));
        assert!(s3(
            "GetPublicAccessBlock",
            b"<PublicAccessBlockConfiguration/>"
        ));
        for call in [
            "GetPublicAccessBlock",
            "GetBucketPolicy",
            "ListObjectVersions",
            "ListObjectsV2",
            "DeleteObjects",
        ] {
            assert!(
                !s3(call, b"") && !s3(call, b"<html>sign in</html>"),
                "{call}"
            );
        }
    }
}
