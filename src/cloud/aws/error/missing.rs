//! The codes that say that something does not exist.

use super::super::calls::ApiCall;
use crate::cloud::CloudError;
use crate::cloud::limiter::Service;

/// `None` for a code that says something else.
pub(super) fn missing(api_call: ApiCall<'_>, code: &str) -> Option<CloudError> {
    let of = api_call.of;
    let text = match (code, api_call.service) {
        ("InvalidInstanceID.NotFound", _) => format!("instance {of}"),
        ("DBInstanceNotFound", _) => format!("database {of}"),
        ("NoSuchBucket", _) => format!("bucket {of}"),
        ("NoSuchBucketPolicy", _) => format!("the policy of bucket {of}"),
        ("ObjectLockConfigurationNotFoundError", _) => format!("Object Lock of bucket {of}"),
        ("NoSuchEntity", _) => format!("{of} in IAM"),
        ("NoSuchKey", _) => format!("object {of}"),
        ("NoSuchPublicAccessBlockConfiguration", _) => {
            format!("the public access block of bucket {of}")
        }
        ("NotFoundException", Service::Kms) => format!("key {of}"),
        ("NoSuchResourceException", Service::Quotas) => format!("quota {of}"),
        ("ParameterNotFound", _) => format!("parameter {of}"),
        ("LoadBalancerNotFound", _) => format!("load balancer {of}"),
        ("TargetGroupNotFound", _) => format!("target group {of}"),
        ("DBInstanceAutomatedBackupNotFound", _) => format!("automated backup {of}"),
        ("DBSnapshotNotFound", _) => format!("database snapshot {of}"),
        ("ResourceNotFoundException", Service::Logs) => format!("log group {of}"),
        ("NatGatewayNotFound", _) => format!("NAT gateway {of}"),
        // Of a VPC.
        ("Gateway.NotAttached", _) => format!("attachment of {of}"),
        ("NoSuchHostedZone", _) => format!("hosted zone {of}"),
        // EC2 names the kind in the code: `InvalidVolume.NotFound`, `InvalidNetworkInterfaceID.NotFound`.
        (code, Service::Ec2) if code.starts_with("Invalid") && code.ends_with(".NotFound") => {
            of.to_owned()
        }
        _ => return None,
    };
    Some(CloudError::NotFound(text))
}
