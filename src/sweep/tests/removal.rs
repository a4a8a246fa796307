//! What a removal does, waits for and leaves, on the simulated AWS.

use std::collections::BTreeSet;
use std::time::Duration;

use super::cluster::{Cluster, denied, ours};
use crate::cloud::outside::{Outside, OutsideKind, OutsideResource};
use crate::cloud::{CloudError, StackStatus, Store};
use crate::common::Clock;
use crate::simulated::{Balancer, BalancerKind, Maker};
use crate::sweep::{Found, Inventory, SweepReport};

fn ids(found: &[Found]) -> BTreeSet<String> {
    found
        .iter()
        .map(|found| found.resource.id.clone())
        .collect()
}

/// Why something was not removed.
fn why(report: &SweepReport, id: &str) -> String {
    let orphan = report
        .left
        .iter()
        .find(|orphan| orphan.found.resource.id == id);
    orphan
        .unwrap_or_else(|| panic!("{id} is not left: {report:#?}"))
        .why
        .clone()
}

fn set<const N: usize>(ids: [&String; N]) -> BTreeSet<String> {
    ids.into_iter().cloned().collect()
}

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
    waits("after each network interface");
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
async fn deletion_protection_is_named_at_once() {
    let cluster = Cluster::standing().await;
    let protected = cluster.cloud.make_balancer(&Balancer {
        protected: true,
        ..cluster.balancer(BalancerKind::Network, ours())
    });
    let other = cluster.make_balancer();
    let shown = cluster.look().await;
    cluster.delete_pool().await;
    let (report, took) = cluster.remove(&shown, false).await;
    let text = why(&report, &protected);
    assert!(text.contains("deletion protection is enabled"), "{text}");
    assert!(ids(&report.removed).contains(&other));
    // Its interface, its target group and its security group can't go either, and each says why.
    let group = report
        .left
        .iter()
        .find(|orphan| orphan.found.resource.kind == OutsideKind::SecurityGroup);
    let group = group.unwrap();
    assert!(
        group.why.contains("used by interface eni-0"),
        "{}",
        group.why
    );
    assert!(group.why.contains("ELB net/"), "{}", group.why);
    assert_eq!(report.left.len(), 4, "{:#?}", report.left);
    assert!(took < Duration::from_mins(12), "{took:?}");
    // Somebody switches it off, and the same command goes on.
    cluster.cloud.unprotect_outside(&protected);
    let (report, _) = cluster.remove(&shown, false).await;
    assert_eq!(report.left, []);
    assert_eq!(cluster.there(), BTreeSet::new());
}

#[tokio::test(start_paused = true)]
async fn group_that_somebody_uses_is_left_with_the_id_of_the_user() {
    let cluster = Cluster::standing().await;
    let cloud = &cluster.cloud;
    let group = |id: &str, tags: &[(&str, &str)]| OutsideResource {
        vpc: Some(cluster.place.vpc.clone()),
        ..super::resource(OutsideKind::SecurityGroup, id, tags)
    };
    cloud.make_outside(group("sg-elb", &[super::OWNED]));
    cloud.make_outside(group("sg-elb-2", &[super::OWNED]));
    cloud.make_outside(group("sg-theirs", &[]));
    let named = OutsideResource {
        vpc: Some(cluster.place.vpc.clone()),
        ..super::rule("sgr-theirs", "sg-theirs", "sg-elb")
    };
    cloud.make_outside(named);
    let user = OutsideResource {
        vpc: Some(cluster.place.vpc.clone()),
        ..super::using(
            super::resource(OutsideKind::Interface, "eni-theirs", &[]),
            &["sg-elb-2"],
        )
    };
    cloud.make_outside(super::described(user, "my file share"));
    let shown = cluster.look().await;
    cluster.delete_pool().await;
    let (report, took) = cluster.remove(&shown, false).await;
    let text = why(&report, "sg-elb");
    assert!(
        text.contains("named by rule sgr-theirs of group sg-theirs"),
        "{text}"
    );
    assert!(text.contains("dependent object"), "{text}");
    let text = why(&report, "sg-elb-2");
    assert!(
        text.contains("used by interface eni-theirs (my file share)"),
        "{text}"
    );
    assert!(took < Duration::from_mins(2), "{took:?}");
    let foreign = ["eni-theirs", "sg-theirs", "sgr-theirs"].map(str::to_owned);
    assert_eq!(ids(&report.foreign), foreign.into());
    for id in ["sgr-theirs", "eni-theirs", "sg-theirs"] {
        assert!(cluster.there().contains(id), "{id}");
    }
}

