//! Whose a resource is.

use super::*;
use crate::sweep::Owner::{Foreign, Kubernetes, Stack, Unclear};
use crate::sweep::{Disposition, Owner, Purpose};
use OutsideKind as K;

/// What is found of these, as id and owner.
pub fn owners(resources: Vec<OutsideResource>) -> Vec<(String, Owner)> {
    let found = classified(resources).into_iter();
    found
        .map(|found| (found.resource.id, found.owner))
        .collect()
}

/// Holds each resource by itself against its owner; `None` where it is not listed.
pub fn hold(cases: Vec<(OutsideResource, Option<Owner>)>) {
    for (resource, expected) in cases {
        let owner = owners(vec![resource.clone()]).pop().map(|(_, owner)| owner);
        assert_eq!(owner, expected, "{resource:?}");
    }
}

#[test]
fn tags_of_kubernetes_say_whose_it_is() {
    let with = |tags: &[(&str, &str)]| here(K::LoadBalancer, "arn:x:loadbalancer/net/a1/2", tags);
    hold(vec![
        (with(&[OWNED]), Some(Kubernetes)),
        (
            with(&[("elbv2.k8s.aws/cluster", "canary")]),
            Some(Kubernetes),
        ),
        (
            with(&[("kubernetes.io/cluster/canary", "shared")]),
            Some(Foreign),
        ),
        (
            with(&[("kubernetes.io/cluster/other", "owned")]),
            Some(Foreign),
        ),
        (
            with(&[("kubernetes.io/cluster/canary-2", "owned")]),
            Some(Foreign),
        ),
        (
            with(&[("elbv2.k8s.aws/cluster", "canary-2")]),
            Some(Foreign),
        ),
        (with(&[]), Some(Foreign)),
    ]);
}

#[test]
fn tag_in_the_vpc_of_another_cluster_of_the_same_name_does_not_count() {
    let elsewhere = |kind, id| OutsideResource {
        vpc: Some("vpc-2".to_owned()),
        ..resource(kind, id, &[OWNED])
    };
    hold(vec![
        (
            elsewhere(K::LoadBalancer, "arn:x:loadbalancer/net/a1/2"),
            None,
        ),
        (elsewhere(K::ClassicLoadBalancer, "a1"), None),
        (elsewhere(K::TargetGroup, "arn:x:targetgroup/a1/2"), None),
        (elsewhere(K::SecurityGroup, "sg-1"), None),
        (elsewhere(K::Machine, "i-1"), None),
        (elsewhere(K::Interface, "eni-1"), None),
    ]);
}

#[test]
fn what_a_living_stack_has_is_not_listed() {
    let stack_id = ("aws:cloudformation:stack-id", STACK);
    let arn = "arn:aws:elasticloadbalancing:eu-west-1:1";
    let balancer = format!("{arn}:loadbalancer/net/api/50dc");
    hold(vec![
        (here(K::SecurityGroup, NODES, &OF_STACK), None),
        (
            here(K::SecurityGroup, "sg-new", &[stack_id, OF_STACK[0]]),
            None,
        ),
        (here(K::LoadBalancer, &balancer, &OF_STACK), None),
        (
            here(
                K::TargetGroup,
                &format!("{arn}:targetgroup/api/50dc"),
                &OF_STACK,
            ),
            None,
        ),
        (here(K::Subnet, "subnet-1", &OF_STACK), None),
        (here(K::Endpoint, "vpce-1", &OF_STACK), None),
        (here(K::Interface, "eni-cp", &OF_STACK), None),
        (
            resource(K::Bucket, "canary-base-statebucket-x", &OF_STACK),
            None,
        ),
        (
            resource(K::Key, "arn:aws:kms:eu-west-1:1:key/key-1", &OF_STACK),
            None,
        ),
        (
            using(resource(K::Volume, "vol-etcd", &OF_STACK), &["i-1"]),
            None,
        ),
        (resource(K::DnsRecord, "Z1 api.example.com. A", &[]), None),
        (resource(K::DnsRecord, "Z1 API.example.com A", &[]), None),
        (interface("eni-1", "ELB net/api/50dc", &[]), None),
        (
            interface("eni-1", "Interface for NAT Gateway nat-1", &[]),
            None,
        ),
        (interface("eni-1", "RDSNetworkInterface", &[NODES]), None),
        (by_aws(here(K::SecurityGroup, "sg-default", &[])), None),
        (by_aws(here(K::RouteTable, "rtb-main", &[])), None),
    ]);
}

