//! Webhooks, conversions and aggregated APIs, and whether something is ready to answer for each. The verbs that this needs:
//! `list` of validatingwebhookconfigurations, mutatingwebhookconfigurations, customresourcedefinitions, apiservices and
//! endpointslices.

use std::collections::BTreeMap;

use ::kube::api::ListParams;
use k8s_openapi::api::admissionregistration::v1 as admission;
use k8s_openapi::api::discovery::v1 as discovery;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1 as extensions;
use k8s_openapi::kube_aggregator::pkg::apis::apiregistration::v1 as registration;

use super::{Api, KubeError};
use crate::cloud::{Backend, Dependencies, Extension, NodesError, Webhook};
use crate::common::text::one_line;

/// The label of a slice of endpoints that names its Service.
const SERVICE_NAME: &str = "kubernetes.io/service-name";

/// What a drain writes: a webhook about one of these can hold it.
const DRAINED: [&str; 5] = ["pods", "pods/eviction", "pods/*", "nodes", "*"];

impl Dependencies for Api {
    async fn webhooks(&self) -> Result<Vec<Webhook>, NodesError> {
        Ok(self.failing_webhooks().await?)
    }

    async fn extensions(&self) -> Result<Vec<Extension>, NodesError> {
        Ok(self.answering_extensions().await?)
    }
}

impl Api {
    async fn failing_webhooks(&self) -> Result<Vec<Webhook>, KubeError> {
        let validating = self.cluster::<admission::ValidatingWebhookConfiguration>();
        let validating = self.all(&validating, ListParams::default()).await?;
        let mutating = self.cluster::<admission::MutatingWebhookConfiguration>();
        let mutating = self.all(&mutating, ListParams::default()).await?;
        let mut found: Vec<Declared> = Vec::new();
        for one in validating {
            let of = format!(
                "ValidatingWebhookConfiguration {}",
                one.metadata.name.unwrap_or_default()
            );
            let hooks = one.webhooks.unwrap_or_default().into_iter();
            found.extend(hooks.map(|hook| Declared {
                name: format!("{of}, webhook {}", hook.name),
                fails: hook.failure_policy,
                rules: hook.rules.unwrap_or_default(),
                client: hook.client_config,
            }));
        }
        for one in mutating {
            let of = format!(
                "MutatingWebhookConfiguration {}",
                one.metadata.name.unwrap_or_default()
            );
            let hooks = one.webhooks.unwrap_or_default().into_iter();
            found.extend(hooks.map(|hook| Declared {
                name: format!("{of}, webhook {}", hook.name),
                fails: hook.failure_policy,
                rules: hook.rules.unwrap_or_default(),
                client: hook.client_config,
            }));
        }
        found.retain(Declared::refuses);
        let ready = self.ready_endpoints(!found.is_empty()).await?;
        let mut webhooks: Vec<_> = found
            .into_iter()
            .map(|one| Webhook {
                is_about_pods: one.is_about_pods(),
                backend: backend(
                    one.client.service.map(|it| (it.namespace, it.name)),
                    one.client.url,
                    &ready,
                ),
                name: one.name,
            })
            .collect();
        webhooks.sort();
        Ok(webhooks)
    }

