//! What a removal does, waits for and leaves, on the simulated AWS.

use std::collections::BTreeSet;
use std::time::Duration;

use super::cluster::*;
use super::*;
use crate::cloud::outside::Outside;
use crate::cloud::{Cloud, CloudError, StackStatus, Store};
use crate::common::Clock;
use crate::simulated::{Balancer, BalancerKind, CallFault, FaultKind, Maker};
use crate::sweep::Inventory;

#[tokio::test(start_paused = true)]
async fn everything_of_the_cluster_goes_and_the_rest_stays() {
    let mut cluster = Cluster::standing().await;
    let cloud = &cluster.cloud;
    let somebody = Maker::Somebody;
    for kind in [
        BalancerKind::Network,
        BalancerKind::Classic,
        BalancerKind::Application,
    ] {
        cloud.make_balancer(&cluster.balancer(kind, ours()));
    }
    cloud
        .detach_machine("canary-pool-workers", "Group")
        .unwrap();
    let volume = cloud.make_volume(&ours(), "shop/data", None, 5);
    let snapshot = cloud.make_snapshot(&ours(), "shop/data", 5);
    let records = cloud.make_record(&ours(), "Z1", "web.example.com");
    let free = cloud.make_interface(&ours(), &cluster.place, None);
    let foreign = cloud.make_interface(&somebody, &cluster.place, None);
    let shared = cloud.make_interface(
        &Maker::SharedWith("canary".to_owned()),
        &cluster.place,
        None,
    );
    let other_records = cloud.make_record(&somebody, "Z1", "other.example.com");
    let strange = [
        cloud.make_volume(&somebody, "x", None, 9),
        cloud.make_snapshot(&somebody, "x", 9),
    ];
    let shown = cluster.look().await;
    cluster.delete_pool().await;
    let (report, took) = cluster.remove(&shown, false).await;
    assert_eq!(report.left, []);
    assert_eq!(report.unknown, []);
    assert_eq!(ids(&report.kept), set([&volume, &snapshot]));
    assert_eq!(ids(&report.foreign), set([&foreign, &shared]));
    assert!(ids(&report.removed).contains(&free) && ids(&report.removed).contains(&records[0]));
    let mut stay = set([&volume, &snapshot, &foreign, &shared]);
    stay.extend(other_records);
    stay.extend(strange);
    assert_eq!(cluster.there(), stay);
    assert!(took < Duration::from_mins(7), "{took:?}");
    let progress = cluster.progress();
    let waits = |text: &str| {
        let mut parts = progress.iter().flatten();
        assert!(
            parts.any(|part| part.state.contains(text)),
            "{text}: {progress:#?}"
        );
    };
    waits("waiting for AWS to release");
    waits("waits for 3 network interfaces");
    let last = progress.last().unwrap();
    assert!(
        last.iter()
            .all(|part| part.done == part.wanted && part.state.is_empty()),
        "{last:?}"
    );
    let balancers = last
        .iter()
        .find(|part| part.name == "load balancer")
        .unwrap();
    assert_eq!((balancers.done, balancers.wanted), (2, 2));
}

#[tokio::test(start_paused = true)]
async fn network_can_be_deleted_afterwards() {
    let cluster = Cluster::standing().await;
    cluster.make_balancer();
    let shown = cluster.look().await;
    cluster.delete_pool().await;
    let (report, _) = cluster.remove(&shown, false).await;
    assert_eq!((report.left.len(), report.foreign.len()), (0, 0));
    assert_eq!(
        cluster.delete("canary-network").await,
        StackStatus::DeleteComplete
    );
}

