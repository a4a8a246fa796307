//! Objects with their versions and field owners.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::http::Place;
use super::rights::Who;

/// Changes before this many are forgotten: a watch from before gets 410.
const MEMORY: usize = 200;
/// Finalizers of a claim that pods may use, and of a volume that is bound.
pub const CLAIM_PROTECTION: &str = "kubernetes.io/pvc-protection";
pub const VOLUME_PROTECTION: &str = "kubernetes.io/pv-protection";

/// What is answered.
pub struct Answer {
    pub code: u16,
    body: Result<Value, String>,
}

/// How a patch is meant.
#[derive(Clone, Copy)]
pub enum Patch {
    Apply { force: bool },
    Merge,
}

/// Collection, namespace, name.
pub type Key = (String, String, String);
/// The fields that each manager applied, as JSON pointers.
pub type Owned = BTreeMap<String, BTreeSet<String>>;

/// A stored object.
pub struct Stored {
    pub object: Value,
    pub owned: Owned,
}

/// Everything.
pub struct Store {
    pub objects: BTreeMap<Key, Stored>,
    version: u64,
    /// Version, type, key and object of every change.
    changes: Vec<(u64, &'static str, Key, Value)>,
}

impl Answer {
    pub fn of(code: u16, body: Value) -> Self {
        Self {
            code,
            body: Ok(body),
        }
    }

    pub fn plain(code: u16, text: String) -> Self {
        Self {
            code,
            body: Err(text),
        }
    }

    pub fn status(code: u16, reason: &str, message: &str, causes: Option<Value>) -> Self {
        let details = causes.map_or(json!({}), |causes| json!({"causes": causes}));
        Self::of(
            code,
            json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
                "message": message, "reason": reason, "code": code, "details": details}),
        )
    }

    pub fn missing(place: &Place, name: &str) -> Self {
        let group = match place.group.as_str() {
            "" => String::new(),
            group => format!(".{group}"),
        };
        let message = format!("{}{group} \"{name}\" not found", place.resource);
        Self::status(404, "NotFound", &message, None)
    }

    /// Says in how many seconds the client is to try again, where it says any.
    pub fn wait(&mut self, seconds: u64) {
        if let (Ok(body), 1..) = (&mut self.body, seconds) {
            body["details"]["retryAfterSeconds"] = json!(seconds);
        }
    }

    pub fn text(&self) -> String {
        match &self.body {
            Ok(body) => body.to_string(),
            Err(text) => text.clone(),
        }
    }

    /// The object that is answered.
    pub fn body(&self) -> Option<&Value> {
        self.body.as_ref().ok()
    }

    pub fn kind(&self) -> &'static str {
        match self.body {
            Ok(_) => "application/json",
            Err(_) => "text/plain",
        }
    }
}

impl Store {
    pub fn new() -> Self {
        let mut store = Self {
            objects: BTreeMap::new(),
            version: 1,
            changes: Vec::new(),
        };
        for name in ["default", "kube-system"] {
            store.put("api/v1/namespaces", json!({"metadata": {"name": name}}));
        }
        store
    }

    /// Stores an object without asking who owns it.
    pub fn put(&mut self, collection: &str, object: Value) {
        let of = |field: &str| {
            object["metadata"][field]
                .as_str()
                .unwrap_or_default()
                .to_owned()
        };
        let key = (collection.to_owned(), of("namespace"), of("name"));
        self.keep(key, object, BTreeMap::new());
    }

    pub fn clear(&mut self, collection: &str) {
        let keys: Vec<Key> = self
            .objects
            .keys()
            .filter(|key| key.0 == collection)
            .cloned()
            .collect();
        for key in keys {
            self.drop_object(&key);
        }
    }

    /// The objects of a collection, for the double's own use.
    pub fn of(&self, collection: &str) -> Vec<Value> {
        let found = self.objects.iter().filter(|(key, _)| key.0 == collection);
        found.map(|(_, stored)| stored.object.clone()).collect()
    }

