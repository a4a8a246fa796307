//! What is in the way of a removal, found before it begins.

use std::collections::{BTreeMap, BTreeSet};

use super::cluster::*;
use super::*;
use crate::cloud::account::Effect;
use crate::cloud::{Identity, Lock};
use crate::simulated::{Balancer, BalancerKind, Faults, SimulatedAccount, small_cluster};
use crate::sweep::kubernetes::{Objects, Service};
use crate::sweep::{Cause, Going, Inventory, Obstacle, Obstacles, Seen, obstacles};

fn identity(caller: &str) -> Identity {
    Identity {
        account: "1".to_owned(),
        caller: format!("arn:aws:iam::1:{caller}"),
        region: "eu-west-1".to_owned(),
    }
}

async fn looked(
    cluster: &Cluster,
    shown: &Inventory,
    kubernetes: &Seen,
    caller: &str,
) -> Obstacles {
    let scope = cluster.scope().await;
    let going = Going {
        inventory: shown,
        delete_volumes: true,
        kubernetes,
        held: &scope.held,
    };
    obstacles(&cluster.cloud, going, &identity(caller))
        .await
        .unwrap()
}

fn causes(found: &Obstacles) -> Vec<(&str, &Cause, bool)> {
    let all = found.found.iter();
    all.map(
        |Obstacle {
             id, cause, blocks, ..
         }| (id.as_str(), cause, *blocks),
    )
    .collect()
}

fn forbid(cluster: &Cluster, id: &str, action: &str) {
    cluster.fail("remove", id, u32::MAX, denied(action));
}

#[tokio::test(start_paused = true)]
async fn nothing_is_in_the_way_where_nothing_is() {
    let cluster = Cluster::standing().await;
    cluster.make_balancer();
    let shown = cluster.look().await;
    let before = cluster.cloud.writes().len();
    let found = looked(&cluster, &shown, &Seen::NoApi, "user/me").await;
    assert_eq!(found, Obstacles::default());
    assert_eq!(cluster.cloud.writes().len(), before, "it only reads");
}

#[tokio::test(start_paused = true)]
async fn protected_balancer_and_machine_are_found() {
    let cluster = Cluster::standing().await;
    let balancer = cluster.cloud.make_balancer(&Balancer {
        protected: true,
        ..cluster.balancer(BalancerKind::Network, ours())
    });
    cluster.make_balancer();
    let machine = cluster
        .cloud
        .detach_machine("canary-pool-workers", "Group")
        .unwrap();
    cluster.cloud.protect_outside(&machine);
    let shown = cluster.look().await;
    let found = looked(&cluster, &shown, &Seen::NoApi, "root").await;
    let (of_machine, of_balancer) = (
        Cause::Lock(Lock::TerminationProtection),
        Cause::Lock(Lock::DeletionProtection),
    );
    assert_eq!(
        causes(&found),
        [
            (machine.as_str(), &of_machine, true),
            (balancer.as_str(), &of_balancer, true)
        ]
    );
    cluster.cloud.unprotect_outside(&machine);
    cluster.cloud.unprotect_outside(&balancer);
    assert_eq!(
        looked(&cluster, &shown, &Seen::NoApi, "root").await,
        Obstacles::default()
    );
}

