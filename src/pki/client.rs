//! Client certificates: the common name is the user, every organisation a group.
//!
//! Must not know who asks or how long is too long.

use jiff::{SignedDuration, Timestamp};
use secrecy::SecretString;

use super::certificate::{self, CertificateInfo};
use super::key::PrivateKey;
use super::tbs_certificate::TbsCertificate;
use super::{CLOCK_SKEW_SECONDS, CertificateAuthority, PkiError};

/// The longest user or group. RFC 5280 names 64, but Go and OpenSSL read more and a role's ARN needs it.
const LONGEST_NAME: usize = 256;
/// The shortest lifetime: less has expired before it is used.
const SHORTEST_SECONDS: i64 = 60;
/// Who a certificate is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    user: String,
    groups: Vec<String>,
}

impl Subject {
    /// Checks the names. Groups are sorted, and named once each: their order means nothing.
    pub fn new(user: &str, groups: &[String]) -> Result<Self, PkiError> {
        check_name("user", user)?;
        let mut sorted = groups.to_vec();
        sorted.sort();
        sorted.dedup();
        for group in &sorted {
            check_name("group", group)?;
        }
        Ok(Self {
            user: user.to_owned(),
            groups: sorted,
        })
    }

    pub fn user(&self) -> &str {
        &self.user
    }

    pub fn groups(&self) -> &[String] {
        &self.groups
    }
}

/// A client certificate with its key.
#[derive(Debug)]
pub struct ClientCertificate {
    pub certificate_pem: String,
    /// PKCS#8 PEM.
    pub key: SecretString,
    pub expires: Timestamp,
    pub fingerprint: String,
}

/// Signs a certificate that lets `subject` in as a client for `ttl` from `now`.
/// It is valid from an hour before, but never from before its authority.
pub fn issue_client(
    authority: &CertificateAuthority,
    subject: &Subject,
    ttl: SignedDuration,
    now: Timestamp,
) -> Result<ClientCertificate, PkiError> {
    let facts = authority.facts();
    let name = authority.role().to_string();
    let end = check_lifetime(&name, facts, ttl, now)?;
    let skew = SignedDuration::from_secs(CLOCK_SKEW_SECONDS);
    let start = now.checked_sub(skew).unwrap_or(now).max(facts.not_before);
    let failed = |reason: String| PkiError::Generate {
        what: format!("the certificate of `{}`", subject.user),
        reason,
    };
    let key = PrivateKey::generate(&format!("`{}`", subject.user))?;
    let body = TbsCertificate {
        subject,
        issuer: facts,
        start,
        end,
        key: key.pair(),
    };
    let der = body
        .sign(authority.key().pair())
        .map_err(|error| failed(error.to_string()))?;
    let certificate_pem = certificate::to_pem("CERTIFICATE", &der);
    let read = CertificateInfo::of_pem(&format!("`{}`", subject.user), &certificate_pem)?;
    Ok(ClientCertificate {
        certificate_pem,
        key: key.to_pem(),
        expires: read.expires,
        fingerprint: read.fingerprint,
    })
}

fn check_name(field: &'static str, value: &str) -> Result<(), PkiError> {
    let reason = if value.trim().is_empty() {
        "it is empty"
    } else if value.chars().any(char::is_control) {
        "it has control characters"
    } else if value.len() > LONGEST_NAME {
        "it is longer than 256 bytes"
    } else {
        return Ok(());
    };
    Err(PkiError::Name {
        field,
        value: value.chars().flat_map(char::escape_default).collect(),
        reason,
    })
}

