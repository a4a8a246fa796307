//! What stacks left that are gone: networks, addresses, databases, keys. Whose it is, and in which order it goes.

use std::collections::BTreeSet;
use std::time::Duration;

use super::cluster::{Cluster, denied};
use super::ownership::hold;
use super::*;
use crate::cloud::{Cloud, StackStatus};
use crate::common::Clock;
use crate::sweep::Disposition;
use crate::sweep::Owner::{Foreign, Stack};
use crate::sweep::kinds::{End, row};
use OutsideKind as K;

/// The tags of what a stack made that is gone.
const LEFT: [(&str, &str); 3] = [
    ("kube-cfn/cluster", "canary"),
    ("kube-cfn/stack", "edge"),
    ("aws:cloudformation:stack-id", GONE),
];
const DATABASE: &str = "canary-database-database-x9";

fn becomes(resource: OutsideResource) -> Disposition {
    let found = classified(vec![resource]).pop().expect("found");
    found.becomes(false)
}

#[test]
fn parts_of_a_network_go_only_with_the_tag_of_cloudformation() {
    let parts = [
        here(K::NatGateway, "nat-9", &LEFT),
        resource(K::Address, "eipalloc-9", &LEFT),
        here(K::Subnet, "subnet-9", &LEFT),
        here(K::RouteTable, "rtb-9", &LEFT),
        here(K::Endpoint, "vpce-9", &LEFT),
        here(K::Peering, "pcx-9", &LEFT),
        here(K::NetworkAcl, "acl-9", &LEFT),
        here(K::VpnGateway, "vgw-9", &LEFT),
        here(K::InternetGateway, "igw-9", &LEFT),
        resource(K::InternetGateway, "igw-8", &LEFT),
        resource(K::Vpc, "vpc-9", &LEFT),
    ];
    for part in parts {
        let kind = part.kind;
        assert_eq!(row(kind).end, End::RemovedOfStack, "{kind:?}");
        assert_eq!(becomes(part.clone()), Disposition::Removed, "{kind:?}");
        // Anybody can set the others.
        let mut plain = part;
        plain.tags.remove("aws:cloudformation:stack-id");
        let found = classified(vec![plain]);
        let touched = found
            .iter()
            .find(|one| one.becomes(true) != Disposition::Untouched);
        assert_eq!(touched, None, "{kind:?}");
    }
}

/// A stack in `DELETE_FAILED` lists what it has left, and CloudFormation's tag still names it.
#[test]
fn what_a_living_stack_has_left_is_outside_it() {
    let mut tags = LEFT;
    tags[1].1 = "network";
    tags[2].1 = STACK;
    let nat = here(K::NatGateway, "nat-9", &tags);
    let address = described(resource(K::Address, "eipalloc-9", &tags), "198.51.100.7");
    let lists = lists(vec![nat, address]);
    assert_eq!(classify(&scope(), &lists), []);
    let mut scope = scope();
    scope.left = ["nat-9", "198.51.100.7"].map(str::to_owned).into();
    let found = classify(&scope, &lists);
    assert_eq!(
        ids(&found),
        ["eipalloc-9", "nat-9"].map(str::to_owned).into()
    );
    assert!(
        found
            .iter()
            .all(|one| one.becomes(false) == Disposition::Removed)
    );
}

#[test]
fn vpc_and_address_of_a_living_stack_are_not_listed() {
    let mut scope = scope();
    scope.resources.insert("52.1.1.1".to_owned());
    let living = ("aws:cloudformation:stack-id", STACK);
    let all = vec![
        here(K::Vpc, OURS, &OF_STACK),
        described(resource(K::Address, "eipalloc-1", &[]), "52.1.1.1"),
        resource(K::Address, "eipalloc-2", &[living, LEFT[0], LEFT[1]]),
        here(K::NatGateway, "nat-1", &OF_STACK),
        // Tags of Kubernetes make a VPC nobody's.
        resource(K::Vpc, "vpc-2", &[OWNED]),
    ];
    assert_eq!(classify(&scope, &lists(all)), []);
}

#[test]
fn database_that_its_stack_left_is_named_and_holds_the_network() {
    let database = using(here(K::Database, DATABASE, &[]), &[NODES]);
    let of = interface("eni-rds", "RDSNetworkInterface", &[NODES]);
    let mut scope = scope();
    scope.resources.remove("canary-database-database-x1");
    // Without it, AWS releases the interface.
    let found = classify(&scope, &lists(vec![of.clone()]));
    assert_eq!(
        (found[0].owner, found[0].becomes(false)),
        (Stack, Disposition::Removed)
    );
    let found = classify(&scope, &lists(vec![database.clone(), of]));
    assert_eq!(ids(&found), [DATABASE.to_owned()].into());
    assert_eq!(found[0].becomes(true), Disposition::Untouched);
    assert!(found[0].holds_network() && found[0].is_left());
    // Somebody deletes it: that is waited for.
    let ending = OutsideResource {
        state: Some("deleting".to_owned()),
        ..database
    };
    let found = classify(&scope, &lists(vec![ending]));
    assert_eq!(found[0].becomes(false), Disposition::Removed);
}

