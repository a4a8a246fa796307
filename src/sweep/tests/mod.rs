//! What the tests of this module share: a cluster `canary` with its stacks, and resources in a few words.

mod answers;
mod cluster;
mod leftovers;
mod obstacles;
mod orphans;
mod ownership;
mod purposes;
mod removal;
mod scopes;
mod strangers;

use std::collections::BTreeSet;

use crate::cloud::outside::{OutsideKind, OutsideResource, OutsideScope};
use crate::sweep::classify::{Lists, classify};
use crate::sweep::{Found, Scope, SweepReport};

const STACK: &str = "arn:aws:cloudformation:eu-west-1:1:stack/canary-network/7";
const GONE: &str = "arn:aws:cloudformation:eu-west-1:1:stack/canary-edge/8";
/// The VPC of the cluster.
const OURS: &str = "vpc-1";
/// The group of the nodes, in the network stack.
const NODES: &str = "sg-nodes";
/// Kubernetes's tag.
const OWNED: (&str, &str) = ("kubernetes.io/cluster/canary", "owned");
/// What every resource of a stack carries.
const OF_STACK: [(&str, &str); 3] = [
    ("kube-cfn/cluster", "canary"),
    ("kube-cfn/stack", "edge"),
    OWNED,
];

fn scope() -> Scope {
    let resources = [
        "vpc-1",
        "sg-nodes",
        "sg-cp",
        "subnet-1",
        "nat-1",
        "eni-cp",
        "vol-etcd",
        "canary-pool-workers-GroupA-X",
        "arn:aws:elasticloadbalancing:eu-west-1:1:loadbalancer/net/api/50dc",
        "arn:aws:elasticloadbalancing:eu-west-1:1:targetgroup/api/50dc",
        "canary-base-statebucket-x",
        "key-1",
        "canary-database-database-x1",
        "api.example.com",
        "vpce-1",
    ];
    Scope {
        asked: OutsideScope {
            cluster: "canary".to_owned(),
            vpc: Some(OURS.to_owned()),
        },
        stacks: [STACK.to_owned()].into(),
        resources: resources.map(str::to_owned).into(),
        left: BTreeSet::new(),
        held: Vec::new(),
    }
}

fn resource(kind: OutsideKind, id: &str, tags: &[(&str, &str)]) -> OutsideResource {
    let tags = tags.iter();
    OutsideResource {
        tags: tags
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect(),
        ..OutsideResource::new(kind, id)
    }
}

/// One in the cluster's VPC.
fn here(kind: OutsideKind, id: &str, tags: &[(&str, &str)]) -> OutsideResource {
    OutsideResource {
        vpc: Some(OURS.to_owned()),
        ..resource(kind, id, tags)
    }
}

fn using(resource: OutsideResource, uses: &[&str]) -> OutsideResource {
    OutsideResource {
        uses: uses.iter().map(|id| (*id).to_owned()).collect(),
        ..resource
    }
}

fn described(resource: OutsideResource, text: &str) -> OutsideResource {
    OutsideResource {
        description: Some(text.to_owned()),
        ..resource
    }
}

fn by_aws(resource: OutsideResource) -> OutsideResource {
    OutsideResource {
        by_aws: true,
        ..resource
    }
}

/// The interface that AWS makes for something else.
fn interface(id: &str, text: &str, groups: &[&str]) -> OutsideResource {
    let interface = here(OutsideKind::Interface, id, &[]);
    by_aws(described(using(interface, groups), text))
}

/// A rule in one group that names another one.
fn rule(id: &str, group: &str, named: &str) -> OutsideResource {
    OutsideResource {
        body: group.to_owned(),
        ..using(here(OutsideKind::GroupRule, id, &[]), &[group, named])
    }
}

fn lists(resources: Vec<OutsideResource>) -> Lists {
    let mut lists: Lists = OutsideKind::ALL
        .into_iter()
        .map(|kind| (kind, Vec::new()))
        .collect();
    for resource in resources {
        lists.entry(resource.kind).or_default().push(resource);
    }
    lists
}

fn classified(resources: Vec<OutsideResource>) -> Vec<Found> {
    classify(&scope(), &lists(resources))
}

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
