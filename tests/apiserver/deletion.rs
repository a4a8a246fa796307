//! Deletion as a real API server does it: an object with finalizers is only marked, a pod is given time for its end, and the
//! update that removes the last finalizer of a marked object deletes it.
//!
//! apiserver/pkg/registry/rest/delete.go, `BeforeDelete`, and .../registry/generic/registry/store.go, `Delete` and
//! `ShouldDeleteDuringUpdate`, of kubernetes/kubernetes, below `staging/src/k8s.io`.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::http::Place;
use super::store::{Answer, Key, Owned, Store};

/// The time that a pod has for its end where it says nothing: what the API server fills in.
const GRACE: i64 = 30;
/// Kinds whose deletion answers the object: `ReturnDeletedObject` of their storage.
const RETURNED: [&str; 4] = [
    "pods",
    "services",
    "persistentvolumes",
    "persistentvolumeclaims",
];

/// Whether an object is deleted and only waits for its end.
pub fn is_ending(object: &Value) -> bool {
    !object["metadata"]["deletionTimestamp"].is_null()
}

pub fn finalizers(object: &Value) -> Vec<String> {
    let list = object["metadata"]["finalizers"].as_array();
    let names = list.into_iter().flatten().filter_map(Value::as_str);
    names.map(str::to_owned).collect()
}

/// Seconds that a deleted object has for its end, as far as it was given some.
fn grace(object: &Value) -> i64 {
    object["metadata"]["deletionGracePeriodSeconds"]
        .as_i64()
        .unwrap_or(0)
}

/// What a pod is given. pkg/registry/core/pod/strategy.go, `CheckGracefulDelete`.
fn period(place: &Place, object: &Value, options: &Value) -> i64 {
    let phase = object["status"]["phase"].as_str().unwrap_or_default();
    let is_scheduled = !object["spec"]["nodeName"].is_null();
    if place.resource != "pods" || !is_scheduled || ["Succeeded", "Failed"].contains(&phase) {
        return 0;
    }
    let own = object["spec"]["terminationGracePeriodSeconds"].as_i64();
    let asked = options["gracePeriodSeconds"].as_i64();
    asked.or(own).unwrap_or(GRACE)
}

fn wrong_options(options: &Value) -> Option<Answer> {
    let policy = options["propagationPolicy"].as_str()?;
    if ["Orphan", "Background", "Foreground"].contains(&policy) {
        return None;
    }
    let message = format!(
        "DeleteOptions.meta.k8s.io \"\" is invalid: propagationPolicy: Unsupported value: \"{policy}\": supported values: \
         \"Foreground\", \"Background\", \"Orphan\", \"nil\""
    );
    Some(Answer::status(422, "Invalid", &message, None))
}

pub fn unmet_precondition(place: &Place, object: &Value, options: &Value) -> Option<Answer> {
    let name = place.name.as_deref().unwrap_or_default();
    let conflict = |what: &str, wanted: &str, found: &Value, since: &str| {
        let message = format!(
            "Operation cannot be fulfilled on {} \"{name}\": the {what} in the precondition ({wanted}) does not match the \
             {what} in record ({}). The object might have been {since}",
            place.resource,
            found.as_str().unwrap_or_default()
        );
        Answer::status(409, "Conflict", &message, None)
    };
    for (field, what, since) in [
        ("uid", "UID", "deleted and then recreated"),
        ("resourceVersion", "ResourceVersion", "modified"),
    ] {
        let found = &object["metadata"][field];
        if let Some(wanted) = options["preconditions"][field].as_str()
            && found != wanted
        {
            return Some(conflict(what, wanted, found, since));
        }
    }
    None
}

impl Store {
    /// Deletes an object, or marks it. `options` are `DeleteOptions`.
    pub fn delete(&mut self, place: &Place, options: &Value) -> Answer {
        let name = place.name.clone().unwrap_or_default();
        let key = Self::key(place, &name);
        let Some(stored) = self.objects.get(&key) else {
            return Answer::missing(place, &name);
        };
        let (mut object, owned) = (stored.object.clone(), stored.owned.clone());
        let refused =
            wrong_options(options).or_else(|| unmet_precondition(place, &object, options));
        if let Some(refused) = refused {
            return refused;
        }
        let mut held = finalizers(&object);
        let by_collector = match options["propagationPolicy"].as_str() {
            Some("Foreground") => Some("foregroundDeletion"),
            Some("Orphan") => Some("orphan"),
            _ => None,
        };
        if !is_ending(&object)
            && let Some(name) = by_collector
        {
            held.push(name.to_owned());
        }
        let given = if is_ending(&object) {
            // The time can only become shorter.
            let asked = options["gracePeriodSeconds"].as_i64();
            asked.map_or(grace(&object), |asked| asked.min(grace(&object)))
        } else {
            period(place, &object, options)
        };
        if held.is_empty() && given == 0 {
            let gone = self.drop_object(&key).unwrap_or_default();
            return deleted(place, gone);
        }
        let is_marked = is_ending(&object) && given == grace(&object);
        let metadata = &mut object["metadata"];
        if !is_marked {
            let end = Timestamp::now() + SignedDuration::from_secs(given);
            metadata["deletionTimestamp"] = json!(end.strftime("%Y-%m-%dT%H:%M:%SZ").to_string());
            metadata["deletionGracePeriodSeconds"] = json!(given);
            if !held.is_empty() {
                metadata["finalizers"] = json!(held);
            }
            self.keep(key.clone(), object, owned);
        }
        Answer::of(200, self.objects[&key].object.clone())
    }

    /// Stores the update of an object. What says that it is deleted is not for clients to change, and no finalizer is added
    /// any more then; without any left it goes.
    ///
    /// apimachinery/pkg/api/validation/objectmeta.go, `ValidateNoNewFinalizers`.
    pub fn update(&mut self, place: &Place, key: &Key, mut object: Value, owned: Owned) -> Answer {
        let old = match self.objects.get(key) {
            Some(stored) => stored.object.clone(),
            None => json!({}),
        };
        for field in ["deletionTimestamp", "deletionGracePeriodSeconds", "uid"] {
            match &old["metadata"][field] {
                Value::Null => {
                    if let Some(metadata) = object["metadata"].as_object_mut() {
                        metadata.remove(field);
                    }
                }
                kept => object["metadata"][field] = kept.clone(),
            }
        }
        if is_ending(&old) {
            let known = finalizers(&old);
            let new: Vec<String> = finalizers(&object)
                .into_iter()
                .filter(|name| !known.contains(name))
                .collect();
            if !new.is_empty() {
                let message = format!(
                    "{} \"{}\" is invalid: metadata.finalizers: Forbidden: no new finalizers can be added if the object \
                     is being deleted, found new finalizers []string{new:?}",
                    place.resource, key.2
                );
                return Answer::status(422, "Invalid", &message, None);
            }
        }
        self.keep(key.clone(), object, owned);
        let kept = self.objects[key].object.clone();
        if is_ending(&kept) && finalizers(&kept).is_empty() && grace(&kept) == 0 {
            self.drop_object(key);
        }
        Answer::of(200, kept)
    }
}

fn deleted(place: &Place, object: Value) -> Answer {
    if RETURNED.contains(&place.resource.as_str()) {
        return Answer::of(200, object);
    }
    let name = place.name.as_deref().unwrap_or_default();
    Answer::of(
        200,
        json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success",
            "details": {"name": name}}),
    )
}
