//! A running cluster as `status` shows and judges it.

use super::*;
use crate::kube::{ClusterContents, Health, KubeError};
use crate::report::certificates::CertificateKind;

fn healthy() -> Health {
    Health {
        ready: true,
        checks: vec![("etcd".to_owned(), true)],
    }
}

fn etcd_pod(name: &str, trouble: Option<&str>) -> Pod {
    Pod {
        name: name.to_owned(),
        labels: [("component".to_owned(), "etcd".to_owned())].into(),
        node: None,
        trouble: trouble.map(str::to_owned),
        created: None,
    }
}

#[test]
fn etcd_shows_quorum_and_running_pods() {
    let pods = vec![etcd_pod("a", None), etcd_pod("b", Some("CrashLoopBackOff"))];
    let seen = ClusterState {
        health: Ok(healthy()),
        contents: Some(Ok(ClusterContents {
            nodes: Vec::new(),
            pods,
        })),
    };
    let text = summary(&KubernetesView::of(&seen, Some("v1.36.2".to_owned()), None));
    assert_eq!(
        text,
        "version   v1.36.2, ready\netcd      answers; 1 of 2 members' pods run\n"
    );
}

/// Without a definition what is seen is judged, and what is not known is no all-clear.
#[test]
fn cluster_without_a_definition_is_never_called_healthy() {
    let look = |pods| {
        let nodes = Vec::new();
        let seen = ClusterState {
            health: Ok(healthy()),
            contents: Some(Ok(ClusterContents { nodes, pods })),
        };
        KubernetesView::of(&seen, None, None)
    };
    let unknown = ["there is no definition here that says what should run"];
    let view = look(vec![etcd_pod("etcd-a", None)]);
    assert_eq!(trouble(&view), Vec::<String>::new());
    assert_eq!(unseen(&view), unknown);
    let view = look(vec![
        etcd_pod("etcd-a", None),
        etcd_pod("etcd-b", Some("CrashLoopBackOff")),
        etcd_pod("etcd-c", Some("it is being removed")),
    ]);
    assert_eq!(trouble(&view), ["etcd-b does not run: CrashLoopBackOff"]);
    assert_eq!(unseen(&view), unknown);
    let shown = nodes(&view);
    assert!(shown.contains(" !! etcd-b does not run"), "{shown}");
    assert!(shown.contains(" ?? there is no definition"), "{shown}");
}

#[test]
fn trouble_is_what_was_seen_and_the_rest_is_unseen() {
    let view = KubernetesView {
        silent: Some("nodes are not shown: no permission".to_owned()),
        failing: vec!["etcd".to_owned()],
        ..KubernetesView::default()
    };
    assert_eq!(trouble(&view), ["the API is not ready: etcd fails"]);
    assert_eq!(
        unseen(&view),
        ["Kubernetes: nodes are not shown: no permission"]
    );
    let now: jiff::Timestamp = "2026-11-23T10:00:00Z".parse().unwrap();
    let expired = now - jiff::SignedDuration::from_hours(30);
    let kind = CertificateKind::Serving;
    let view = KubernetesView {
        ready: true,
        certificates: vec![
            Certificate::of(kind, "API", expired, now),
            Certificate::unseen(CertificateKind::Authority, "authorities", "denied"),
        ],
        ..KubernetesView::default()
    };
    let found = trouble(&view);
    assert!(
        found.len() == 1 && found[0].starts_with("certificates that are not valid: "),
        "{found:?}"
    );
    assert_eq!(unseen(&view), ["certificate of authorities: denied"]);
    assert_eq!(
        trouble(&KubernetesView::silent(&"down")),
        Vec::<String>::new()
    );
}

#[test]
fn node_that_is_ready_is_found_by_its_instance() {
    let node = |name: &str, ready| NodeView {
        name: name.to_owned(),
        role: String::new(),
        version: String::new(),
        ready,
        cordoned: false,
        trouble: None,
    };
    let view = KubernetesView {
        nodes: vec![node("i-0a", true), node("i-0b", false)],
        ..KubernetesView::default()
    };
    assert!(view.has_ready_node("i-0a"));
    assert!(!view.has_ready_node("i-0b") && !view.has_ready_node("i-0c"));
}

#[test]
fn unreachable_api_says_why() {
    let seen = ClusterState {
        health: Err(KubeError::Unreachable {
            server: "https://api:6443".to_owned(),
            why: "its name is unknown (DNS)".to_owned(),
        }),
        contents: None,
    };
    assert_eq!(
        summary(&KubernetesView::of(&seen, None, None)),
        "          can't be reached: its name is unknown (DNS)\n"
    );
}
