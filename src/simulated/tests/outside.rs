//! What lies outside the stacks: how it is listed, what refuses, and what AWS releases late.

use std::collections::BTreeSet;

use super::*;
use crate::cloud::outside::{Outside, OutsideKind, OutsideResource, OutsideScope};

/// A network with the nodes' group, a control plane of one machine, and a database.
struct Cluster {
    cloud: Simulated,
    place: Place,
    network: String,
}

fn parts() -> [(&'static str, Value); 3] {
    let tag = json!([{"Key": "kubernetes.io/cluster/canary", "Value": "owned"}]);
    [
        (
            "canary-network",
            json!({"Resources": {
                "Vpc": {"Type": "AWS::EC2::VPC", "Properties": {"CidrBlock": "10.0.0.0/16"}},
                "NetA": {"Type": "AWS::EC2::Subnet", "Properties": {"VpcId": {"Ref": "Vpc"}, "Tags": tag}},
                "NodeSg": {"Type": "AWS::EC2::SecurityGroup", "Properties": {
                    "GroupDescription": "nodes", "VpcId": {"Ref": "Vpc"}, "Tags": tag}},
            }, "Outputs": {"VpcId": {"Value": {"Ref": "Vpc"}}, "NetA": {"Value": {"Ref": "NetA"}},
                "NodeSg": {"Value": {"Ref": "NodeSg"}}}}),
        ),
        (
            "canary-control-plane",
            json!({"Parameters": {"NetA": {"Type": "String"}, "NodeSg": {"Type": "String"}}, "Resources": {
                "Template": {"Type": "AWS::EC2::LaunchTemplate", "Properties": {"LaunchTemplateData": {
                    "SecurityGroupIds": [{"Ref": "NodeSg"}],
                    "TagSpecifications": [
                        {"ResourceType": "instance", "Tags": tag},
                        {"ResourceType": "volume", "Tags": tag}]}}},
                "Group": {"Type": "AWS::AutoScaling::AutoScalingGroup", "Properties": {
                    "MinSize": "1", "MaxSize": "2", "VPCZoneIdentifier": [{"Ref": "NetA"}],
                    "LaunchTemplate": {"LaunchTemplateId": {"Ref": "Template"}}}}}}),
        ),
        (
            "canary-database",
            json!({"Resources": {"Database": {"Type": "AWS::RDS::DBInstance", "Properties": {
                "AllocatedStorage": "20", "DeleteAutomatedBackups": false,
                "EnableCloudwatchLogsExports": ["postgresql", "upgrade"]}}}}),
        ),
    ]
}

async fn cluster() -> Cluster {
    let cloud = Simulated::new(steady());
    let [(name, network), (control, machines), (data, database)] = parts();
    let id = made(&cloud, name, &network).await;
    let outputs = cloud.stack(&id).await.unwrap().unwrap().outputs;
    let mut ask = wanted(control, &machines, "c");
    for key in ["NetA", "NodeSg"] {
        ask.parameters.insert(key.to_owned(), outputs[key].clone());
    }
    let control = cloud.create(&ask, &OPEN).await.unwrap();
    rest(&cloud, &control).await;
    made(&cloud, data, &database).await;
    let place = Place {
        vpc: outputs["VpcId"].clone(),
        subnets: vec![outputs["NetA"].clone()],
        node_group: Some(outputs["NodeSg"].clone()),
    };
    Cluster {
        cloud,
        place,
        network: id,
    }
}

fn ours() -> Maker {
    Maker::Kubernetes("canary".to_owned())
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
        Balancer {
            kind,
            maker: ours(),
            service: "default/web".to_owned(),
            place: self.place.clone(),
            again_after: None,
            protected: false,
        }
    }

    async fn minutes(&self, count: u64) {
        self.cloud.sleep(Duration::from_mins(count)).await;
    }

    async fn delete(&self, stack: &str) -> LiveStack {
        let all = self.cloud.stacks(Some("canary")).await.unwrap();
        let id = all.into_iter().find(|one| one.name == stack).unwrap().id;
        self.cloud
            .delete(
                &id,
                &format!("delete-{stack}-{}", self.cloud.writes().len()),
            )
            .await
            .unwrap();
        rest(&self.cloud, &id).await
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
async fn interfaces_of_a_balancer_go_minutes_after_it_and_hold_its_group() {
    let cluster = cluster().await;
    let id = cluster
        .cloud
        .make_balancer(&cluster.balancer(BalancerKind::Network));
    let balancer = cluster.one(OutsideKind::LoadBalancer, &id).await.unwrap();
    let target = cluster.made(OutsideKind::TargetGroup).await.remove(0);
    let group = cluster.made(OutsideKind::SecurityGroup).await.remove(0);
    let rule = cluster.made(OutsideKind::GroupRule).await.remove(0);
    let interface = cluster.made(OutsideKind::Interface).await.remove(0);
    assert!(
        interface.by_aws
            && interface
                .description
                .as_ref()
                .unwrap()
                .starts_with("ELB net/")
    );
    assert!(
        cluster
            .refused(&target)
            .await
            .contains("in use by a listener")
    );
    assert!(
        cluster
            .refused(&interface)
            .await
            .contains("managed by a service")
    );
    cluster.cloud.remove(&balancer).await.unwrap();
    cluster.cloud.remove(&balancer).await.unwrap();
    cluster.cloud.remove(&target).await.unwrap();
    assert!(cluster.refused(&group).await.contains("dependent object"));
    assert!(
        cluster
            .one(OutsideKind::Interface, &interface.id)
            .await
            .is_some()
    );
    cluster.minutes(5).await;
    assert_eq!(
        cluster.one(OutsideKind::Interface, &interface.id).await,
        None
    );
    // The rule in the nodes' group still names it.
    assert!(cluster.refused(&group).await.contains("dependent object"));
    cluster.cloud.remove(&rule).await.unwrap();
    cluster.cloud.remove(&group).await.unwrap();
    assert_eq!(cluster.cloud.outside_things(), []);
    let by: Vec<_> = cluster
        .cloud
        .outside_losses()
        .iter()
        .map(|loss| (loss.kind, loss.by))
        .collect();
    assert!(
        by.contains(&(OutsideKind::Interface, RemovedBy::Aws)),
        "{by:?}"
    );
    assert_eq!(by.len(), 5);
}

#[tokio::test(start_paused = true)]
async fn network_is_not_deleted_while_something_outside_holds_it() {
    let cluster = cluster().await;
    let id = cluster
        .cloud
        .make_balancer(&cluster.balancer(BalancerKind::Classic));
    cluster.delete("canary-database").await;
    assert_eq!(
        cluster.delete("canary-control-plane").await.status,
        StackStatus::DeleteComplete
    );
    assert_eq!(
        cluster.delete("canary-network").await.status,
        StackStatus::DeleteFailed
    );
    let shown = events(&cluster.cloud, &cluster.network).await;
    let reason = reason_of(&shown, "NetA", "DELETE_FAILED");
    assert!(
        reason.contains("has dependencies and cannot be deleted"),
        "{reason}"
    );
    // The nodes' group went, and its rule with it.
    let balancer = cluster
        .one(OutsideKind::ClassicLoadBalancer, &id)
        .await
        .unwrap();
    cluster.cloud.remove(&balancer).await.unwrap();
    cluster.minutes(5).await;
    for group in cluster.made(OutsideKind::SecurityGroup).await {
        cluster.cloud.remove(&group).await.unwrap();
    }
    assert_eq!(
        cluster.delete("canary-network").await.status,
        StackStatus::DeleteComplete
    );
    let left: Vec<_> = cluster
        .cloud
        .outside_things()
        .iter()
        .map(|one| one.kind)
        .collect();
    assert_eq!(
        left,
        [
            OutsideKind::LogGroup,
            OutsideKind::LogGroup,
            OutsideKind::Backup
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn volume_is_free_when_its_machine_is_terminated() {
    let cluster = cluster().await;
    let cloud = &cluster.cloud;
    let machine = cloud
        .detach_machine("canary-control-plane", "Group")
        .unwrap();
    let id = cloud.make_volume(&ours(), "default/data", Some(&machine), 5);
    let volume = cluster.one(OutsideKind::Volume, &id).await.unwrap();
    assert_eq!(
        volume.tag("kubernetes.io/created-for/pvc/name"),
        Some("data")
    );
    assert!(
        cluster
            .refused(&volume)
            .await
            .contains("currently attached to i-")
    );
    let detached = cluster.one(OutsideKind::Machine, &machine).await.unwrap();
    assert_eq!(detached.tag("aws:autoscaling:groupName"), None);
    assert_eq!(detached.tag("aws:cloudformation:logical-id"), Some("Group"));
    // Its group has launched another one.
    assert_eq!(cluster.listed(OutsideKind::Machine).await.len(), 2);
    cloud.remove(&detached).await.unwrap();
    let going = cluster.one(OutsideKind::Machine, &machine).await.unwrap();
    assert_eq!(going.state.as_deref(), Some("shutting-down"));
    assert!(
        cluster
            .refused(&volume)
            .await
            .contains("currently attached")
    );
    cluster.minutes(2).await;
    let volume = cluster.one(OutsideKind::Volume, &id).await.unwrap();
    assert_eq!(volume.state.as_deref(), Some("available"));
    cloud.remove(&volume).await.unwrap();
    assert_eq!(cloud.outside_things(), []);
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
async fn retained_resource_keeps_its_tags_and_a_bucket_with_objects_stays() {
    let cluster = cluster().await;
    let cloud = &cluster.cloud;
    let base = json!({"Resources": {"Bucket": {"Type": "AWS::S3::Bucket"},
        "Key": {"Type": "AWS::KMS::Key", "DeletionPolicy": "Retain"}},
        "Outputs": {"Bucket": {"Value": {"Ref": "Bucket"}}}});
    let id = made(cloud, "canary-base", &base).await;
    let name = cloud.stack(&id).await.unwrap().unwrap().outputs["Bucket"].clone();
    cloud.upload(&name, "key", b"bytes").await.unwrap();
    assert!(cloud.retain_resource("canary-base", "Bucket"));
    assert_eq!(
        cluster.delete("canary-base").await.status,
        StackStatus::DeleteComplete
    );
    let bucket = cluster.one(OutsideKind::Bucket, &name).await.unwrap();
    assert_eq!(bucket.tag("aws:cloudformation:stack-id"), Some(id.as_str()));
    assert!(cluster.refused(&bucket).await.contains("not empty"));
    cloud.empty_bucket(&name).await.unwrap();
    cloud.remove(&bucket).await.unwrap();
    let key = cluster.listed(OutsideKind::Key).await.remove(0);
    assert!(
        key.id
            .starts_with("arn:aws:kms:eu-west-1:123456789012:key/"),
        "{}",
        key.id
    );
    cloud.remove(&key).await.unwrap();
    assert_eq!(cluster.listed(OutsideKind::Key).await, []);
}

#[tokio::test(start_paused = true)]
async fn stack_resource_removed_by_hand_is_in_the_log() {
    let cluster = cluster().await;
    let group = cluster.place.node_group.clone().unwrap();
    cluster.delete("canary-control-plane").await;
    let group = cluster
        .one(OutsideKind::SecurityGroup, &group)
        .await
        .unwrap();
    cluster.cloud.remove(&group).await.unwrap();
    let lost = cluster.cloud.outside_losses().remove(0);
    assert_eq!(
        (lost.by, lost.stack.as_deref()),
        (RemovedBy::Call, Some("canary-network"))
    );
    assert_eq!(
        cluster.one(OutsideKind::SecurityGroup, &group.id).await,
        None
    );
}

#[tokio::test(start_paused = true)]
async fn records_of_the_registry_go_as_they_are_only() {
    let cluster = cluster().await;
    let cloud = &cluster.cloud;
    cloud.make_record(&ours(), "Z1", "web.example.org");
    cloud.make_record(
        &Maker::Kubernetes("other".to_owned()),
        "Z1",
        "x.example.org",
    );
    cloud.make_record(&Maker::Somebody, "Z1", "y.example.org");
    let records = cluster.listed(OutsideKind::DnsRecord).await;
    let ids: Vec<_> = records.iter().map(|one| one.id.as_str()).collect();
    assert_eq!(ids, ["Z1 web.example.org A", "Z1 a-web.example.org TXT"]);
    let mut changed = records[0].clone();
    changed.body.clear();
    assert!(cluster.refused(&changed).await.contains("do not match"));
    cloud.remove(&records[0]).await.unwrap();
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
