//! Signed requests to the services without an SDK client here, over the SDK's own connection: the query protocol of
//! EC2, IAM, Auto Scaling, Elastic Load Balancing and RDS, the JSON protocol of KMS, `CloudWatch` Logs, Resource Groups
//! Tagging and Service Quotas, the REST protocol of S3 Control and Route 53. The whole SDK of EC2 takes 8 GB of memory to
//! compile, and each further one costs minutes.

mod endpoint;
mod rest;
pub(super) mod xml;

use std::time::{Duration, SystemTime};

use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_sdk_cloudformation::config::http::{HttpRequest, HttpResponse};
use aws_sdk_s3::primitives::{ByteStream, SdkBody};
use aws_sigv4::http_request::{
    PayloadChecksumKind, SignableBody, SignableRequest, SigningSettings, sign,
};
use aws_sigv4::sign::v4;
use aws_smithy_runtime_api::client::http::{HttpConnector, SharedHttpConnector};
use serde_json::Value;

use self::endpoint::{Endpoint, Endpoints};
pub(super) use self::rest::{Rest, of_account, rest};
use super::Aws;
use super::answers::is_numbered;
use super::calls::ApiCall;
use super::config::{Connection, plain_connector};
use super::error::{ErrorText, explain_answer, no_credentials, unanswered};
use crate::cloud::CloudError;
use crate::cloud::limiter::{CallKind, Service};
use crate::common::retry::{Backoff, Try, retry};

const FORM: &str = "application/x-www-form-urlencoded; charset=utf-8";
const JSON: &str = "application/x-amz-json-1.1";

/// How often a call is tried, and how long one try may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tries {
    pub(super) backoff: Backoff,
    pub(super) attempt: Duration,
}

impl Tries {
    /// For what has to be known.
    pub(super) const USUAL: Self = Self {
        backoff: Backoff::REQUEST,
        attempt: Duration::from_secs(15),
    };
    /// For what is good to know: nobody waits long for it.
    pub(super) const FEW: Self = Self {
        backoff: Backoff::constant(Duration::from_secs(1), 2),
        attempt: Duration::from_secs(15),
    };
}

/// Connection, credentials and endpoints.
#[derive(Debug)]
pub(super) struct Client {
    connector: SharedHttpConnector,
    credentials: Option<SharedCredentialsProvider>,
    endpoints: Endpoints,
}

