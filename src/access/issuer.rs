//! The documents by which AWS checks the tokens of the cluster's service accounts, put where it reads them.

use serde_json::json;

use super::AccessError;
use super::error::AccessOperation;
use crate::cloud::Store;
use crate::pki;
use crate::stacks::ISSUER_DOCUMENTS;

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

/// Puts the documents into the issuer's bucket unless they are there. Issuer and key stay as they are
/// for the cluster's life, so what is there is what would be put.
pub async fn publish_issuer(
    store: &impl Store,
    bucket: &str,
    issuer: &str,
    service_accounts: &str,
) -> Result<(), AccessError> {
    for (key, document) in issuer_documents(issuer, service_accounts)? {
        store
            .upload(bucket, key, document.as_bytes())
            .await
            .map_err(|source| {
                AccessError::cloud(
                    AccessOperation::Publish,
                    &format!("s3://{bucket}/{key}"),
                    source,
                )
            })?;
    }
    Ok(())
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
