//! The state of a cluster in AWS: one view, for people and for scripts.

mod health;
mod operation;
mod outside;

use std::fmt::Write;

use jiff::Timestamp;
use serde::Serialize;

use crate::cloud::status::ResourcePhase;
use crate::cloud::{LiveResource, LiveStack};
use crate::common::duration::age;
use crate::common::text::listed_line;
use crate::kubeconfig::server_url;
use crate::stacks::StackKind;

use super::format::table;
use super::protection::{self, Leftover};
use super::roll::RollState;
use health::authorities_trouble;

pub use health::{AuthoritiesView, Health, health};
pub use operation::OperationView;
pub use outside::{OutsideRow, OutsideView, is_network_stuck};

/// The state of a cluster: its stacks, its API, its database.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StatusView {
    cluster: String,
    account: String,
    region: String,
    stacks: Vec<StackRow>,
    /// What holds the operation lock; `None` when nothing does.
    pub operation: Option<OperationView>,
    /// What a roll has left unfinished.
    pub roll: RollState,
    /// Where the API answers.
    api: Option<String>,
    /// Where the API was asked instead: the end of a tunnel.
    pub server: Option<String>,
    /// What the cluster itself reports; `None` before there is an API.
    pub kubernetes: Option<super::kubernetes::KubernetesView>,
    /// What of the authorities is lost; `None` before that was looked at.
    pub authorities: Option<AuthoritiesView>,
    /// What lies outside the stacks; `None` before that was looked at.
    pub outside: Option<OutsideView>,
    /// What is left of a cluster without any stack; `None` where there is a stack.
    pub left: Option<Vec<Leftover>>,
    /// The command that deletes the cluster.
    #[serde(skip)]
    pub delete: String,
    /// Whether a deletion has come as far as the network's stack and not further.
    #[serde(skip)]
    is_half_deleted: bool,
    /// Where the database answers, and the secret that holds its master password.
    database: Option<DatabaseAddress>,
}

