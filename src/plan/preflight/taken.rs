//! Names that something else in the account has, and what of the account stands in the way. Pure.

use std::collections::BTreeSet;

use super::{Check, CheckCode};
use crate::cloud::account::Vpcs;
use crate::cloud::{Identity, KeyState, LiveStack, StackStatus};

/// A stack that has the name of one to be created. `None` where it is one of this cluster: another run made it since.
pub(super) fn stack(cluster: &str, name: &str, found: Option<&LiveStack>) -> Option<Check> {
    let found = found.filter(|found| found.status != StackStatus::DeleteComplete)?;
    if found.cluster == cluster {
        return None;
    }
    let owner = match found.cluster.as_str() {
        "" => format!("it does not belong to {cluster}"),
        other => format!("it belongs to cluster {other}"),
    };
    let text = format!(
        "a stack {name} is there already, in {}: {owner}",
        found.status
    );
    let options = found.named().options();
    let free = if found.status == StackStatus::ReviewInProgress {
        format!(
            "it is the placeholder of a change set and holds nothing: if nobody wants to execute that, \
             `aws cloudformation delete-stack{options}` removes it; else"
        )
    } else {
        "leave it alone:".to_owned()
    };
    let next = format!("{free} write another `name` into the definition");
    Some(Check::refused(CheckCode::StackName, text, next))
}

/// A key that has the alias of the one to be created.
pub(super) fn alias(alias: &str, found: Option<&KeyState>, region: &str) -> Check {
    let code = CheckCode::KeyAlias;
    if found.is_none() {
        return Check::ok(code, format!("{alias} is free"));
    }
    let text = format!("{alias} names a key already, so the new one can't have it");
    let next = format!(
        "if nothing uses that key by its alias, `aws kms delete-alias --region {region} --alias-name {alias}`; else write \
         another `name` into the definition"
    );
    Check::refused(code, text, next)
}

/// What the account's own public access block refuses of bucket policies that let everybody read.
pub(super) fn access_block(
    identity: &Identity,
    policies: &[String],
    on: &BTreeSet<String>,
) -> Check {
    let Identity {
        account,
        region,
        caller: _,
    } = identity;
    let code = CheckCode::PublicAccessBlock;
    let refuses = ["BlockPublicPolicy", "RestrictPublicBuckets"];
    let found: Vec<&str> = refuses
        .into_iter()
        .filter(|part| on.contains(*part))
        .collect();
    if found.is_empty() {
        return Check::ok(code, "lets the issuer's documents be read");
    }
    let text = format!(
        "account {account} blocks public buckets as a whole ({}), so AWS could not read the documents of the issuer, \
         by which it checks the tokens of pods; concerned: {}",
        found.join(", "),
        policies.join(", ")
    );
    let next = format!(
        "have these two switched off for the account, where each bucket keeps its own block: `aws s3control \
         put-public-access-block --region {region} --account-id {account} --public-access-block-configuration \
         BlockPublicAcls=true,IgnorePublicAcls=true,BlockPublicPolicy=false,RestrictPublicBuckets=false`"
    );
    Check::refused(code, text, next)
}

/// Groups with zones in place of subnets, in a region without a default VPC.
pub(super) fn default_vpc(vpcs: Vpcs, region: &str) -> Check {
    let code = CheckCode::DefaultVpc;
    if vpcs.has_default {
        return Check::ok(code, "there");
    }
    let text = format!(
        "{region} has no default VPC; the groups of the control plane take zones and network interfaces in place of \
         subnets, and whether Auto Scaling accepts that there is not verified"
    );
    let next = format!(
        "if the control plane fails with `No default VPC`, `aws ec2 create-default-vpc --region {region}`, then re-run \
         the same command"
    );
    Check::warning(code, text, next)
}
