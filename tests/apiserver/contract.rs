//! What any API server answers: run against the double, and unchanged against the one that
//! `KUBE_CFN_TEST_APISERVER` names (a kubeconfig of an administrator with a client certificate). A
//! real one needs its controller manager for the certificates. Everything is made under names of the
//! test's own and removed again.

#[path = "contract_deletion.rs"]
mod deletion;
#[path = "contract_nodes.rs"]
mod nodes;

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};

use ::kube::api::{
    DeleteParams, ListParams, Patch, PatchParams, PostParams, WatchEvent, WatchParams,
};
use ::kube::{Client, Config};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures::StreamExt as _;
use jiff::Timestamp;
use k8s_openapi::api::certificates::v1::CertificateSigningRequest;
use k8s_openapi::api::core::v1 as core;
use kube_cfn::kube::{
    Api, Binding, ClientLogin, Connection, ENFORCE_LABEL, IssuedCertificate, KubeError,
    NamespaceRole, POOL_LABEL, serving_certificate,
};
use kube_cfn::pki::SigningRequest;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};

use crate::apiserver::ApiServer;
use crate::apiserver::controllers::Controllers;

/// With the controller that a real server's budgets need.
static DOUBLE: LazyLock<ApiServer> = LazyLock::new(|| {
    let server = ApiServer::start();
    server.run_controllers(Controllers {
        budgets: true,
        ..Controllers::default()
    });
    server
});

/// An administrator of the server under test.
fn admin() -> Connection {
    match std::env::var("KUBE_CFN_TEST_APISERVER") {
        Ok(path) if !path.is_empty() => of_kubeconfig(&path),
        _ => DOUBLE.connection(),
    }
}

fn of_kubeconfig(path: &str) -> Connection {
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{path}: {error}"));
    let config: Value = serde_saphyr::from_str(&text).unwrap();
    let data = |holder: &Value, name: &str| {
        if let Some(data) = holder[format!("{name}-data")].as_str() {
            return String::from_utf8(STANDARD.decode(data).unwrap()).unwrap();
        }
        let file = holder[name].as_str();
        let file = file.unwrap_or_else(|| panic!("{path} has no {name}"));
        std::fs::read_to_string(file).unwrap()
    };
    let named = |list: &str, item: &str, name: &Value| {
        let all = config[list].as_array().unwrap();
        let found = all.iter().find(|one| one["name"] == *name);
        found.unwrap_or_else(|| panic!("{path} has no {item} {name}"))[item].clone()
    };
    let context = named("contexts", "context", &config["current-context"]);
    let cluster = named("clusters", "cluster", &context["cluster"]);
    let user = named("users", "user", &context["user"]);
    Connection {
        server: cluster["server"].as_str().unwrap().to_owned(),
        server_name: cluster["tls-server-name"].as_str().map(str::to_owned),
        authority_pem: data(&cluster, "certificate-authority"),
        login: Some(ClientLogin {
            certificate_pem: data(&user, "client-certificate"),
            key: data(&user, "client-key").into(),
        }),
    }
}

fn api() -> Api {
    Api::connect(&admin()).unwrap()
}

/// A client of the crate itself, for what our own words have no verb for.
fn raw() -> Client {
    let connection = admin();
    let login = connection.login.unwrap();
    let mut config = Config::new(connection.server.parse().unwrap());
    let roots = pem::parse_many(&connection.authority_pem).unwrap();
    config.root_cert = Some(roots.into_iter().map(pem::Pem::into_contents).collect());
    config.tls_server_name = connection.server_name;
    config.auth_info.client_certificate_data = Some(STANDARD.encode(login.certificate_pem));
    config.auth_info.client_key_data = Some(STANDARD.encode(login.key.expose_secret()).into());
    Client::try_from(config).unwrap()
}

/// A name that no other test and no other run uses.
fn own(what: &str) -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("kube-cfn-test-{what}-{}-{number}", std::process::id())
}

/// Runs a test with a namespace of its own.
fn in_namespace(test: impl AsyncFnOnce(&str)) {
    run(async {
        let name = own("ns");
        api().make_namespace(&name).await.unwrap();
        test(&name).await;
        let namespaces = ::kube::Api::<core::Namespace>::all(raw());
        namespaces
            .delete(&name, &DeleteParams::default())
            .await
            .unwrap();
    });
}

