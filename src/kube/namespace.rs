//! Namespaces, as far as a right in one of them goes: which ones are the cluster's own, and what Pod Security
//! enforces there. Only a label counts: a default of the cluster is that of one API server of several, and not
//! the same in all of them until the last control-plane machine is replaced.

use std::collections::BTreeMap;
use std::fmt;

use ::kube::api::{ObjectMeta, Patch, PatchParams};
use k8s_openapi::api::core::v1 as core;

use super::access::{MANAGER, pairs};
use super::{Api, KubeError};
use crate::catalog::addons;

/// Label of a namespace: the level that its pods must keep.
pub const ENFORCE_LABEL: &str = "pod-security.kubernetes.io/enforce";
/// Labels of a namespace: what is only reported, to the client and in the audit log.
const WARN_LABEL: &str = "pod-security.kubernetes.io/warn";
const AUDIT_LABEL: &str = "pod-security.kubernetes.io/audit";

/// Why users get no right in a namespace; `None` for one that is theirs.
pub fn reserved(namespace: &str) -> Option<&'static str> {
    match namespace {
        addons::NAMESPACE => Some(
            "the cluster's own controllers run there: who starts pods or writes Secrets in it can become \
             any of them, which is an administrator of the whole cluster, and Pod Security exempts it",
        ),
        "kube-cfn" => Some("the password of the database's application user is kept there"),
        other if other.starts_with("kube-") => {
            Some("names that start with `kube-` belong to Kubernetes itself")
        }
        _ => None,
    }
}

/// A level of the Pod Security Standards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PodSecurityLevel {
    /// Refuses no pod.
    Privileged,
    /// Refuses pods that reach their machine.
    Baseline,
    /// Also refuses root and whatever gains privileges.
    Restricted,
}

impl PodSecurityLevel {
    /// As the API server reads a label: what it does not know counts as the strictest.
    fn of_label(text: &str) -> Self {
        match text {
            "privileged" => Self::Privileged,
            "baseline" => Self::Baseline,
            _ => Self::Restricted,
        }
    }
}

impl fmt::Display for PodSecurityLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Privileged => "privileged",
            Self::Baseline => "baseline",
            Self::Restricted => "restricted",
        })
    }
}

/// What Pod Security enforces in a namespace, whichever API server answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PodSecurity {
    /// The namespace's own label says so.
    Label(PodSecurityLevel),
    /// There is no label.
    Unlabelled,
}

impl PodSecurity {
    /// What the labels of a namespace say.
    pub fn of_labels(labels: &BTreeMap<String, String>) -> Self {
        let level = labels.get(ENFORCE_LABEL);
        level.map_or(Self::Unlabelled, |level| {
            Self::Label(PodSecurityLevel::of_label(level))
        })
    }

    /// Whether pods that reach their machine are known to be refused.
    pub fn confines_pods(&self) -> bool {
        match self {
            Self::Label(level) => *level != PodSecurityLevel::Privileged,
            Self::Unlabelled => false,
        }
    }
}

impl fmt::Display for PodSecurity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Label(level) => write!(f, "its label enforces `{level}`"),
            Self::Unlabelled => write!(f, "it has no label {ENFORCE_LABEL}"),
        }
    }
}

impl Api {
    /// The labels of a namespace; `None` where there is no such namespace.
    pub async fn namespace_labels(
        &self,
        name: &str,
    ) -> Result<Option<BTreeMap<String, String>>, KubeError> {
        let found = self.cluster::<core::Namespace>().get_opt(name).await;
        let found = found.map_err(|error| self.failed(error))?;
        Ok(found.map(|found| found.metadata.labels.unwrap_or_default()))
    }

    /// Makes a namespace whose pods must keep `baseline`. The labels of one that another client made meanwhile
    /// are a conflict, never overwritten.
    pub async fn make_namespace(&self, name: &str) -> Result<PodSecurity, KubeError> {
        let wanted = core::Namespace {
            metadata: ObjectMeta {
                name: Some(name.to_owned()),
                labels: Some(pairs([
                    (ENFORCE_LABEL, "baseline"),
                    (WARN_LABEL, "restricted"),
                    (AUDIT_LABEL, "restricted"),
                ])),
                ..ObjectMeta::default()
            },
            ..core::Namespace::default()
        };
        let params = PatchParams::apply(MANAGER);
        let namespaces = self.cluster::<core::Namespace>();
        let wanted = Patch::Apply(&wanted);
        let applied = namespaces.patch(name, &params, &wanted).await;
        applied.map_err(|error| self.failed(error))?;
        Ok(PodSecurity::Label(PodSecurityLevel::Baseline))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn namespaces_of_the_cluster_are_reserved() {
        for name in [
            "kube-system",
            "kube-public",
            "kube-node-lease",
            "kube-cfn",
            "kube-x",
        ] {
            assert!(reserved(name).is_some(), "{name}");
        }
        for name in ["default", "web", "kubernetes", "kube", "my-kube-system"] {
            assert_eq!(reserved(name), None, "{name}");
        }
    }

    #[test]
    fn pod_security_label_that_kubernetes_does_not_know_is_the_strictest() {
        assert_eq!(
            PodSecurityLevel::of_label("Privileged"),
            PodSecurityLevel::Restricted
        );
    }

    #[test]
    fn only_a_label_confines_pods() {
        let confines = |labels: &[(&str, &str)]| {
            let pair = |(name, level): &(&str, &str)| ((*name).to_owned(), (*level).to_owned());
            PodSecurity::of_labels(&labels.iter().map(pair).collect()).confines_pods()
        };
        assert!(confines(&[(ENFORCE_LABEL, "baseline")]));
        assert!(confines(&[(ENFORCE_LABEL, "restricted")]));
        assert!(!confines(&[(ENFORCE_LABEL, "privileged")]));
        assert!(!confines(&[(WARN_LABEL, "restricted")]));
        assert!(!confines(&[]));
    }
}
