//! The account, sentence by sentence.

use std::collections::BTreeMap;

use super::{
    ClusterContents, ClusterState, Health, KubeError, Node, POOL_LABEL, Pod, Readiness,
    WantedCluster, WantedPool, WantedSlot, readiness,
};

fn wanted() -> WantedCluster {
    let slot = |letter, address: &str| WantedSlot {
        letter,
        address: address.parse().unwrap(),
    };
    WantedCluster {
        version: "1.36.2".parse().unwrap(),
        slots: vec![slot('a', "10.20.0.10"), slot('b', "10.20.32.10")],
        pools: vec![WantedPool {
            name: "web".to_owned(),
            min: 2,
        }],
    }
}

fn node(name: &str, address: &str, pool: Option<&str>) -> Node {
    let pool = pool.map(|pool| (POOL_LABEL.to_owned(), pool.to_owned()));
    Node {
        name: name.to_owned(),
        labels: pool.into_iter().collect(),
        address: Some(address.parse().unwrap()),
        version: "v1.36.2".to_owned(),
        trouble: None,
        cordoned: false,
        created: Some("2026-11-23T10:00:00Z".parse().unwrap()),
    }
}

fn pod(name: &str, label: (&str, &str), node: &str) -> Pod {
    Pod {
        name: name.to_owned(),
        labels: BTreeMap::from([(label.0.to_owned(), label.1.to_owned())]),
        node: Some(node.to_owned()),
        trouble: None,
        created: None,
    }
}

/// A cluster that works.
fn whole() -> ClusterContents {
    let nodes = vec![
        node("i-0a", "10.20.0.10", None),
        node("i-0b", "10.20.32.10", None),
        node("i-1a", "10.20.1.1", Some("web")),
        node("i-1b", "10.20.33.1", Some("web")),
    ];
    let mut pods = Vec::new();
    for slot in ["i-0a", "i-0b"] {
        for name in [
            "etcd",
            "kube-apiserver",
            "kube-controller-manager",
            "kube-scheduler",
        ] {
            pods.push(pod(name, ("component", name), slot));
        }
        pods.push(pod(
            "ccm",
            ("k8s-app", "aws-cloud-controller-manager"),
            slot,
        ));
    }
    for node in &nodes {
        pods.push(pod("cilium", ("k8s-app", "cilium"), &node.name));
    }
    pods.push(pod("operator", ("io.cilium/app", "operator"), "i-0a"));
    pods.push(pod("coredns", ("k8s-app", "kube-dns"), "i-1a"));
    pods.push(pod("ebs", ("app", "ebs-csi-controller"), "i-1a"));
    ClusterContents { nodes, pods }
}

fn of(contents: ClusterContents) -> Readiness {
    let health = Health {
        ready: true,
        checks: Vec::new(),
    };
    readiness(
        &wanted(),
        &ClusterState {
            health: Ok(health),
            contents: Some(Ok(contents)),
        },
    )
}

fn missing(contents: ClusterContents) -> Vec<String> {
    of(contents).missing().collect()
}

#[test]
fn complete_cluster_is_ready() {
    let found = of(whole());
    assert!(found.is_done(), "{found:?}");
    assert_eq!(found.missing().count(), 0);
    assert!(found.remarks.is_empty());
}

#[test]
fn missing_and_not_ready_nodes_differ() {
    let mut contents = whole();
    contents.nodes.remove(0);
    contents.nodes[0].trouble = Some("its kubelet stopped reporting".to_owned());
    let missing = missing(contents);
    assert_eq!(
        missing,
        [
            "control plane: 0 of 2 nodes Ready",
            "control plane: node a: no machine has joined as 10.20.0.10",
            "control plane: node b: i-0b is NotReady: its kubelet stopped reporting",
        ]
    );
}

#[test]
fn younger_of_two_nodes_of_a_slot_counts() {
    let mut contents = whole();
    let mut younger = node("i-0new", "10.20.0.10", None);
    younger.created = Some("2026-11-23T11:00:00Z".parse().unwrap());
    younger.trouble = Some("its kubelet has not reported yet".to_owned());
    contents.nodes.push(younger);
    let missing = missing(contents);
    let slot = "control plane: node a: i-0new is NotReady: its kubelet has not reported yet";
    assert!(missing.iter().any(|line| line == slot), "{missing:?}");
}