fn run(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.unwrap().block_on(test);
}

fn known_by(login: ClientLogin) -> Api {
    let login = Some(login);
    Api::connect(&Connection { login, ..admin() }).unwrap()
}

/// A certificate of the cluster's signer for `who`.
async fn signed(who: &str) -> ClientLogin {
    let asked = SigningRequest::new(&Binding::user(who), "kube-cfn:ci").unwrap();
    let made = api().sign(&own("csr"), asked.pem(), 3600).await.unwrap();
    let facts = asked.accept(&made.certificate_pem).unwrap();
    let left = facts.expires.duration_since(Timestamp::now());
    assert!(
        left.as_secs() <= 3600 + 60,
        "{left:?} is more than was asked for"
    );
    ClientLogin {
        certificate_pem: made.certificate_pem,
        key: asked.key(),
    }
}

#[test]
fn the_health_lists_its_checks_and_etcd_among_them() {
    run(async {
        let health = api().health().await.unwrap();
        assert!(health.ready, "{health:?}");
        assert_eq!(health.etcd(), Some(true), "{health:?}");
        assert!(api().version().await.unwrap().starts_with("v1."));
    });
}

#[test]
fn a_server_of_another_authority_is_not_trusted() {
    run(async {
        let other = ApiServer::start().anonymous().authority_pem;
        let foreign = Connection {
            authority_pem: other,
            ..admin()
        };
        let error = Api::connect(&foreign).unwrap().health().await.unwrap_err();
        assert!(matches!(error, KubeError::Untrusted { .. }), "{error:?}");
        let shown = serving_certificate(&foreign).await.unwrap();
        assert!(
            matches!(shown.verification_error, Some(KubeError::Untrusted { .. })),
            "{shown:?}"
        );
        let shown = serving_certificate(&admin()).await.unwrap();
        assert_eq!(shown.verification_error, None);
        assert!(!shown.certificate.is_empty());
    });
}

#[test]
fn anonymous_requests_reach_health_only() {
    run(async {
        let nobody = Connection {
            login: None,
            ..admin()
        };
        let nobody = Api::connect(&nobody).unwrap();
        assert!(nobody.health().await.unwrap().ready);
        let error = nobody.nodes().await.unwrap_err();
        let refused = matches!(error, KubeError::Unauthorized(_) | KubeError::Forbidden(_));
        assert!(refused, "{error:?}");
    });
}

#[test]
fn a_node_is_read_as_it_reported() {
    run(async {
        let nodes = ::kube::Api::<core::Node>::all(raw());
        let name = own("node");
        let node = json!({"metadata": {"name": name, "labels": {POOL_LABEL: "web"}}});
        let node: core::Node = serde_json::from_value(node).unwrap();
        nodes.create(&PostParams::default(), &node).await.unwrap();
        let reported = json!({"status": {
            "addresses": [{"type": "InternalIP", "address": "192.0.2.7"}],
            "conditions": [{"type": "Ready", "status": "False", "reason": "KubeletNotReady",
                "message": "container runtime is down",
                "lastHeartbeatTime": "2026-11-23T10:00:00Z",
                "lastTransitionTime": "2026-11-23T10:00:00Z"}],
        }});
        let patch = Patch::Merge(&reported);
        nodes
            .patch_status(&name, &PatchParams::default(), &patch)
            .await
            .unwrap();
        let found = api().nodes().await.unwrap();
        let found = found.iter().find(|node| node.name == name).unwrap();
        assert_eq!(found.pool(), Some("web"));
        assert_eq!(found.address, Some("192.0.2.7".parse().unwrap()));
        assert_eq!(found.trouble.as_deref(), Some("container runtime is down"));
        assert!(found.created.is_some());
        nodes.delete(&name, &DeleteParams::default()).await.unwrap();
        let left = api().nodes().await.unwrap();
        assert!(left.iter().all(|node| node.name != name));
    });
}

