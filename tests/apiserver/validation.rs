//! Validation of requests as in a real API server. Each rule names its source in kubernetes/kubernetes, below
//! `staging/src/k8s.io`; `contract.rs` runs them against both.

use serde_json::Value;

use super::http::{Place, Request};
use super::store::{Answer, Patch};

/// The refusal of a patch whose options are wrong.
///
/// apimachinery/pkg/apis/meta/v1/validation/validation.go, `ValidatePatchOptions`.
pub fn patch_options(request: &Request, how: Patch) -> Option<Answer> {
    let given = |name: &str| request.query.get(name).filter(|value| !value.is_empty());
    let wrong = match how {
        Patch::Apply { .. } if given("fieldManager").is_none() => {
            "fieldManager: Required value: is required for apply patch"
        }
        Patch::Merge if given("force").is_some() => {
            "force: Forbidden: may not be specified for non-apply patch"
        }
        _ => return None,
    };
    let message = format!("PatchOptions.meta.k8s.io \"\" is invalid: {wrong}");
    Some(Answer::status(422, "Invalid", &message, None))
}

/// The refusal of an object that is applied under the name of the URL.
pub fn applied(place: &Place, object: &Value) -> Option<Answer> {
    // apimachinery/pkg/util/managedfields/internal/fieldmanager.go, `Apply`.
    if !object["metadata"]["managedFields"].is_null() {
        return Some(bad_request("metadata.managedFields must be nil"));
    }
    // .../managedfields/internal/structuredmerge.go, `Apply`.
    let version = object["apiVersion"].as_str().unwrap_or_default();
    if version != place.version() {
        return Some(bad_request(&format!(
            "Incorrect version specified in apply patch. Specified patch version: {version}, \
             expected: {}",
            place.version()
        )));
    }
    named_as_the_url(place, object)
}

/// The refusal of an object that replaces another one.
///
/// apimachinery/pkg/runtime/serializer/json/json.go, `Decode`; .../handlers/update.go, `UpdateResource`.
pub fn replaced(place: &Place, object: &Value) -> Option<Answer> {
    for (field, what) in [("kind", "Kind"), ("apiVersion", "apiVersion")] {
        if object[field].as_str().unwrap_or_default().is_empty() {
            return Some(bad_request(&format!(
                "Object '{what}' is missing in the body"
            )));
        }
    }
    named_as_the_url(place, object)
}

/// apiserver/pkg/endpoints/handlers/rest.go, `checkName`.
fn named_as_the_url(place: &Place, object: &Value) -> Option<Answer> {
    let url = place.name.as_deref().unwrap_or_default();
    let name = object["metadata"]["name"].as_str().unwrap_or_default();
    if name.is_empty() {
        return Some(bad_request(&format!(
            "the name of the object ({url} based on URL) was undeterminable: name must be provided"
        )));
    }
    if name != url {
        return Some(bad_request(&format!(
            "the name of the object ({name}) does not match the name on the URL ({url})"
        )));
    }
    let namespace = object["metadata"]["namespace"].as_str().unwrap_or_default();
    let wanted = place.namespace.as_deref().unwrap_or_default();
    if !wanted.is_empty() && !namespace.is_empty() && namespace != wanted {
        return Some(bad_request(&format!(
            "the namespace of the object ({namespace}) does not match the namespace on the \
             request ({wanted})"
        )));
    }
    None
}

/// The refusal of an object that is to be created.
pub fn created(place: &Place, object: &Value) -> Option<Answer> {
    let metadata = &object["metadata"];
    // apiserver/pkg/registry/rest/meta.go, `EnsureObjectNamespaceMatchesRequestNamespace`.
    let namespace = metadata["namespace"].as_str().unwrap_or_default();
    let wanted = place.namespace.as_deref().unwrap_or_default();
    if !namespace.is_empty() && namespace != wanted {
        return Some(bad_request(
            "the namespace of the provided object does not match the namespace sent on the request",
        ));
    }
    // apimachinery/pkg/api/validation/objectmeta.go, `ValidateObjectMetaAccessor`.
    let name = metadata["name"].as_str().unwrap_or_default();
    let kind = object["kind"].as_str().unwrap_or(&place.resource);
    let invalid = |why: &str| {
        let message = format!("{kind} \"{name}\" is invalid: metadata.name: {why}");
        Some(Answer::status(422, "Invalid", &message, None))
    };
    if name.is_empty() {
        return invalid("Required value: name or generateName is required");
    }
    // pkg/apis/rbac/validation: names of roles and bindings are path segments, which may hold colons.
    // pkg/apis/certificates/validation, `ValidateCertificateRequestName`: any path segment.
    let rbac = ["rbac.authorization.k8s.io", "certificates.k8s.io"].contains(&place.group.as_str());
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-.".contains(c);
    if !rbac && !name.chars().all(allowed) {
        let why = format!(
            "Invalid value: \"{name}\": a lowercase RFC 1123 subdomain must consist of lower case \
             alphanumeric characters, '-' or '.'"
        );
        return invalid(&why);
    }
    None
}

/// The refusal of a PersistentVolume with a reclaim policy that there is none of.
///
/// pkg/apis/core/validation/validation.go, `ValidatePersistentVolumeSpec`.
pub fn reclaim_policy(place: &Place, object: &Value) -> Option<Answer> {
    let policy = object["spec"]["persistentVolumeReclaimPolicy"].as_str()?;
    if place.resource != "persistentvolumes" || ["Delete", "Recycle", "Retain"].contains(&policy) {
        return None;
    }
    let named = object["metadata"]["name"].as_str();
    let name = named.or(place.name.as_deref()).unwrap_or_default();
    let message = format!(
        "PersistentVolume \"{name}\" is invalid: spec.persistentVolumeReclaimPolicy: Unsupported value: \"{policy}\": \
         supported values: \"Delete\", \"Recycle\", \"Retain\""
    );
    Some(Answer::status(422, "Invalid", &message, None))
}

/// The refusal of an object with fields that its kind does not have, where the client asks for it
/// (`kubectl` does). Only what the clients here write is known, and only its outermost fields.
///
/// apiserver/pkg/endpoints/handlers/create.go and patch.go, `fieldValidation`.
pub fn unknown_field(request: &Request, place: &Place, object: &Value) -> Option<Answer> {
    if request.query.get("fieldValidation").map(String::as_str) != Some("Strict") {
        return None;
    }
    let own: &[&str] = match place.resource.as_str() {
        "configmaps" => &["data", "binaryData", "immutable"],
        "secrets" => &["data", "stringData", "type", "immutable"],
        "namespaces" | "nodes" | "certificatesigningrequests" => &["spec", "status"],
        "roles" | "clusterroles" => &["rules", "aggregationRule"],
        "rolebindings" | "clusterrolebindings" => &["subjects", "roleRef"],
        _ => return None,
    };
    let known =
        |name: &str| ["apiVersion", "kind", "metadata"].contains(&name) || own.contains(&name);
    let unknown = object.as_object()?.keys().find(|name| !known(name))?;
    let kind = object["kind"].as_str().unwrap_or_default();
    Some(bad_request(&format!(
        "{kind} in version \"{}\" cannot be handled as a {kind}: strict decoding error: unknown \
         field \"{unknown}\"",
        place.version().rsplit('/').next().unwrap_or_default()
    )))
}

fn bad_request(message: &str) -> Answer {
    Answer::status(400, "BadRequest", message, None)
}
