//! Waiting for a cluster to work: a look every few seconds, reported as it changes, until all is there
//! or the time is over. A look that fails is one more thing that is missing, never the end.

use std::time::Duration;

use tokio::time::Instant;

use super::ready::{ClusterContents, ClusterState, Readiness, WantedCluster, readiness};
use super::{Api, KubeError};

/// The namespace that holds what the cluster itself runs on.
const SYSTEM: &str = "kube-system";

/// How long and how often.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WaitOptions {
    pub timeout: Duration,
    /// Between the end of one look and the next.
    pub interval: Duration,
}

impl WaitOptions {
    /// A look every four seconds: a node takes five to become Ready.
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
    /// What was missing at the last look.
    TimedOut(Readiness),
}

/// Looks once: health first, the inside only behind a healthy API and with a credential.
pub async fn look(api: &Api) -> ClusterState {
    let health = api.health().await;
    let healthy = health.as_ref().is_ok_and(|health| health.ready);
    let inside = if healthy && api.is_known() {
        Some(inside(api).await)
    } else {
        None
    };
    ClusterState { health, inside }
}

async fn inside(api: &Api) -> Result<ClusterContents, KubeError> {
    let (nodes, pods) = futures::try_join!(api.nodes(), api.pods(SYSTEM))?;
    Ok(ClusterContents { nodes, pods })
}

/// Waits until the cluster is as `wanted`; `tell` hears the account of every look.
pub async fn wait(
    api: &Api,
    wanted: &WantedCluster,
    options: WaitOptions,
    mut tell: impl FnMut(&Readiness),
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
            inside: None,
        },
    );
    while let Ok(seen) = tokio::time::timeout_at(deadline, look(api)).await {
        known = readiness(wanted, &seen);
        tell(&known);
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
