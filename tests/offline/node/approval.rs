//! `approve-nodes`: which first certificates of nodes are approved. The program runs with the real kubectl, openssl
//! and jq, against the tests' own API server; only AWS is a stand-in.

mod cluster;
mod hostile;
mod requests;
mod upkeep;

use serde_json::json;

use cluster::{Cluster, Decision, REQUESTS};
use requests::Request;

use super::machine::text;

/// A machine of the pool `batch`, launched five minutes ago.
const NEW: &str = "i-0123456789abcdef0";
/// One of a control-plane node.
const SLOT: &str = "i-0a0a0a0a0a0a0a0a0";
/// Longer than what a machine may take to join.
const TWO_HOURS: i64 = 7200;

/// A cluster of a month, with a new machine and a control-plane node.
fn cluster() -> Cluster {
    let cluster = Cluster::new();
    cluster.launch("pool-batch", NEW, "InService", 300);
    cluster.launch("control-plane", SLOT, "InService", 300);
    cluster
}

/// What becomes of a request after one round on a cluster.
fn decided(cluster: &Cluster, request: &Request) -> Decision {
    cluster.ask(request);
    cluster.round();
    cluster.decision(&request.name)
}

fn assert_denied(decision: &Decision, why: &str) {
    let Decision::Denied(message) = decision else {
        panic!("{decision:?}, not denied because {why}")
    };
    assert!(message.contains(why), "{message}, not {why}");
}

#[test]
fn a_new_machine_of_a_pool_is_approved_once() {
    let cluster = cluster();
    let (first, rsa) = (
        Request::of(NEW),
        Request::of("i-0123456789abcdef1").with_rsa(),
    );
    cluster.launch("pool-system", "i-0123456789abcdef1", "Pending:Wait", 60);
    cluster.ask(&rsa);
    assert_eq!(decided(&cluster, &first), Decision::Approved);
    assert_eq!(cluster.decision(&rsa.name), Decision::Approved);
    let record = &cluster.records()[0];
    assert_eq!(record["metadata"]["name"], format!("kube-cfn-node-{NEW}"));
    assert_eq!(record["immutable"], true);
    assert_eq!(
        record["data"],
        json!({"instance": NEW, "publicKey": first.key_hash(), "request": first.name})
    );
    // Somebody else with the same name, or the machine after it has lost its key.
    let other = Request::of(NEW);
    assert_denied(&decided(&cluster, &other), "a record of this instance");
    assert_eq!(cluster.decision(&first.name), Decision::Approved);
    assert_eq!(cluster.records()[0]["data"], record["data"]);
}

/// The boot of a machine keeps its key until it has a certificate, and asks with it again.
#[test]
fn after_a_crash_between_record_and_approval_the_same_key_is_approved() {
    let cluster = cluster();
    let request = Request::of(NEW);
    cluster.fail_writes_of(&request.name);
    let said = {
        cluster.ask(&request);
        cluster.round()
    };
    assert!(said.contains("not marked as approved"), "{said}");
    assert_eq!(cluster.decision(&request.name), Decision::Pending);
    assert_eq!(
        cluster.records()[0]["data"]["publicKey"],
        request.key_hash()
    );
    cluster.allow_writes();
    let other = Request::of(NEW);
    assert_denied(&decided(&cluster, &other), "a record of this instance");
    assert_eq!(cluster.decision(&request.name), Decision::Approved);
    assert_eq!(cluster.records().len(), 1);
}

#[test]
fn a_machine_that_joined_before_there_were_records_is_denied() {
    let cluster = cluster();
    cluster.api.put(
        "api/v1/nodes",
        json!({"kind": "Node", "metadata": {"name": NEW}}),
    );
    assert_denied(
        &decided(&cluster, &Request::of(NEW)),
        "there is a Node of this name",
    );
    assert_eq!(cluster.records(), Vec::<serde_json::Value>::new());
}

#[test]
fn only_machines_of_this_clusters_pools_are_approved() {
    let cluster = cluster();
    let ending = "i-0123456789abcdef2";
    cluster.launch("pool-batch", ending, "Terminating:Wait", 300);
    // Of another cluster, and of one whose tags say that it is of this one.
    let (other, forged) = ("i-0123456789abcdef3", "i-0123456789abcdef4");
    cluster.launch_elsewhere("canary", "canary", other);
    cluster.launch_elsewhere("production", "somebody", forged);
    for (instance, age, why) in [
        (SLOT, 0, "it belongs to the stack control-plane"),
        (ending, 0, "its state in its group is Terminating:Wait"),
        (other, 600, "it is not in a group of this cluster"),
        (forged, 600, "it is not in a group of this cluster"),
        (
            "i-0fffffffffffffff0",
            600,
            "it is not in a group of this cluster",
        ),
    ] {
        assert_denied(&decided(&cluster, &Request::of(instance).old(age)), why);
    }
    // Auto Scaling may list a machine later than it asks.
    let early = Request::of("i-0fffffffffffffff1");
    assert_eq!(decided(&cluster, &early), Decision::Pending);
    cluster.launch("pool-batch", "i-0fffffffffffffff1", "Pending", 20);
    cluster.round();
    assert_eq!(cluster.decision(&early.name), Decision::Approved);
}

#[test]
fn an_hour_after_its_launch_a_machine_is_denied() {
    let cluster = cluster();
    let old = "i-0123456789abcdef5";
    cluster.launch("pool-batch", old, "InService", 3700);
    let why = "it was launched more than an hour ago";
    assert_denied(&decided(&cluster, &Request::of(old)), why);
    assert_eq!(cluster.records(), Vec::<serde_json::Value>::new());
    cluster.launch("pool-batch", old, "InService", 3500);
    let request = Request::of(old);
    assert_eq!(decided(&cluster, &request), Decision::Approved);
}

