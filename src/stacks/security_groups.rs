//! Which group may reach which on which port: the whole table of the security groups.
//! Nothing is open to the world but the API, and that only to the ranges that the definition lists.

use ipnet::Ipv4Net;
use serde::Serialize;

use super::common::{self, Tag};
use crate::spec::{ClusterSpec, Exposure};

/// The security groups of a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SecurityGroup {
    LoadBalancer,
    ControlPlane,
    Node,
    Database,
}
use SecurityGroup::{ControlPlane, Database, LoadBalancer, Node};

impl SecurityGroup {
    /// Logical id, output and parameter.
    pub fn id(self) -> &'static str {
        match self {
            LoadBalancer => "NlbSg",
            ControlPlane => "CpSg",
            Node => "NodeSg",
            Database => "DbSg",
        }
    }

    /// The start of its logical id, used in the ids of rules.
    fn short(self) -> &'static str {
        self.id().trim_end_matches("Sg")
    }

    /// In sentences.
    fn name(self) -> &'static str {
        match self {
            LoadBalancer => "the API load balancer",
            ControlPlane => "the control plane",
            Node => "the nodes",
            Database => "the database",
        }
    }
}

/// A security group as the template has it.
#[derive(Debug, Serialize)]
pub(super) struct Group {
    pub id: &'static str,
    pub of: &'static str,
    /// The only way out, where not everything is open.
    pub egress: Option<Egress>,
    pub tags: Vec<Tag>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Egress {
    description: &'static str,
    ip_protocol: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    from_port: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    to_port: Option<u16>,
    cidr_ip: String,
}

/// A standalone rule: groups name each other, which rules inside of them could not.
#[derive(Debug, Serialize)]
pub(super) struct Rule {
    pub id: String,
    pub description: String,
    pub what: String,
    pub to: &'static str,
    /// A group of this stack, where `cidr` is not given.
    pub from: Option<&'static str>,
    pub cidr: Option<String>,
    pub protocol: &'static str,
    pub first: i32,
    pub last: i32,
}

/// A service behind ports: its name in logical ids and in words.
struct Service(&'static str, &'static str, &'static str, i32, i32);

const API: Service = Service("Api", "API", "tcp", 6443, 6443);
const ETCD: Service = Service("Etcd", "etcd", "tcp", 2379, 2380);
const KUBELET: Service = Service("Kubelet", "kubelet", "tcp", 10250, 10250);
const MANAGER: Service = Service(
    "ControllerManager",
    "controller manager",
    "tcp",
    10257,
    10257,
);
const SCHEDULER: Service = Service("Scheduler", "scheduler", "tcp", 10259, 10259);
const VXLAN: Service = Service("Vxlan", "pod network", "udp", 8472, 8472);
const HEALTH: Service = Service(
    "CiliumHealth",
    "health of the pod network",
    "tcp",
    4240,
    4240,
);
const ICMP: Service = Service("Icmp", "ICMP", "icmp", -1, -1);
const NODE_METRICS: Service = Service("NodeMetrics", "metrics of nodes", "tcp", 9100, 9100);
const CILIUM_METRICS: Service = Service(
    "CiliumMetrics",
    "metrics of the pod network",
    "tcp",
    9962,
    9962,
);
const NODE_PORTS_TCP: Service = Service("NodePortsTcp", "node ports", "tcp", 30000, 32767);
const NODE_PORTS_UDP: Service = Service("NodePortsUdp", "node ports (UDP)", "udp", 30000, 32767);
const POSTGRES: Service = Service("Postgres", "PostgreSQL", "tcp", 5432, 5432);

const TABLE: &[(SecurityGroup, Service, &[SecurityGroup])] = &[
    (LoadBalancer, API, &[Node, ControlPlane]),
    (ControlPlane, API, &[LoadBalancer, Node, ControlPlane]),
    (ControlPlane, ETCD, &[ControlPlane]),
    (ControlPlane, KUBELET, &[ControlPlane, Node]),
    (ControlPlane, MANAGER, &[ControlPlane]),
    (ControlPlane, SCHEDULER, &[ControlPlane]),
    (ControlPlane, VXLAN, &[ControlPlane, Node]),
    (ControlPlane, HEALTH, &[ControlPlane, Node]),
    (ControlPlane, ICMP, &[ControlPlane, Node]),
    (Node, KUBELET, &[ControlPlane, Node]),
    (Node, VXLAN, &[ControlPlane, Node]),
    (Node, HEALTH, &[ControlPlane, Node]),
    (Node, ICMP, &[ControlPlane, Node]),
    (Node, NODE_METRICS, &[Node]),
    (Node, CILIUM_METRICS, &[Node]),
    // The control plane makes the user that workloads connect as.
    (Database, POSTGRES, &[Node, ControlPlane]),
];

/// The groups of a cluster.
pub(super) fn groups(spec: &ClusterSpec) -> Vec<Group> {
    let range = spec.network.cidr.to_string();
    let egress = |description, ip_protocol, port, cidr_ip| Egress {
        description,
        ip_protocol,
        from_port: port,
        to_port: port,
        cidr_ip,
    };
    let group = |group: SecurityGroup, egress| {
        let of = group.name();
        let mut tags = vec![common::tag("Name", format!("{} {of}", spec.name))];
        // The cloud controller manager wants exactly one group of a node to carry this tag.
        if group == Node {
            tags.push(common::owned(spec));
        }
        Group {
            id: group.id(),
            of,
            egress,
            tags,
        }
    };
    // CloudFormation reads "no rule" as "everything is open": a way to nowhere closes it.
    let nowhere = egress("nowhere", "-1", None, "127.0.0.1/32".to_owned());
    let api = egress("API of the slots", "tcp", Some(6443), range);
    vec![
        group(LoadBalancer, Some(api)),
        group(ControlPlane, None),
        group(Node, None),
        group(Database, Some(nowhere)),
    ]
}

/// The rules of a cluster.
pub(super) fn rules(spec: &ClusterSpec) -> Vec<Rule> {
    let range = spec.network.cidr;
    let mut rules: Vec<_> = spec
        .api
        .allowed_cidrs
        .iter()
        .map(|cidr| allowed(*cidr))
        .collect();
    for (to, service, sources) in TABLE {
        rules.extend(sources.iter().map(|from| between(*to, service, *from)));
    }
    for service in [NODE_PORTS_TCP, NODE_PORTS_UDP] {
        let id = format!("Node{}FromVpc", service.0);
        rules.push(from_range(id, Node, &service, range));
    }
    rules
}

/// The API for a range of the definition. The id is made from the range, not from its place in the list:
/// a range that moves must not touch the others.
fn allowed(cidr: Ipv4Net) -> Rule {
    let digits = cidr.to_string().replace(['.', '/'], "x");
    from_range(format!("NlbApiFrom{digits}"), LoadBalancer, &API, cidr)
}

fn from_range(id: String, to: SecurityGroup, service: &Service, cidr: Ipv4Net) -> Rule {
    let mut rule = rule(id, to, service, &cidr.to_string());
    rule.cidr = Some(cidr.to_string());
    rule
}

fn between(to: SecurityGroup, service: &Service, from: SecurityGroup) -> Rule {
    let id = format!("{}{}From{}", to.short(), service.0, from.short());
    let mut rule = rule(id, to, service, from.name());
    rule.from = Some(from.id());
    rule
}

fn rule(id: String, to: SecurityGroup, service: &Service, from: &str) -> Rule {
    let Service(_, name, protocol, first, last) = *service;
    Rule {
        id,
        description: format!("Rule that lets {from} reach {}: {name}", to.name()),
        what: format!("{name} from {from}"),
        to: to.id(),
        from: None,
        cidr: None,
        protocol,
        first,
        last,
    }
}

/// Whether nodes behind a NAT gateway need a rule of their own to reach the load balancer: they come
/// to a public one from outside. Without NAT they use the fixed addresses of the slots.
pub(super) fn nodes_come_from_outside(spec: &ClusterSpec) -> bool {
    matches!(spec.api.exposure, Exposure::Public)
}
