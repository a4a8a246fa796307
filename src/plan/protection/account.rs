//! What guards a cluster's data in the account beside its stacks: whether its key can be used, and whether key,
//! buckets and roles are open to more than the template in force says. `apply` changes none of it back, since
//! CloudFormation compares templates: each remedy is a command of AWS's own.

mod roles;

use std::collections::BTreeSet;

use serde_json::Value;

use super::live::LiveTemplate;
use super::read::{AccountFacts, Answer};
use super::{LayerState, ProtectionLayer, StateText, documents, missing, unknown};
use crate::cloud::{ACCESS_BLOCKS, BucketAccess, Identity, KeyState, LiveStack};
use crate::common::arn::region_option;
use crate::plan::{Blocked, Code};
use crate::stacks::{StackKind, description};

/// A stack in the account.
#[derive(Debug, Clone, Copy)]
pub struct LiveAccount<'a> {
    pub identity: &'a Identity,
    pub kind: &'a StackKind,
    pub found: &'a LiveStack,
    /// The template in force.
    pub template: &'a Value,
    pub facts: &'a AccountFacts,
}

/// A layer's name, its state, and what restores it.
struct Finding {
    layer: &'static str,
    state: StateText,
    next: Option<String>,
}

impl Finding {
    fn new(layer: &'static str, state: StateText) -> Self {
        Self {
            layer,
            state,
            next: None,
        }
    }

    fn holds(layer: &'static str, text: impl Into<String>) -> Self {
        Self::new(layer, (LayerState::Holds, text.into()))
    }

    fn missing(layer: &'static str, text: impl Into<String>, next: String) -> Self {
        Self {
            next: Some(next),
            ..Self::new(layer, missing(text))
        }
    }

    fn unknown(layer: &'static str, why: impl Into<String>) -> Self {
        Self::new(layer, unknown(why))
    }

    /// Of a resource that is not there.
    fn gone(layer: &'static str, of: LiveAccount<'_>) -> Self {
        let next = format!(
            "`kube-cfn plan {}` shows what is left of the stack",
            of.found.cluster
        );
        Self::missing(
            layer,
            "does not exist: deleted outside CloudFormation",
            next,
        )
    }
}

/// Whether a template has anything that is looked at here.
pub fn concerns(template: &Value) -> bool {
    let resources = template.get("Resources").and_then(Value::as_object);
    let mut types = resources
        .into_iter()
        .flatten()
        .map(|(_, body)| &body["Type"]);
    types.any(|of_type| {
        ["AWS::KMS::Key", "AWS::S3::Bucket", "AWS::IAM::Role"]
            .iter()
            .any(|wanted| of_type == wanted)
    })
}

/// Every layer of a stack's keys, buckets and roles.
pub fn layers(of: LiveAccount<'_>) -> Vec<ProtectionLayer> {
    let live = LiveTemplate {
        identity: of.identity,
        found: of.found,
        template: of.template,
        resources: &of.facts.resources,
    };
    let mut all = Vec::new();
    let mut add = |id: &str, findings: Vec<Finding>| {
        all.extend(findings.into_iter().map(|finding| ProtectionLayer {
            stack: of.kind.clone(),
            resource: Some(description(of.template, id).unwrap_or(id).to_owned()),
            layer: finding.layer,
            state: finding.state.0,
            text: finding.state.1,
            next: finding.next,
        }));
    };
    for (id, body) in live.of_type("AWS::KMS::Key") {
        add(id, key(of, live, id, body));
    }
    for (id, body) in live.of_type("AWS::S3::Bucket") {
        add(id, bucket(of, live, id, body));
    }
    for (id, body) in live.of_type("AWS::IAM::Role") {
        add(id, roles::role(of, live, id, body));
    }
    all
}

const KEY: &str = "key";
const KEY_POLICY: &str = "key policy";