#[test]
fn creating_an_existing_namespace_is_a_conflict() {
    in_namespace(async |name| {
        let labels = api().namespace_labels(name).await.unwrap().unwrap();
        assert_eq!(labels[ENFORCE_LABEL], "baseline", "{labels:?}");
        api().make_namespace(name).await.unwrap();
        let absent = api().namespace_labels(&own("absent")).await.unwrap();
        assert_eq!(absent, None);
    });
}

/// A pod of one container.
fn pod(name: &str, spec: &Value) -> core::Pod {
    let mut whole = json!({"metadata": {"name": name}, "spec": spec});
    let image = json!("registry.k8s.io/pause:3.10.1");
    whole["spec"]["containers"][0]["name"] = json!("one");
    whole["spec"]["containers"][0]["image"] = image;
    serde_json::from_value(whole).unwrap()
}

#[test]
fn a_created_namespace_refuses_pods_that_reach_their_machine() {
    in_namespace(async |namespace| {
        let pods = ::kube::Api::<core::Pod>::namespaced(raw(), namespace);
        let dry = PostParams {
            dry_run: true,
            ..PostParams::default()
        };
        // A real server makes the service account of a new namespace a moment later.
        let plain = pod("plain", &json!({"containers": [{}]}));
        eventually(async || pods.create(&dry, &plain).await).await;
        for spec in [
            json!({"containers": [{"securityContext": {"privileged": true}}]}),
            json!({"containers": [{}], "hostNetwork": true}),
            json!({"containers": [{}], "hostPID": true}),
            json!({"containers": [{}], "volumes": [{"name": "v", "hostPath": {"path": "/"}}]}),
        ] {
            let answer = pods.create(&dry, &pod("reaching", &spec)).await;
            assert_eq!(
                refused(answer, "violates PodSecurity \"baseline:latest\""),
                403
            );
        }
        let found = pods.list(&ListParams::default()).await.unwrap();
        assert_eq!(found.items.len(), 0, "a dry run keeps nothing");
    });
}

#[test]
fn a_namespace_label_that_is_no_level_is_refused() {
    run(async {
        let namespaces = ::kube::Api::<core::Namespace>::all(raw());
        let labels = json!({"name": own("level"), "labels": {ENFORCE_LABEL: "Baseline"}});
        let wanted = serde_json::from_value(json!({"metadata": labels})).unwrap();
        let answer = namespaces.create(&PostParams::default(), &wanted).await;
        assert_eq!(
            refused(answer, "must be one of privileged, baseline, restricted"),
            422
        );
    });
}

#[test]
fn the_signer_issues_the_requested_client_certificate() {
    run(async {
        let who = own("who");
        let login = signed(&who).await;
        let known = known_by(login).whoami().await.unwrap();
        assert_eq!(known.user, Binding::user(&who));
        assert!(
            known.groups.contains(&"kube-cfn:ci".to_owned()),
            "{known:?}"
        );
        assert!(
            known.groups.contains(&"system:authenticated".to_owned()),
            "{known:?}"
        );
    });
}

#[test]
fn a_lifetime_below_ten_minutes_is_refused() {
    run(async {
        let asked = SigningRequest::new("kube-cfn:ci:short", "kube-cfn:ci").unwrap();
        let error = api().sign(&own("csr"), asked.pem(), 60).await.unwrap_err();
        assert!(
            matches!(error, KubeError::Api { code: 422, .. }),
            "{error:?}"
        );
    });
}

/// A request for a certificate that nobody has decided.
async fn undecided(requests: &::kube::Api<CertificateSigningRequest>) -> CertificateSigningRequest {
    let asked = SigningRequest::new("kube-cfn:ci:undecided", "kube-cfn:ci").unwrap();
    let request = json!({"metadata": {"name": format!("{}_X", own("Csr"))}, "spec": {
        "request": STANDARD.encode(asked.pem()), "usages": ["client auth"], "expirationSeconds": 3600,
        "signerName": "kubernetes.io/kube-apiserver-client"}});
    let request = serde_json::from_value(request).unwrap();
    requests
        .create(&PostParams::default(), &request)
        .await
        .unwrap()
}