/// A request before it is signed.
struct Unsigned {
    method: &'static str,
    /// Without the slash at its beginning.
    path: String,
    /// The account that is asked about, where the endpoint is the account's own.
    account: String,
    headers: Vec<(&'static str, String)>,
    body: String,
}

/// How answers are read.
#[derive(Clone, Copy)]
struct Protocol {
    refusal: fn(&str) -> ApiError,
    /// Whether a text is a good answer to the call of this name.
    is_answer: fn(&str, &str) -> bool,
}

impl Unsigned {
    fn post(headers: Vec<(&'static str, String)>, body: String) -> Self {
        Self {
            method: "POST",
            path: String::new(),
            account: String::new(),
            headers,
            body,
        }
    }
}

/// Code and message of a refusal, where the answer has them.
#[derive(Debug, Default, PartialEq, Eq)]
struct ApiError {
    code: Option<String>,
    message: Option<String>,
}

/// Asks a query API, by the version of the API; the answer is XML.
pub(super) async fn query(
    aws: &Aws,
    tries: Tries,
    (api_call, version): (ApiCall<'_>, &str),
    parameters: &[(&str, &str)],
) -> Result<String, CloudError> {
    let request = || {
        let headers = vec![("content-type", FORM.to_owned())];
        Unsigned::post(headers, form(api_call.call, version, parameters))
    };
    let protocol = Protocol {
        refusal: xml::refusal,
        is_answer: xml::is_answer,
    };
    ask(aws, tries, api_call, request, protocol).await
}

/// Asks a JSON API, by the name that goes before the call's in `X-Amz-Target`.
pub(super) async fn json(
    aws: &Aws,
    tries: Tries,
    call: (ApiCall<'_>, &str),
    body: &Value,
) -> Result<Value, CloudError> {
    let is_answer =
        |_: &str, text: &str| serde_json::from_str::<Value>(text).is_ok_and(|it| it.is_object());
    let text = json_text(aws, tries, call, body, is_answer).await?;
    let not_json = |error| unanswered(call.0, &format!("an answer that is not JSON ({error})"));
    serde_json::from_str(&text).map_err(not_json)
}

/// As [`json`], for a call whose answer has no body.
pub(super) async fn json_without_answer(
    aws: &Aws,
    tries: Tries,
    call: (ApiCall<'_>, &str),
    body: &Value,
) -> Result<(), CloudError> {
    let is_answer = |_: &str, text: &str| matches!(text.trim(), "" | "{}");
    json_text(aws, tries, call, body, is_answer).await?;
    Ok(())
}

async fn json_text(
    aws: &Aws,
    tries: Tries,
    (api_call, target): (ApiCall<'_>, &str),
    body: &Value,
    is_answer: fn(&str, &str) -> bool,
) -> Result<String, CloudError> {
    let request = || {
        let headers = vec![
            ("content-type", JSON.to_owned()),
            ("x-amz-target", format!("{target}.{}", api_call.call)),
        ];
        Unsigned::post(headers, body.to_string())
    };
    let protocol = Protocol {
        refusal: json_refusal,
        is_answer,
    };
    ask(aws, tries, api_call, request, protocol).await
}

async fn ask(
    aws: &Aws,
    tries: Tries,
    api_call: ApiCall<'_>,
    request: impl Fn() -> Unsigned,
    protocol: Protocol,
) -> Result<String, CloudError> {
    let kind = (api_call.service, CallKind::of(api_call.call));
    retry(aws, tries.backoff, async || {
        let request = async {
            let sent = aws.signed.send(api_call, request(), protocol);
            let answer = tokio::time::timeout(tries.attempt, sent).await;
            answer.unwrap_or_else(|_| Err(unanswered(api_call, "it took too long")))
        };
        let answer = aws.limiter.call(aws, kind, request).await;
        Try::transient(answer, CloudError::is_transient)
    })
    .await
}

impl Client {
    /// The connection itself, for requests without a signature.
    pub(super) const fn connector(&self) -> &SharedHttpConnector {
        &self.connector
    }

    pub(super) fn over(connection: &Connection) -> Self {
        Self {
            connector: plain_connector(&connection.sdk),
            credentials: connection.sdk.credentials_provider(),
            endpoints: Endpoints::of_connection(connection),
        }
    }

    async fn send(
        &self,
        api_call: ApiCall<'_>,
        request: Unsigned,
        protocol: Protocol,
    ) -> Result<String, CloudError> {
        tracing::debug!("{}", api_call.call);
        let request = self.signed(api_call, request).await?;
        let answer = self.connector.call(request).await;
        let answer = answer.map_err(|error| unanswered(api_call, &error.to_string()))?;
        let status = answer.status().as_u16();
        let numbered = is_numbered(&answer);
        let text = text(answer).await;
        let text = text.map_err(|cause| unanswered(api_call, &cause))?;
        // A good status over anything else, such as a proxy's page, is no answer: it is asked again.
        if status == 200 && numbered && (protocol.is_answer)(api_call.call, &text) {
            return Ok(text);
        }
        let refusal = (protocol.refusal)(&text);
        // EC2's good answer to a request that it only was to check, with the status 412.
        if refusal.code.as_deref() == Some("DryRunOperation") {
            return Ok(text);
        }
        let error = ErrorText {
            code: refusal.code.as_deref(),
            message: refusal.message.as_deref(),
            body: Some(&text),
        };
        Err(explain_answer(api_call, status, error))
    }

    async fn signed(
        &self,
        api_call: ApiCall<'_>,
        unsigned: Unsigned,
    ) -> Result<HttpRequest, CloudError> {
        let cannot = |error: String| CloudError::Refused {
            operation: api_call.to_string(),
            message: format!("the request could not be signed ({error})"),
        };
        let Some(provider) = &self.credentials else {
            return Err(cannot("no credentials are set up".to_owned()));
        };
        let Some(Endpoint { url, name, region }) = self.endpoints.of(api_call.service) else {
            return Err(cannot("no endpoint is known for it".to_owned()));
        };
        let credentials = provider.provide_credentials().await;
        let identity = credentials.map_err(|cause| no_credentials(&cause))?.into();
        let url = url.replace("{account}", &unsigned.account) + &unsigned.path;
        let mut settings = SigningSettings::default();
        if api_call.service == Service::S3Control {
            settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
        }
        let signing = v4::SigningParams::builder()
            .identity(&identity)
            .region(region)
            .name(name)
            .time(SystemTime::now())
            .settings(settings)
            .build()
            .map_err(|error| cannot(error.to_string()))?;
        let headers = || {
            unsigned
                .headers
                .iter()
                .map(|(name, text)| (*name, text.as_str()))
        };
        let bytes = SignableBody::Bytes(unsigned.body.as_bytes());
        let signable = SignableRequest::new(unsigned.method, &url, headers(), bytes)
            .map_err(|error| cannot(error.to_string()))?;
        let signed = sign(signable, &signing.into()).map_err(|error| cannot(error.to_string()))?;
        let (instructions, _) = signed.into_parts();

        let mut request = HttpRequest::new(SdkBody::from(unsigned.body.as_str()));
        let line = request
            .set_method(unsigned.method)
            .and_then(|()| request.set_uri(url.as_str()));
        line.map_err(|error| cannot(error.to_string()))?;
        for (name, value) in headers().chain(instructions.headers()) {
            request
                .headers_mut()
                .insert(name.to_owned(), value.to_owned());
        }
        Ok(request)
    }
}

async fn text(answer: HttpResponse) -> Result<String, String> {
    let body = ByteStream::new(answer.into_body()).collect().await;
    let body = body.map_err(|error| error.to_string())?;
    String::from_utf8(body.to_vec()).map_err(|_| "an answer that is not text".to_owned())
}

fn form(call: &str, version: &str, parameters: &[(&str, &str)]) -> String {
    form_urlencoded::Serializer::new(String::new())
        .extend_pairs([("Action", call), ("Version", version)])
        .extend_pairs(parameters)
        .finish()
}

/// The code may stand behind a namespace: `com.amazonaws.kms#NotFoundException`.
fn json_refusal(text: &str) -> ApiError {
    let answer: Value = serde_json::from_str(text).unwrap_or_default();
    let word = |name: &str| answer[name].as_str().map(str::to_owned);
    let code = word("__type").or_else(|| word("code"));
    ApiError {
        code: code.map(|code| code.rsplit('#').next().unwrap_or(&code).to_owned()),
        message: word("message").or_else(|| word("Message")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn query_form_names_the_call_and_escapes_values() {
        let filter = [("Filter.1.Name", "tag:a b/ü")];
        assert_eq!(
            form("DescribeInstances", "2016-11-15", &filter),
            "Action=DescribeInstances&Version=2016-11-15&Filter.1.Name=tag%3Aa+b%2F%C3%BC"
        );
    }

    #[test]
    fn json_refusal_has_the_code_without_its_namespace() {
        let said =
            json_refusal(r#"{"__type":"com.amazonaws.kms#NotFoundException","message":"no"}"#);
        assert_eq!(said.code.as_deref(), Some("NotFoundException"));
        assert_eq!(said.message.as_deref(), Some("no"));
        assert_eq!(json_refusal("<html>"), ApiError::default());
    }

    #[tokio::test]
    async fn request_is_signed_for_its_service_and_region() {
        let credentials =
            aws_credential_types::Credentials::new("AKIAEXAMPLE", "s", None, None, "test");
        let settings = super::super::Settings {
            profile: None,
            region: Some("eu-west-1".to_owned()),
        };
        let aws = Aws::connect_to("http://127.0.0.1:1", credentials, &settings).await;
        let aws = aws.expect("everything is given");
        for (service, scope) in [
            (Service::Ec2, "/eu-west-1/ec2/aws4_request"),
            (Service::AutoScaling, "/eu-west-1/autoscaling/aws4_request"),
            (Service::Rds, "/eu-west-1/rds/aws4_request"),
            (Service::Kms, "/eu-west-1/kms/aws4_request"),
            (Service::Iam, "/us-east-1/iam/aws4_request"),
            (Service::Quotas, "/eu-west-1/servicequotas/aws4_request"),
            (
                Service::LoadBalancing,
                "/eu-west-1/elasticloadbalancing/aws4_request",
            ),
            (
                Service::ClassicLoadBalancing,
                "/eu-west-1/elasticloadbalancing/aws4_request",
            ),
            (Service::Tagging, "/eu-west-1/tagging/aws4_request"),
            (Service::Logs, "/eu-west-1/logs/aws4_request"),
            (Service::Route53, "/us-east-1/route53/aws4_request"),
            (Service::S3Control, "/eu-west-1/s3/aws4_request"),
        ] {
            let api_call = ApiCall::new(service, "DescribeIt", "");
            let headers = vec![("content-type", FORM.to_owned())];
            let unsigned = Unsigned::post(headers, "Action=X".to_owned());
            let request = aws.signed.signed(api_call, unsigned).await.expect("signed");
            let signature = request.headers().get("authorization").unwrap_or_default();
            assert!(
                signature.contains("Credential=AKIAEXAMPLE/") && signature.contains(scope),
                "{signature}"
            );
            assert!(request.headers().get("x-amz-date").is_some());
            // S3 wants to know the digest of the body, the others do not.
            let digest = request.headers().get("x-amz-content-sha256");
            assert_eq!(digest.is_some(), service == Service::S3Control);
        }
    }
}
