//! How a template is sent: inside the request while it fits, through a bucket when it does not.
//! Sizes and URL forms are CloudFormation's.

use super::Aws;
use crate::cloud::{ChangeSetRequest, CloudError, INLINE, Store};
use crate::common::digest;

/// The longest template at all, in bytes.
const LARGEST: usize = 1_048_576;

/// Where CloudFormation reads a template: exactly one of the two is set, as the API requires.
pub(super) struct TemplateSource {
    pub(super) body: Option<String>,
    pub(super) url: Option<String>,
}

/// Prepares the template of a request; uploads it if it is too large.
pub(super) async fn send(
    aws: &Aws,
    wanted: &ChangeSetRequest,
) -> Result<TemplateSource, CloudError> {
    let Some(bucket) = bucket_needed(wanted)? else {
        return Ok(TemplateSource {
            body: Some(wanted.template.clone()),
            url: None,
        });
    };
    let key = key(&wanted.template);
    aws.upload(bucket, &key, wanted.template.as_bytes()).await?;
    let url = url(bucket, &key, &aws.region, aws.s3_endpoint.as_deref());
    tracing::debug!(
        stack = wanted.stack,
        url,
        "the template is sent through the bucket"
    );
    Ok(TemplateSource {
        body: None,
        url: Some(url),
    })
}

/// The bucket that the template must go through, if it must.
fn bucket_needed(wanted: &ChangeSetRequest) -> Result<Option<&str>, CloudError> {
    let size = wanted.template.len();
    let refuse = |message: String| CloudError::Refused {
        operation: format!("the template of {}", wanted.stack),
        message,
    };
    if size > LARGEST {
        return Err(refuse(format!(
            "it has {size} bytes, CloudFormation takes {LARGEST} at most; split what it holds into \
             two stacks"
        )));
    }
    match &wanted.bucket {
        _ if size <= INLINE => Ok(None),
        Some(bucket) => Ok(Some(bucket)),
        None => Err(refuse(format!(
            "it has {size} bytes, more than the {INLINE} that fit into a request, and this stack has \
             no bucket to send it through; make it smaller"
        ))),
    }
}

/// Content-addressed: the same template is uploaded once.
fn key(template: &str) -> String {
    format!("templates/{}.json", digest::sha256(template))
}

/// Where CloudFormation reads an object. Another endpoint in AWS's own domain (a VPC's) is no
/// address for CloudFormation, which reads from outside of the VPC.
fn url(bucket: &str, key: &str, region: &str, endpoint: Option<&str>) -> String {
    let china = if region.starts_with("cn-") { ".cn" } else { "" };
    match endpoint.filter(|endpoint| !endpoint.contains(".amazonaws.com")) {
        Some(endpoint) => format!("{}/{bucket}/{key}", endpoint.trim_end_matches('/')),
        None => format!("https://s3.{region}.amazonaws.com{china}/{bucket}/{key}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proposal(size: usize, bucket: Option<&str>) -> ChangeSetRequest {
        ChangeSetRequest {
            stack: "canary-network".to_owned(),
            template: "x".repeat(size),
            bucket: bucket.map(str::to_owned),
            parameters: [].into(),
            capabilities: Vec::new(),
            tags: [].into(),
            token: "t".to_owned(),
            lifetime: crate::cloud::ChangeSetLifetime::Run,
        }
    }

    #[test]
    fn small_template_is_sent_inline() {
        assert_eq!(bucket_needed(&proposal(51_200, None)), Ok(None));
        assert_eq!(bucket_needed(&proposal(51_200, Some("b"))), Ok(None));
        assert_eq!(bucket_needed(&proposal(51_201, Some("b"))), Ok(Some("b")));
        assert_eq!(
            bucket_needed(&proposal(1_048_576, Some("b"))),
            Ok(Some("b"))
        );
    }

    #[test]
    fn large_template_without_a_bucket_is_refused() {
        let error = bucket_needed(&proposal(60_000, None)).expect_err("too large");
        assert_eq!(
            error.to_string(),
            "AWS refused the template of canary-network: it has 60000 bytes, more than the 51200 \
             that fit into a request, and this stack has no bucket to send it through; make it \
             smaller"
        );
    }

    #[test]
    fn template_over_the_quota_is_refused() {
        let error = bucket_needed(&proposal(1_048_577, Some("b"))).expect_err("too large");
        assert!(error.to_string().contains("1048576 at most"), "{error}");
    }

    #[test]
    fn template_url_follows_region_partition_and_endpoint() {
        let at = |region, endpoint| url("state", "templates/1.json", region, endpoint);
        assert_eq!(
            at("eu-west-1", None),
            "https://s3.eu-west-1.amazonaws.com/state/templates/1.json"
        );
        assert_eq!(
            at("cn-north-1", None),
            "https://s3.cn-north-1.amazonaws.com.cn/state/templates/1.json"
        );
        assert_eq!(
            at("eu-west-1", Some("http://127.0.0.1:4566/")),
            "http://127.0.0.1:4566/state/templates/1.json"
        );
        assert_eq!(
            at(
                "eu-west-1",
                Some("https://bucket.vpce-1.s3.eu-west-1.vpce.amazonaws.com")
            ),
            "https://s3.eu-west-1.amazonaws.com/state/templates/1.json"
        );
    }

    #[test]
    fn template_key_is_the_content_hash() {
        assert_eq!(
            key(""),
            "templates/e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855.json"
        );
    }
}
