//! What is asked of AWS, as lines of the log: the name of each call. Never a value, a header
//! or a body: those may hold a secret.

use aws_sdk_cloudformation::config::http::HttpRequest;
use aws_sdk_cloudformation::config::interceptors::BeforeTransmitInterceptorContextRef;
use aws_sdk_cloudformation::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_cloudformation::error::BoxError;

/// Logs every attempt of a call, those that the SDK repeats by itself too.
#[derive(Debug)]
pub(super) struct CallLog;

impl Intercept for CallLog {
    fn name(&self) -> &'static str {
        "CallLog"
    }

    fn read_before_transmit(
        &self,
        context: &BeforeTransmitInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        tracing::debug!("{}", call(context.request()));
        Ok(())
    }
}

/// `DescribeStacks`, `AmazonSSM.GetParameter`, `PUT /bucket/key`: as each protocol names a call.
fn call(request: &HttpRequest) -> String {
    if let Some(target) = request.headers().get("x-amz-target") {
        return target.to_owned();
    }
    let form = request.body().bytes().and_then(|body| {
        let (action, _) = std::str::from_utf8(body).ok()?.split_once('&')?;
        action.strip_prefix("Action=")
    });
    if let Some(action) = form {
        return action.to_owned();
    }
    let uri = request.uri();
    let path = uri.split_once("://").map_or(uri, |(_, rest)| rest);
    let path = path.split(['?', '#']).next().unwrap_or(path);
    format!("{} {path}", request.method())
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_s3::primitives::SdkBody;

    fn request(method: &str, uri: &str, body: &str) -> HttpRequest {
        let mut request = HttpRequest::new(SdkBody::from(body));
        request.set_method(method).expect("a method");
        request.set_uri(uri).expect("an address");
        request
    }

    #[test]
    fn call_log_names_the_call_only() {
        let form = "Action=CreateStack&Version=1&Parameters.member.1.ParameterValue=hunter2";
        assert_eq!(call(&request("POST", "https://a/", form)), "CreateStack");
        let mut json = request("POST", "https://a/", r#"{"Value":"hunter2"}"#);
        json.headers_mut()
            .insert("x-amz-target", "AmazonSSM.PutParameter");
        assert_eq!(call(&json), "AmazonSSM.PutParameter");
        let put = request(
            "PUT",
            "https://b.s3.amazonaws.com/k?x-id=PutObject",
            "bytes",
        );
        assert_eq!(call(&put), "PUT b.s3.amazonaws.com/k");
    }
}
