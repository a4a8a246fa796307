//! Merging an entry into a kubeconfig, and taking it out. Pure: data in, data out.
//!
//! - Everything that is not ours stays as it is, in its order, unknown fields included.
//! - In our cluster entry `server` is ours while it is what we wrote (the entry's extension
//!   `kube-cfn` says what that was). A server that the user changed stays as long as the authority
//!   is the same; with another authority it is another cluster, and the new server is written.
//! - A server that the user asked for by name (a tunnel) is written whatever was edited, and
//!   `tls-server-name` with it; what we wrote there goes again with the next server of ours.
//! - `insecure-skip-tls-verify: true` stays; kubectl takes no authority beside it.
//! - In our user entry the ways to log in are ours; `env` of the exec entry is added to.
//! - In our context entry `cluster` and `user` are ours; `namespace` and the rest are the user's.
//! - The user and context of somebody else are named `CLUSTER-USER`; an extension `kube-cfn` in both says whose.
//! - An entry of our name that we did not write is refused, never replaced.

use serde_json::{Map, Value, json};

use super::entry::{Entry, MARKER, SERVER_NAME};
use super::error::Problem;

const AUTHORITY: &str = "certificate-authority-data";
const INSECURE: &str = "insecure-skip-tls-verify";

/// Fields of a user entry that say how to log in: kubectl refuses several of them at once.
const LOGIN_FIELDS: [&str; 10] = [
    "client-certificate",
    "client-certificate-data",
    "client-key",
    "client-key-data",
    "token",
    "tokenFile",
    "username",
    "password",
    "auth-provider",
    "exec",
];

/// The three lists of a kubeconfig: key of the list, key of the content of an item.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Cluster,
    User,
    Context,
}

impl Kind {
    const ALL: [Self; 3] = [Self::Cluster, Self::User, Self::Context];

    fn list(self) -> &'static str {
        match self {
            Self::Cluster => "clusters",
            Self::User => "users",
            Self::Context => "contexts",
        }
    }

    /// Also its word in kubectl's commands.
    fn content(self) -> &'static str {
        match self {
            Self::Cluster => "cluster",
            Self::User => "user",
            Self::Context => "context",
        }
    }
}

/// What a merge found.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Merged {
    pub created: bool,
    pub kept: Vec<String>,
}

/// Whether the cluster of `entry`, or its user or context, is there.
pub(super) fn holds(document: &Value, entry: &Entry) -> bool {
    let (name, context) = (entry.cluster.as_str(), entry.context());
    !kinds_of(document, name).is_empty() || !kinds_of(document, &context).is_empty()
}

/// The lists that have an entry of that name.
fn kinds_of(document: &Value, name: &str) -> Vec<Kind> {
    let mut kinds = Kind::ALL.to_vec();
    kinds.retain(|kind| find(document, *kind, name).is_some());
    kinds
}

/// Whether kube-cfn wrote the cluster `name` for the cluster of `origin`.
fn is_ours(document: &Value, name: &str, origin: &str) -> bool {
    find(document, Kind::Cluster, name)
        .and_then(|cluster| marked(cluster, "origin"))
        .is_some_and(|found| found == origin)
}

/// The names of what kube-cfn wrote for the cluster `name` of `origin`: its own, and those of the contexts and
/// users of other persons.
pub(super) fn own_names(document: &Value, name: &str, origin: &str) -> Vec<String> {
    let mut names = Vec::new();
    if is_ours(document, name, origin) {
        names.push(name.to_owned());
    }
    for kind in [Kind::User, Kind::Context] {
        let items = document.get(kind.list()).and_then(Value::as_array);
        for item in items.into_iter().flatten() {
            let of = |field: &str| {
                item.get(kind.content())
                    .and_then(|content| marked(content, field))
            };
            let found = item.get("name").and_then(Value::as_str);
            if of("cluster") == Some(name) && of("origin") == Some(origin) {
                names.extend(found.map(str::to_owned));
            }
        }
    }
    names.sort();
    names.dedup();
    names
}

/// The client certificate of the user `name`, as it stands there in base64.
pub(super) fn client_certificate<'a>(document: &'a Value, name: &str) -> Option<&'a str> {
    find(document, Kind::User, name)?
        .get("client-certificate-data")?
        .as_str()
}

/// The current context, if there is one.
pub(super) fn current(document: &Value) -> Option<&str> {
    let context = document.get("current-context")?.as_str()?;
    (!context.is_empty()).then_some(context)
}

pub(super) fn set_current(document: &mut Value, context: &str) {
    if let Value::Object(fields) = document {
        fields.insert("current-context".to_owned(), context.into());
    }
}

