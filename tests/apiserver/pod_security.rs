//! The admission plugin `PodSecurity`, as far as the tests need it: pods that are privileged, or use their machine's
//! network, processes or paths, against the level of their namespace. The plugin is on in every API server;
//! without a configuration its default is `privileged`.
//!
//! staging/src/k8s.io/pod-security-admission of kubernetes/kubernetes: admission/admission.go and api/helpers.go.

use serde_json::Value;

use super::http::Place;
use super::store::{Answer, Store};

const ENFORCE: &str = "pod-security.kubernetes.io/enforce";

/// The refusal of a pod, or of a namespace whose label is no level. Workloads are never refused, only their pods.
pub fn refused(place: &Place, object: &Value, default: &str, store: &Store) -> Option<Answer> {
    match place.resource.as_str() {
        "pods" => pod(place, object, default, store),
        "namespaces" => namespace(object),
        _ => None,
    }
}

fn pod(place: &Place, object: &Value, default: &str, store: &Store) -> Option<Answer> {
    let namespace = place.namespace.as_deref()?;
    // As templates/node/apiserver/admission.yaml.tera exempts it, where there is a configuration.
    if namespace == "kube-system" && default != "privileged" {
        return None;
    }
    let namespaces = store.of("api/v1/namespaces");
    let named = |one: &&Value| one["metadata"]["name"] == namespace;
    let found = namespaces.iter().find(named)?;
    let level = found["metadata"]["labels"][ENFORCE]
        .as_str()
        .unwrap_or(default);
    let violations = violations(&object["spec"]);
    if level == "privileged" || violations.is_empty() {
        return None;
    }
    let name = object["metadata"]["name"].as_str().unwrap_or_default();
    let message = format!(
        "pods \"{name}\" is forbidden: violates PodSecurity \"{level}:latest\": {}",
        violations.join(", ")
    );
    Some(Answer::status(403, "Forbidden", &message, None))
}

fn violations(spec: &Value) -> Vec<&'static str> {
    let yes = |value: &Value| value.as_bool() == Some(true);
    let list = |name: &str| spec[name].as_array().cloned().unwrap_or_default();
    let privileged = |one: &Value| yes(&one["securityContext"]["privileged"]);
    let mut found = Vec::new();
    if list("containers")
        .iter()
        .chain(&list("initContainers"))
        .any(privileged)
    {
        found.push("privileged");
    }
    if ["hostNetwork", "hostPID", "hostIPC"]
        .iter()
        .any(|name| yes(&spec[name]))
    {
        found.push("host namespaces");
    }
    if list("volumes")
        .iter()
        .any(|volume| !volume["hostPath"].is_null())
    {
        found.push("hostPath volumes");
    }
    found
}

fn namespace(object: &Value) -> Option<Answer> {
    let level = object["metadata"]["labels"][ENFORCE].as_str()?;
    if ["privileged", "baseline", "restricted"].contains(&level) {
        return None;
    }
    let name = object["metadata"]["name"].as_str().unwrap_or_default();
    let message = format!(
        "Namespace \"{name}\" is invalid: metadata.labels[{ENFORCE}]: Invalid value: \"{level}\": must be one \
         of privileged, baseline, restricted"
    );
    Some(Answer::status(422, "Invalid", &message, None))
}
