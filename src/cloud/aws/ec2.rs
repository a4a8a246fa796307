//! The questions asked of EC2: which machines a group or a cluster has, and what one said on its console.

mod answer;

use super::Aws;
use super::calls::{ApiCall, all_pages};
use super::error::unanswered;
use super::signed::{Tries, query};
use crate::cloud::limiter::Service;
use crate::cloud::{Boots, CloudError, Console, Machine};
use crate::common::tags::TAG_CLUSTER;

/// EC2's API; there has been no other since.
pub(super) const VERSION: &str = "2016-11-15";
/// A console is optional information: no long wait for it.
const TRIES: Tries = Tries::FEW;

/// The console of the newest machine of an Auto Scaling group, terminated ones too: EC2 shows those
/// for about an hour.
pub(super) async fn console(aws: &Aws, group: &str) -> Result<Option<Console>, CloudError> {
    let Some(instance) = newest(aws, group, &[]).await? else {
        return Ok(None);
    };
    console_lines(aws, instance).await
}

async fn console_lines(aws: &Aws, instance: String) -> Result<Option<Console>, CloudError> {
    let lines = answer::lines(&output(aws, &instance).await?);
    Ok((!lines.is_empty()).then_some(Console { instance, lines }))
}

impl Boots for Aws {
    async fn machines(&self, cluster: &str) -> Result<Vec<Machine>, CloudError> {
        let tag = format!("tag:{TAG_CLUSTER}");
        let filters = [
            ("Filter.1.Name", tag.as_str()),
            ("Filter.1.Value.1", cluster),
            ("Filter.2.Name", "instance-state-name"),
            ("Filter.2.Value.1", "pending"),
            ("Filter.2.Value.2", "running"),
        ];
        let mut machines = instances(self, cluster, &filters).await?;
        machines.sort();
        Ok(machines)
    }

    async fn machines_of(&self, group: &str) -> Result<Vec<Machine>, CloudError> {
        in_group(self, group, &[]).await
    }

    async fn console_of(&self, instance: &str) -> Result<Option<Console>, CloudError> {
        let lines = console_lines(self, instance.to_owned()).await;
        Ok(CloudError::optional(lines)?.flatten())
    }
}

/// The newest machine of a group that runs.
pub(super) async fn running(aws: &Aws, group: &str) -> Result<Option<String>, CloudError> {
    let state = [
        ("Filter.2.Name", "instance-state-name"),
        ("Filter.2.Value.1", "running"),
    ];
    newest(aws, group, &state).await
}

async fn newest(
    aws: &Aws,
    group: &str,
    filter: &[(&str, &str)],
) -> Result<Option<String>, CloudError> {
    let machines = in_group(aws, group, filter).await?;
    Ok(machines.into_iter().next().map(|machine| machine.instance))
}

/// The machines of a group that `filter` selects, newest first.
async fn in_group(
    aws: &Aws,
    group: &str,
    filter: &[(&str, &str)],
) -> Result<Vec<Machine>, CloudError> {
    let mut filters = vec![
        ("Filter.1.Name", "tag:aws:autoscaling:groupName"),
        ("Filter.1.Value.1", group),
    ];
    filters.extend_from_slice(filter);
    let mut machines = instances(aws, group, &filters).await?;
    machines.sort_by(|one, other| other.cmp(one));
    Ok(machines)
}

/// The machines that `filters` select, on every page.
async fn instances(
    aws: &Aws,
    about: &str,
    filters: &[(&str, &str)],
) -> Result<Vec<Machine>, CloudError> {
    let api_call = ApiCall::new(Service::Ec2, "DescribeInstances", about);
    all_pages(async |next: Option<String>| {
        let mut parameters = filters.to_vec();
        parameters.extend(next.as_deref().map(|next| ("NextToken", next)));
        let text = query(aws, TRIES, (api_call, VERSION), &parameters).await?;
        let page = answer::instances(&text).map_err(|cause| unanswered(api_call, &cause))?;
        Ok((Some(page.machines), page.next))
    })
    .await
}

/// The latest output, which only machines on Nitro give; else what EC2 kept of the last boot.
async fn output(aws: &Aws, instance: &str) -> Result<String, CloudError> {
    let api_call = ApiCall::new(Service::Ec2, "GetConsoleOutput", instance);
    let read = async |parameters: &[(&str, &str)]| {
        let text = query(aws, TRIES, (api_call, VERSION), parameters).await?;
        answer::output(&text).map_err(|cause| unanswered(api_call, &cause))
    };
    let latest = read(&[("InstanceId", instance), ("Latest", "true")]).await;
    match latest {
        Ok(text) if !text.trim().is_empty() => Ok(text),
        Ok(_) | Err(CloudError::Refused { .. }) => read(&[("InstanceId", instance)]).await,
        Err(error) => Err(error),
    }
}
