//! How kubectl and its plugin talk: the `ExecCredential` of `client.authentication.k8s.io/v1`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use super::Credential;
use crate::pki::CertificateInfo;

impl Credential {
    /// What a credential plugin prints: one line of JSON. Holds the private key.
    pub fn exec_credential(&self) -> SecretString {
        json!({
            "apiVersion": "client.authentication.k8s.io/v1",
            "kind": "ExecCredential",
            "status": {
                "expirationTimestamp": self.expires.to_string(),
                "clientCertificateData": self.certificate_pem,
                "clientKeyData": self.key.expose_secret(),
            },
        })
        .to_string()
        .into()
    }
}

/// The fingerprint of the authority that the caller trusts, from the text of the variable
/// `KUBERNETES_EXEC_INFO` that kubectl sets with `provideClusterInfo`. `None` when it does not say.
pub fn authority_of_exec_info(info: &str) -> Option<String> {
    let info: Value = serde_json::from_str(info).ok()?;
    let data = info
        .pointer("/spec/cluster/certificate-authority-data")?
        .as_str()?;
    let text = String::from_utf8(STANDARD.decode(data).ok()?).ok()?;
    let facts = CertificateInfo::of_pem("the caller's authority", &text).ok()?;
    Some(facts.fingerprint)
}
