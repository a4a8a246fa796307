//! The Kubernetes API for longer than a certificate lives: a roll of many machines takes hours, and its certificate is
//! replaced in time.

use std::cell::RefCell;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::access::AccessError;
use crate::cli::api_access::ApiArgs;
use crate::cli::cluster::Cluster;
use crate::cli::error::CommandError;
use crate::cloud::{
    Attachment, Budget, Eviction, NodeMark, NodeState, Nodes, NodesError, PodRef, PodState,
};
use crate::kube::{Api, Connection};

/// A certificate is used for so long; it is valid for an hour, or for as long as the definition allows.
const USED: SignedDuration = SignedDuration::from_mins(20);
/// After a renewal that failed, the old one is used for so long before the next try.
const AGAIN: SignedDuration = SignedDuration::from_mins(1);
/// How long a renewal may take.
const WITHIN: Duration = Duration::from_secs(20);

pub struct RenewedApi<'a> {
    cluster: &'a Cluster,
    host: String,
    args: &'a ApiArgs,
    current: RefCell<(Api, Timestamp)>,
}

impl<'a> RenewedApi<'a> {
    pub async fn connect(
        cluster: &'a Cluster,
        host: String,
        args: &'a ApiArgs,
    ) -> Result<Self, CommandError> {
        let connection = cluster.api().as_admin(&host, args).await?;
        let api = Api::connect(&connection)?;
        Ok(Self {
            cluster,
            host,
            args,
            current: RefCell::new((api, Timestamp::now() + used(cluster))),
        })
    }

    /// With a certificate that is valid for a while yet, as far as one can be had.
    async fn api(&self) -> Api {
        let (api, until) = self.current.borrow().clone();
        let now = Timestamp::now();
        if now < until {
            return api;
        }
        let renewed = tokio::time::timeout(WITHIN, self.renew()).await;
        let next = match renewed {
            Ok(Ok(connection)) => Api::connect(&connection)
                .ok()
                .map(|api| (api, now + used(self.cluster))),
            Ok(Err(_)) | Err(_) => None,
        };
        let (api, until) = next.unwrap_or((api, now + AGAIN));
        self.current.replace((api.clone(), until));
        api
    }

    async fn renew(&self) -> Result<Connection, AccessError> {
        self.cluster.api().as_admin(&self.host, self.args).await
    }
}

/// A third of the lifetime where the definition allows less than an hour.
fn used(cluster: &Cluster) -> SignedDuration {
    let most = cluster.api().max_ttl;
    let third = most.and_then(|seconds| i64::try_from(seconds / 3).ok());
    third.map_or(USED, |seconds| USED.min(SignedDuration::from_secs(seconds)))
}

impl Nodes for RenewedApi<'_> {
    async fn node_states(&self) -> Result<Vec<NodeState>, NodesError> {
        self.api().await.node_states().await
    }

    async fn pod_states(&self) -> Result<Vec<PodState>, NodesError> {
        self.api().await.pod_states().await
    }

    async fn pods_on(&self, node: &str) -> Result<Vec<PodState>, NodesError> {
        self.api().await.pods_on(node).await
    }

    async fn budgets(&self) -> Result<Vec<Budget>, NodesError> {
        self.api().await.budgets().await
    }

    async fn attachments(&self) -> Result<Vec<Attachment>, NodesError> {
        self.api().await.attachments().await
    }

    async fn mark_node(&self, node: &str, mark: &NodeMark) -> Result<(), NodesError> {
        self.api().await.mark_node(node, mark).await
    }

    async fn evict(&self, pod: &PodRef) -> Result<Eviction, NodesError> {
        self.api().await.evict(pod).await
    }

    async fn remove_pod(&self, pod: &PodRef) -> Result<(), NodesError> {
        self.api().await.remove_pod(pod).await
    }

    async fn delete_node(&self, node: &str, uid: &str) -> Result<(), NodesError> {
        self.api().await.delete_node(node, uid).await
    }

    async fn is_ready(&self) -> bool {
        self.api().await.is_ready().await
    }
}