fn key(of: LiveAccount<'_>, live: LiveTemplate<'_>, id: &str, body: &Value) -> Vec<Finding> {
    let (Some((state, policy)), Some(physical)) = (of.facts.keys.get(id), live.physical_id(id))
    else {
        return vec![Finding::gone(KEY, of)];
    };
    if matches!(state, Ok(None)) {
        return vec![Finding::gone(KEY, of)];
    }
    let wanted = live.document(&body["Properties"]["KeyPolicy"]);
    let region = &of.identity.region;
    let put = |wanted: &Value| {
        format!(
            "`aws kms put-key-policy --region {region} --key-id {physical} --policy-name default --policy {}`",
            quoted(wanted)
        )
    };
    vec![
        key_state(physical, &format!(" --region {region}"), state),
        policy_finding(KEY_POLICY, wanted, policy.as_ref(), put),
    ]
}

/// Why nothing may be changed while the cluster's key, by its ARN, is in this state; `None` while it can be used,
/// or is in a state that this version does not know.
pub fn unusable_key(key: &str, state: Option<KeyState>) -> Option<Blocked> {
    let Some(state) = state else {
        let reason = format!(
            "the cluster's key {key} does not exist: authorities, etcd volumes and snapshots can't be read"
        );
        let remedy = "nothing brings a deleted key back; restore into a new cluster what is stored elsewhere";
        return Some(Blocked::by_guard(Code::ClusterKey, reason, remedy));
    };
    let finding = key_state(key, &region_option(key), &Ok(Some(state)));
    let (LayerState::Missing, text) = finding.state else {
        return None;
    };
    let reason = format!("the cluster's key {key} is {text}");
    Some(Blocked::by_guard(
        Code::ClusterKey,
        reason,
        finding.next.unwrap_or_default(),
    ))
}

/// `region` is an option of the AWS CLI, or empty.
fn key_state(key: &str, region: &str, state: &Answer<KeyState>) -> Finding {
    let enable = format!("`aws kms enable-key{region} --key-id {key}`");
    match state {
        Err(why) => Finding::unknown(KEY, format!("could not be read: {why}")),
        Ok(Some(KeyState::Enabled)) => Finding::holds(KEY, "enabled"),
        Ok(Some(KeyState::Disabled)) => {
            let text =
                "disabled: nothing under it can be read, no machine of the control plane starts";
            Finding::missing(KEY, text, enable)
        }
        Ok(Some(KeyState::PendingDeletion(date))) => {
            let date = date.map(|date| format!(" on {}", date.strftime("%Y-%m-%d")));
            let text = format!(
                "pending deletion: deleted for good{}, and with it everything under it: authorities, etcd volumes and \
                 snapshots",
                date.unwrap_or_default()
            );
            let cancel =
                format!("`aws kms cancel-key-deletion{region} --key-id {key}`, then {enable}");
            Finding::missing(KEY, text, cancel)
        }
        Ok(Some(KeyState::Other(state))) => Finding::unknown(
            KEY,
            format!("in the state {state}, which this version does not know"),
        ),
        Ok(None) => Finding::unknown(KEY, "does not exist"),
    }
}

const BLOCK: &str = "public access block";
const BUCKET_POLICY: &str = "bucket policy";

fn bucket(of: LiveAccount<'_>, live: LiveTemplate<'_>, id: &str, body: &Value) -> Vec<Finding> {
    let (Some(access), Some(name)) = (of.facts.buckets.get(id), live.physical_id(id)) else {
        return vec![Finding::gone(BLOCK, of)];
    };
    let access = match access {
        Ok(Some(access)) => Ok(access),
        Ok(None) => return vec![Finding::gone(BLOCK, of)],
        Err(why) => Err(why),
    };
    let mut findings = vec![match access {
        Err(why) => Finding::unknown(BLOCK, format!("could not be read: {why}")),
        Ok(access) => block(of, live, (name, body), access),
    }];
    let policies = live.of_type("AWS::S3::BucketPolicy");
    let mut policies = policies.filter(|(_, policy)| {
        let of_bucket = live.value(&policy["Properties"]["Bucket"]);
        of_bucket.is_ok_and(|bucket| bucket == name)
    });
    let wanted = match policies.next() {
        Some((_, policy)) => live.document(&policy["Properties"]["PolicyDocument"]),
        None => Ok(Value::Null),
    };
    let in_force = access
        .map(|access| access.policy.clone())
        .map_err(Clone::clone);
    let region = &of.identity.region;
    let put = |wanted: &Value| match wanted {
        Value::Null => {
            format!("`aws s3api delete-bucket-policy --region {region} --bucket {name}`")
        }
        wanted => format!(
            "`aws s3api put-bucket-policy --region {region} --bucket {name} --policy {}`",
            quoted(wanted)
        ),
    };
    findings.push(policy_finding(
        BUCKET_POLICY,
        wanted,
        in_force.as_ref(),
        put,
    ));
    findings
}

