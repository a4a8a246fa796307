//! Refused, lost and late answers of AWS, and how often it is asked.

use std::collections::BTreeSet;
use std::time::Duration;

use super::cluster::*;
use super::*;
use crate::cloud::CloudError;
use crate::common::Clock;
use crate::sweep::Inventory;

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
    assert!(shown != crate::sweep::Inventory::default());
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

/// EC2 says so with a code that it has for wrong parameters too.
#[tokio::test(start_paused = true)]
async fn interface_in_use_is_asked_for_again() {
    let cluster = Cluster::standing().await;
    let interface = cluster.cloud.make_interface(&ours(), &cluster.place, None);
    let in_use = CloudError::Refused {
        operation: "DeleteNetworkInterface".to_owned(),
        message: format!("Network interface '{interface}' is currently in use."),
    };
    let shown = cluster.look().await;
    cluster.delete_pool().await;
    cluster.fail("remove", &interface, 3, in_use);
    let (report, _) = cluster.remove(&shown, false).await;
    assert_eq!(report.left, []);
    assert!(ids(&report.removed).contains(&interface));
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
