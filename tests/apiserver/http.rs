//! HTTP/1.1 over TLS as far as the tests' clients need it, and the mapping of paths to objects.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::server::TlsStream;

use super::State;
use super::rights::{self, Verb, Who};
use super::store::{Answer, Patch};
use super::validation;

/// A request with what its path says.
pub struct Request {
    pub method: String,
    pub path: String,
    pub query: BTreeMap<String, String>,
    pub kind: String,
    pub body: Vec<u8>,
}

/// What a path names.
#[derive(Debug, PartialEq, Eq)]
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

/// Starts serving on a free port of loopback, on a thread of its own.
pub fn serve(tls: ServerConfig, state: Arc<State>) -> SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async move {
            let listener = TcpListener::from_std(listener).unwrap();
            let acceptor = TlsAcceptor::from(Arc::new(tls));
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, state) = (acceptor.clone(), state.clone());
                tokio::spawn(async move {
                    // A client that hangs up, or does not like the certificate, is its own affair.
                    if let Ok(stream) = acceptor.accept(stream).await {
                        let _ = connection(stream, &state).await;
                    }
                });
            }
        });
    });
    address
}

async fn connection(stream: TlsStream<TcpStream>, state: &State) -> std::io::Result<()> {
    let who = Who::of(stream.get_ref().1.peer_certificates());
    let mut stream = BufReader::new(stream);
    while let Some(request) = read(&mut stream).await? {
        let place = place(&request.path);
        if let Some(place) = place
            .as_ref()
            .filter(|_| request.query.contains_key("watch"))
        {
            return watch(stream.get_mut(), &request, place, &who, state).await;
        }
        let answer = answer(&request, place, &who, state);
        let text = answer.text();
        let head = format!(
            "HTTP/1.1 {} x\r\nContent-Type: {}\r\nContent-Length: {}\r\n\r\n",
            answer.code,
            answer.kind(),
            text.len()
        );
        let stream = stream.get_mut();
        stream.write_all(head.as_bytes()).await?;
        stream.write_all(text.as_bytes()).await?;
        stream.flush().await?;
    }
    Ok(())
}

async fn read(stream: &mut BufReader<TlsStream<TcpStream>>) -> std::io::Result<Option<Request>> {
    let mut line = String::new();
    if stream.read_line(&mut line).await? == 0 {
        return Ok(None);
    }
    let mut words = line.split_whitespace();
    let (method, target) = (words.next(), words.next());
    let (method, target) = (method.unwrap_or_default(), target.unwrap_or_default());
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let mut request = Request {
        method: method.to_owned(),
        path: decoded(path),
        query: query
            .split('&')
            .filter_map(|pair| pair.split_once('=').or(Some((pair, ""))))
            .map(|(key, value)| (decoded(key), decoded(value)))
            .collect(),
        kind: String::new(),
        body: Vec::new(),
    };
    let mut length = 0;
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await?;
        let Some((name, value)) = line.trim_end().split_once(':') else {
            break;
        };
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.trim().parse().unwrap_or(0),
            "content-type" => value.trim().clone_into(&mut request.kind),
            _ => {}
        }
    }
    request.body.resize(length, 0);
    stream.read_exact(&mut request.body).await?;
    Ok(Some(request))
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'%' => {
                let hex: Vec<u8> = rest.by_ref().take(2).collect();
                let hex = String::from_utf8(hex).unwrap_or_default();
                bytes.push(u8::from_str_radix(&hex, 16).unwrap_or(b'?'));
            }
            b'+' => bytes.push(b' '),
            byte => bytes.push(byte),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
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
    objects(request, &place, who, state)
}

fn objects(request: &Request, place: &Place, who: &Who, state: &State) -> Answer {
    let mut store = state.store();
    let body = || serde_json::from_slice::<Value>(&request.body);
    let manager = request
        .query
        .get("fieldManager")
        .map_or("unknown", String::as_str);
    match (request.method.as_str(), place.sub.as_deref()) {
        ("GET", None) if place.name.is_none() => store.list(place, &request.query),
        ("GET", _) => {
            state.signer.work(&mut store);
            store.get(place)
        }
        ("DELETE", None) => store.delete(place),
        ("POST", None) => match body() {
            Ok(object) => {
                let refused = validation::unknown_field(request, place, &object)
                    .or_else(|| validation::created(place, &object))
                    .or_else(|| super::signer::refused(place, &object));
                if let Some(refused) = refused {
                    return refused;
                }
                store.create(place, object, manager, &who.user)
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
                Ok(patch) => {
                    let applied = matches!(how, Patch::Apply { .. });
                    let refused = validation::unknown_field(request, place, &patch)
                        .or_else(|| validation::applied(place, &patch).filter(|_| applied));
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
async fn watch(
    stream: &mut TlsStream<TcpStream>,
    request: &Request,
    place: &Place,
    who: &Who,
    state: &State,
) -> std::io::Result<()> {
    let refused = rights::refused(who, Verb::Watch, place, &state.store());
    let code = if refused.is_some() { 403 } else { 200 };
    let head = format!(
        "HTTP/1.1 {code} x\r\nContent-Type: application/json\r\nConnection: close\r\n\
         Transfer-Encoding: chunked\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await?;
    if let Some(refused) = refused {
        chunk(stream, &refused.text()).await?;
        return stream.write_all(b"0\r\n\r\n").await;
    }
    let seconds = request.query.get("timeoutSeconds");
    let seconds = seconds.and_then(|text| text.parse().ok()).unwrap_or(30);
    let end = tokio::time::Instant::now() + Duration::from_secs(seconds);
    let mut since = request.query.get("resourceVersion").cloned();
    while tokio::time::Instant::now() < end {
        let (events, seen) = state.store().since(place, &request.query, since.as_deref());
        for event in &events {
            chunk(stream, &format!("{event}\n")).await?;
        }
        stream.flush().await?;
        if events.iter().any(|event| event["type"] == "ERROR") {
            break;
        }
        since = Some(seen);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    stream.write_all(b"0\r\n\r\n").await?;
    stream.flush().await
}

async fn chunk(stream: &mut TlsStream<TcpStream>, text: &str) -> std::io::Result<()> {
    let framed = format!("{:x}\r\n{text}\r\n", text.len());
    stream.write_all(framed.as_bytes()).await
}
