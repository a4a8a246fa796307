//! What may be found outside the stacks of a cluster, made without AWS.

use jiff::Timestamp;
use kube_cfn::cloud::OutsideKind::{
    self, ClassicLoadBalancer, DnsRecord, GroupRule, Interface, LoadBalancer, LogGroup, Machine,
    SecurityGroup, Snapshot, Subnet, TargetGroup, Volume,
};
use kube_cfn::cloud::OutsideResource;
use kube_cfn::sweep::{Disposition, Found, Inventory, Owner, Purpose, UnknownKind, kinds};

const BALANCERS: &str = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:";
const GIB: u64 = 1 << 30;

pub fn now() -> Timestamp {
    "2026-11-30T12:00:00Z".parse().unwrap()
}

/// Something with what a deletion does with it, as the table of kinds says.
pub fn found(kind: OutsideKind, id: &str, owner: Owner, purpose: Option<Purpose>) -> Found {
    let disposition = match (kinds::row(kind).end, owner) {
        (_, Owner::Foreign) | (kinds::End::Named, _) => Disposition::Untouched,
        (kinds::End::RemovedOfStack, Owner::Stack) | (kinds::End::Removed, _) => {
            Disposition::Removed
        }
        (kinds::End::RemovedOfStack, _) => Disposition::Untouched,
        (kinds::End::KeptAsVolume | kinds::End::Kept, _) => Disposition::Kept,
    };
    Found {
        resource: OutsideResource {
            vpc: Some("vpc-0a".to_owned()),
            created: Some("2026-11-27T09:00:00Z".parse().unwrap()),
            ..OutsideResource::new(kind, id)
        },
        owner,
        purpose,
        disposition,
    }
}

fn made(kind: OutsideKind, id: &str, purpose: Purpose) -> Found {
    found(kind, id, Owner::Kubernetes, Some(purpose))
}

pub fn service(name: &str) -> Purpose {
    Purpose::Service(name.to_owned())
}

/// A network load balancer of a Service.
pub fn balancer(name: &str, of: &str) -> Found {
    made(
        LoadBalancer,
        &format!("{BALANCERS}loadbalancer/net/{name}/50dc6c49"),
        service(of),
    )
}

pub fn classic(name: &str, of: &str) -> Found {
    made(ClassicLoadBalancer, name, service(of))
}

pub fn target_group(name: &str, balancers: &[&str]) -> Found {
    let id = format!("{BALANCERS}targetgroup/{name}/73e2d6bc");
    uses(made(TargetGroup, &id, service("default/web")), balancers)
}

pub fn group(id: &str, of: &str) -> Found {
    made(SecurityGroup, id, service(of))
}

pub fn rule(id: &str, groups: &[&str]) -> Found {
    uses(made(GroupRule, id, service("default/web")), groups)
}

pub fn in_group(mut rule: Found, group: &str) -> Found {
    group.clone_into(&mut rule.resource.body);
    rule
}

/// An application load balancer of an Ingress.
pub fn of_ingress(name: &str, of: &str) -> Found {
    made(
        LoadBalancer,
        &format!("{BALANCERS}loadbalancer/app/{name}/50dc6c49"),
        Purpose::Ingress(of.to_owned()),
    )
}

pub fn record(id: &str, of: &str) -> Found {
    made(DnsRecord, id, service(of))
}

pub fn volume(id: &str, gib: u64, claim: Option<&str>, state: &str) -> Found {
    let purpose = claim.map(|claim| Purpose::Claim(claim.to_owned()));
    sized(
        stated(found(Volume, id, Owner::Kubernetes, purpose), state),
        gib * GIB,
    )
}

pub fn machine(id: &str, state: &str) -> Found {
    let purpose = Purpose::Stack("pool-web".to_owned());
    stated(found(Machine, id, Owner::Stack, Some(purpose)), state)
}

/// Of a stack that is gone, or that has it no more.
pub fn left(kind: OutsideKind, id: &str, stack: &str) -> Found {
    found(
        kind,
        id,
        Owner::Stack,
        Some(Purpose::Stack(stack.to_owned())),
    )
}

pub fn foreign(kind: OutsideKind, id: &str) -> Found {
    found(kind, id, Owner::Foreign, None)
}

pub fn sized(mut one: Found, bytes: u64) -> Found {
    one.resource.bytes = Some(bytes);
    one
}

pub fn stated(mut one: Found, state: &str) -> Found {
    one.resource.state = Some(state.to_owned());
    one
}

fn uses(mut one: Found, ids: &[&str]) -> Found {
    one.resource.uses = ids.iter().map(ToString::to_string).collect();
    one
}

pub fn inventory(found: Vec<Found>) -> Inventory {
    Inventory {
        found,
        unknown: Vec::new(),
    }
}

pub fn unknown(kind: OutsideKind) -> UnknownKind {
    let action =
        "User: arn:aws:iam::123456789012:user/ann is not authorized to perform: tag:GetResources";
    UnknownKind {
        kind,
        why: action.to_owned(),
    }
}

/// A cluster in use: two Services, three claims, a snapshot, the logs of its database, and two things of others.
pub fn usual() -> Inventory {
    let database = || {
        Some(Purpose::Database(
            "canary-database-database-1a2b".to_owned(),
        ))
    };
    let logs = |name: &str| {
        let id = format!("/aws/rds/instance/canary-database-database-1a2b/{name}");
        sized(found(LogGroup, &id, Owner::Stack, database()), 12 << 20)
    };
    let interface = Found {
        resource: OutsideResource {
            by_aws: true,
            ..stated(made(Interface, "eni-0a1", service("default/web")), "in-use").resource
        },
        ..made(Interface, "eni-0a1", service("default/web"))
    };
    inventory(vec![
        balancer("k8s-web", "default/web"),
        classic("a1b2c3d4", "default/api"),
        target_group("k8s-web-80", &["balancer"]),
        rule("sgr-0a1", &["sg-0a1", "sg-nodes"]),
        group("sg-0a1", "default/web"),
        interface,
        foreign(Interface, "eni-0ff"),
        volume("vol-0a1", 20, Some("default/data-0"), "in-use"),
        volume("vol-0a2", 20, Some("default/data-1"), "available"),
        volume("vol-0a3", 8, None, "available"),
        sized(
            made(Snapshot, "snap-0a1", Purpose::Volume("pvc-1".to_owned())),
            20 * GIB,
        ),
        made(DnsRecord, "Z1 web.example.org. A", service("default/web")),
        made(
            DnsRecord,
            "Z1 a-web.example.org. TXT",
            service("default/web"),
        ),
        logs("postgresql"),
        logs("upgrade"),
        foreign(Subnet, "subnet-0ff"),
    ])
}
