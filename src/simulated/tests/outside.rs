//! What lies outside the stacks: how it is listed, and what controllers make again.

mod removal;

use std::collections::BTreeSet;

use super::*;
use crate::cloud::outside::{Outside, OutsideKind, OutsideResource, OutsideScope};
use small_cluster::ours;

/// A network with the nodes' group, a control plane of one machine, and a database.
struct Cluster {
    cloud: Simulated,
    place: Place,
    network: String,
}

async fn cluster() -> Cluster {
    let cloud = Simulated::new(steady());
    let database = json!({"Resources": {"Database": {"Type": "AWS::RDS::DBInstance", "Properties": {
        "AllocatedStorage": "20", "DeleteAutomatedBackups": false,
        "EnableCloudwatchLogsExports": ["postgresql", "upgrade"]}}}});
    let machines = small_cluster::machines(&small_cluster::owned(&[]), 1);
    let templates = [
        ("canary-network", small_cluster::network()),
        ("canary-control-plane", machines),
        ("canary-database", database),
    ];
    let place = small_cluster::create(&cloud, &templates).await;
    let mut stacks = cloud.all_stacks().into_iter();
    let network = stacks.find(|stack| stack.name == "canary-network");
    Cluster {
        network: network.unwrap().id,
        place,
        cloud,
    }
}

impl Cluster {
    async fn listed(&self, kind: OutsideKind) -> Vec<OutsideResource> {
        let scope = OutsideScope {
            cluster: "canary".to_owned(),
            vpc: Some(self.place.vpc.clone()),
        };
        self.cloud.outside(kind, &scope).await.unwrap()
    }

    async fn one(&self, kind: OutsideKind, id: &str) -> Option<OutsideResource> {
        let all = self.listed(kind).await.into_iter();
        all.into_iter().find(|one| one.id == id)
    }

    /// Of the things that no stack has.
    async fn made(&self, kind: OutsideKind) -> Vec<OutsideResource> {
        let known: BTreeSet<_> = self
            .cloud
            .outside_things()
            .into_iter()
            .map(|one| one.id)
            .collect();
        let all = self.listed(kind).await.into_iter();
        all.filter(|one| known.contains(&one.id)).collect()
    }

    async fn refused(&self, resource: &OutsideResource) -> String {
        match self.cloud.remove(resource).await {
            Err(CloudError::Refused { message, .. }) => message,
            other => panic!("{other:?}"),
        }
    }

    fn balancer(&self, kind: BalancerKind) -> Balancer {
        small_cluster::balancer(&self.place, kind, ours())
    }

    async fn minutes(&self, count: u64) {
        self.cloud.sleep(Duration::from_mins(count)).await;
    }

    async fn delete(&self, stack: &str) -> LiveStack {
        small_cluster::delete(&self.cloud, stack).await
    }
}