/// Pools may have waited for a control plane that came up late.
#[test]
fn the_hour_begins_with_the_cluster() {
    let cluster = cluster();
    let old = "i-0123456789abcdef5";
    cluster.launch("pool-batch", old, "InService", TWO_HOURS);
    cluster.began(3500);
    assert_eq!(decided(&cluster, &Request::of(old)), Decision::Approved);
}

#[test]
fn while_aws_does_not_answer_requests_stay_pending() {
    let cluster = cluster();
    let request = Request::of(NEW).old(600);
    cluster.machine.set("srv/aws-is-down", "");
    assert_eq!(decided(&cluster, &request), Decision::Pending);
    let said = cluster.rounds(3);
    assert_eq!(said.matches("stays pending").count(), 1, "{said}");
    cluster.machine.remove("srv/aws-is-down");
    // An answer without this control-plane node is no whole answer.
    let groups = cluster.machine.get("srv/groups.json");
    cluster
        .machine
        .set("srv/groups.json", &groups.replace("i-0a\"", "i-0b\""));
    cluster.round();
    assert_eq!(cluster.decision(&request.name), Decision::Pending);
    cluster.machine.set("srv/groups.json", &groups);
    std::fs::remove_file(cluster.machine.path(&format!("srv/launched/{NEW}"))).unwrap();
    cluster.round();
    assert_eq!(cluster.decision(&request.name), Decision::Pending);
    assert_eq!(cluster.records(), Vec::<serde_json::Value>::new());
    cluster.launch("pool-batch", NEW, "InService", 300);
    cluster.round();
    assert_eq!(cluster.decision(&request.name), Decision::Approved);
}

#[test]
fn requests_of_others_are_left_alone() {
    let cluster = cluster();
    let renewal = Request::of(NEW).by(&format!("system:node:{NEW}"), &["system:nodes"]);
    let admin = Request::of(NEW).by("ada", &["kubeadm:cluster-admins"]);
    let nearly = Request::of(NEW).by("system:bootstrap:abcdef\n", &[requests::GROUP]);
    let other = Request::of(NEW).for_signer("kubernetes.io/kube-apiserver-client");
    let mut decided = Request::of(NEW).object();
    decided["status"] = json!({"conditions": [{"type": "Failed", "status": "True"}]});
    cluster.api.put(REQUESTS, decided);
    for request in [&renewal, &admin, &nearly, &other] {
        cluster.ask(request);
    }
    let said = cluster.round();
    for request in [&renewal, &admin, &nearly, &other] {
        assert_eq!(cluster.decision(&request.name), Decision::Pending);
    }
    assert_eq!(said, "");
    assert_eq!(cluster.records(), Vec::<serde_json::Value>::new());
}

/// Hundreds of machines start at once, and each has its hour.
#[test]
fn one_round_asks_aws_once_for_all_machines_and_begins_with_the_newest_request() {
    let cluster = cluster();
    let requests: Vec<_> = (0..5)
        .map(|number: u8| {
            let instance = format!("i-0bbbbbbbbbbbbbb{number:02}");
            cluster.launch("pool-batch", &instance, "InService", 60);
            Request::of(&instance).old(i64::from(number) * 10)
        })
        .collect();
    for request in requests.iter().rev() {
        cluster.ask(request);
    }
    let said = cluster.round();
    let names: Vec<_> = said
        .lines()
        .filter_map(|line| line.split([':', ' ']).nth(2))
        .collect();
    let newest_first: Vec<_> = requests.iter().map(|one| one.name.as_str()).collect();
    assert_eq!(names, newest_first, "{said}");
    let calls = cluster.machine.calls();
    assert_eq!(calls.matches("aws autoscaling ").count(), 1, "{calls}");
    assert_eq!(calls.matches("aws ec2 ").count(), 1, "{calls}");
}

/// The worker's boot with the real curl and openssl asks the API server, and `approve-nodes` decides.
#[test]
fn a_worker_gets_its_first_certificate_from_the_control_plane() {
    let cluster = cluster();
    let worker = cluster.worker(NEW);
    std::thread::scope(|scope| {
        let boot = scope.spawn(|| worker.boot());
        while cluster.api.objects(REQUESTS).is_empty() {
            assert!(!boot.is_finished(), "{:?}", boot.join());
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        cluster.round();
        let done = boot.join().unwrap();
        assert!(done.status.success(), "{done:?}");
    });
    let all = cluster.api.objects(REQUESTS);
    let [request] = &all[..] else {
        panic!("{all:?}")
    };
    let name = request["metadata"]["name"].as_str().unwrap();
    assert!(name.starts_with(&format!("node-csr-{NEW}-")), "{name}");
    assert_eq!(cluster.decision(name), Decision::Approved);
    // The kubelet's pair: the certificate is for the key behind it, and this machine's name.
    let pem = "cd /var/lib/kubelet/pki; openssl x509 -noout -subject -nameopt RFC2253 -in kubelet-client-current.pem; \
               openssl x509 -noout -pubkey -in kubelet-client-current.pem | cmp - <(openssl pkey -pubout -in kubelet-client-current.pem)";
    let done = worker.run(&["/bin/bash", "-c", pem]);
    assert_eq!(
        text(&done.stdout),
        format!("subject=CN=system:node:{NEW},O=system:nodes\n"),
        "{done:?}"
    );
    assert!(done.status.success(), "{done:?}");
}
