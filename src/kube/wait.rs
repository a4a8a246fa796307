//! Waiting until a cluster is ready: a poll every few seconds, each reported, until everything is ready or
//! the timeout. A poll that fails counts as not ready; it never ends the wait.

use std::time::Duration;

use tokio::time::Instant;

use super::ready::{ClusterContents, ClusterState, Readiness, WantedCluster, readiness};
use super::{Api, KubeError};
use crate::catalog::addons;

/// How long and how often.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WaitOptions {
    pub timeout: Duration,
    /// Between the end of one poll and the next.
    pub interval: Duration,
}

impl WaitOptions {
    /// A poll every four seconds: a node takes five to become Ready.
    pub fn of(timeout: Duration) -> Self {
        Self {
            timeout,
            interval: Duration::from_secs(4),
        }
    }
}

/// How the waiting ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WaitResult {
    Ready(Readiness),
    /// What was missing at the last poll.
    TimedOut(Readiness),
}

/// Polls once: health first, the contents only with a healthy API and a credential.
pub async fn look(api: &Api) -> ClusterState {
    let health = api.health().await;
    let healthy = health.as_ref().is_ok_and(|health| health.ready);
    let contents = if healthy && api.is_known() {
        Some(contents(api).await)
    } else {
        None
    };
    ClusterState { health, contents }
}

async fn contents(api: &Api) -> Result<ClusterContents, KubeError> {
    let (nodes, pods) = futures::try_join!(api.nodes(), api.pods(addons::NAMESPACE))?;
    Ok(ClusterContents { nodes, pods })
}

/// Waits until the cluster is as `wanted`; `report` gets the result of every poll.
pub async fn wait(
    api: &Api,
    wanted: &WantedCluster,
    options: WaitOptions,
    mut report: impl FnMut(&Readiness),
) -> WaitResult {
    let deadline = Instant::now() + options.timeout;
    let silence = KubeError::Unreachable {
        server: api.server().to_owned(),
        why: "no answer in time".to_owned(),
    };
    let mut known = readiness(
        wanted,
        &ClusterState {
            health: Err(silence),
            contents: None,
        },
    );
    while let Ok(seen) = tokio::time::timeout_at(deadline, look(api)).await {
        known = readiness(wanted, &seen);
        report(&known);
        if known.is_done() {
            return WaitResult::Ready(known);
        }
        if tokio::time::timeout_at(deadline, tokio::time::sleep(options.interval))
            .await
            .is_err()
        {
            break;
        }
    }
    WaitResult::TimedOut(known)
}
