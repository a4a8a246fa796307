//! The trait [`Outside`] over EC2, Elastic Load Balancing, Resource Groups Tagging, Route 53, `CloudWatch` Logs, RDS, S3, KMS and
//! CloudFormation's records of deleted stacks.
//!
//! Tags find candidates; that one of them exists is always the word of its own service. AWS has no call for
//! "everything of a cluster": each kind is asked for by each tag, and by the VPC where it lies in one.

pub(super) mod answer;
mod balancers;
mod checks;
mod databases;
mod dns;
mod ec2;
mod removal;
mod storage;
mod tagging;
mod tags;

use serde_json::Value;

use super::Aws;
use super::calls::ApiCall;
use super::error::unanswered;
use super::listing;
use super::signed::{self, Tries};
use crate::cloud::outside::{Outside, OutsideKind, OutsideResource, OutsideScope};
use crate::cloud::{CloudError, LiveResource};

impl Outside for Aws {
    async fn outside(
        &self,
        kind: OutsideKind,
        scope: &OutsideScope,
    ) -> Result<Vec<OutsideResource>, CloudError> {
        match kind {
            OutsideKind::Machine => ec2::listed(self, &ec2::MACHINES, scope).await,
            OutsideKind::LoadBalancer => balancers::listed(self, scope).await,
            OutsideKind::ClassicLoadBalancer => balancers::classic(self, scope).await,
            OutsideKind::TargetGroup => balancers::target_groups(self, scope).await,
            OutsideKind::GroupRule => ec2::rules(self, scope).await,
            OutsideKind::SecurityGroup => ec2::listed(self, &ec2::GROUPS, scope).await,
            OutsideKind::Interface => ec2::listed(self, &ec2::INTERFACES, scope).await,
            OutsideKind::Volume => ec2::listed(self, &ec2::VOLUMES, scope).await,
            OutsideKind::Snapshot => ec2::listed(self, &ec2::SNAPSHOTS, scope).await,
            OutsideKind::DnsRecord => dns::records(self, scope).await,
            OutsideKind::LogGroup => databases::log_groups(self, scope).await,
            OutsideKind::Backup => databases::backups(self, scope).await,
            OutsideKind::DatabaseSnapshot => databases::snapshots(self, scope).await,
            OutsideKind::Bucket => storage::buckets(self, scope).await,
            OutsideKind::Key => storage::keys(self, scope).await,
            OutsideKind::Subnet => ec2::listed(self, &ec2::SUBNETS, scope).await,
            OutsideKind::RouteTable => ec2::listed(self, &ec2::ROUTE_TABLES, scope).await,
            OutsideKind::Endpoint => ec2::listed(self, &ec2::ENDPOINTS, scope).await,
            OutsideKind::Peering => ec2::listed(self, &ec2::PEERINGS, scope).await,
            OutsideKind::NetworkAcl => ec2::listed(self, &ec2::NETWORK_ACLS, scope).await,
            OutsideKind::VpnGateway => ec2::listed(self, &ec2::VPN_GATEWAYS, scope).await,
            OutsideKind::NatGateway => ec2::listed(self, &ec2::NAT_GATEWAYS, scope).await,
            OutsideKind::Address => ec2::listed(self, &ec2::ADDRESSES, scope).await,
            OutsideKind::InternetGateway => ec2::internet_gateways(self, scope).await,
            OutsideKind::Vpc => ec2::listed(self, &ec2::OWN_VPCS, scope).await,
            OutsideKind::Database => databases::instances(self, scope).await,
        }
    }

    async fn remove(&self, resource: &OutsideResource) -> Result<(), CloudError> {
        removal::remove(self, resource).await
    }

    async fn left_by(&self, stack: &str, physical_id: &str) -> Result<Option<String>, CloudError> {
        for id in listing::deleted(self, stack).await? {
            let resources = listing::resources(self, &id).await?;
            let left = |resource: &LiveResource| {
                resource.physical_id.as_deref() == Some(physical_id)
                    && resource.status.as_str() == "DELETE_SKIPPED"
            };
            if resources.iter().any(left) {
                return Ok(Some(id));
            }
        }
        Ok(None)
    }
}

/// Asks a query API, by its version.
async fn query(
    aws: &Aws,
    call: (ApiCall<'_>, &str),
    parameters: &[(&str, &str)],
) -> Result<String, CloudError> {
    let answer = signed::query(aws, Tries::USUAL, call, parameters).await;
    answer.map_err(|error| with_action(call.0, error))
}

/// Asks a JSON API, by its name in `X-Amz-Target`.
async fn json(aws: &Aws, call: (ApiCall<'_>, &str), body: &Value) -> Result<Value, CloudError> {
    let answer = signed::json(aws, Tries::USUAL, call, body).await;
    answer.map_err(|error| with_action(call.0, error))
}

/// AWS does not always name the action that is missing: it is the call's then.
fn with_action(api_call: ApiCall<'_>, error: CloudError) -> CloudError {
    match error {
        CloudError::Denied {
            caller_may_not,
            action: None,
        } => CloudError::Denied {
            caller_may_not,
            action: Some(api_call.action()),
        },
        error => error,
    }
}

/// What a parser says of an answer that it can't read.
fn unreadable(api_call: ApiCall<'_>) -> impl Fn(String) -> CloudError {
    move |cause| unanswered(api_call, &cause)
}
