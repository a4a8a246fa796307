//! The questions asked of EC2: which machines a group has, and what one said on its console.

mod answer;

use super::Aws;
use super::calls::{ApiCall, all_pages};
use super::error::unanswered;
use super::signed::{Tries, query};
use crate::cloud::limiter::Service;
use crate::cloud::{CloudError, Console};

/// EC2's API; there has been no other since.
pub(super) const VERSION: &str = "2016-11-15";
/// A console is optional information: no long wait for it.
const TRIES: Tries = Tries::FEW;

/// The last lines of the newest machine of an Auto Scaling group, terminated ones too: EC2 shows those
/// for about an hour.
pub(super) async fn console(aws: &Aws, group: &str) -> Result<Option<Console>, CloudError> {
    let Some(instance) = newest(aws, group, &[]).await? else {
        return Ok(None);
    };
    let lines = answer::tail(&output(aws, &instance).await?);
    Ok((!lines.is_empty()).then_some(Console { instance, lines }))
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
    let api_call = ApiCall::new(Service::Ec2, "DescribeInstances", group);
    let machines = all_pages(async |next: Option<String>| {
        let mut parameters = vec![
            ("Filter.1.Name", "tag:aws:autoscaling:groupName"),
            ("Filter.1.Value.1", group),
        ];
        parameters.extend_from_slice(filter);
        parameters.extend(next.as_deref().map(|next| ("NextToken", next)));
        let text = query(aws, TRIES, (api_call, VERSION), &parameters).await?;
        let page = answer::instances(&text).map_err(|cause| unanswered(api_call, &cause))?;
        Ok((Some(page.machines), page.next))
    })
    .await?;
    Ok(machines.into_iter().max().map(|machine| machine.id))
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
