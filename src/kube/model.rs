//! What is seen in a cluster, in our own words: health, nodes, pods. Knows the API's types; must not
//! know what was wanted.

use std::collections::BTreeMap;
use std::net::IpAddr;

use jiff::Timestamp;
use k8s_openapi::api::core::v1 as core;
use serde::Serialize;

use crate::common::tags::POOL_LABEL;
use crate::common::text::one_line;

/// What `/readyz?verbose` answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Health {
    /// Whether the answer was 200.
    pub ready: bool,
    /// Every check by its name, and whether it passes; empty where the server lists none.
    pub checks: Vec<(String, bool)>,
}

impl Health {
    /// Reads the lines `[+]etcd ok` and `[-]etcd failed: reason withheld`; `None` where there is none, so that no API
    /// server has answered.
    pub(super) fn read(code: u16, text: &str) -> Option<Self> {
        let check = |line: &str| {
            let (passes, rest) = match line.split_at_checked(3)? {
                ("[+]", rest) => (true, rest),
                ("[-]", rest) => (false, rest),
                _ => return None,
            };
            Some((rest.split_whitespace().next()?.to_owned(), passes))
        };
        let checks: Vec<_> = text.lines().filter_map(check).collect();
        (!checks.is_empty()).then_some(Self {
            ready: code == 200,
            checks,
        })
    }

    /// Names of the checks that fail.
    pub fn failing(&self) -> impl Iterator<Item = &str> {
        let failing = self.checks.iter().filter(|(_, passes)| !passes);
        failing.map(|(name, _)| name.as_str())
    }

    /// What this API server says of its way to etcd: `None` where it does not say. That its etcd
    /// member answers says that there is a quorum, not that every member lives.
    pub fn etcd(&self) -> Option<bool> {
        let etcd = |name: &str| name == "etcd" || name == "etcd-readiness";
        let mut checks = self.checks.iter().filter(|(name, _)| etcd(name)).peekable();
        checks.peek()?;
        Some(checks.all(|(_, passes)| *passes))
    }
}

/// A node as the API tells of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// The instance id.
    pub name: String,
    pub labels: BTreeMap<String, String>,
    pub address: Option<IpAddr>,
    /// Version of its kubelet, `v1.36.2`.
    pub version: String,
    /// `None` for a node that is Ready; else why not.
    pub trouble: Option<String>,
    /// Whether it is cordoned.
    pub cordoned: bool,
    pub created: Option<Timestamp>,
}

impl Node {
    pub fn pool(&self) -> Option<&str> {
        self.labels.get(POOL_LABEL).map(String::as_str)
    }
}

impl From<core::Node> for Node {
    fn from(node: core::Node) -> Self {
        let status = node.status.unwrap_or_default();
        let address = status.addresses.unwrap_or_default();
        let address = address
            .iter()
            .find(|address| address.type_ == "InternalIP")
            .and_then(|address| address.address.parse().ok());
        let conditions = status.conditions.unwrap_or_default();
        Self {
            trouble: trouble(&conditions),
            address,
            version: status
                .node_info
                .map(|info| info.kubelet_version)
                .unwrap_or_default(),
            labels: node.metadata.labels.unwrap_or_default(),
            cordoned: node.spec.and_then(|spec| spec.unschedulable) == Some(true),
            created: node.metadata.creation_timestamp.map(|time| time.0),
            name: node.metadata.name.unwrap_or_default(),
        }
    }
}

fn trouble(conditions: &[core::NodeCondition]) -> Option<String> {
    let Some(ready) = conditions.iter().find(|one| one.type_ == "Ready") else {
        return Some("its kubelet has not reported yet".to_owned());
    };
    let says = ready.message.as_deref().unwrap_or_default().trim();
    match (ready.status.as_str(), says) {
        ("True", _) => None,
        ("Unknown", "") => Some("its kubelet stopped reporting".to_owned()),
        (_, "") => Some(
            ready
                .reason
                .clone()
                .unwrap_or_else(|| "no reason given".to_owned()),
        ),
        (_, says) => Some(plain(says)),
    }
}

/// The kubelet's usual long sentence, shortened to its cause.
fn plain(says: &str) -> String {
    const NETWORK: &str = "Network plugin returns error: ";
    if let Some((_, cause)) = says.split_once(NETWORK) {
        return format!("network plugin not ready: {}", cause.trim());
    }
    match says {
        "Kubelet stopped posting node status." => "its kubelet stopped reporting".to_owned(),
        says => one_line(says),
    }
}

/// The trouble of a pod that is on its way out: another one may run in its place.
const REMOVED: &str = "it is being removed";

/// A pod as the API tells of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pod {
    pub name: String,
    pub labels: BTreeMap<String, String>,
    /// The node that it was given; `None` while it waits for one.
    pub node: Option<String>,
    /// `None` for a pod that runs and is Ready, or has done its work; else why not.
    pub trouble: Option<String>,
    pub created: Option<Timestamp>,
}

impl Pod {
    /// Whether it carries `key: value`.
    pub fn is(&self, (key, value): (&str, &str)) -> bool {
        self.labels.get(key).is_some_and(|found| found == value)
    }

    /// Why it does not run, where it should.
    pub fn failure(&self) -> Option<&str> {
        self.trouble.as_deref().filter(|why| *why != REMOVED)
    }
}

