//! The authorities of a cluster, their keys, the client certificates that they sign, and the key that
//! API servers encrypt with.
//! Knows X.509 and PEM; must not know where anything is stored, what time it is or who asks.
//!
//! Everything is ECDSA P-256. kubeadm takes such keys wherever it takes RSA (its own
//! `encryptionAlgorithm: ECDSA-P256` makes the same), they are made in microseconds, and four of
//! them with their certificates stay far below the 4 KB of a standard SSM parameter. The service
//! accounts' key is one too: the API server then signs tokens with ES256, which AWS STS accepts
//! for web identities since November 2024.

mod authority;
mod certificate;
mod client;
mod encryption;
mod issuer;
mod key;
mod request;
mod tbs_certificate;

pub use authority::{Authority, CertificateAuthority};
pub use certificate::CertificateInfo;
pub use client::{ClientCertificate, Subject, issue_client};
pub use encryption::encryption_configuration;
pub use issuer::key_set;
pub use key::ServiceAccountKey;
pub use request::SigningRequest;

/// How far before "now" a certificate becomes valid, in seconds: clocks of nodes and laptops differ.
pub const CLOCK_SKEW_SECONDS: i64 = 3600;

/// Why a key or certificate could not be made or read.
#[derive(Debug, thiserror::Error)]
pub enum PkiError {
    /// `what` names the certificate or key, never its content.
    #[error("{what} is not readable: {reason}")]
    Unreadable { what: String, reason: String },
    #[error("the certificate of {0} does not belong to the key that is stored with it")]
    Mismatch(String),
    #[error("{0} is not a certificate authority: it may not sign certificates")]
    NotAnAuthority(String),
    #[error("{what} uses another algorithm than ECDSA P-256; kube-cfn signs with that only")]
    Algorithm { what: String },
    #[error("the {field} `{value}` is not valid in a certificate: {reason}")]
    Name {
        field: &'static str,
        value: String,
        reason: &'static str,
    },
    #[error("a lifetime of {0} seconds is too short; ask for at least 60")]
    TooShort(i64),
    #[error(
        "a lifetime until {asked} is longer than that of {authority}, which ends at {end}; ask for a shorter one"
    )]
    OutlivesAuthority {
        authority: String,
        asked: jiff::Timestamp,
        end: jiff::Timestamp,
    },
    #[error("{authority} expired at {end}: its certificates are no longer accepted")]
    Expired {
        authority: String,
        end: jiff::Timestamp,
    },
    #[error("{authority} is not valid before {start}; is this machine's clock right?")]
    NotYetValid {
        authority: String,
        start: jiff::Timestamp,
    },
    #[error("failed to make {what}: {reason}")]
    Generate { what: String, reason: String },
}