#[test]
fn database_is_the_clusters_by_its_name_or_the_tag_of_cloudformation() {
    let made = [LEFT[0], ("kube-cfn/stack", "edge"), LEFT[2]];
    hold(vec![
        (resource(K::Database, DATABASE, &[]), Some(Stack)),
        (
            resource(K::Database, DATABASE, &[("kube-cfn/cluster", "other")]),
            None,
        ),
        (resource(K::Database, "named", &made), Some(Stack)),
        // Restored from a snapshot, whose tags it has.
        (resource(K::Database, "restored", &made[..2]), None),
        (here(K::Database, "restored", &made[..2]), Some(Foreign)),
        (
            resource(K::Database, "canary-database-database-x-y", &[]),
            None,
        ),
        (here(K::Database, "canary-database-database-x1", &[]), None),
    ]);
}

#[test]
fn key_goes_only_where_cloudformation_has_a_record_of_it() {
    let key = |left_by: Option<&str>| OutsideResource {
        left_by: left_by.map(str::to_owned),
        ..resource(K::Key, "arn:aws:kms:eu-west-1:1:key/key-9", &LEFT[..2])
    };
    assert_eq!(becomes(key(None)), Disposition::Kept);
    assert_eq!(becomes(key(Some(GONE))), Disposition::Removed);
    let waiting = OutsideResource {
        state: Some("PendingDeletion".to_owned()),
        ..key(Some(GONE))
    };
    assert_eq!(becomes(waiting), Disposition::Kept);
}

#[test]
fn interface_of_a_nat_gateway_that_a_stack_left_is_waited_for() {
    let found = classified(vec![
        here(K::NatGateway, "nat-9", &LEFT),
        interface("eni-nat", "Interface for NAT Gateway nat-9", &[]),
        here(K::Endpoint, "vpce-9", &LEFT),
        interface("eni-end", "VPC Endpoint Interface vpce-9", &[]),
    ]);
    for id in ["eni-nat", "eni-end"] {
        let one = found
            .iter()
            .find(|one| one.resource.id == id)
            .expect("found");
        assert_eq!(
            (one.owner, one.becomes(false)),
            (Stack, Disposition::Removed),
            "{id}"
        );
        assert!(!one.is_left(), "AWS takes it away");
    }
    let mut lists = lists(vec![interface(
        "eni-1",
        "Interface for NAT Gateway nat-9",
        &[],
    )]);
    lists.remove(&K::NatGateway);
    assert_eq!(
        classify(&scope(), &lists)[0].owner,
        crate::sweep::Owner::Unclear
    );
}

/// The order holds whatever the table is called with: nothing comes before what it waits for.
#[test]
fn order_of_kinds_follows_what_each_waits_for() {
    for kind in OutsideKind::ALL {
        let of = row(kind);
        for before in of.after {
            let first = row(*before);
            assert!(first.place().1 < of.place().1, "{kind:?} and {before:?}");
        }
    }
    // Everything that AWS wants out of a VPC goes before it.
    let holds = |kind: &OutsideKind| row(*kind).holds_network && row(*kind).end != End::Named;
    let before: BTreeSet<_> = row(K::Vpc).after.iter().copied().collect();
    let missing: Vec<_> = OutsideKind::ALL
        .into_iter()
        .filter(holds)
        .filter(|kind| !before.contains(kind) && *kind != K::GroupRule)
        .collect();
    assert_eq!(missing, []);
}

