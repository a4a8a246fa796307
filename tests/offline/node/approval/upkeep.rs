//! What `approve-nodes` does beside its decisions: several of it at once, records and bindings that have to go, an API that
//! does not answer; and what a worker says that got no certificate.

use serde_json::json;

use super::cluster::{Decision, RECORDS};
use super::requests::{self, Request};
use super::{NEW, cluster};
use crate::node::machine::{Machine, text};

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
    worker.set("srv/denial", "there is a record\n\u{1b}of it");
    let reason = worker.refuses();
    assert!(
        reason.contains("is Denied: there is a record  of it;")
            && reason.contains("terminate instance i-0a, its group launches a new one"),
        "{reason}"
    );
    // At once, and three attempts are one request with one key.
    let calls = worker.calls();
    assert_eq!(calls.matches("--request POST").count(), 1, "{calls}");
    assert_eq!(calls.matches("openssl genpkey").count(), 1, "{calls}");
    assert_eq!(requests_of(&worker), 1);
    assert!(!calls.contains("start kubelet"), "{calls}");
}

/// Certificate requests that a worker has made in its stand-in of an API.
fn requests_of(worker: &Machine) -> usize {
    let all = worker.path("srv/cluster/requests");
    std::fs::read_dir(all).map_or(0, Iterator::count)
}

/// As after an outage of AWS or of the API that is longer than one boot waits, and after a power cut.
#[test]
fn a_worker_asks_with_the_same_key_until_it_has_a_certificate() {
    const KEY: &str = "var/lib/kubelet/pki/kube-cfn-first.key";
    let worker = super::super::boot::worker();
    worker.set("srv/no-certificate", "");
    let said = text(&worker.boot().stderr);
    assert!(said.contains("has no certificate after twenty"), "{said}");
    let key = worker.get(KEY);
    assert_eq!(worker.kept()[KEY].0, 0o600);
    // The cluster's cleaner takes requests away.
    std::fs::remove_dir_all(worker.path("srv/cluster/requests")).unwrap();
    worker.remove("srv/no-certificate");
    worker.boots();
    let pair = "cat /var/lib/kubelet/pki/kubelet-client-current.pem; readlink /var/lib/kubelet/pki/*-current.pem";
    let pair = text(&worker.run(&["/bin/bash", "-c", pair]).stdout);
    assert!(pair.starts_with("-----BEGIN CERTIFICATE-----\n"), "{pair}");
    assert!(
        pair.contains(&format!(
            "-----END CERTIFICATE-----\n{key}/var/lib/kubelet/pki/kubelet-client-2"
        )),
        "{pair}"
    );
    assert_eq!(requests_of(&worker), 1);
    assert!(!worker.has(KEY) && !worker.has("var/lib/kubelet/pki/kube-cfn-first.json"));
}

/// The next poll uses it; the kubelet has none.
#[test]
fn a_token_that_has_ended_is_read_again() {
    let worker = super::super::boot::worker();
    worker.set("srv/refused-token", "abcdef.0123456789abcdef");
    let renewed =
        "#!/bin/bash\necho ghijkl.0123456789abcdef > /srv/parameters/worker/bootstrap-token\n";
    worker.program("sleep", renewed);
    worker.boots();
    let calls = worker.calls();
    assert_eq!(
        calls.matches("worker/bootstrap-token").count(),
        2,
        "{calls}"
    );
    assert!(!calls.contains("restart kubelet"), "{calls}");
}

#[test]
fn a_request_of_somebody_else_is_not_used() {
    let worker = super::super::boot::worker();
    worker.set("srv/no-certificate", "");
    assert!(!worker.boot().status.success());
    let all = std::fs::read_dir(worker.path("srv/cluster/requests")).unwrap();
    let path = all.map(|one| one.unwrap().path()).next().unwrap();
    let other = std::fs::read_to_string(&path)
        .unwrap()
        .replace("LS0t", "LS0u");
    std::fs::write(path, other).unwrap();
    worker.remove("srv/no-certificate");
    let reason = worker.refuses();
    assert!(reason.contains("was made by somebody else"), "{reason}");
    assert!(!worker.calls().contains("start kubelet"));
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
