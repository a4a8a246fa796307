//! The connection to one cluster's API, made from what is in memory alone: no kubeconfig, no
//! environment, no file.

use std::fmt;
use std::time::Duration;

use ::kube::api::{ListParams, ObjectList, PostParams};
use ::kube::{Api as Typed, Client, Config, Resource};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use k8s_openapi::api::authentication::v1::SelfSubjectReview;
use k8s_openapi::api::core::v1 as core;
use secrecy::{ExposeSecret, SecretString};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{Health, KubeError, Node, Pod};

/// The longest that a connection may take to stand.
const CONNECT: Duration = Duration::from_secs(5);
/// The longest that an answer may take; the API server gives up its own requests after 60 s.
const ANSWER: Duration = Duration::from_secs(20);
/// Objects asked for at once; the rest comes page by page.
const PAGE: u32 = 500;

/// Where a cluster's API is, who it is and who asks.
#[derive(Clone)]
pub struct Connection {
    /// `https://host:port`.
    pub server: String,
    /// The name that the server's certificate must carry where it is not the one in `server`: the
    /// API is reached through a tunnel then.
    pub server_name: Option<String>,
    /// The only authority that is trusted, as PEM.
    pub authority_pem: String,
    /// `None` asks as nobody: such a client sees the health only.
    pub login: Option<ClientLogin>,
}

/// A client certificate with its key, both PEM.
#[derive(Clone)]
pub struct ClientLogin {
    pub certificate_pem: String,
    pub key: SecretString,
}

/// Who the API takes us for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    pub user: String,
    pub groups: Vec<String>,
}

/// A cluster's API.
#[derive(Clone)]
pub struct Api {
    server: String,
    client: Client,
    known: bool,
}

impl Api {
    /// Prepares the connection; nothing is sent yet. Must be called inside a runtime.
    pub fn connect(connection: &Connection) -> Result<Self, KubeError> {
        let address = connection.server.parse().map_err(|error| {
            KubeError::Setup(format!("`{}` is no address ({error})", connection.server))
        })?;
        let mut config = Config::new(address);
        config.root_cert = Some(super::serving::certificates(&connection.authority_pem)?);
        config.tls_server_name.clone_from(&connection.server_name);
        config.connect_timeout = Some(CONNECT);
        config.read_timeout = Some(ANSWER);
        config.reset_reader_on_write = true;
        // The caller decides what is retried.
        config.default_retry = false;
        if let Some(login) = &connection.login {
            config.auth_info.client_certificate_data =
                Some(STANDARD.encode(&login.certificate_pem));
            config.auth_info.client_key_data =
                Some(STANDARD.encode(login.key.expose_secret()).into());
        }
        let failed = |error: ::kube::Error| KubeError::Setup(super::error::chain(&error));
        Ok(Self {
            server: connection.server.clone(),
            client: Client::try_from(config).map_err(failed)?,
            known: connection.login.is_some(),
        })
    }

    /// Where it is.
    pub fn server(&self) -> &str {
        &self.server
    }

    /// Whether requests carry a credential.
    pub fn is_known(&self) -> bool {
        self.known
    }

    /// `/readyz?verbose`: what an API server says of its checks. Anything that is not such a list, a proxy's page or
    /// nothing, is no answer, whatever its status.
    pub async fn health(&self) -> Result<Health, KubeError> {
        let request = http::Request::get("/readyz?verbose").body(Vec::new());
        let request = request.map_err(|error| KubeError::Setup(error.to_string()))?;
        let answer = self.client.send(request.map(Into::into)).await;
        let answer = answer.map_err(|error| self.failed(error))?;
        let code = answer.status().as_u16();
        let body = answer.into_body().collect_bytes().await;
        let body = body.map_err(|error| self.failed(error))?;
        let text = String::from_utf8_lossy(&body);
        match code {
            401 | 403 => Err(KubeError::of_status(code, &text)),
            _ => Health::read(code, &text).ok_or_else(|| {
                let says = format!("HTTP {code} without the checks of /readyz");
                KubeError::Answer(says)
            }),
        }
    }

    /// The version of the API server, `v1.36.2`.
    pub async fn version(&self) -> Result<String, KubeError> {
        let info = self.client.apiserver_version().await;
        Ok(info.map_err(|error| self.failed(error))?.git_version)
    }

