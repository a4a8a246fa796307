//! IAM's policy simulator: which actions the policies of a user or role allow.

use roxmltree::Node;

use super::super::calls::{ApiCall, all_pages};
use super::super::error::unanswered;
use super::super::signed::xml::{LocalName, child, elements, parse};
use super::super::signed::{Tries, query};
use super::super::{Aws, iam};
use crate::cloud::CloudError;
use crate::cloud::account::{Decision, Effect, RightsQuestion};
use crate::cloud::limiter::Service;

pub(super) async fn role_arn(aws: &Aws, name: &str) -> Result<String, CloudError> {
    let api_call = ApiCall::new(Service::Iam, "GetRole", name);
    let parameters = [("RoleName", name)];
    let text = query(aws, Tries::FEW, (api_call, iam::VERSION), &parameters).await?;
    let document = parse(&text).map_err(|cause| unanswered(api_call, &cause))?;
    let role = elements(document.root(), "Role").next();
    let arn = role.and_then(|role| child(role, "Arn"));
    arn.ok_or_else(|| unanswered(api_call, "an answer without the role's ARN"))
}

/// Policies often allow actions in certain regions: without the region such a condition stays open.
fn parameters(aws: &Aws, question: &RightsQuestion) -> Vec<(String, String)> {
    let mut all = vec![
        ("PolicySourceArn".to_owned(), question.principal.clone()),
        ("MaxItems".to_owned(), "1000".to_owned()),
    ];
    for (action, n) in question.actions.iter().zip(1..) {
        all.push((format!("ActionNames.member.{n}"), action.clone()));
    }
    for (resource, n) in question.resources.iter().zip(1..) {
        all.push((format!("ResourceArns.member.{n}"), resource.clone()));
    }
    let entry = |part: &str| format!("ContextEntries.member.1.{part}");
    all.push((entry("ContextKeyName"), "aws:RequestedRegion".to_owned()));
    all.push((entry("ContextKeyType"), "string".to_owned()));
    all.push((entry("ContextKeyValues.member.1"), aws.region.clone()));
    all
}

pub(super) async fn decisions(
    aws: &Aws,
    question: &RightsQuestion,
) -> Result<Vec<Decision>, CloudError> {
    let api_call = ApiCall::new(Service::Iam, "SimulatePrincipalPolicy", &question.principal);
    let parameters = parameters(aws, question);
    all_pages(async |next: Option<String>| {
        let all = parameters
            .iter()
            .map(|(key, value)| (key.as_str(), value.as_str()));
        let all = all.chain(next.as_deref().map(|marker| ("Marker", marker)));
        let all: Vec<_> = all.collect();
        let text = query(aws, Tries::FEW, (api_call, iam::VERSION), &all).await?;
        let document = parse(&text).map_err(|cause| unanswered(api_call, &cause))?;
        let results = elements(document.root(), "EvaluationResults").next();
        let results =
            results.ok_or_else(|| unanswered(api_call, "an answer without EvaluationResults"))?;
        let members = results.children();
        let members = members.filter(|node| node.has_local_name("member"));
        let page: Option<Vec<_>> = members.map(decisions_of).collect();
        let page = page.ok_or_else(|| unanswered(api_call, "a decision that is none"))?;
        Ok((Some(page.concat()), iam::marker(&document)))
    })
    .await
}

/// The decisions of one action. IAM answers once an action, with the strictest decision of all resources, and has that of each
/// resource below it (<https://docs.aws.amazon.com/IAM/latest/APIReference/API_EvaluationResult.html>).
fn decisions_of(member: Node<'_, '_>) -> Option<Vec<Decision>> {
    let action = child(member, "EvalActionName")?;
    let list = member.children();
    let mut list = list.filter(|node| node.has_local_name("ResourceSpecificResults"));
    let of_resources = list.next().into_iter().flat_map(|list| list.children());
    let of_resources = of_resources.filter(|node| node.has_local_name("member"));
    let of_resources: Option<Vec<Decision>> = of_resources
        .map(|one| decision(one, &action, "EvalResourceDecision"))
        .collect();
    match of_resources? {
        none if none.is_empty() => Some(vec![decision(member, &action, "EvalDecision")?]),
        some => Some(some),
    }
}

fn decision(node: Node<'_, '_>, action: &str, of: &str) -> Option<Decision> {
    let effect = match child(node, of)?.as_str() {
        "allowed" => Effect::Allowed,
        "implicitDeny" => Effect::NotAllowed,
        "explicitDeny" => Effect::Denied,
        _ => return None,
    };
    let mut children = node.children();
    let missing = children.find(|node| node.has_local_name("MissingContextValues"));
    Some(Decision {
        action: action.to_owned(),
        resource: child(node, "EvalResourceName").filter(|name| name != "*"),
        effect,
        lacks_context: missing
            .is_some_and(|list| list.children().any(|node| node.has_local_name("member"))),
    })
}
