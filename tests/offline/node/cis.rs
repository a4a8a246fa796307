//! The CIS Kubernetes Benchmark (sections 1, 2 and 4 and the audit policy of 3, as numbered from 1.10
//! on): its items for a node and its flags, and where we meet them or why not. Data only; a test compares
//! every answer with the files of a node. Section 5 is in `cis_policies.rs`.

use super::cis_policies::Policies;

/// An item of the benchmark.
#[derive(Debug, Clone, Copy)]
pub struct Item {
    pub number: &'static str,
    pub asks: &'static str,
    pub answer: Answer,
}

/// What we do about it.
#[derive(Debug, Clone, Copy)]
pub enum Answer {
    /// A flag of a component has this value.
    Flag(Component, &'static str, &'static str),
    /// A flag of a component is not set by us.
    Unset(Component, &'static str),
    /// A field of the kubelet's configuration, as a JSON pointer, has this value.
    Kubelet(&'static str, &'static str),
    /// A file of the boot programs holds this text.
    Boot(&'static str, &'static str),
    /// kubeadm does it by itself with the configuration that it gets from us.
    Kubeadm(&'static str),
    /// Kubernetes does it by itself where nobody says otherwise.
    Default(&'static str),
    /// We don't, for this reason.
    Refused(&'static str),
    /// The files that we render, and the role of `access grant`, hold it.
    Held(fn(&Policies) -> bool),
    /// It lies with the users of the cluster: what we do for them, and what they do.
    Users(&'static str),
}

/// A program of the control plane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Component {
    ApiServer,
    ControllerManager,
    Scheduler,
    Etcd,
}

use Answer::{Boot, Default, Flag, Kubeadm, Kubelet, Refused, Unset};
use Component::{ApiServer, ControllerManager, Etcd, Scheduler};

pub const fn item(number: &'static str, asks: &'static str, answer: Answer) -> Item {
    Item {
        number,
        asks,
        answer,
    }
}

const CIPHERS: &str = "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256";
const CONTROL_PLANE: &str = "lib/control-plane.sh";
const SERVING: &str = "nobody signs serving certificates of kubelets: without a signer that checks whose address is asked for, a stolen node could pass for another one; kubelets serve with their own, and the network between API server and kubelet is closed to others by security groups";

/// Every item, in the benchmark's order.
#[rustfmt::skip]
pub const ITEMS: &[Item] = &[
    item("1.1.1", "API server manifest is 0600", Kubeadm("writes manifests as 0600")),
    item("1.1.2", "API server manifest belongs to root", Kubeadm("runs as root")),
    item("1.1.3", "controller manager manifest is 0600", Kubeadm("writes manifests as 0600")),
    item("1.1.4", "controller manager manifest belongs to root", Kubeadm("runs as root")),
    item("1.1.5", "scheduler manifest is 0600", Kubeadm("writes manifests as 0600")),
    item("1.1.6", "scheduler manifest belongs to root", Kubeadm("runs as root")),
    item("1.1.7", "etcd manifest is 0600", Kubeadm("writes manifests as 0600")),
    item("1.1.8", "etcd manifest belongs to root", Kubeadm("runs as root")),
    item("1.1.9", "network configuration is 0600", Refused("the pod of the network addon writes it and decides its mode; it holds no secret")),
    item("1.1.10", "network configuration belongs to root", Default("the pod of the network addon runs as root")),
    item("1.1.11", "etcd's data is 0700", Boot("lib/etcd-volume.sh", "chmod 0700 \"${ETCD_DIRECTORY}/data\"")),
    item("1.1.12", "etcd's data belongs to etcd:etcd", Refused("kubeadm's static pod runs etcd as root; a user of that name would own files that nothing runs as")),
    item("1.1.13", "admin.conf is 0600", Kubeadm("writes kubeconfigs as 0600")),
    item("1.1.14", "admin.conf belongs to root", Kubeadm("runs as root")),
    item("1.1.15", "scheduler.conf is 0600", Kubeadm("writes kubeconfigs as 0600")),
    item("1.1.16", "scheduler.conf belongs to root", Kubeadm("runs as root")),
    item("1.1.17", "controller-manager.conf is 0600", Kubeadm("writes kubeconfigs as 0600")),
    item("1.1.18", "controller-manager.conf belongs to root", Kubeadm("runs as root")),
    item("1.1.19", "/etc/kubernetes/pki belongs to root", Kubeadm("runs as root, as boot does")),
    item("1.1.20", "certificates are 0600", Refused("certificates are public; kubeadm writes 0644 and its own checks expect that")),
    item("1.1.21", "keys are 0600", Boot(CONTROL_PLANE, ".key\" 600 'PRIVATE KEY'")),
    item("1.2.1", "anonymous requests are refused", Boot("apiserver/authentication.yaml", "conditions:\n    - path: /livez\n    - path: /readyz\n    - path: /healthz\n")),
    item("1.2.2", "no static token file", Unset(ApiServer, "token-auth-file")),
    item("1.2.3", "DenyServiceExternalIPs is on", Flag(ApiServer, "enable-admission-plugins", "NodeRestriction,DenyServiceExternalIPs")),
    item("1.2.4", "client certificate towards kubelets", Kubeadm("sets kubelet-client-certificate and kubelet-client-key")),
    item("1.2.5", "the API server checks kubelets' certificates", Refused(SERVING)),
    item("1.2.6", "authorization is not AlwaysAllow", Kubeadm("sets authorization-mode=Node,RBAC")),
    item("1.2.7", "authorization includes Node", Kubeadm("sets authorization-mode=Node,RBAC")),
    item("1.2.8", "authorization includes RBAC", Kubeadm("sets authorization-mode=Node,RBAC")),
    item("1.2.9", "EventRateLimit is on", Refused("still alpha after years, and API priority and fairness bounds what one client may ask")),
    item("1.2.10", "AlwaysAdmit is off", Flag(ApiServer, "enable-admission-plugins", "NodeRestriction,DenyServiceExternalIPs")),
    item("1.2.11", "AlwaysPullImages is on", Refused("every restart of a pod would hang on the registry; worth it where tenants share nodes, which these clusters are not for")),
    item("1.2.12", "ServiceAccount is on", Unset(ApiServer, "disable-admission-plugins")),
    item("1.2.13", "NamespaceLifecycle is on", Unset(ApiServer, "disable-admission-plugins")),
    item("1.2.14", "NodeRestriction is on", Flag(ApiServer, "enable-admission-plugins", "NodeRestriction,DenyServiceExternalIPs")),
    item("1.2.15", "profiling is off", Flag(ApiServer, "profiling", "false")),
    item("1.2.16", "there is an audit log", Flag(ApiServer, "audit-log-path", "/var/log/kubernetes/audit.log")),
    item("1.2.17", "audit logs stay 30 days", Flag(ApiServer, "audit-log-maxage", "30")),
    item("1.2.18", "ten audit logs stay", Flag(ApiServer, "audit-log-maxbackup", "10")),
    item("1.2.19", "an audit log ends at 100 MB", Flag(ApiServer, "audit-log-maxsize", "100")),
    item("1.2.20", "requests time out", Unset(ApiServer, "request-timeout")),
    item("1.2.21", "service account tokens are looked up", Unset(ApiServer, "service-account-lookup")),
    item("1.2.22", "key of the service accounts", Kubeadm("sets service-account-key-file")),
    item("1.2.23", "client certificate towards etcd", Kubeadm("sets etcd-certfile and etcd-keyfile")),
    item("1.2.24", "serving certificate", Kubeadm("sets tls-cert-file and tls-private-key-file")),
    item("1.2.25", "authority of clients", Kubeadm("sets client-ca-file")),
    item("1.2.26", "authority of etcd", Kubeadm("sets etcd-cafile")),
    item("1.2.27", "secrets are encrypted", Flag(ApiServer, "encryption-provider-config", "/etc/kube-cfn/apiserver/encryption.yaml")),
    item("1.2.28", "secrets are encrypted with aescbc, kms or secretbox", Boot(CONTROL_PLANE, "fetch_secret cp/encryption.yaml \"${ENCRYPTION}\" 600")),
    item("1.2.29", "strong ciphers only", Flag(ApiServer, "tls-cipher-suites", CIPHERS)),
    item("1.2.30", "service account tokens are not extended", Refused("pods that read their token once would be locked out after an hour; the kubelet renews the file, so the long one is used only by those")),
    item("1.3.1", "terminated pods are collected", Flag(ControllerManager, "terminated-pod-gc-threshold", "1000")),
    item("1.3.2", "profiling is off", Flag(ControllerManager, "profiling", "false")),
    item("1.3.3", "controllers have accounts of their own", Kubeadm("sets use-service-account-credentials")),
    item("1.3.4", "key that signs service account tokens", Kubeadm("sets service-account-private-key-file")),
    item("1.3.5", "authority given to pods", Kubeadm("sets root-ca-file")),
    item("1.3.6", "kubelets' serving certificates may rotate", Default("the gate RotateKubeletServerCertificate is on")),
    item("1.3.7", "listens on the loopback only", Kubeadm("sets bind-address=127.0.0.1")),
    item("1.4.1", "profiling is off", Flag(Scheduler, "profiling", "false")),
    item("1.4.2", "listens on the loopback only", Kubeadm("sets bind-address=127.0.0.1")),
    item("2.1", "etcd serves with a certificate", Kubeadm("sets cert-file and key-file")),
    item("2.2", "etcd wants clients' certificates", Kubeadm("sets client-cert-auth")),
    item("2.3", "etcd makes no certificates of its own", Unset(Etcd, "auto-tls")),
    item("2.4", "peers serve with a certificate", Kubeadm("sets peer-cert-file and peer-key-file")),
    item("2.5", "peers want certificates", Kubeadm("sets peer-client-cert-auth")),
    item("2.6", "peers make no certificates of their own", Unset(Etcd, "peer-auto-tls")),
    item("2.7", "etcd has an authority of its own", Boot(CONTROL_PLANE, "for name in ca etcd-ca front-proxy-ca")),
    item("3.2.1", "there is an audit policy", Flag(ApiServer, "audit-policy-file", "/etc/kube-cfn/apiserver/audit.yaml")),
    item("3.2.2", "the audit policy covers what matters", Boot("apiserver/audit.yaml", "resources: [secrets, configmaps, \"serviceaccounts/token\"]")),
    item("4.1.1", "kubelet unit is 0600", Refused("the unit holds no secret, and systemd warns of units that not everybody may read")),
    item("4.1.2", "kubelet unit belongs to root", Default("the bundle is unpacked by root, as root's")),
    item("4.1.3", "kube-proxy's kubeconfig is 0600", Default("there is no kube-proxy: Cilium does its work")),
    item("4.1.4", "kube-proxy's kubeconfig belongs to root", Default("there is no kube-proxy: Cilium does its work")),
    item("4.1.5", "kubelet.conf is 0600", Default("kubelet and kubeadm write it as 0600")),
    item("4.1.6", "kubelet.conf belongs to root", Default("the kubelet runs as root")),
    item("4.1.7", "authority of clients is 0644", Boot("lib/worker.sh", "put \"${CA}\" 644")),
    item("4.1.8", "authority of clients belongs to root", Default("boot runs as root")),
    item("4.1.9", "kubelet's configuration is 0600", Boot("lib/worker.sh", "put /var/lib/kubelet/config.yaml 600")),
    item("4.1.10", "kubelet's configuration belongs to root", Default("boot runs as root")),
    item("4.2.1", "anonymous requests are refused", Kubelet("/authentication/anonymous/enabled", "false")),
    item("4.2.2", "authorization is not AlwaysAllow", Kubelet("/authorization/mode", "Webhook")),
    item("4.2.3", "authority of clients", Kubelet("/authentication/x509/clientCAFile", "/etc/kubernetes/pki/ca.crt")),
    item("4.2.4", "no port without authentication", Kubelet("/readOnlyPort", "0")),
    item("4.2.5", "idle streams end", Kubelet("/streamingConnectionIdleTimeout", "4h0m0s")),
    item("4.2.6", "iptables chains are kept", Kubelet("/makeIPTablesUtilChains", "true")),
    item("4.2.7", "no other host name", Refused("a node goes by its instance id, which no other machine ever has; the cloud controller manager finds it by that")),
    item("4.2.8", "events are neither lost nor a flood", Kubelet("/eventRecordQPS", "50")),
    item("4.2.9", "serving certificate of the cluster", Refused(SERVING)),
    item("4.2.10", "client certificates rotate", Kubelet("/rotateCertificates", "true")),
    item("4.2.11", "serving certificates rotate", Refused(SERVING)),
    item("4.2.12", "strong ciphers only", Kubelet("/tlsMinVersion", "VersionTLS12")),
    item("4.2.13", "processes of a pod are limited", Kubelet("/podPidsLimit", "4096")),
    item("4.2.14", "seccomp is on where nobody says otherwise", Kubelet("/seccompDefault", "true")),
];
