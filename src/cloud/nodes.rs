//! The nodes of a cluster and what runs on them, as far as machines are drained: what a roll reads and does through the
//! Kubernetes API. Knows nothing of AWS.

use std::collections::BTreeMap;

use jiff::Timestamp;

/// Why the Kubernetes API did not do what it was asked, in words that fit after "failed to …: ".
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NodesError {
    /// No answer, or an API server that is overloaded or about to stop. What was asked may have happened.
    #[error("{0}")]
    Away(String),
    /// An answer that a repetition does not change: missing rights, a request that is wrong.
    #[error("{0}")]
    Refused(String),
}

/// Nodes, pods and budgets. Every read returns every page, each page reduced and dropped.
#[allow(async_fn_in_trait, reason = "one thread, no Send bound wanted")]
pub trait Nodes {
    /// Every node, by name.
    async fn node_states(&self) -> Result<Vec<NodeState>, NodesError>;

    /// Every pod that has a node or waits for one.
    async fn pod_states(&self) -> Result<Vec<PodState>, NodesError>;

    /// The pods of one node.
    async fn pods_on(&self, node: &str) -> Result<Vec<PodState>, NodesError>;

    /// Every `PodDisruptionBudget`.
    async fn budgets(&self) -> Result<Vec<Budget>, NodesError>;

    /// Every `VolumeAttachment` that is attached or on its way.
    async fn attachments(&self) -> Result<Vec<Attachment>, NodesError>;

    /// Changes a node: only what the mark names. Not an error where there is no such node.
    async fn mark_node(&self, node: &str, mark: &NodeMark) -> Result<(), NodesError>;

    /// Asks Kubernetes to evict a pod: it keeps to the budgets.
    async fn evict(&self, pod: &PodRef) -> Result<Eviction, NodesError>;

    /// Deletes a pod against its budget, with its grace period. Not an error if it is gone.
    async fn remove_pod(&self, pod: &PodRef) -> Result<(), NodesError>;

    /// Deletes a Node object, never one that was made under its name since. Not an error if it is gone.
    async fn delete_node(&self, node: &str, uid: &str) -> Result<(), NodesError>;

    /// Whether the API says that it is ready, for one probe: `/readyz` within two seconds.
    async fn is_ready(&self) -> bool;
}

/// A node.
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeState {
    /// The instance's id.
    pub name: String,
    pub uid: String,
    pub labels: BTreeMap<String, String>,
    /// Of its kubelet, `v1.36.2`.
    pub version: String,
    /// `None` for a node that is Ready; else why not.
    pub trouble: Option<String>,
    /// Since when it is Ready, or not.
    pub since: Option<Timestamp>,
    /// Whether its kubelet does not report: nobody knows what runs there. A kubelet that reports that it isn't Ready is not
    /// silent.
    pub is_silent: bool,
    pub is_cordoned: bool,
    /// Whether somebody else had cordoned it before a roll did: it stays so.
    pub was_cordoned: bool,
    /// When a roll cordoned it, by its own clock: the time of the annotation [`ROLL`].
    pub roll: Option<String>,
    /// Whether it has the taint [`OUTDATED`].
    pub is_outdated: bool,
    /// Whether a roll keeps the cluster autoscaler from removing it.
    pub is_kept: bool,
    pub created: Option<Timestamp>,
    /// What it can give to pods.
    pub allocatable: NodeResources,
}

/// Processor time and memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct NodeResources {
    pub milli_cpu: u64,
    pub memory_bytes: u64,
}

/// Annotation of a node that a roll has cordoned, and tag of an instance that it takes out of its group.
pub const ROLL: &str = crate::common::tags::TAG_ROLL;
/// Taint of nodes that are to be replaced: new pods prefer others.
pub const OUTDATED: &str = "kube-cfn/outdated";

/// What is changed on a node; `None` changes nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NodeMark {
    /// `Some(Some(time))` cordons, gives the annotation and the label that takes it out of load balancers;
    /// `Some(None)` takes away those of the three
    /// that were not there before.
    pub cordon: Option<Option<String>>,
    /// Gives or takes the taint.
    pub outdated: Option<bool>,
    /// Gives or takes the annotation that keeps the cluster autoscaler from removing it.
    pub keep: Option<bool>,
}

/// A pod by its name; its uid, so that no other of the name is meant.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct PodRef {
    pub namespace: String,
    pub name: String,
    pub uid: String,
}

/// What controls a pod, as far as a drain cares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PodOwner {
    /// A static pod of its kubelet.
    Static,
    DaemonSet,
    /// Another controller, in words: `Deployment shop/web`. It makes a new pod.
    Controller(String),
    /// Nobody: it would not come back.
    Nobody,
}

/// Where a pod is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PodPhase {
    Pending,
    Running,
    /// Succeeded or failed.
    Finished,
}

