//! A running cluster as its API reports it: versions, nodes, etcd, certificates.

use std::fmt::Write;

use serde::Serialize;

use super::certificates::{self, Assessment, Certificate, CertificateKind};
use super::format;
use crate::common::text::{folding, listed_line};
use crate::kube::{ClusterState, Node, Pod, Readiness, WantedCluster};

/// The label of etcd's static pods.
const ETCD: (&str, &str) = ("component", "etcd");

/// What the API reports, or why it does not answer.
#[derive(Serialize, Default)]
#[serde(rename_all = "camelCase")]
pub struct KubernetesView {
    /// Why the API can't be asked, or not for everything.
    pub silent: Option<String>,
    pub ready: bool,
    /// Version of the API server that answered.
    pub version: Option<String>,
    /// Checks of `/readyz` that fail.
    pub failing: Vec<String>,
    pub etcd: EtcdView,
    pub nodes: Vec<NodeView>,
    /// What is missing until the cluster is ready; empty without a definition.
    pub missing: Vec<String>,
    /// Pods of the system that do not run, where no definition says which ones should.
    pub failed_pods: Vec<String>,
    /// Why it is not known what should run.
    pub not_compared: Option<String>,
    pub certificates: Vec<Certificate>,
}

/// What is visible of etcd from outside.
#[derive(Serialize, Default)]
#[serde(rename_all = "camelCase")]
pub struct EtcdView {
    /// Whether the API server reaches it, which takes a quorum; `None` where it is not known.
    answers: Option<bool>,
    /// Members whose pod runs, and all that have a pod. A running pod does not prove a healthy member.
    running: usize,
    pods: usize,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NodeView {
    name: String,
    /// `control-plane a`, `pool web`; empty where it is not known.
    role: String,
    version: String,
    ready: bool,
    cordoned: bool,
    trouble: Option<String>,
}

impl KubernetesView {
    /// Of an API that can't be asked.
    pub fn silent(why: &impl ToString) -> Self {
        Self {
            silent: Some(why.to_string()),
            ..Self::default()
        }
    }

    /// Whether there is a Node of this name, and nothing is wrong with it.
    pub fn has_ready_node(&self, name: &str) -> bool {
        self.nodes
            .iter()
            .any(|node| node.name == name && node.ready)
    }

