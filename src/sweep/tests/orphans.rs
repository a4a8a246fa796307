//! What can't be removed: when that is known, and what keeps it.

use std::collections::BTreeSet;
use std::time::Duration;

use super::cluster::*;
use super::*;
use crate::simulated::{Balancer, BalancerKind};

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
        ..resource(OutsideKind::SecurityGroup, id, tags)
    };
    cloud.make_outside(group("sg-elb", &[OWNED]));
    cloud.make_outside(group("sg-elb-2", &[OWNED]));
    cloud.make_outside(group("sg-theirs", &[]));
    let named = OutsideResource {
        vpc: Some(cluster.place.vpc.clone()),
        ..rule("sgr-theirs", "sg-theirs", "sg-elb")
    };
    cloud.make_outside(named);
    let user = OutsideResource {
        vpc: Some(cluster.place.vpc.clone()),
        ..using(
            resource(OutsideKind::Interface, "eni-theirs", &[]),
            &["sg-elb-2"],
        )
    };
    cloud.make_outside(described(user, "my file share"));
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
async fn interface_that_aws_never_releases_is_given_up_after_ten_minutes() {
    let cluster = Cluster::standing().await;
    let interface = interface("eni-late", "ELB net/gone/50dc", &[]);
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