fn with_conditions(request: &CertificateSigningRequest, kinds: &[&str]) -> Value {
    let mut object = json!(request);
    let condition = |kind: &&str| json!({"type": kind, "status": "True", "reason": "Test"});
    object["status"]["conditions"] = kinds.iter().map(condition).collect();
    object
}

/// Names of requests may be any segment of a path.
#[test]
fn a_decision_is_for_the_version_that_was_read() {
    run(async {
        let requests = ::kube::Api::<CertificateSigningRequest>::all(raw());
        let made = undecided(&requests).await;
        let name = made.metadata.name.clone().unwrap();
        let decide = async |kinds: &[&str]| {
            let body = with_conditions(&made, kinds);
            let answer: Result<CertificateSigningRequest, _> = requests
                .replace_subresource("approval", &name, &PostParams::default(), &body)
                .await;
            answer
        };
        let both = decide(&["Approved", "Denied"]).await.unwrap_err();
        assert_eq!(code(&both), 422);
        let denied = decide(&["Denied"]).await.unwrap();
        let conditions = denied.status.unwrap().conditions.unwrap();
        assert_eq!(conditions[0].type_, "Denied");
        let late = decide(&["Approved"]).await.unwrap_err();
        assert_eq!(code(&late), 409);
        requests
            .delete(&name, &DeleteParams::default())
            .await
            .unwrap();
    });
}

#[test]
fn fields_select_by_name_and_signer_only() {
    run(async {
        let requests = ::kube::Api::<CertificateSigningRequest>::all(raw());
        let made = undecided(&requests).await;
        let name = made.metadata.name.clone().unwrap();
        let found = async |fields: &str| {
            let listed = requests.list(&ListParams::default().fields(fields)).await?;
            let mut all = listed.items.into_iter();
            Ok::<_, ::kube::Error>(all.any(|one| one.metadata.name.as_ref() == Some(&name)))
        };
        assert!(found(&format!("metadata.name={name}")).await.unwrap());
        assert!(!found("metadata.name=another").await.unwrap());
        let signer = "kubernetes.io/kube-apiserver-client";
        assert!(found(&format!("spec.signerName={signer}")).await.unwrap());
        let other = format!("spec.signerName={signer}-kubelet");
        assert!(!found(&other).await.unwrap());
        let error = found("spec.username=ada").await.unwrap_err();
        assert_eq!(code(&error), 400);
        requests
            .delete(&name, &DeleteParams::default())
            .await
            .unwrap();
    });
}

#[test]
fn a_deployer_deploys_in_its_namespace_and_nothing_else() {
    in_namespace(async |namespace| {
        let who = own("ci");
        let login = signed(&who).await;
        let binding = binding(&who, namespace);
        api().bind(&binding, NamespaceRole::Deployer).await.unwrap();
        let found = api().bindings(Some(&who), None).await.unwrap();
        assert_eq!(found, std::slice::from_ref(&binding));

        let ci = client(login);
        let maps = ::kube::Api::<core::ConfigMap>::namespaced(ci.clone(), namespace);
        let wanted = settings(json!({"colour": "green"}));
        let ours = PatchParams::apply("ci");
        eventually(async || maps.patch("settings", &ours, &Patch::Apply(&wanted)).await).await;
        let elsewhere = ::kube::Api::<core::ConfigMap>::namespaced(ci.clone(), "default");
        assert_eq!(
            code(&elsewhere.list(&ListParams::default()).await.unwrap_err()),
            403
        );
        let nodes = ::kube::Api::<core::Node>::all(ci.clone());
        assert_eq!(
            code(&nodes.list(&ListParams::default()).await.unwrap_err()),
            403
        );
        let quotas = ::kube::Api::<core::ResourceQuota>::namespaced(ci.clone(), namespace);
        let error = quotas.list(&ListParams::default()).await.unwrap_err();
        assert!(error.to_string().contains(&Binding::user(&who)), "{error}");

        api().unbind(&binding).await.unwrap();
        api().unbind(&binding).await.unwrap();
        assert_eq!(api().bindings(Some(&who), None).await.unwrap(), []);
        gone(async || maps.list(&ListParams::default()).await.map(drop)).await;
    });
}

