//! Reasons of failures without a scripted one: the usual messages of AWS, type by type.

use super::names::Setting;
use super::rng::{stream, uuid};
use crate::catalog::durations::Operation;

/// What surrounds an answer of a service inside `CloudFormation`'s reason.
fn handled(
    setting: &Setting,
    of: &str,
    service: &str,
    status: u16,
    text: &str,
    code: &str,
) -> String {
    let rng = &mut stream(setting.seed, &["request", of], 0);
    let (request, token) = (uuid(rng), uuid(rng));
    format!(
        "Resource handler returned message: \"{text} (Service: {service}, Status Code: {status}, \
         Request ID: {request})\" (RequestToken: {token}, HandlerErrorCode: {code})"
    )
}

/// The usual reason for which an operation on a resource of a type fails.
pub(super) fn usual(
    setting: &Setting,
    logical_id: &str,
    resource_type: &str,
    operation: Operation,
    signals: Option<u64>,
) -> String {
    match (operation, signals) {
        (Operation::Delete, _) => on_delete(setting, logical_id, resource_type),
        (Operation::Create, Some(count)) => unsignalled(count),
        _ => limit(setting, logical_id, resource_type),
    }
}

/// Machines of a group did not signal before its timeout.
pub(super) fn unsignalled(count: u64) -> String {
    format!(
        "Received 0 SUCCESS signal(s) out of {count}.  Unable to satisfy 100% \
         MinSuccessfulInstancesPercent requirement"
    )
}

/// A machine of a group signalled that it failed.
pub(super) fn failure_signalled(count: u64) -> String {
    format!(
        "Received 1 FAILURE signal(s) out of {count}.  Unable to satisfy 100% \
         MinSuccessfulInstancesPercent requirement"
    )
}

fn limit(setting: &Setting, logical_id: &str, resource_type: &str) -> String {
    let failure = |service, status, text: &str, code| {
        handled(setting, logical_id, service, status, text, code)
    };
    match resource_type {
        "AWS::EC2::VPC" => failure(
            "Ec2",
            400,
            "The maximum number of VPCs has been reached.",
            "ServiceLimitExceeded",
        ),
        "AWS::EC2::EIP" => failure(
            "Ec2",
            400,
            "The maximum number of addresses has been reached.",
            "ServiceLimitExceeded",
        ),
        "AWS::EC2::NatGateway" => failure(
            "Ec2",
            400,
            "Performing this operation would exceed the limit of 5 NAT gateways",
            "ServiceLimitExceeded",
        ),
        "AWS::EC2::Instance" | "AWS::AutoScaling::AutoScalingGroup" => failure(
            "AutoScaling",
            400,
            "You have requested more vCPU capacity than your current vCPU limit of 32 allows for the \
             instance bucket that the specified instance type belongs to.",
            "ServiceLimitExceeded",
        ),
        "AWS::RDS::DBInstance" => failure(
            "Rds",
            400,
            "Cannot create a database instance because there is insufficient capacity for the \
             requested instance class in the Availability Zones of its subnets.",
            "GeneralServiceException",
        ),
        "AWS::ElasticLoadBalancingV2::LoadBalancer" => failure(
            "ElasticLoadBalancingV2",
            400,
            "The maximum number of network load balancers has been reached",
            "ServiceLimitExceeded",
        ),
        "AWS::S3::Bucket" => failure(
            "S3",
            409,
            "The requested bucket name is not available.",
            "AlreadyExists",
        ),
        other => denied(setting, logical_id, other),
    }
}

fn denied(setting: &Setting, logical_id: &str, resource_type: &str) -> String {
    let mut words = resource_type.split("::").skip(1);
    let service = words.next().unwrap_or("Service");
    let action = format!(
        "{}:Create{}",
        service.to_lowercase(),
        words.next().unwrap_or_default()
    );
    let text = format!(
        "User: arn:aws:sts::{}:assumed-role/deploy/rehearsal is not authorized to perform: {action} \
         because no identity-based policy allows the {action} action",
        setting.account
    );
    handled(setting, logical_id, service, 403, &text, "AccessDenied")
}

fn on_delete(setting: &Setting, logical_id: &str, resource_type: &str) -> String {
    let noun = match resource_type {
        "AWS::EC2::Subnet" => "subnet",
        "AWS::EC2::VPC" => "vpc",
        _ => "resource",
    };
    let text = format!("The {noun} '{logical_id}' has dependencies and cannot be deleted.");
    handled(setting, logical_id, "Ec2", 400, &text, "InvalidRequest")
}

/// A resource that something outside its stack still uses.
pub(super) fn in_use(setting: &Setting, physical_id: &str) -> String {
    let noun = match physical_id.split('-').next() {
        Some("vpc") => "vpc",
        Some("subnet") => "subnet",
        _ => "resource",
    };
    let text = format!("The {noun} '{physical_id}' has dependencies and cannot be deleted.");
    handled(setting, physical_id, "Ec2", 400, &text, "InvalidRequest")
}

/// A database under deletion protection.
pub(super) fn protected(setting: &Setting, physical_id: &str) -> String {
    handled(
        setting,
        physical_id,
        "Rds",
        400,
        "Cannot delete protected DB Instance, please disable deletion protection and try again.",
        "InvalidRequest",
    )
}

/// A bucket that still holds something.
pub(super) fn not_empty(setting: &Setting, physical_id: &str) -> String {
    handled(
        setting,
        physical_id,
        "S3",
        409,
        "The bucket you tried to delete is not empty. You must delete all versions in the bucket.",
        "GeneralServiceException",
    )
}
