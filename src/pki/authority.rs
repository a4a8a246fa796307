//! One certificate authority: certificate and key that belong together, checked whenever read.
//! Must not know where either is stored.

use std::fmt;

use jiff::Timestamp;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, KeyUsagePurpose};
use secrecy::{ExposeSecret, SecretString};

use super::certificate::{self, CertificateInfo};
use super::key::PrivateKey;
use super::{CLOCK_SKEW_SECONDS, PkiError};

/// Lifetime of an authority in seconds: ten years of 365 days, as kubeadm's.
const LIFETIME_SECONDS: i64 = 3650 * 86_400;

/// The authorities that kubeadm expects, each trusted for one thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Authority {
    /// Signs the API servers' certificates, kubelets, users.
    Kubernetes,
    /// Signs etcd's servers, peers and clients.
    Etcd,
    /// Signs the API servers' client certificate for aggregated API servers.
    FrontProxy,
}

impl Authority {
    /// All three, the cluster's own first.
    pub const ALL: [Self; 3] = [Self::Kubernetes, Self::Etcd, Self::FrontProxy];

    /// Common name as kubeadm gives it.
    pub fn common_name(self) -> &'static str {
        match self {
            Self::Kubernetes => "kubernetes",
            Self::Etcd => "etcd-ca",
            Self::FrontProxy => "front-proxy-ca",
        }
    }
}

impl fmt::Display for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Kubernetes => "the Kubernetes authority",
            Self::Etcd => "the etcd authority",
            Self::FrontProxy => "the front-proxy authority",
        })
    }
}

/// A certificate authority with its private key.
pub struct CertificateAuthority {
    role: Authority,
    certificate: String,
    facts: CertificateInfo,
    key: PrivateKey,
}

impl CertificateAuthority {
    /// Makes a new one for `cluster`, valid from an hour before `now` for ten years.
    ///
    /// The subject is kubeadm's common name and, so that people can tell the authorities of several
    /// clusters apart, the cluster as organisation.
    pub fn generate(role: Authority, cluster: &str, now: Timestamp) -> Result<Self, PkiError> {
        let failed = |reason: String| PkiError::Generate {
            what: format!("the certificate of {role}"),
            reason,
        };
        let key = PrivateKey::generate(&role.to_string())?;
        let start = now.as_second() - CLOCK_SKEW_SECONDS;
        let mut wanted = CertificateParams::default();
        wanted.distinguished_name = rcgen::DistinguishedName::new();
        wanted
            .distinguished_name
            .push(DnType::CommonName, role.common_name());
        wanted
            .distinguished_name
            .push(DnType::OrganizationName, cluster);
        wanted.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        wanted.key_usages = vec![
            KeyUsagePurpose::DigitalSignature,
            KeyUsagePurpose::KeyCertSign,
            KeyUsagePurpose::CrlSign,
        ];
        wanted.not_before = rcgen::date_time_ymd(1970, 1, 1) + seconds(start).map_err(failed)?;
        wanted.not_after = wanted.not_before + seconds(LIFETIME_SECONDS).map_err(failed)?;
        let made = wanted
            .self_signed(key.pair())
            .map_err(|error| failed(error.to_string()))?;
        let text = certificate::to_pem("CERTIFICATE", made.der());
        let facts = CertificateInfo::of_pem(&role.to_string(), &text)?;
        Ok(Self {
            role,
            certificate: text,
            facts,
            key,
        })
    }

    /// Reads certificate and key and checks that they belong together.
    /// In a bundle of several certificates the signing one stands first, as kubeadm wants it.
    fn from_pem(role: Authority, certificates: &str, key: &SecretString) -> Result<Self, PkiError> {
        let name = role.to_string();
        let facts = CertificateInfo::of_pem(&name, certificates)?;
        if !facts.is_authority {
            return Err(PkiError::NotAnAuthority(name));
        }
        let key = PrivateKey::from_pem(&name, key)?;
        if facts.public_key != rcgen::PublicKeyData::subject_public_key_info(key.pair()) {
            return Err(PkiError::Mismatch(name));
        }
        Ok(Self {
            role,
            certificate: certificates.to_owned(),
            facts,
            key,
        })
    }

    /// Key and certificate in one PEM text, so that one write stores both or neither.
    ///
    /// The key is first: programs that want a key file (kubeadm, client-go, openssl) read that
    /// block and passes over the rest.
    pub fn to_bundle(&self) -> SecretString {
        let mut text = String::with_capacity(2048);
        text.push_str(self.key.to_pem().expose_secret());
        text.push_str(&self.certificate);
        text.into()
    }

