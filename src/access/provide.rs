//! What a run provides before the control plane starts: the authorities, and the documents by which AWS checks
//! the tokens of pods. Retried, because no secret is ever overwritten.

use std::collections::BTreeMap;

use super::inventory::ClusterStacks;
use super::{AccessError, EnsuredAuthorities, ensure_authorities, publish_issuer};
use crate::cloud::remote::Remote;
use crate::cloud::{LiveStack, Store};
use crate::common::retry::{Backoff, Try, retry};
use crate::stacks::{KEY_ARN, OIDC_BUCKET, OIDC_ISSUER, STATE_BUCKET};

/// What a run has provided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Provided {
    pub authorities: EnsuredAuthorities,
    /// The issuer's documents that had other content, as lines to report.
    pub replaced: Vec<String>,
}

/// Makes the authorities of a cluster, or finds them, and publishes its issuer, with the `outputs` of its base
/// stack and its `control_plane` stack. Safe to repeat.
pub async fn provide_authorities(
    cloud: &(impl Store + Remote),
    cluster: &str,
    outputs: Option<&BTreeMap<String, String>>,
    control_plane: Option<&LiveStack>,
) -> Result<Provided, AccessError> {
    let output = |key| {
        let value = outputs.and_then(|outputs| outputs.get(key));
        value.ok_or(AccessError::NoOutput(key))
    };
    let (key, issuer) = (output(KEY_ARN)?, output(OIDC_ISSUER)?);
    let bucket = output(OIDC_BUCKET)?;
    let stacks = ClusterStacks {
        cluster,
        key: Some(key),
        bucket: outputs
            .and_then(|outputs| outputs.get(STATE_BUCKET))
            .map(String::as_str),
        control_plane,
    };
    retry(cloud, Backoff::REQUEST, async || {
        let provided = async {
            let authorities = ensure_authorities(cloud, stacks, cloud.now()).await?;
            let key = &authorities.service_accounts;
            let replaced = publish_issuer(cloud, bucket, issuer, key).await?;
            Ok(Provided {
                authorities,
                replaced,
            })
        };
        Try::transient(provided.await, AccessError::is_transient)
    })
    .await
}
