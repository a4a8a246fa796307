//! Asks a cluster's API where a command goes on without its answer.

use std::time::Duration;

use super::api_access::{ApiArgs, ClusterRef};
use crate::cloud::{Cloud, LiveStack, Store};
use crate::kube::Api;
use crate::stacks::{API_HOST, StackKind};
use crate::sweep::{Seen, kubernetes};

/// How long the API has for an answer.
pub const API_TIMEOUT: Duration = Duration::from_secs(15);

/// Why nothing was heard of the API.
pub fn no_answer() -> String {
    format!("no answer within {} seconds", API_TIMEOUT.as_secs())
}

/// The host of the API, where its edge and its control plane still exist.
pub fn host(stacks: &[LiveStack]) -> Option<&str> {
    let of = |kind: StackKind| {
        let kind = kind.to_string();
        stacks.iter().find(move |found| found.kind == kind)
    };
    let host = of(StackKind::Edge).and_then(|edge| edge.outputs.get(API_HOST));
    host.filter(|_| of(StackKind::ControlPlane).is_some())
        .map(String::as_str)
}

/// What Kubernetes has in the account, and the API while it answers.
pub async fn objects<C: Cloud + Store>(
    cluster: &ClusterRef<'_, C>,
    stacks: &[LiveStack],
    args: &ApiArgs,
) -> (Option<Api>, Seen) {
    let Some(host) = host(stacks) else {
        return (None, Seen::NoApi);
    };
    let asked = async {
        let reached = cluster.connect(host, args).await;
        let reached = reached.map_err(|error| error.to_string())?;
        if let Some(why) = reached.no_credentials_reason {
            return Err(why);
        }
        let api = Api::connect(&reached.connection).map_err(|error| args.explain(&error))?;
        let objects = kubernetes::objects(&api).await;
        let objects = objects.map_err(|error| args.explain(&error))?;
        Ok((api, objects))
    };
    let answer = tokio::time::timeout(API_TIMEOUT, asked).await;
    match answer.unwrap_or_else(|_| Err(no_answer())) {
        Ok((api, objects)) => (Some(api), Seen::Objects(objects)),
        Err(why) => (None, Seen::Silent(why)),
    }
}