#[tokio::test(start_paused = true)]
async fn right_of_ec2_is_asked_once_a_kind_and_blocks_what_holds_the_network() {
    let cluster = Cluster::standing().await;
    cluster.make_balancer();
    cluster.make_balancer();
    let volume = cluster.cloud.make_volume(&ours(), "shop/data", None, 8);
    let shown = cluster.look().await;
    let groups = shown.of_kind(OutsideKind::SecurityGroup);
    let groups: Vec<String> = groups.map(|one| one.resource.id.clone()).collect();
    assert_eq!(groups.len(), 2);
    for id in &groups {
        forbid(&cluster, id, "ec2:DeleteSecurityGroup");
    }
    forbid(&cluster, &volume, "ec2:DeleteVolume");
    let before = cluster.cloud.calls().total();
    let found = looked(&cluster, &shown, &Seen::NoApi, "root").await;
    let of = |kind| found.found.iter().find(|one| one.kind == kind).unwrap();
    let Cause::Right { action, ids, .. } = &of(OutsideKind::SecurityGroup).cause else {
        panic!("{found:?}")
    };
    assert_eq!((action.as_str(), ids.len()), ("ec2:DeleteSecurityGroup", 2));
    assert!(of(OutsideKind::SecurityGroup).blocks);
    assert!(!of(OutsideKind::Volume).blocks, "a volume holds no network");
    assert_eq!(found.found.len(), 2);
    let calls = cluster.cloud.calls();
    let dry = calls
        .all()
        .iter()
        .skip(before)
        .filter(|call| call.verb == "dry_run");
    let dry: BTreeSet<_> = dry.map(|call| call.about.clone()).collect();
    assert_eq!(
        dry.len(),
        5,
        "balancer, target group, group, rule, volume: {dry:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn what_kubernetes_removes_takes_no_right_of_the_caller_but_no_lock() {
    let cluster = Cluster::standing().await;
    let balancer = cluster.cloud.make_balancer(&Balancer {
        protected: true,
        ..cluster.balancer(BalancerKind::Network, ours())
    });
    let shown = cluster.look().await;
    let group = shown.of_kind(OutsideKind::SecurityGroup).next().unwrap();
    forbid(&cluster, &group.resource.id, "ec2:DeleteSecurityGroup");
    let web = Service {
        namespace: "default".to_owned(),
        name: "web".to_owned(),
        address: None,
    };
    let seen = Seen::Objects(Objects {
        services: vec![web],
        ..Objects::default()
    });
    let found = looked(&cluster, &shown, &seen, "root").await;
    let lock = Cause::Lock(Lock::DeletionProtection);
    assert_eq!(causes(&found), [(balancer.as_str(), &lock, true)]);
}

#[tokio::test(start_paused = true)]
async fn simulated_denial_counts_and_a_caller_that_is_not_simulated_is_said() {
    let cluster = Cluster::standing().await;
    let balancer = cluster.make_balancer();
    let shown = cluster.look().await;
    let action = "elasticloadbalancing:DeleteLoadBalancer";
    cluster.cloud.set_account(SimulatedAccount {
        not_allowed: [(action.to_owned(), Effect::NotAllowed)].into(),
        ..SimulatedAccount::default()
    });
    for caller in ["user/me", "assumed-role/ops/me"] {
        let found = looked(&cluster, &shown, &Seen::NoApi, caller).await;
        let [one] = found.found.as_slice() else {
            panic!("{caller}: {found:?}")
        };
        assert_eq!((&one.id, one.blocks), (&balancer, true));
        let Cause::Right {
            action: missing,
            why,
            ..
        } = &one.cause
        else {
            panic!("{one:?}")
        };
        assert_eq!(missing, action);
        assert!(why.contains("simulator"), "{why}");
    }
    let found = looked(&cluster, &shown, &Seen::NoApi, "federated-user/me").await;
    assert_eq!(found.found, []);
    assert_eq!(
        found.unchecked.len(),
        2,
        "the balancer and its targets: {found:?}"
    );
    assert!(found.unchecked[0].why.contains("a federated user"));
    // Nothing denies the root user.
    assert_eq!(
        looked(&cluster, &shown, &Seen::NoApi, "root").await,
        Obstacles::default()
    );
}

#[tokio::test(start_paused = true)]
async fn check_without_an_answer_is_said_and_no_credentials_end_the_look() {
    let cluster = Cluster::standing().await;
    let balancer = cluster.make_balancer();
    let shown = cluster.look().await;
    cluster.fail(
        "locks",
        &balancer,
        1,
        denied("elasticloadbalancing:DescribeLoadBalancerAttributes"),
    );
    let found = looked(&cluster, &shown, &Seen::NoApi, "root").await;
    assert_eq!(found.found, []);
    let [one] = found.unchecked.as_slice() else {
        panic!("{found:?}")
    };
    assert!(
        one.why
            .contains("elasticloadbalancing:DescribeLoadBalancerAttributes"),
        "{}",
        one.why
    );
    cluster
        .cloud
        .change_faults(|faults: &mut Faults| faults.expire_after = Some(0));
    let scope = Vec::new();
    let going = Going {
        inventory: &shown,
        delete_volumes: false,
        kubernetes: &Seen::NoApi,
        held: &scope,
    };
    let answer = obstacles(&cluster.cloud, going, &identity("root")).await;
    assert!(matches!(
        answer,
        Err(crate::cloud::CloudError::Credentials { .. })
    ));
}

#[tokio::test(start_paused = true)]
async fn every_resource_is_asked_about_at_once_and_only_the_denied_one_is_named() {
    let cluster = Cluster::standing().await;
    let [allowed, denied] = [cluster.make_balancer(), cluster.make_balancer()];
    let classic = cluster
        .cloud
        .make_balancer(&cluster.balancer(BalancerKind::Classic, ours()));
    let shown = cluster.look().await;
    let action = "elasticloadbalancing:DeleteLoadBalancer";
    cluster.cloud.set_account(SimulatedAccount {
        not_allowed: [(action.to_owned(), Effect::Denied)].into(),
        not_allowed_on: [denied.clone()].into(),
        ..SimulatedAccount::default()
    });
    let before = cluster.cloud.calls().total();
    let found = looked(&cluster, &shown, &Seen::NoApi, "user/me").await;
    let [one] = found.found.as_slice() else {
        panic!("{found:?}")
    };
    let Cause::Right { ids, .. } = &one.cause else {
        panic!("{one:?}")
    };
    assert_eq!((&one.id, ids), (&denied, &[denied.clone()].into()));
    let of = |id: &str| shown.found.iter().find(|one| one.resource.id == id);
    assert!(one.keeps(of(&denied).unwrap()));
    assert!(!one.keeps(of(&allowed).unwrap()) && !one.keeps(of(&classic).unwrap()));
    let calls = cluster.cloud.calls();
    let asked = calls.all()[before..].iter();
    let asked = asked.filter(|call| call.verb == "decisions");
    // Load balancers of both kinds by one call, target groups by another.
    assert_eq!(asked.count(), 2);
}

#[tokio::test(start_paused = true)]
async fn bucket_of_a_stack_that_its_policy_locks_is_found() {
    let cluster = Cluster::standing().await;
    let deny = |condition: bool| {
        let mut statement = serde_json::json!({"Effect": "Deny", "Principal": "*", "Action": "s3:Delete*", "Resource": "*"});
        if condition {
            statement["Condition"] = serde_json::json!({"Bool": {"aws:SecureTransport": "false"}});
        }
        serde_json::json!({"Resources": {
            "State": {"Type": "AWS::S3::Bucket"},
            "Policy": {"Type": "AWS::S3::BucketPolicy", "Properties": {
                "Bucket": {"Ref": "State"}, "PolicyDocument": {"Statement": [statement]}}}}})
    };
    for (name, condition) in [("canary-edge", true), ("canary-database", false)] {
        small_cluster::add(&cluster.cloud, name, &deny(condition), &BTreeMap::new()).await;
    }
    let shown = cluster.look().await;
    let found = looked(&cluster, &shown, &Seen::NoApi, "root").await;
    let [one] = found.found.as_slice() else {
        panic!("{found:?}")
    };
    assert_eq!(one.stack.as_deref(), Some("canary-database"));
    assert_eq!(
        (one.kind, &one.cause, one.blocks),
        (OutsideKind::Bucket, &Cause::Lock(Lock::BucketPolicy), true)
    );
}