#[test]
fn a_viewer_reads_and_writes_nothing() {
    in_namespace(async |namespace| {
        let who = own("viewer");
        let login = signed(&who).await;
        let binding = Binding {
            role: Some(NamespaceRole::Viewer),
            ..binding(&who, namespace)
        };
        api().bind(&binding, NamespaceRole::Viewer).await.unwrap();
        let ci = client(login);
        let maps = ::kube::Api::<core::ConfigMap>::namespaced(ci.clone(), namespace);
        eventually(async || maps.list(&ListParams::default()).await).await;
        let secrets = ::kube::Api::<core::Secret>::namespaced(ci, namespace);
        assert_eq!(
            code(&secrets.list(&ListParams::default()).await.unwrap_err()),
            403
        );
        let wanted: core::ConfigMap =
            serde_json::from_value(json!({"metadata": {"name": "x"}})).unwrap();
        let error = maps
            .create(&PostParams::default(), &wanted)
            .await
            .unwrap_err();
        assert_eq!(code(&error), 403);
    });
}

#[test]
fn the_role_of_a_binding_is_not_changed_in_place() {
    in_namespace(async |namespace| {
        let binding = binding(&own("ci"), namespace);
        api().bind(&binding, NamespaceRole::Deployer).await.unwrap();
        let error = api()
            .bind(&binding, NamespaceRole::Admin)
            .await
            .unwrap_err();
        assert!(
            matches!(error, KubeError::Api { code: 422, .. }),
            "{error:?}"
        );
    });
}

#[test]
fn a_field_of_another_manager_is_a_conflict_unless_forced() {
    in_namespace(async |namespace| {
        let maps = ::kube::Api::<core::ConfigMap>::namespaced(raw(), namespace);
        let map = |colour: &str| settings(json!({"colour": colour}));
        let apply = async |who: &PatchParams, colour: &str| {
            maps.patch("settings", who, &Patch::Apply(map(colour)))
                .await
        };
        let (one, other) = (PatchParams::apply("one"), PatchParams::apply("other"));
        apply(&one, "green").await.unwrap();
        apply(&one, "blue").await.unwrap();
        apply(&other, "blue").await.unwrap();
        let error = apply(&other, "red").await.unwrap_err();
        assert_eq!(code(&error), 409);
        let ::kube::Error::Api(status) = error else {
            panic!("no status")
        };
        let details = status.details.unwrap();
        assert_eq!(details.causes[0].reason, "FieldManagerConflict");
        assert!(details.causes[0].message.contains("conflict with \"one\""));
        let taken = apply(&other.clone().force(), "red").await.unwrap();
        assert_eq!(taken.data.unwrap()["colour"], "red");
        let error = apply(&one, "green").await.unwrap_err();
        assert_eq!(code(&error), 409, "the owner has changed");
    });
}

/// The code of a refusal, and its text, which has to hold `why`.
fn refused<T>(answer: Result<T, ::kube::Error>, why: &str) -> u16 {
    let error = answer.err().unwrap_or_else(|| panic!("accepted: {why}"));
    assert!(error.to_string().contains(why), "{error}");
    code(&error)
}

#[test]
fn an_apply_that_does_not_name_its_object_as_the_url_does_is_refused() {
    in_namespace(async |namespace| {
        let maps = ::kube::Api::<core::ConfigMap>::namespaced(raw(), namespace);
        let ours = PatchParams::apply("ours");
        let apply = async |body: Value| maps.patch("settings", &ours, &Patch::Apply(body)).await;
        let whole = settings(json!({"a": "1"}));

        let mut nameless = whole.clone();
        nameless["metadata"] = json!({});
        assert_eq!(refused(apply(nameless).await, "name must be provided"), 400);
        let mut other = whole.clone();
        other["metadata"]["name"] = json!("other");
        let why = "the name of the object (other) does not match the name on the URL (settings)";
        assert_eq!(refused(apply(other).await, why), 400);
        let mut elsewhere = whole.clone();
        elsewhere["metadata"]["namespace"] = json!("default");
        let why = "does not match the namespace on the request";
        assert_eq!(refused(apply(elsewhere).await, why), 400);
        let mut owned = whole.clone();
        owned["metadata"]["managedFields"] = json!([{"manager": "ours"}]);
        let why = "metadata.managedFields must be nil";
        assert_eq!(refused(apply(owned).await, why), 400);
        apply(whole).await.unwrap();
    });
}