    /// Who the API takes us for.
    pub async fn whoami(&self) -> Result<Identity, KubeError> {
        let reviews: Typed<SelfSubjectReview> = self.cluster();
        let asked = SelfSubjectReview::default();
        let answer = reviews.create(&PostParams::default(), &asked).await;
        let answer = answer.map_err(|error| self.failed(error))?;
        let info = answer.status.and_then(|status| status.user_info);
        let info =
            info.ok_or_else(|| KubeError::Answer("it does not say who we are".to_owned()))?;
        Ok(Identity {
            user: info.username.unwrap_or_default(),
            groups: info.groups.unwrap_or_default(),
        })
    }

    /// Every node, by name.
    pub async fn nodes(&self) -> Result<Vec<Node>, KubeError> {
        let typed = self.cluster::<core::Node>();
        let found = self.all(&typed, ListParams::default()).await?;
        let mut nodes: Vec<Node> = found.into_iter().map(Into::into).collect();
        nodes.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(nodes)
    }

    /// Every pod of a namespace, by name.
    pub async fn pods(&self, namespace: &str) -> Result<Vec<Pod>, KubeError> {
        let typed = self.in_namespace::<core::Pod>(namespace);
        let found = self.all(&typed, ListParams::default()).await?;
        let mut pods: Vec<Pod> = found.into_iter().map(Into::into).collect();
        pods.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(pods)
    }

    /// Reads every page.
    pub(super) async fn all<K>(
        &self,
        typed: &Typed<K>,
        wanted: ListParams,
    ) -> Result<Vec<K>, KubeError>
    where
        K: Clone + fmt::Debug + DeserializeOwned,
    {
        self.reduced(typed, wanted, |found| found).await
    }

    /// Reads every page, each reduced to what is needed of it before the next one is read. A list that expires half-way (410)
    /// is read again, once.
    pub(super) async fn reduced<K, T>(
        &self,
        typed: &Typed<K>,
        wanted: ListParams,
        reduce: impl Fn(K) -> T,
    ) -> Result<Vec<T>, KubeError>
    where
        K: Clone + fmt::Debug + DeserializeOwned,
    {
        match self.pages(typed, wanted.clone(), &reduce).await {
            Err(KubeError::Api { code: 410, .. }) => self.pages(typed, wanted, &reduce).await,
            other => other,
        }
    }

    async fn pages<K, T>(
        &self,
        typed: &Typed<K>,
        wanted: ListParams,
        reduce: &impl Fn(K) -> T,
    ) -> Result<Vec<T>, KubeError>
    where
        K: Clone + fmt::Debug + DeserializeOwned,
    {
        let mut wanted = wanted.limit(PAGE);
        let mut all = Vec::new();
        loop {
            let page: ObjectList<K> = typed
                .list(&wanted)
                .await
                .map_err(|error| self.failed(error))?;
            all.extend(page.items.into_iter().map(reduce));
            match page.metadata.continue_.filter(|token| !token.is_empty()) {
                Some(token) => wanted.continue_token = Some(token),
                None => return Ok(all),
            }
        }
    }

    /// Posts an object to a path that the client crate has no verb for.
    pub(super) async fn post(&self, path: &str, object: &Value) -> Result<Value, ::kube::Error> {
        let request = http::Request::post(path).header("content-type", "application/json");
        let request = request.body(object.to_string().into_bytes());
        let request = request.map_err(::kube::core::request::Error::BuildRequest);
        let request = request.map_err(::kube::Error::BuildRequest)?;
        self.client.request(request).await
    }

    pub(super) fn cluster<K>(&self) -> Typed<K>
    where
        K: Resource<Scope = k8s_openapi::ClusterResourceScope>,
        K::DynamicType: Default,
    {
        Typed::all(self.client.clone())
    }

    pub(super) fn everywhere<K>(&self) -> Typed<K>
    where
        K: Resource,
        K::DynamicType: Default,
    {
        Typed::all(self.client.clone())
    }

    pub(super) fn in_namespace<K>(&self, namespace: &str) -> Typed<K>
    where
        K: Resource<Scope = k8s_openapi::NamespaceResourceScope>,
        K::DynamicType: Default,
    {
        Typed::namespaced(self.client.clone(), namespace)
    }

    pub(super) fn failed(&self, error: ::kube::Error) -> KubeError {
        KubeError::of(&self.server, error)
    }
}

impl fmt::Debug for Api {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Api")
            .field("server", &self.server)
            .finish_non_exhaustive()
    }
}
