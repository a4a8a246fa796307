//! The questions asked of EC2: which machines a group has, and what one said on its console.
//! Its query protocol by hand, signed and sent over the SDK's own parts: the whole SDK of EC2 takes 8 GB of
//! memory to compile.

mod answer;

use crate::common::retry::{Backoff, Try, retry};
use std::time::{Duration, SystemTime};

use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_sdk_cloudformation::config::http::{HttpRequest, HttpResponse};
use aws_sdk_s3::primitives::{ByteStream, SdkBody};
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use aws_smithy_runtime_api::client::http::{HttpConnector, SharedHttpConnector};

use super::Aws;
use super::calls::{ApiCall, all_pages};
use super::config::{Connection, plain_connector};
use super::error::{explain_answer, no_credentials, unanswered};
use crate::cloud::limiter::{CallKind, Service};
use crate::cloud::{CloudError, Console};

/// EC2's API; there has been no other since.
const VERSION: &str = "2016-11-15";
/// A console is optional information: no long wait for it.
const TRIES: Backoff = Backoff::constant(Duration::from_secs(1), 2);
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(15);
const FORM: &str = "application/x-www-form-urlencoded; charset=utf-8";

/// What is needed to ask EC2.
#[derive(Debug)]
pub(super) struct Client {
    connector: SharedHttpConnector,
    credentials: Option<SharedCredentialsProvider>,
    endpoint: String,
    region: String,
}

/// The last lines of the newest machine of an Auto Scaling group, terminated ones too: EC2 shows those
/// for about an hour.
pub(super) async fn console(aws: &Aws, group: &str) -> Result<Option<Console>, CloudError> {
    let Some(instance) = newest(aws, group, &[]).await? else {
        return Ok(None);
    };
    let lines = answer::tail(&output(aws, &instance).await?);
    Ok((!lines.is_empty()).then_some(Console { instance, lines }))
}

/// The newest machine of a group that runs.
pub(super) async fn running(aws: &Aws, group: &str) -> Result<Option<String>, CloudError> {
    let state = [
        ("Filter.2.Name", "instance-state-name"),
        ("Filter.2.Value.1", "running"),
    ];
    newest(aws, group, &state).await
}

async fn newest(
    aws: &Aws,
    group: &str,
    filter: &[(&str, &str)],
) -> Result<Option<String>, CloudError> {
    let api_call = ApiCall::new(Service::Ec2, "DescribeInstances", group);
    let machines = all_pages(async |next: Option<String>| {
        let mut parameters = vec![
            ("Filter.1.Name", "tag:aws:autoscaling:groupName"),
            ("Filter.1.Value.1", group),
        ];
        parameters.extend_from_slice(filter);
        parameters.extend(next.as_deref().map(|next| ("NextToken", next)));
        let text = ask(aws, api_call, &parameters).await?;
        let page = answer::instances(&text).map_err(|cause| unanswered(api_call, &cause))?;
        Ok((Some(page.machines), page.next))
    })
    .await?;
    Ok(machines.into_iter().max().map(|machine| machine.id))
}

/// The latest output, which only machines on Nitro give; else what EC2 kept of the last boot.
async fn output(aws: &Aws, instance: &str) -> Result<String, CloudError> {
    let api_call = ApiCall::new(Service::Ec2, "GetConsoleOutput", instance);
    let read = async |parameters: &[(&str, &str)]| {
        let text = ask(aws, api_call, parameters).await?;
        answer::output(&text).map_err(|cause| unanswered(api_call, &cause))
    };
    let latest = read(&[("InstanceId", instance), ("Latest", "true")]).await;
    match latest {
        Ok(text) if !text.trim().is_empty() => Ok(text),
        Ok(_) | Err(CloudError::Refused { .. }) => read(&[("InstanceId", instance)]).await,
        Err(error) => Err(error),
    }
}

async fn ask(
    aws: &Aws,
    api_call: ApiCall<'_>,
    parameters: &[(&str, &str)],
) -> Result<String, CloudError> {
    let body = form(api_call.call, parameters);
    let kind = (api_call.service, CallKind::of(api_call.call));
    retry(aws, TRIES, async || {
        let request = async {
            let answer = tokio::time::timeout(ATTEMPT_TIMEOUT, aws.ec2.send(api_call, &body)).await;
            answer.unwrap_or_else(|_| Err(unanswered(api_call, "it took too long")))
        };
        let answer = aws.limiter.call(aws, kind, request).await;
        Try::transient(answer, CloudError::is_transient)
    })
    .await
}