impl From<core::Pod> for Pod {
    fn from(pod: core::Pod) -> Self {
        let trouble = pod_trouble(&pod);
        Self {
            name: pod.metadata.name.unwrap_or_default(),
            labels: pod.metadata.labels.unwrap_or_default(),
            node: pod.spec.and_then(|spec| spec.node_name),
            trouble,
            created: pod.metadata.creation_timestamp.map(|time| time.0),
        }
    }
}

/// Why a pod is not Ready, where it is not finished either.
pub(super) fn pod_trouble(pod: &core::Pod) -> Option<String> {
    if pod.metadata.deletion_timestamp.is_some() {
        return Some(REMOVED.to_owned());
    }
    let status = pod.status.as_ref()?;
    let conditions = status.conditions.as_deref().unwrap_or_default();
    let condition = |kind: &str| conditions.iter().find(|one| one.type_ == kind);
    let phase = status.phase.as_deref().unwrap_or("Pending");
    let ready = condition("Ready").is_some_and(|ready| ready.status == "True");
    if phase == "Running" && ready || phase == "Succeeded" {
        return None;
    }
    let containers = status.container_statuses.as_deref().unwrap_or_default();
    let waits = containers.iter().find_map(|container| {
        let waiting = container.state.as_ref()?.waiting.as_ref()?;
        let reason = waiting.reason.clone()?;
        Some(match waiting.message.as_deref().map(str::trim) {
            None | Some("") => reason,
            Some(message) => format!("{reason}: {message}"),
        })
    });
    let unscheduled = condition("PodScheduled").filter(|one| one.status == "False");
    let unscheduled = unscheduled.and_then(|one| one.message.clone());
    let text = waits.or(unscheduled).unwrap_or_else(|| match phase {
        "Running" => "running, not Ready yet".to_owned(),
        phase => phase.to_owned(),
    });
    Some(one_line(&text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn node(status: &str, message: &str) -> Node {
        let node: core::Node = serde_json::from_value(json!({
            "metadata": {"name": "i-0abc", "labels": {POOL_LABEL: "web"}},
            "status": {
                "addresses": [{"type": "InternalIP", "address": "10.20.0.10"}],
                "conditions": [{"type": "Ready", "status": status, "message": message}],
            },
        }))
        .unwrap();
        node.into()
    }

    #[test]
    fn not_ready_node_has_a_reason() {
        assert_eq!(
            node("True", "kubelet is posting ready status").trouble,
            None
        );
        let says = "container runtime network not ready: NetworkReady=false \
                    reason:NetworkPluginNotReady message:Network plugin returns error: cni plugin \
                    not initialized";
        assert_eq!(
            node("False", says).trouble.as_deref(),
            Some("network plugin not ready: cni plugin not initialized")
        );
        let silent = node("Unknown", "Kubelet stopped posting node status.");
        assert_eq!(
            silent.trouble.as_deref(),
            Some("its kubelet stopped reporting")
        );
        assert_eq!(silent.pool(), Some("web"));
        let bare = Node::from(core::Node::default());
        assert_eq!(
            bare.trouble.as_deref(),
            Some("its kubelet has not reported yet")
        );
    }

    #[test]
    fn not_running_pod_has_a_reason() {
        let pod = |status: serde_json::Value| {
            let pod: core::Pod =
                serde_json::from_value(json!({"metadata": {}, "status": status})).unwrap();
            Pod::from(pod).trouble
        };
        let ready = json!([{"type": "Ready", "status": "True"}]);
        assert_eq!(pod(json!({"phase": "Running", "conditions": ready})), None);
        assert_eq!(
            pod(json!({"phase": "Running"})).as_deref(),
            Some("running, not Ready yet")
        );
        let waiting = json!([{
            "name": "a", "image": "a", "imageID": "", "ready": false, "restartCount": 3,
            "state": {"waiting": {"reason": "CrashLoopBackOff"}},
        }]);
        assert_eq!(
            pod(json!({"phase": "Running", "containerStatuses": waiting})).as_deref(),
            Some("CrashLoopBackOff")
        );
        let unscheduled = json!([{
            "type": "PodScheduled", "status": "False", "message": "0/1 nodes are available",
        }]);
        assert_eq!(
            pod(json!({"phase": "Pending", "conditions": unscheduled})).as_deref(),
            Some("0/1 nodes are available")
        );
    }

    #[test]
    fn health_is_parsed_by_line() {
        let text = "[+]ping ok\n[-]etcd failed: reason withheld\nreadyz check failed\n";
        let health = Health::read(500, text).unwrap();
        assert!(!health.ready);
        assert_eq!(health.failing().collect::<Vec<_>>(), ["etcd"]);
        assert_eq!(health.etcd(), Some(false));
        let good = Health::read(200, "[+]etcd ok\n[+]etcd-readiness ok\n").unwrap();
        assert_eq!((good.ready, good.etcd()), (true, Some(true)));
        let ping = Health::read(200, "[+]ping ok\n").unwrap();
        assert_eq!((ping.ready, ping.etcd()), (true, None));
    }

    #[test]
    fn page_of_a_proxy_is_no_health() {
        for (code, text) in [
            (200, "<html>sign in</html>"),
            (200, ""),
            (502, "Bad Gateway"),
            (503, ""),
        ] {
            assert_eq!(Health::read(code, text), None, "{code} {text}");
        }
    }
}
