//! Removing a resource outside the stacks, each kind by its own call. What is gone is no error; what is still used is
//! refused with AWS's own words.

use serde_json::{Value, json as object};

use super::balancers::{CLASSIC_VERSION, VERSION};
use super::databases::{LOGS_TARGET, RDS_VERSION};
use super::{dns, ec2, json, query, unreadable, with_action};
use crate::cloud::CloudError;
use crate::cloud::aws::Aws;
use crate::cloud::aws::calls::ApiCall;
use crate::cloud::aws::ec2::VERSION as EC2_VERSION;
use crate::cloud::aws::kms::{self, TARGET};
use crate::cloud::aws::signed::xml::{child, elements, parse};
use crate::cloud::aws::signed::{Tries, json_without_answer};
use crate::cloud::inspect::KeyState;
use crate::cloud::limiter::Service;
use crate::cloud::outside::{OutsideKind, OutsideResource};

/// The longest wait of KMS, in days: until then a deletion can be cancelled.
const KEY_WAIT_DAYS: u32 = 30;
/// In front of the id of an egress-only internet gateway, which has no attachment of its own.
const EGRESS_ONLY: &str = "eigw-";

pub(super) async fn remove(aws: &Aws, resource: &OutsideResource) -> Result<(), CloudError> {
    if resource.by_aws {
        let why = "AWS made it for another resource and takes it away with that one";
        return Err(refused(resource, why));
    }
    match by_kind(aws, resource).await {
        Err(CloudError::NotFound(_)) => Ok(()),
        // Another operation on it is under way: it may succeed later.
        Err(CloudError::Conflict(message)) => Err(refused(resource, &message)),
        answer => answer,
    }
}

