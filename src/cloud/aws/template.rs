//! How a template is sent: inside the request while it fits, through a bucket when it does not.
//! Sizes and URL forms are CloudFormation's.

use super::{Aws, bucket};
use crate::cloud::{ChangeSetRequest, CloudError, INLINE, Store, template_key};

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
    let key = template_key(&wanted.template);
    let uploaded = aws.upload(bucket, &key, wanted.template.as_bytes()).await?;
    let version = match uploaded.version {
        // It may be older than the bucket's versioning: then a second one has a version.
        None => bucket::put(aws, bucket, &key, wanted.template.as_bytes()).await?,
        version => version,
    };
    let Some(version) = version else {
        return Err(refused(wanted, unversioned(bucket, &aws.region)));
    };
    let object = StoredTemplate {
        bucket,
        key: &key,
        version: &version,
    };
    let url = url(&object, &aws.region, aws.s3_endpoint.as_deref());
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

/// A template as CloudFormation is to read it: nobody can put another one under the version.
struct StoredTemplate<'a> {
    bucket: &'a str,
    key: &'a str,
    version: &'a str,
}

fn refused(wanted: &ChangeSetRequest, message: String) -> CloudError {
    CloudError::Refused {
        operation: format!("the template of {}", wanted.stack),
        message,
    }
}

fn unversioned(bucket: &str, region: &str) -> String {
    format!(
        "the state bucket {bucket} keeps no versions, so somebody could exchange the template before \
         CloudFormation reads it; a new bucket takes up to 15 minutes for that; else run `aws s3api \
         put-bucket-versioning --region {region} --bucket {bucket} --versioning-configuration Status=Enabled`"
    )
}

/// The bucket that the template must go through, if it must.
fn bucket_needed(wanted: &ChangeSetRequest) -> Result<Option<&str>, CloudError> {
    let size = wanted.template.len();
    let refuse = |message: String| refused(wanted, message);
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

/// Where CloudFormation reads an object. Another endpoint in AWS's own domain (a VPC's) is no
/// address for CloudFormation, which reads from outside of the VPC.
fn url(object: &StoredTemplate<'_>, region: &str, endpoint: Option<&str>) -> String {
    let StoredTemplate {
        bucket,
        key,
        version,
    } = object;
    let china = if region.starts_with("cn-") { ".cn" } else { "" };
    let host = match endpoint.filter(|endpoint| !endpoint.contains(".amazonaws.com")) {
        Some(endpoint) => endpoint.trim_end_matches('/').to_owned(),
        None => format!("https://s3.{region}.amazonaws.com{china}"),
    };
    let version: String = form_urlencoded::byte_serialize(version.as_bytes()).collect();
    format!("{host}/{bucket}/{key}?versionId={version}")
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
            comparison: crate::cloud::Comparison::Template,
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
        let object = StoredTemplate {
            bucket: "state",
            key: "templates/1.json",
            version: "3sL4+k",
        };
        let at = |region, endpoint| url(&object, region, endpoint);
        assert_eq!(
            at("eu-west-1", None),
            "https://s3.eu-west-1.amazonaws.com/state/templates/1.json?versionId=3sL4%2Bk"
        );
        assert_eq!(
            at("cn-north-1", None),
            "https://s3.cn-north-1.amazonaws.com.cn/state/templates/1.json?versionId=3sL4%2Bk"
        );
        assert_eq!(
            at("eu-west-1", Some("http://127.0.0.1:4566/")),
            "http://127.0.0.1:4566/state/templates/1.json?versionId=3sL4%2Bk"
        );
        assert_eq!(
            at(
                "eu-west-1",
                Some("https://bucket.vpce-1.s3.eu-west-1.vpce.amazonaws.com")
            ),
            "https://s3.eu-west-1.amazonaws.com/state/templates/1.json?versionId=3sL4%2Bk"
        );
    }
}
