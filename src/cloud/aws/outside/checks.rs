//! The trait [`RemovalChecks`] over EC2, Elastic Load Balancing, RDS and S3: switches that protect something, and EC2's dry
//! run, which checks the caller's rights and removes nothing.

use std::collections::BTreeSet;

use roxmltree::Node;

use super::answer::{List, page, required};
use super::balancers::VERSION;
use super::databases::RDS_VERSION;
use super::removal::{Way, revocation, way};
use super::{query, unreadable, with_action};
use crate::cloud::aws::Aws;
use crate::cloud::aws::calls::ApiCall;
use crate::cloud::aws::ec2;
use crate::cloud::aws::inspect::bucket_policy;
use crate::cloud::aws::signed::xml::{LocalName, child, elements, parse};
use crate::cloud::limiter::Service;
use crate::cloud::outside::OutsideResource;
use crate::cloud::{CloudError, DryRun, Lock, Lockable, RemovalChecks, denies_deletion};

impl RemovalChecks for Aws {
    async fn locks(&self, of: Lockable<'_>) -> Result<BTreeSet<Lock>, CloudError> {
        let locks = match of {
            Lockable::Balancer(arn) => balancer(self, arn).await,
            Lockable::Machine(id) => machine(self, id).await,
            Lockable::Database(id) => database(self, id).await,
            Lockable::Bucket(name) => bucket(self, name).await,
        };
        Ok(CloudError::optional(locks)?.unwrap_or_default())
    }

    async fn dry_run(&self, resource: &OutsideResource) -> Result<DryRun, CloudError> {
        let Some((call, parameters)) = request(resource) else {
            return Ok(DryRun::NotOffered);
        };
        let api_call = ApiCall::new(Service::Ec2, call, &resource.id);
        let parameters: Vec<_> = parameters.into_iter().chain([("DryRun", "true")]).collect();
        query(self, (api_call, ec2::VERSION), &parameters).await?;
        Ok(DryRun::Allowed)
    }
}

/// The request that removes a resource of EC2.
fn request(resource: &OutsideResource) -> Option<(&'static str, Vec<(&'static str, &str)>)> {
    let id = resource.id.as_str();
    match way(resource) {
        Way::Call(Service::Ec2, _, call, parameter) => Some((call, vec![(parameter, id)])),
        Way::Endpoint => Some(("DeleteVpcEndpoints", vec![("VpcEndpointId.1", id)])),
        Way::GroupRule if !resource.body.is_empty() => {
            let is_egress = resource.state.as_deref() == Some("egress");
            let (call, parameters) = revocation(id, &resource.body, is_egress);
            Some((call, parameters.to_vec()))
        }
        Way::Call(..)
        | Way::GroupRule
        | Way::DnsRecord
        | Way::LogGroup
        | Way::Bucket
        | Way::Key
        | Way::Never => None,
    }
}

const ATTRIBUTES: List = List {
    call: "DescribeLoadBalancerAttributes",
    path: &["Attributes"],
    entry: "member",
    next: "NextMarker",
};

async fn balancer(aws: &Aws, arn: &str) -> Result<BTreeSet<Lock>, CloudError> {
    let api_call = ApiCall::new(Service::LoadBalancing, ATTRIBUTES.call, arn);
    let text = query(aws, (api_call, VERSION), &[("LoadBalancerArn", arn)]).await?;
    let attribute = |node: Node<'_, '_>| {
        let value = child(node, "Value").unwrap_or_default();
        Ok((required(node, "Key")?, value))
    };
    let page = page(&text, ATTRIBUTES, attribute).map_err(unreadable(api_call))?;
    let is_on =
        |(key, value): &(String, String)| key == "deletion_protection.enabled" && value == "true";
    let lock = page.items.iter().any(is_on);
    Ok(lock
        .then_some(Lock::DeletionProtection)
        .into_iter()
        .collect())
}

/// EC2 gives one attribute a call.
async fn machine(aws: &Aws, id: &str) -> Result<BTreeSet<Lock>, CloudError> {
    let mut locks = BTreeSet::new();
    for (attribute, lock) in [
        ("disableApiTermination", Lock::TerminationProtection),
        ("disableApiStop", Lock::StopProtection),
    ] {
        let api_call = ApiCall::new(Service::Ec2, "DescribeInstanceAttribute", id);
        let parameters = [("InstanceId", id), ("Attribute", attribute)];
        let text = query(aws, (api_call, ec2::VERSION), &parameters).await?;
        let is_on = is_on(&text, attribute).map_err(unreadable(api_call))?;
        locks.extend(is_on.then_some(lock));
    }
    Ok(locks)
}

/// An attribute of an instance, which has its value in an element below it.
fn is_on(xml: &str, attribute: &str) -> Result<bool, String> {
    let document = parse(xml)?;
    let mut found = document.root_element().children();
    let found = found.find(|node| node.has_local_name(attribute));
    let value = found.and_then(|found| child(found, "value"));
    let value = value.ok_or_else(|| format!("an answer without {attribute}"))?;
    Ok(value == "true")
}

async fn database(aws: &Aws, id: &str) -> Result<BTreeSet<Lock>, CloudError> {
    let api_call = ApiCall::new(Service::Rds, "DescribeDBInstances", id);
    let parameters = [("DBInstanceIdentifier", id)];
    let text = query(aws, (api_call, RDS_VERSION), &parameters).await?;
    let document = parse(&text).map_err(unreadable(api_call))?;
    let Some(found) = elements(document.root(), "DBInstance").next() else {
        return Ok(BTreeSet::new());
    };
    let lock = required(found, "DeletionProtection").map_err(unreadable(api_call))? == "true";
    Ok(lock
        .then_some(Lock::DeletionProtection)
        .into_iter()
        .collect())
}

async fn bucket(aws: &Aws, name: &str) -> Result<BTreeSet<Lock>, CloudError> {
    let mut locks = BTreeSet::new();
    let api_call = ApiCall::new(Service::S3, "GetObjectLockConfiguration", name);
    let request = aws.s3.get_object_lock_configuration().bucket(name);
    let answer = aws.ask(api_call, request.send()).await;
    let answer = answer.map_err(|error| with_action(api_call, error));
    let rule = CloudError::optional(answer)?
        .and_then(|answer| answer.object_lock_configuration)
        .and_then(|found| found.rule);
    // Without one each object says it for itself.
    let retains = rule.is_some_and(|rule| rule.default_retention.is_some());
    locks.extend(retains.then_some(Lock::ObjectLock));
    let policy = CloudError::optional(bucket_policy(aws, name).await)?;
    let denies = policy.is_some_and(|policy| denies_deletion(&policy));
    locks.extend(denies.then_some(Lock::BucketPolicy));
    Ok(locks)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attribute_of_an_instance_needs_its_value() {
        let answer = |inside: &str| {
            format!(
                "<DescribeInstanceAttributeResponse xmlns=\"x\"><instanceId>i-1</instanceId>{inside}</DescribeInstanceAttributeResponse>"
            )
        };
        let stop = answer("<disableApiStop><value>true</value></disableApiStop>");
        assert_eq!(is_on(&stop, "disableApiStop"), Ok(true));
        assert!(is_on(&stop, "disableApiTermination").is_err());
        let off = answer("<disableApiStop><value>false</value></disableApiStop>");
        assert_eq!(is_on(&off, "disableApiStop"), Ok(false));
        assert!(is_on(&answer("<disableApiStop/>"), "disableApiStop").is_err());
    }
}
