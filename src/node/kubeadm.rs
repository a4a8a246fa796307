//! kubeadm's configuration, `kubeadm.k8s.io/v1beta4`. kubeadm only generates files here; etcd's members
//! are fixed by flags, as kubeadm's own recipe for an outside etcd does it.
//! Mirrors the API's own types as far as they are used.
//!
//! `@NAMES@` are filled in on the node: its own name and address, and what only the stacks know.

use serde::{Deserialize, Serialize};

use super::NodeError;
use super::kubelet::{self, CIPHER_SUITES, KubeletConfiguration, MIN_TLS, StaticPods};
use super::node_env::{DOMAIN, NodeEnv, Taint};

const API_VERSION: &str = "kubeadm.k8s.io/v1beta4";
/// Where the API server's own files lie, on the node and in its pod.
const FILES: &str = "/etc/kube-cfn/apiserver";
const AUDIT_LOGS: &str = "/var/log/kubernetes";

/// The three documents of a file.
#[derive(Debug, Clone, PartialEq)]
pub struct Documents {
    pub init: InitConfiguration,
    pub cluster: ClusterConfiguration,
    pub kubelet: KubeletConfiguration,
}

/// What is a machine's own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct InitConfiguration {
    pub api_version: String,
    pub kind: String,
    #[serde(rename = "localAPIEndpoint")]
    pub local_api_endpoint: Endpoint,
    pub node_registration: NodeRegistration,
    pub timeouts: Timeouts,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Endpoint {
    pub advertise_address: String,
    pub bind_port: u16,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NodeRegistration {
    pub name: String,
    pub cri_socket: String,
    pub image_pull_serial: bool,
    pub taints: Vec<Taint>,
    pub kubelet_extra_args: Vec<Arg>,
}

/// A flag without its dashes; v1beta4 takes them as a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Arg {
    pub name: String,
    pub value: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Timeouts {
    pub control_plane_component_health_check: String,
    #[serde(rename = "kubernetesAPICall")]
    pub kubernetes_api_call: String,
}

/// What is the same on every slot.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ClusterConfiguration {
    pub api_version: String,
    pub kind: String,
    pub cluster_name: String,
    pub kubernetes_version: String,
    pub control_plane_endpoint: String,
    pub encryption_algorithm: String,
    pub certificate_validity_period: String,
    /// Boot has new certificates made elsewhere, and moves them to where they are used.
    pub certificates_dir: String,
    pub networking: Networking,
    pub proxy: Disabled,
    pub dns: Disabled,
    pub api_server: ApiServer,
    pub controller_manager: Component,
    pub scheduler: Component,
    pub etcd: Etcd,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Networking {
    pub dns_domain: String,
    pub pod_subnet: String,
    pub service_subnet: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Disabled {
    pub disabled: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ApiServer {
    #[serde(rename = "certSANs")]
    pub cert_sans: Vec<String>,
    pub extra_args: Vec<Arg>,
    pub extra_volumes: Vec<Volume>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Volume {
    pub name: String,
    pub host_path: String,
    pub mount_path: String,
    #[serde(default)]
    pub read_only: bool,
    pub path_type: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Component {
    pub extra_args: Vec<Arg>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Etcd {
    pub local: LocalEtcd,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LocalEtcd {
    /// Ours to say: kubeadm's own would move with its patch.
    pub image_tag: String,
    pub data_dir: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub extra_args: Vec<Arg>,
}

/// What a slot gives to kubeadm's phases that write files (A).
pub fn documents(env: &NodeEnv) -> Documents {
    Documents {
        init: init(env),
        cluster: cluster(env, etcd_args(env)),
        kubelet: kubelet::configuration(env, StaticPods::Yes),
    }
}

/// What goes to the cluster, where every slot writes the same (B): without the flags of one member,
/// and of the kubelet what holds for any node. Nothing of ours reads it there, but a node that joined
/// by kubeadm would: it must not take the control plane's taint over.
pub fn shared_documents(env: &NodeEnv) -> Documents {
    Documents {
        init: init(env),
        cluster: cluster(env, Vec::new()),
        kubelet: KubeletConfiguration {
            register_with_taints: Vec::new(),
            ..kubelet::configuration(env, StaticPods::No)
        },
    }
}

pub(super) fn own(env: &NodeEnv) -> Result<String, NodeError> {
    text(&documents(env))
}

pub(super) fn shared(env: &NodeEnv) -> Result<String, NodeError> {
    text(&shared_documents(env))
}

fn text(documents: &Documents) -> Result<String, NodeError> {
    let parts = [
        super::yaml("kubeadm's", &documents.init)?,
        super::yaml("kubeadm's", &documents.cluster)?,
        super::yaml("the kubelet's", &documents.kubelet)?,
    ];
    Ok(parts.join("---\n"))
}

fn init(env: &NodeEnv) -> InitConfiguration {
    InitConfiguration {
        api_version: API_VERSION.to_owned(),
        kind: "InitConfiguration".to_owned(),
        local_api_endpoint: Endpoint {
            advertise_address: "@ADDRESS@".to_owned(),
            bind_port: 6443,
        },
        node_registration: NodeRegistration {
            // The instance's id: another one for every machine that takes the slot.
            name: "@NODE@".to_owned(),
            cri_socket: kubelet::RUNTIME_SOCKET.to_owned(),
            image_pull_serial: false,
            // kubeadm sets them only after the node has registered, seconds too late: the kubelet's
            // own configuration has them too.
            taints: env.taints.clone(),
            kubelet_extra_args: vec![
                arg("cloud-provider", "external"),
                arg("hostname-override", "@NODE@"),
                arg("node-ip", "@ADDRESS@"),
                arg("node-labels", "kube-cfn/slot=@SLOT@"),
                arg(
                    "image-credential-provider-bin-dir",
                    "/opt/kube-cfn/credential",
                ),
                arg(
                    "image-credential-provider-config",
                    "/etc/kube-cfn/credential.yaml",
                ),
            ],
        },
        timeouts: Timeouts {
            control_plane_component_health_check: "8m0s".to_owned(),
            kubernetes_api_call: "2m0s".to_owned(),
        },
    }
}

fn cluster(env: &NodeEnv, etcd_args: Vec<Arg>) -> ClusterConfiguration {
    ClusterConfiguration {
        api_version: API_VERSION.to_owned(),
        kind: "ClusterConfiguration".to_owned(),
        cluster_name: env.cluster.clone(),
        kubernetes_version: format!("v{}", env.kubernetes),
        control_plane_endpoint: "@API_HOST@:6443".to_owned(),
        encryption_algorithm: "ECDSA-P256".to_owned(),
        certificate_validity_period: "8760h0m0s".to_owned(),
        certificates_dir: "@CERTIFICATES@".to_owned(),
        networking: Networking {
            dns_domain: DOMAIN.to_owned(),
            pod_subnet: env.pod_range.clone(),
            service_subnet: env.service_range.clone(),
        },
        // Cilium replaces kube-proxy, CoreDNS comes with the addons.
        proxy: Disabled { disabled: true },
        dns: Disabled { disabled: true },
        api_server: api_server(env),
        controller_manager: Component {
            extra_args: vec![
                arg("cloud-provider", "external"),
                arg("cluster-signing-duration", "8760h"),
                arg("node-cidr-mask-size", "24"),
                arg("profiling", "false"),
                arg("terminated-pod-gc-threshold", "1000"),
                arg("tls-cipher-suites", CIPHER_SUITES.join(",")),
                arg("tls-min-version", MIN_TLS),
            ],
        },
        scheduler: Component {
            extra_args: vec![
                arg("profiling", "false"),
                arg("tls-cipher-suites", CIPHER_SUITES.join(",")),
                arg("tls-min-version", MIN_TLS),
            ],
        },
        etcd: Etcd {
            local: LocalEtcd {
                image_tag: env.etcd.to_owned(),
                data_dir: "/var/lib/etcd/data".to_owned(),
                extra_args: etcd_args,
            },
        },
    }
}

fn api_server(env: &NodeEnv) -> ApiServer {
    let mut cert_sans = vec!["@API_HOST@".to_owned()];
    cert_sans.extend(env.slots.iter().map(|slot| slot.address.to_string()));
    cert_sans.push("127.0.0.1".to_owned());
    ApiServer {
        cert_sans,
        extra_args: api_server_args(env),
        extra_volumes: vec![
            Volume {
                name: "kube-cfn".to_owned(),
                host_path: FILES.to_owned(),
                mount_path: FILES.to_owned(),
                read_only: true,
                path_type: "Directory".to_owned(),
            },
            Volume {
                name: "audit".to_owned(),
                host_path: AUDIT_LOGS.to_owned(),
                mount_path: AUDIT_LOGS.to_owned(),
                read_only: false,
                path_type: "DirectoryOrCreate".to_owned(),
            },
        ],
    }
}

fn api_server_args(env: &NodeEnv) -> Vec<Arg> {
    let file = |name: &str| format!("{FILES}/{name}");
    let mut args = vec![
        arg("admission-control-config-file", file("admission.yaml")),
        arg("audit-log-format", "json"),
        arg("audit-log-maxage", "30"),
        arg("audit-log-maxbackup", "10"),
        arg("audit-log-maxsize", "100"),
        arg("audit-log-path", format!("{AUDIT_LOGS}/audit.log")),
        arg("audit-policy-file", file("audit.yaml")),
        arg("authentication-config", file("authentication.yaml")),
        arg(
            "enable-admission-plugins",
            "NodeRestriction,DenyServiceExternalIPs",
        ),
        arg("encryption-provider-config", file("encryption.yaml")),
        arg("encryption-provider-config-automatic-reload", "true"),
        arg("profiling", "false"),
        arg("service-account-issuer", "@ISSUER@"),
        arg("service-account-jwks-uri", "@ISSUER@/openid/v1/jwks"),
        // As long as the load balancer needs to notice.
        arg("shutdown-delay-duration", "20s"),
        arg("tls-cipher-suites", CIPHER_SUITES.join(",")),
        arg("tls-min-version", MIN_TLS),
    ];
    // Now and then a client is asked to connect again, so that none sticks to one of several slots.
    if env.slots.len() > 1 {
        args.push(arg("goaway-chance", "0.001"));
    }
    args
}

/// The members by slot: fixed for the life of the cluster, so no machine ever joins or leaves.
fn etcd_args(env: &NodeEnv) -> Vec<Arg> {
    let members = env.slots.iter();
    let members: Vec<_> = members
        .map(|slot| format!("cp-{}=https://{}:2380", slot.letter, slot.address))
        .collect();
    vec![
        arg("name", "cp-@SLOT@"),
        arg("initial-cluster", members.join(",")),
        arg("initial-cluster-state", "@ETCD_STATE@"),
        arg("initial-cluster-token", "@ETCD_TOKEN@"),
        arg("quota-backend-bytes", "4294967296"),
    ]
}

fn arg(name: &str, value: impl Into<String>) -> Arg {
    Arg {
        name: name.to_owned(),
        value: value.into(),
    }
}
