//! The trait [`Machines`] over the query APIs of Auto Scaling, EC2 and Elastic Load Balancing. Whether a machine is still
//! what a request takes it for is looked up, not read out of AWS's sentences.

mod answer;

use roxmltree::Node;

use super::Aws;
use super::calls::{ApiCall, all_pages};
use super::ec2::VERSION as EC2;
use super::error::unanswered;
use super::outside::answer::{List, page};
use super::signed::{Tries, query};
use crate::cloud::limiter::Service;
use crate::cloud::machines::{
    Activity, Instance, MachineGroup, Machines, Presence, Target, assign_groups,
};
use crate::cloud::{CloudError, GroupMember};
use crate::common::tags::{TAG_CLUSTER, TAG_ROLL};

/// Auto Scaling's API; there has been no other since.
const AUTO_SCALING: &str = "2011-01-01";
/// That of network load balancers.
const BALANCING: &str = "2015-12-01";
/// As many groups as there are on a page.
const GROUPS_A_PAGE: &str = "100";
/// As many instances as there are on a page.
const INSTANCES_A_PAGE: &str = "1000";
/// As many activities as are of use.
const ACTIVITIES: &str = "20";

impl Machines for Aws {
    async fn machine_groups(&self, cluster: &str) -> Result<Vec<MachineGroup>, CloudError> {
        let tag = format!("tag:{TAG_CLUSTER}");
        let parameters = [
            ("MaxRecords", GROUPS_A_PAGE),
            ("Filters.member.1.Name", tag.as_str()),
            ("Filters.member.1.Values.member.1", cluster),
        ];
        let call = (Service::AutoScaling, AUTO_SCALING, cluster);
        let read = |member: Node<'_, '_>| answer::group(member, cluster);
        let found = listed(self, call, answer::GROUPS, &parameters, read).await?;
        let mut groups = Vec::new();
        for one in found.into_iter().flatten() {
            let version = match one.version.parse() {
                Ok(version) => version,
                Err(_) => resolve(self, &one.template, &one.version).await?,
            };
            groups.push(one.with_version(version));
        }
        groups.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(groups)
    }

    async fn instances(
        &self,
        cluster: &str,
        groups: &[MachineGroup],
    ) -> Result<Vec<Instance>, CloudError> {
        let tag = format!("tag:{TAG_CLUSTER}");
        let parameters = [
            ("MaxResults", INSTANCES_A_PAGE),
            ("Filter.1.Name", tag.as_str()),
            ("Filter.1.Value.1", cluster),
        ];
        let call = (Service::Ec2, EC2, cluster);
        let read = |item: Node<'_, '_>| answer::instance(item, cluster);
        let found = listed(self, call, answer::INSTANCES, &parameters, read).await?;
        let mut instances: Vec<Instance> = found.into_iter().flatten().collect();
        assign_groups(&mut instances, groups);
        instances.sort_by(|one, other| one.id.cmp(&other.id));
        Ok(instances)
    }

    async fn activities(&self, group: &str) -> Result<Vec<Activity>, CloudError> {
        let parameters = [("AutoScalingGroupName", group), ("MaxRecords", ACTIVITIES)];
        let api_call = ApiCall::new(Service::AutoScaling, answer::ACTIVITIES.call, group);
        let text = query(self, Tries::USUAL, (api_call, AUTO_SCALING), &parameters).await?;
        let page = page(&text, answer::ACTIVITIES, answer::activity);
        Ok(page.map_err(|cause| unanswered(api_call, &cause))?.items)
    }

    async fn mark_instance(&self, instance: &str, value: &str) -> Result<Presence, CloudError> {
        let tag = [("Tag.1.Key", TAG_ROLL), ("Tag.1.Value", value)];
        of_ec2(self, "CreateTags", instance, ("ResourceId.1", &tag)).await
    }

    async fn unmark_instance(&self, instance: &str) -> Result<Presence, CloudError> {
        let tag = [("Tag.1.Key", TAG_ROLL)];
        of_ec2(self, "DeleteTags", instance, ("ResourceId.1", &tag)).await
    }

    async fn detach(&self, group: &str, instance: &str) -> Result<Presence, CloudError> {
        let parameters = [
            ("AutoScalingGroupName", group),
            ("InstanceIds.member.1", instance),
            ("ShouldDecrementDesiredCapacity", "false"),
        ];
        let api_call = ApiCall::new(Service::AutoScaling, "DetachInstances", instance);
        let answer = query(self, Tries::USUAL, (api_call, AUTO_SCALING), &parameters).await;
        let Err(refused) = answer else {
            return Ok(Presence::There);
        };
        match member(self, &refused, instance).await? {
            Some((of, member)) if of == group && !member.is_leaving() => Err(refused),
            _ => Ok(Presence::Gone),
        }
    }

