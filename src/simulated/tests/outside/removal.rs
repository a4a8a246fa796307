//! Removals: what refuses, what AWS releases late, and what holds the network's stack.

use super::*;

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
            OutsideKind::Backup,
            OutsideKind::DatabaseSnapshot
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
    // Nobody but CloudFormation says that its stack left it.
    assert_eq!(key.tag("aws:cloudformation:stack-id"), None);
    let (_, short) = key.id.split_once(":key/").unwrap();
    assert_eq!(cloud.left_by("canary-base", short).await, Ok(Some(id)));
    assert_eq!(cloud.left_by("canary-edge", short).await, Ok(None));
    cloud.remove(&key).await.unwrap();
    let waiting = cluster.listed(OutsideKind::Key).await.remove(0);
    assert!(
        waiting.is_scheduled() && waiting.ends.is_some(),
        "{waiting:?}"
    );
    cluster.minutes(30 * 24 * 60).await;
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