impl Cluster {
    /// Somebody deletes the stacks, and retains all that the network has.
    async fn without_stacks(&self) {
        self.delete_pool().await;
        for id in self.cloud.resources_of("canary-network") {
            assert!(self.cloud.retain_resource("canary-network", &id));
        }
        for stack in ["canary-network", "canary-base"] {
            assert_eq!(self.delete(stack).await, StackStatus::DeleteComplete);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn network_that_its_stack_left_goes_in_order() {
    let cluster = Cluster::standing().await;
    cluster.without_stacks().await;
    let shown = cluster.look().await;
    let kinds: BTreeSet<_> = shown.found.iter().map(|one| one.resource.kind).collect();
    assert_eq!(kinds, [K::SecurityGroup, K::Subnet, K::Vpc].into());
    let (report, took) = cluster.remove(&shown, false).await;
    assert_eq!(report.left, []);
    assert_eq!(ids(&report.removed), ids(&shown.found));
    assert_eq!(cluster.there(), BTreeSet::new());
    assert!(took < Duration::from_mins(1), "{took:?}");
    // Nothing is asked for before what uses it is gone: AWS refuses nothing.
    let calls = cluster.cloud.calls();
    let removals = calls.all().iter().filter(|call| call.verb == "remove");
    assert_eq!(removals.count(), shown.found.len());
}

#[tokio::test(start_paused = true)]
async fn network_that_others_use_is_given_up_soon_with_what_is_in_it() {
    let cluster = Cluster::standing().await;
    cluster.without_stacks().await;
    let user =
        cluster
            .cloud
            .make_interface(&crate::simulated::Maker::Somebody, &cluster.place, None);
    let shown = cluster.look().await;
    let (report, took) = cluster.remove(&shown, false).await;
    let text = why(&report, &cluster.place.vpc);
    assert!(
        text.contains(&format!("network interface {user} is in it")),
        "{text}"
    );
    assert!(
        text.contains("has dependencies and cannot be deleted"),
        "{text}"
    );
    assert_eq!(ids(&report.foreign), [user.clone()].into());
    assert!(took < Duration::from_mins(5), "{took:?}");
    assert!(cluster.there().contains(&user));
    let user = cluster.thing(K::Interface).unwrap();
    assert!(cluster.cloud.remove_externally(&user));
    let (report, _) = cluster.remove(&cluster.look().await, false).await;
    assert_eq!(report.left, []);
    assert_eq!(cluster.there(), BTreeSet::new());
}

#[tokio::test(start_paused = true)]
async fn key_is_asked_for_in_the_records_once_and_ends_with_its_date() {
    let cluster = Cluster::standing().await;
    cluster.add_key_stack().await;
    assert!(cluster.cloud.retain_resource("canary-edge", "Key"));
    assert_eq!(
        cluster.delete("canary-edge").await,
        StackStatus::DeleteComplete
    );
    let shown = cluster.look().await;
    let key = shown.of_kind(K::Key).next().expect("the key").clone();
    assert_eq!(
        (key.owner, key.becomes(false)),
        (Stack, Disposition::Removed)
    );
    cluster.delete_pool().await;
    let before = cluster.cloud.calls().total();
    let report = cluster.try_remove(&shown, false, true).await.unwrap();
    assert_eq!(ids(&report.removed), [key.resource.id.clone()].into());
    let kept = report
        .kept
        .iter()
        .find(|one| one.resource.id == key.resource.id);
    let ends = kept.and_then(|one| one.resource.ends).expect("a date");
    let days = crate::common::clock::elapsed(cluster.cloud.now(), ends).as_secs() / 86_400;
    assert!((29..=30).contains(&days), "{days}");
    let calls = cluster.cloud.calls();
    let asked = calls.all()[before..]
        .iter()
        .filter(|call| call.verb == "left_by");
    assert_eq!(asked.count(), 1);
    // A caller who may not read the records keeps the key.
    let other = Cluster::standing().await;
    other.add_key_stack().await;
    assert!(other.cloud.retain_resource("canary-edge", "Key"));
    assert_eq!(
        other.delete("canary-edge").await,
        StackStatus::DeleteComplete
    );
    other.fail(
        "left_by",
        "canary-edge",
        u32::MAX,
        denied("cloudformation:ListStacks"),
    );
    let shown = other.look().await;
    let key = shown.of_kind(K::Key).next().expect("the key");
    assert_eq!(key.becomes(false), Disposition::Kept);
    assert_eq!(shown.unknown, []);
    assert!(other.cloud.stacks(Some("canary")).await.is_ok());
}

/// What a database uses that its stack left is said at once, and nothing is waited for.
#[tokio::test(start_paused = true)]
async fn network_in_which_a_database_stays_waits_for_it_without_delay() {
    let cluster = Cluster::standing().await;
    cluster.add_database_stack().await;
    assert!(cluster.cloud.retain_resource("canary-database", "Database"));
    let status = cluster.delete("canary-database").await;
    assert_eq!(status, StackStatus::DeleteComplete);
    cluster.without_stacks().await;
    let shown = cluster.look().await;
    let database = shown.of_kind(K::Database).next().expect("it is there");
    assert!(database.is_named());
    let (report, took) = cluster.remove(&shown, false).await;
    let name = &database.resource.id;
    let text = why(&report, &cluster.place.vpc);
    assert!(
        text.contains(&format!("database {name} is in it")),
        "{text}"
    );
    let text = why(&report, &cluster.place.subnets[0]);
    assert!(text.contains(&format!("database {name} uses it")), "{text}");
    assert!(took < Duration::from_mins(1), "{took:?}");
    let vpc = shown.get(K::Vpc, &cluster.place.vpc).expect("it is there");
    let calls = cluster.cloud.calls();
    let mut removals = calls.all().iter().filter(|call| call.verb == "remove");
    assert!(!removals.any(|call| call.about == vpc.resource.id));
    cluster.cloud.take_away(&database.resource);
    let (report, _) = cluster.remove(&cluster.look().await, false).await;
    assert_eq!(report.left, []);
}