fn check_lifetime(
    authority: &str,
    facts: &CertificateInfo,
    ttl: SignedDuration,
    now: Timestamp,
) -> Result<Timestamp, PkiError> {
    let authority = authority.to_owned();
    if now >= facts.expires {
        let end = facts.expires;
        return Err(PkiError::Expired { authority, end });
    }
    if now < facts.not_before {
        let start = facts.not_before;
        return Err(PkiError::NotYetValid { authority, start });
    }
    if ttl.as_secs() < SHORTEST_SECONDS {
        return Err(PkiError::TooShort(ttl.as_secs()));
    }
    let asked = now.checked_add(ttl).unwrap_or(Timestamp::MAX);
    if asked > facts.expires {
        return Err(PkiError::OutlivesAuthority {
            authority,
            asked,
            end: facts.expires,
        });
    }
    Ok(asked)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pki::Authority;

    fn now() -> Timestamp {
        "2026-11-23T10:00:00Z".parse().unwrap()
    }

    fn authority() -> CertificateAuthority {
        CertificateAuthority::generate(Authority::Kubernetes, "canary", now()).unwrap()
    }

    fn hours(count: i64) -> SignedDuration {
        SignedDuration::from_hours(count)
    }

    fn subject(user: &str, groups: &[&str]) -> Result<Subject, PkiError> {
        let groups: Vec<_> = groups.iter().map(ToString::to_string).collect();
        Subject::new(user, &groups)
    }

    #[test]
    fn subject_has_user_and_groups() {
        let ada = subject("ada", &["ops", "kube-cfn:admins", "ops"]).unwrap();
        let made = issue_client(&authority(), &ada, hours(8), now()).unwrap();
        let facts = CertificateInfo::of_pem("ada", &made.certificate_pem).unwrap();
        assert_eq!(facts.subject, "O=kube-cfn:admins, O=ops, CN=ada");
        assert_eq!(facts.not_before.to_string(), "2026-11-23T09:00:00Z");
        assert_eq!(made.expires.to_string(), "2026-11-23T18:00:00Z");
        assert!(!facts.is_authority);
    }

    #[test]
    fn certificates_of_one_user_differ() {
        let (ca, ada) = (authority(), subject("ada", &[]).unwrap());
        let serial = |made: &ClientCertificate| {
            let block = certificate::first_certificate(&made.certificate_pem).unwrap();
            let (_, read) = x509_parser::parse_x509_certificate(block.contents()).unwrap();
            read.raw_serial().to_vec()
        };
        let one = serial(&issue_client(&ca, &ada, hours(1), now()).unwrap());
        let two = serial(&issue_client(&ca, &ada, hours(1), now()).unwrap());
        assert_ne!(one, two);
        assert_eq!((one.len(), two.len()), (20, 20));
    }

    #[test]
    fn empty_or_unprintable_names_are_refused() {
        for (user, groups, message) in [
            (
                "",
                vec![],
                "the user `` is not valid in a certificate: it is empty",
            ),
            (
                " ",
                vec![],
                "the user ` ` is not valid in a certificate: it is empty",
            ),
            (
                "ada",
                vec![""],
                "the group `` is not valid in a certificate: it is empty",
            ),
            (
                "a\nb",
                vec![],
                "the user `a\\nb` is not valid in a certificate: it has control characters",
            ),
        ] {
            let error = subject(user, &groups).unwrap_err();
            assert_eq!(error.to_string(), message);
        }
        assert!(subject(&"x".repeat(256), &[]).is_ok());
        assert!(subject(&"x".repeat(257), &[]).is_err());
    }

    #[test]
    fn lifetime_is_positive_and_ends_before_its_authority() {
        let (ca, ada) = (authority(), subject("ada", &[]).unwrap());
        for short in [0, 59, -5] {
            let made = issue_client(&ca, &ada, SignedDuration::from_secs(short), now());
            assert!(matches!(made, Err(PkiError::TooShort(_))));
        }
        let rest = ca.facts().expires.duration_since(now());
        assert!(issue_client(&ca, &ada, rest, now()).is_ok());
        for long in [rest + SignedDuration::from_secs(1), SignedDuration::MAX] {
            let made = issue_client(&ca, &ada, long, now());
            assert!(matches!(made, Err(PkiError::OutlivesAuthority { .. })));
        }
    }

    #[test]
    fn expired_or_future_authority_signs_nothing() {
        let (ca, ada) = (authority(), subject("ada", &[]).unwrap());
        let made = issue_client(&ca, &ada, hours(1), ca.facts().expires);
        assert!(matches!(made, Err(PkiError::Expired { .. })));
        let early = ca.facts().not_before - SignedDuration::from_secs(1);
        let made = issue_client(&ca, &ada, hours(1), early);
        assert!(matches!(made, Err(PkiError::NotYetValid { .. })));
    }

    #[test]
    fn certificate_never_starts_before_its_authority() {
        let (ca, ada) = (authority(), subject("ada", &[]).unwrap());
        let early = ca.facts().not_before + SignedDuration::from_secs(10);
        let made = issue_client(&ca, &ada, hours(1), early).unwrap();
        let facts = CertificateInfo::of_pem("ada", &made.certificate_pem).unwrap();
        assert_eq!(facts.not_before, ca.facts().not_before);
    }

    #[test]
    fn dates_after_2049_are_written_in_full() {
        let then: Timestamp = "2045-01-01T00:00:00Z".parse().unwrap();
        let ca = CertificateAuthority::generate(Authority::Kubernetes, "canary", then).unwrap();
        let ada = subject("ada", &[]).unwrap();
        let made = issue_client(&ca, &ada, hours(6 * 8766), then).unwrap();
        assert_eq!(made.expires.to_string(), "2051-01-01T12:00:00Z");
    }
}
