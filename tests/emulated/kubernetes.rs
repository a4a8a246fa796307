//! After the stacks: waiting for Kubernetes, status, certificates and access for a CI. The stacks are on the
//! emulated AWS, the cluster is the tests' own API server with the cluster's own authority, reached as through
//! a tunnel.

use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;

use jiff::Timestamp;
use kube_cfn::access::ParameterNames;
use kube_cfn::cloud::Store;
use kube_cfn::pki::{Authority, CertificateAuthority};
use serde_json::{Value, json};

use crate::apiserver::ApiServer;
use crate::apiserver::cluster::{NODES, fill, node};
use crate::process::Said;
use crate::tools::kubectl;
use crate::world::World;

/// A world whose stacks stand, and an API server that is its cluster's.
pub struct Cluster {
    pub world: Arc<World>,
    pub server: ApiServer,
}

impl Cluster {
    pub fn new(name: &str) -> Self {
        Self::of(World::small(name))
    }

    /// Of the definition that a world has.
    pub fn of(world: World) -> Self {
        let world = Arc::new(world);
        world.apply().ends(0);
        let api = world.status()["api"]
            .as_str()
            .expect("an address")
            .to_owned();
        let host = api
            .trim_start_matches("https://")
            .trim_end_matches(":6443")
            .to_owned();
        let server = ApiServer::of(authority(&world), &[&host]);
        Self { world, server }
    }

    pub fn run(&self, arguments: &[&str]) -> Said {
        let server = self.server.server();
        let mut all = arguments.to_vec();
        all.extend(["--server", &server]);
        self.world.run(&all)
    }

    fn json(&self, arguments: &[&str]) -> Value {
        let mut all = arguments.to_vec();
        all.extend(["-o", "json"]);
        serde_json::from_str(&self.run(&all).stdout).expect("JSON")
    }
}

/// The authority as apply stored it.
fn authority(world: &World) -> CertificateAuthority {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let bundle = runtime.block_on(async {
        let name = ParameterNames::of(&world.name)
            .expect("a name")
            .secret(Authority::Kubernetes);
        world
            .aws()
            .await
            .secret(&name)
            .await
            .expect("read")
            .expect("kept")
    });
    CertificateAuthority::from_bundle(Authority::Kubernetes, &bundle).expect("an authority")
}

/// The slot's address in a VPC of the default range.
const SLOT: &str = "10.20.0.10";

#[test]
fn apply_waits_for_kubernetes_and_names_what_is_missing() {
    let world = World::small("beyond");
    let said = world.cluster("apply", &["--yes", "--wait", "ready", "--timeout", "2s"]);
    said.ends(4)
        .tells("beyond: created in")
        .tells("context beyond added to")
        .tells("beyond: waits for Kubernetes, at most 2s")
        .tells("API does not answer")
        .tells("beyond is not ready after 2s; missing:")
        .tells("the stacks of beyond are as defined, but Kubernetes was not ready within 2s")
        .tells("`kube-cfn status beyond` checks again");
    assert!(said.at("created in") < said.at("waits for Kubernetes"));
    world.apply().ends(0).omits("waits for Kubernetes");
}

#[test]
fn the_wait_ends_when_the_cluster_is_ready() {
    let cluster = Cluster::new("working");
    let wait = [
        "apply",
        "working",
        "--yes",
        "--wait",
        "ready",
        "--timeout",
        "30s",
    ];
    cluster.server.put(NODES, node("i-0c0", SLOT, &json!({})));
    let mut short = wait;
    short[6] = "2s";
    cluster
        .run(&short)
        .ends(4)
        .tells("control plane 1 of 1 node Ready")
        .tells("pool workers 0 of 1 node Ready")
        .tells("1 node has not joined yet")
        .tells("critical pods 0 of 9 kinds run");
    fill(&cluster.server, &[SLOT], "workers", 1);
    cluster
        .run(&wait)
        .ends(0)
        .tells("Nothing to do")
        .tells("working is ready after")
        .tells("pool workers 1 of 1 node Ready, critical pods 9 of 9 kinds run");
    let mut events = wait.to_vec();
    events.extend(["--progress", "json"]);
    let said = cluster.run(&events);
    let last = said
        .ends(0)
        .stdout
        .lines()
        .last()
        .expect("an event")
        .to_owned();
    let last: Value = serde_json::from_str(&last).expect("JSON");
    assert_eq!(
        (&last["type"], &last["ready"]),
        (&json!("readiness"), &json!(true))
    );
}

#[test]
fn leaving_the_wait_detaches() {
    let cluster = Cluster::new("leaving");
    let server = cluster.server.server();
    let wait = [
        "apply", "leaving", "--yes", "--wait", "ready", "--server", &server,
    ];
    let mut run = cluster.world.spawn(&wait);
    run.until(&["control plane 0 of 1 node Ready"]);
    run.interrupt();
    run.wait()
        .ends(6)
        .tells("detached: the stacks of leaving are as defined")
        .tells("`kube-cfn apply leaving` waits again");
}

