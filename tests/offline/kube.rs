//! A cluster seen from outside: the module `kube` on the tests' own API server.

use std::sync::Mutex;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use kube_cfn::access::{AbsentNamespace, Grant, GrantError, GrantResult, UnconfinedPods, grant};
use kube_cfn::cloud::Nodes as _;
use kube_cfn::kube::{
    Api, Binding, ClientLogin, Connection, NamespaceRole, PodSecurity, PodSecurityLevel, Readiness,
    WaitOptions, WaitResult, WantedCluster, WantedPool, WantedSlot, wait,
};
use kube_cfn::kubeconfig::{Entry, Login, render};
use secrecy::ExposeSecret as _;
use serde_json::json;
use tempfile::tempdir;

use crate::apiserver::ApiServer;
use crate::apiserver::cluster::{NODES, PODS, fill, node};
use crate::tools::{kubectl, run as run_tool};

fn wanted() -> WantedCluster {
    let slot = |letter, address: &str| WantedSlot {
        letter,
        address: address.parse().unwrap(),
    };
    WantedCluster {
        version: "1.36.4".parse().unwrap(),
        slots: vec![slot('a', "10.20.0.10"), slot('b', "10.20.32.10")],
        pools: vec![WantedPool {
            name: "web".to_owned(),
            min: 2,
        }],
    }
}

fn fill_whole(server: &ApiServer) {
    fill(server, &["10.20.0.10", "10.20.32.10"], "web", 2);
}

fn patience(seconds: u64) -> WaitOptions {
    WaitOptions {
        timeout: Duration::from_secs(seconds),
        interval: Duration::from_millis(20),
    }
}

fn run<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.unwrap().block_on(work)
}

fn waited(connection: &Connection, seconds: u64, tell: impl FnMut(&Readiness)) -> WaitResult {
    run(async {
        let api = Api::connect(connection).unwrap();
        wait(&api, &wanted(), patience(seconds), tell).await
    })
}

fn missing(waited: &WaitResult) -> Vec<String> {
    match waited {
        WaitResult::Ready(readiness) => panic!("ready: {readiness:?}"),
        WaitResult::TimedOut(readiness) => readiness.missing().collect(),
    }
}

#[test]
fn a_complete_cluster_is_ready_at_once() {
    let server = ApiServer::start();
    fill_whole(&server);
    let mut looks = 0;
    let waited = waited(&server.connection(), 30, |_| looks += 1);
    assert!(matches!(waited, WaitResult::Ready(_)), "{waited:?}");
    assert_eq!(looks, 1);
}

#[test]
fn readiness_is_reported_step_by_step() {
    let server = ApiServer::start();
    server.fail_checks(&["etcd"]);
    let seen = Mutex::new(Vec::new());
    let waited = waited(&server.connection(), 30, |readiness| {
        let mut seen = seen.lock().unwrap();
        let now: Vec<String> = readiness.missing().take(3).collect();
        if seen.last() == Some(&now) {
            return;
        }
        // The next thing happens once this one was seen.
        match seen.len() {
            0 => server.fail_checks(&[]),
            1 => server.put(NODES, node("i-0c0", "10.20.0.10", &json!({}))),
            _ => fill_whole(&server),
        }
        seen.push(now);
    });
    assert!(matches!(waited, WaitResult::Ready(_)), "{waited:?}");
    let seen = seen.into_inner().unwrap();
    assert_eq!(
        seen[0][..2],
        ["API: is not ready", "API: /readyz fails: etcd"]
    );
    assert_eq!(
        seen[1],
        [
            "control plane: 0 of 2 nodes Ready",
            "control plane: node a: no machine has joined as 10.20.0.10",
            "control plane: node b: no machine has joined as 10.20.32.10",
        ]
    );
    assert_eq!(seen[2][0], "control plane: 1 of 2 nodes Ready");
    assert_eq!(seen.last().unwrap(), &Vec::<String>::new());
}

