//! HTTP over TLS as far as the tests need it, and the mapping of paths to objects.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt, StreamBody};
use hyper::body::{Bytes, Frame};
use serde_json::{Value, json};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;

use super::State;
use super::discovery;
use super::pod_security;
use super::rights::{self, Verb, Who};
use super::server::{self, Body, Response, listen, whole};
use super::store::{Answer, Patch, Store};
use super::traffic::Treatment;
use super::validation;

/// A request with what its path says.
pub struct Request {
    pub method: String,
    pub path: String,
    pub query: BTreeMap<String, String>,
    pub kind: String,
    /// What comes after `Bearer` in the header for it.
    pub token: Option<String>,
    pub body: Vec<u8>,
}

/// What a path names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// `api/v1/nodes`, `apis/apps/v1/deployments`.
    pub collection: String,
    pub group: String,
    pub resource: String,
    pub namespace: Option<String>,
    pub name: Option<String>,
    pub sub: Option<String>,
}

impl Place {
    /// `v1`, `apps/v1`.
    pub fn version(&self) -> &str {
        let root = self
            .collection
            .rsplit_once('/')
            .map_or("", |(root, _)| root);
        let version = root.strip_prefix("apis/").or(root.strip_prefix("api/"));
        version.unwrap_or_default()
    }
}

/// Starts serving on a free port of loopback.
pub fn serve(tls: ServerConfig, state: Arc<State>) -> SocketAddr {
    let acceptor = TlsAcceptor::from(Arc::new(tls));
    listen(move |stream| {
        let (acceptor, state) = (acceptor.clone(), state.clone());
        async move {
            // A client that hangs up, or does not like the certificate, is its own affair.
            let Ok(stream) = acceptor.accept(stream).await else {
                return;
            };
            let who = Who::of(stream.get_ref().1.peer_certificates());
            server::connection(stream, async move |request| {
                let request = Request::of(request);
                let known = who.or_by_token(&request, &tokens(&state));
                let treatment = state.traffic.lock().unwrap().next(&request);
                match treatment {
                    Treatment::Answer => Some(respond(&request, &known, &state)),
                    Treatment::HangUp => None,
                    Treatment::LoseAnswer => {
                        respond(&request, &known, &state);
                        None
                    }
                    Treatment::Silence => std::future::pending().await,
                }
            })
            .await;
        }
    })
}

/// The bootstrap tokens that are valid: those of a test, and those of Secrets.
fn tokens(state: &State) -> Vec<String> {
    let mut known = state.tokens.lock().unwrap().clone();
    let secrets = state.store().of("api/v1/secrets");
    known.extend(secrets.iter().filter_map(rights::bootstrap_token));
    known
}

fn respond(request: &Request, who: &Who, state: &Arc<State>) -> Response {
    let place = place(&request.path);
    let watched = place
        .as_ref()
        .filter(|_| request.query.contains_key("watch"));
    if let Some(place) = watched {
        return watch(request, place, who, state);
    }
    let answer = answer(request, place, who, state);
    response(answer.code, answer.kind(), whole(answer.text()))
}

fn response(code: u16, kind: &str, body: Body) -> Response {
    let builder = http::Response::builder().status(code);
    builder.header("content-type", kind).body(body).unwrap()
}

impl Request {
    fn of(request: server::Request) -> Self {
        let (head, body) = request.into_parts();
        let kind = head.headers.get("content-type");
        let token = head.headers.get("authorization");
        let token = token.and_then(|text| text.to_str().unwrap().strip_prefix("Bearer "));
        let query = head.uri.query().unwrap_or_default();
        Self {
            method: head.method.to_string(),
            path: decoded(head.uri.path()),
            query: form_urlencoded::parse(query.as_bytes())
                .into_owned()
                .collect(),
            kind: kind.map_or_else(String::new, |kind| kind.to_str().unwrap().to_owned()),
            token: token.map(str::to_owned),
            body,
        }
    }
}

/// A path, where `&`, `=` and `+` mean themselves.
fn decoded(path: &str) -> String {
    let path = path.replace('&', "%26").replace('=', "%3D");
    let path = path.replace('+', "%2B");
    let mut pairs = form_urlencoded::parse(path.as_bytes());
    pairs
        .next()
        .map_or_else(String::new, |(path, _)| path.into_owned())
}