#[test]
fn an_apply_needs_a_manager_and_a_merge_takes_no_force() {
    in_namespace(async |namespace| {
        let maps = ::kube::Api::<core::ConfigMap>::namespaced(raw(), namespace);
        let whole = settings(json!({"a": "1"}));
        // The client's own check of these parameters is not asked for.
        let send = async |kind: &str, query: &str| {
            let path = format!("/api/v1/namespaces/{namespace}/configmaps/settings?{query}");
            let request = http::Request::patch(path).header("Content-Type", kind);
            let request = request.body(serde_json::to_vec(&whole).unwrap()).unwrap();
            raw().request::<Value>(request).await
        };
        let apply = "application/apply-patch+yaml";
        let why = "fieldManager: Required value: is required for apply patch";
        assert_eq!(refused(send(apply, "").await, why), 422);
        send(apply, "fieldManager=ours").await.unwrap();
        let why = "force: Forbidden: may not be specified for non-apply patch";
        let merge = "application/merge-patch+json";
        assert_eq!(refused(send(merge, "force=true").await, why), 422);
        assert_eq!(maps.get("settings").await.unwrap().data.unwrap()["a"], "1");
    });
}

#[test]
fn a_field_that_the_kind_does_not_have_is_refused_where_the_client_is_strict() {
    in_namespace(async |namespace| {
        let mut body = settings(json!({"a": "1"}));
        body["date"] = json!({"a": "1"});
        let send = async |query: &str| {
            let path = format!("/api/v1/namespaces/{namespace}/configmaps{query}");
            let request = http::Request::post(path).header("Content-Type", "application/json");
            let request = request.body(serde_json::to_vec(&body).unwrap()).unwrap();
            raw().request::<Value>(request).await
        };
        let why = "strict decoding error: unknown field \"date\"";
        let strict = send("?fieldValidation=Strict").await;
        assert_eq!(refused(strict, why), 400);
        send("").await.unwrap();
    });
}

#[test]
fn an_object_without_a_valid_name_is_not_created() {
    in_namespace(async |namespace| {
        let maps = ::kube::Api::<core::ConfigMap>::namespaced(raw(), namespace);
        let create = async |metadata: Value| {
            let map = serde_json::from_value(json!({"metadata": metadata})).unwrap();
            maps.create(&PostParams::default(), &map).await
        };
        let why = "metadata.name: Required value: name or generateName is required";
        assert_eq!(refused(create(json!({})).await, why), 422);
        let why = "a lowercase RFC 1123 subdomain must consist of";
        assert_eq!(refused(create(json!({"name": "No_Name"})).await, why), 422);
        let why = "the namespace of the provided object does not match";
        let elsewhere = json!({"name": "settings", "namespace": "default"});
        assert_eq!(refused(create(elsewhere).await, why), 400);
    });
}

#[test]
fn apply_removes_fields_that_are_not_applied_any_more() {
    in_namespace(async |namespace| {
        let maps = ::kube::Api::<core::ConfigMap>::namespaced(raw(), namespace);
        let ours = PatchParams::apply("ours");
        let both = settings(json!({"a": "1", "b": "2"}));
        maps.patch("settings", &ours, &Patch::Apply(both))
            .await
            .unwrap();
        let left = maps
            .patch(
                "settings",
                &ours,
                &Patch::Apply(settings(json!({"a": "1"}))),
            )
            .await;
        let data = left.unwrap().data.unwrap();
        assert_eq!(
            data.into_iter().collect::<Vec<_>>(),
            [("a".to_owned(), "1".to_owned())]
        );
    });
}