/// Puts `entry` in, beside or in place of what was there.
pub(super) fn merge(document: &mut Value, entry: &Entry) -> Result<Merged, Problem> {
    let (cluster, name) = (entry.cluster.as_str(), entry.context());
    let name = name.as_str();
    check_owner(document, entry)?;
    let created = find(document, Kind::Context, name).is_none();
    let mut kept = Vec::new();
    merge_cluster(content(document, Kind::Cluster, cluster)?, entry, &mut kept);
    let user = content(document, Kind::User, name)?;
    merge_user(user, entry);
    mark_person(user, entry);
    let context = content(document, Kind::Context, name)?;
    context.insert("cluster".to_owned(), cluster.into());
    context.insert("user".to_owned(), name.into());
    mark_person(context, entry);
    match (
        context.get("namespace").and_then(Value::as_str),
        &entry.namespace,
    ) {
        (Some(namespace), _) => kept.push(format!("namespace {namespace}")),
        (None, Some(namespace)) => {
            context.insert("namespace".to_owned(), namespace.as_str().into());
        }
        (None, None) => {}
    }
    Ok(Merged { created, kept })
}

fn mark_person(content: &mut Map<String, Value>, entry: &Entry) {
    if let Some(person) = &entry.person {
        mark(content, entry.person_marker(person));
    }
}

/// Takes out what is named `name` of the entries for `cluster`. The names of other persons have a user and a
/// context alone: a cluster of such a name is another one.
pub(super) fn remove(document: &mut Value, cluster: &str, name: &str) {
    for kind in Kind::ALL {
        if kind == Kind::Cluster && name != cluster {
            continue;
        }
        if let Some(Value::Array(items)) = document.get_mut(kind.list()) {
            items.retain(|item| item.get("name").and_then(Value::as_str) != Some(name));
        }
    }
}

/// An error if an entry that would be written is somebody else's.
fn check_owner(document: &Value, entry: &Entry) -> Result<(), Problem> {
    let name = entry.cluster.as_str();
    let foreign = |name: &str, owner: String| {
        let kinds = kinds_of(document, name)
            .into_iter()
            .map(Kind::content)
            .collect();
        Problem::Foreign {
            name: name.to_owned(),
            kinds,
            owner,
        }
    };
    let unknown = || "something that kube-cfn did not write".to_owned();
    match find(document, Kind::Cluster, name) {
        None if kinds_of(document, name).is_empty() => {}
        None => return Err(foreign(name, unknown())),
        Some(cluster) => match marked(cluster, "origin") {
            Some(origin) if origin == entry.origin => {}
            Some(origin) => {
                let owner = format!("the cluster of that name in {origin}");
                return Err(foreign(name, owner));
            }
            // The mark may be lost; the authority still tells that it is the same cluster.
            None if authority(cluster) == Some(&entry.authority_data()) => {}
            None => return Err(foreign(name, unknown())),
        },
    }
    check_person(document, entry).map_err(|owner| foreign(&entry.context(), owner))
}

/// Whose the user or context of `entry` is, if it is not theirs.
fn check_person(document: &Value, entry: &Entry) -> Result<(), String> {
    let name = entry.context();
    for kind in [Kind::User, Kind::Context] {
        let Some(found) = find(document, kind, &name) else {
            continue;
        };
        let there = ["user", "cluster", "origin"].map(|field| marked(found, field));
        match (&entry.person, there) {
            // The owner's have no mark.
            (None, [None, ..]) => {}
            (Some(person), [Some(user), Some(cluster), Some(origin)])
                if (user, cluster, origin) == (person, &entry.cluster, &entry.origin) => {}
            (_, [Some(user), cluster, _]) => {
                let cluster = cluster.unwrap_or_default();
                return Err(format!("the user `{user}` of the cluster `{cluster}`"));
            }
            (Some(_), [None, ..]) => {
                return Err(format!("somebody else than {}", person_of(entry)));
            }
        }
    }
    Ok(())
}

fn person_of(entry: &Entry) -> String {
    let person = entry.person.as_deref().unwrap_or_default();
    format!("the user `{person}` of the cluster `{}`", entry.cluster)
}