#[test]
fn what_a_stack_left_is_its_own() {
    let stack_id = ("aws:cloudformation:stack-id", GONE);
    let left = [stack_id, OF_STACK[0], OF_STACK[1], OF_STACK[2]];
    hold(vec![
        (resource(K::Bucket, "canary-edge-oidc", &left), Some(Stack)),
        (
            resource(K::Key, "arn:aws:kms:eu-west-1:1:key/key-2", &OF_STACK),
            Some(Stack),
        ),
        (here(K::SecurityGroup, "sg-left", &left), Some(Stack)),
        (here(K::Interface, "eni-left", &left), Some(Stack)),
        (here(K::Subnet, "subnet-left", &left), Some(Stack)),
        (resource(K::Volume, "vol-left", &left), Some(Stack)),
        (resource(K::Snapshot, "snap-1", &left), Some(Stack)),
        (
            resource(K::Bucket, "other", &[("kube-cfn/cluster", "canary-2")]),
            None,
        ),
    ]);
}

#[test]
fn machine_is_its_groups_until_it_is_detached() {
    let group = |name| ("aws:autoscaling:groupName", name);
    let ours = group("canary-pool-workers-GroupA-X");
    let stack_id = ("aws:cloudformation:stack-id", STACK);
    let template = ("aws:ec2launchtemplate:id", "lt-1");
    let with = |tags: &[(&str, &str)]| {
        let all: Vec<_> = OF_STACK.into_iter().chain(tags.iter().copied()).collect();
        here(K::Machine, "i-1", &all)
    };
    let ending = OutsideResource {
        state: Some("shutting-down".to_owned()),
        ..here(K::Machine, "i-1", &[OWNED, group("somebodys")])
    };
    hold(vec![
        (with(&[ours]), None),
        (with(&[ours, stack_id]), None),
        (with(&[group("replaced"), stack_id]), None),
        (with(&[group("replaced"), template]), Some(Stack)),
        (with(&[("aws:cloudformation:stack-id", GONE)]), Some(Stack)),
        (with(&[template]), Some(Stack)),
        // Of a stack that its tags do not name.
        (with(&[stack_id, template]), Some(Foreign)),
        // Anybody can set these.
        (with(&[]), Some(Foreign)),
        // Made by an autoscaler that needs no group.
        (here(K::Machine, "i-1", &[OWNED]), Some(Kubernetes)),
        // Somebody's group would start another one.
        (
            here(K::Machine, "i-1", &[OWNED, group("somebodys")]),
            Some(Foreign),
        ),
        (ending, Some(Kubernetes)),
        (here(K::Machine, "i-1", &[]), Some(Foreign)),
    ]);
}

#[test]
fn disk_and_interface_go_with_their_machine() {
    let template = ("aws:ec2launchtemplate:id", "lt-1");
    let of_template: Vec<_> = OF_STACK.into_iter().chain([template]).collect();
    let ours = here(K::Machine, "i-ours", &of_template);
    let foreign = here(K::Machine, "i-foreign", &[]);
    let disk = |id, machine| using(resource(K::Volume, id, &OF_STACK), &[machine]);
    let first = |id, machine| using(here(K::Interface, id, &[]), &[machine, NODES]);
    let found = owners(vec![
        ours,
        foreign,
        disk("vol-1", "i-ours"),
        first("eni-1", "i-ours"),
        first("eni-2", "i-foreign"),
        resource(K::Volume, "vol-free", &OF_STACK),
    ]);
    let expected = [
        ("i-foreign", Foreign),
        ("i-ours", Stack),
        ("eni-2", Foreign),
        ("vol-free", Stack),
    ];
    assert_eq!(found, expected.map(|(id, owner)| (id.to_owned(), owner)));
}

