//! The public key of the service accounts as a web key set, as the API server itself publishes it.
//! Must not know where the issuer is, or who reads it.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;
use sha2::{Digest, Sha256};

use super::PkiError;

/// What a P-256 public key begins with as `SubjectPublicKeyInfo`, up to the marker of a plain point
/// (RFC 5480); X and Y follow, 32 bytes each.
const P256: [u8; 27] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a,
    0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00, 0x04,
];

/// The web key set (RFC 7517) of `sa.pub`, with the key's id as Kubernetes computes it for the tokens:
/// the SHA-256 of its DER form.
pub fn key_set(public_pem: &str) -> Result<String, PkiError> {
    let what = || "the public key of the service accounts".to_owned();
    let block = pem::parse(public_pem).map_err(|error| PkiError::Unreadable {
        what: what(),
        reason: error.to_string(),
    })?;
    let der = block.contents();
    let point = der.strip_prefix(&P256).filter(|point| point.len() == 64);
    let (x, y) = point
        .ok_or_else(|| PkiError::Algorithm { what: what() })?
        .split_at(32);
    let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let keys = json!({ "keys": [{
        "use": "sig",
        "kty": "EC",
        "kid": text(&Sha256::digest(der)),
        "crv": "P-256",
        "alg": "ES256",
        "x": text(x),
        "y": text(y),
    }]});
    Ok(keys.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pki::ServiceAccountKey;

    #[test]
    fn key_id_is_that_of_kubernetes() {
        // The key of RFC 7515, appendix A.3.
        let pem = "-----BEGIN PUBLIC KEY-----\n\
            MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEf83OJ3D2xF1Bg8vub9tLe1gHMzV7\n\
            6e8Tus9uPHvRVEXH8UTNG72bfocs3+257rn0s2ldbqkLJK2KRiMohYjlrQ==\n\
            -----END PUBLIC KEY-----\n";
        let keys: serde_json::Value = serde_json::from_str(&key_set(pem).unwrap()).unwrap();
        let key = &keys["keys"][0];
        assert_eq!(key["x"], "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU");
        assert_eq!(key["y"], "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0");
        assert_eq!(key["kid"], "K9G7DESol8MKeqCZHN442AYv5EHeUNoPRoJTRPYC6Cc");
    }

    #[test]
    fn every_generated_key_has_its_own_id() {
        let id = || {
            let pair = ServiceAccountKey::generate().unwrap();
            let keys = key_set(pair.public_pem()).unwrap();
            let keys: serde_json::Value = serde_json::from_str(&keys).unwrap();
            keys["keys"][0]["kid"].as_str().unwrap().to_owned()
        };
        assert_ne!(id(), id());
    }

    #[test]
    fn key_of_another_algorithm_is_refused() {
        let rsa = pem::encode(&pem::Pem::new("PUBLIC KEY", vec![0x30; 91]));
        assert!(matches!(key_set(&rsa), Err(PkiError::Algorithm { .. })));
        assert!(matches!(key_set("no"), Err(PkiError::Unreadable { .. })));
    }
}