#[tokio::test(start_paused = true)]
async fn groups_that_name_each_other_go() {
    let cluster = Cluster::standing().await;
    for id in ["sg-a", "sg-b"] {
        cluster.cloud.make_outside(OutsideResource {
            vpc: Some(cluster.place.vpc.clone()),
            ..super::resource(OutsideKind::SecurityGroup, id, &[super::OWNED])
        });
    }
    for (id, group, named) in [("sgr-1", "sg-a", "sg-b"), ("sgr-2", "sg-b", "sg-a")] {
        cluster.cloud.make_outside(OutsideResource {
            vpc: Some(cluster.place.vpc.clone()),
            ..super::rule(id, group, named)
        });
    }
    let shown = cluster.look().await;
    let (report, took) = cluster.remove(&shown, false).await;
    assert_eq!(report.left, []);
    assert_eq!(report.removed.len(), 4);
    assert!(took < Duration::from_secs(30), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn missing_right_is_named_with_its_action() {
    let cluster = Cluster::standing().await;
    let balancer = cluster.make_balancer();
    let shown = cluster.look().await;
    cluster.delete_pool().await;
    cluster.fail(
        "remove",
        &balancer,
        1,
        denied("elasticloadbalancing:DeleteLoadBalancer"),
    );
    let (report, took) = cluster.remove(&shown, false).await;
    let text = why(&report, &balancer);
    assert!(
        text.contains("elasticloadbalancing:DeleteLoadBalancer"),
        "{text}"
    );
    assert!(took < Duration::from_mins(5), "{took:?}");
    let asked = cluster.cloud.calls();
    let asked = asked
        .all()
        .iter()
        .filter(|call| call.verb == "remove" && call.about.starts_with(&balancer));
    assert_eq!(asked.count(), 1);
}

#[tokio::test(start_paused = true)]
async fn kind_that_may_not_be_listed_is_unknown_with_its_action() {
    let cluster = Cluster::standing().await;
    cluster.make_balancer();
    cluster.fail(
        "outside",
        "TargetGroup",
        u32::MAX,
        denied("tag:GetResources"),
    );
    let shown = cluster.look().await;
    assert_eq!(shown.unknown.len(), 1);
    assert_eq!(shown.unknown[0].kind, OutsideKind::TargetGroup);
    assert!(
        shown.unknown[0].why.contains("tag:GetResources"),
        "{shown:?}"
    );
    assert!(!shown.is_empty());
    cluster.delete_pool().await;
    let (report, took) = cluster.remove(&shown, false).await;
    assert_eq!(report.unknown, shown.unknown);
    assert_eq!(report.left, []);
    assert!(took < Duration::from_mins(7), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn kind_that_is_not_answered_for_a_while_is_waited_for() {
    let cluster = Cluster::standing().await;
    let shown = Inventory::default();
    let balancer = cluster.make_balancer();
    cluster.cloud.sleep(Duration::from_mins(1)).await;
    let unreachable = CloudError::Unreachable {
        operation: "outside".to_owned(),
        message: "no route".to_owned(),
    };
    // Longer than one request is repeated.
    cluster.fail("outside", "LoadBalancer", 12, unreachable);
    cluster.delete_pool().await;
    let (report, _) = cluster.remove(&shown, false).await;
    assert_eq!(
        (report.unknown.len(), report.left.len()),
        (0, 0),
        "{report:#?}"
    );
    assert!(ids(&report.removed).contains(&balancer));
}

#[tokio::test(start_paused = true)]
async fn lost_answers_and_throttling_are_retried() {
    let cluster = Cluster::standing().await;
    for _ in 0..4 {
        cluster.make_balancer();
    }
    let shown = cluster.look().await;
    cluster.delete_pool().await;
    cluster.cloud.change_faults(|faults| {
        faults.throttle = 0.2;
        faults.lost_answer = 0.2;
        faults.unreachable = 0.2;
    });
    let scope = loop {
        let stacks = crate::cloud::Cloud::stacks(&cluster.cloud, Some("canary")).await;
        if let Ok(stacks) = stacks
            && let Ok(scope) = crate::sweep::Scope::of(&cluster.cloud, "canary", &stacks).await
        {
            break scope;
        }
    };
    let report = cluster.remove_in(&scope, &shown).await;
    assert_eq!(
        (report.left.len(), report.unknown.len()),
        (0, 0),
        "{report:#?}"
    );
    assert_eq!(cluster.there(), BTreeSet::new());
}

#[tokio::test(start_paused = true)]
async fn expired_credentials_end_it_and_another_run_goes_on() {
    let cluster = Cluster::standing().await;
    cluster.make_balancer();
    let shown = cluster.look().await;
    cluster.delete_pool().await;
    let expired = || CloudError::Credentials {
        reason: "expired".to_owned(),
        help: String::new(),
    };
    for (verb, about) in [
        ("outside", "Interface"),
        ("remove", &*cluster.make_balancer()),
    ] {
        cluster.fail(verb, about, 1, expired());
        let end = cluster.try_remove(&shown, false, false).await;
        assert_eq!(end, Err(expired()), "{verb}");
    }
    let (report, _) = cluster.remove(&shown, false).await;
    assert_eq!(report.left, []);
    assert_eq!(cluster.there(), BTreeSet::new());
}

#[tokio::test(start_paused = true)]
async fn interface_that_aws_never_releases_is_given_up_after_ten_minutes() {
    let cluster = Cluster::standing().await;
    let interface = super::interface("eni-late", "ELB net/gone/50dc", &[]);
    cluster.cloud.make_outside(OutsideResource {
        vpc: Some(cluster.place.vpc.clone()),
        ..interface
    });
    let shown = cluster.look().await;
    cluster.delete_pool().await;
    let (report, took) = cluster.remove(&shown, false).await;
    let text = why(&report, "eni-late");
    assert!(text.contains("AWS has not released it"), "{text}");
    assert!(
        (Duration::from_mins(10)..Duration::from_mins(11)).contains(&took),
        "{took:?}"
    );
    let asked = cluster.cloud.calls();
    assert!(asked.all().iter().all(|call| call.verb != "remove"));
}

#[tokio::test(start_paused = true)]
async fn kinds_without_anything_to_go_are_asked_for_once() {
    let cluster = Cluster::standing().await;
    cluster.make_balancer();
    let shown = cluster.look().await;
    cluster.delete_pool().await;
    let before = cluster.cloud.calls().total();
    let (_, took) = cluster.remove(&shown, false).await;
    let calls = cluster.cloud.calls();
    let of = |kind: &str| {
        let asked = calls.all()[before..].iter();
        asked
            .filter(|call| call.verb == "outside" && call.about.starts_with(kind))
            .count()
    };
    for kind in [
        "Machine",
        "Volume",
        "Snapshot",
        "DnsRecord",
        "Bucket",
        "Key",
        "LogGroup",
        "Peering",
    ] {
        assert_eq!(of(kind), 1, "{kind}");
    }
    assert!(of("Interface") > 5, "{}", of("Interface"));
    // A look every 15 seconds at most kinds that are needed.
    let rounds = usize::try_from(took.as_secs() / 15).unwrap() + 8;
    assert!(of("Interface") <= rounds, "{} in {took:?}", of("Interface"));
}

#[tokio::test(start_paused = true)]
async fn bucket_goes_last_emptied_and_only_if_it_was_shown() {
    let cluster = Cluster::standing().await;
    let cloud = &cluster.cloud;
    let stacks = crate::cloud::Cloud::stacks(cloud, Some("canary"))
        .await
        .unwrap();
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
    let report = cluster.try_remove(&shown, false, true).await.unwrap();
    assert_eq!(ids(&report.removed), set([&bucket]));
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