fn place(path: &str) -> Option<Place> {
    let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    let (root, group, rest) = match parts.as_slice() {
        ["api", version, rest @ ..] => (format!("api/{version}"), "", rest),
        ["apis", group, version, rest @ ..] => (format!("apis/{group}/{version}"), *group, rest),
        _ => return None,
    };
    let (namespace, rest) = match rest {
        ["namespaces", namespace, rest @ ..] if !rest.is_empty() => (Some(*namespace), rest),
        rest => (None, rest),
    };
    let mut rest = rest.iter().map(ToString::to_string);
    let resource = rest.next()?;
    Some(Place {
        collection: format!("{root}/{resource}"),
        group: group.to_owned(),
        resource,
        namespace: namespace.map(str::to_owned),
        name: rest.next(),
        sub: rest.next(),
    })
}

fn answer(request: &Request, place: Option<Place>, who: &Who, state: &State) -> Answer {
    let health = ["/readyz", "/livez", "/healthz"].contains(&request.path.as_str());
    if health {
        return readyz(&state.failing.lock().unwrap());
    }
    if who.is_nobody() {
        return Answer::status(401, "Unauthorized", "Unauthorized", None);
    }
    if request.path == "/version" {
        let version = json!({"major": "1", "minor": "36", "gitVersion": "v1.36.2", "gitCommit": "",
            "gitTreeState": "", "buildDate": "", "goVersion": "", "compiler": "", "platform": ""});
        return Answer::of(200, version);
    }
    if let Some(found) = discovery::answer(&request.path) {
        return found;
    }
    let Some(place) = place else {
        return Answer::status(
            404,
            "NotFound",
            "the server could not find the requested resource",
            None,
        );
    };
    if place.resource == "selfsubjectreviews" {
        return Answer::of(201, who.review());
    }
    let verb = Verb::of(request, &place);
    if let Some(refused) = rights::refused(who, verb, &place, &state.store()) {
        return refused;
    }
    if state
        .traffic
        .lock()
        .unwrap()
        .is_denied(verb.as_str(), &place.resource)
    {
        return rights::forbidden(who, verb, &place);
    }
    let traffic = state.traffic.lock().unwrap();
    let webhook = traffic.webhook(verb.as_str(), &place.resource);
    drop(traffic);
    if let Some(webhook) = webhook {
        let reason = if webhook.code == 403 {
            "Forbidden"
        } else {
            "BadRequest"
        };
        return Answer::status(webhook.code, reason, &webhook.message(), None);
    }
    state.controllers.lock().unwrap().step(&mut state.store());
    objects(request, &place, who, state)
}

/// What the admission plugins say of an object.
fn admission(place: &Place, object: &Value, store: &Store, state: &State) -> Option<Answer> {
    let default = state.pod_security.lock().unwrap();
    pod_security::refused(place, object, &default, store)
}

/// Only of a POST: nothing here dry-runs anything else.
fn is_dry_run(request: &Request) -> bool {
    let asked = request.query.get("dryRun").is_some_and(|how| how == "All");
    assert!(
        !asked || request.method == "POST",
        "a dry run of {}",
        request.method
    );
    asked
}

