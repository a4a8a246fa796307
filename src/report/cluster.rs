//! The state of a cluster in AWS: one view, for people and for scripts.

use std::fmt::Write;

use jiff::Timestamp;
use serde::Serialize;

use crate::access::{AccessError, Inventory};
use crate::cloud::status::ResourcePhase;
use crate::cloud::{CloudError, LiveResource, LiveStack, StackStatus};
use crate::common::duration::age;
use crate::common::text::listed_line;
use crate::kubeconfig::server_url;
use crate::operation::Record;
use crate::plan::Blocked;
use crate::plan::status::rests;
use crate::stacks::StackKind;

use super::format::table;

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
    /// Where the API answers.
    api: Option<String>,
    /// Where the API was asked instead: the end of a tunnel.
    pub server: Option<String>,
    /// What the cluster itself reports; `None` before there is an API.
    pub kubernetes: Option<super::kubernetes::KubernetesView>,
    /// What of the authorities is lost; `None` before that was looked at.
    pub authorities: Option<AuthoritiesView>,
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

/// The run that holds the operation lock, or why that is not known.
#[derive(Serialize)]
#[serde(rename_all = "camelCase", tag = "state")]
pub enum OperationView {
    Held {
        /// `apply`, `delete`, ...
        verb: &'static str,
        /// ARN of the caller.
        caller: String,
        /// Process and host.
        place: String,
        run: String,
        /// By the clock of its machine.
        since: Timestamp,
        /// Whether its process runs; `None` for one on another machine.
        alive: Option<bool>,
    },
    Unknown {
        reason: String,
    },
}

impl OperationView {
    /// Of what was read; `None` when nothing holds the lock.
    pub fn of(read: Result<Option<Record>, CloudError>) -> Option<Self> {
        match read {
            Ok(record) => record.map(|record| Self::Held {
                alive: record.is_alive(),
                verb: record.verb.word(),
                place: record.place(),
                caller: record.caller,
                run: record.run,
                since: record.started,
            }),
            Err(error) => Some(Self::Unknown {
                reason: error.to_string(),
            }),
        }
    }

    fn line(&self) -> String {
        match self {
            Self::Held {
                verb,
                caller,
                place,
                run: _,
                since,
                alive,
            } => {
                let unknown = "; whether it still runs is not known here";
                let alive = if alive.is_some() { "" } else { unknown };
                let text = format!("{verb} by {caller} ({place}) since {since:.0}{alive}");
                listed_line("lock      ", &text)
            }
            Self::Unknown { reason } => {
                let text = format!("whether an operation runs is not known: {reason}");
                listed_line("?? ", &text)
            }
        }
    }
}

/// What is wrong with the parameters of the authorities.
#[derive(Serialize, Default)]
#[serde(rename_all = "camelCase")]
pub struct AuthoritiesView {
    /// Why they can't be relied on, and what to do; `None` where all are there.
    lost: Option<Blocked>,
    /// Why they could not be listed.
    unknown: Option<String>,
}

/// Whether a cluster is healthy, as far as it was looked at.
#[derive(Debug, PartialEq, Eq)]
pub struct Health {
    /// What is wrong, in words.
    pub unhealthy: Vec<String>,
    /// What could not be looked at.
    pub unknown: Vec<String>,
    /// The way back where authorities are lost.
    pub lost: Option<String>,
}

impl AuthoritiesView {
    /// Of a list, and of what is wrong with the cluster's key.
    pub fn of(
        listed: Result<&Inventory, &AccessError>,
        unusable_key: Result<Option<Blocked>, CloudError>,
    ) -> Self {
        let lost = match listed {
            Ok(listed) => listed.refusal(),
            Err(error) => {
                return Self {
                    lost: None,
                    unknown: Some(error.to_string()),
                };
            }
        };
        match unusable_key {
            Ok(key) => Self {
                lost: lost.or(key),
                unknown: None,
            },
            Err(error) => Self {
                lost,
                unknown: Some(error.to_string()),
            },
        }
    }
}

/// What a view says of the cluster's health.
pub fn health(view: &StatusView) -> Health {
    let mut unhealthy: Vec<_> = view.stacks.iter().filter_map(stack_trouble).collect();
    let mut unknown = Vec::new();
    match &view.kubernetes {
        None => unhealthy.push("there is no API yet".to_owned()),
        Some(kubernetes) => {
            unhealthy.extend(super::kubernetes::trouble(kubernetes));
            unknown.extend(super::kubernetes::unseen(kubernetes));
        }
    }
    let mut remedy = None;
    if let Some(AuthoritiesView { lost, unknown: why }) = &view.authorities {
        unhealthy.extend(lost.as_ref().map(|lost| lost.reason.clone()));
        unknown.extend(why.clone());
        remedy = lost.as_ref().map(|lost| lost.remedy.clone());
    }
    Health {
        unhealthy,
        unknown,
        lost: remedy,
    }
}

/// A stack that is at rest and was neither left failed nor rolled back to nothing has none.
fn stack_trouble(row: &StackRow) -> Option<String> {
    let (stack, status) = (&row.stack, row.status.as_deref());
    let Some(status) = status else {
        return Some(format!("{stack} does not exist"));
    };
    (!rests(&StackStatus::from(status))).then(|| format!("{stack} is in {status}"))
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
        server: None,
        kubernetes: None,
        authorities: None,
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

/// The view as text for 80 columns; ages are counted to `now`.
pub fn text(view: &StatusView, now: Timestamp) -> String {
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
            stack.status.clone().unwrap_or("not created".to_owned()),
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
    text.push_str("\n\n");
    for line in view.operation.iter().map(OperationView::line) {
        text.push_str(&line);
        text.push('\n');
    }
    // Writing to a String can't fail.
    let _ = writeln!(
        text,
        "api       {}",
        view.api.as_deref().unwrap_or("not created yet")
    );
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
    if let Some(kubernetes) = &view.kubernetes {
        text.push_str(&super::kubernetes::nodes(kubernetes));
    }
    text
}

/// What failed in a stack, a line each.
fn trouble(stack: &StackRow) -> impl Iterator<Item = String> {
    stack.failed.iter().map(|resource| {
        let reason = resource.reason.as_deref().unwrap_or("no reason given");
        format!(
            "!! {}/{} {}: {reason}",
            stack.stack, resource.logical_id, resource.status
        )
    })
}

/// What is wrong with the authorities, and what to do.
fn authorities_trouble(view: &AuthoritiesView) -> Vec<String> {
    let AuthoritiesView { lost, unknown } = view;
    let unknown = unknown
        .iter()
        .map(|why| listed_line("?? authorities: ", why));
    let lost = lost.iter().flat_map(|lost| {
        let next = format!("next: {}", lost.remedy);
        [
            listed_line("!! authorities: ", &lost.reason),
            listed_line("   ", &next),
        ]
    });
    unknown.chain(lost).collect()
}
