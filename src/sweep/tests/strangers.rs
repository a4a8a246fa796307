//! What looks like the cluster's and is not: plain tags, a cluster of the same name, what has two owners.

use super::ownership::{hold, owners};
use super::*;
use crate::sweep::Owner::{Foreign, Kubernetes, Unclear};
use crate::sweep::{Disposition, Purpose};
use OutsideKind as K;

#[test]
fn plain_tags_alone_make_nothing_the_clusters() {
    let elsewhere = |kind, id, tags: &[(&str, &str)]| OutsideResource {
        vpc: Some("vpc-2".to_owned()),
        ..resource(kind, id, tags)
    };
    let [cost, ..] = OF_STACK;
    let of_other = ("aws:cloudformation:stack-id", "arn:x:stack/canary-2-edge/9");
    let forged = [OF_STACK[0], OF_STACK[1], of_other];
    hold(vec![
        (elsewhere(K::Machine, "i-bastion", &[cost]), None),
        (elsewhere(K::Machine, "i-bastion", &OF_STACK), None),
        (here(K::Machine, "i-bastion", &[cost]), Some(Foreign)),
        (elsewhere(K::SecurityGroup, "sg-1", &OF_STACK), None),
        (here(K::SecurityGroup, "sg-1", &OF_STACK), Some(Foreign)),
        (here(K::SecurityGroup, "sg-1", &forged), Some(Foreign)),
        (resource(K::Bucket, "costs", &[cost]), None),
        (resource(K::Bucket, "costs", &OF_STACK), None),
        (resource(K::Bucket, "costs", &forged), None),
        (resource(K::Key, "arn:x:key/1", &[cost]), None),
        (resource(K::Volume, "vol-1", &[cost]), None),
    ]);
    let key = classified(vec![resource(K::Key, "arn:x:key/1", &OF_STACK)]);
    assert_eq!(key[0].becomes(true), Disposition::Kept);
}

#[test]
fn tag_in_another_vpc_does_not_make_it_the_clusters() {
    let elsewhere = |kind, id, tags: &[(&str, &str)]| OutsideResource {
        vpc: Some("vpc-2".to_owned()),
        ..resource(kind, id, tags)
    };
    let bastion = elsewhere(K::Machine, "i-bastion", &OF_STACK);
    let node = elsewhere(K::Machine, "i-node", &[OWNED]);
    assert_eq!(owners(vec![bastion.clone(), node.clone()]), []);
    let mut scope = scope();
    scope.asked.vpc = None;
    scope.resources.clear();
    scope.stacks.clear();
    let found = classify(&scope, &lists(vec![bastion, node]));
    assert_eq!(found, []);
}

#[test]
fn volumes_of_a_cluster_of_the_same_name_are_not_deleted() {
    let node = OutsideResource {
        vpc: Some("vpc-2".to_owned()),
        ..resource(K::Machine, "i-node", &[OWNED])
    };
    let ours = here(K::Machine, "i-ours", &[OWNED]);
    let used = |id, machine| using(resource(K::Volume, id, &[OWNED]), &[machine]);
    let free = resource(K::Volume, "vol-free", &[OWNED]);
    let record = resource(K::DnsRecord, "Z1 web.example.com. A", &[]);
    let found = classified(vec![
        node.clone(),
        ours,
        used("vol-theirs", "i-node"),
        here(K::Machine, "i-somebody", &[]),
        used("vol-used", "i-somebody"),
        used("vol-ours", "i-ours"),
        free.clone(),
        record,
    ]);
    let all: Vec<_> = found
        .iter()
        .map(|one| (&*one.resource.id, one.owner, one.becomes(true)))
        .collect();
    assert_eq!(
        all,
        [
            ("i-ours", Kubernetes, Disposition::Removed),
            ("i-somebody", Foreign, Disposition::Untouched),
            ("vol-free", Unclear, Disposition::Kept),
            ("vol-ours", Kubernetes, Disposition::Removed),
            ("vol-used", Unclear, Disposition::Kept),
            ("Z1 web.example.com. A", Unclear, Disposition::Kept),
        ]
    );
    let text = "may be of another cluster called canary".to_owned();
    assert_eq!(found[2].purpose, Some(Purpose::Text(text)));
    // A machine that could not be looked for may show one.
    let mut lists = lists(vec![free]);
    lists.remove(&K::Machine);
    assert_eq!(classify(&scope(), &lists)[0].owner, Unclear);
}

#[test]
fn what_two_clusters_own_is_not_touched() {
    let other = ("kubernetes.io/cluster/other", "owned");
    hold(vec![
        (resource(K::Volume, "vol-1", &[OWNED, other]), None),
        (resource(K::Snapshot, "snap-1", &[OWNED, other]), None),
        (
            here(K::SecurityGroup, "sg-1", &[OWNED, other]),
            Some(Foreign),
        ),
        (
            here(K::Machine, "i-1", &[OWNED, ("kube-cfn/cluster", "other")]),
            Some(Foreign),
        ),
    ]);
}

#[test]
fn vpc_that_a_deleted_stack_left_is_known_by_what_is_in_it() {
    let mut scope = scope();
    scope.asked.vpc = None;
    scope.resources.clear();
    scope.stacks.clear();
    let lists = lists(vec![
        here(K::Subnet, "subnet-1", &made_by_gone()),
        here(K::LoadBalancer, "arn:x:loadbalancer/net/a1/50", &[OWNED]),
        OutsideResource {
            vpc: Some("vpc-2".to_owned()),
            ..resource(K::LoadBalancer, "arn:x:loadbalancer/net/a2/50", &[OWNED])
        },
    ]);
    let found = classify(&scope, &lists);
    let ids: Vec<_> = found.iter().map(|found| &*found.resource.id).collect();
    assert_eq!(ids, ["arn:x:loadbalancer/net/a1/50", "subnet-1"]);
}

/// The tags of what a stack made that is gone.
fn made_by_gone() -> [(&'static str, &'static str); 4] {
    let [cluster, stack, owned] = OF_STACK;
    [cluster, stack, owned, ("aws:cloudformation:stack-id", GONE)]
}