fn objects(request: &Request, place: &Place, who: &Who, state: &State) -> Answer {
    is_dry_run(request);
    let mut store = state.store();
    let body = || serde_json::from_slice::<Value>(&request.body);
    let manager = request
        .query
        .get("fieldManager")
        .map_or("unknown", String::as_str);
    match (request.method.as_str(), place.sub.as_deref()) {
        ("GET", None) if place.name.is_none() => store.list(place, &request.query),
        ("GET", Some("scale")) => store.scale(place),
        ("GET", _) => {
            state.signer.work(&mut store);
            store.get(place)
        }
        ("DELETE", None) => {
            let mut options = body().unwrap_or_default();
            for name in ["gracePeriodSeconds", "propagationPolicy"] {
                if let Some(given) = request.query.get(name) {
                    options[name] = serde_json::from_str(given).unwrap_or_else(|_| json!(given));
                }
            }
            store.delete(place, &options)
        }
        ("POST", Some("eviction")) if place.resource == "pods" => match body() {
            Ok(eviction) => store.evict(place, &eviction, is_dry_run(request)),
            Err(error) => Answer::status(400, "BadRequest", &error.to_string(), None),
        },
        ("POST", None) => match body() {
            Ok(object) => {
                let refused = validation::unknown_field(request, place, &object)
                    .or_else(|| validation::created(place, &object))
                    .or_else(|| validation::reclaim_policy(place, &object))
                    .or_else(|| super::signer::refused(place, &object))
                    .or_else(|| admission(place, &object, &store, state));
                if let Some(refused) = refused {
                    return refused;
                }
                if is_dry_run(request) {
                    return Answer::of(201, object);
                }
                store.create(place, object, manager, who)
            }
            Err(error) => Answer::status(400, "BadRequest", &error.to_string(), None),
        },
        ("PUT", Some("scale")) => match body() {
            Ok(scale) => store.rescale(place, &scale),
            Err(error) => Answer::status(400, "BadRequest", &error.to_string(), None),
        },
        ("PUT", _) => match body() {
            Ok(object) => {
                let refused = validation::replaced(place, &object)
                    .or_else(|| super::signer::decided(place, &object));
                refused.unwrap_or_else(|| store.replace(place, &object, manager))
            }
            Err(error) => Answer::status(400, "BadRequest", &error.to_string(), None),
        },
        ("PATCH", sub) => {
            let how = match request.kind.as_str() {
                "application/apply-patch+yaml" => Patch::Apply {
                    force: request
                        .query
                        .get("force")
                        .is_some_and(|force| force == "true"),
                },
                "application/merge-patch+json" => Patch::Merge,
                other => {
                    let text = format!("the body of the request was in an unknown format {other}");
                    return Answer::status(415, "UnsupportedMediaType", &text, None);
                }
            };
            if let Some(refused) = validation::patch_options(request, how) {
                return refused;
            }
            match body() {
                Ok(patch) if sub == Some("scale") => store.rescale(place, &patch),
                Ok(patch) => {
                    let applied = matches!(how, Patch::Apply { .. });
                    let refused = validation::unknown_field(request, place, &patch)
                        .or_else(|| validation::reclaim_policy(place, &patch))
                        .or_else(|| validation::applied(place, &patch).filter(|_| applied))
                        .or_else(|| admission(place, &patch, &store, state));
                    if let Some(refused) = refused {
                        return refused;
                    }
                    let sub = sub.map(str::to_owned);
                    store.patch(place, sub.as_deref(), patch, how, manager)
                }
                Err(error) => Answer::status(400, "BadRequest", &error.to_string(), None),
            }
        }
        _ => Answer::status(
            405,
            "MethodNotAllowed",
            "the server does not allow this method",
            None,
        ),
    }
}

fn readyz(failing: &[String]) -> Answer {
    let checks = ["ping", "log", "etcd", "etcd-readiness", "informer-sync"];
    let fails = |check: &str| failing.iter().any(|name| name == check);
    let text: Vec<String> = checks
        .iter()
        .map(|check| {
            if fails(check) {
                format!("[-]{check} failed: reason withheld\n")
            } else {
                format!("[+]{check} ok\n")
            }
        })
        .collect();
    let text = text.concat();
    let code = if failing.is_empty() { 200 } else { 500 };
    let verdict = if failing.is_empty() {
        "passed"
    } else {
        "failed"
    };
    Answer::plain(code, format!("{text}readyz check {verdict}\n"))
}

/// Streams what changed since `resourceVersion`, and then what changes, until the time asked for is
/// over.
fn watch(request: &Request, place: &Place, who: &Who, state: &Arc<State>) -> Response {
    let refused = rights::refused(who, Verb::Watch, place, &state.store());
    if let Some(refused) = refused {
        return response(403, "application/json", whole(refused.text()));
    }
    let seconds = request.query.get("timeoutSeconds");
    let seconds = seconds.and_then(|text| text.parse().ok()).unwrap_or(30);
    let end = tokio::time::Instant::now() + Duration::from_secs(seconds);
    let watching = Watching {
        place: place.clone(),
        query: request.query.clone(),
        since: request.query.get("resourceVersion").cloned(),
        end,
        state: state.clone(),
    };
    let chunks = futures::stream::unfold(Some(watching), async |watching| {
        let (text, watching) = watching?.next().await?;
        Some((Ok(Frame::data(Bytes::from(text))), watching))
    });
    response(
        200,
        "application/json",
        StreamBody::new(chunks).boxed_unsync(),
    )
}

struct Watching {
    place: Place,
    query: BTreeMap<String, String>,
    since: Option<String>,
    end: tokio::time::Instant,
    state: Arc<State>,
}

impl Watching {
    /// The next events, one a line, and what is watched after them: nothing after an error.
    async fn next(mut self) -> Option<(String, Option<Self>)> {
        while tokio::time::Instant::now() < self.end {
            let since = self.since.as_deref();
            let (events, seen) = self.state.store().since(&self.place, &self.query, since);
            self.since = Some(seen);
            if !events.is_empty() {
                let failed = events.iter().any(|event| event["type"] == "ERROR");
                let lines = events.iter().map(|event| format!("{event}\n"));
                return Some((lines.collect(), (!failed).then_some(self)));
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        None
    }
}