#[test]
fn a_timeout_lists_what_is_missing() {
    let server = ApiServer::start();
    fill_whole(&server);
    server.clear(PODS);
    let missing = missing(&waited(&server.connection(), 1, |_| ()));
    assert_eq!(missing[0], "critical pods: 0 of 9 kinds run");
    assert_eq!(
        missing[1],
        "critical pods: etcd not on i-0c0 yet, and 1 more"
    );
}

#[test]
fn an_unreachable_api_is_reported() {
    let port = {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        free.local_addr().unwrap().port()
    };
    let nobody = Connection {
        server: format!("https://127.0.0.1:{port}"),
        ..ApiServer::start().connection()
    };
    let missing = missing(&waited(&nobody, 1, |_| ()));
    assert_eq!(missing[0], "API: does not answer");
    assert_eq!(missing[1], "API: can't be reached: nothing listens there");
}

#[test]
fn a_silent_server_does_not_extend_the_timeout() {
    let mute = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let connection = Connection {
        server: format!("https://{}", mute.local_addr().unwrap()),
        ..ApiServer::start().connection()
    };
    let missing = missing(&waited(&connection, 1, |_| ()));
    assert_eq!(missing[0], "API: does not answer");
    assert!(missing[1].ends_with("no answer in time"), "{missing:?}");
}

#[test]
fn without_credentials_only_health_is_checked() {
    let server = ApiServer::start();
    let WaitResult::Ready(readiness) = waited(&server.anonymous(), 30, |_| ()) else {
        panic!("not ready")
    };
    assert!(
        readiness.remarks[0].contains("were not checked"),
        "{readiness:?}"
    );
}

fn wish(role: NamespaceRole, absent: AbsentNamespace) -> Grant {
    Grant {
        who: "github".to_owned(),
        namespace: "web".to_owned(),
        role,
        seconds: 90 * 86_400,
        by: "arn:aws:iam::111122223333:user/ada".to_owned(),
        absent,
        unconfined: UnconfinedPods::Refuse,
    }
}

fn granted(server: &ApiServer, role: NamespaceRole) -> GrantResult {
    let wish = wish(role, AbsentNamespace::Create);
    run(grant(&server.connection(), &wish, Timestamp::now())).unwrap()
}

fn bindings(server: &ApiServer) -> Vec<Binding> {
    run(async {
        let api = Api::connect(&server.connection()).unwrap();
        api.bindings(None, None).await.unwrap()
    })
}

#[test]
fn a_grant_needs_its_namespace_or_create_namespace() {
    let server = ApiServer::start();
    let wish = wish(NamespaceRole::Deployer, AbsentNamespace::Refuse);
    let error = run(grant(&server.connection(), &wish, Timestamp::now())).unwrap_err();
    assert!(matches!(error, GrantError::NoNamespace(_)), "{error}");
    assert_eq!(bindings(&server), []);
    let made = granted(&server, NamespaceRole::Deployer);
    let left = made.issued.expires.duration_since(Timestamp::now());
    assert_eq!(
        left.as_hours(),
        SignedDuration::from_hours(90 * 24 - 1).as_hours()
    );
    assert!(!made.shortened);
}

fn refusal(server: &ApiServer, wish: &Grant) -> GrantError {
    run(grant(&server.connection(), wish, Timestamp::now())).unwrap_err()
}

/// Puts the namespace of [`wish`] there.
fn put_namespace(server: &ApiServer, labels: &serde_json::Value) {
    let namespace = json!({"metadata": {"name": "web", "labels": labels}});
    server.put("api/v1/namespaces", namespace);
}

#[test]
fn a_grant_in_a_namespace_of_the_cluster_is_refused_before_anything_is_made() {
    let server = ApiServer::start();
    for role in NamespaceRole::ALL {
        for name in ["kube-system", "kube-public", "kube-node-lease", "kube-cfn"] {
            let wish = Grant {
                namespace: name.to_owned(),
                unconfined: UnconfinedPods::Allow,
                ..wish(role, AbsentNamespace::Create)
            };
            let error = refusal(&server, &wish);
            assert!(
                matches!(error, GrantError::Reserved { .. }),
                "{name}: {error}"
            );
        }
    }
    assert_eq!(bindings(&server), []);
    assert_eq!(server.objects("api/v1/namespaces").len(), 2);
}