#[test]
fn status_shows_the_cluster_itself_or_why_it_can_not() {
    let cluster = Cluster::new("seen");
    let silent = cluster.world.cluster("status", &[]);
    silent
        .ends(0)
        .prints("can't be reached: its name is unknown (DNS)");
    fill(&cluster.server, &[SLOT], "workers", 1);
    cluster
        .run(&["status", "seen"])
        .ends(0)
        .prints("version v1.36.2, ready")
        .prints("etcd answers; 1 of 1 members' pods run")
        .prints("certs serving 364 days left, authorities 3649 days left")
        .prints("i-0c0 control-plane a v1.36.4 Ready")
        .prints("i-0d0 pool workers v1.36.4 Ready");
    let view = cluster.json(&["status", "seen"]);
    assert_eq!(view["kubernetes"]["missing"], json!([]));
    assert_eq!(view["kubernetes"]["nodes"][0]["ready"], json!(true));
}

#[test]
fn diagnosis_is_about_stacks_and_the_cluster_itself() {
    let cluster = Cluster::new("whole");
    let unseen = cluster.world.cluster("diagnose", &[]);
    unseen
        .ends(1)
        .tells("the last operation on each of its 5 stacks succeeded")
        .tells("could not check: Kubernetes: ")
        .omits("is healthy");
    fill(&cluster.server, &[SLOT], "workers", 1);
    cluster
        .run(&["diagnose", "whole"])
        .ends(0)
        .tells("whole is healthy: its stacks, the boots of its machines, its API with nodes and pods, and its authorities were looked at");
    cluster.run(&["status", "whole", "--check"]).ends(0);
    let view = cluster.json(&["diagnose", "whole"]);
    assert_eq!(view["verdict"], "healthy");
    assert_eq!(view["notLookedAt"], json!([]));

    let condition = json!([{"type": "Ready", "status": "False", "message": "kubelet stopped"}]);
    let mut ill = node("i-0d0", "10.20.1.9", &json!({"kube-cfn/pool": "workers"}));
    ill["status"]["conditions"] = condition;
    cluster.server.put(NODES, ill);
    for arguments in [&["diagnose", "whole"][..], &["status", "whole", "--check"]] {
        cluster.run(arguments).ends(4).tells("i-0d0 is NotReady");
    }
    // Nobody knows then how many nodes there should be; those that are there are looked at all the same.
    std::fs::remove_file(cluster.world.path("clusters/whole.yaml")).expect("removed");
    for command in ["diagnose", "status"] {
        let mut arguments = vec![command, "whole", "--region", "eu-west-1"];
        arguments.extend((command == "status").then_some("--check"));
        cluster.run(&arguments).ends(4).tells("i-0d0 is NotReady");
    }
}

#[test]
fn certificates_of_control_plane_nodes_are_read_through_run_command() {
    let cluster = Cluster::new("inside");
    let status = ["certs", "status", "inside"];
    let unseen = cluster.run(&status);
    unseen
        .ends(1)
        .prints(".. control-plane a certificates")
        .prints("certificates of control-plane node a: the SSM agent on i-")
        .tells("could not check: control-plane node a (certificates)");
    cluster.world.nodes_say(80);
    let good = cluster.run(&status);
    good.ends(0)
        .prints("ok control-plane a etcd-peer")
        .prints("ok control-plane a apiserver-etcd-client")
        .prints("ok serving API")
        .tells("valid for 80 more days");
    let rows = cluster.json(&status);
    let peer = rows.as_array().expect("rows").iter();
    let peer = peer.filter(|row| row["name"] == "etcd-peer");
    let peer: Vec<_> = peer
        .map(|row| (&row["node"], &row["kind"], &row["daysLeft"]))
        .collect();
    assert_eq!(peer, [(&json!("a"), &json!("node"), &json!(80))]);
    cluster.world.nodes_say(29);
    cluster
        .run(&status)
        .ends(4)
        .prints("!! control-plane a etcd-server")
        .tells("control-plane node a (etcd-server, etcd-peer, apiserver-etcd-client)")
        .tells("journalctl -u kube-cfn-certificates");
    let silent = json!([{"op": "command", "logical": "SlotA", "says": "etcd", "code": 0, "stdout": "", "stderr": ""}]);
    cluster.world.rules(silent);
    cluster
        .run(&status)
        .ends(1)
        .prints("it has older boot files");
}