/// A pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PodState {
    pub pod: PodRef,
    /// `None` while it waits for one.
    pub node: Option<String>,
    pub labels: BTreeMap<String, String>,
    pub owner: PodOwner,
    pub phase: PodPhase,
    /// `None` for a pod that is Ready or finished; else why not, in the API's words.
    pub trouble: Option<String>,
    /// Since when it is on its way out.
    pub ending: Option<Timestamp>,
    pub finalizers: Vec<String>,
    /// Seconds that it may take to end.
    pub grace_seconds: u64,
    pub requests: NodeResources,
    /// Images of its containers.
    pub images: Vec<String>,
    /// Whether data of an emptyDir or of its machine ends with it.
    pub loses_local_data: bool,
    /// Whether it has a volume of the kind `gitRepo`, which Kubernetes runs no more since 1.36.
    pub has_git_repo: bool,
    /// Claims that it uses, in its namespace.
    pub claims: Vec<String>,
    /// Zones in which its volumes can be, where they can't be anywhere; empty otherwise.
    pub volume_zones: Vec<String>,
}

/// The version of an image, by its tag: without a `v` before it.
pub fn image_version(image: &str) -> Option<&str> {
    let name = image.split('@').next()?;
    let (_, tag) = name.rsplit_once(':')?;
    Some(tag.strip_prefix('v').unwrap_or(tag))
}

/// A `PodDisruptionBudget`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Budget {
    pub namespace: String,
    pub name: String,
    pub selector: Selector,
    /// How many evictions it allows now.
    pub allowed: i64,
    pub healthy: i64,
    /// How many must stay healthy.
    pub desired_healthy: i64,
    /// How many pods it counts.
    pub expected: i64,
}

/// Labels that select pods. An empty one selects every pod of its namespace.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Selector {
    pub labels: BTreeMap<String, String>,
    pub expressions: Vec<Expression>,
}

/// One of the expressions of a selector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expression {
    In(String, Vec<String>),
    NotIn(String, Vec<String>),
    Exists(String),
    DoesNotExist(String),
}

impl Selector {
    /// Whether it selects a pod with these labels.
    pub fn selects(&self, labels: &BTreeMap<String, String>) -> bool {
        let equal = |(key, value): (&String, &String)| labels.get(key) == Some(value);
        self.labels.iter().all(equal) && self.expressions.iter().all(|one| one.selects(labels))
    }
}

impl Expression {
    fn selects(&self, labels: &BTreeMap<String, String>) -> bool {
        match self {
            Self::In(key, values) => labels.get(key).is_some_and(|value| values.contains(value)),
            Self::NotIn(key, values) => {
                !labels.get(key).is_some_and(|value| values.contains(value))
            }
            Self::Exists(key) => labels.contains_key(key),
            Self::DoesNotExist(key) => !labels.contains_key(key),
        }
    }
}

/// A volume at a node, or on its way there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attachment {
    pub node: String,
    /// The PersistentVolume.
    pub volume: String,
}

/// The answer to an eviction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Eviction {
    /// It is on its way out.
    Begun,
    Gone,
    /// 429: a budget does not allow it now.
    Blocked(String),
    /// 429 without a budget: the API server asks to slow down.
    Slower,
    /// 500: several budgets select it.
    SeveralBudgets(String),
    /// A webhook of the admission denies it, or can't be asked; its words.
    Denied(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn selector_selects_by_labels_and_expressions() {
        let labels = |all: &[(&str, &str)]| -> BTreeMap<String, String> {
            let pairs = all.iter().copied();
            pairs
                .map(|(key, value)| (key.to_owned(), value.to_owned()))
                .collect()
        };
        let selector = Selector {
            labels: labels(&[("app", "web")]),
            expressions: vec![
                Expression::In("tier".to_owned(), vec!["a".to_owned(), "b".to_owned()]),
                Expression::NotIn("track".to_owned(), vec!["canary".to_owned()]),
                Expression::Exists("zone".to_owned()),
                Expression::DoesNotExist("old".to_owned()),
            ],
        };
        let good = [("app", "web"), ("tier", "b"), ("zone", "")];
        assert!(selector.selects(&labels(&good)));
        for (key, value) in [
            ("app", "api"),
            ("tier", "c"),
            ("track", "canary"),
            ("old", ""),
        ] {
            let mut bad = labels(&good);
            bad.insert(key.to_owned(), value.to_owned());
            assert!(!selector.selects(&bad), "{key}");
        }
        let mut bad = labels(&good);
        bad.remove("zone");
        assert!(!selector.selects(&bad));
        assert!(Selector::default().selects(&labels(&[])));
    }

    #[test]
    fn version_of_an_image_has_no_digest_and_no_v() {
        assert_eq!(
            image_version("registry.k8s.io/kube-apiserver:v1.36.4"),
            Some("1.36.4")
        );
        assert_eq!(
            image_version("registry.k8s.io/etcd:3.6.11-0@sha256:abc"),
            Some("3.6.11-0")
        );
        assert_eq!(
            image_version("registry.example:5000/kube-apiserver"),
            Some("5000/kube-apiserver")
        );
        assert_eq!(image_version("kube-apiserver"), None);
    }
}