#[test]
fn interface_is_of_whom_it_was_made_for() {
    let ours = here(K::LoadBalancer, "arn:x:loadbalancer/net/a1/50", &[OWNED]);
    let classic = here(K::ClassicLoadBalancer, "a2", &[OWNED]);
    let foreign = here(K::LoadBalancer, "arn:x:loadbalancer/app/web/60", &[]);
    let found = owners(vec![
        ours,
        classic,
        foreign,
        interface("eni-ours", "ELB net/a1/50", &[]),
        interface("eni-classic", "ELB a2", &[]),
        interface("eni-foreign", "ELB app/web/60", &[]),
        // Its balancer is deleted: AWS releases it.
        interface("eni-late", "ELB net/a0/40", &[]),
        here(K::NatGateway, "nat-9", &[]),
        interface("eni-nat", "Interface for NAT Gateway nat-9", &[]),
        // AWS releases it.
        interface("eni-nat-2", "Interface for NAT Gateway nat-0", &[]),
        interface("eni-rds", "RDSNetworkInterface", &["sg-foreign"]),
        interface("eni-lambda", "AWS Lambda VPC ENI-f", &[NODES]),
        described(here(K::Interface, "eni-named", &[]), "ELB net/a0/41"),
        here(
            K::Interface,
            "eni-plugin",
            &[("cluster.k8s.amazonaws.com/name", "canary")],
        ),
        described(here(K::Interface, "eni-plugin-2", &[]), "aws-K8S-i-1"),
    ]);
    let interfaces: Vec<_> = found
        .iter()
        .filter(|(id, _)| id.starts_with("eni-"))
        .map(|(id, owner)| (id.as_str(), *owner))
        .collect();
    let expected = [
        ("eni-classic", Kubernetes),
        ("eni-foreign", Foreign),
        ("eni-lambda", Foreign),
        ("eni-late", Kubernetes),
        ("eni-named", Foreign),
        ("eni-nat", Foreign),
        ("eni-nat-2", Kubernetes),
        ("eni-ours", Kubernetes),
        ("eni-plugin", Kubernetes),
        ("eni-plugin-2", Foreign),
        ("eni-rds", Foreign),
    ];
    assert_eq!(interfaces, expected);
}

#[test]
fn it_is_not_known_whose_an_interface_is_while_load_balancers_could_not_be_listed() {
    let mut lists = lists(vec![interface("eni-1", "ELB net/a0/40", &[])]);
    lists.remove(&K::LoadBalancer);
    let found = classify(&scope(), &lists);
    assert_eq!(found[0].owner, Unclear);
    assert_eq!(found[0].becomes(true), Disposition::Untouched);
    let text = "not known whose: ELB net/a0/40".to_owned();
    assert_eq!(found[0].purpose, Some(Purpose::Text(text)));
}

