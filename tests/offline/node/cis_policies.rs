//! Section 5 of the CIS Kubernetes Benchmark (policies, as numbered in 1.10 and 1.11): RBAC, Pod Security, network,
//! Secrets. Each item is held by what we render, or lies with the users of the cluster for the reason given.
//! `docs/pod-security.md` names the latter.

use serde_json::Value;

use super::cis::{Answer, Item, item};

/// What the items are held against.
pub struct Policies {
    /// The documents of `rbac.yaml`.
    pub rbac: Vec<Value>,
    /// The role that `access grant --role deployer` writes.
    pub deployer: Value,
    /// The API server's admission configuration.
    pub admission: Value,
    /// The addons, in the order of their installation.
    pub addons: Vec<&'static str>,
    /// Whether `kubeconfig` wants a consent of its own for a certificate of that group.
    pub asks_consent: fn(&str) -> bool,
}

use Answer::{Held, Kubelet, Refused, Users};

/// Every item of section 5, in the benchmark's order.
#[rustfmt::skip]
pub const POLICIES: &[Item] = &[
    item("5.1.1", "cluster-admin is used where it is needed alone", Held(only_admins_are_cluster_admins)),
    item("5.1.2", "few read Secrets", Held(|all| !cluster_wide(all, "secrets", &["get", "list", "watch"]))),
    item("5.1.3", "no wildcards in roles", Held(no_wildcards)),
    item("5.1.4", "few create pods", Held(no_pods_in_the_whole_cluster)),
    item("5.1.5", "default service accounts are not used", Users("Kubernetes makes one in every namespace; workloads name an account of their own, and the default one gets `automountServiceAccountToken: false`")),
    item("5.1.6", "service account tokens are mounted where needed", Users("set `automountServiceAccountToken: false` in pods that do not call the API; changing it for all pods would break those that do")),
    item("5.1.7", "system:masters is avoided", Held(|all| (all.asks_consent)("system:masters") && !binds(all, "system:masters"))),
    item("5.1.8", "bind, impersonate, escalate are limited", Held(|all| ["bind", "impersonate", "escalate"].iter().all(|verb| !any_rule(all, |rule| has(rule, "verbs", verb))))),
    item("5.1.9", "few create persistent volumes", Held(|all| !granted(all, "persistentvolumes", &["create", "update", "patch"]))),
    item("5.1.10", "few reach nodes/proxy", Held(|all| !granted(all, "nodes/proxy", &["get", "create"]))),
    item("5.1.11", "few approve certificate requests", Held(|all| !granted(all, "certificatesigningrequests/approval", &["update", "patch"]))),
    item("5.1.12", "few write webhook configurations", Held(|all| ["validatingwebhookconfigurations", "mutatingwebhookconfigurations"].iter().all(|kind| !granted(all, kind, &["create", "update", "patch", "delete"])))),
    item("5.1.13", "few create service account tokens", Held(|all| !granted(all, "serviceaccounts/token", &["create"]))),
    item("5.2.1", "a policy for pods is active", Held(|all| all.admission.pointer("/plugins/0/name").is_some_and(|name| name == "PodSecurity"))),
    item("5.2.2", "no privileged containers", Held(baseline)),
    item("5.2.3", "no processes of the host", Held(baseline)),
    item("5.2.4", "no IPC of the host", Held(baseline)),
    item("5.2.5", "no network of the host", Held(baseline)),
    item("5.2.6", "no privilege escalation", Users("`restricted` refuses it; the cluster's default only warns and audits, since many images need a change first: label the namespace")),
    item("5.2.7", "no root in containers", Users("`restricted` refuses it; the cluster's default only warns and audits, since many images need a change first: label the namespace")),
    item("5.2.8", "no NET_RAW", Users("`baseline` refuses to add it, but the container runtime's default set has it; `restricted` wants all capabilities dropped: label the namespace")),
    item("5.2.9", "no added capabilities", Held(baseline)),
    item("5.2.10", "no capabilities at all", Users("`restricted` wants all dropped; the cluster's default only warns and audits: label the namespace")),
    item("5.2.11", "no Windows HostProcess containers", Held(baseline)),
    item("5.2.12", "no paths of the host", Held(baseline)),
    item("5.2.13", "no ports of the host", Held(baseline)),
    item("5.3.1", "the network knows network policies", Held(|all| all.addons.first() == Some(&"cilium"))),
    item("5.3.2", "every namespace has network policies", Users("only the owner of a namespace knows what its pods talk to; without a policy every pod reaches every pod, and a deployer may write policies")),
    item("5.4.1", "Secrets as files", Users("how a workload reads its Secret is in its own manifest; the Secret of the database is made for a mount (its url names the file of the authorities)")),
    item("5.4.2", "Secrets outside the cluster", Users("Secrets are encrypted in etcd; the database's master password stays in Secrets Manager; for others install an operator of your choice")),
    item("5.5.1", "image provenance", Refused("the webhook would be a service that every pod waits for, also those of the control plane after an outage; verify signatures in the CI, or install a policy controller")),
    item("5.6.1", "namespaces are boundaries", Users("`access grant` binds in one namespace and never in the cluster's own; how workloads are divided is the users' choice")),
    item("5.6.2", "seccomp is on", Kubelet("/seccompDefault", "true")),
    item("5.6.3", "pods have a security context", Users("`restricted` wants one; the cluster's default warns about pods without: label the namespace")),
    item("5.6.4", "the default namespace is not used", Users("nothing of ours runs in `default`, and `--create-namespace` makes another one; it can't be removed or closed to its administrators")),
];

