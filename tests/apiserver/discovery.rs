//! Which resources the server has, for kubectl: `/api`, `/apis` and a list of each version. A path that nothing here names
//! is still served; kubectl alone needs to be given it.

use serde_json::{Value, json};

use super::store::Answer;

/// Group (none for the core), kind, plural name, and whether its objects are in namespaces; all of version v1.
const RESOURCES: [(&str, &str, &str, bool); 15] = [
    ("", "Namespace", "namespaces", false),
    ("", "Node", "nodes", false),
    ("", "Pod", "pods", true),
    ("", "ConfigMap", "configmaps", true),
    ("", "Secret", "secrets", true),
    ("", "Service", "services", true),
    ("apps", "Deployment", "deployments", true),
    ("apps", "DaemonSet", "daemonsets", true),
    (
        "certificates.k8s.io",
        "CertificateSigningRequest",
        "certificatesigningrequests",
        false,
    ),
    ("coordination.k8s.io", "Lease", "leases", true),
    (
        "rbac.authorization.k8s.io",
        "ClusterRole",
        "clusterroles",
        false,
    ),
    (
        "rbac.authorization.k8s.io",
        "ClusterRoleBinding",
        "clusterrolebindings",
        false,
    ),
    ("rbac.authorization.k8s.io", "Role", "roles", true),
    (
        "rbac.authorization.k8s.io",
        "RoleBinding",
        "rolebindings",
        true,
    ),
    ("storage.k8s.io", "StorageClass", "storageclasses", false),
];

/// The answer to a question about resources; none where the path asks for something else.
pub fn answer(path: &str) -> Option<Answer> {
    let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    let body = match parts.as_slice() {
        ["api"] => {
            json!({"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []})
        }
        ["apis"] => groups(),
        ["api", "v1"] => list("", "v1"),
        ["apis", group, "v1"] if RESOURCES.iter().any(|one| one.0 == *group) => {
            list(group, &format!("{group}/v1"))
        }
        _ => return None,
    };
    Some(Answer::of(200, body))
}

fn groups() -> Value {
    let mut names: Vec<_> = RESOURCES
        .iter()
        .map(|one| one.0)
        .filter(|group| !group.is_empty())
        .collect();
    names.dedup();
    let group = |name: &str| {
        let version = json!({"groupVersion": format!("{name}/v1"), "version": "v1"});
        json!({"name": name, "versions": [version], "preferredVersion": version})
    };
    let groups: Vec<_> = names.into_iter().map(group).collect();
    json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups})
}

fn list(group: &str, version: &str) -> Value {
    let mine = RESOURCES.iter().filter(|one| one.0 == group);
    let resources: Vec<_> = mine
        .map(|(_, kind, name, namespaced)| {
            json!({"name": name, "singularName": kind.to_lowercase(), "namespaced": namespaced, "kind": kind,
                "verbs": ["create", "delete", "get", "list", "patch", "update", "watch"]})
        })
        .collect();
    json!({"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": version, "resources": resources})
}
