//! Which deprecated APIs were asked for: the node's program with the real kubectl and jq, on metrics as an API server writes
//! them.

use std::fs;
use std::net::SocketAddr;

use serde_json::json;

use super::world::World;
use crate::apiserver::server::{Response, connection, listen, whole};
use crate::tools::kubectl;

const METRICS: &str = r#"# HELP apiserver_request_total [STABLE] Counter of apiserver requests.
# TYPE apiserver_request_total counter
apiserver_request_total{code="200",group="",resource="pods"} 3
# HELP apiserver_requested_deprecated_apis [STABLE] Gauge of deprecated APIs that have been requested.
# TYPE apiserver_requested_deprecated_apis gauge
apiserver_requested_deprecated_apis{group="flowcontrol.apiserver.k8s.io",removed_release="1.37",resource="flowschemas",subresource="",version="v1beta3"} 1
apiserver_requested_deprecated_apis{group="flowcontrol.apiserver.k8s.io",removed_release="1.37",resource="flowschemas",subresource="status",version="v1beta3"} 1
apiserver_requested_deprecated_apis{group="",removed_release="",resource="componentstatuses",subresource="",version="v1"} 1
apiserver_requested_deprecated_apis{group="policy",removed_release="1.25",resource="podsecuritypolicies",subresource="",version="v1beta1"} 0
process_start_time_seconds 1.79e+09
"#;

/// An API server that answers every request with this.
fn serve(code: u16, text: &'static str) -> SocketAddr {
    listen(move |stream| {
        connection(stream, async move |_| {
            let mut response = Response::new(whole(text));
            *response.status_mut() = code.try_into().unwrap();
            Some(response)
        })
    })
}

/// A control-plane node whose admin's kubeconfig names that server, with the real kubectl.
fn node(server: SocketAddr) -> World {
    let world = World::of("a");
    let root = world.root('a');
    let kubeconfig = format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: x\nclusters:\n- name: x\n  cluster: {{server: \"http://{server}\"}}\n\
         contexts:\n- name: x\n  context: {{cluster: x, user: x}}\nusers:\n- name: x\n  user: {{}}\n"
    );
    fs::write(root.join("etc/kube-cfn/local-admin.conf"), kubeconfig).unwrap();
    let real = kubectl().get_program().to_owned();
    std::os::unix::fs::symlink(real, root.join("tools/kubectl")).unwrap();
    world
}

#[test]
fn each_api_that_was_asked_for_is_named_once() {
    let world = node(serve(200, METRICS));
    let result = world.well('a', "api-requests");
    assert_eq!(result["started"], "2026-09-21T14:13:20Z");
    let flowschemas = json!({"group": "flowcontrol.apiserver.k8s.io", "version": "v1beta3", "resource": "flowschemas",
        "removedIn": "1.37"});
    let componentstatuses =
        json!({"group": "", "version": "v1", "resource": "componentstatuses", "removedIn": ""});
    assert_eq!(
        result["deprecated"],
        json!([componentstatuses, flowschemas])
    );
}

#[test]
fn server_without_deprecated_requests_has_none() {
    let world = node(serve(200, "process_start_time_seconds 1.79e+09\n"));
    let result = world.well('a', "api-requests");
    assert_eq!(result["deprecated"], json!([]));
}

#[test]
fn server_that_does_not_answer_is_no_server_without_requests() {
    for (code, text) in [(503, "no"), (200, "<html>sign in</html>"), (403, "")] {
        let world = node(serve(code, text));
        let why = world.refused('a', "api-requests");
        assert!(why.contains("no answer that can be read"), "{code}: {why}");
    }
    let world = node(serve(
        200,
        "apiserver_requested_deprecated_apis{group=\"\"} 1\n",
    ));
    let why = world.refused('a', "api-requests");
    assert!(why.contains("when the API server started"), "{why}");
    assert!(world.refused('a', "api-requests now").contains("usage"));
}
