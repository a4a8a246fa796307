//! Private keys: made, read, written as PKCS#8 PEM, wiped from memory on drop.
//! Must not know what a key is for, but for the pair that signs service-account tokens.

use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256};
use secrecy::{ExposeSecret, SecretBox, SecretString};

use super::PkiError;

/// A parsed private key.
pub(super) struct PrivateKey(SecretBox<KeyPair>);

impl PrivateKey {
    pub(super) fn generate(what: &str) -> Result<Self, PkiError> {
        let pair = KeyPair::generate().map_err(|error| PkiError::Generate {
            what: format!("the key of {what}"),
            reason: error.to_string(),
        })?;
        Ok(Self(SecretBox::new(Box::new(pair))))
    }

    /// Reads the first private key of a PEM text; other blocks are passed over, as client-go does.
    pub(super) fn from_pem(what: &str, text: &SecretString) -> Result<Self, PkiError> {
        let unreadable = |reason: String| PkiError::Unreadable {
            what: format!("the private key of {what}"),
            reason,
        };
        let blocks = pem::parse_many(text.expose_secret())
            .map_err(|_| unreadable("it is not valid PEM".to_owned()))?;
        let block = blocks
            .iter()
            .find(|block| block.tag().ends_with("PRIVATE KEY"))
            .ok_or_else(|| unreadable("there is no PRIVATE KEY block".to_owned()))?;
        if block.tag() != "PRIVATE KEY" {
            let reason = format!("the block {} is not PKCS#8", block.tag());
            return Err(unreadable(reason));
        }
        let pair = KeyPair::try_from(block.contents())
            .map_err(|_| unreadable("it is not a PKCS#8 key of a known algorithm".to_owned()))?;
        if pair.algorithm() != &PKCS_ECDSA_P256_SHA256 {
            return Err(PkiError::Algorithm {
                what: format!("the private key of {what}"),
            });
        }
        Ok(Self(SecretBox::new(Box::new(pair))))
    }

    pub(super) fn pair(&self) -> &KeyPair {
        self.0.expose_secret()
    }

    /// PKCS#8, `BEGIN PRIVATE KEY`.
    pub(super) fn to_pem(&self) -> SecretString {
        self.pair().serialize_pem().into()
    }
}

/// The pair that signs and checks service-account tokens: kubeadm's `sa.key` and `sa.pub`.
pub struct ServiceAccountKey {
    private: SecretString,
    public: String,
}

impl ServiceAccountKey {
    /// Makes a new one.
    pub fn generate() -> Result<Self, PkiError> {
        Ok(Self::of(&PrivateKey::generate(Self::NAME)?))
    }

    /// Reads it back from its private half; the public half follows from that.
    pub fn from_pem(private: &SecretString) -> Result<Self, PkiError> {
        Ok(Self::of(&PrivateKey::from_pem(Self::NAME, private)?))
    }

    const NAME: &str = "the service accounts";

    fn of(key: &PrivateKey) -> Self {
        Self {
            private: key.to_pem(),
            public: key.pair().public_key_pem(),
        }
    }

    /// `sa.key`: PKCS#8 PEM.
    pub fn private_pem(&self) -> &SecretString {
        &self.private
    }

    /// `sa.pub`: PKIX public key, `BEGIN PUBLIC KEY`.
    pub fn public_pem(&self) -> &str {
        &self.public
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn public_key_is_derived_from_the_private_key() {
        let made = ServiceAccountKey::generate().unwrap();
        let read = ServiceAccountKey::from_pem(made.private_pem()).unwrap();
        assert_eq!(read.public_pem(), made.public_pem());
        assert!(made.public_pem().starts_with("-----BEGIN PUBLIC KEY-----"));
    }

    #[test]
    fn invalid_key_is_named_but_never_quoted() {
        for (text, word) in [
            ("", "no PRIVATE KEY block"),
            (
                "-----BEGIN EC PRIVATE KEY-----\nc2VjcmV0\n-----END EC PRIVATE KEY-----\n",
                "not PKCS#8",
            ),
            (
                "-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n",
                "known algorithm",
            ),
        ] {
            let error = ServiceAccountKey::from_pem(&text.into()).err().unwrap();
            let message = error.to_string();
            assert!(message.contains("the service accounts"), "{message}");
            assert!(message.contains(word), "{message}");
            assert!(!message.contains("c2VjcmV0"), "{message}");
        }
    }
}
