//! Roles: who may take one and what it may do, held against the template in force. Drift detection does not see a
//! policy that was attached to a role or added to it.

use std::collections::BTreeMap;

use serde_json::Value;

use super::super::documents;
use super::super::live::LiveTemplate;
use super::{Finding, LiveAccount, quoted};
use crate::cloud::RoleAccess;

const TRUST: &str = "trust";
const PERMISSIONS: &str = "permissions";

/// Findings about a role.
pub(super) fn role(
    of: LiveAccount<'_>,
    live: LiveTemplate<'_>,
    id: &str,
    body: &Value,
) -> Vec<Finding> {
    let (Some(access), Some(name)) = (of.facts.roles.get(id), live.physical_id(id)) else {
        return vec![Finding::gone(PERMISSIONS, of)];
    };
    let access = match access {
        Ok(Some(access)) => access,
        Ok(None) => return vec![Finding::gone(PERMISSIONS, of)],
        Err(why) => {
            return vec![Finding::unknown(
                PERMISSIONS,
                format!("could not be read: {why}"),
            )];
        }
    };
    let mut findings = vec![trust(live, name, body, access)];
    match wanted(live, id, body) {
        Err(why) => findings.push(Finding::unknown(PERMISSIONS, why)),
        Ok(wanted) => {
            let open = permissions(name, &wanted, access);
            if open.is_empty() {
                findings.push(Finding::holds(PERMISSIONS, "as its template says"));
            }
            findings.extend(open);
        }
    }
    findings
}

fn trust(live: LiveTemplate<'_>, name: &str, body: &Value, access: &RoleAccess) -> Finding {
    let wanted = match live.document(&body["Properties"]["AssumeRolePolicyDocument"]) {
        Ok(wanted) => wanted,
        Err(why) => return Finding::unknown(TRUST, why),
    };
    let differences = documents::compare(&wanted, &access.trust);
    if differences.is_empty() {
        return Finding::holds(TRUST, "as its template says");
    }
    let put = format!(
        "`aws iam update-assume-role-policy --role-name {name} --policy-document {}`",
        quoted(&wanted)
    );
    Finding::missing(TRUST, differences.text(), put)
}

/// What the template in force gives a role: its own properties, and the policies that name it.
fn wanted(live: LiveTemplate<'_>, id: &str, body: &Value) -> Result<RoleAccess, String> {
    let mut wanted = RoleAccess::default();
    let properties = &body["Properties"];
    for arn in texts(&live.value(&properties["ManagedPolicyArns"])?) {
        wanted.attached.insert(arn, None);
    }
    for policy in list(&properties["Policies"]) {
        let (name, document) = named(live, policy)?;
        wanted.inline.insert(name, document);
    }
    let name = live.physical_id(id).unwrap_or_default();
    let has = |policy: &Value| -> Result<bool, String> {
        let roles = live.value(&policy["Properties"]["Roles"])?;
        Ok(texts(&roles).iter().any(|role| role == name))
    };
    for of_type in ["AWS::IAM::Policy", "AWS::IAM::RolePolicy"] {
        for (_, policy) in live.of_type(of_type) {
            let of_role = live.value(&policy["Properties"]["RoleName"])? == name;
            if of_role || has(policy)? {
                let (name, document) = named(live, &policy["Properties"])?;
                wanted.inline.insert(name, document);
            }
        }
    }
    for (id, policy) in live.of_type("AWS::IAM::ManagedPolicy") {
        if has(policy)? {
            let arn = live.physical_id(id).unwrap_or_default().to_owned();
            let document = live.document(&policy["Properties"]["PolicyDocument"])?;
            wanted.attached.insert(arn, Some(document));
        }
    }
    Ok(wanted)
}

fn named(live: LiveTemplate<'_>, policy: &Value) -> Result<(String, Value), String> {
    let name = live.value(&policy["PolicyName"])?;
    let document = live.document(&policy["PolicyDocument"])?;
    Ok((name.as_str().unwrap_or_default().to_owned(), document))
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn texts(value: &Value) -> Vec<String> {
    let texts = list(value).iter().filter_map(Value::as_str);
    texts.map(str::to_owned).collect()
}

/// Every difference, with the command that takes it back.
fn permissions(role: &str, wanted: &RoleAccess, live: &RoleAccess) -> Vec<Finding> {
    let mut findings = attached(role, wanted, live);
    findings.extend(inline(role, &wanted.inline, &live.inline));
    findings
}

fn attached(role: &str, wanted: &RoleAccess, live: &RoleAccess) -> Vec<Finding> {
    let mut findings = Vec::new();
    let command = |verb: &str, arn: &str| {
        format!("`aws iam {verb}-role-policy --role-name {role} --policy-arn {arn}`")
    };
    for arn in live
        .attached
        .keys()
        .filter(|arn| !wanted.attached.contains_key(*arn))
    {
        let text = format!("wider than its template: policy {arn} is attached");
        findings.push(Finding::missing(PERMISSIONS, text, command("detach", arn)));
    }
    for (arn, document) in &wanted.attached {
        let Some(in_force) = live.attached.get(arn) else {
            let text = format!("narrower than its template: policy {arn} is not attached");
            findings.push(Finding::missing(PERMISSIONS, text, command("attach", arn)));
            continue;
        };
        let (Some(wanted), Some(in_force)) = (document, in_force) else {
            continue;
        };
        let differences = documents::compare(wanted, in_force);
        if !differences.is_empty() {
            let text = format!("policy {arn}: {}", differences.text());
            let put = format!(
                "`aws iam create-policy-version --policy-arn {arn} --set-as-default --policy-document {}`",
                quoted(wanted)
            );
            findings.push(Finding::missing(PERMISSIONS, text, put));
        }
    }
    findings
}

fn inline(
    role: &str,
    wanted: &BTreeMap<String, Value>,
    live: &BTreeMap<String, Value>,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    for name in live.keys().filter(|name| !wanted.contains_key(*name)) {
        let text = format!("wider than its template: inline policy {name} is added");
        let next = format!("`aws iam delete-role-policy --role-name {role} --policy-name {name}`");
        findings.push(Finding::missing(PERMISSIONS, text, next));
    }
    for (name, document) in wanted {
        let text = match live.get(name) {
            None => format!("narrower than its template: inline policy {name} is missing"),
            Some(in_force) => {
                let differences = documents::compare(document, in_force);
                if differences.is_empty() {
                    continue;
                }
                format!("inline policy {name}: {}", differences.text())
            }
        };
        let put = format!(
            "`aws iam put-role-policy --role-name {role} --policy-name {name} --policy-document {}`",
            quoted(document)
        );
        findings.push(Finding::missing(PERMISSIONS, text, put));
    }
    findings
}