#[test]
fn certificates_are_judged_by_their_days_left() {
    let cluster = Cluster::new("dated");
    cluster.world.nodes_say(360);
    cluster
        .run(&["certs", "status", "dated"])
        .ends(0)
        .prints("ok authority kubernetes")
        .prints("ok serving API")
        .prints("364 days");
    cluster
        .run(&["certs", "status", "dated", "--warn-days", "400"])
        .ends(4)
        .prints("!! serving API")
        .tells("not all certificates of dated are good for 400 days: API, control-plane node a");
    let unseen = cluster.world.run(&["certs", "status", "dated"]);
    unseen.ends(1).tells("could not check: API, grants");
    let rows = cluster.json(&["certs", "status", "dated"]);
    assert_eq!(rows.as_array().map(Vec::len), Some(7));
    let foreign = ApiServer::start();
    let server = foreign.server();
    let said = cluster
        .world
        .run(&["certs", "status", "dated", "--server", &server]);
    said.ends(4)
        .prints("its certificate is not signed by our authority");
}

#[test]
fn a_kubeconfig_for_a_tunnel_works_as_it_is() {
    let cluster = Cluster::new("tunnelled");
    let said = cluster.run(&["kubeconfig", "tunnelled", "--stdout", "--user", "ada"]);
    said.ends(0);
    assert!(said.stdout.contains("tls-server-name: "), "{said}");
    cluster.world.write("own", &said.stdout);
    let place = cluster.world.path("own").display().to_string();
    let known = kubectl(&cluster.world, &["--kubeconfig", &place, "auth", "whoami"]);
    assert!(known.contains("ada"), "{known}");
    let plain = cluster.world.cluster("kubeconfig", &["--stdout"]);
    assert!(!plain.ends(0).stdout.contains("tls-server-name"), "{plain}");
    cluster
        .world
        .cluster("kubeconfig", &["--server", "http://127.0.0.1:6443"])
        .ends(64)
        .tells("expected https://HOST:PORT");
}

#[test]
fn ci_access_is_granted_and_revoked() {
    let cluster = Cluster::new("guest");
    let grant = [
        "access", "grant", "guest", "github", "-n", "web", "--role", "deployer",
    ];
    let refused = cluster.run(&grant);
    refused
        .ends(5)
        .tells("there is no namespace web")
        .tells("--create-namespace");
    assert_eq!(refused.stdout, "");
    let mut system = grant.to_vec();
    system[5] = "kube-system";
    cluster
        .run(&system)
        .ends(5)
        .tells("no grant in the namespace kube-system: the cluster's own controllers run there");

    let mut made = grant.to_vec();
    made.push("--create-namespace");
    let said = cluster.run(&made);
    said.ends(0)
        .tells("kube-cfn:ci:github is deployer in namespace web")
        .tells("it reads every Secret of the namespace, runs any image")
        .tells("Pod Security in web: its label enforces `baseline`");
    assert!(!said.stderr.contains("PRIVATE KEY"), "{said}");
    // The kubeconfig names the cluster's own address; this test has only the tunnel.
    let api = cluster.world.status()["api"]
        .as_str()
        .expect("an address")
        .to_owned();
    let host = api
        .trim_start_matches("https://")
        .trim_end_matches(":6443")
        .to_owned();
    assert!(said.stdout.contains(&format!("server: {api}")), "{said}");
    let tunnel = format!(
        "server: {}\n    tls-server-name: {host}",
        cluster.server.server()
    );
    let text = said.stdout.replace(&format!("server: {api}"), &tunnel);
    cluster.world.write("ci", &text);
    let place = cluster.world.path("ci").display().to_string();
    let known = kubectl(&cluster.world, &["--kubeconfig", &place, "auth", "whoami"]);
    assert!(known.contains("kube-cfn:ci:github"), "{known}");

    let mut archive = grant.to_vec();
    archive.extend([
        "--format",
        "base64-archive",
        "--ttl",
        "30d",
        "--file",
        "ci.b64",
    ]);
    let said = cluster.run(&archive);
    said.ends(0)
        .tells("an earlier certificate of it stays valid until");
    assert_eq!(said.stdout, "", "it went into the file");
    let text = cluster.world.read("ci.b64");
    assert_eq!(text.trim_end().lines().count(), 1);
    let about = std::fs::metadata(cluster.world.path("ci.b64")).expect("a file");
    assert_eq!(about.permissions().mode() & 0o777, 0o600);

    let listed = cluster.json(&["access", "list", "guest"]);
    assert_eq!(listed[0]["user"], "kube-cfn:ci:github");
    assert_eq!(listed[0]["role"], "deployer");
    assert_eq!(listed[0]["certificates"].as_array().map(Vec::len), Some(2));
    let until = listed[0]["certificates"][0]["expires"]
        .as_str()
        .expect("a time");
    let until: Timestamp = until.parse().expect("a time");
    assert!(until.duration_since(Timestamp::now()).as_hours() > 89 * 24);
    let table = cluster.run(&["access", "list", "guest"]);
    table
        .ends(0)
        .prints("github web deployer")
        .tells("deployer: writes workloads")
        .omits("admin:");
    let reach = listed[0]["reach"].as_str().expect("text");
    assert!(reach.contains("makes tokens of them"), "{reach}");

    cluster.world.nodes_say(360);
    let checked = cluster.run(&["certs", "status", "guest", "--warn-days", "80"]);
    checked.ends(0).prints("ok access github in web");

    let revoked = cluster.run(&["access", "revoke", "guest", "github", "--yes"]);
    revoked
        .ends(0)
        .tells("github lost its role in namespace web")
        .tells("Kubernetes can't revoke a certificate")
        .tells("is accepted until")
        .tells("tokens of service accounts that it read or made there stay valid");
    cluster
        .run(&["access", "revoke", "guest", "github", "--yes"])
        .ends(1)
        .tells("no grant for github in cluster guest");
}