fn rules(documents: &[&Value]) -> Vec<Value> {
    let rules = documents.iter().filter_map(|one| one["rules"].as_array());
    rules.flatten().cloned().collect()
}

fn any_rule(all: &Policies, holds: impl Fn(&Value) -> bool) -> bool {
    let mut documents: Vec<&Value> = all.rbac.iter().collect();
    documents.push(&all.deployer);
    rules(&documents).iter().any(holds)
}

fn has(rule: &Value, list: &str, word: &str) -> bool {
    rule[list]
        .as_array()
        .is_some_and(|words| words.iter().any(|known| known == word))
}

fn allows(rule: &Value, resource: &str, verbs: &[&str]) -> bool {
    has(rule, "resources", resource) && verbs.iter().any(|verb| has(rule, "verbs", verb))
}

/// Whether any role of ours, in the whole cluster or in a namespace, gives one of the verbs.
fn granted(all: &Policies, resource: &str, verbs: &[&str]) -> bool {
    any_rule(all, |rule| allows(rule, resource, verbs))
}

/// Whether a cluster role of ours gives one of the verbs.
fn cluster_wide(all: &Policies, resource: &str, verbs: &[&str]) -> bool {
    let roles: Vec<&Value> = all
        .rbac
        .iter()
        .filter(|one| one["kind"] == "ClusterRole")
        .collect();
    rules(&roles)
        .iter()
        .any(|rule| allows(rule, resource, verbs))
}

fn bindings(all: &Policies) -> impl Iterator<Item = &Value> {
    all.rbac
        .iter()
        .filter(|one| one["kind"] == "ClusterRoleBinding")
}

fn binds(all: &Policies, subject: &str) -> bool {
    let mut bindings = bindings(all);
    bindings.any(|one| {
        one["subjects"]
            .as_array()
            .is_some_and(|all| all.iter().any(|one| one["name"] == subject))
    })
}

fn only_admins_are_cluster_admins(all: &Policies) -> bool {
    let full = bindings(all).filter(|one| one["roleRef"]["name"] == "cluster-admin");
    let subjects: Vec<&Value> = full
        .filter_map(|one| one["subjects"].as_array())
        .flatten()
        .collect();
    let names: Vec<&str> = subjects
        .iter()
        .filter_map(|one| one["name"].as_str())
        .collect();
    names == ["kubeadm:cluster-admins", "kube-cfn:admins"]
        && subjects.iter().all(|one| one["kind"] == "Group")
}

fn no_wildcards(all: &Policies) -> bool {
    !any_rule(all, |rule| {
        ["apiGroups", "resources", "verbs"]
            .iter()
            .any(|list| has(rule, list, "*"))
    })
}

/// A deployer makes workloads in its namespace, where Pod Security confines their pods.
fn no_pods_in_the_whole_cluster(all: &Policies) -> bool {
    let kinds = [
        "pods",
        "deployments",
        "daemonsets",
        "statefulsets",
        "jobs",
        "cronjobs",
    ];
    kinds
        .iter()
        .all(|kind| !cluster_wide(all, kind, &["create", "update", "patch"]))
        && !granted(all, "pods", &["create"])
        && !granted(all, "pods/exec", &["create", "get"])
}

/// `baseline` refuses it in every namespace without another label.
fn baseline(all: &Policies) -> bool {
    let defaults = all.admission.pointer("/plugins/0/configuration/defaults");
    defaults.is_some_and(|defaults| defaults["enforce"] == "baseline")
}
