//! Reading what a certificate says. Must not know keys, or what the certificate is for.

use jiff::Timestamp;
use x509_parser::prelude::{FromDer, ParsedExtension, X509Certificate};

use super::PkiError;
use crate::common::digest;

/// What a certificate says about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateInfo {
    /// As people read it: `CN=kubernetes, O=canary`.
    pub subject: String,
    pub not_before: Timestamp,
    /// The first moment at which it is refused.
    pub expires: Timestamp,
    /// SHA-256 over the DER form in lower-case hex, without colons: tells certificates apart.
    pub fingerprint: String,
    /// Serial number in lower-case hex, without colons.
    pub serial: String,
    /// Whether it may sign other certificates.
    pub is_authority: bool,
    /// Raw subject, for the issuer field of what it signs.
    pub(super) subject_der: Vec<u8>,
    /// Subject key identifier, where it carries one.
    pub(super) key_id: Option<Vec<u8>>,
    /// The public key as `SubjectPublicKeyInfo`.
    pub(super) public_key: Vec<u8>,
}

impl CertificateInfo {
    /// Reads the first certificate of a PEM text. In a bundle the signing one stands first.
    pub fn of_pem(what: &str, text: &str) -> Result<Self, PkiError> {
        let unreadable = |reason: String| PkiError::Unreadable {
            what: format!("the certificate of {what}"),
            reason,
        };
        let block = first_certificate(text)
            .ok_or_else(|| unreadable("there is no CERTIFICATE block".to_owned()))?;
        Self::of_der(block.contents()).map_err(unreadable)
    }

    /// Reads a certificate in DER form.
    pub fn read_der(what: &str, der: &[u8]) -> Result<Self, PkiError> {
        Self::of_der(der).map_err(|reason| PkiError::Unreadable {
            what: format!("the certificate of {what}"),
            reason,
        })
    }

    fn of_der(der: &[u8]) -> Result<Self, String> {
        let (_, certificate) = X509Certificate::from_der(der)
            .map_err(|error| format!("it is not an X.509 certificate ({error})"))?;
        let time = |seconds| Timestamp::from_second(seconds).map_err(|error| error.to_string());
        let key_id = certificate.iter_extensions().find_map(|extension| {
            match extension.parsed_extension() {
                ParsedExtension::SubjectKeyIdentifier(id) => Some(id.0.to_vec()),
                _ => None,
            }
        });
        Ok(Self {
            subject: certificate.subject().to_string(),
            not_before: time(certificate.validity().not_before.timestamp())?,
            expires: time(certificate.validity().not_after.timestamp())?,
            fingerprint: fingerprint(der),
            serial: digest::hex(certificate.raw_serial()),
            is_authority: certificate.is_ca(),
            subject_der: certificate.subject().as_raw().to_vec(),
            key_id,
            public_key: certificate.public_key().raw.to_vec(),
        })
    }
}

/// The first certificate of a PEM text, as a PEM block.
pub(super) fn first_certificate(text: &str) -> Option<pem::Pem> {
    let blocks = pem::parse_many(text).ok()?;
    blocks
        .into_iter()
        .find(|block| block.tag() == "CERTIFICATE")
}

/// PEM with the line ends of Unix.
pub(super) fn to_pem(tag: &str, der: &[u8]) -> String {
    let config = pem::EncodeConfig::new().set_line_ending(pem::LineEnding::LF);
    pem::encode_config(&pem::Pem::new(tag, der), config)
}

fn fingerprint(der: &[u8]) -> String {
    digest::sha256(der)
}
