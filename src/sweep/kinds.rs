//! The table of kinds: what each is called, when it is removed and what it waits for. What is said of each besides, and the
//! commands that end one, is the table of `report::outside`.

use crate::cloud::outside::OutsideKind;
use crate::common::text::count;

/// What becomes of resources of a kind that are the cluster's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Removed with the cluster.
    Removed,
    /// Removed where a stack that is gone made it. Kubernetes makes none: any other one is somebody else's.
    RemovedOfStack,
    /// Kept, unless volumes are to be deleted too.
    KeptAsVolume,
    /// Always kept: it is a backup, or a record of what happened.
    Kept,
    /// Never removed, and named until somebody has: it holds data, and works.
    Named,
}

/// One kind.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    pub kind: OutsideKind,
    /// One of it, in words.
    pub name: &'static str,
    /// Many of it.
    pub plural: &'static str,
    pub end: End,
    /// Kinds of which nothing that is to be removed may be left before.
    pub after: &'static [OutsideKind],
    /// Whether the network's stack can't be deleted while one of it lies in the VPC.
    pub holds_network: bool,
    /// Whether what is in it would be lost: it goes only when it was shown.
    pub holds_data: bool,
    /// Whether it may only go when the stack that had it is gone: it is removed last.
    pub is_last: bool,
}

impl Row {
    /// So many of it, in words: `1 load balancer`, `3 rules of security groups`.
    pub fn counted(&self, number: usize) -> String {
        if self.kind == OutsideKind::Backup {
            format!("{} of {}", self.plural, count(number, "database"))
        } else if number == 1 {
            format!("1 {}", self.name)
        } else {
            format!("{number} {}", self.plural)
        }
    }

    /// Whether only CloudFormation's own tag proves that a stack made it. Tags that anybody can set are enough to name what is
    /// kept, and a key carries no other: `cloudFormationSystemTags` of its schema is false.
    pub fn needs_stack_tag(&self) -> bool {
        !self.holds_data || self.kind == OutsideKind::Bucket
    }

    /// When it is deleted: what uses another one goes before it, and data goes last.
    pub fn place(&self) -> (bool, usize) {
        let before = self.after.iter().map(|kind| row(*kind).place().1);
        (self.holds_data, before.max().map_or(0, |before| before + 1))
    }
}

/// What lies in subnets, or has interfaces there.
const IN_SUBNETS: &[OutsideKind] = &[
    OutsideKind::Machine,
    OutsideKind::LoadBalancer,
    OutsideKind::ClassicLoadBalancer,
    OutsideKind::NatGateway,
    OutsideKind::Interface,
    OutsideKind::Endpoint,
];

/// The row of a kind.
#[expect(clippy::too_many_lines, reason = "a table")]
pub fn row(kind: OutsideKind) -> Row {
    use End::{Kept, KeptAsVolume, Named, Removed, RemovedOfStack};
    use OutsideKind as K;
    let row = |name, plural, end, after| Row {
        kind,
        name,
        plural,
        end,
        after,
        holds_network: false,
        holds_data: false,
        is_last: false,
    };
    let in_vpc = |row| Row {
        holds_network: true,
        ..row
    };
    let last = |row| Row {
        is_last: true,
        ..row
    };
    let data = |row: Row| Row {
        holds_data: true,
        ..row
    };
    match kind {
        K::Machine => in_vpc(row("machine", "machines", Removed, &[])),
        K::LoadBalancer => in_vpc(row("load balancer", "load balancers", Removed, &[])),
        K::ClassicLoadBalancer => in_vpc(row(
            "classic load balancer",
            "classic load balancers",
            Removed,
            &[],
        )),
        K::TargetGroup => row("target group", "target groups", Removed, &[K::LoadBalancer]),
        K::GroupRule => in_vpc(row(
            "rule of a security group",
            "rules of security groups",
            Removed,
            &[],
        )),
        K::SecurityGroup => in_vpc(row(
            "security group",
            "security groups",
            Removed,
            &[
                K::Machine,
                K::LoadBalancer,
                K::ClassicLoadBalancer,
                K::GroupRule,
                K::Interface,
                K::Endpoint,
            ],
        )),
        K::NatGateway => in_vpc(row("NAT gateway", "NAT gateways", RemovedOfStack, &[])),
        K::Interface => in_vpc(row(
            "network interface",
            "network interfaces",
            Removed,
            &[
                K::Machine,
                K::LoadBalancer,
                K::ClassicLoadBalancer,
                K::NatGateway,
                K::Endpoint,
            ],
        )),
        K::Address => row(
            "Elastic IP address",
            "Elastic IP addresses",
            RemovedOfStack,
            &[K::Machine, K::LoadBalancer, K::NatGateway, K::Interface],
        ),
        K::Volume => data(row("volume", "volumes", KeptAsVolume, &[K::Machine])),
        K::Snapshot => data(row("snapshot", "snapshots", Kept, &[])),
        K::DnsRecord => row("DNS record", "DNS records", Removed, &[]),
        K::Database => in_vpc(data(row("database", "databases", Named, &[]))),
        K::LogGroup => data(row("log group", "log groups", Kept, &[])),
        K::Backup => data(row("automated backups", "automated backups", Kept, &[])),
        K::DatabaseSnapshot => data(row("database snapshot", "database snapshots", Kept, &[])),
        K::Bucket => last(data(row("bucket", "buckets", Removed, &[]))),
        K::Key => last(data(row("key", "keys", Removed, &[]))),
        K::Subnet => in_vpc(row("subnet", "subnets", RemovedOfStack, IN_SUBNETS)),
        K::RouteTable => in_vpc(row(
            "route table",
            "route tables",
            RemovedOfStack,
            &[K::Subnet, K::Endpoint],
        )),
        K::Endpoint => in_vpc(row("VPC endpoint", "VPC endpoints", RemovedOfStack, &[])),
        K::Peering => in_vpc(row(
            "peering connection",
            "peering connections",
            RemovedOfStack,
            &[],
        )),
        K::NetworkAcl => in_vpc(row(
            "network ACL",
            "network ACLs",
            RemovedOfStack,
            &[K::Subnet],
        )),
        K::VpnGateway => in_vpc(row("VPN gateway", "VPN gateways", RemovedOfStack, &[])),
        // AWS detaches none while an address of the VPC leads through it.
        K::InternetGateway => in_vpc(row(
            "internet gateway",
            "internet gateways",
            RemovedOfStack,
            &[
                K::Machine,
                K::LoadBalancer,
                K::ClassicLoadBalancer,
                K::NatGateway,
                K::Interface,
                K::Address,
            ],
        )),
        K::Vpc => row(
            "VPC",
            "VPCs",
            RemovedOfStack,
            &[
                K::Machine,
                K::LoadBalancer,
                K::ClassicLoadBalancer,
                K::NatGateway,
                K::Interface,
                K::SecurityGroup,
                K::Subnet,
                K::RouteTable,
                K::Endpoint,
                K::Peering,
                K::NetworkAcl,
                K::VpnGateway,
                K::InternetGateway,
            ],
        ),
    }
}
