//! A cluster as it stands in AWS: one view, for people and for scripts.

use std::fmt::Write;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use crate::cli::out;
use crate::cloud::status::Phase;
use crate::cloud::{LiveResource, LiveStack};
use crate::kubeconfig::server_url;
use crate::stacks::StackKind;

/// A cluster's stacks and what one wants to know of them first.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct View {
    cluster: String,
    account: String,
    region: String,
    stacks: Vec<StackView>,
    /// Where the API answers.
    api: Option<String>,
    /// What the cluster itself tells; `None` before there is an API.
    pub kubernetes: Option<super::kubernetes::View>,
    /// Where the database answers, and the secret that holds its master password.
    database: Option<Database>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct StackView {
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
struct Database {
    endpoint: String,
    secret: Option<String>,
}

/// A stack of AWS with what it holds.
pub struct Standing {
    pub found: LiveStack,
    pub resources: Vec<LiveResource>,
}

/// Makes the view: what AWS has, and which `wanted` stacks it lacks.
pub fn view(
    cluster: &str,
    (account, region): (&str, &str),
    wanted: &[StackKind],
    standing: &[Standing],
) -> View {
    let mut stacks: Vec<_> = standing.iter().map(stack).collect();
    for kind in wanted.iter().map(ToString::to_string) {
        if stacks.iter().all(|stack| stack.stack != kind) {
            stacks.push(StackView::missing(kind));
        }
    }
    let output = |kind: &str, key: &str| {
        let found = &standing
            .iter()
            .find(|stack| stack.found.kind == kind)?
            .found;
        found.outputs.get(key).cloned()
    };
    View {
        cluster: cluster.to_owned(),
        account: account.to_owned(),
        region: region.to_owned(),
        stacks,
        kubernetes: None,
        api: output("edge", crate::stacks::API_HOST).map(|host| server_url(&host)),
        database: output("database", crate::stacks::DATABASE_HOST).map(|host| Database {
            endpoint: match output("database", crate::stacks::DATABASE_PORT) {
                Some(port) => format!("{host}:{port}"),
                None => host,
            },
            secret: output("database", crate::stacks::DATABASE_SECRET),
        }),
    }
}

fn stack(standing: &Standing) -> StackView {
    let Standing { found, resources } = standing;
    let is = |resource: &&LiveResource, phase| resource.status.phase() == phase;
    StackView {
        stack: found.kind.clone(),
        status: Some(found.status.to_string()),
        reason: found.reason.clone(),
        since: Some(found.updated.unwrap_or(found.created)),
        resources: resources.len(),
        ready: resources.iter().filter(|r| is(r, Phase::Done)).count(),
        termination_protection: found.termination_protection,
        failed: resources
            .iter()
            .filter(|r| is(r, Phase::Failed))
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

impl StackView {
    fn missing(stack: String) -> Self {
        Self {
            stack,
            status: None,
            reason: None,
            since: None,
            resources: 0,
            ready: 0,
            termination_protection: false,
            failed: Vec::new(),
        }
    }
}

/// The view as text for 80 columns; ages are counted to `now`.
pub fn text(view: &View, now: Timestamp) -> String {
    let rows = view.stacks.iter().map(|stack| {
        vec![
            stack.stack.clone(),
            stack
                .status
                .clone()
                .unwrap_or_else(|| "not there".to_owned()),
            stack
                .since
                .map_or_else(String::new, |since| age(now.duration_since(since))),
            if stack.status.is_some() {
                format!("{}/{}", stack.ready, stack.resources)
            } else {
                String::new()
            },
            if stack.termination_protection {
                "protected".to_owned()
            } else {
                String::new()
            },
        ]
    });
    let mut text = out::table(&["STACK", "STATUS", "SINCE", "RESOURCES", ""], rows);
    for stack in &view.stacks {
        for line in trouble(stack) {
            text.push('\n');
            text.push_str(&line);
        }
    }
    // Writing to a String can't fail.
    let _ = write!(
        text,
        "\n\napi       {}\n",
        view.api.as_deref().unwrap_or("not there yet")
    );
    if let Some(kubernetes) = &view.kubernetes {
        text.push_str(&super::kubernetes::head(kubernetes));
    }
    if let Some(Database { endpoint, secret }) = &view.database {
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
fn trouble(stack: &StackView) -> Vec<String> {
    let because = |reason: &Option<String>| {
        reason
            .clone()
            .unwrap_or_else(|| "no reason given".to_owned())
    };
    let failed = stack.failed.iter().map(|resource| {
        format!(
            "!! {}/{} {}: {}",
            stack.stack,
            resource.logical_id,
            resource.status,
            because(&resource.reason)
        )
    });
    failed.collect()
}

/// `3m`, `5h`, `12d`: one unit is enough for an age.
pub fn age(span: SignedDuration) -> String {
    let seconds = span.as_secs().max(0);
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3_600 => format!("{}m", seconds / 60),
        3_600..86_400 => format!("{}h", seconds / 3_600),
        _ => format!("{}d", seconds / 86_400),
    }
}
