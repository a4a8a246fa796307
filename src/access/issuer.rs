//! The documents by which AWS checks the tokens of the cluster's service accounts, put where it reads them.

use std::collections::BTreeMap;

use serde_json::json;

use super::error::AccessOperation;
use super::{AccessError, ParameterNames};
use crate::cloud::{Store, UploadOutcome, replaced_object};
use crate::pki;
use crate::stacks::{ISSUER_DOCUMENTS, OIDC_BUCKET, OIDC_ISSUER};

/// What lies in the issuer's bucket, by key: the discovery document and the key set of `sa.pub`.
/// `issuer` is the URL in the tokens, without a slash at its end.
pub fn issuer_documents(
    issuer: &str,
    service_accounts: &str,
) -> Result<[(&'static str, String); 2], AccessError> {
    let [discovery, keys] = ISSUER_DOCUMENTS;
    let found = json!({
        "issuer": issuer,
        "jwks_uri": format!("{issuer}/{keys}"),
        // No server issues tokens: the API server makes them for pods.
        "authorization_endpoint": "urn:kubernetes:programmatic_authorization",
        "response_types_supported": ["id_token"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["ES256"],
        "claims_supported": ["sub", "iss"],
    });
    let set = pki::key_set(service_accounts).map_err(AccessError::Issue)?;
    Ok([(discovery, found.to_string()), (keys, set)])
}

/// Makes the documents lie in the issuer's bucket. Issuer and key stay as they are for the cluster's life:
/// other content was put there by somebody else, is replaced, and is reported in the lines returned.
pub async fn publish_issuer(
    store: &impl Store,
    bucket: &str,
    issuer: &str,
    service_accounts: &str,
) -> Result<Vec<String>, AccessError> {
    let mut replaced = Vec::new();
    for (key, document) in issuer_documents(issuer, service_accounts)? {
        let uploaded = store.upload(bucket, key, document.as_bytes()).await;
        let uploaded = uploaded.map_err(|source| {
            let place = format!("s3://{bucket}/{key}");
            AccessError::cloud(AccessOperation::Publish, &place, source)
        })?;
        if uploaded.outcome == UploadOutcome::Replaced {
            replaced.push(replaced_object(bucket, key));
        }
    }
    Ok(replaced)
}

/// The documents as they should lie in a bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuerDocuments {
    pub bucket: String,
    /// Content by key.
    pub documents: [(&'static str, String); 2],
}

/// What should lie in the issuer's bucket of a cluster, by the `outputs` of its base stack and its published
/// key. `None` while there is no such bucket or key.
pub async fn wanted_issuer_documents(
    store: &impl Store,
    cluster: &str,
    outputs: Option<&BTreeMap<String, String>>,
) -> Result<Option<IssuerDocuments>, AccessError> {
    let output = |key| outputs.and_then(|outputs| outputs.get(key));
    let (Some(issuer), Some(bucket)) = (output(OIDC_ISSUER), output(OIDC_BUCKET)) else {
        return Ok(None);
    };
    let name = ParameterNames::of(cluster)?.service_account_public();
    let key = store.parameter(&name).await;
    let key =
        key.map_err(|source| AccessError::cloud(AccessOperation::ReadPlain, &name, source))?;
    let Some(key) = key else {
        return Ok(None);
    };
    let documents = issuer_documents(issuer, &key).map_err(|error| match error {
        AccessError::Issue(source) => AccessError::Stored { name, source },
        other => other,
    })?;
    Ok(Some(IssuerDocuments {
        bucket: bucket.clone(),
        documents,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pki::ServiceAccountKey;

    #[test]
    fn discovery_document_names_the_key_set() {
        let issuer = "https://bucket.s3.eu-west-1.amazonaws.com";
        let key = ServiceAccountKey::generate().unwrap();
        let [discovery, keys] = issuer_documents(issuer, key.public_pem()).unwrap();
        let found: serde_json::Value = serde_json::from_str(&discovery.1).unwrap();
        assert_eq!(found["issuer"], issuer);
        assert_eq!(found["jwks_uri"], format!("{issuer}/{}", keys.0));
        assert_eq!(discovery.0, ".well-known/openid-configuration");
        assert!(keys.1.contains("\"kty\":\"EC\""), "{}", keys.1);
    }
}