#[test]
fn a_role_that_starts_pods_needs_pod_security() {
    let cluster = Cluster::new("confined");
    let labels = json!({"pod-security.kubernetes.io/enforce": "privileged"});
    let namespace = json!({"metadata": {"name": "agents", "labels": labels}});
    cluster.server.put("api/v1/namespaces", namespace);
    let grant = [
        "access", "grant", "confined", "github", "-n", "agents", "--role", "deployer",
    ];
    let refused = cluster.run(&grant);
    refused
        .ends(5)
        .tells("pods in namespace agents are not known to be kept from their machine")
        .tells("its label enforces `privileged`")
        .tells("`kubectl label --overwrite namespace agents pod-security.kubernetes.io/enforce=baseline`");
    assert_eq!(refused.stdout, "");
    let namespace = json!({"metadata": {"name": "agents"}});
    cluster.server.put("api/v1/namespaces", namespace);
    cluster
        .run(&grant)
        .ends(5)
        .tells("it has no label pod-security.kubernetes.io/enforce")
        .tells("`kubectl label --overwrite namespace agents pod-security.kubernetes.io/enforce=baseline`");
    let mut allowed = grant.to_vec();
    allowed.push("--allow-privileged-pods");
    cluster
        .run(&allowed)
        .ends(0)
        .tells("!! Pod Security in agents: it has no label pod-security.kubernetes.io/enforce");
}

#[test]
fn a_certificate_for_somebody_else_gets_a_context_of_its_own() {
    let cluster = Cluster::new("shared");
    let world = &cluster.world;
    let before = kubectl(
        world,
        &["config", "view", "--raw", "-o", "jsonpath={.users[0]}"],
    );
    cluster
        .run(&[
            "kubeconfig",
            "shared",
            "--user",
            "jane",
            "--group",
            "viewers",
        ])
        .ends(0)
        .tells("did you mean kube-cfn:viewers?")
        .tells("context shared-jane added to")
        .tells("use kubectl --context shared-jane");
    cluster
        .run(&[
            "kubeconfig",
            "shared",
            "--user",
            "jane",
            "--group",
            "kube-cfn:viewers",
        ])
        .ends(0)
        .omits("warning")
        .tells("context shared-jane updated in");
    let known = kubectl(world, &["--context", "shared-jane", "auth", "whoami"]);
    assert!(
        known.contains("jane") && known.contains("kube-cfn:viewers"),
        "{known}"
    );
    let current = kubectl(world, &["config", "current-context"]);
    assert_eq!(current.trim(), "shared");
    let after = kubectl(
        world,
        &["config", "view", "--raw", "-o", "jsonpath={.users[0]}"],
    );
    assert_eq!(after, before, "the owner's login stays");
    cluster
        .run(&["certs", "status", "shared"])
        .prints("CN=jane");
}

#[test]
fn an_exec_entry_for_a_system_identity_carries_the_consent() {
    let cluster = Cluster::new("consent");
    let masters = [
        "kubeconfig",
        "consent",
        "--exec",
        "--group",
        "system:masters",
        "--stdout",
    ];
    cluster
        .run(&masters)
        .ends(64)
        .tells("`system:masters` is Kubernetes's own");
    let mut allowed = masters.to_vec();
    allowed.push("--allow-system-identity");
    let said = cluster.run(&allowed);
    assert!(
        said.ends(0).stdout.contains("- --allow-system-identity"),
        "{said}"
    );
    // An entry that was written before there was the flag.
    let region = "eu-west-1";
    let old = [
        "credential",
        "consent",
        "--region",
        region,
        "--user",
        "ada",
        "--group",
        "system:masters",
    ];
    cluster.world.run(&old).ends(64);
    let mut command = cluster.world.command(&old);
    let answer = Said::of(command.env("KUBERNETES_EXEC_INFO", "{}"));
    assert!(
        answer.ends(0).stdout.contains("clientCertificateData"),
        "{answer}"
    );
}