#[test]
fn a_watch_reports_added_modified_and_deleted() {
    in_namespace(async |namespace| {
        let maps = ::kube::Api::<core::ConfigMap>::namespaced(raw(), namespace);
        let mine = WatchParams::default().timeout(20).labels("mine=yes");
        let from = maps.list(&ListParams::default()).await.unwrap();
        let version = from.metadata.resource_version.unwrap();
        let map = |data: &str| {
            let mut map = settings(json!({"x": data}));
            map["metadata"]["labels"] = json!({"mine": "yes"});
            map
        };
        let ours = PatchParams::apply("ours");
        for data in ["1", "2"] {
            maps.patch("settings", &ours, &Patch::Apply(map(data)))
                .await
                .unwrap();
        }
        maps.delete("settings", &DeleteParams::default())
            .await
            .unwrap();
        let events = maps.watch(&mine, &version).await.unwrap();
        let seen: Vec<&str> = events
            .take(3)
            .map(|event| match event.unwrap() {
                WatchEvent::Added(_) => "added",
                WatchEvent::Modified(_) => "modified",
                WatchEvent::Deleted(_) => "deleted",
                other => panic!("{other:?}"),
            })
            .collect()
            .await;
        assert_eq!(seen, ["added", "modified", "deleted"]);
    });
}

#[test]
fn lists_are_paginated() {
    in_namespace(async |namespace| {
        let maps = ::kube::Api::<core::ConfigMap>::namespaced(raw(), namespace);
        for name in ["p-1", "p-2", "p-3"] {
            let map = json!({"metadata": {"name": name, "labels": {"page": "yes"}}});
            let map: core::ConfigMap = serde_json::from_value(map).unwrap();
            maps.create(&PostParams::default(), &map).await.unwrap();
        }
        let mut wanted = ListParams::default().labels("page=yes").limit(2);
        let first = maps.list(&wanted).await.unwrap();
        assert_eq!(first.items.len(), 2);
        wanted.continue_token = first.metadata.continue_;
        let second = maps.list(&wanted).await.unwrap();
        assert_eq!(second.items.len(), 1);
        assert!(second.metadata.continue_.unwrap_or_default().is_empty());
    });
}

fn binding(who: &str, namespace: &str) -> Binding {
    Binding {
        who: who.to_owned(),
        namespace: namespace.to_owned(),
        role: Some(NamespaceRole::Deployer),
        certificates: vec![IssuedCertificate {
            serial: "00ff".to_owned(),
            issued: "2026-11-23T10:00:00Z".parse().unwrap(),
            expires: "2027-02-21T10:00:00Z".parse().unwrap(),
            by: "arn:aws:iam::111122223333:user/ada".to_owned(),
        }],
    }
}

/// A map to apply: the name has to stand in it as in the URL.
fn settings(data: Value) -> Value {
    let mut map =
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings"}});
    map["data"] = data;
    map
}

fn client(login: ClientLogin) -> Client {
    let connection = admin();
    let mut config = Config::new(connection.server.parse().unwrap());
    let roots = pem::parse_many(&connection.authority_pem).unwrap();
    config.root_cert = Some(roots.into_iter().map(pem::Pem::into_contents).collect());
    config.tls_server_name = connection.server_name;
    let key: SecretString = login.key;
    config.auth_info.client_certificate_data = Some(STANDARD.encode(login.certificate_pem));
    config.auth_info.client_key_data = Some(STANDARD.encode(key.expose_secret()).into());
    Client::try_from(config).unwrap()
}

fn code(error: &::kube::Error) -> u16 {
    match error {
        ::kube::Error::Api(status) => status.code,
        other => panic!("{other}"),
    }
}

/// RBAC of a real server works from a cache that lags a moment.
async fn eventually<T>(attempt: impl AsyncFn() -> Result<T, ::kube::Error>) -> T {
    for _ in 0..50 {
        match attempt().await {
            Ok(done) => return done,
            Err(error) if code(&error) == 403 => {}
            Err(error) => panic!("{error}"),
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    panic!("still refused after five seconds")
}

async fn gone(attempt: impl AsyncFn() -> Result<(), ::kube::Error>) {
    for _ in 0..50 {
        match attempt().await {
            Err(error) if code(&error) == 403 => return,
            Err(error) => panic!("{error}"),
            Ok(()) => {}
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    panic!("still allowed after five seconds")
}
