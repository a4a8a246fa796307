//! What `approve-nodes` does beside its decisions: several of it at once, records and bindings that have to go, an API that
//! does not answer; and what a worker says that got no certificate.

use serde_json::json;

use super::cluster::{Decision, RECORDS};
use super::requests::{self, Request};
use super::{NEW, cluster};

#[test]
fn without_an_api_the_program_waits() {
    let cluster = cluster();
    let conf = cluster.machine.get("etc/kube-cfn/local-admin.conf");
    let nobody = conf.replace(&cluster.api.server(), "https://127.0.0.1:1");
    cluster
        .machine
        .set("etc/kube-cfn/local-admin.conf", &nobody);
    let said = cluster.rounds(3);
    assert_eq!(
        said.matches("the API server: it does not answer").count(),
        1,
        "{said}"
    );
}

#[test]
fn several_control_plane_nodes_decide_together() {
    let cluster = cluster();
    let requests: Vec<_> = (0..6)
        .map(|number| {
            let instance = format!("i-0cccccccccccccc{number:02}");
            cluster.launch("pool-batch", &instance, "InService", 60);
            Request::of(&instance)
        })
        .collect();
    for request in &requests {
        cluster.ask(request);
    }
    let said: Vec<_> = std::thread::scope(|scope| {
        let programs: Vec<_> = (0..3).map(|_| scope.spawn(|| cluster.rounds(2))).collect();
        let ends = programs.into_iter().map(|program| program.join().unwrap());
        ends.collect()
    });
    // One of them decides, the others say nothing of it.
    let said = said.concat();
    assert_eq!(said.matches(": approved i-").count(), 6, "{said}");
    assert_eq!(said.lines().count(), 6, "{said}");
    for request in &requests {
        assert_eq!(cluster.decision(&request.name), Decision::Approved);
    }
    let mut keys: Vec<_> = cluster
        .records()
        .iter()
        .map(|record| record["data"]["publicKey"].as_str().unwrap().to_owned())
        .collect();
    let mut wanted: Vec<_> = requests.iter().map(Request::key_hash).collect();
    keys.sort();
    wanted.sort();
    assert_eq!(keys, wanted);
}

#[test]
fn records_of_machines_that_are_gone_are_removed_after_a_day() {
    let cluster = cluster();
    let (gone, recent) = ("i-0dddddddddddddd01", "i-0dddddddddddddd02");
    cluster.record(gone, 90_000);
    cluster.record(recent, 80_000);
    cluster.record(NEW, 90_000);
    cluster.api.put(
        RECORDS,
        json!({"kind": "ConfigMap", "metadata": {"name": "kube-cfn-addons", "namespace": "kube-system",
            "creationTimestamp": "2020-01-01T00:00:00Z"}}),
    );
    let groups = cluster.machine.get("srv/groups.json");
    cluster
        .machine
        .set("srv/groups.json", "{\"AutoScalingGroups\": []}");
    cluster.round();
    assert_eq!(cluster.records().len(), 3);
    cluster.machine.set("srv/groups.json", &groups);
    let said = cluster.round();
    assert!(
        said.contains(&format!("removed the record kube-cfn-node-{gone}")),
        "{said}"
    );
    let left: Vec<_> = cluster
        .records()
        .iter()
        .map(|record| record["data"]["instance"].clone())
        .collect();
    assert_eq!(left, [json!(NEW), json!(recent)]);
    assert_eq!(cluster.api.objects(RECORDS).len(), 3);
}

/// A control-plane node with earlier boot files makes it at every boot.
#[test]
fn the_blanket_approval_of_earlier_versions_is_removed() {
    const BINDINGS: &str = "apis/rbac.authorization.k8s.io/v1/clusterrolebindings";
    let cluster = cluster();
    for name in [
        "kubeadm:node-autoapprove-bootstrap",
        "kubeadm:node-autoapprove-certificate-rotation",
    ] {
        cluster.api.put(
            BINDINGS,
            json!({"kind": "ClusterRoleBinding", "metadata": {"name": name}}),
        );
    }
    let said = cluster.round();
    assert!(said.contains("removed the ClusterRoleBinding"), "{said}");
    let left = cluster.api.objects(BINDINGS);
    assert_eq!(left.len(), 1, "{left:?}");
    assert_eq!(
        left[0]["metadata"]["name"],
        "kubeadm:node-autoapprove-certificate-rotation"
    );
    assert_eq!(cluster.round(), "");
}

/// A worker that slept past the end of its certificate, with real certificates.
#[test]
fn a_worker_with_an_expired_certificate_says_that_it_has_to_be_replaced() {
    let worker = super::super::boot::worker();
    worker.remove("local/sbin/openssl");
    worker.set(
        "var/lib/kubelet/pki/kubelet-client-current.pem",
        &requests::expired_certificate(),
    );
    let reason = worker.refuses();
    assert!(
        reason.contains("it has expired") && reason.contains("terminate instance i-0a"),
        "{reason}"
    );
    assert!(!worker.calls().contains("start kubelet"));
}

#[test]
fn a_worker_whose_request_is_denied_reports_the_reason() {
    let worker = super::super::boot::worker();
    worker.set("srv/no-certificate", "");
    worker.program(
        "journalctl",
        "#!/bin/bash\n[[ \"$*\" != *kubelet* ]] || echo 'E1 \"command failed\" err=\"failed to run Kubelet: \
         certificate signing request is denied, reason: KubeCfnApproveNodes, message: there is a record\"'\n",
    );
    let reason = worker.refuses();
    assert!(
        reason.contains("message: there is a record")
            && reason.contains("terminate instance i-0a, its group launches a new one"),
        "{reason}"
    );
}

#[test]
fn the_program_runs_as_a_unit_after_a_boot() {
    let (_, machine) = super::super::boot::slot();
    machine.boots();
    let calls = machine.calls();
    assert!(
        calls.contains("systemctl start --no-block kube-cfn-approve-nodes.service"),
        "{calls}"
    );
    let rbac = machine.get("etc/kube-cfn/rbac.yaml");
    assert!(!rbac.contains("certificatesigningrequests:nodeclient"));
    assert!(rbac.contains("certificatesigningrequests:selfnodeclient"));
}
