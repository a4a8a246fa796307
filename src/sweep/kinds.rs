//! The table of kinds: what each is called, when it is removed and what it waits for.

use crate::cloud::outside::OutsideKind;
use crate::common::text::count;

/// What becomes of resources of a kind that are the cluster's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Removed with the cluster.
    Removed,
    /// Kept, unless volumes are to be deleted too.
    KeptAsVolume,
    /// Always kept: it is a backup, or a record of what happened.
    Kept,
    /// No kind that Kubernetes or this tool makes outside stacks: it can only be somebody else's.
    Foreign,
}

/// One kind.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    pub kind: OutsideKind,
    /// One of it, in words.
    pub name: &'static str,
    pub end: End,
    /// Kinds of which nothing that is to be removed may be left before.
    pub after: &'static [OutsideKind],
    /// Whether the network's stack can't be deleted while one of it lies in the VPC.
    pub holds_network: bool,
    /// Whether it may only go when the stack that had it is gone: it is removed last, and only when it was shown.
    pub is_last: bool,
}

impl Row {
    /// So many of it, in words: `1 load balancer`, `3 rules of security groups`.
    pub fn counted(&self, number: usize) -> String {
        if self.kind == OutsideKind::Backup {
            format!("automated backups of {}", count(number, "database"))
        } else if number == 1 {
            format!("1 {}", self.name)
        } else {
            format!("{number} {}", self.plural())
        }
    }

    /// Many of it, in words: `load balancers`, `automated backups`.
    pub fn plural(&self) -> String {
        use OutsideKind as K;
        match self.kind {
            K::GroupRule => "rules of security groups".to_owned(),
            K::Backup => self.name.to_owned(),
            K::Machine
            | K::LoadBalancer
            | K::ClassicLoadBalancer
            | K::TargetGroup
            | K::SecurityGroup
            | K::Interface
            | K::Volume
            | K::Snapshot
            | K::DnsRecord
            | K::LogGroup
            | K::Bucket
            | K::Key
            | K::Subnet
            | K::RouteTable
            | K::Endpoint
            | K::DatabaseSnapshot
            | K::NetworkAcl
            | K::VpnGateway
            | K::Peering => format!("{}s", self.name),
        }
    }
}

/// The row of a kind.
pub fn row(kind: OutsideKind) -> Row {
    use OutsideKind as K;
    let row = |name, end, after| Row {
        kind,
        name,
        end,
        after,
        holds_network: false,
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
    match kind {
        K::Machine => in_vpc(row("machine", End::Removed, &[])),
        K::LoadBalancer => in_vpc(row("load balancer", End::Removed, &[])),
        K::ClassicLoadBalancer => in_vpc(row("classic load balancer", End::Removed, &[])),
        K::TargetGroup => row("target group", End::Removed, &[K::LoadBalancer]),
        K::GroupRule => in_vpc(row("rule of a security group", End::Removed, &[])),
        K::SecurityGroup => in_vpc(row(
            "security group",
            End::Removed,
            &[
                K::Machine,
                K::LoadBalancer,
                K::ClassicLoadBalancer,
                K::GroupRule,
                K::Interface,
            ],
        )),
        K::Interface => in_vpc(row(
            "network interface",
            End::Removed,
            &[K::Machine, K::LoadBalancer, K::ClassicLoadBalancer],
        )),
        K::Volume => row("volume", End::KeptAsVolume, &[K::Machine]),
        K::Snapshot => row("snapshot", End::Kept, &[]),
        K::DnsRecord => row("DNS record", End::Removed, &[]),
        K::LogGroup => row("log group", End::Kept, &[]),
        K::Backup => row("automated backups", End::Kept, &[]),
        K::DatabaseSnapshot => row("database snapshot", End::Kept, &[]),
        K::Bucket => last(row("bucket", End::Removed, &[])),
        K::Key => last(row("key", End::Removed, &[])),
        K::Subnet => in_vpc(row("subnet", End::Foreign, &[])),
        K::RouteTable => in_vpc(row("route table", End::Foreign, &[])),
        K::Endpoint => in_vpc(row("VPC endpoint", End::Foreign, &[])),
        K::Peering => in_vpc(row("peering connection", End::Foreign, &[])),
        K::NetworkAcl => in_vpc(row("network ACL", End::Foreign, &[])),
        K::VpnGateway => in_vpc(row("VPN gateway", End::Foreign, &[])),
    }
}