    pub fn keep(&mut self, key: Key, mut object: Value, owned: Owned) {
        self.version += 1;
        let version = self.version;
        let old = self.objects.get(&key);
        let kind = if old.is_some() { "MODIFIED" } else { "ADDED" };
        let created = old.map(|old| old.object["metadata"]["creationTimestamp"].clone());
        let now = json!(Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string());
        let metadata = &mut object["metadata"];
        if metadata["creationTimestamp"].is_null() {
            metadata["creationTimestamp"] = created.unwrap_or(now);
        }
        if metadata["uid"].is_null() {
            metadata["uid"] = json!(format!("00000000-0000-0000-0000-{version:012}"));
        }
        metadata["resourceVersion"] = json!(version.to_string());
        self.changes
            .push((version, kind, key.clone(), object.clone()));
        self.objects.insert(key, Stored { object, owned });
    }

    pub fn drop_object(&mut self, key: &Key) -> Option<Value> {
        let stored = self.objects.remove(key)?;
        self.version += 1;
        let change = (self.version, "DELETED", key.clone(), stored.object.clone());
        self.changes.push(change);
        Some(stored.object)
    }

    pub fn key(place: &Place, name: &str) -> Key {
        let namespace = place.namespace.clone().unwrap_or_default();
        (place.collection.clone(), namespace, name.to_owned())
    }

    fn selects(place: &Place, selector: Option<&String>, key: &Key, object: &Value) -> bool {
        let inside = place
            .namespace
            .as_ref()
            .is_none_or(|namespace| *namespace == key.1);
        let labels = &object["metadata"]["labels"];
        let holds = |term: &str| match term.split_once('=') {
            Some((name, value)) => labels[name] == value,
            None => !labels[term].is_null(),
        };
        let named = selector.is_none_or(|terms| terms.split(',').all(holds));
        key.0 == place.collection && inside && named
    }

    pub fn list(&self, place: &Place, query: &BTreeMap<String, String>) -> Answer {
        let selector = query.get("labelSelector").filter(|text| !text.is_empty());
        let fields = query
            .get("fieldSelector")
            .map(String::as_str)
            .unwrap_or_default();
        if let Some(refused) = unknown_field_label(place, fields) {
            return refused;
        }
        let found = self.objects.iter();
        let found =
            found.filter(|(key, stored)| Self::selects(place, selector, key, &stored.object));
        let found = found.filter(|(_, stored)| has_fields(&stored.object, fields));
        let start = query
            .get("continue")
            .and_then(|text| text.parse().ok())
            .unwrap_or(0);
        let limit = query.get("limit").and_then(|text| text.parse().ok());
        let mut items: Vec<Value> = found
            .map(|(_, stored)| stored.object.clone())
            .skip(start)
            .collect();
        let mut metadata = json!({"resourceVersion": self.version.to_string()});
        if let Some(limit) = limit.filter(|limit| *limit > 0 && items.len() > *limit) {
            items.truncate(limit);
            metadata["continue"] = json!((start + limit).to_string());
        }
        Answer::of(
            200,
            json!({"kind": "List", "apiVersion": "v1", "metadata": metadata, "items": items}),
        )
    }

    pub fn get(&self, place: &Place) -> Answer {
        let name = place.name.as_deref().unwrap_or_default();
        match self.objects.get(&Self::key(place, name)) {
            Some(stored) => Answer::of(200, stored.object.clone()),
            None => Answer::missing(place, name),
        }
    }

    fn no_namespace(&self, place: &Place) -> Option<Answer> {
        let name = place.namespace.as_deref()?;
        let key = (
            "api/v1/namespaces".to_owned(),
            String::new(),
            name.to_owned(),
        );
        if self.objects.contains_key(&key) {
            return None;
        }
        let message = format!("namespaces \"{name}\" not found");
        Some(Answer::status(404, "NotFound", &message, None))
    }

