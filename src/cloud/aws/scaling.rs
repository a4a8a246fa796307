//! The trait [`Scaling`] over the query APIs of Auto Scaling and RDS.

use std::collections::BTreeSet;

use roxmltree::Node;

use super::Aws;
use super::calls::{ApiCall, all_pages};
use super::error::unanswered;
use super::signed::xml::{LocalName, child, elements, parse};
use super::signed::{Tries, query};
use crate::cloud::limiter::Service;
use crate::cloud::{CloudError, LiveDatabase, Scaling, ScalingGroup};

/// Auto Scaling's API; there has been no other since.
const AUTO_SCALING: &str = "2011-01-01";
/// RDS's.
const RDS: &str = "2014-10-31";

impl Scaling for Aws {
    async fn group(&self, name: &str) -> Result<Option<ScalingGroup>, CloudError> {
        let api_call = ApiCall::new(Service::AutoScaling, "DescribeAutoScalingGroups", name);
        let found = all_pages(async |next: Option<String>| {
            let mut parameters = vec![("AutoScalingGroupNames.member.1", name)];
            parameters.extend(next.as_deref().map(|next| ("NextToken", next)));
            let text = query(self, Tries::USUAL, (api_call, AUTO_SCALING), &parameters).await?;
            let page = groups(&text, name).map_err(|cause| unanswered(api_call, &cause))?;
            Ok((Some(page.groups), page.next))
        })
        .await?;
        Ok(found.into_iter().next())
    }

    async fn suspend(&self, group: &str, process: &str) -> Result<(), CloudError> {
        let api_call = ApiCall::new(Service::AutoScaling, "SuspendProcesses", group);
        let parameters = [
            ("AutoScalingGroupName", group),
            ("ScalingProcesses.member.1", process),
        ];
        let text = query(self, Tries::USUAL, (api_call, AUTO_SCALING), &parameters).await?;
        let answered = root(&text, "SuspendProcessesResponse");
        answered.map_err(|cause| unanswered(api_call, &cause))
    }

    async fn database(&self, identifier: &str) -> Result<Option<LiveDatabase>, CloudError> {
        let api_call = ApiCall::new(Service::Rds, "DescribeDBInstances", identifier);
        let parameters = [("DBInstanceIdentifier", identifier)];
        let answer = query(self, Tries::USUAL, (api_call, RDS), &parameters).await;
        let Some(text) = CloudError::optional(answer)? else {
            return Ok(None);
        };
        database(&text).map_err(|cause| unanswered(api_call, &cause))
    }
}

/// One page of groups.
struct Page {
    groups: Vec<ScalingGroup>,
    next: Option<String>,
}

/// Whether an answer is that of a call, and not a page of a proxy.
fn root(xml: &str, name: &str) -> Result<(), String> {
    let document = parse(xml)?;
    if document.root_element().has_local_name(name) {
        return Ok(());
    }
    Err(format!("an answer that is no {name}"))
}

/// The groups of this name.
fn groups(xml: &str, name: &str) -> Result<Page, String> {
    root(xml, "DescribeAutoScalingGroupsResponse")?;
    let document = parse(xml)?;
    let mut groups = Vec::new();
    for list in elements(document.root(), "AutoScalingGroups") {
        let members = list.children().filter(|node| node.has_local_name("member"));
        for member in members {
            if child(member, "AutoScalingGroupName").as_deref() == Some(name) {
                groups.push(group(member)?);
            }
        }
    }
    let result = elements(document.root(), "DescribeAutoScalingGroupsResult").next();
    let next = result.and_then(|result| child(result, "NextToken"));
    Ok(Page {
        groups,
        next: next.filter(|token| !token.is_empty()),
    })
}

fn group(member: Node<'_, '_>) -> Result<ScalingGroup, String> {
    let listed = |list: &str, of: Option<&str>| -> BTreeSet<String> {
        let list = member.children().find(|node| node.has_local_name(list));
        let items = list.into_iter().flat_map(|list| list.children());
        let items = items.filter(|node| node.has_local_name("member"));
        items
            .filter_map(|item| match of {
                Some(name) => child(item, name),
                None => item.text().map(|text| text.trim().to_owned()),
            })
            .collect()
    };
    Ok(ScalingGroup {
        min: number(member, "MinSize")?,
        desired: number(member, "DesiredCapacity")?,
        zones: listed("AvailabilityZones", None),
        suspended: listed("SuspendedProcesses", Some("ProcessName")),
    })
}

fn database(xml: &str) -> Result<Option<LiveDatabase>, String> {
    root(xml, "DescribeDBInstancesResponse")?;
    let document = parse(xml)?;
    let Some(found) = elements(document.root(), "DBInstance").next() else {
        return Ok(None);
    };
    Ok(Some(LiveDatabase {
        storage_gib: number(found, "AllocatedStorage")?,
        engine_version: child(found, "EngineVersion").ok_or("an answer without EngineVersion")?,
    }))
}

fn number(of: Node<'_, '_>, name: &str) -> Result<u32, String> {
    let text = child(of, name).unwrap_or_default();
    text.parse()
        .map_err(|_| format!("an answer without {name}"))
}
