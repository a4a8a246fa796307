//! The connection to AWS: profile, region, credentials, endpoint, proxy, TLS, retries and time-outs.
//! Everything comes from the SDK's own chain; this file only says where ours differs from it, and why.

use std::time::Duration;

use aws_config::environment::EnvironmentVariableRegionProvider;
use aws_config::meta::region::RegionProviderChain;
use aws_config::profile::{ProfileFileCredentialsProvider, ProfileFileRegionProvider};
use aws_config::provider_config::ProviderConfig;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{AppName, BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_cloudformation::config::{RuntimeComponents, SharedAsyncSleep, SharedHttpClient};
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::{self, rustls_provider::CryptoMode};
use aws_smithy_http_client::{Builder, Connector};
use aws_smithy_runtime_api::client::http::{HttpConnectorSettings, SharedHttpConnector};
use aws_types::os_shim_internal::{Env, Fs};
use aws_types::service_config::ServiceConfigKey;

use super::profile;
use crate::cloud::CloudError;

/// Ten times the SDK's default of three did not survive thirty stacks at once (aws-cdk-cli#1777).
const ATTEMPTS: u32 = 9;
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(30);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// What the person or the definition says about where to go; the environment says the rest.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settings {
    /// A profile named on purpose wins over access keys in the environment, as in the AWS CLI.
    pub profile: Option<String>,
    /// Wins over the profile's and the environment's region.
    pub region: Option<String>,
}

/// Endpoint and credentials that replace those of the environment and the profile.
#[derive(Debug, Clone)]
pub(super) struct Overrides {
    pub(super) endpoint: String,
    pub(super) credentials: Credentials,
}

/// Where the calls go.
pub(super) struct Connection {
    pub(super) sdk: SdkConfig,
    pub(super) region: String,
    /// The region that the environment or the profile names, whatever was asked for.
    pub(super) ambient_region: Option<String>,
    /// An endpoint set for S3 in place of AWS's own.
    pub(super) s3_endpoint: Option<String>,
    /// The same for Auto Scaling.
    pub(super) auto_scaling_endpoint: Option<String>,
    /// The same for EC2.
    pub(super) ec2_endpoint: Option<String>,
    /// The same for IAM.
    pub(super) iam_endpoint: Option<String>,
    /// The same for KMS.
    pub(super) kms_endpoint: Option<String>,
    /// The same for RDS.
    pub(super) rds_endpoint: Option<String>,
    /// The same for S3 Control.
    pub(super) s3_control_endpoint: Option<String>,
    /// The same for Service Quotas.
    pub(super) quotas_endpoint: Option<String>,
    /// The same for Elastic Load Balancing's second API.
    pub(super) load_balancing_endpoint: Option<String>,
    /// The same for its first one.
    pub(super) classic_load_balancing_endpoint: Option<String>,
    /// The same for Resource Groups Tagging.
    pub(super) tagging_endpoint: Option<String>,
    /// The same for Route 53.
    pub(super) route53_endpoint: Option<String>,
    /// The same for `CloudWatch` Logs.
    pub(super) logs_endpoint: Option<String>,
}

/// How much shorter waits between two tries are: unit tests have many against a server of their own.
pub(super) const HASTE: u32 = if cfg!(test) { 50 } else { 1 };

/// Loads the configuration. Calls nothing but, without any region, the instance's metadata.
pub(super) async fn load(
    settings: &Settings,
    overrides: Option<Overrides>,
) -> Result<Connection, CloudError> {
    if overrides.is_none() {
        check_profile(settings).await?;
    }
    let http = http_client();
    let mut loader = aws_config::defaults(BehaviorVersion::v2026_01_12())
        .http_client(http.clone())
        // Not adaptive: its own limiter would stack on ours, which slows all readers already.
        .retry_config(
            RetryConfig::standard()
                .with_max_attempts(ATTEMPTS)
                .with_initial_backoff(Duration::from_secs(1) / HASTE),
        )
        .timeout_config(timeouts());
    if let Ok(name) = AppName::new("kube-cfn") {
        loader = loader.app_name(name);
    }
    if let Some(profile) = &settings.profile {
        loader = loader.profile_name(profile);
    }
    if let Some(region) = &settings.region {
        loader = loader.region(Region::new(region.clone()));
    }
    if let Some(overrides) = &overrides {
        loader = loader
            .endpoint_url(&overrides.endpoint)
            .credentials_provider(overrides.credentials.clone());
    }
    let mut sdk = loader.load().await;
    let Some(region) = sdk.region().cloned() else {
        return Err(CloudError::Refused {
            operation: "to begin".to_owned(),
            message:
                "no region: name one in the definition (region), in the profile or in AWS_REGION"
                    .to_owned(),
        });
    };
    if let (Some(profile), None) = (&settings.profile, &overrides) {
        let provider = from_profile(profile, &region, http);
        sdk = sdk.into_builder().credentials_provider(provider).build();
    }
    let endpoint = |service| match &overrides {
        Some(overrides) => Some(overrides.endpoint.clone()),
        None => endpoint_of(service, &sdk),
    };
    Ok(Connection {
        ambient_region: ambient_region(settings).await,
        s3_endpoint: endpoint("S3"),
        ec2_endpoint: endpoint("EC2"),
        iam_endpoint: endpoint("IAM"),
        auto_scaling_endpoint: endpoint("Auto Scaling"),
        kms_endpoint: endpoint("KMS"),
        rds_endpoint: endpoint("RDS"),
        s3_control_endpoint: endpoint("S3 Control"),
        quotas_endpoint: endpoint("Service Quotas"),
        load_balancing_endpoint: endpoint("Elastic Load Balancing v2"),
        classic_load_balancing_endpoint: endpoint("Elastic Load Balancing"),
        tagging_endpoint: endpoint("Resource Groups Tagging API"),
        route53_endpoint: endpoint("Route 53"),
        logs_endpoint: endpoint("CloudWatch Logs"),
        region: region.to_string(),
        sdk,
    })
}

