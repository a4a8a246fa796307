//! Credentials: a client certificate of the cluster's own authority, for one user and their groups.
//! Must not know how a client gets it (that is `exec`, `kubeconfig`).

use std::fmt;

use jiff::{SignedDuration, Timestamp};
use secrecy::SecretString;

use super::error::AccessOperation;
use super::{AccessError, Cache, CacheKey, ParameterNames};
use crate::cloud::Store;
use crate::pki::{Authority, CertificateAuthority, CertificateInfo, Subject, issue_client};

/// For whom a certificate is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateRequest {
    /// Kubernetes user.
    pub user: String,
    /// Kubernetes groups; RBAC binds to these.
    pub groups: Vec<String>,
    /// Lifetime in seconds; `None` is the definition's default.
    pub ttl_seconds: Option<u64>,
}

/// What the definition allows, in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LifetimeLimits {
    pub ttl_seconds: u64,
    pub max_ttl_seconds: u64,
}

/// A client certificate and what is needed to use it.
pub struct Credential {
    pub certificate_pem: String,
    /// PKCS#8 PEM.
    pub key: SecretString,
    pub issued: Timestamp,
    pub expires: Timestamp,
    /// The certificate, or bundle, of the Kubernetes authority as PEM.
    pub authority_pem: String,
}

impl CertificateRequest {
    /// The lifetime in seconds, if it is allowed.
    pub fn lifetime(&self, limits: LifetimeLimits) -> Result<u64, AccessError> {
        // The default never breaks the limit, whichever of the two was changed.
        let default = limits.ttl_seconds.min(limits.max_ttl_seconds);
        let asked = self.ttl_seconds.unwrap_or(default);
        if asked > limits.max_ttl_seconds {
            return Err(AccessError::TooLong {
                asked: span(asked),
                most: span(limits.max_ttl_seconds),
            });
        }
        Ok(asked)
    }
}

impl Credential {
    /// Fingerprint of the authority that signed it.
    pub fn authority(&self) -> Option<String> {
        let facts =
            CertificateInfo::of_pem("the Kubernetes authority", &self.authority_pem).ok()?;
        Some(facts.fingerprint)
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credential")
            .field("expires", &self.expires)
            .finish_non_exhaustive()
    }
}

fn span(seconds: u64) -> SignedDuration {
    SignedDuration::from_secs(i64::try_from(seconds).unwrap_or(i64::MAX))
}

/// Signs a certificate with the cluster's Kubernetes authority.
pub async fn issue(
    store: &impl Store,
    cluster: &str,
    request: &CertificateRequest,
    limits: LifetimeLimits,
    now: Timestamp,
) -> Result<Credential, AccessError> {
    let name = ParameterNames::of(cluster)?.secret(Authority::Kubernetes);
    // What can be refused without AWS is refused before it.
    let subject = Subject::new(&request.user, &request.groups).map_err(AccessError::Issue)?;
    let ttl = span(request.lifetime(limits)?);
    let secret = store
        .secret(&name)
        .await
        .map_err(|source| AccessError::cloud(AccessOperation::ReadSecret, &name, source))?
        .ok_or_else(|| AccessError::no_authorities(cluster))?;
    let authority = CertificateAuthority::from_bundle(Authority::Kubernetes, &secret)
        .map_err(|source| AccessError::Stored { name, source })?;
    let made = issue_client(&authority, &subject, ttl, now).map_err(AccessError::Issue)?;
    Ok(Credential {
        certificate_pem: made.certificate_pem,
        key: made.key,
        issued: now,
        expires: made.expires,
        authority_pem: authority.certificate_pem().to_owned(),
    })
}

/// A credential from the cache while it is fresh, else a new one that is put there.
///
/// `authority` is the fingerprint of the authority that the caller's cluster entry trusts, where it
/// is known: a cached credential of another one (the cluster was made again) is passed over, and none is
/// issued by another one.
/// A cache that can't be written costs time, not access: it is only logged.
pub async fn credential(
    store: &impl Store,
    cache: &Cache,
    key: &CacheKey,
    limits: LifetimeLimits,
    authority: Option<&str>,
    now: Timestamp,
) -> Result<Credential, AccessError> {
    if let Some(found) = cache.find(key, authority, now) {
        return Ok(found);
    }
    let made = issue(store, &key.cluster, &key.request, limits, now).await?;
    // What AWS has here is not the cluster of the entry: another account, or one that was made again.
    if authority.is_some() && authority != made.authority().as_deref() {
        return Err(AccessError::OtherAuthority {
            cluster: key.cluster.clone(),
            place: None,
        });
    }
    if let Err(error) = cache.keep(key, &made) {
        tracing::warn!("{error}");
    }
    Ok(made)
}

/// The certificate that clients of the cluster trust, as PEM. Needs no access to any secret.
pub async fn authority_certificate(
    store: &impl Store,
    cluster: &str,
) -> Result<String, AccessError> {
    let name = ParameterNames::of(cluster)?.certificate(Authority::Kubernetes);
    let found = store
        .parameter(&name)
        .await
        .map_err(|source| AccessError::cloud(AccessOperation::ReadPlain, &name, source))?
        .ok_or_else(|| AccessError::no_authorities(cluster))?;
    CertificateInfo::of_pem("the Kubernetes authority", &found)
        .map_err(|source| AccessError::Stored { name, source })?;
    Ok(found)
}

/// What the plain copies of the cluster's authorities say, the Kubernetes authority first. Needs no
/// access to any secret.
pub async fn authorities(
    store: &impl Store,
    cluster: &str,
) -> Result<Vec<(Authority, CertificateInfo)>, AccessError> {
    let names = ParameterNames::of(cluster)?;
    let mut found = Vec::new();
    for role in Authority::ALL {
        let name = names.certificate(role);
        let text = store
            .parameter(&name)
            .await
            .map_err(|source| AccessError::cloud(AccessOperation::ReadPlain, &name, source))?
            .ok_or_else(|| AccessError::no_authorities(cluster))?;
        let facts = CertificateInfo::of_pem(&role.to_string(), &text);
        found.push((
            role,
            facts.map_err(|source| AccessError::Stored { name, source })?,
        ));
    }
    Ok(found)
}