#[test]
fn a_created_namespace_is_labelled_with_pod_security() {
    let server = ApiServer::start();
    let made = granted(&server, NamespaceRole::Deployer);
    let level = PodSecurity::Label(PodSecurityLevel::Baseline);
    assert_eq!(made.pod_security, Some(level.clone()));
    let namespaces = server.objects("api/v1/namespaces");
    let web = namespaces
        .iter()
        .find(|one| one["metadata"]["name"] == "web");
    assert_eq!(
        web.unwrap()["metadata"]["labels"],
        json!({
            "pod-security.kubernetes.io/enforce": "baseline",
            "pod-security.kubernetes.io/warn": "restricted",
            "pod-security.kubernetes.io/audit": "restricted",
        })
    );
    // The next grant reads the label.
    assert_eq!(
        granted(&server, NamespaceRole::Admin).pod_security,
        Some(level)
    );
}

#[test]
fn a_role_that_starts_pods_is_refused_where_they_reach_their_machine() {
    let server = ApiServer::start();
    // By its label, and without one: what one API server has as its default says nothing of the others.
    server.set_pod_security("baseline");
    for labels in [
        json!({"pod-security.kubernetes.io/enforce": "privileged"}),
        json!({"pod-security.kubernetes.io/warn": "restricted"}),
        json!({}),
    ] {
        put_namespace(&server, &labels);
        for role in [NamespaceRole::Deployer, NamespaceRole::Admin] {
            let error = refusal(&server, &wish(role, AbsentNamespace::Create));
            assert!(matches!(error, GrantError::Unconfined { .. }), "{error}");
        }
        assert_eq!(bindings(&server), []);
    }
    let viewer = granted(&server, NamespaceRole::Viewer);
    assert_eq!(viewer.pod_security, None);
    let allowed = Grant {
        unconfined: UnconfinedPods::Allow,
        ..wish(NamespaceRole::Deployer, AbsentNamespace::Refuse)
    };
    let made = run(grant(&server.connection(), &allowed, Timestamp::now())).unwrap();
    assert_eq!(made.pod_security, Some(PodSecurity::Unlabelled));
}

#[test]
fn a_stricter_label_of_the_namespace_s_owner_stays() {
    let server = ApiServer::start();
    let strict = json!({"pod-security.kubernetes.io/enforce": "restricted"});
    put_namespace(&server, &strict);
    let made = granted(&server, NamespaceRole::Deployer);
    let found = PodSecurity::Label(PodSecurityLevel::Restricted);
    assert_eq!(made.pod_security, Some(found));
    let namespaces = server.objects("api/v1/namespaces");
    let web = namespaces
        .iter()
        .find(|one| one["metadata"]["name"] == "web");
    assert_eq!(web.unwrap()["metadata"]["labels"], strict);
}

#[test]
fn a_second_grant_keeps_the_record_of_the_first() {
    let server = ApiServer::start();
    let first = granted(&server, NamespaceRole::Deployer);
    let second = granted(&server, NamespaceRole::Deployer);
    assert_eq!(second.earlier, std::slice::from_ref(&first.issued));
    assert_eq!(second.replaced, None);
    let found = bindings(&server);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].certificates, [first.issued, second.issued]);
    assert_ne!(first.key.expose_secret(), second.key.expose_secret());
}

#[test]
fn granting_another_role_replaces_the_first() {
    let server = ApiServer::start();
    granted(&server, NamespaceRole::Admin);
    let second = granted(&server, NamespaceRole::Viewer);
    assert_eq!(second.replaced, Some(NamespaceRole::Admin));
    let found = bindings(&server);
    assert_eq!(found[0].role, Some(NamespaceRole::Viewer));
    assert_eq!(found[0].certificates.len(), 2);
}

#[test]
fn only_administrators_grant_access() {
    let server = ApiServer::start();
    let somebody = server.known_as("eve", &["ops".to_owned()]);
    let wish = wish(NamespaceRole::Admin, AbsentNamespace::Create);
    let error = run(grant(&somebody, &wish, Timestamp::now())).unwrap_err();
    assert!(error.to_string().contains("User \"eve\" cannot"), "{error}");
    assert_eq!(bindings(&server), []);
}

