//! Reports to the limiter the throttles that the SDK retries itself.

use aws_sdk_cloudformation::config::interceptors::FinalizerInterceptorContextRef;
use aws_sdk_cloudformation::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_cloudformation::error::BoxError;
use aws_smithy_runtime_api::client::orchestrator::Metadata;
use serde_json::Value;

use super::error::is_throttle_code;
use crate::cloud::limiter::{CallKind, Limiter, Service};
use crate::common::{Clock, SystemClock};

/// Watches every attempt of every call to a service.
#[derive(Debug)]
pub(super) struct ThrottleWatch {
    pub(super) service: Service,
    pub(super) limiter: Limiter,
    pub(super) clock: SystemClock,
}

impl Intercept for ThrottleWatch {
    fn name(&self) -> &'static str {
        "ThrottleWatch"
    }

    fn read_after_attempt(
        &self,
        context: &FinalizerInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let Some(response) = context.response() else {
            return Ok(());
        };
        let status = response.status().as_u16();
        let body = response.body().bytes().unwrap_or_default();
        if status == 429
            || (status >= 400 && error_code(body).is_some_and(|code| is_throttle_code(&code)))
        {
            tracing::debug!("AWS asks to slow down");
            let effect = config
                .load::<Metadata>()
                .map_or(CallKind::Read, |call| CallKind::of(call.name()));
            self.limiter
                .throttled(self.clock.now(), self.service, effect);
        }
        Ok(())
    }
}

/// The code of an error: `<Code>` in the protocols of XML, `__type` in those of JSON.
fn error_code(body: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(body).ok()?;
    if let Some((_, rest)) = text.split_once("<Code>") {
        let (code, _) = rest.split_once("</Code>")?;
        return Some(code.trim().to_owned());
    }
    let answer: Value = serde_json::from_str(text).ok()?;
    let code = answer.get("__type")?.as_str()?;
    Some(code.rsplit('#').next().unwrap_or(code).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn error_code_is_read_from_the_body() {
        let body = b"<ErrorResponse><Error><Type>Sender</Type><Code>Throttling</Code>\
            <Message>Rate exceeded</Message></Error></ErrorResponse>";
        assert_eq!(error_code(body).as_deref(), Some("Throttling"));
        let body =
            br#"{"__type":"com.amazonaws.ssm#ThrottlingException","message":"Rate exceeded"}"#;
        assert_eq!(error_code(body).as_deref(), Some("ThrottlingException"));
        assert_eq!(error_code(b"<html>Bad gateway</html>"), None);
        assert_eq!(error_code(&[0xff, 0xfe]), None);
    }
}
