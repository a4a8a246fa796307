//! Namespaces, as far as a right in one of them goes: which ones are the cluster's own, and what Pod Security
//! enforces there. Reads labels, and tries a pod in a dry run where there is none: nothing is started.

use std::collections::BTreeMap;
use std::fmt;

use ::kube::api::{ObjectMeta, Patch, PatchParams, PostParams};
use k8s_openapi::api::core::v1 as core;

use super::access::{MANAGER, pairs};
use super::{Api, KubeError};
use crate::catalog::addons;

/// Label of a namespace: the level that its pods must keep.
pub const ENFORCE_LABEL: &str = "pod-security.kubernetes.io/enforce";
/// Labels of a namespace: what is only reported, to the client and in the audit log.
const WARN_LABEL: &str = "pod-security.kubernetes.io/warn";
const AUDIT_LABEL: &str = "pod-security.kubernetes.io/audit";
/// What the API server says of a pod that breaks the level of its namespace.
const VIOLATION: &str = "violates PodSecurity ";

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

/// What Pod Security enforces in a namespace, and how that is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PodSecurity {
    /// The namespace's own label says so.
    Label(PodSecurityLevel),
    /// No label: the API server refused a privileged pod by its default, such as `baseline:latest`.
    Default(String),
    /// No label: the API server would take a privileged pod.
    Unenforced,
    /// No label, and the trial says nothing, for this reason.
    Unknown(String),
}

impl PodSecurity {
    /// Whether pods that reach their machine are known to be refused.
    pub fn confines_pods(&self) -> bool {
        match self {
            Self::Label(level) => *level != PodSecurityLevel::Privileged,
            Self::Default(_) => true,
            Self::Unenforced | Self::Unknown(_) => false,
        }
    }

    /// What the API server's answer to a privileged pod says of its default.
    fn of_trial<T>(answer: Result<T, KubeError>) -> Result<Self, KubeError> {
        match answer {
            Ok(_) => Ok(Self::Unenforced),
            Err(KubeError::Forbidden(text)) if text.contains(VIOLATION) => {
                let policy = text.split(VIOLATION).nth(1).unwrap_or_default();
                let policy = policy.split('"').nth(1).unwrap_or("the default");
                Ok(Self::Default(policy.to_owned()))
            }
            // Another check refused it, before or after Pod Security: a webhook, a quota, no service account.
            Err(
                error @ (KubeError::Forbidden(_) | KubeError::Api { .. } | KubeError::Conflict(_)),
            ) => Ok(Self::Unknown(error.to_string())),
            Err(error) => Err(error),
        }
    }
}

impl fmt::Display for PodSecurity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Label(level) => write!(f, "its label enforces `{level}`"),
            Self::Default(policy) => write!(f, "it has no label; the API server's default enforces `{policy}`"),
            Self::Unenforced => f.write_str(
                "it has no label, and the API server that answered took a privileged pod in a dry run: it has \
                 no default yet",
            ),
            Self::Unknown(why) => write!(f, "it has no label, and a dry run did not show the default: {why}"),
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

    /// What Pod Security enforces in a namespace with these labels.
    pub async fn pod_security(
        &self,
        namespace: &str,
        labels: &BTreeMap<String, String>,
    ) -> Result<PodSecurity, KubeError> {
        if let Some(level) = labels.get(ENFORCE_LABEL) {
            return Ok(PodSecurity::Label(PodSecurityLevel::of_label(level)));
        }
        let params = PostParams {
            dry_run: true,
            field_manager: Some(MANAGER.to_owned()),
        };
        let pods = self.in_namespace::<core::Pod>(namespace);
        let answer = pods.create(&params, &privileged_pod()).await;
        PodSecurity::of_trial(answer.map_err(|error| self.failed(error)))
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

/// A pod that every level but `privileged` refuses.
fn privileged_pod() -> core::Pod {
    core::Pod {
        metadata: ObjectMeta {
            name: Some("kube-cfn-pod-security-trial".to_owned()),
            ..ObjectMeta::default()
        },
        spec: Some(core::PodSpec {
            automount_service_account_token: Some(false),
            containers: vec![core::Container {
                name: "trial".to_owned(),
                image: Some("registry.k8s.io/pause:3.10.1".to_owned()),
                security_context: Some(core::SecurityContext {
                    privileged: Some(true),
                    ..core::SecurityContext::default()
                }),
                ..core::Container::default()
            }],
            ..core::PodSpec::default()
        }),
        ..core::Pod::default()
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
        assert!(PodSecurity::Label(PodSecurityLevel::of_label("x")).confines_pods());
        assert!(!PodSecurity::Label(PodSecurityLevel::of_label("privileged")).confines_pods());
    }

    #[test]
    fn pod_security_trial_tells_a_violation_from_other_refusals() {
        let forbidden = |text: &str| Err::<(), _>(KubeError::Forbidden(text.to_owned()));
        let violation =
            "pods \"x\" is forbidden: violates PodSecurity \"baseline:latest\": privileged";
        let found = PodSecurity::of_trial(forbidden(violation)).unwrap();
        assert_eq!(found, PodSecurity::Default("baseline:latest".to_owned()));
        let found = PodSecurity::of_trial(forbidden("exceeded quota")).unwrap();
        assert!(matches!(found, PodSecurity::Unknown(_)) && !found.confines_pods());
        assert_eq!(
            PodSecurity::of_trial(Ok(())).unwrap(),
            PodSecurity::Unenforced
        );
        let gone = KubeError::Unauthorized("x".to_owned());
        assert_eq!(PodSecurity::of_trial(Err::<(), _>(gone.clone())), Err(gone));
    }
}
