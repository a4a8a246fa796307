//! Asks a cluster's API where a command goes on without its answer.

use std::time::Duration;

use super::api_access::{ApiArgs, ClusterRef};
use crate::cloud::{Cloud, LiveStack, Store};
use crate::kube::Api;
use crate::stacks::{API_HOST, StackKind};
use crate::sweep::{Seen, kubernetes};

/// How long the API has for its first answer.
pub const API_TIMEOUT: Duration = Duration::from_secs(15);

/// How long it then has for its lists: a large cluster has many pages.
const LISTS: Duration = Duration::from_mins(3);

/// The host of the API, where its edge and its control plane still exist.
pub fn host(stacks: &[LiveStack]) -> Option<&str> {
    of_edge(stacks).filter(|_| stack(stacks, &StackKind::ControlPlane).is_some())
}

fn of_edge(stacks: &[LiveStack]) -> Option<&str> {
    let edge = stack(stacks, &StackKind::Edge)?;
    edge.outputs.get(API_HOST).map(String::as_str)
}

fn stack<'a>(stacks: &'a [LiveStack], kind: &StackKind) -> Option<&'a LiveStack> {
    let kind = kind.to_string();
    stacks.iter().find(|found| found.kind == kind)
}

/// As an administrator; the error says why it can't be asked.
pub async fn connect<C: Cloud + Store>(
    cluster: &ClusterRef<'_, C>,
    host: &str,
    args: &ApiArgs,
) -> Result<Api, String> {
    let reached = cluster.connect(host, args).await;
    let reached = reached.map_err(|error| error.to_string())?;
    if let Some(why) = reached.no_credentials_reason {
        return Err(why);
    }
    Api::connect(&reached.connection).map_err(|error| args.explain(&error))
}

/// What Kubernetes has in the account, and the name of its API where that answers; what runs pods with claims only if
/// asked. There is no API only without a control plane.
pub async fn objects<C: Cloud + Store>(
    cluster: &ClusterRef<'_, C>,
    stacks: &[LiveStack],
    args: &ApiArgs,
    with_workloads: bool,
) -> (Option<String>, Seen) {
    if stack(stacks, &StackKind::ControlPlane).is_none() {
        return (None, Seen::NoApi);
    }
    let Some(host) = of_edge(stacks) else {
        let why = "its address is not known, as the edge stack is gone or has no output";
        return (None, Seen::Silent(why.to_owned()));
    };
    let first = async {
        let api = connect(cluster, host, args).await?;
        let version = api.version().await;
        version.map_err(|error| args.explain(&error))?;
        Ok(api)
    };
    let looked = async {
        let api = within(API_TIMEOUT, first).await?;
        within(LISTS, async {
            let explain = |error| args.explain(&error);
            let mut objects = kubernetes::objects(&api).await.map_err(explain)?;
            if with_workloads {
                let workloads = kubernetes::workloads(&api, &objects.claims).await;
                objects.workloads = workloads.map_err(explain)?;
            }
            Ok(objects)
        })
        .await
    };
    match looked.await {
        Ok(objects) => (Some(host.to_owned()), Seen::Objects(objects)),
        Err(why) => (None, Seen::Silent(why)),
    }
}

async fn within<T>(
    limit: Duration,
    work: impl Future<Output = Result<T, String>>,
) -> Result<T, String> {
    let done = tokio::time::timeout(limit, work).await;
    done.unwrap_or_else(|_| Err(format!("no answer within {} seconds", limit.as_secs())))
}
