//! The questions asked of KMS: whether a key can be used, and its policy.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::Aws;
use super::calls::ApiCall;
use super::error::unanswered;
use super::signed::{self, Tries};
use crate::cloud::CloudError;
use crate::cloud::inspect::KeyState;
use crate::cloud::limiter::Service;

/// KMS's name in `X-Amz-Target`.
pub(super) const TARGET: &str = "TrentService";
/// The only policy that a key has.
const POLICY: &str = "default";

pub(super) async fn state(aws: &Aws, key: &str) -> Result<Option<KeyState>, CloudError> {
    let api_call = ApiCall::new(Service::Kms, "DescribeKey", key);
    let answer = signed::json(
        aws,
        Tries::USUAL,
        (api_call, TARGET),
        &json!({ "KeyId": key }),
    )
    .await;
    let Some(answer) = CloudError::optional(answer)? else {
        return Ok(None);
    };
    let about = &answer["KeyMetadata"];
    Ok(Some(match about["KeyState"].as_str() {
        Some("Enabled") => KeyState::Enabled,
        Some("Disabled") => KeyState::Disabled,
        Some("PendingDeletion") => KeyState::PendingDeletion(moment(&about["DeletionDate"])),
        Some(other) => KeyState::Other(other.to_owned()),
        None => return Err(unanswered(api_call, "an answer without the key's state")),
    }))
}

/// Seconds since 1970, with a fraction.
pub(super) fn moment(seconds: &Value) -> Option<Timestamp> {
    #[expect(clippy::cast_possible_truncation, reason = "a date in whole seconds")]
    let whole = seconds.as_f64()?.trunc() as i64;
    Timestamp::from_second(whole).ok()
}

pub(super) async fn policy(aws: &Aws, key: &str) -> Result<Option<Value>, CloudError> {
    let api_call = ApiCall::new(Service::Kms, "GetKeyPolicy", key);
    let body = json!({ "KeyId": key, "PolicyName": POLICY });
    let answer = signed::json(aws, Tries::USUAL, (api_call, TARGET), &body).await;
    let Some(answer) = CloudError::optional(answer)? else {
        return Ok(None);
    };
    let text = answer["Policy"].as_str().unwrap_or_default();
    let policy = serde_json::from_str(text);
    policy
        .map(Some)
        .map_err(|error| unanswered(api_call, &format!("a policy that is not JSON ({error})")))
}
