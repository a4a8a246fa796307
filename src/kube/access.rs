//! What machines of a CI may do in a namespace: a small set of roles, bound to a user by a binding
//! that also records the certificates that were handed out. Written by server-side apply.

use std::collections::BTreeMap;
use std::fmt;

use ::kube::api::{DeleteParams, ListParams, ObjectMeta, Patch, PatchParams};
use jiff::Timestamp;
use k8s_openapi::api::rbac::v1 as rbac;
use serde::{Deserialize, Serialize};

use super::{Api, KubeError};

/// Owner of the fields that are written.
pub(super) const MANAGER: &str = "kube-cfn";
/// Tells our bindings from everybody else's.
const MARK: (&str, &str) = ("app.kubernetes.io/managed-by", "kube-cfn");
const WHO: &str = "kube-cfn/access";
const ROLE: &str = "kube-cfn/role";
const CERTIFICATES: &str = "kube-cfn/certificates";
/// The role that we write ourselves, beside the two that every cluster has.
const DEPLOYER: &str = "kube-cfn:deployer";
const RBAC: &str = "rbac.authorization.k8s.io";

/// What a user may do in one namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NamespaceRole {
    /// Reads everything but Secrets: the cluster's own `view`.
    Viewer,
    /// Deploys: writes workloads, services, configuration, Secrets; no exec, no rights, no quotas.
    Deployer,
    /// Everything in the namespace, rights included: the cluster's own `admin`.
    Admin,
}

impl NamespaceRole {
    /// Every role, the weakest first.
    pub const ALL: [Self; 3] = [Self::Viewer, Self::Deployer, Self::Admin];

    /// What a user with the role can reach, in words that fit after its name. Not only its verbs: who may start
    /// a pod has what the pod has.
    pub fn reach(self) -> &'static str {
        match self {
            Self::Viewer => {
                "reads everything in the namespace but Secrets and roles, the logs of its pods included \
                 (the cluster's own role `view`)"
            }
            Self::Deployer => {
                "writes workloads, services, configuration and Secrets, reads pods and logs: enough for \
                 kubectl apply and Helm; no exec, no roles, no quotas. So it reads every Secret of the \
                 namespace, runs any image under any of its service accounts, makes tokens of them, and has \
                 the AWS roles that trust them, as with the cluster's own role `edit`"
            }
            Self::Admin => {
                "everything in the namespace but its quotas and its own labels (the cluster's own role \
                 `admin`): what a deployer reaches, exec into its pods, and roles for others"
            }
        }
    }

    /// Whether a user with the role can start pods: then what Pod Security enforces in the namespace decides
    /// whether they can become root on a machine.
    pub fn starts_pods(self) -> bool {
        match self {
            Self::Viewer => false,
            Self::Deployer | Self::Admin => true,
        }
    }
}

impl fmt::Display for NamespaceRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Viewer => "viewer",
            Self::Deployer => "deployer",
            Self::Admin => "admin",
        })
    }
}

/// A certificate that was handed out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct IssuedCertificate {
    /// Serial number in hex, as the audit log's readers look for it.
    pub serial: String,
    pub issued: Timestamp,
    pub expires: Timestamp,
    /// Who asked for it, as AWS knows them.
    pub by: String,
}

/// A user's right in one namespace, with the record of their certificates.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Binding {
    pub who: String,
    pub namespace: String,
    /// `None` where the record was changed by another client.
    pub role: Option<NamespaceRole>,
    pub certificates: Vec<IssuedCertificate>,
}

impl Binding {
    /// The Kubernetes user behind `who`.
    pub fn user(who: &str) -> String {
        format!("kube-cfn:ci:{who}")
    }

    fn name(&self) -> String {
        Self::user(&self.who)
    }

    fn read(found: rbac::RoleBinding) -> Option<Self> {
        let labels = found.metadata.labels.unwrap_or_default();
        let notes = found.metadata.annotations.unwrap_or_default();
        let certificates = notes.get(CERTIFICATES);
        let role = notes.get(ROLE).map(|role| serde_json::json!(role));
        Some(Self {
            who: labels.get(WHO)?.clone(),
            namespace: found.metadata.namespace?,
            role: role.and_then(|role| serde_json::from_value(role).ok()),
            certificates: certificates
                .and_then(|text| serde_json::from_str(text).ok())
                .unwrap_or_default(),
        })
    }

    fn write(&self, role: NamespaceRole) -> Result<rbac::RoleBinding, KubeError> {
        let unwritable = |error: serde_json::Error| KubeError::Setup(error.to_string());
        let certificates = serde_json::to_string(&self.certificates).map_err(unwritable)?;
        let (kind, name) = match role {
            NamespaceRole::Viewer => ("ClusterRole", "view"),
            NamespaceRole::Deployer => ("Role", DEPLOYER),
            NamespaceRole::Admin => ("ClusterRole", "admin"),
        };
        Ok(rbac::RoleBinding {
            metadata: ObjectMeta {
                annotations: Some(pairs([
                    (CERTIFICATES, certificates.as_str()),
                    (ROLE, &role.to_string()),
                ])),
                labels: Some(pairs([MARK, (WHO, &self.who)])),
                ..meta(&self.name(), &self.namespace)
            },
            role_ref: rbac::RoleRef {
                api_group: RBAC.to_owned(),
                kind: kind.to_owned(),
                name: name.to_owned(),
            },
            subjects: Some(vec![rbac::Subject {
                api_group: Some(RBAC.to_owned()),
                kind: "User".to_owned(),
                name: self.name(),
                namespace: None,
            }]),
        })
    }
}

