//! A request for a client certificate that somebody else signs: the key is made here and stays here.

use rcgen::{CertificateParams, DnType, KeyUsagePurpose};
use secrecy::SecretString;

use super::certificate::{self, CertificateInfo};
use super::key::PrivateKey;
use super::{PkiError, Subject};

/// A key and the request for its certificate.
pub struct SigningRequest {
    user: String,
    key: PrivateKey,
    pem: String,
}

impl SigningRequest {
    /// For a user of one group: rcgen keeps one value for each kind of name.
    pub fn new(user: &str, group: &str) -> Result<Self, PkiError> {
        Subject::new(user, &[group.to_owned()])?;
        let failed = |error: rcgen::Error| PkiError::Generate {
            what: format!("the certificate request of `{user}`"),
            reason: error.to_string(),
        };
        let key = PrivateKey::generate(&format!("`{user}`"))?;
        let mut wanted = CertificateParams::default();
        wanted.distinguished_name = rcgen::DistinguishedName::new();
        wanted
            .distinguished_name
            .push(DnType::OrganizationName, group);
        wanted.distinguished_name.push(DnType::CommonName, user);
        wanted.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        let made = wanted.serialize_request(key.pair()).map_err(failed)?;
        Ok(Self {
            user: user.to_owned(),
            pem: certificate::to_pem("CERTIFICATE REQUEST", made.der()),
            key,
        })
    }

    /// The request as PEM.
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// The key as PKCS#8 PEM.
    pub fn key(&self) -> SecretString {
        self.key.to_pem()
    }

    /// What the signed certificate says; refused if it is not of this key.
    pub fn accept(&self, certificate_pem: &str) -> Result<CertificateInfo, PkiError> {
        let name = format!("`{}`", self.user);
        let facts = CertificateInfo::of_pem(&name, certificate_pem)?;
        let own = rcgen::PublicKeyData::subject_public_key_info(self.key.pair());
        if facts.public_key == own {
            Ok(facts)
        } else {
            Err(PkiError::Mismatch(name))
        }
    }
}

#[cfg(test)]
mod tests {
    use x509_parser::prelude::FromDer as _;

    use super::*;

    #[test]
    fn signing_request_has_user_and_group_but_no_key() {
        let asked = SigningRequest::new("kube-cfn:ci:deploy", "kube-cfn:ci").unwrap();
        let blocks = pem::parse_many(asked.pem()).unwrap();
        assert_eq!(blocks.len(), 1);
        let (_, read) = x509_parser::certification_request::X509CertificationRequest::from_der(
            blocks[0].contents(),
        )
        .unwrap();
        let subject = read.certification_request_info.subject.to_string();
        assert_eq!(subject, "O=kube-cfn:ci, CN=kube-cfn:ci:deploy");
        read.verify_signature().unwrap();
    }

    #[test]
    fn signed_certificate_of_another_key_is_refused() {
        let asked = SigningRequest::new("ci", "kube-cfn:ci").unwrap();
        let now = "2026-11-23T10:00:00Z".parse().unwrap();
        let other = crate::pki::CertificateAuthority::generate(
            crate::pki::Authority::Kubernetes,
            "canary",
            now,
        )
        .unwrap();
        let refused = asked.accept(other.certificate_pem());
        assert!(matches!(refused, Err(PkiError::Mismatch(_))));
    }
}