    /// From one observation of the cluster.
    pub fn of(
        seen: &ClusterState,
        version: Option<String>,
        wanted: Option<(&WantedCluster, &Readiness)>,
    ) -> Self {
        let health = match &seen.health {
            Ok(health) => health,
            Err(error) => return Self::silent(&error.brief()),
        };
        let (contents, silent) = match &seen.contents {
            Some(Ok(contents)) => (Some(contents), None),
            Some(Err(error)) => (None, Some(error.to_string())),
            None => (None, None),
        };
        let nodes = contents.map_or(&[][..], |contents| &contents.nodes);
        let pods = contents.map_or(&[][..], |contents| &contents.pods);
        let members = || pods.iter().filter(|pod| pod.is(ETCD));
        let runs = |pod: &&Pod| pod.trouble.is_none();
        Self {
            silent,
            ready: health.ready,
            version,
            failing: health.failing().map(str::to_owned).collect(),
            etcd: EtcdView {
                answers: health.etcd(),
                running: members().filter(runs).count(),
                pods: members().count(),
            },
            nodes: nodes
                .iter()
                .map(|one| node(one, wanted.map(|(wanted, _)| wanted)))
                .collect(),
            failed_pods: match wanted {
                Some(_) => Vec::new(),
                None => pods.iter().filter_map(failed_pod).collect(),
            },
            not_compared: wanted
                .is_none()
                .then(|| "there is no definition here that says what should run".to_owned()),
            missing: wanted.map_or_else(Vec::new, |(_, account)| account.missing().collect()),
            certificates: Vec::new(),
        }
    }
}

fn failed_pod(pod: &Pod) -> Option<String> {
    Some(format!("{} does not run: {}", pod.name, pod.failure()?))
}

fn node(node: &Node, wanted: Option<&WantedCluster>) -> NodeView {
    let slot = wanted.and_then(|wanted| {
        let fits = |address| node.address == Some(std::net::IpAddr::V4(address));
        let slot = wanted.slots.iter().find(|slot| fits(slot.address))?;
        Some(format!("control-plane {}", slot.letter))
    });
    let labelled = || {
        Some(format!(
            "control-plane {}",
            node.labels.get(crate::kube::SLOT_LABEL)?
        ))
    };
    let pool = || Some(format!("pool {}", node.pool()?));
    NodeView {
        name: node.name.clone(),
        role: slot.or_else(labelled).or_else(pool).unwrap_or_default(),
        version: node.version.clone(),
        ready: node.trouble.is_none(),
        cordoned: node.cordoned,
        trouble: node.trouble.clone(),
    }
}

/// What is wrong with a cluster, as far as its API says.
pub fn trouble(view: &KubernetesView) -> Vec<String> {
    let mut all = Vec::new();
    match (&view.silent, view.failing.as_slice()) {
        (_, [_, ..]) => all.push(format!(
            "the API is not ready: {} fails",
            view.failing.join(", ")
        )),
        (None, []) if !view.ready => all.push("the API is not ready".to_owned()),
        (_, []) => all.extend(view.missing.iter().cloned()),
    }
    // Without a definition nothing is known to be missing; what is there is looked at all the same.
    if view.missing.is_empty() {
        all.extend(view.nodes.iter().filter_map(|node| {
            let why = node.trouble.as_ref()?;
            Some(format!("{} is NotReady: {why}", node.name))
        }));
    }
    all.extend(view.failed_pods.iter().cloned());
    if let Assessment::Expiring(names) = certificates::assess(&view.certificates, 0) {
        all.push(format!("certificates that are not valid: {names}"));
    }
    all
}

/// What of a cluster could not be looked at.
pub fn unseen(view: &KubernetesView) -> Vec<String> {
    let silent = view.silent.iter().map(|why| format!("Kubernetes: {why}"));
    let unread = view.certificates.iter().filter_map(|row| {
        let why = row.trouble.as_ref().filter(|_| row.days_left.is_none())?;
        Some(format!("certificate of {}: {why}", row.name))
    });
    silent
        .chain(view.not_compared.clone())
        .chain(unread)
        .collect()
}

/// The lines below the API's address, for 80 columns.
pub fn summary(view: &KubernetesView) -> String {
    let mut text = String::new();
    let mut line = |label: &str, content: &str| {
        let label = format!("{label:10}");
        let options = folding(80).initial_indent(&label);
        let options = options.subsequent_indent("          ");
        // Writing to a String can't fail.
        let _ = writeln!(text, "{}", textwrap::fill(content, options));
    };
    if let Some(version) = &view.version {
        let ready = if view.ready { "ready" } else { "not ready" };
        line("version", &format!("{version}, {ready}"));
    } else if view.ready {
        line("", "is ready");
    }
    if !view.failing.is_empty() {
        line("", &format!("failing checks: {}", view.failing.join(", ")));
    }
    if let Some(words) = etcd(&view.etcd) {
        line("etcd", &words);
    }
    if let Some(why) = &view.silent {
        line("", why);
    }
    let soonest = |kind| {
        let rows = view.certificates.iter().filter(move |row| row.kind == kind);
        rows.filter_map(|row| row.days_left).min()
    };
    let left = |name: &str, days: i64| match days {
        ..0 => format!("{name} expired"),
        days => format!("{name} {days} days left"),
    };
    let kinds = [
        ("serving", soonest(CertificateKind::Serving)),
        ("authorities", soonest(CertificateKind::Authority)),
    ];
    let left_words = kinds
        .iter()
        .filter_map(|(name, days)| Some(left(name, (*days)?)));
    let left_words: Vec<_> = left_words.collect();
    if !left_words.is_empty() {
        line("certs", &left_words.join(", "));
    }
    for trouble in view
        .certificates
        .iter()
        .filter_map(|row| row.trouble.as_ref())
    {
        line("", &format!("!! {trouble}"));
    }
    text
}

/// The nodes and what is missing, below everything else.
pub fn nodes(view: &KubernetesView) -> String {
    let mut text = String::new();
    if !view.nodes.is_empty() {
        // Writing to a String can't fail.
        let _ = write!(text, "\n{}\n", table(&view.nodes));
    }
    for what in view.missing.iter().chain(&view.failed_pods) {
        let _ = writeln!(text, "{}", listed_line(" !! ", what));
    }
    if let Some(what) = &view.not_compared {
        let _ = writeln!(text, "{}", listed_line(" ?? ", what));
    }
    text
}

fn etcd(etcd: &EtcdView) -> Option<String> {
    let answers = if etcd.answers? {
        "answers"
    } else {
        "does not answer"
    };
    Some(match etcd.pods {
        0 => answers.to_owned(),
        pods => format!("{answers}; {} of {pods} members' pods run", etcd.running),
    })
}

fn table(nodes: &[NodeView]) -> String {
    let rows = nodes.iter().map(|node| {
        let ready = match (node.ready, node.cordoned) {
            (true, false) => "Ready",
            (true, true) => "Ready, cordoned",
            (false, false) => "NotReady",
            (false, true) => "NotReady, cordoned",
        };
        vec![
            node.name.clone(),
            node.role.clone(),
            node.version.clone(),
            ready.to_owned(),
        ]
    });
    format::table(&["NODE", "ROLE", "VERSION", "STATE"], rows)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kube::{ClusterContents, Health, KubeError};

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
}