#[tokio::test(start_paused = true)]
async fn stack_resources_are_listed_with_the_tags_that_aws_sets() {
    let cluster = cluster().await;
    let [machine] = &cluster.listed(OutsideKind::Machine).await[..] else {
        panic!("one machine");
    };
    assert_eq!(machine.tag("kubernetes.io/cluster/canary"), Some("owned"));
    assert_eq!(machine.tag(TAG_STACK), Some("control-plane"));
    assert_eq!(machine.tag("aws:cloudformation:logical-id"), Some("Group"));
    assert!(machine.tag("aws:autoscaling:groupName").is_some());
    assert_eq!(machine.vpc.as_ref(), Some(&cluster.place.vpc));
    let [disk] = &cluster.listed(OutsideKind::Volume).await[..] else {
        panic!("one disk");
    };
    assert_eq!(disk.tag("kubernetes.io/cluster/canary"), Some("owned"));
    assert_eq!(disk.tag("aws:cloudformation:stack-id"), None);
    assert_eq!(disk.uses, BTreeSet::from([machine.id.clone()]));
    let [interface] = &cluster.listed(OutsideKind::Interface).await[..] else {
        panic!("one interface");
    };
    assert!(interface.uses.contains(&machine.id) && interface.tags.is_empty());
    let groups = cluster.listed(OutsideKind::SecurityGroup).await;
    let [nodes, default] = &groups[..] else {
        panic!("two groups: {groups:?}");
    };
    assert_eq!(
        nodes.tag("aws:cloudformation:stack-id"),
        Some(cluster.network.as_str())
    );
    assert!(default.by_aws && default.tags.is_empty());
    let logs = cluster.listed(OutsideKind::LogGroup).await;
    assert_eq!(logs.len(), 2);
    assert!(
        logs[0]
            .id
            .starts_with("/aws/rds/instance/canary-database-database-"),
        "{logs:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn listing_without_a_vpc_has_what_is_tagged_only() {
    let cluster = cluster().await;
    let scope = OutsideScope {
        cluster: "canary".to_owned(),
        vpc: None,
    };
    let subnets = cluster
        .cloud
        .outside(OutsideKind::Subnet, &scope)
        .await
        .unwrap();
    assert_eq!(subnets.len(), 1);
    assert_eq!(
        cluster
            .cloud
            .outside(OutsideKind::Interface, &scope)
            .await
            .unwrap(),
        []
    );
    let shared = Maker::SharedWith("canary".to_owned());
    let cloud = &cluster.cloud;
    let theirs = cloud.make_balancer(&Balancer {
        maker: shared,
        ..cluster.balancer(BalancerKind::Network)
    });
    let own = cloud.make_balancer(&cluster.balancer(BalancerKind::Application));
    // Tagging does not know a new one at once.
    cluster.minutes(1).await;
    let ids =
        |all: Vec<OutsideResource>| all.into_iter().map(|one| one.id).collect::<BTreeSet<_>>();
    let tagged = cloud
        .outside(OutsideKind::LoadBalancer, &scope)
        .await
        .unwrap();
    assert_eq!(ids(tagged), BTreeSet::from([own.clone()]));
    assert_eq!(
        ids(cluster.listed(OutsideKind::LoadBalancer).await),
        BTreeSet::from([own, theirs])
    );
}

#[tokio::test(start_paused = true)]
async fn controller_makes_a_lost_balancer_again_while_the_control_plane_answers() {
    let cluster = cluster().await;
    let service = Balancer {
        again_after: Some(Duration::from_secs(40)),
        ..cluster.balancer(BalancerKind::Network)
    };
    let cloud = &cluster.cloud;
    cloud.make_balancer(&service);
    let balancers = async || cluster.made(OutsideKind::LoadBalancer).await;
    let first = balancers().await.remove(0);
    cloud.remove(&first).await.unwrap();
    cluster.minutes(1).await;
    let second = balancers().await.remove(0);
    assert_ne!(first.id, second.id);
    cluster.delete("canary-control-plane").await;
    cloud.remove(&second).await.unwrap();
    cluster.minutes(2).await;
    assert_eq!(balancers().await, []);
}

#[tokio::test(start_paused = true)]
async fn faults_of_the_cloud_apply_to_both_calls() {
    let cluster = cluster().await;
    let id = cluster.cloud.make_volume(&ours(), "default/data", None, 1);
    cluster.minutes(2).await;
    let volume = cluster.one(OutsideKind::Volume, &id).await.unwrap();
    cluster
        .cloud
        .change_faults(|faults| faults.lost_answer = 1.0);
    let answer = cluster.cloud.remove(&volume).await;
    assert!(
        matches!(answer, Err(CloudError::Unreachable { .. })),
        "{answer:?}"
    );
    cluster.cloud.change_faults(|faults| {
        faults.lost_answer = 0.0;
        faults.stale_read = 1.0;
        faults.stale_for = Duration::from_mins(1);
    });
    cluster.cloud.sleep(Duration::from_secs(20)).await;
    let mut seen = Vec::new();
    for _ in 0..20 {
        seen.push(cluster.one(OutsideKind::Volume, &id).await.is_some());
    }
    assert!(seen.contains(&true) && seen.contains(&false), "{seen:?}");
    cluster.cloud.change_faults(|faults| faults.throttle = 1.0);
    let scope = OutsideScope::default();
    let answer = cluster.cloud.outside(OutsideKind::Volume, &scope).await;
    assert!(
        matches!(answer, Err(CloudError::Throttled(_))),
        "{answer:?}"
    );
}
