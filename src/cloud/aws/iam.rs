//! The questions asked of IAM: a role's trust, its inline policies and the managed ones attached to it.

use std::collections::BTreeMap;

use percent_encoding::percent_decode_str;
use roxmltree::Document;
use serde_json::Value;

use super::Aws;
use super::calls::{ApiCall, all_pages};
use super::error::unanswered;
use super::signed::xml::{LocalName, child, elements, parse};
use super::signed::{Tries, query};
use crate::cloud::CloudError;
use crate::cloud::inspect::RoleAccess;
use crate::cloud::limiter::Service;

/// IAM's API; there has been no other since.
pub(super) const VERSION: &str = "2010-05-08";

pub(super) async fn role(aws: &Aws, name: &str) -> Result<Option<RoleAccess>, CloudError> {
    CloudError::optional(read(aws, name).await)
}

async fn read(aws: &Aws, name: &str) -> Result<RoleAccess, CloudError> {
    let of_role = [("RoleName", name)];
    let trust = document(aws, "GetRole", &of_role, "AssumeRolePolicyDocument").await?;
    let mut attached = BTreeMap::new();
    for arn in listed(aws, "ListAttachedRolePolicies", name, "PolicyArn").await? {
        let document = managed(aws, &arn).await?;
        attached.insert(arn, document);
    }
    let mut inline = BTreeMap::new();
    for policy in listed(aws, "ListRolePolicies", name, "member").await? {
        let of_policy = [("RoleName", name), ("PolicyName", &policy)];
        let document = document(aws, "GetRolePolicy", &of_policy, "PolicyDocument").await?;
        inline.insert(policy, document);
    }
    Ok(RoleAccess {
        trust,
        attached,
        inline,
    })
}

/// The document in force of a managed policy. AWS's own are AWS's to change.
async fn managed(aws: &Aws, arn: &str) -> Result<Option<Value>, CloudError> {
    if arn.contains(":iam::aws:policy/") {
        return Ok(None);
    }
    let (api_call, text) = ask(aws, "GetPolicy", &[("PolicyArn", arn)]).await?;
    let version = in_document(api_call, &text, "DefaultVersionId")?;
    let of_version = [("PolicyArn", arn), ("VersionId", &version)];
    let document = document(aws, "GetPolicyVersion", &of_version, "Document").await?;
    Ok(Some(document))
}

/// The texts of these elements on every page of a list.
async fn listed(
    aws: &Aws,
    call: &'static str,
    role: &str,
    element: &str,
) -> Result<Vec<String>, CloudError> {
    all_pages(async |next: Option<String>| {
        let mut parameters = vec![("RoleName", role)];
        parameters.extend(next.as_deref().map(|marker| ("Marker", marker)));
        let (api_call, text) = ask(aws, call, &parameters).await?;
        let answer = read_xml(api_call, &text)?;
        let found = elements(answer.root(), element);
        let texts = found.filter_map(|node| node.text().map(str::trim).map(str::to_owned));
        let texts = texts.filter(|text| !text.is_empty()).collect();
        Ok((Some(texts), marker(&answer)))
    })
    .await
}

/// Where the next page begins; `None` on the last.
pub(super) fn marker(answer: &Document<'_>) -> Option<String> {
    let result = answer.root_element().children();
    let mut result =
        result.filter(|node| node.is_element() && !node.has_local_name("ResponseMetadata"));
    let result = result.next()?;
    let more = child(result, "IsTruncated").is_some_and(|text| text == "true");
    child(result, "Marker").filter(|_| more)
}

/// A policy document out of an answer, where it is in percent-encoding.
async fn document(
    aws: &Aws,
    call: &'static str,
    parameters: &[(&str, &str)],
    element: &str,
) -> Result<Value, CloudError> {
    let (api_call, text) = ask(aws, call, parameters).await?;
    let encoded = in_document(api_call, &text, element)?;
    let plain = percent_decode_str(&encoded).decode_utf8_lossy();
    serde_json::from_str(&plain)
        .map_err(|error| unanswered(api_call, &format!("a policy that is not JSON ({error})")))
}

async fn ask<'a>(
    aws: &Aws,
    call: &'static str,
    parameters: &[(&str, &'a str)],
) -> Result<(ApiCall<'a>, String), CloudError> {
    let of = parameters.first().map_or("", |(_, value)| *value);
    let api_call = ApiCall::new(Service::Iam, call, of);
    let text = query(aws, Tries::USUAL, (api_call, VERSION), parameters).await?;
    Ok((api_call, text))
}

fn in_document(api_call: ApiCall<'_>, text: &str, element: &str) -> Result<String, CloudError> {
    let answer = read_xml(api_call, text)?;
    let found = elements(answer.root(), element).next();
    let found = found.and_then(|node| node.text()).map(str::to_owned);
    found.ok_or_else(|| unanswered(api_call, &format!("an answer without {element}")))
}

fn read_xml<'a>(api_call: ApiCall<'_>, text: &'a str) -> Result<Document<'a>, CloudError> {
    parse(text).map_err(|cause| unanswered(api_call, &cause))
}