impl Client {
    pub(super) fn over(connection: &Connection) -> Self {
        Self {
            connector: plain_connector(&connection.sdk),
            credentials: connection.sdk.credentials_provider(),
            endpoint: address(connection.ec2_endpoint.as_deref(), &connection.region),
            region: connection.region.clone(),
        }
    }

    async fn send(&self, api_call: ApiCall<'_>, body: &str) -> Result<String, CloudError> {
        tracing::debug!("{}", api_call.call);
        let request = self.signed(api_call, body).await?;
        let answer = self.connector.call(request).await;
        let answer = answer.map_err(|error| unanswered(api_call, &error.to_string()))?;
        let status = answer.status().as_u16();
        let text = text(answer).await;
        let text = text.map_err(|cause| unanswered(api_call, &cause))?;
        if status == 200 {
            return Ok(text);
        }
        let refusal = answer::refusal(&text);
        Err(explain_answer(api_call, status, refusal.error_text(&text)))
    }

    async fn signed(&self, api_call: ApiCall<'_>, body: &str) -> Result<HttpRequest, CloudError> {
        let cannot = |error: String| CloudError::Refused {
            operation: api_call.to_string(),
            message: format!("the request could not be signed ({error})"),
        };
        let Some(provider) = &self.credentials else {
            return Err(cannot("no credentials are set up".to_owned()));
        };
        let credentials = provider.provide_credentials().await;
        let identity = credentials.map_err(|cause| no_credentials(&cause))?.into();
        let signing = v4::SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name("ec2")
            .time(SystemTime::now())
            .settings(SigningSettings::default())
            .build()
            .map_err(|error| cannot(error.to_string()))?;
        let headers = [("content-type", FORM)];
        let bytes = SignableBody::Bytes(body.as_bytes());
        let signable = SignableRequest::new("POST", &self.endpoint, headers.into_iter(), bytes)
            .map_err(|error| cannot(error.to_string()))?;
        let signed = sign(signable, &signing.into()).map_err(|error| cannot(error.to_string()))?;
        let (instructions, _) = signed.into_parts();

        let mut request = HttpRequest::new(SdkBody::from(body));
        let line = request
            .set_method("POST")
            .and_then(|()| request.set_uri(self.endpoint.as_str()));
        line.map_err(|error| cannot(error.to_string()))?;
        let signature = instructions.headers();
        for (name, value) in headers.into_iter().chain(signature) {
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

/// In the commercial, the Chinese and the US government partition.
fn address(endpoint: Option<&str>, region: &str) -> String {
    let china = if region.starts_with("cn-") { ".cn" } else { "" };
    match endpoint {
        Some(endpoint) => format!("{}/", endpoint.trim_end_matches('/')),
        None => format!("https://ec2.{region}.amazonaws.com{china}/"),
    }
}

fn form(call: &str, parameters: &[(&str, &str)]) -> String {
    form_urlencoded::Serializer::new(String::new())
        .extend_pairs([("Action", call), ("Version", VERSION)])
        .extend_pairs(parameters)
        .finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ec2_form_names_the_call_and_escapes_values() {
        assert_eq!(
            form("DescribeInstances", &[("Filter.1.Name", "tag:a b/ü")]),
            "Action=DescribeInstances&Version=2016-11-15&Filter.1.Name=tag%3Aa+b%2F%C3%BC"
        );
    }

    #[test]
    fn ec2_url_follows_region_partition_and_endpoint() {
        assert_eq!(
            address(None, "eu-west-1"),
            "https://ec2.eu-west-1.amazonaws.com/"
        );
        assert_eq!(
            address(None, "cn-north-1"),
            "https://ec2.cn-north-1.amazonaws.com.cn/"
        );
        assert_eq!(
            address(Some("http://127.0.0.1:4566"), "eu-west-1"),
            "http://127.0.0.1:4566/"
        );
    }

    #[tokio::test]
    async fn ec2_request_is_signed_for_its_region() {
        let credentials =
            aws_credential_types::Credentials::new("AKIAEXAMPLE", "s", None, None, "test");
        let settings = super::super::Settings {
            profile: None,
            region: Some("eu-west-1".to_owned()),
        };
        let aws = Aws::connect_to("http://127.0.0.1:1", credentials, &settings).await;
        let api_call = ApiCall::new(Service::Ec2, "DescribeInstances", "");
        let aws = aws.expect("everything is given");
        let request = aws.ec2.signed(api_call, "Action=X").await.expect("signed");
        let signature = request.headers().get("authorization").unwrap_or_default();
        assert!(
            signature.contains("Credential=AKIAEXAMPLE/")
                && signature.contains("/eu-west-1/ec2/aws4_request"),
            "{signature}"
        );
        assert!(request.headers().get("x-amz-date").is_some());
    }
}