impl Api {
    /// The bindings of everybody, or of `who`, in every namespace or in one.
    pub async fn bindings(
        &self,
        who: Option<&str>,
        namespace: Option<&str>,
    ) -> Result<Vec<Binding>, KubeError> {
        let (key, value) = MARK;
        let marked = match who {
            Some(who) => format!("{key}={value},{WHO}={who}"),
            None => format!("{key}={value},{WHO}"),
        };
        let typed = match namespace {
            Some(namespace) => self.in_namespace::<rbac::RoleBinding>(namespace),
            None => self.everywhere(),
        };
        let found = self
            .all(&typed, ListParams::default().labels(&marked))
            .await?;
        let mut bindings: Vec<_> = found.into_iter().filter_map(Binding::read).collect();
        bindings
            .sort_by(|one, other| (&one.who, &one.namespace).cmp(&(&other.who, &other.namespace)));
        Ok(bindings)
    }

    /// Writes a binding and the role behind it; a conflict with another owner of the same fields is
    /// refused, never taken over.
    pub async fn bind(&self, binding: &Binding, role: NamespaceRole) -> Result<(), KubeError> {
        let params = PatchParams::apply(MANAGER);
        if role == NamespaceRole::Deployer {
            let wanted = deployer(&binding.namespace);
            let roles = self.in_namespace::<rbac::Role>(&binding.namespace);
            let applied = roles.patch(DEPLOYER, &params, &Patch::Apply(&wanted)).await;
            applied.map_err(|error| self.failed(error))?;
        }
        let wanted = binding.write(role)?;
        let bindings = self.in_namespace::<rbac::RoleBinding>(&binding.namespace);
        let applied = bindings
            .patch(&binding.name(), &params, &Patch::Apply(&wanted))
            .await;
        applied.map_err(|error| self.failed(error))?;
        Ok(())
    }

    /// Takes a binding away. One that is gone already is no error.
    pub async fn unbind(&self, binding: &Binding) -> Result<(), KubeError> {
        let bindings = self.in_namespace::<rbac::RoleBinding>(&binding.namespace);
        let removed = bindings
            .delete(&binding.name(), &DeleteParams::default())
            .await;
        match removed.map_err(|error| self.failed(error)) {
            Ok(_) | Err(KubeError::NotFound(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

fn meta(name: &str, namespace: &str) -> ObjectMeta {
    ObjectMeta {
        name: Some(name.to_owned()),
        namespace: Some(namespace.to_owned()),
        ..ObjectMeta::default()
    }
}

pub(super) fn pairs<const N: usize>(pairs: [(&str, &str); N]) -> BTreeMap<String, String> {
    let owned = pairs.map(|(key, value)| (key.to_owned(), value.to_owned()));
    owned.into_iter().collect()
}

/// Enough for `kubectl apply` and Helm. A user who may start pods may mount the namespace's Secrets and
/// use its service accounts: no rule here can say otherwise.
fn deployer(namespace: &str) -> rbac::Role {
    const ALL: &[&str] = &[
        "get", "list", "watch", "create", "update", "patch", "delete",
    ];
    const READ: &[&str] = &["get", "list", "watch"];
    let rule = |groups: &[&str], resources: &[&str], verbs: &[&str]| {
        let owned = |words: &[&str]| words.iter().map(ToString::to_string).collect::<Vec<_>>();
        rbac::PolicyRule {
            api_groups: Some(owned(groups)),
            resources: Some(owned(resources)),
            verbs: owned(verbs),
            ..rbac::PolicyRule::default()
        }
    };
    rbac::Role {
        metadata: ObjectMeta {
            labels: Some(pairs([MARK])),
            ..meta(DEPLOYER, namespace)
        },
        rules: Some(vec![
            rule(
                &[""],
                &[
                    "configmaps",
                    "secrets",
                    "services",
                    "serviceaccounts",
                    "persistentvolumeclaims",
                ],
                ALL,
            ),
            rule(
                &["apps"],
                &[
                    "deployments",
                    "deployments/scale",
                    "statefulsets",
                    "statefulsets/scale",
                    "daemonsets",
                ],
                ALL,
            ),
            rule(&["batch"], &["jobs", "cronjobs"], ALL),
            rule(&["autoscaling"], &["horizontalpodautoscalers"], ALL),
            rule(
                &["networking.k8s.io"],
                &["ingresses", "networkpolicies"],
                ALL,
            ),
            rule(&["policy"], &["poddisruptionbudgets"], ALL),
            rule(&[""], &["pods"], &["get", "list", "watch", "delete"]),
            rule(&[""], &["pods/log", "events", "endpoints"], READ),
            rule(&["apps"], &["replicasets", "controllerrevisions"], READ),
            rule(&["discovery.k8s.io"], &["endpointslices"], READ),
            rule(&["events.k8s.io"], &["events"], READ),
        ]),
    }
}