#[test]
fn pool_below_its_minimum_names_missing_nodes() {
    let mut contents = whole();
    contents.nodes[2].trouble = Some("network plugin not ready: cni".to_owned());
    contents.nodes.remove(3);
    let missing = missing(contents);
    assert_eq!(
        missing,
        [
            "pool web: 0 of 2 nodes Ready",
            "pool web: i-1a is NotReady: network plugin not ready: cni",
            "pool web: 1 node has not joined yet",
        ]
    );
}

#[test]
fn nodes_above_the_minimum_hide_no_missing_one() {
    let mut contents = whole();
    let mut third = node("i-1c", "10.20.1.2", Some("web"));
    third.trouble = Some("its kubelet stopped reporting".to_owned());
    contents.nodes.push(third);
    contents
        .pods
        .push(pod("cilium", ("k8s-app", "cilium"), "i-1c"));
    assert!(of(contents).is_done(), "two of at least two are Ready");
}

#[test]
fn critical_pod_must_run_in_its_place() {
    let mut contents = whole();
    let etcd = |pod: &&mut Pod| pod.name == "etcd" && pod.node.as_deref() == Some("i-0b");
    contents.pods.iter_mut().find(etcd).unwrap().trouble = Some("CrashLoopBackOff".to_owned());
    contents.pods.retain(|pod| pod.name != "coredns");
    let gone = |pod: &Pod| pod.name == "cilium" && pod.node.as_deref() != Some("i-0a");
    contents.pods.retain(|pod| !gone(pod));
    assert_eq!(
        missing(contents),
        [
            "critical pods: 6 of 9 kinds run",
            "critical pods: etcd on i-0b: CrashLoopBackOff",
            "critical pods: Cilium not on i-0b yet, and 2 more",
            "critical pods: CoreDNS: there is none yet",
        ]
    );
}

#[test]
fn nodes_of_another_version_are_remarks() {
    let mut contents = whole();
    contents.nodes[2].version = "v1.35.9".to_owned();
    let found = of(contents);
    assert!(found.is_done());
    assert_eq!(
        found.remarks,
        ["i-1a runs v1.35.9, the definition says v1.36.2"]
    );
}

#[test]
fn unreachable_api_leaves_other_parts_unknown() {
    let why = KubeError::Unreachable {
        server: "https://api:6443".to_owned(),
        why: "nothing listens there".to_owned(),
    };
    let found = readiness(
        &wanted(),
        &ClusterState {
            health: Err(why),
            contents: None,
        },
    );
    assert!(!found.is_done());
    let missing: Vec<_> = found.missing().collect();
    assert_eq!(
        missing[..2],
        [
            "API: does not answer",
            "API: can't be reached: nothing listens there",
        ]
    );
    assert_eq!(
        missing[2..],
        [
            "control plane: can't be checked until the API answers",
            "pool web: can't be checked until the API answers",
        ]
    );
}

#[test]
fn unready_api_names_failing_checks() {
    let health = Health {
        ready: false,
        checks: vec![("ping".to_owned(), true), ("etcd".to_owned(), false)],
    };
    let found = readiness(
        &wanted(),
        &ClusterState {
            health: Ok(health),
            contents: None,
        },
    );
    let missing: Vec<_> = found.missing().collect();
    assert_eq!(missing[1], "API: /readyz fails: etcd");
}

#[test]
fn healthy_api_is_enough_without_credential() {
    let health = Health {
        ready: true,
        checks: Vec::new(),
    };
    let found = readiness(
        &wanted(),
        &ClusterState {
            health: Ok(health),
            contents: None,
        },
    );
    assert!(found.is_done());
    assert_eq!(found.remarks.len(), 1);
    let refused = readiness(
        &wanted(),
        &ClusterState {
            health: Ok(Health {
                ready: true,
                checks: Vec::new(),
            }),
            contents: Some(Err(KubeError::Forbidden("nodes".to_owned()))),
        },
    );
    assert!(!refused.is_done(), "what is refused is not there");
}