fn merge_cluster(cluster: &mut Map<String, Value>, entry: &Entry, kept: &mut Vec<String>) {
    let there = Value::Object(cluster.clone());
    let server = there.get("server").and_then(Value::as_str);
    let same_authority = authority(&there) == Some(&entry.authority_data());
    let insecure = there.get(INSECURE) == Some(&Value::Bool(true));
    let edited = server.is_some() && server != marked(&there, "server");
    match server {
        Some(server)
            if edited
                && (same_authority || insecure)
                && entry.server_name.is_none()
                && server != entry.server =>
        {
            kept.push(format!("server {server}"));
        }
        _ => {
            cluster.insert("server".to_owned(), entry.server.as_str().into());
            merge_server_name(cluster, entry);
        }
    }
    if insecure {
        cluster.shift_remove(AUTHORITY);
        kept.push(format!("{INSECURE} true"));
    } else {
        cluster.insert(AUTHORITY.to_owned(), entry.authority_data().into());
    }
    for field in ["proxy-url", SERVER_NAME] {
        let here = cluster.get(field).filter(|_| there.get(field).is_some());
        let ours = entry
            .server_name
            .as_deref()
            .filter(|_| field == SERVER_NAME);
        if let Some(value) = here
            .and_then(Value::as_str)
            .filter(|value| Some(*value) != ours)
        {
            kept.push(format!("{field} {value}"));
        }
    }
    mark(cluster, entry.marker());
}

/// The name that belongs to the server of `entry`; one that we wrote for another server goes.
fn merge_server_name(cluster: &mut Map<String, Value>, entry: &Entry) {
    let there = Value::Object(cluster.clone());
    let name = there.get(SERVER_NAME).and_then(Value::as_str);
    if let Some(wanted) = &entry.server_name {
        cluster.insert(SERVER_NAME.to_owned(), wanted.as_str().into());
    } else if name.is_some() && name == marked(&there, SERVER_NAME) {
        cluster.shift_remove(SERVER_NAME);
    }
}

fn merge_user(user: &mut Map<String, Value>, entry: &Entry) {
    let env_there = user
        .get("exec")
        .and_then(|exec| exec.get("env"))
        .and_then(Value::as_array)
        .cloned()
        .unwrap_or_default();
    user.retain(|field, _| !LOGIN_FIELDS.contains(&field.as_str()));
    user.extend(entry.login.fields());
    if let Some(Value::Array(env)) = user.get_mut("exec").and_then(|exec| exec.get_mut("env")) {
        let ours: Vec<_> = env
            .iter()
            .map(|variable| variable.get("name").cloned())
            .collect();
        let theirs = env_there
            .into_iter()
            .filter(|variable| !ours.contains(&variable.get("name").cloned()));
        env.extend(theirs);
    }
}

fn mark(content: &mut Map<String, Value>, marker: Value) {
    let extensions = content.entry("extensions").or_insert_with(|| json!([]));
    if !extensions.is_array() {
        *extensions = json!([]);
    }
    if let Value::Array(items) = extensions {
        let is_mark = |item: &Value| item.get("name").and_then(Value::as_str) == Some(MARKER);
        match items.iter_mut().find(|item| is_mark(item)) {
            Some(item) => *item = marker,
            None => items.push(marker),
        }
    }
}

/// What our mark in an entry says of `field`.
fn marked<'a>(content: &'a Value, field: &str) -> Option<&'a str> {
    let extensions = content.get("extensions")?.as_array()?;
    let mark = extensions
        .iter()
        .find(|item| item.get("name").and_then(Value::as_str) == Some(MARKER))?;
    mark.get("extension")?.get(field)?.as_str()
}

fn authority(cluster: &Value) -> Option<&str> {
    cluster.get(AUTHORITY)?.as_str()
}

/// The content of an item, to read.
fn find<'a>(document: &'a Value, kind: Kind, name: &str) -> Option<&'a Value> {
    let items = document.get(kind.list())?.as_array()?;
    items
        .iter()
        .find(|item| item.get("name").and_then(Value::as_str) == Some(name))
        .map(|item| item.get(kind.content()).unwrap_or(&Value::Null))
}

/// The content of an item, to change; made at the end of its list if there is none.
fn content<'a>(
    document: &'a mut Value,
    kind: Kind,
    name: &str,
) -> Result<&'a mut Map<String, Value>, Problem> {
    let fields = document.as_object_mut().ok_or(Problem::NotAMapping)?;
    let list = fields.entry(kind.list()).or_insert(Value::Null);
    if list.is_null() {
        *list = json!([]);
    }
    let wrong = Problem::NotAList(kind.list());
    let items = list.as_array_mut().ok_or(wrong.clone())?;
    let is_named = |item: &Value| item.get("name").and_then(Value::as_str) == Some(name);
    let index = items.iter().position(is_named).unwrap_or(items.len());
    if index == items.len() {
        items.push(json!({"name": name}));
    }
    let item = items
        .get_mut(index)
        .and_then(Value::as_object_mut)
        .ok_or(wrong.clone())?;
    let inner = item.entry(kind.content()).or_insert(Value::Null);
    if inner.is_null() {
        *inner = json!({});
    }
    inner.as_object_mut().ok_or(wrong)
}
