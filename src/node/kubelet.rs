//! The kubelet's configuration, `kubelet.config.k8s.io/v1beta1`: the same on every node, but for the
//! static pods of the control plane. Mirrors the API's own types as far as they are used.

use serde::{Deserialize, Serialize};

use super::NodeError;
use super::node_env::{NodeEnv, Taint};

/// Where kubelet and crictl find containerd.
pub const RUNTIME_SOCKET: &str = "unix:///run/containerd/containerd.sock";
/// The authority that signs kubelets, users and API servers.
const AUTHORITY: &str = "/etc/kubernetes/pki/ca.crt";

/// Whether the kubelet runs the pods of a directory: those of a control plane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StaticPods {
    Yes,
    No,
}

/// `KubeletConfiguration`.
#[expect(clippy::struct_excessive_bools, reason = "the API has them")]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct KubeletConfiguration {
    pub api_version: String,
    pub kind: String,
    pub authentication: Authentication,
    pub authorization: Authorization,
    pub cgroup_driver: String,
    #[serde(rename = "clusterDNS")]
    pub cluster_dns: Vec<String>,
    pub cluster_domain: String,
    pub container_log_max_size: String,
    pub container_log_max_files: u32,
    pub container_runtime_endpoint: String,
    #[serde(rename = "eventRecordQPS")]
    pub event_record_qps: u32,
    #[serde(rename = "imageMaximumGCAge")]
    pub image_maximum_gc_age: String,
    pub kube_reserved: Resources,
    #[serde(rename = "makeIPTablesUtilChains")]
    pub make_iptables_util_chains: bool,
    pub max_parallel_image_pulls: u32,
    pub max_pods: u32,
    pub pod_pids_limit: u32,
    pub protect_kernel_defaults: bool,
    pub read_only_port: u16,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub register_with_taints: Vec<Taint>,
    pub resolv_conf: String,
    pub rotate_certificates: bool,
    pub seccomp_default: bool,
    pub serialize_image_pulls: bool,
    pub shutdown_grace_period: String,
    pub shutdown_grace_period_critical_pods: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub static_pod_path: Option<String>,
    pub streaming_connection_idle_timeout: String,
    pub system_reserved: Resources,
    pub tls_cipher_suites: Vec<String>,
    pub tls_min_version: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Authentication {
    pub anonymous: Switch,
    pub webhook: Switch,
    pub x509: X509,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Switch {
    pub enabled: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct X509 {
    #[serde(rename = "clientCAFile")]
    pub client_ca_file: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Authorization {
    pub mode: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Resources {
    pub cpu: String,
    pub memory: String,
    #[serde(rename = "ephemeral-storage")]
    pub ephemeral_storage: String,
}

/// The suites of TLS 1.2 with forward secrecy and authenticated encryption; TLS 1.3 has no others.
pub const CIPHER_SUITES: [&str; 6] = [
    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
    "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
    "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
    "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
];
/// The oldest TLS that is spoken.
pub const MIN_TLS: &str = "VersionTLS12";

/// The document. `@RESOLVER@` is filled in on the node.
pub fn configuration(env: &NodeEnv, static_pods: StaticPods) -> KubeletConfiguration {
    let reserved = |memory: &str| Resources {
        cpu: "100m".to_owned(),
        memory: memory.to_owned(),
        ephemeral_storage: "1Gi".to_owned(),
    };
    let (static_pod_path, shutdown) = match static_pods {
        // A unit of ours ends the control plane: the kubelet would stop etcd and the API server together.
        StaticPods::Yes => (Some("/etc/kubernetes/manifests".to_owned()), ["0s", "0s"]),
        // Machines that Auto Scaling or the spot market takes away get a shutdown like any other.
        StaticPods::No => (None, ["90s", "40s"]),
    };
    let [grace_period, for_critical_pods] = shutdown.map(str::to_owned);
    KubeletConfiguration {
        api_version: "kubelet.config.k8s.io/v1beta1".to_owned(),
        kind: "KubeletConfiguration".to_owned(),
        authentication: Authentication {
            anonymous: Switch { enabled: false },
            webhook: Switch { enabled: true },
            x509: X509 {
                client_ca_file: AUTHORITY.to_owned(),
            },
        },
        authorization: Authorization {
            mode: "Webhook".to_owned(),
        },
        cgroup_driver: "systemd".to_owned(),
        cluster_dns: vec![env.dns.to_string()],
        cluster_domain: super::node_env::DOMAIN.to_owned(),
        container_log_max_size: "10Mi".to_owned(),
        container_log_max_files: 5,
        container_runtime_endpoint: RUNTIME_SOCKET.to_owned(),
        event_record_qps: 50,
        image_maximum_gc_age: "168h0m0s".to_owned(),
        kube_reserved: reserved("400Mi"),
        make_iptables_util_chains: true,
        max_parallel_image_pulls: 4,
        max_pods: 110,
        pod_pids_limit: 4096,
        protect_kernel_defaults: true,
        read_only_port: 0,
        register_with_taints: env.taints.clone(),
        resolv_conf: "@RESOLVER@".to_owned(),
        rotate_certificates: true,
        seccomp_default: true,
        serialize_image_pulls: false,
        shutdown_grace_period: grace_period,
        shutdown_grace_period_critical_pods: for_critical_pods,
        static_pod_path,
        streaming_connection_idle_timeout: "4h0m0s".to_owned(),
        system_reserved: reserved("300Mi"),
        tls_cipher_suites: CIPHER_SUITES.map(str::to_owned).to_vec(),
        tls_min_version: MIN_TLS.to_owned(),
    }
}

/// The document as the text of a file.
pub(super) fn yaml(env: &NodeEnv, static_pods: StaticPods) -> Result<String, NodeError> {
    super::yaml("the kubelet's", &configuration(env, static_pods))
}