fn block(
    of: LiveAccount<'_>,
    live: LiveTemplate<'_>,
    (name, body): (&str, &Value),
    access: &BucketAccess,
) -> Finding {
    let written = &body["Properties"]["PublicAccessBlockConfiguration"];
    let wanted = match live.value(written) {
        Ok(wanted) => wanted,
        Err(why) => return Finding::unknown(BLOCK, why),
    };
    let asked = |part: &&str| wanted[*part] == Value::Bool(true) || wanted[*part] == "true";
    let asked: BTreeSet<&str> = ACCESS_BLOCKS.into_iter().filter(asked).collect();
    let off: Vec<&str> = asked
        .iter()
        .copied()
        .filter(|part| !access.blocks.contains(*part))
        .collect();
    if off.is_empty() {
        let text = match asked.len() {
            4 => "on".to_owned(),
            0 => "off, as its template says".to_owned(),
            _ => format!(
                "on as its template says: {}",
                Vec::from_iter(asked).join(", ")
            ),
        };
        return Finding::holds(BLOCK, text);
    }
    let parts = ACCESS_BLOCKS.map(|part| format!("{part}={}", asked.contains(part)));
    let next = format!(
        "`aws s3api put-public-access-block --region {} --bucket {name} --public-access-block-configuration {}`",
        of.identity.region,
        parts.join(",")
    );
    let text = format!("off: {}; the bucket can be made public", off.join(", "));
    Finding::missing(BLOCK, text, next)
}

/// A policy in force held against what the template says.
fn policy_finding(
    layer: &'static str,
    wanted: Result<Value, String>,
    in_force: Result<&Option<Value>, &String>,
    put: impl FnOnce(&Value) -> String,
) -> Finding {
    let in_force = match in_force {
        Ok(in_force) => in_force,
        Err(why) => return Finding::unknown(layer, format!("could not be read: {why}")),
    };
    let wanted = match wanted {
        Ok(wanted) => wanted,
        Err(why) => return Finding::unknown(layer, why),
    };
    let text = match (&wanted, in_force) {
        (Value::Null, None) => return Finding::holds(layer, "none, as its template says"),
        (_, None) => "there is none, its template has one".to_owned(),
        (wanted, Some(in_force)) => {
            let differences = documents::compare(wanted, in_force);
            if differences.is_empty() {
                return Finding::holds(layer, "as its template says");
            }
            let open = if is_public(in_force) && !is_public(wanted) {
                "public; "
            } else {
                ""
            };
            format!("{open}{}", differences.text())
        }
    };
    let next = put(&wanted);
    Finding::missing(layer, text, next)
}

/// Whether a policy allows everybody something without a condition.
fn is_public(policy: &Value) -> bool {
    let statements = policy["Statement"].as_array().into_iter().flatten();
    let mut statements = statements.filter(|one| one["Effect"] == "Allow");
    statements.any(|one| {
        let who = &one["Principal"];
        let all = |value: &Value| {
            value == "*"
                || value
                    .as_array()
                    .is_some_and(|all| all.iter().any(|one| one == "*"))
        };
        one.get("Condition").is_none() && (all(who) || all(&who["AWS"]))
    })
}

/// A document as one word of a shell.
fn quoted(document: &Value) -> String {
    format!("'{}'", document.to_string().replace('\'', r"'\''"))
}