    pub fn create(&mut self, place: &Place, mut object: Value, manager: &str, who: &Who) -> Answer {
        if let Some(refused) = self.no_namespace(place) {
            return refused;
        }
        let name = object["metadata"]["name"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        let key = Self::key(place, &name);
        if self.objects.contains_key(&key) {
            let message = format!("{} \"{name}\" already exists", place.resource);
            return Answer::status(409, "AlreadyExists", &message, None);
        }
        if place.resource == "certificatesigningrequests" {
            object["spec"]["username"] = json!(who.user);
            object["spec"]["groups"] = json!(who.groups);
        }
        if let Some(namespace) = &place.namespace {
            object["metadata"]["namespace"] = json!(namespace);
        }
        protect(place, &mut object);
        let mut fields = BTreeSet::new();
        leaves(&object, String::new(), &mut fields);
        self.keep(
            key.clone(),
            object,
            BTreeMap::from([(manager.to_owned(), fields)]),
        );
        Answer::of(201, self.objects[&key].object.clone())
    }

    /// Replaces an object, or its status alone through a subresource, if `object` has the newest version or
    /// none.
    ///
    /// apiserver/pkg/registry/generic/registry/store.go, `Update`.
    pub fn replace(&mut self, place: &Place, object: &Value, manager: &str) -> Answer {
        let name = place.name.clone().unwrap_or_default();
        let key = Self::key(place, &name);
        let Some(stored) = self.objects.get(&key) else {
            return Answer::missing(place, &name);
        };
        if let Some(conflict) = overtaken(place, &stored.object, object) {
            return conflict;
        }
        let mut new = match place.sub {
            Some(_) => stored.object.clone(),
            None => object.clone(),
        };
        if place.sub.is_some() {
            new["status"] = object["status"].clone();
        }
        let mut fields = BTreeSet::new();
        leaves(&new, String::new(), &mut fields);
        let owned = BTreeMap::from([(manager.to_owned(), fields)]);
        self.update(place, &key, new, owned)
    }

    pub fn patch(
        &mut self,
        place: &Place,
        sub: Option<&str>,
        patch: Value,
        how: Patch,
        manager: &str,
    ) -> Answer {
        if let Some(refused) = self.no_namespace(place) {
            return refused;
        }
        let name = place.name.clone().unwrap_or_default();
        let key = Self::key(place, &name);
        match how {
            Patch::Apply { force } => self.apply(place, &key, patch, force, manager),
            Patch::Merge => {
                let Some(stored) = self.objects.get(&key) else {
                    return Answer::missing(place, &name);
                };
                if let Some(conflict) = overtaken(place, &stored.object, &patch) {
                    return conflict;
                }
                let mut object = stored.object.clone();
                // A subresource writes the status alone, the object everything but it.
                let patch = match sub {
                    Some(_) => json!({"status": patch["status"]}),
                    None => patch,
                };
                let mut fields = BTreeSet::new();
                leaves(&patch, String::new(), &mut fields);
                let mut owned = stored.owned.clone();
                for others in owned.values_mut() {
                    others.retain(|field| !fields.contains(field));
                }
                owned.entry(manager.to_owned()).or_default().extend(fields);
                merge(&mut object, &patch);
                self.update(place, &key, object, owned)
            }
        }
    }

    fn apply(
        &mut self,
        place: &Place,
        key: &Key,
        mut wanted: Value,
        force: bool,
        manager: &str,
    ) -> Answer {
        if let Some(namespace) = &place.namespace {
            wanted["metadata"]["namespace"] = json!(namespace);
        }
        let mut fields = BTreeSet::new();
        leaves(&wanted, String::new(), &mut fields);
        let existed = self.objects.contains_key(key);
        let (mut object, mut owned) = match self.objects.get(key) {
            Some(stored) => (stored.object.clone(), stored.owned.clone()),
            None => (json!({}), BTreeMap::new()),
        };
        let conflicts = conflicts(&object, &wanted, &fields, &owned, manager);
        if let Some((first, others)) = conflicts.split_first().filter(|_| !force) {
            let s = if others.is_empty() { "" } else { "s" };
            let message = format!(
                "Apply failed with {} conflict{s}: {}",
                conflicts.len(),
                first["message"].as_str().unwrap_or_default()
            );
            return Answer::status(409, "Conflict", &message, Some(json!(conflicts)));
        }
        if place.resource == "rolebindings" && existed && object["roleRef"] != wanted["roleRef"] {
            let message = format!(
                "RoleBinding.{} \"{}\" is invalid: roleRef: Invalid value: \
                cannot change roleRef",
                place.group, key.2
            );
            return Answer::status(422, "Invalid", &message, None);
        }
        // What this manager applied before and does not any more goes, unless others want it too.
        for field in owned
            .remove(manager)
            .unwrap_or_default()
            .difference(&fields)
        {
            if !owned.values().any(|others| others.contains(field)) {
                remove(&mut object, field);
            }
        }
        for (other, theirs) in &mut owned {
            if other != manager {
                theirs.retain(|field| {
                    !fields.contains(field) || object.pointer(field) == wanted.pointer(field)
                });
            }
        }
        merge(&mut object, &wanted);
        owned.insert(manager.to_owned(), fields);
        if existed {
            return self.update(place, key, object, owned);
        }
        protect(place, &mut object);
        self.keep(key.clone(), object, owned);
        Answer::of(201, self.objects[key].object.clone())
    }

    /// The events of a watch since a version, and the version up to which they reach.
    pub fn since(
        &self,
        place: &Place,
        query: &BTreeMap<String, String>,
        since: Option<&str>,
    ) -> (Vec<Value>, String) {
        let seen = self.version.to_string();
        let selector = query.get("labelSelector").filter(|text| !text.is_empty());
        let event = |kind: &str, object: &Value| json!({"type": kind, "object": object});
        let asked: u64 = since.and_then(|text| text.parse().ok()).unwrap_or(0);
        if asked == 0 {
            let here = self.objects.iter();
            let here =
                here.filter(|(key, stored)| Self::selects(place, selector, key, &stored.object));
            return (
                here.map(|(_, stored)| event("ADDED", &stored.object))
                    .collect(),
                seen,
            );
        }
        let forgotten = self.changes.len().checked_sub(MEMORY);
        let oldest = forgotten.map(|index| self.changes[index].0);
        if oldest.is_some_and(|oldest| asked < oldest) {
            let gone = Answer::status(410, "Expired", "too old resource version", None);
            let gone = serde_json::from_str(&gone.text()).unwrap_or_default();
            return (vec![event("ERROR", &gone)], seen);
        }
        let new = self.changes.iter().filter(|(version, _, key, object)| {
            *version > asked && Self::selects(place, selector, key, object)
        });
        (
            new.map(|(_, kind, _, object)| event(kind, object))
                .collect(),
            seen,
        )
    }
}

/// The conflict of a write for another version, or for another object of the name, than the one that is stored.
fn overtaken(place: &Place, stored: &Value, given: &Value) -> Option<Answer> {
    let given = |field: &str| given["metadata"][field].as_str().unwrap_or_default();
    let mut fields = ["uid", "resourceVersion"].into_iter();
    fields.find(|field| !given(field).is_empty() && stored["metadata"][*field] != given(field))?;
    let group = match place.group.as_str() {
        "" => String::new(),
        group => format!(".{group}"),
    };
    let message = format!(
        "Operation cannot be fulfilled on {}{group} \"{}\": the object has been modified; please apply your changes to \
         the latest version and try again",
        place.resource,
        place.name.as_deref().unwrap_or_default(),
    );
    Some(Answer::status(409, "Conflict", &message, None))
}

/// The admission plugin `StorageObjectInUseProtection`: claims and volumes are held while they are used.
///
/// plugin/pkg/admission/storage/storageobjectinuseprotection of kubernetes/kubernetes.
fn protect(place: &Place, object: &mut Value) {
    let name = match place.resource.as_str() {
        "persistentvolumeclaims" => CLAIM_PROTECTION,
        "persistentvolumes" => VOLUME_PROTECTION,
        _ => return,
    };
    let mut held = super::deletion::finalizers(object);
    if !held.iter().any(|known| known == name) {
        held.push(name.to_owned());
    }
    object["metadata"]["finalizers"] = json!(held);
}

/// Every kind can be selected by its name; some by more.
///
/// apimachinery/pkg/runtime/conversion.go, `DefaultMetaV1FieldSelectorConversion`; pkg/apis/certificates/v1/conversion.go
/// and pkg/apis/core/v1/conversion.go of kubernetes/kubernetes.
fn unknown_field_label(place: &Place, selector: &str) -> Option<Answer> {
    let more: &[&str] = match place.resource.as_str() {
        "certificatesigningrequests" => &["spec.signerName"],
        "pods" => &["spec.nodeName", "status.phase"],
        "nodes" => &["spec.unschedulable"],
        _ => &[],
    };
    let known = |term: &str| {
        let field = term.split_once('=').map_or(term, |(field, _)| field);
        let field = field.trim_end_matches('!');
        ["metadata.name", "metadata.namespace"].contains(&field) || more.contains(&field)
    };
    let mut terms = selector.split(',').filter(|term| !term.is_empty());
    let unknown = terms.find(|term| !known(term))?;
    let message = format!("field label not supported: {unknown}");
    Some(Answer::status(400, "BadRequest", &message, None))
}

/// Whether an object has the fields of a selector; one that it lacks is empty.
fn has_fields(object: &Value, selector: &str) -> bool {
    let mut terms = selector.split(',').filter_map(|term| term.split_once('='));
    terms.all(|(field, value)| {
        let (field, is_equal) = match field.strip_suffix('!') {
            Some(field) => (field, false),
            None => (field, true),
        };
        let pointer = format!("/{}", field.replace('.', "/"));
        let found = object.pointer(&pointer).and_then(Value::as_str);
        (found.unwrap_or_default() == value.trim_start_matches('=')) == is_equal
    })
}

/// JSON pointers of all leaves; a list is one leaf, as an atomic one. Identity and versions belong
/// to nobody.
fn leaves(value: &Value, at: String, found: &mut BTreeSet<String>) {
    const NOBODYS: &[&str] = &[
        "/metadata/name",
        "/metadata/namespace",
        "/apiVersion",
        "/kind",
    ];
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            for (name, value) in fields {
                let name = name.replace('~', "~0").replace('/', "~1");
                leaves(value, format!("{at}/{name}"), found);
            }
        }
        _ if NOBODYS.contains(&at.as_str()) => {}
        _ => {
            found.insert(at);
        }
    }
}

