//! What proves whose a resource is. Anybody can set a plain tag, on purpose or for a bill: alone it proves nothing.

use super::Context;
use crate::cloud::outside::{OutsideKind, OutsideResource, is_database_of};
use crate::common::tags::{TAG_CLUSTER, TAG_STACK};
use crate::sweep::kinds::row;
use crate::sweep::scope::Scope;

/// In front of the name of a cluster in Kubernetes's tag.
const OF_CLUSTER: &str = "kubernetes.io/cluster/";
/// CloudFormation's tag. Nobody else can set a tag that begins with `aws:`
/// (<https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-properties-resource-tags.html>).
const STACK_ID: &str = "aws:cloudformation:stack-id";
/// EC2's tag of what was launched from a template. It stays when the machine is detached: that takes away only the name of its
/// group (<https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-tagging.html>).
const TEMPLATE_ID: &str = "aws:ec2launchtemplate:id";
/// The AWS Load Balancer Controller's tag.
const CONTROLLER: &str = "elbv2.k8s.aws/cluster";
/// The VPC CNI's tag of interfaces that it makes beside a machine's first one.
const NETWORK_PLUGIN: &str = "cluster.k8s.amazonaws.com/name";

/// The stack that made a resource, by its ARN, where CloudFormation says so: with a tag, or in its record of a deleted stack.
pub(in crate::sweep) fn stack_id(resource: &OutsideResource) -> Option<&str> {
    resource.tag(STACK_ID).or(resource.left_by.as_deref())
}

/// Name of the stack and physical id by which CloudFormation's record of deleted stacks may say that one of them left a key:
/// of a key that no living stack has, and that is not about to go.
pub(in crate::sweep) fn record_of(
    key: &OutsideResource,
    scope: &Scope,
) -> Option<(String, String)> {
    let cluster = &scope.asked.cluster;
    let (_, id) = key.id.split_once(":key/")?;
    let is_asked = is_named_as_stacks(key, cluster) && !key.is_scheduled();
    if !is_asked || scope.resources.contains(id) {
        return None;
    }
    let kind = key.tag(TAG_STACK)?;
    Some((format!("{cluster}-{kind}"), id.to_owned()))
}

/// Whether a resource has both tags of the cluster's stacks, and belongs to nobody else besides.
pub(super) fn is_named_as_stacks(resource: &OutsideResource, cluster: &str) -> bool {
    resource.tag(TAG_CLUSTER) == Some(cluster)
        && resource.tag(TAG_STACK).is_some()
        && !is_of_another(resource, cluster)
}

/// Whether CloudFormation says that a stack of the cluster made a resource: the one that its tags name.
pub(super) fn is_made_by_stack(resource: &OutsideResource, cluster: &str) -> bool {
    let name = stack_id(resource)
        .and_then(|arn| arn.split_once(":stack/"))
        .and_then(|(_, name)| name.split('/').next());
    let kind = resource.tag(TAG_STACK);
    is_named_as_stacks(resource, cluster)
        && kind.is_some_and(|kind| name == Some(&*format!("{cluster}-{kind}")))
}

/// Whether tags of Kubernetes say that a resource is the cluster's, or that of another one with its name.
pub(super) fn is_made_by_kubernetes(resource: &OutsideResource, cluster: &str) -> bool {
    let is_owned = resource.tag(&format!("{OF_CLUSTER}{cluster}")) == Some("owned")
        || resource.tag(CONTROLLER) == Some(cluster)
        || resource.tag(NETWORK_PLUGIN) == Some(cluster);
    is_owned && resource.tag(TAG_STACK).is_none() && !is_of_another(resource, cluster)
}

/// Whether tags say that a resource is another cluster's, whatever they say besides.
pub(super) fn is_of_another(resource: &OutsideResource, cluster: &str) -> bool {
    let is_owned = |(key, value): (&String, &String)| {
        let name = key.strip_prefix(OF_CLUSTER);
        value == "owned" && name.is_some_and(|name| name != cluster)
    };
    let names_another = |key| resource.tag(key).is_some_and(|name| name != cluster);
    resource.tags.iter().any(is_owned)
        || [TAG_CLUSTER, CONTROLLER, NETWORK_PLUGIN]
            .into_iter()
            .any(names_another)
}

impl Context<'_> {
    /// Whether a stack of the cluster made this.
    pub(super) fn is_of_stack(&self, resource: &OutsideResource) -> bool {
        let cluster = &*self.scope.asked.cluster;
        match resource.kind {
            OutsideKind::Machine => self.is_machine_of_stack(resource),
            // A database that was restored from a snapshot has the snapshot's tags.
            OutsideKind::Database => {
                let is_named = is_database_of(&resource.id, cluster);
                is_made_by_stack(resource, cluster) || is_named && !is_of_another(resource, cluster)
            }
            kind if row(kind).needs_stack_tag() => is_made_by_stack(resource, cluster),
            _ => is_named_as_stacks(resource, cluster),
        }
    }

    /// CloudFormation's tags reach the machines of its groups; EC2's tag alone proves only that some template made it, so
    /// then it has to lie in the cluster's VPC.
    fn is_machine_of_stack(&self, machine: &OutsideResource) -> bool {
        let cluster = &*self.scope.asked.cluster;
        let is_owned = machine.tag(&format!("{OF_CLUSTER}{cluster}")) == Some("owned");
        let vpc = machine.vpc.as_deref();
        let is_here = self.vpcs.is_empty() || vpc.is_some_and(|vpc| self.vpcs.contains(vpc));
        is_owned
            && (is_made_by_stack(machine, cluster)
                || is_here
                    && stack_id(machine).is_none()
                    && machine.tag(TEMPLATE_ID).is_some()
                    && is_named_as_stacks(machine, cluster))
    }

    /// Whether another cluster of the same name may be in the account: something in another VPC has Kubernetes's tags of it,
    /// or what would show one was not looked for.
    pub(super) fn finds_namesake(&self) -> bool {
        let cluster = &*self.scope.asked.cluster;
        let shows = [OutsideKind::Machine, OutsideKind::SecurityGroup];
        let is_elsewhere = |resource: &OutsideResource| {
            let vpc = resource.vpc.as_deref();
            vpc.is_some_and(|vpc| !self.vpcs.contains(vpc))
                && is_made_by_kubernetes(resource, cluster)
        };
        shows.iter().any(|kind| !self.lists.contains_key(kind))
            || self.lists.values().flatten().any(is_elsewhere)
    }
}
