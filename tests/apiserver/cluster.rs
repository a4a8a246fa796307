//! A complete cluster for the API server of the tests: nodes and system pods as kubeadm, kubelets and charts
//! would create them.

use serde_json::{Value, json};

use super::ApiServer;

pub const NODES: &str = "api/v1/nodes";
pub const PODS: &str = "api/v1/pods";

/// The version that all nodes run.
pub const VERSION: &str = "v1.36.4";

/// Fills `server` with the nodes of slots (by their addresses) and of a pool, and their pods.
pub fn fill(server: &ApiServer, slots: &[&str], pool: &str, workers: usize) {
    for (number, address) in slots.iter().enumerate() {
        let name = format!("i-0c{number}");
        server.put(NODES, node(&name, address, &json!({})));
        for component in [
            "etcd",
            "kube-apiserver",
            "kube-controller-manager",
            "kube-scheduler",
        ] {
            let labels = json!({"component": component, "tier": "control-plane"});
            server.put(PODS, pod(&format!("{component}-{name}"), &labels, &name));
        }
        let labels = json!({"k8s-app": "aws-cloud-controller-manager"});
        server.put(PODS, pod(&format!("ccm-{name}"), &labels, &name));
        server.put(PODS, cilium(&name));
    }
    for number in 0..workers {
        let name = format!("i-0d{number}");
        let labels = json!({"kube-cfn/pool": pool});
        server.put(NODES, node(&name, &format!("10.99.0.{number}"), &labels));
        server.put(PODS, cilium(&name));
    }
    for (name, labels) in [
        ("cilium-operator-1", json!({"io.cilium/app": "operator"})),
        ("coredns-1", json!({"k8s-app": "kube-dns"})),
        ("ebs-csi-controller-1", json!({"app": "ebs-csi-controller"})),
    ] {
        server.put(PODS, pod(name, &labels, "i-0c0"));
    }
}

fn cilium(node: &str) -> Value {
    pod(
        &format!("cilium-{node}"),
        &json!({"k8s-app": "cilium"}),
        node,
    )
}

pub fn node(name: &str, address: &str, labels: &Value) -> Value {
    json!({
        "metadata": {"name": name, "labels": labels},
        "status": {
            "addresses": [{"type": "InternalIP", "address": address}],
            "nodeInfo": {"kubeletVersion": VERSION, "architecture": "arm64", "bootID": "",
                "containerRuntimeVersion": "", "kernelVersion": "", "kubeProxyVersion": "",
                "machineID": "", "operatingSystem": "linux", "osImage": "", "systemUUID": ""},
            "conditions": [{"type": "Ready", "status": "True"}],
        },
    })
}

fn pod(name: &str, labels: &Value, node: &str) -> Value {
    json!({
        "metadata": {"name": name, "namespace": "kube-system", "labels": labels},
        "spec": {"nodeName": node, "containers": []},
        "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]},
    })
}
