//! Defaults of kops for machines and clusters (release 1.37), and where they are here or why not. The CIS
//! benchmark's items are in [`super::cis`]. Data only; a test compares every place with the files of a node.

/// Something that is expected.
#[derive(Debug, Clone, Copy)]
pub struct Expected {
    pub what: &'static str,
    pub answer: Answer,
}

/// What we do about it.
#[derive(Debug, Clone, Copy)]
pub enum Answer {
    /// This file of `templates/node` holds this text.
    File(&'static str, &'static str),
    /// A field of the kubelet's configuration, as a JSON pointer, has this value.
    Kubelet(&'static str, &'static str),
    /// A field of kubeadm's `ClusterConfiguration`, as a JSON pointer, has this value.
    Kubeadm(&'static str, &'static str),
    /// We don't, for this reason.
    Refused(&'static str),
}

use Answer::{File, Kubeadm, Kubelet, Refused};

const fn expect(what: &'static str, answer: Answer) -> Expected {
    Expected { what, answer }
}

const BUFFERS: &str = "buffers and queues of the network are left to the kernel of Amazon Linux, which is tuned for EC2; a pool that needs others sets them by a DaemonSet of its own";

/// Machines first, then Kubernetes, etcd and addons.
#[rustfmt::skip]
pub const EXPECTED: &[Expected] = &[
    expect("IP forwarding", File("etc/sysctl.conf", "net.ipv4.ip_forward = 1")),
    expect("no reverse path filter in the pods' way", File("etc/sysctl.conf", "net.ipv4.conf.cilium_*.rp_filter = 0")),
    expect("stale neighbours go at once", File("etc/sysctl.conf", "net.ipv4.neigh.default.gc_thresh1 = 0")),
    expect("vm.max_map_count for search engines", File("etc/sysctl.conf", "vm.max_map_count = 1048576")),
    expect("node ports kept from other uses", File("etc/sysctl.conf", "net.ipv4.ip_local_reserved_ports = 30000-32767")),
    expect("many watches of files", File("etc/sysctl.conf", "fs.inotify.max_user_watches")),
    expect("a restart after a kernel panic", File("etc/sysctl.conf", "kernel.panic = 10")),
    expect("kernel.softlockup_panic", Refused("a machine under a burst of load would restart, and its slot of etcd with it; Auto Scaling replaces one that EC2 finds broken")),
    expect("somaxconn, rmem_max, wmem_max, tcp_rmem, tcp_wmem, tcp_max_syn_backlog, netdev_max_backlog", Refused(BUFFERS)),
    expect("tcp_slow_start_after_idle, tcp_tw_reuse", Refused(BUFFERS)),
    expect("fs.file-max", Refused("systemd raises it to the highest there is, from version 240 on; Amazon Linux 2023 has a later one")),
    expect("log rotation", Refused("the kubelet rotates the containers' logs and the API server its audit log; everything else goes to the journal, which keeps its own limit")),
    expect("automatic updates of the system", Refused("a machine runs what its locked image and its bundle say; a new image comes by `lock --update` and replacement, never under a running node")),
    expect("a login by SSH", Refused("the Session Manager of SSM gives a shell under IAM and leaves a record; no port 22 is open")),
    expect("protectKernelDefaults", Kubelet("/protectKernelDefaults", "true")),
    expect("an orderly shutdown of the control plane", File("etcd/kube-cfn-shutdown.service", "ExecStop=/opt/kube-cfn/bin/stop-control-plane")),
    expect("graceful shutdown of workers", Kubelet("/shutdownGracePeriod", "90s")),
    expect("evictionHard", Refused("the kubelet's own thresholds are those that kops writes out: memory.available below 100Mi, nodefs below 10 % and 5 % of inodes, imagefs below 15 %")),
    expect("verbosity -v=2", Refused("the default level says what fails; a higher one for a search is a flag away, and in production its volume hides it")),
    expect("a login to ECR", File("etc/credential.yaml", "ecr-credential-provider")),
    expect("TLS bootstrap without a shared password", File("lib/first-certificate.sh", "worker/bootstrap-token")),
    expect("a node's certificate for the machine of that name alone", File("bin/approve-nodes", "ec2_launch_times")),
    expect("node-role.kubernetes.io/node on workers", Refused("a kubelet may not give itself a role label (NodeRestriction); pools are distinguished by kube-cfn/pool")),
    expect("structured authentication, anonymous health checks alone", File("apiserver/authentication.yaml", "path: /readyz")),
    expect("encryption of secrets at rest", File("lib/control-plane.sh", "encryption.yaml")),
    expect("an audit log", File("apiserver/audit.yaml", "kind: Policy")),
    expect("a limit range in the namespace default", Refused("a request of 100m that nobody wrote down is not expected when a cluster is sized; namespaces get their limits from those who own them")),
    expect("a volume for each member of etcd", File("lib/etcd-volume.sh", "ec2_attach_volume")),
    expect("a second etcd for events", Refused("it pays from some hundred nodes on; these clusters are a handful of pools")),
    expect("snapshots of etcd", File("etcd/kube-cfn-etcd-snapshot.timer", "OnCalendar=*:0/30")),
    expect("snapshots every 15 minutes, daily ones for 90 days", Refused("objects of a snapshot that old point at volumes and load balancers that are gone; half an hour and thirty days are what a restore is ever made of, and `etcd snapshot` takes one before anything risky")),
    expect("etcd-manager, kops-controller, dns-controller", Refused("slots have fixed addresses and a fixed name in front of them, so nothing has to find anybody")),
    expect("etcd's image pinned", Kubeadm("/etcd/local/imageTag", "3.6.11-0")),
    expect("the cloud controller with credentials of its service accounts", Refused("its chart's role could make a token for any service account; a small role of our own stands in its place")),
    expect("node-termination-handler", Refused("the kubelet's graceful shutdown covers what Auto Scaling and the spot market end; the handler's queue mode needs four more resources a cluster")),
    expect("an autoscaler of CoreDNS", Refused("two replicas with a disruption budget serve some hundred nodes; its own chart's horizontal scaler can be switched on by those who need it")),
    expect("snapshot CRDs and the snapshot controller", Refused("volume snapshots are a choice of their own with classes and retention; the CSI driver runs without them")),
    expect("changes of tags by a volume attributes class", Refused("the driver's role may tag volumes only as it makes them: with the right to change tags it could take over volumes that are not its own")),
];