    /// Reads what [`Self::to_bundle`] wrote.
    pub fn from_bundle(role: Authority, bundle: &SecretString) -> Result<Self, PkiError> {
        let unreadable = || PkiError::Unreadable {
            what: role.to_string(),
            reason: "it is not valid PEM".to_owned(),
        };
        let blocks = pem::parse_many(bundle.expose_secret()).map_err(|_| unreadable())?;
        let certificates: String = blocks
            .iter()
            .filter(|block| block.tag() == "CERTIFICATE")
            .map(|block| certificate::to_pem(block.tag(), block.contents()))
            .collect();
        Self::from_pem(role, &certificates, bundle)
    }

    pub fn role(&self) -> Authority {
        self.role
    }

    /// The certificate, or the bundle of certificates to trust, as PEM.
    pub fn certificate_pem(&self) -> &str {
        &self.certificate
    }

    /// What the signing certificate says.
    pub fn facts(&self) -> &CertificateInfo {
        &self.facts
    }

    pub(super) fn key(&self) -> &PrivateKey {
        &self.key
    }
}

impl fmt::Debug for CertificateAuthority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CertificateAuthority")
            .field("role", &self.role)
            .field("fingerprint", &self.facts.fingerprint)
            .finish_non_exhaustive()
    }
}

fn seconds(count: i64) -> Result<std::time::Duration, String> {
    let count = u64::try_from(count).map_err(|_| "the time lies before 1970".to_owned())?;
    Ok(std::time::Duration::from_secs(count))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        "2026-11-23T10:00:00Z".parse().unwrap()
    }

    #[test]
    fn bundle_round_trips() {
        let made = CertificateAuthority::generate(Authority::Etcd, "canary", now()).unwrap();
        let read = CertificateAuthority::from_bundle(Authority::Etcd, &made.to_bundle()).unwrap();
        assert_eq!(read.facts(), made.facts());
        assert_eq!(read.certificate_pem(), made.certificate_pem());
    }

    #[test]
    fn bundle_fits_in_a_standard_parameter() {
        let name = "x".repeat(63);
        let made = CertificateAuthority::generate(Authority::FrontProxy, &name, now()).unwrap();
        assert!(made.to_bundle().expose_secret().len() < 2048);
    }

    #[test]
    fn authority_is_valid_for_ten_years() {
        let made = CertificateAuthority::generate(Authority::Kubernetes, "canary", now()).unwrap();
        assert_eq!(made.facts().not_before.to_string(), "2026-11-23T09:00:00Z");
        assert_eq!(made.facts().expires.to_string(), "2036-11-20T09:00:00Z");
        assert_eq!(made.facts().subject, "CN=kubernetes, O=canary");
        assert_eq!(
            made.facts().expires.duration_since(now()).as_hours(),
            3650 * 24 - 1
        );
    }

    #[test]
    fn certificate_with_another_key_is_refused() {
        let one = CertificateAuthority::generate(Authority::Etcd, "canary", now()).unwrap();
        let two = CertificateAuthority::generate(Authority::Etcd, "canary", now()).unwrap();
        let mixed = CertificateAuthority::from_pem(
            Authority::Etcd,
            one.certificate_pem(),
            &two.key.to_pem(),
        );
        assert!(matches!(mixed, Err(PkiError::Mismatch(_))));
    }

    #[test]
    fn authority_key_is_not_in_debug_output() {
        let made = CertificateAuthority::generate(Authority::Etcd, "canary", now()).unwrap();
        let shown = format!("{made:?} {:?} {:?}", made.to_bundle(), made.key.to_pem());
        let key = made.key.to_pem();
        let line = key.expose_secret().lines().nth(1).unwrap().to_owned();
        assert!(!shown.contains(&line[..16]), "{shown}");
        assert!(shown.contains("REDACTED"));
    }

    #[test]
    fn later_certificate_of_a_bundle_is_trusted_but_does_not_sign() {
        let old = CertificateAuthority::generate(Authority::Etcd, "canary", now()).unwrap();
        let new = CertificateAuthority::generate(Authority::Etcd, "canary", now()).unwrap();
        let both = format!("{}{}", old.certificate_pem(), new.certificate_pem());
        let read =
            CertificateAuthority::from_pem(Authority::Etcd, &both, &old.key.to_pem()).unwrap();
        assert_eq!(read.facts(), old.facts());
        assert_eq!(read.certificate_pem(), both);
        let back = CertificateAuthority::from_bundle(Authority::Etcd, &read.to_bundle()).unwrap();
        assert_eq!(back.certificate_pem(), both);
    }
}