    async fn terminate(&self, instance: &str) -> Result<Presence, CloudError> {
        of_ec2(self, "TerminateInstances", instance, ("InstanceId.1", &[])).await
    }

    async fn terminate_in_group(&self, instance: &str) -> Result<Presence, CloudError> {
        let parameters = [
            ("InstanceId", instance),
            ("ShouldDecrementDesiredCapacity", "false"),
        ];
        let call = "TerminateInstanceInAutoScalingGroup";
        let api_call = ApiCall::new(Service::AutoScaling, call, instance);
        let answer = query(self, Tries::USUAL, (api_call, AUTO_SCALING), &parameters).await;
        let Err(refused) = answer else {
            return Ok(Presence::There);
        };
        match member(self, &refused, instance).await? {
            None => Ok(Presence::Gone),
            // A request before this one, whose answer was lost, did it.
            Some((_, member)) if member.is_ending() => Ok(Presence::There),
            Some(_) => Err(refused),
        }
    }

    async fn targets(&self, target_group: &str) -> Result<Vec<Target>, CloudError> {
        let api_call = ApiCall::new(Service::LoadBalancing, answer::TARGETS.call, target_group);
        let parameters = [("TargetGroupArn", target_group)];
        let text = query(self, Tries::USUAL, (api_call, BALANCING), &parameters).await?;
        let page = page(&text, answer::TARGETS, answer::target);
        Ok(page.map_err(|cause| unanswered(api_call, &cause))?.items)
    }
}

/// The group that has a machine now, and what it is in it. Asked only where Auto Scaling refused: other errors stay what
/// they are.
async fn member(
    aws: &Aws,
    refused: &CloudError,
    instance: &str,
) -> Result<Option<(String, GroupMember)>, CloudError> {
    if !matches!(
        refused,
        CloudError::Refused { .. } | CloudError::NotFound(_)
    ) {
        return Err(refused.clone());
    }
    let call = (Service::AutoScaling, AUTO_SCALING, instance);
    let parameters = [("InstanceIds.member.1", instance)];
    let found = listed(aws, call, answer::MEMBERS, &parameters, answer::member_of).await?;
    let mut found = found.into_iter();
    Ok(found.find(|(_, member)| member.instance == instance))
}

/// A call of EC2 about one machine, which may be gone.
async fn of_ec2(
    aws: &Aws,
    call: &'static str,
    instance: &str,
    (name, more): (&str, &[(&str, &str)]),
) -> Result<Presence, CloudError> {
    let mut parameters = vec![(name, instance)];
    parameters.extend_from_slice(more);
    let api_call = ApiCall::new(Service::Ec2, call, instance);
    let answer = query(aws, Tries::USUAL, (api_call, EC2), &parameters).await;
    let answer = CloudError::optional(answer)?;
    Ok(answer.map_or(Presence::Gone, |_| Presence::There))
}

/// The number of `$Latest` or `$Default`.
async fn resolve(aws: &Aws, template: &str, version: &str) -> Result<u64, CloudError> {
    let call = (Service::Ec2, EC2, template);
    let parameters = [
        ("LaunchTemplateId", template),
        ("LaunchTemplateVersion.1", version),
    ];
    let found = listed(aws, call, answer::VERSIONS, &parameters, answer::version).await?;
    let found = found.into_iter().next();
    found.ok_or_else(|| CloudError::NotFound(format!("version {version} of {template}")))
}

/// Every entry on every page of a list.
async fn listed<T>(
    aws: &Aws,
    (service, version, about): (Service, &str, &str),
    list: List,
    parameters: &[(&str, &str)],
    read: impl Fn(Node<'_, '_>) -> Result<T, String>,
) -> Result<Vec<T>, CloudError> {
    let api_call = ApiCall::new(service, list.call, about);
    all_pages(async |next: Option<String>| {
        let mut parameters = parameters.to_vec();
        parameters.extend(next.as_deref().map(|next| ("NextToken", next)));
        let text = query(aws, Tries::USUAL, (api_call, version), &parameters).await?;
        let page = page(&text, list, &read).map_err(|cause| unanswered(api_call, &cause))?;
        Ok((Some(page.items), page.next))
    })
    .await
}