fn timeouts() -> TimeoutConfig {
    // No limit on a whole call: with its retries it may take minutes and still succeed.
    TimeoutConfig::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .operation_attempt_timeout(ATTEMPT_TIMEOUT)
        .build()
}

/// What `AWS_REGION`, `AWS_DEFAULT_REGION` or the profile say, in this order as in the AWS CLI.
async fn ambient_region(settings: &Settings) -> Option<String> {
    let mut profile = ProfileFileRegionProvider::builder();
    if let Some(name) = &settings.profile {
        profile = profile.profile_name(name);
    }
    let chain = RegionProviderChain::first_try(EnvironmentVariableRegionProvider::new())
        .or_else(profile.build());
    chain.region().await.map(|region| region.to_string())
}

/// The default chain would take access keys from the environment before the named profile.
fn from_profile(name: &str, region: &Region, http: SharedHttpClient) -> SharedCredentialsProvider {
    let config = ProviderConfig::without_region()
        .with_region(Some(region.clone()))
        .with_behavior_version(Some(BehaviorVersion::v2026_01_12()))
        .with_http_client(http);
    let provider = ProfileFileCredentialsProvider::builder()
        .configure(&config)
        .profile_name(name)
        .build();
    SharedCredentialsProvider::new(provider)
}

async fn check_profile(settings: &Settings) -> Result<(), CloudError> {
    let env = Env::real();
    let set = |name| env.get(name).is_ok_and(|value| !value.is_empty());
    if settings.profile.is_none() && set("AWS_ACCESS_KEY_ID") && set("AWS_SECRET_ACCESS_KEY") {
        return Ok(());
    }
    let chosen = settings.profile.clone().map(Into::into);
    profile::check(&profile::read(&Fs::real(), &env, chosen).await?)
}

fn http_client() -> SharedHttpClient {
    Builder::new().build_with_connector_fn(|settings, components| {
        let sleep = components.and_then(RuntimeComponents::sleep_impl);
        connector(settings.cloned(), sleep)
    })
}

/// rustls over ring, through `HTTPS_PROXY` and `NO_PROXY`: the plain builder ignores both.
fn connector(
    settings: Option<HttpConnectorSettings>,
    sleep: Option<SharedAsyncSleep>,
) -> Connector {
    let mut connector = Connector::builder().proxy_config(ProxyConfig::from_env());
    connector.set_connector_settings(settings);
    connector.set_sleep_impl(sleep);
    connector
        .tls_provider(tls::Provider::Rustls(CryptoMode::Ring))
        .build()
}

/// The same way out for requests that no SDK client makes.
pub(super) fn plain_connector(sdk: &SdkConfig) -> SharedHttpConnector {
    let settings = HttpConnectorSettings::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .read_timeout(ATTEMPT_TIMEOUT)
        .build();
    SharedHttpConnector::new(connector(Some(settings), sdk.sleep_impl()))
}

/// `AWS_ENDPOINT_URL_S3`, the profile's `services` section, or `AWS_ENDPOINT_URL`; so for any service.
fn endpoint_of(service: &str, sdk: &SdkConfig) -> Option<String> {
    let key = ServiceConfigKey::builder()
        .service_id(service)
        .env("AWS_ENDPOINT_URL")
        .profile("endpoint_url")
        .build()
        .ok()?;
    sdk.service_config()
        .and_then(|service| service.load_config(key))
        .or_else(|| sdk.endpoint_url().map(str::to_owned))
}
