//! What the API of a cluster depends on, read from the tests' API server with objects as their publishers write them.

use kube_cfn::cloud::{Backend, Dependencies, Extension, NodesError, Webhook};
use kube_cfn::kube::Api;
use serde_json::{Value, json};

use crate::apiserver::ApiServer;

fn webhook(name: &str, policy: Option<&str>, resource: &str, client: &Value) -> Value {
    let mut hook = json!({
        "name": name, "clientConfig": client, "sideEffects": "None", "admissionReviewVersions": ["v1"],
        "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["*"], "resources": [resource]}],
    });
    if let Some(policy) = policy {
        hook["failurePolicy"] = json!(policy);
    }
    hook
}

fn service(name: &str) -> Value {
    json!({"service": {"namespace": "policy", "name": name}})
}

/// Endpoints of a Service in one slice: ready, not ready, or silent about it.
fn slice(server: &ApiServer, name: &str, service: &str, ready: &[Option<bool>]) {
    let endpoint =
        |ready: &Option<bool>| json!({"addresses": ["10.1.0.9"], "conditions": {"ready": ready}});
    let endpoints: Vec<_> = ready.iter().map(endpoint).collect();
    server.put(
        "apis/discovery.k8s.io/v1/endpointslices",
        json!({"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
            "metadata": {"namespace": "policy", "name": name, "labels": {"kubernetes.io/service-name": service}},
            "endpoints": endpoints}),
    );
}

fn answered(name: &str, ready: usize) -> Backend {
    Backend::Service {
        name: format!("policy/{name}"),
        ready,
    }
}

#[tokio::test]
async fn webhooks_that_refuse_are_read_with_what_answers_for_them() {
    let server = ApiServer::start();
    let api = Api::connect(&server.connection()).unwrap();
    assert_eq!(api.webhooks().await.unwrap(), []);
    let configurations = "apis/admissionregistration.k8s.io/v1";
    server.put(
        &format!("{configurations}/validatingwebhookconfigurations"),
        json!({"kind": "ValidatingWebhookConfiguration", "metadata": {"name": "policy"}, "webhooks": [
            webhook("pods", Some("Fail"), "pods", &service("policy")),
            webhook("secrets", None, "secrets", &service("gone")),
            webhook("ignored", Some("Ignore"), "pods", &service("gone")),
            webhook("outside", Some("Fail"), "*/*", &json!({"url": "https://policy.example/"})),
        ]}),
    );
    server.put(
        &format!("{configurations}/mutatingwebhookconfigurations"),
        json!({"kind": "MutatingWebhookConfiguration", "metadata": {"name": "inject"}, "webhooks": [
            webhook("evict", Some("Fail"), "pods/eviction", &service("inject"))]}),
    );
    slice(&server, "policy-1", "policy", &[Some(true), Some(false)]);
    slice(&server, "policy-2", "policy", &[None]);
    slice(&server, "inject-1", "inject", &[Some(false)]);
    let found = api.webhooks().await.unwrap();
    let one = |of: &str, name: &str, is_about_pods: bool, backend: Backend| Webhook {
        name: format!("{of}, webhook {name}"),
        is_about_pods,
        backend,
    };
    let policy = "ValidatingWebhookConfiguration policy";
    assert_eq!(
        found,
        [
            one(
                "MutatingWebhookConfiguration inject",
                "evict",
                true,
                answered("inject", 0)
            ),
            one(
                policy,
                "outside",
                true,
                Backend::Url("https://policy.example/".to_owned())
            ),
            one(policy, "pods", true, answered("policy", 2)),
            one(policy, "secrets", false, answered("gone", 0)),
        ]
    );
    server.deny("list", "endpointslices");
    let refused = api.webhooks().await.unwrap_err();
    assert!(matches!(refused, NodesError::Refused(_)), "{refused}");
}

#[tokio::test]
async fn conversions_and_aggregated_apis_say_whether_they_answer() {
    let server = ApiServer::start();
    let api = Api::connect(&server.connection()).unwrap();
    assert_eq!(api.extensions().await.unwrap(), []);
    let resource = |name: &str, conversion: Value| {
        json!({"kind": "CustomResourceDefinition", "metadata": {"name": name}, "spec": {
            "group": "example.org", "scope": "Namespaced", "versions": [],
            "names": {"kind": "Widget", "plural": "widgets"}, "conversion": conversion}})
    };
    let resources = "apis/apiextensions.k8s.io/v1/customresourcedefinitions";
    server.put(
        resources,
        resource("gadgets.example.org", json!({"strategy": "None"})),
    );
    let convert = json!({"strategy": "Webhook", "webhook": {"conversionReviewVersions": ["v1"],
        "clientConfig": service("convert")}});
    server.put(resources, resource("widgets.example.org", convert));
    let api_service = |name: &str, spec: Value, conditions: Value| {
        json!({"kind": "APIService", "metadata": {"name": name}, "spec": spec,
            "status": {"conditions": conditions}})
    };
    let aggregated = |name: &str| {
        json!({"group": "x", "version": "v1", "groupPriorityMinimum": 1, "versionPriority": 1,
            "service": {"namespace": "policy", "name": name}})
    };
    let own =
        json!({"group": "", "version": "v1", "groupPriorityMinimum": 1, "versionPriority": 1});
    let apis = "apis/apiregistration.k8s.io/v1/apiservices";
    let condition = |status: &str, message: &str| json!([{"type": "Available", "status": status, "message": message}]);
    server.put(apis, api_service("v1.", own, json!([])));
    server.put(
        apis,
        api_service(
            "v1.good",
            aggregated("convert"),
            condition("True", "all checks passed"),
        ),
    );
    server.put(
        apis,
        api_service(
            "v1.bad",
            aggregated("gone"),
            condition("False", "endpoints not found"),
        ),
    );
    server.put(apis, api_service("v1.new", aggregated("gone"), json!([])));
    slice(&server, "convert-1", "convert", &[Some(true)]);
    let one = |name: &str, backend: Backend, trouble: Option<&str>| Extension {
        name: name.to_owned(),
        backend,
        trouble: trouble.map(str::to_owned),
    };
    let unsaid = "the API server has not said whether it is available";
    assert_eq!(
        api.extensions().await.unwrap(),
        [
            one(
                "APIService v1.bad",
                answered("gone", 0),
                Some("endpoints not found")
            ),
            one("APIService v1.good", answered("convert", 1), None),
            one("APIService v1.new", answered("gone", 0), Some(unsaid)),
            one(
                "CustomResourceDefinition widgets.example.org",
                answered("convert", 1),
                None
            ),
        ]
    );
}
