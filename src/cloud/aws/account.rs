//! The trait [`Account`] over EC2, Service Quotas, RDS, S3 Control and IAM.

mod answer;
mod rights;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use super::calls::{ApiCall, all_pages};
use super::error::unanswered;
use super::signed::{self, Tries, of_account, query};
use super::{Aws, ec2};
use crate::cloud::account::{
    Account, DatabaseOffer, Decision, MachineType, Quota, RightsQuestion, RunningMachine, Vpcs,
};
use crate::cloud::limiter::Service;
use crate::cloud::{ACCESS_BLOCKS, CloudError};
use answer::Page;

/// RDS's API; there has been no other since.
const RDS_VERSION: &str = "2014-10-31";
/// The name of Service Quotas in `X-Amz-Target`.
const QUOTAS_TARGET: &str = "ServiceQuotasV20190624";
/// Where S3 Control has the public access block of an account.
const ACCESS_BLOCK_PATH: &str = "v20180820/configuration/publicAccessBlock";

/// A parameter of a query.
type Parameter<'a> = (String, &'a str);

impl Account for Aws {
    async fn quota(&self, quota: Quota) -> Result<u64, CloudError> {
        match quota_by(self, "GetServiceQuota", quota).await {
            Err(CloudError::NotFound(_)) => {
                quota_by(self, "GetAWSDefaultServiceQuota", quota).await
            }
            answer => answer,
        }
    }

    async fn addresses(&self) -> Result<u64, CloudError> {
        let all = list(self, "DescribeAddresses", &[], answer::addresses).await?;
        Ok(all.len() as u64)
    }

    async fn vpcs(&self) -> Result<Vpcs, CloudError> {
        let all = list(self, "DescribeVpcs", &[PAGE], answer::vpcs).await?;
        Ok(Vpcs {
            number: all.len() as u64,
            has_default: all.contains(&true),
        })
    }

    async fn running_machines(&self) -> Result<Vec<RunningMachine>, CloudError> {
        let parameters = [
            PAGE,
            ("Filter.1.Name", "instance-state-name"),
            ("Filter.1.Value.1", "pending"),
            ("Filter.1.Value.2", "running"),
        ];
        list(self, "DescribeInstances", &parameters, answer::machines).await
    }

    async fn zones(&self) -> Result<BTreeSet<String>, CloudError> {
        let all = list(self, "DescribeAvailabilityZones", &[], answer::zones).await?;
        Ok(all.into_iter().collect())
    }

    async fn offerings(
        &self,
        types: &BTreeSet<String>,
    ) -> Result<BTreeMap<String, BTreeSet<String>>, CloudError> {
        let call = "DescribeInstanceTypeOfferings";
        let mut parameters = of_types(types);
        parameters.push(("LocationType".to_owned(), "availability-zone"));
        let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (name, zone) in list_by(self, call, &parameters, answer::offerings).await? {
            found.entry(name).or_default().insert(zone);
        }
        Ok(found)
    }

    async fn machine_types(
        &self,
        types: &BTreeSet<String>,
    ) -> Result<BTreeMap<String, MachineType>, CloudError> {
        let call = "DescribeInstanceTypes";
        let all = list_by(self, call, &of_types(types), answer::machine_types).await?;
        Ok(all.into_iter().collect())
    }

    async fn database_offers(
        &self,
        class: &str,
        version: Option<&str>,
    ) -> Result<Vec<DatabaseOffer>, CloudError> {
        database_offers(self, class, version).await
    }

    async fn account_access_block(&self, account: &str) -> Result<BTreeSet<String>, CloudError> {
        let api_call = ApiCall::new(Service::S3Control, "GetPublicAccessBlock", account);
        let answer = of_account(self, Tries::FEW, api_call, account, ACCESS_BLOCK_PATH).await;
        let Some(text) = CloudError::optional(answer)? else {
            return Ok(BTreeSet::new());
        };
        let on = answer::switched_on(&text, &ACCESS_BLOCKS);
        on.map_err(|cause| unanswered(api_call, &cause))
    }