fn conflicts(
    object: &Value,
    wanted: &Value,
    fields: &BTreeSet<String>,
    owned: &BTreeMap<String, BTreeSet<String>>,
    manager: &str,
) -> Vec<Value> {
    let mut found = Vec::new();
    for (other, theirs) in owned.iter().filter(|(other, _)| *other != manager) {
        for field in fields.intersection(theirs) {
            if object.pointer(field) != wanted.pointer(field) {
                let dotted = field.replace('/', ".").replace("~1", "/");
                found.push(json!({"reason": "FieldManagerConflict", "field": dotted,
                    "message": format!("conflict with \"{other}\": {dotted}")}));
            }
        }
    }
    found
}

/// RFC 7386.
pub fn merge(into: &mut Value, patch: &Value) {
    let Value::Object(changes) = patch else {
        *into = patch.clone();
        return;
    };
    if !into.is_object() {
        *into = Value::Object(Map::new());
    }
    if let Value::Object(fields) = into {
        for (name, value) in changes {
            if value.is_null() {
                fields.remove(name);
            } else {
                merge(fields.entry(name.clone()).or_insert(Value::Null), value);
            }
        }
    }
}

fn remove(object: &mut Value, field: &str) {
    if let Some((parent, name)) = field.rsplit_once('/')
        && let Some(Value::Object(fields)) = object.pointer_mut(parent)
    {
        fields.remove(&name.replace("~1", "/").replace("~0", "~"));
    }
}
