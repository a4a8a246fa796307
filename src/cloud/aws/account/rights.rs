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
    if let Some(resource) = &question.resource {
        all.push(("ResourceArns.member.1".to_owned(), resource.clone()));
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
        let page: Option<Vec<_>> = members.map(decision).collect();
        let page = page.ok_or_else(|| unanswered(api_call, "a decision that is none"))?;
        Ok((Some(page), iam::marker(&document)))
    })
    .await
}

fn decision(member: Node<'_, '_>) -> Option<Decision> {
    let effect = match child(member, "EvalDecision")?.as_str() {
        "allowed" => Effect::Allowed,
        "implicitDeny" => Effect::NotAllowed,
        "explicitDeny" => Effect::Denied,
        _ => return None,
    };
    let mut children = member.children();
    let missing = children.find(|node| node.has_local_name("MissingContextValues"));
    Some(Decision {
        action: child(member, "EvalActionName")?,
        effect,
        lacks_context: missing
            .is_some_and(|list| list.children().any(|node| node.has_local_name("member"))),
    })
}