#[tokio::test(start_paused = true)]
async fn volumes_go_only_where_that_is_wished_and_shown() {
    let cluster = Cluster::standing().await;
    let cloud = &cluster.cloud;
    let machine = cloud
        .detach_machine("canary-pool-workers", "Group")
        .unwrap();
    let volume = cloud.make_volume(&ours(), "shop/data", Some(&machine), 5);
    let shown = cluster.look().await;
    let late = cloud.make_volume(&ours(), "shop/late", None, 5);
    cluster.delete_pool().await;
    let (report, _) = cluster.remove(&shown, true).await;
    assert_eq!(report.left, []);
    assert_eq!(ids(&report.kept), set([&late]));
    assert_eq!(ids(&report.removed), set([&volume, &machine]));
}

#[tokio::test(start_paused = true)]
async fn what_appears_after_the_consent_goes_if_kubernetes_made_it() {
    let cluster = Cluster::standing().await;
    let cloud = &cluster.cloud;
    let shown = cluster.look().await;
    assert_eq!(shown, Inventory::default());
    let balancer = cluster.make_balancer();
    let machine = cloud
        .detach_machine("canary-pool-workers", "Group")
        .unwrap();
    let records = cloud.make_record(&ours(), "Z1", "web.example.com");
    cluster.delete_pool().await;
    let (report, _) = cluster.remove(&shown, false).await;
    assert!(ids(&report.removed).contains(&balancer), "{report:#?}");
    for id in [&machine, &records[0]] {
        let why = why(&report, id);
        assert!(
            why.contains("not there when the deletion was confirmed"),
            "{why}"
        );
    }
    assert_eq!(report.left.len(), 3);
}

