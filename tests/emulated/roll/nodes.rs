//! The nodes of emulated instances: each that runs joins the tests' API server with the version that the bundle of its user
//! data has, and its kubelet falls silent when it ends.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use kube_cfn::catalog::kubernetes::minor;
use kube_cfn::cloud::aws::Aws;
use kube_cfn::cloud::{Instance, InstanceState, Machines as _, Store as _};
use kube_cfn::node::kubernetes_of;
use serde_json::{Value, json};

use crate::apiserver::cluster::{NODES, PODS};
use crate::kubernetes::Cluster;
use crate::tools::ask;
use crate::world::World;

/// Makes instances nodes until it is dropped.
pub struct Nodes {
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Nodes {
    pub fn of(cluster: &Arc<Cluster>) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let (end, cluster) = (is_over.clone(), cluster.clone());
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime");
            runtime.block_on(async {
                let aws = cluster.world.aws().await;
                let mut known = BTreeSet::new();
                while !end.load(Ordering::Relaxed) {
                    for one in instances(&aws, &cluster.world.name).await {
                        join_or_leave(&cluster, &aws, &one, &mut known).await;
                    }
                    tokio::time::sleep(Duration::from_millis(200)).await;
                }
            });
        });
        Self {
            is_over,
            thread: Some(thread),
        }
    }
}

impl Drop for Nodes {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // A panic of it is one of the test.
            let ended = thread.join();
            assert!(
                ended.is_ok() || std::thread::panicking(),
                "the nodes' thread"
            );
        }
    }
}

pub async fn instances(aws: &Aws, name: &str) -> Vec<Instance> {
    let groups = aws.machine_groups(name).await.expect("groups");
    aws.instances(name, &groups).await.expect("instances")
}

async fn join_or_leave(cluster: &Cluster, aws: &Aws, one: &Instance, known: &mut BTreeSet<String>) {
    if one.state == InstanceState::Running && known.insert(one.id.clone()) {
        let version = version(&cluster.world, aws, &one.id).await;
        cluster.server.put(NODES, node(one, &version));
        let agent = json!({"metadata": {"namespace": "kube-system", "name": format!("cilium-{}", one.id),
                "labels": {"k8s-app": "cilium"}, "ownerReferences": [{"apiVersion": "apps/v1", "kind": "DaemonSet",
                    "name": "cilium", "uid": "1", "controller": true}]},
            "spec": {"nodeName": one.id, "containers": []},
            "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}});
        cluster.server.put(PODS, agent);
        if one.stack.as_deref() == Some("control-plane") {
            for (component, image) in control_plane(&version) {
                cluster
                    .server
                    .put(PODS, static_pod(component, &image, &one.id));
            }
        }
    }
    let ended = format!("{} ended", one.id);
    if !one.state.is_alive() && known.contains(&one.id) && known.insert(ended) {
        let mut nodes = cluster.server.objects(NODES).into_iter();
        if let Some(mut node) = nodes.find(|node| node["metadata"]["name"] == one.id.as_str()) {
            node["status"]["conditions"][0]["status"] = json!("Unknown");
            node["status"]["conditions"][0]["message"] =
                json!("Kubelet stopped posting node status.");
            cluster.server.put(NODES, node);
        }
    }
}

/// What the machine would boot.
async fn version(world: &World, aws: &Aws, instance: &str) -> String {
    let asked = json!({"InstanceId": instance, "Attribute": "userData"});
    let found = ask(world, "ec2", "describe_instance_attribute", &asked);
    let encoded = found["UserData"]["Value"].as_str().expect("user data");
    let text = String::from_utf8(STANDARD.decode(encoded).expect("base64")).expect("a script");
    let value = |key: &str| {
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix(&format!("{key}='")));
        line.and_then(|rest| rest.strip_suffix('\''))
            .expect("a value")
            .to_owned()
    };
    let bundle = aws
        .object(&value("STATE_BUCKET"), &value("BUNDLE_KEY"))
        .await;
    kubernetes_of(&bundle.expect("read").expect("a bundle")).expect("a version")
}

/// The static pods that are looked at, with their images.
fn control_plane(version: &str) -> [(&'static str, String); 2] {
    let minor = minor(&version.parse().expect("a version")).expect("a minor");
    [
        (
            "kube-apiserver",
            format!("registry.k8s.io/kube-apiserver:v{version}"),
        ),
        ("etcd", format!("registry.k8s.io/etcd:{}", minor.etcd)),
    ]
}

fn static_pod(component: &str, image: &str, node: &str) -> Value {
    json!({
        "metadata": {"namespace": "kube-system", "name": format!("{component}-{node}"),
            "labels": {"component": component, "tier": "control-plane"},
            "annotations": {"kubernetes.io/config.mirror": "1"}},
        "spec": {"nodeName": node, "containers": [{"name": component, "image": image}]},
        "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]},
    })
}

fn node(one: &Instance, version: &str) -> Value {
    let now = Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let stack = one.stack.clone().expect("of a stack");
    let mut labels = json!({"topology.kubernetes.io/zone": one.zone});
    let mut spec = json!({});
    if let Some(pool) = stack.strip_prefix("pool-") {
        labels["kube-cfn/pool"] = json!(pool);
    } else {
        labels["kube-cfn/slot"] = json!("a");
        spec["taints"] =
            json!([{"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"}]);
    }
    json!({
        "metadata": {"name": one.id, "labels": labels},
        "spec": spec,
        "status": {
            "addresses": [{"type": "InternalIP", "address": "10.20.0.10"}],
            "allocatable": {"cpu": "2", "memory": "4Gi"},
            "nodeInfo": {"kubeletVersion": format!("v{version}"), "architecture": "arm64", "bootID": "",
                "containerRuntimeVersion": "", "kernelVersion": "", "kubeProxyVersion": "", "machineID": "",
                "operatingSystem": "linux", "osImage": "", "systemUUID": ""},
            "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": now}],
        },
    })
}
