//! The pods without which nothing else works, by the labels that kubeadm and the charts give them.

use super::ready::{ClusterContents, ReadinessPart, WantedCluster, node_of};
use super::{Node, Pod};
use crate::common::text::count;

/// Where one of them must run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Placement {
    /// On the node of every slot: a static pod, or a `DaemonSet` of the control plane.
    Slots,
    /// On every node.
    Nodes,
    /// Anywhere, once at least.
    Anywhere,
}

/// A pod that must run.
struct CriticalPod {
    name: &'static str,
    /// Labels that tell it; one of them is enough, since charts and kubeadm differ.
    labels: &'static [(&'static str, &'static str)],
    place: Placement,
}

const fn critical(
    name: &'static str,
    labels: &'static [(&'static str, &'static str)],
    place: Placement,
) -> CriticalPod {
    CriticalPod {
        name,
        labels,
        place,
    }
}

/// metrics-server and the autoscaler are not among them: a cluster schedules, resolves names and
/// mounts volumes without.
const CRITICAL: &[CriticalPod] = &[
    critical("etcd", &[("component", "etcd")], Placement::Slots),
    critical(
        "kube-apiserver",
        &[("component", "kube-apiserver")],
        Placement::Slots,
    ),
    critical(
        "kube-controller-manager",
        &[("component", "kube-controller-manager")],
        Placement::Slots,
    ),
    critical(
        "kube-scheduler",
        &[("component", "kube-scheduler")],
        Placement::Slots,
    ),
    critical("Cilium", &[("k8s-app", "cilium")], Placement::Nodes),
    critical(
        "the Cilium operator",
        &[
            ("io.cilium/app", "operator"),
            ("name", "cilium-operator"),
            ("app.kubernetes.io/name", "cilium-operator"),
        ],
        Placement::Anywhere,
    ),
    critical(
        "the cloud controller manager",
        &[
            ("k8s-app", "aws-cloud-controller-manager"),
            ("app.kubernetes.io/name", "aws-cloud-controller-manager"),
        ],
        Placement::Slots,
    ),
    critical(
        "CoreDNS",
        &[
            ("k8s-app", "kube-dns"),
            ("k8s-app", "coredns"),
            ("app.kubernetes.io/name", "coredns"),
        ],
        Placement::Anywhere,
    ),
    critical(
        "the EBS CSI controller",
        &[("app", "ebs-csi-controller")],
        Placement::Anywhere,
    ),
];

/// How the critical pods stand: each kind counts once.
pub(super) fn readiness(wanted: &WantedCluster, contents: &ClusterContents) -> ReadinessPart {
    let troubles = CRITICAL
        .iter()
        .filter_map(|one| trouble(one, wanted, contents));
    let missing: Vec<String> = troubles.collect();
    let (all, done) = (CRITICAL.len(), CRITICAL.len() - missing.len());
    ReadinessPart {
        name: "critical pods".to_owned(),
        done,
        wanted: all,
        state: format!("{done} of {} run", count(all, "kind")),
        missing,
    }
}

fn trouble(
    one: &CriticalPod,
    wanted: &WantedCluster,
    contents: &ClusterContents,
) -> Option<String> {
    let pods: Vec<&Pod> = contents
        .pods
        .iter()
        .filter(|pod| one.labels.iter().any(|label| pod.is(*label)))
        .collect();
    let nodes: Vec<&Node> = match one.place {
        Placement::Anywhere => return anywhere(one.name, &pods),
        Placement::Nodes => contents.nodes.iter().collect(),
        Placement::Slots => {
            let slots = wanted.slots.iter();
            slots
                .filter_map(|slot| node_of(slot, &contents.nodes))
                .collect()
        }
    };
    if nodes.is_empty() {
        return Some(format!("{}: no node to run on yet", one.name));
    }
    let on = |node: &&Node| {
        let mine = pods
            .iter()
            .filter(|pod| pod.node.as_deref() == Some(&node.name));
        // Of a pod that was replaced the younger one counts.
        match mine.max_by_key(|pod| pod.created) {
            None => Some(format!("not on {} yet", node.name)),
            Some(pod) => Some(format!("on {}: {}", node.name, pod.trouble.as_ref()?)),
        }
    };
    first(one.name, &nodes.iter().filter_map(on).collect::<Vec<_>>())
}

fn anywhere(name: &str, pods: &[&Pod]) -> Option<String> {
    if pods.iter().any(|pod| pod.trouble.is_none()) {
        return None;
    }
    if pods.is_empty() {
        return Some(format!("{name}: there is none yet"));
    }
    let troubles = pods
        .iter()
        .filter_map(|pod| Some(format!("{}: {}", pod.name, pod.trouble.as_ref()?)));
    first(name, &troubles.collect::<Vec<_>>())
}

/// The first trouble of a kind, and how many more there are.
fn first(name: &str, troubles: &[String]) -> Option<String> {
    let (first, more) = troubles.split_first()?;
    Some(match more.len() {
        0 => format!("{name} {first}"),
        more => format!("{name} {first}, and {more} more"),
    })
}