#[tokio::test(start_paused = true)]
async fn groups_that_name_each_other_go() {
    let cluster = Cluster::standing().await;
    for id in ["sg-a", "sg-b"] {
        cluster.cloud.make_outside(OutsideResource {
            vpc: Some(cluster.place.vpc.clone()),
            ..resource(OutsideKind::SecurityGroup, id, &[OWNED])
        });
    }
    for (id, group, named) in [("sgr-1", "sg-a", "sg-b"), ("sgr-2", "sg-b", "sg-a")] {
        cluster.cloud.make_outside(OutsideResource {
            vpc: Some(cluster.place.vpc.clone()),
            ..rule(id, group, named)
        });
    }
    let shown = cluster.look().await;
    let (report, took) = cluster.remove(&shown, false).await;
    assert_eq!(report.left, []);
    assert_eq!(report.removed.len(), 4);
    assert!(took < Duration::from_secs(30), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn bucket_goes_last_emptied_and_only_if_it_was_shown() {
    let cluster = Cluster::standing().await;
    let cloud = &cluster.cloud;
    let stacks = cloud.stacks(Some("canary")).await.unwrap();
    let base = stacks
        .into_iter()
        .find(|stack| stack.name == "canary-base")
        .unwrap();
    let bucket = base.outputs["Bucket"].clone();
    cloud.upload(&bucket, "a", b"b").await.unwrap();
    assert!(cloud.retain_resource("canary-base", "Bucket"));
    assert_eq!(
        cluster.delete("canary-base").await,
        StackStatus::DeleteComplete
    );
    let report = cluster
        .try_remove(&Inventory::default(), false, true)
        .await
        .unwrap();
    assert_eq!(ids(&report.kept), set([&bucket]));
    let shown = cluster.look().await;
    let (report, _) = cluster.remove(&shown, false).await;
    assert_eq!((report.removed.len(), report.left.len()), (0, 0));
    assert_eq!(ids(&report.waiting), set([&bucket]));
    let report = cluster.try_remove(&shown, false, true).await.unwrap();
    assert_eq!(ids(&report.removed), set([&bucket]));
    assert_eq!(report.waiting, []);
    assert_eq!(cluster.there(), BTreeSet::new());
}

#[tokio::test(start_paused = true)]
async fn removal_of_what_is_gone_already_says_so() {
    let cluster = Cluster::standing().await;
    let balancer = cluster.make_balancer();
    let shown = cluster.look().await;
    let resource = cluster.thing(OutsideKind::LoadBalancer).unwrap();
    assert_eq!(resource.id, balancer);
    cluster.cloud.remove(&resource).await.unwrap();
    cluster.delete_pool().await;
    cluster.cloud.sleep(Duration::from_mins(10)).await;
    let (report, _) = cluster.remove(&shown, false).await;
    assert!(!ids(&report.removed).contains(&balancer));
    assert_eq!(report.left, []);
}

#[tokio::test(start_paused = true)]
async fn last_call_tries_once_more_what_an_earlier_one_left() {
    let cluster = Cluster::standing().await;
    let balancer = cluster.cloud.make_balancer(&Balancer {
        protected: true,
        ..cluster.balancer(BalancerKind::Network, ours())
    });
    let shown = cluster.look().await;
    cluster.delete_pool().await;
    let (first, _) = cluster.remove(&shown, false).await;
    assert_eq!(
        (first.removed.len(), first.left.len()),
        (1, 4),
        "{first:#?}"
    );
    cluster.cloud.unprotect_outside(&balancer);
    let (both, _) = cluster.remove_last(&shown, first).await;
    assert_eq!((both.removed.len(), both.left.len()), (5, 0), "{both:#?}");
}

#[tokio::test(start_paused = true)]
async fn last_call_has_no_patience_with_what_an_earlier_one_left() {
    let mut cluster = Cluster::standing().await;
    let volume = cluster.cloud.make_volume(&ours(), "shop/data", None, 5);
    let used = CloudError::Refused {
        operation: "DeleteVolume".to_owned(),
        message: format!("{volume} is in use"),
    };
    cluster.fail("remove", &volume, 1000, used);
    let balancer = cluster.make_balancer();
    let shown = cluster.look().await;
    cluster.delete_pool().await;
    let (first, _) = cluster.remove(&shown, true).await;
    assert!(ids(&first.removed).contains(&balancer), "{first:#?}");
    let number = first.removed.len();
    why(&first, &volume);
    cluster.progress();
    let (both, took) = cluster.remove_last(&shown, first).await;
    why(&both, &volume);
    assert_eq!((both.removed.len(), both.left.len()), (number, 1));
    assert!(took < Duration::from_secs(10), "{took:?}");
    // What is shown counts each once.
    let shown = cluster.progress();
    let last = shown.last().unwrap();
    let (done, wanted) = last
        .iter()
        .fold((0, 0), |sum, part| (sum.0 + part.done, sum.1 + part.wanted));
    assert_eq!((done, wanted), (number, number + 1), "{last:?}");
}

#[tokio::test(start_paused = true)]
async fn list_of_interfaces_that_lags_behind_the_machines_is_read_again() {
    let cluster = Cluster::standing().await;
    let cloud = &cluster.cloud;
    let machine = OutsideResource {
        vpc: Some(cluster.place.vpc.clone()),
        ..resource(OutsideKind::Machine, "i-theirs", &[])
    };
    cloud.make_outside(machine.clone());
    let interface = cloud.make_interface(&Maker::Somebody, &cluster.place, Some("i-theirs"));
    cloud.sleep(Duration::from_mins(1)).await;
    let attached = cluster.thing(OutsideKind::Interface).unwrap();
    assert!(cloud.remove_externally(&machine));
    cloud.sleep(Duration::from_mins(2)).await;
    let free = cluster.thing(OutsideKind::Interface).unwrap();
    assert_ne!(attached.uses, free.uses);
    assert!(cloud.remove_externally(&free));
    cloud.change_faults(|faults| {
        faults.calls.push(CallFault {
            verb: Some("outside"),
            about: Some("Interface".to_owned()),
            after: 0,
            times: 1,
            kind: FaultKind::Stale(Duration::from_mins(3)),
        });
    });
    let (report, took) = cluster.remove(&Inventory::default(), false).await;
    assert_eq!(ids(&report.foreign), BTreeSet::new(), "{interface}");
    assert!(took > Duration::ZERO);
}