#[test]
fn rule_counts_where_it_joins_a_group_of_ours_with_another() {
    let group = |id, tags: &[(&str, &str)]| here(K::SecurityGroup, id, tags);
    let groups = || {
        vec![
            group(NODES, &OF_STACK),
            group("sg-cp", &OF_STACK),
            group("sg-elb", &[OWNED]),
            group("sg-elb-2", &[OWNED]),
            group("sg-foreign", &[]),
            by_aws(group("sg-default", &[])),
        ]
    };
    let cases = [
        (
            "of a balancer, in ours",
            rule("sgr-1", NODES, "sg-elb"),
            Some(Kubernetes),
        ),
        (
            "of ours, in a balancer's",
            rule("sgr-1", "sg-elb", NODES),
            Some(Kubernetes),
        ),
        (
            "mutual",
            rule("sgr-1", "sg-elb", "sg-elb-2"),
            Some(Kubernetes),
        ),
        ("of stacks", rule("sgr-1", NODES, "sg-cp"), None),
        ("of itself", rule("sgr-1", "sg-elb", "sg-elb"), None),
        (
            "ours, in somebody's",
            rule("sgr-1", "sg-foreign", NODES),
            Some(Foreign),
        ),
        (
            "a balancer's, in somebody's",
            rule("sgr-1", "sg-foreign", "sg-elb"),
            Some(Foreign),
        ),
        (
            "ours, in the default group",
            rule("sgr-1", "sg-default", NODES),
            Some(Foreign),
        ),
        (
            "somebody's, in ours",
            rule("sgr-1", NODES, "sg-foreign"),
            None,
        ),
        (
            "somebody's, in a balancer's",
            rule("sgr-1", "sg-elb", "sg-foreign"),
            None,
        ),
        (
            "between strangers",
            rule("sgr-1", "sg-foreign", "sg-peer"),
            None,
        ),
        (
            "ours, in a peer's",
            rule("sgr-1", "sg-peer", NODES),
            Some(Foreign),
        ),
    ];
    for (what, rule, expected) in cases {
        let mut all = groups();
        all.push(rule);
        let found = classified(all);
        let owner = found
            .iter()
            .find(|found| found.resource.kind == K::GroupRule)
            .map(|found| found.owner);
        assert_eq!(owner, expected, "{what}");
    }
}

#[test]
fn data_is_kept_and_strangers_are_not_touched() {
    let becomes = |resource: OutsideResource, delete_volumes| {
        let found = classified(vec![resource]).pop().unwrap();
        found.becomes(delete_volumes)
    };
    let volume = || resource(K::Volume, "vol-1", &[OWNED]);
    assert_eq!(becomes(volume(), false), Disposition::Kept);
    assert_eq!(becomes(volume(), true), Disposition::Removed);
    for kept in [
        resource(K::Volume, "vol-1", &OF_STACK),
        resource(K::Snapshot, "snap-1", &[OWNED]),
        resource(
            K::LogGroup,
            "/aws/rds/instance/canary-database-database-x/postgresql",
            &[],
        ),
        resource(K::Backup, "arn:aws:rds:eu-west-1:1:auto-backup:ab-1", &[]),
    ] {
        assert_eq!(becomes(kept.clone(), true), Disposition::Kept, "{kept:?}");
    }
    for foreign in [
        here(K::Machine, "i-1", &[]),
        here(K::Subnet, "subnet-2", &[]),
        here(K::Peering, "pcx-1", &[]),
        here(K::NetworkAcl, "acl-1", &[]),
        here(K::VpnGateway, "vgw-1", &[]),
        here(K::InternetGateway, "igw-1", &[]),
        here(K::NatGateway, "nat-2", &[]),
        here(K::Database, "theirs", &[]),
        // Kubernetes makes none, whatever its tags say.
        here(K::NatGateway, "nat-3", &[OWNED]),
        here(K::RouteTable, "rtb-2", &[]),
        here(K::Endpoint, "vpce-2", &[]),
    ] {
        let found = classified(vec![foreign]).pop().unwrap();
        assert_eq!(found.becomes(true), Disposition::Untouched, "{found:?}");
        assert!(found.holds_network(), "{found:?}");
        assert!(!found.is_left(), "{found:?}");
    }
    // Every kind that has a place in a VPC, tagged as Kubernetes's: nothing of it holds the network for good.
    for kind in [K::Machine, K::LoadBalancer, K::SecurityGroup, K::Interface] {
        let found = classified(vec![here(kind, "x", &[OWNED])]).pop().unwrap();
        assert_eq!(found.becomes(false), Disposition::Removed, "{found:?}");
        assert!(!found.holds_network());
    }
}