    async fn role_arn(&self, name: &str) -> Result<Option<String>, CloudError> {
        CloudError::optional(rights::role_arn(self, name).await)
    }

    async fn decisions(&self, question: &RightsQuestion) -> Result<Vec<Decision>, CloudError> {
        rights::decisions(self, question).await
    }
}

async fn quota_by(aws: &Aws, call: &'static str, quota: Quota) -> Result<u64, CloudError> {
    let (service, code) = quota.codes();
    let api_call = ApiCall::new(Service::Quotas, call, code);
    let body = json!({ "ServiceCode": service, "QuotaCode": code });
    let answer = signed::json(aws, Tries::FEW, (api_call, QUOTAS_TARGET), &body).await?;
    let value = answer["Quota"]["Value"].as_f64();
    let value = value.filter(|value| *value >= 0.0 && value.is_finite());
    let value = value.ok_or_else(|| unanswered(api_call, "an answer without the quota's value"))?;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "not negative; a fraction of a machine is none"
    )]
    Ok(value as u64)
}

/// As many as EC2 puts on a page; without it some calls answer everything at once, which large accounts forbid.
const PAGE: (&str, &str) = ("MaxResults", "1000");

/// The filter for machine types. Naming one that does not exist as anything else is an error.
fn of_types(types: &BTreeSet<String>) -> Vec<Parameter<'_>> {
    let values = types.iter().zip(1..);
    let values = values.map(|(name, n)| (format!("Filter.1.Value.{n}"), name.as_str()));
    let first = [("Filter.1.Name".to_owned(), "instance-type")];
    first.into_iter().chain(values).collect()
}

async fn list<T>(
    aws: &Aws,
    call: &'static str,
    parameters: &[(&str, &str)],
    read: fn(&str) -> Result<Page<T>, String>,
) -> Result<Vec<T>, CloudError> {
    let parameters = parameters
        .iter()
        .map(|(key, value)| ((*key).to_owned(), *value));
    list_by(aws, call, &parameters.collect::<Vec<_>>(), read).await
}

/// Everything on every page of one of EC2's lists.
async fn list_by<T>(
    aws: &Aws,
    call: &'static str,
    parameters: &[Parameter<'_>],
    read: fn(&str) -> Result<Page<T>, String>,
) -> Result<Vec<T>, CloudError> {
    let api_call = ApiCall::new(Service::Ec2, call, "");
    all_pages(async |next: Option<String>| {
        let all = parameters.iter().map(|(key, value)| (key.as_str(), *value));
        let all = all.chain(next.as_deref().map(|next| ("NextToken", next)));
        let all: Vec<_> = all.collect();
        let text = query(aws, Tries::FEW, (api_call, ec2::VERSION), &all).await?;
        let page = read(&text).map_err(|cause| unanswered(api_call, &cause))?;
        Ok((Some(page.items), page.next))
    })
    .await
}

async fn database_offers(
    aws: &Aws,
    class: &str,
    version: Option<&str>,
) -> Result<Vec<DatabaseOffer>, CloudError> {
    let api_call = ApiCall::new(Service::Rds, "DescribeOrderableDBInstanceOptions", class);
    all_pages(async |next: Option<String>| {
        let mut parameters = vec![
            ("Engine", "postgres"),
            ("DBInstanceClass", class),
            ("Vpc", "true"),
            ("MaxRecords", "1000"),
        ];
        parameters.extend(version.map(|version| ("EngineVersion", version)));
        parameters.extend(next.as_deref().map(|marker| ("Marker", marker)));
        let text = query(aws, Tries::FEW, (api_call, RDS_VERSION), &parameters).await?;
        let page = answer::database_offers(&text).map_err(|cause| unanswered(api_call, &cause))?;
        Ok((Some(page.items), page.next))
    })
    .await
}