/// How a resource is removed.
pub(super) enum Way {
    /// One call of the query protocol, with its id in this parameter.
    Call(Service, &'static str, &'static str, &'static str),
    GroupRule,
    DnsRecord,
    LogGroup,
    Bucket,
    Key,
    Endpoint,
    Never,
}

pub(super) fn way(resource: &OutsideResource) -> Way {
    use OutsideKind as K;
    let ec2 = |call, parameter| Way::Call(Service::Ec2, EC2_VERSION, call, parameter);
    let rds = |call, parameter| Way::Call(Service::Rds, RDS_VERSION, call, parameter);
    let id = &resource.id;
    match resource.kind {
        K::Machine => ec2("TerminateInstances", "InstanceId.1"),
        K::LoadBalancer => {
            let (service, call) = (Service::LoadBalancing, "DeleteLoadBalancer");
            Way::Call(service, VERSION, call, "LoadBalancerArn")
        }
        K::ClassicLoadBalancer => {
            let (service, call) = (Service::ClassicLoadBalancing, "DeleteLoadBalancer");
            Way::Call(service, CLASSIC_VERSION, call, "LoadBalancerName")
        }
        K::TargetGroup => {
            let (service, call) = (Service::LoadBalancing, "DeleteTargetGroup");
            Way::Call(service, VERSION, call, "TargetGroupArn")
        }
        K::GroupRule => Way::GroupRule,
        K::SecurityGroup => ec2("DeleteSecurityGroup", "GroupId"),
        K::Interface => ec2("DeleteNetworkInterface", "NetworkInterfaceId"),
        K::Volume => ec2("DeleteVolume", "VolumeId"),
        K::Snapshot => ec2("DeleteSnapshot", "SnapshotId"),
        K::DnsRecord => Way::DnsRecord,
        K::LogGroup => Way::LogGroup,
        // By its ARN, or by the resource id of its database.
        K::Backup => {
            let parameter = if id.starts_with("arn:") {
                "DBInstanceAutomatedBackupsArn"
            } else {
                "DbiResourceId"
            };
            rds("DeleteDBInstanceAutomatedBackup", parameter)
        }
        K::DatabaseSnapshot => rds("DeleteDBSnapshot", "DBSnapshotIdentifier"),
        K::Bucket => Way::Bucket,
        K::Key => Way::Key,
        K::NatGateway => ec2("DeleteNatGateway", "NatGatewayId"),
        K::Address => ec2("ReleaseAddress", "AllocationId"),
        K::Subnet => ec2("DeleteSubnet", "SubnetId"),
        K::RouteTable => ec2("DeleteRouteTable", "RouteTableId"),
        K::NetworkAcl => ec2("DeleteNetworkAcl", "NetworkAclId"),
        K::Peering => ec2("DeleteVpcPeeringConnection", "VpcPeeringConnectionId"),
        K::Endpoint => Way::Endpoint,
        K::VpnGateway => ec2("DeleteVpnGateway", "VpnGatewayId"),
        K::InternetGateway if id.starts_with(EGRESS_ONLY) => ec2(
            "DeleteEgressOnlyInternetGateway",
            "EgressOnlyInternetGatewayId",
        ),
        K::InternetGateway => ec2("DeleteInternetGateway", "InternetGatewayId"),
        K::Vpc => ec2("DeleteVpc", "VpcId"),
        K::Database => Way::Never,
    }
}

async fn by_kind(aws: &Aws, resource: &OutsideResource) -> Result<(), CloudError> {
    let id = resource.id.as_str();
    match way(resource) {
        Way::Call(service, version, call, parameter) => {
            detach(aws, resource, parameter).await?;
            let api_call = ApiCall::new(service, call, id);
            query(aws, (api_call, version), &[(parameter, id)]).await?;
            Ok(())
        }
        Way::GroupRule => revoke(aws, id).await,
        Way::DnsRecord => dns::delete(aws, resource).await,
        Way::LogGroup => delete_log_group(aws, id).await,
        Way::Bucket => delete_bucket(aws, id).await,
        Way::Key => end_key(aws, id).await,
        Way::Endpoint => delete_endpoint(aws, id).await,
        Way::Never => Err(refused(resource, "kube-cfn never deletes a database")),
    }
}

/// Detaches a gateway from its VPC, which AWS wants before its deletion. Nothing to do for others.
async fn detach(aws: &Aws, gateway: &OutsideResource, parameter: &str) -> Result<(), CloudError> {
    let call = match (gateway.kind, &gateway.vpc) {
        (OutsideKind::VpnGateway, Some(vpc)) => Some(("DetachVpnGateway", vpc)),
        (OutsideKind::InternetGateway, Some(vpc)) if !gateway.id.starts_with(EGRESS_ONLY) => {
            Some(("DetachInternetGateway", vpc))
        }
        _ => None,
    };
    let Some((call, vpc)) = call else {
        return Ok(());
    };
    let api_call = ApiCall::new(Service::Ec2, call, &gateway.id);
    let parameters = [(parameter, &*gateway.id), ("VpcId", vpc)];
    let answer = query(aws, (api_call, EC2_VERSION), &parameters).await;
    CloudError::optional(answer)?;
    Ok(())
}

/// EC2 says in a good answer that it did not delete one.
async fn delete_endpoint(aws: &Aws, id: &str) -> Result<(), CloudError> {
    let api_call = ApiCall::new(Service::Ec2, "DeleteVpcEndpoints", id);
    let text = query(aws, (api_call, EC2_VERSION), &[("VpcEndpointId.1", id)]).await?;
    match undeleted(&text).map_err(unreadable(api_call))? {
        Some((code, _)) if code.ends_with(".NotFound") => Ok(()),
        Some((code, message)) => Err(CloudError::Refused {
            operation: api_call.to_string(),
            message: if message.is_empty() { code } else { message },
        }),
        None => Ok(()),
    }
}

/// Code and message of the first that was not deleted.
fn undeleted(xml: &str) -> Result<Option<(String, String)>, String> {
    let document = parse(xml)?;
    let error = elements(document.root_element(), "error").next();
    let error = error.map(|error| {
        let text = |name| child(error, name).unwrap_or_default();
        (text("code"), text("message"))
    });
    Ok(error)
}

/// What no call was made for.
fn refused(resource: &OutsideResource, why: &str) -> CloudError {
    CloudError::Refused {
        operation: format!("removal of {}", resource.id),
        message: why.to_owned(),
    }
}

/// Takes a rule out of its group.
async fn revoke(aws: &Aws, id: &str) -> Result<(), CloudError> {
    let Some(rule) = ec2::rule(aws, id).await? else {
        return Ok(());
    };
    let (call, parameters) = revocation(id, &rule.group, rule.is_egress);
    let api_call = ApiCall::new(Service::Ec2, call, id);
    query(aws, (api_call, EC2_VERSION), &parameters).await?;
    Ok(())
}

/// The call that takes a rule out of its group, and its parameters.
pub(super) fn revocation<'a>(
    id: &'a str,
    group: &'a str,
    is_egress: bool,
) -> (&'static str, [(&'static str, &'a str); 2]) {
    let call = if is_egress {
        "RevokeSecurityGroupEgress"
    } else {
        "RevokeSecurityGroupIngress"
    };
    (call, [("GroupId", group), ("SecurityGroupRuleId.1", id)])
}

async fn delete_log_group(aws: &Aws, name: &str) -> Result<(), CloudError> {
    let api_call = ApiCall::new(Service::Logs, "DeleteLogGroup", name);
    let body = object!({ "logGroupName": name });
    let answer = json_without_answer(aws, Tries::USUAL, (api_call, LOGS_TARGET), &body).await;
    answer.map_err(|error| with_action(api_call, error))
}

async fn delete_bucket(aws: &Aws, name: &str) -> Result<(), CloudError> {
    let api_call = ApiCall::new(Service::S3, "DeleteBucket", name);
    let request = aws.s3.delete_bucket().bucket(name);
    let answer = aws.ask(api_call, request.send()).await;
    answer.map_err(|error| with_action(api_call, error))?;
    Ok(())
}

/// Disables a key and begins its wait. KMS refuses for one that waits already.
async fn end_key(aws: &Aws, id: &str) -> Result<(), CloudError> {
    let api_call = ApiCall::new(Service::Kms, "ScheduleKeyDeletion", id);
    let body = object!({ "KeyId": id, "PendingWindowInDays": KEY_WAIT_DAYS });
    let answer: Result<Value, _> = json(aws, (api_call, TARGET), &body).await;
    let Err(refused @ CloudError::Refused { .. }) = answer else {
        return answer.map(drop);
    };
    match kms::state(aws, id).await? {
        None | Some(KeyState::PendingDeletion(_)) => Ok(()),
        Some(KeyState::Enabled | KeyState::Disabled | KeyState::Other(_)) => Err(refused),
    }
}
