//! Asks publishers for their files with `HEAD`, over the same connection and proxy as AWS.

use aws_sdk_cloudformation::config::http::HttpRequest;
use aws_sdk_s3::primitives::SdkBody;
use aws_smithy_runtime_api::client::http::HttpConnector as _;

use super::Aws;
use super::error::with_causes;
use crate::cloud::Downloads;

impl Downloads for Aws {
    async fn answers(&self, url: &str) -> Result<(), String> {
        let mut request = HttpRequest::new(SdkBody::empty());
        let line = request
            .set_method("HEAD")
            .and_then(|()| request.set_uri(url));
        line.map_err(|error| error.to_string())?;
        let answer = self.signed.connector().call(request).await;
        let answer = answer.map_err(|error| with_causes(&error))?;
        match answer.status().as_u16() {
            // Release pages answer with the place of the file.
            200..=399 => Ok(()),
            status => Err(format!("HTTP {status}")),
        }
    }
}
