//! The subresource `scale` of what counts its pods.
//!
//! pkg/registry/apps/deployment/storage/storage.go of kubernetes/kubernetes, `ScaleREST`.

use serde_json::{Map, Value, json};

use super::http::Place;
use super::store::{Answer, Store, merge};

const SCALED: [&str; 4] = [
    "deployments",
    "statefulsets",
    "replicasets",
    "replicationcontrollers",
];

impl Store {
    /// The scale of an object.
    pub fn scale(&self, place: &Place) -> Answer {
        let name = place.name.clone().unwrap_or_default();
        if !SCALED.contains(&place.resource.as_str()) {
            let message = "the server could not find the requested resource";
            return Answer::status(404, "NotFound", message, None);
        }
        match self.objects.get(&Self::key(place, &name)) {
            Some(stored) => Answer::of(200, of(&stored.object)),
            None => Answer::missing(place, &name),
        }
    }

    /// Writes how many pods an object wants; `change` is a scale or a merge patch of one.
    pub fn rescale(&mut self, place: &Place, change: &Value) -> Answer {
        let found = self.scale(place);
        let Some(mut scale) = found.body().filter(|_| found.code == 200).cloned() else {
            return found;
        };
        let name = place.name.clone().unwrap_or_default();
        let key = Self::key(place, &name);
        merge(&mut scale, change);
        let replicas = scale["spec"]["replicas"].as_i64().unwrap_or(0);
        if replicas < 0 {
            let message = format!(
                "Scale.autoscaling \"{name}\" is invalid: spec.replicas: Invalid value: {replicas}: must be greater than \
                 or equal to 0"
            );
            return Answer::status(422, "Invalid", &message, None);
        }
        let stored = &self.objects[&key];
        let (mut object, owned) = (stored.object.clone(), stored.owned.clone());
        object["spec"]["replicas"] = json!(replicas);
        let answer = self.update(place, &key, object, owned);
        match answer.body() {
            Some(object) if answer.code == 200 => Answer::of(200, of(object)),
            _ => answer,
        }
    }
}

fn of(object: &Value) -> Value {
    let metadata = &object["metadata"];
    let mut own = Map::new();
    for field in [
        "name",
        "namespace",
        "uid",
        "resourceVersion",
        "creationTimestamp",
    ] {
        own.insert(field.to_owned(), metadata[field].clone());
    }
    // A zero is left out, as of every number that may be left out.
    let count = |count: &Value| match count.as_i64() {
        None | Some(0) => json!({}),
        Some(count) => json!({"replicas": count}),
    };
    let wanted = match &object["spec"]["replicas"] {
        Value::Null => json!({"replicas": 1}),
        wanted => count(wanted),
    };
    let mut status = count(&object["status"]["replicas"]);
    if status["replicas"].is_null() {
        status["replicas"] = json!(0);
    }
    json!({"kind": "Scale", "apiVersion": "autoscaling/v1", "metadata": own, "spec": wanted, "status": status})
}
