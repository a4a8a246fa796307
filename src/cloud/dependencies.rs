//! What the API of a cluster depends on beside its own machines: webhooks of the admission, conversions of custom resources,
//! aggregated APIs. Each can stop requests while what serves it is away.

use super::NodesError;

/// The Kubernetes API, as far as it says what it depends on. Every read returns every page.
#[allow(async_fn_in_trait, reason = "one thread, no Send bound wanted")]
pub trait Dependencies {
    /// The webhooks that refuse requests while they do not answer (`failurePolicy: Fail`), by name.
    async fn webhooks(&self) -> Result<Vec<Webhook>, NodesError>;

    /// The custom resources with a conversion webhook, and the aggregated APIs, by name.
    async fn extensions(&self) -> Result<Vec<Extension>, NodesError>;
}

/// A webhook of the admission that refuses requests while it does not answer.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Webhook {
    /// `ValidatingWebhookConfiguration policy, webhook pods.policy.example`.
    pub name: String,
    /// Whether it decides about pods, evictions or nodes, so that it can hold a drain.
    pub is_about_pods: bool,
    pub backend: Backend,
}

/// A custom resource with a conversion webhook, or an aggregated API.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Extension {
    /// `CustomResourceDefinition widgets.example.org`, `APIService v1beta1.metrics.k8s.io`.
    pub name: String,
    pub backend: Backend,
    /// Why it does not answer, in the API's own words; `None` where the API says nothing of the kind.
    pub trouble: Option<String>,
}

/// What answers for a webhook or an API.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Backend {
    /// A Service, and how many of its endpoints are ready.
    Service {
        /// `NAMESPACE/NAME`.
        name: String,
        ready: usize,
    },
    /// Outside the cluster.
    Url(String),
}
