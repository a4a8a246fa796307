//! What a cluster has inside its stacks.

use std::collections::BTreeSet;

use futures::future::try_join_all;

use super::listing::ask;
use crate::cloud::outside::OutsideScope;
use crate::cloud::{Cloud, CloudError, LiveResource, LiveStack, StackStatus};
use crate::stacks::StackKind;

const VPC: &str = "AWS::EC2::VPC";
const DATABASE: &str = "AWS::RDS::DBInstance";
const BUCKET: &str = "AWS::S3::Bucket";
/// The status of a resource that a deletion retained: by its policy, which no template here has, or because somebody said so.
const SKIPPED: &str = "DELETE_SKIPPED";
/// The network stack's output with its VPC.
const VPC_OUTPUT: &str = "VpcId";

/// Something in a stack that can be locked against its deletion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// The name of the stack.
    pub stack: String,
    pub logical_id: String,
    /// Its physical id.
    pub id: String,
    pub kind: HeldKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeldKind {
    /// A load balancer of the second API.
    Balancer,
    Database,
    Bucket,
}

/// What a cluster has inside its stacks: all else that is found is outside them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Scope {
    pub asked: OutsideScope,
    /// ARNs of its stacks that are not deleted.
    pub stacks: BTreeSet<String>,
    /// Physical ids of their resources.
    pub resources: BTreeSet<String>,
    /// Physical ids of what they have left already, while other resources of them could not be deleted.
    pub left: BTreeSet<String>,
    /// What of them can be locked.
    pub held: Vec<Held>,
}

impl Scope {
    /// Of a cluster by its stacks: those that are not deleted, with the resources in them. It holds for this moment: when
    /// stacks are gone, what they left is outside them, and only a new scope says so.
    pub async fn of<C: Cloud>(
        cloud: &C,
        cluster: &str,
        stacks: &[LiveStack],
    ) -> Result<Self, CloudError> {
        let living = stacks
            .iter()
            .filter(|stack| stack.status != StackStatus::DeleteComplete);
        let held = living.map(async |stack| {
            let answer = ask(cloud, async || cloud.resources(&stack.id).await).await;
            match answer {
                Ok(resources) => Ok(Some((stack, resources))),
                // It was deleted since it was listed.
                Err(CloudError::NotFound(_)) => Ok(None),
                Err(error) => Err(error),
            }
        });
        let mut scope = Self {
            asked: OutsideScope {
                cluster: cluster.to_owned(),
                vpc: None,
            },
            ..Self::default()
        };
        for (stack, resources) in try_join_all(held).await?.into_iter().flatten() {
            scope.stacks.insert(stack.id.clone());
            if stack.kind == StackKind::Network.to_string() {
                scope.asked.vpc = vpc(stack, &resources);
            }
            for resource in resources {
                if is_there(&resource) {
                    scope.held.extend(lockable(stack, &resource));
                    scope.resources.extend(resource.physical_id);
                } else if resource.status.as_str() == SKIPPED {
                    scope.left.extend(resource.physical_id);
                }
            }
        }
        Ok(scope)
    }
}

fn lockable(stack: &LiveStack, resource: &LiveResource) -> Option<Held> {
    let kind = match resource.resource_type.as_str() {
        "AWS::ElasticLoadBalancingV2::LoadBalancer" => HeldKind::Balancer,
        DATABASE => HeldKind::Database,
        BUCKET => HeldKind::Bucket,
        _ => return None,
    };
    Some(Held {
        stack: stack.name.clone(),
        logical_id: resource.logical_id.clone(),
        id: resource.physical_id.clone()?,
        kind,
    })
}

fn is_there(resource: &LiveResource) -> bool {
    !["DELETE_COMPLETE", SKIPPED].contains(&resource.status.as_str())
}

/// The VPC of the network stack. Its output stays when the VPC is deleted and the rest could not be: the resource counts
/// where it is listed.
fn vpc(stack: &LiveStack, resources: &[LiveResource]) -> Option<String> {
    let listed = resources
        .iter()
        .find(|resource| resource.resource_type == VPC);
    match listed {
        Some(vpc) if is_there(vpc) => vpc.physical_id.clone(),
        Some(_) => None,
        None => stack.outputs.get(VPC_OUTPUT).cloned(),
    }
}