#[test]
fn a_revoked_certificate_authenticates_without_rights() {
    let server = ApiServer::start();
    let made = granted(&server, NamespaceRole::Deployer);
    let login = ClientLogin {
        certificate_pem: made.certificate_pem,
        key: made.key,
    };
    let ci = Connection {
        login: Some(login),
        ..server.connection()
    };
    run(async {
        let api = Api::connect(&server.connection()).unwrap();
        for binding in api.bindings(Some("github"), None).await.unwrap() {
            api.unbind(&binding).await.unwrap();
        }
        let ci = Api::connect(&ci).unwrap();
        assert_eq!(ci.whoami().await.unwrap().user, "kube-cfn:ci:github");
        assert!(ci.pods("web").await.is_err());
    });
}

#[test]
fn kubectl_works_with_the_granted_kubeconfig() {
    let server = ApiServer::start();
    let made = granted(&server, NamespaceRole::Deployer);
    let entry = Entry {
        cluster: "canary".to_owned(),
        origin: "111122223333/eu-west-1".to_owned(),
        server: server.server(),
        server_name: None,
        authority_pem: server.anonymous().authority_pem,
        namespace: Some("web".to_owned()),
        person: None,
        login: Login::Certificate {
            certificate_pem: made.certificate_pem,
            key: made.key,
        },
    };
    let place = tempdir().unwrap();
    let text = render(&entry).unwrap();
    std::fs::write(place.path().join("config"), text.expose_secret()).unwrap();
    let ask = |question: &[&str]| {
        let mut command = kubectl();
        let cache = place.path().join("cache");
        command
            .args(["--kubeconfig", "config", "--cache-dir"])
            .arg(cache);
        run_tool(command.args(question), place.path())
    };
    let known = ask(&["auth", "whoami", "-o", "json"]);
    let known: serde_json::Value = serde_json::from_str(&known).unwrap();
    assert_eq!(
        known["status"]["userInfo"]["username"],
        "kube-cfn:ci:github"
    );
    let maps = ask(&["get", "--raw", "/api/v1/namespaces/web/configmaps"]);
    assert!(maps.contains("\"items\":[]"), "{maps}");
    let view = ask(&["config", "view", "--minify", "-o", "jsonpath={..namespace}"]);
    assert_eq!(view, "web");
}

/// The size of the largest clusters that a roll is measured with.
#[test]
fn pods_of_a_large_cluster_are_read_in_pages() {
    let server = ApiServer::start();
    fill(&server, &["10.20.0.10"], "web", 300);
    for number in 0..5000 {
        let name = format!("web-{number}");
        let env: Vec<_> = (0..20)
            .map(|key| json!({"name": format!("KEY_{key}"), "value": "some value that nobody needs here"}))
            .collect();
        server.put(
            PODS,
            json!({"metadata": {"namespace": "shop", "name": name, "labels": {"app": "web"}},
                "spec": {"nodeName": format!("i-0d{}", number % 300),
                    "containers": [{"name": "web", "image": "web:1", "env": env}]},
                "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}}),
        );
    }
    let started = std::time::Instant::now();
    let (nodes, pods, on_one) = run(async {
        let api = Api::connect(&server.connection()).unwrap();
        let nodes = api.node_states().await.unwrap();
        let pods = api.pod_states().await.unwrap();
        (nodes, pods, api.pods_on("i-0d7").await.unwrap())
    });
    println!("read in {:?}", started.elapsed());
    assert_eq!(nodes.len(), 301);
    let web = pods.iter().filter(|pod| pod.pod.namespace == "shop");
    assert_eq!(web.count(), 5000);
    // Those of the application, and the agent of the node.
    assert_eq!(on_one.len(), 5000_usize.div_ceil(300) + 1);
    let asked = server.requests();
    let pages = asked
        .iter()
        .filter(|request| *request == "GET /api/v1/pods");
    assert_eq!(pages.count(), pods.len().div_ceil(500) + 1, "{asked:?}");
}