    async fn answering_extensions(&self) -> Result<Vec<Extension>, KubeError> {
        let resources = self.cluster::<extensions::CustomResourceDefinition>();
        let resources = self.all(&resources, ListParams::default()).await?;
        let apis = self.cluster::<registration::APIService>();
        let apis = self.all(&apis, ListParams::default()).await?;
        let mut found = Vec::new();
        for one in resources {
            let webhook = one
                .spec
                .conversion
                .and_then(|conversion| conversion.webhook);
            let Some(client) = webhook.and_then(|webhook| webhook.client_config) else {
                continue;
            };
            let name = format!(
                "CustomResourceDefinition {}",
                one.metadata.name.unwrap_or_default()
            );
            let service = client.service.map(|it| (it.namespace, it.name));
            found.push((name, service, client.url, None));
        }
        for one in apis {
            // One without a service is the API server's own.
            let Some(service) = one.spec.as_ref().and_then(|spec| spec.service.clone()) else {
                continue;
            };
            let service = (
                service.namespace.unwrap_or_default(),
                service.name.unwrap_or_default(),
            );
            let name = format!("APIService {}", one.metadata.name.unwrap_or_default());
            found.push((name, Some(service), None, unavailable(one.status)));
        }
        let ready = self.ready_endpoints(!found.is_empty()).await?;
        let mut extensions: Vec<_> = found
            .into_iter()
            .map(|(name, service, url, trouble)| Extension {
                name,
                backend: backend(service, url, &ready),
                trouble,
            })
            .collect();
        extensions.sort();
        Ok(extensions)
    }

    /// How many endpoints of each Service are ready, by `NAMESPACE/NAME`. Asks nothing where nobody wants to know.
    async fn ready_endpoints(&self, wanted: bool) -> Result<BTreeMap<String, usize>, KubeError> {
        let mut ready = BTreeMap::new();
        if !wanted {
            return Ok(ready);
        }
        let typed = self.everywhere::<discovery::EndpointSlice>();
        for slice in self.all(&typed, ListParams::default()).await? {
            let labels = slice.metadata.labels.unwrap_or_default();
            let Some(service) = labels.get(SERVICE_NAME) else {
                continue;
            };
            let namespace = slice.metadata.namespace.unwrap_or_default();
            // What says nothing is ready (the API's own rule for this field).
            let is_ready = |one: &&discovery::Endpoint| {
                let conditions = one.conditions.as_ref();
                conditions.and_then(|all| all.ready).unwrap_or(true)
            };
            let found = slice.endpoints.iter().filter(is_ready).count();
            *ready.entry(format!("{namespace}/{service}")).or_default() += found;
        }
        Ok(ready)
    }
}

/// A webhook as its configuration declares it.
struct Declared {
    name: String,
    fails: Option<String>,
    rules: Vec<admission::RuleWithOperations>,
    client: admission::WebhookClientConfig,
}

impl Declared {
    /// Whether requests are refused while it does not answer. `Fail` is the default.
    fn refuses(&self) -> bool {
        self.fails.as_deref().is_none_or(|policy| policy == "Fail")
    }

    fn is_about_pods(&self) -> bool {
        self.rules.iter().any(|rule| {
            let groups = rule.api_groups.as_deref().unwrap_or_default();
            let resources = rule.resources.as_deref().unwrap_or_default();
            let is_core = groups
                .iter()
                .any(|group| group.is_empty() || group == "*" || group == "policy");
            let is_drained = |one: &String| DRAINED.contains(&one.as_str()) || one == "*/*";
            is_core && resources.iter().any(is_drained)
        })
    }
}

fn backend(
    service: Option<(String, String)>,
    url: Option<String>,
    ready: &BTreeMap<String, usize>,
) -> Backend {
    match service {
        Some((namespace, name)) => {
            let name = format!("{namespace}/{name}");
            let ready = ready.get(&name).copied().unwrap_or_default();
            Backend::Service { name, ready }
        }
        None => Backend::Url(url.unwrap_or_default()),
    }
}

/// Why an aggregated API is not available. One without the condition was not looked at by the API server yet.
fn unavailable(status: Option<registration::APIServiceStatus>) -> Option<String> {
    let conditions = status
        .and_then(|status| status.conditions)
        .unwrap_or_default();
    let found = conditions.into_iter().find(|one| one.type_ == "Available");
    match found {
        Some(one) if one.status == "True" => None,
        Some(one) => Some(one_line(
            &one.message
                .or(one.reason)
                .unwrap_or_else(|| "not available".to_owned()),
        )),
        None => Some("the API server has not said whether it is available".to_owned()),
    }
}
