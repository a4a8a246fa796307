//! Parameters with their versions in SSM. `PutParameter` answers with the version that a write got, which is
//! all that the operation lock relies on.

use aws_config::retry::RetryConfig;
use aws_sdk_ssm::types::{ParameterTier, ParameterType};

use super::Aws;
use super::calls::ApiCall;
use super::error::{explain, unanswered};
use crate::cloud::limiter::{CallKind, Service};
use crate::cloud::{CloudError, VersionedParameters, VersionedValue, WriteGate};

impl VersionedParameters for Aws {
    async fn versioned_parameter(&self, name: &str) -> Result<Option<VersionedValue>, CloudError> {
        let api_call = ApiCall::new(Service::Ssm, "GetParameter", name);
        let request = self.ssm.get_parameter().name(name);
        let answer = CloudError::optional(self.ask(api_call, request.send()).await)?;
        let Some(answer) = answer else {
            return Ok(None);
        };
        let found = answer.parameter.and_then(|found| {
            Some(VersionedValue {
                value: found.value?,
                version: version(found.version)?,
            })
        });
        let missing = || unanswered(api_call, "the answer holds no parameter with its version");
        found.ok_or_else(missing).map(Some)
    }

    async fn write_parameter(&self, name: &str, value: &str) -> Result<u64, CloudError> {
        let api_call = ApiCall::new(Service::Ssm, "PutParameter", name);
        let request = self.ssm.put_parameter().name(name).value(value);
        // The SDK would repeat a lost request: the second write gets another version than the first.
        let once = aws_sdk_ssm::config::Builder::new().retry_config(RetryConfig::disabled());
        let request = request
            .r#type(ParameterType::String)
            .tier(ParameterTier::Standard)
            .overwrite(true)
            .customize()
            .config_override(once);
        // It passes no gate, and waits behind no other write.
        let bucket = (Service::Ssm, CallKind::Lock);
        let request = async {
            request
                .send()
                .await
                .map_err(|error| explain(api_call, &error))
        };
        let answer = self.limiter.call(&self.clock, bucket, request).await?;
        let missing = || unanswered(api_call, "the answer names no version");
        version(answer.version).ok_or_else(missing)
    }

    async fn delete_parameter(&self, name: &str) -> Result<(), CloudError> {
        // The action that a deletion needs for all other parameters too.
        let api_call = ApiCall::new(Service::Ssm, "DeleteParameters", name);
        let request = self.ssm.delete_parameters().names(name);
        let bucket = (Service::Ssm, CallKind::Lock);
        let request = async {
            request
                .send()
                .await
                .map_err(|error| explain(api_call, &error))
        };
        let answer = self.limiter.call(&self.clock, bucket, request).await;
        CloudError::optional(answer).map(drop)
    }

    fn write_gate(&self) -> &WriteGate {
        self.limiter.gate()
    }
}

/// Zero is what the SDK makes of a version that is missing.
fn version(found: i64) -> Option<u64> {
    u64::try_from(found).ok().filter(|version| *version > 0)
}
