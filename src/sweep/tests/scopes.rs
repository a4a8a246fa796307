//! What a cluster has inside its stacks.

use super::cluster::Cluster;
use crate::cloud::{Cloud, StackStatus};
use crate::simulated::{BalancerKind, Maker};
use crate::sweep::{Scope, look};

#[tokio::test(start_paused = true)]
async fn scope_has_the_resources_of_living_stacks() {
    let cluster = Cluster::standing().await;
    let scope = cluster.scope().await;
    assert_eq!(scope.asked.vpc.as_ref(), Some(&cluster.place.vpc));
    assert_eq!(scope.stacks.len(), 3);
    for id in [&cluster.place.vpc, &cluster.place.subnets[0]] {
        assert!(scope.resources.contains(id), "{id}");
    }
    // Nothing but what the stacks have: nothing is outside.
    let found = look(&cluster.cloud, &scope).await.unwrap();
    assert_eq!(found, crate::sweep::Inventory::default());
}

#[tokio::test(start_paused = true)]
async fn scope_of_a_half_deleted_network_has_its_vpc_until_that_is_gone() {
    let cluster = Cluster::standing().await;
    let somebody = cluster.balancer(BalancerKind::Network, Maker::Somebody);
    cluster.cloud.make_balancer(&somebody);
    cluster.delete_pool().await;
    assert_eq!(
        cluster.delete("canary-network").await,
        StackStatus::DeleteFailed
    );
    let scope = cluster.scope().await;
    assert_eq!(scope.asked.vpc.as_ref(), Some(&cluster.place.vpc));
    let mut stacks = cluster.cloud.stacks(Some("canary")).await.unwrap();
    // Older stacks of CloudFormation list no deleted resources: the output says it then.
    stacks.retain(|stack| stack.kind == "base");
    let scope = Scope::of(&cluster.cloud, "canary", &stacks).await.unwrap();
    assert_eq!((scope.asked.vpc, scope.stacks.len()), (None, 1));
}