#[derive(Serialize, Default)]
#[serde(rename_all = "camelCase")]
struct StackRow {
    /// The kind, as `--stack` and the screens name it.
    stack: String,
    /// `None` where the definition has a stack that AWS does not.
    status: Option<String>,
    reason: Option<String>,
    since: Option<Timestamp>,
    resources: usize,
    ready: usize,
    termination_protection: bool,
    /// Resources that failed and why.
    failed: Vec<FailedResource>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct FailedResource {
    logical_id: String,
    status: String,
    reason: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DatabaseAddress {
    endpoint: String,
    secret: Option<String>,
}

/// A stack of AWS with what it holds.
pub struct StackWithResources {
    pub found: LiveStack,
    pub resources: Vec<LiveResource>,
}

/// Makes the view: what AWS has, and which `wanted` stacks it lacks.
pub fn view(
    cluster: &str,
    (account, region): (&str, &str),
    wanted: &[StackKind],
    stacks_found: &[StackWithResources],
) -> StatusView {
    let mut stacks: Vec<_> = stacks_found.iter().map(stack).collect();
    for kind in wanted.iter().map(ToString::to_string) {
        if stacks.iter().all(|stack| stack.stack != kind) {
            stacks.push(StackRow {
                stack: kind,
                ..StackRow::default()
            });
        }
    }
    let output = |kind: &str, key: &str| {
        let found = &stacks_found
            .iter()
            .find(|stack| stack.found.kind == kind)?
            .found;
        found.outputs.get(key).cloned()
    };
    StatusView {
        cluster: cluster.to_owned(),
        account: account.to_owned(),
        region: region.to_owned(),
        stacks,
        operation: None,
        roll: RollState::default(),
        server: None,
        kubernetes: None,
        authorities: None,
        outside: None,
        left: None,
        is_half_deleted: is_network_stuck(stacks_found.iter().map(|one| &one.found)),
        delete: format!("kube-cfn delete {cluster}"),
        api: output("edge", crate::stacks::API_HOST).map(|host| server_url(&host)),
        database: output("database", crate::stacks::DATABASE_HOST).map(|host| DatabaseAddress {
            endpoint: match output("database", crate::stacks::DATABASE_PORT) {
                Some(port) => format!("{host}:{port}"),
                None => host,
            },
            secret: output("database", crate::stacks::DATABASE_SECRET),
        }),
    }
}

fn stack(stacks_found: &StackWithResources) -> StackRow {
    let StackWithResources { found, resources } = stacks_found;
    let is = |resource: &&LiveResource, phase| resource.status.phase() == phase;
    StackRow {
        stack: found.kind.clone(),
        status: Some(found.status.to_string()),
        reason: found.reason.clone(),
        since: Some(found.updated.unwrap_or(found.created)),
        resources: resources.len(),
        ready: resources
            .iter()
            .filter(|r| is(r, ResourcePhase::Done))
            .count(),
        termination_protection: found.termination_protection,
        failed: resources
            .iter()
            .filter(|r| is(r, ResourcePhase::Failed))
            .map(failed)
            .collect(),
    }
}

fn failed(resource: &LiveResource) -> FailedResource {
    FailedResource {
        logical_id: resource.logical_id.clone(),
        status: resource.status.to_string(),
        reason: resource.reason.clone(),
    }
}

/// What keeps the network's stack from being deleted, and the command that goes on; nothing where no deletion has come so
/// far.
pub fn network_lines(view: &StatusView) -> Vec<String> {
    let outside = view.outside.as_ref();
    outside.map_or_else(Vec::new, |outside| outside.network_lines(&view.delete))
}

/// The view as text for 80 columns; ages are counted to `now`.
pub fn text(view: &StatusView, now: Timestamp) -> String {
    if let Some(left) = &view.left {
        return left_text(view, left);
    }
    let (absent, no_api) = if view.is_half_deleted {
        ("deleted", "deleted")
    } else {
        ("not created", "not created yet")
    };
    let rows = view.stacks.iter().map(|stack| {
        let since = stack.since.map(|since| age(now.duration_since(since)));
        let resources = stack
            .status
            .as_ref()
            .map(|_| format!("{}/{}", stack.ready, stack.resources));
        let protected = if stack.termination_protection {
            "protected"
        } else {
            ""
        };
        vec![
            stack.stack.clone(),
            stack.status.clone().unwrap_or(absent.to_owned()),
            since.unwrap_or_default(),
            resources.unwrap_or_default(),
            protected.to_owned(),
        ]
    });
    let mut text = table(&["STACK", "STATUS", "SINCE", "RESOURCES", ""], rows);
    for stack in &view.stacks {
        for line in trouble(stack) {
            text.push('\n');
            text.push_str(&line);
        }
    }
    for line in view.authorities.iter().flat_map(authorities_trouble) {
        text.push('\n');
        text.push_str(&line);
    }
    for line in network_lines(view) {
        text.push('\n');
        text.push_str(&line);
    }
    text.push_str("\n\n");
    for line in view.operation.iter().map(OperationView::line) {
        text.push_str(&line);
        text.push('\n');
    }
    for line in view.roll.lines(now) {
        text.push_str(&line);
        text.push('\n');
    }
    // Writing to a String can't fail.
    let _ = writeln!(text, "api       {}", view.api.as_deref().unwrap_or(no_api));
    if let Some(server) = &view.server {
        let _ = writeln!(text, "          asked at {server}");
    }
    if let Some(kubernetes) = &view.kubernetes {
        text.push_str(&super::kubernetes::summary(kubernetes));
    }
    if let Some(DatabaseAddress { endpoint, secret }) = &view.database {
        let _ = writeln!(text, "database  {endpoint}");
        if let Some(secret) = secret {
            let _ = writeln!(text, "password  in Secrets Manager, {secret}");
        }
    }
    if let Some(outside) = &view.outside {
        for line in outside.lines(&view.cluster) {
            let _ = writeln!(text, "{line}");
        }
    }
    if let Some(kubernetes) = &view.kubernetes {
        text.push_str(&super::kubernetes::nodes(kubernetes));
    }
    text
}

/// What is left of a cluster without any stack, in the lines of `doctor`.
fn left_text(view: &StatusView, left: &[Leftover]) -> String {
    let StatusView {
        cluster,
        account,
        region,
        ..
    } = view;
    let head =
        format!("{cluster} has no stacks in account {account}, region {region}; what is left:");
    let lines = protection::lines(left);
    [listed_line("", &head)]
        .into_iter()
        .chain(lines)
        .collect::<Vec<_>>()
        .join("\n")
        + "\n"
}

/// What failed in a stack, a line each.
fn trouble(stack: &StackRow) -> impl Iterator<Item = String> {
    stack.failed.iter().map(|resource| {
        let reason = resource.reason.as_deref().unwrap_or("no reason given");
        let FailedResource {
            logical_id, status, ..
        } = resource;
        listed_line(
            "!! ",
            &format!("{}/{logical_id} {status}: {reason}", stack.stack),
        )
    })
}
