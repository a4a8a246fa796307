//! The key that API servers encrypt secrets with before etcd keeps them, as the file that they read.
//! Must not know where it is stored.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use ring::rand::{SecureRandom, SystemRandom};
use secrecy::{ExposeSecret, SecretBox, SecretString};

use super::PkiError;

/// Length of a secretbox key (`XSalsa20` and `Poly1305`) in bytes.
const KEY_BYTES: usize = 32;

/// Makes an `EncryptionConfiguration` with a new secretbox key for secrets.
///
/// The whole file is the secret: another key is put before the first one without a change here.
/// `identity` reads what was written before there was a key.
pub fn encryption_configuration() -> Result<SecretString, PkiError> {
    let mut filled = Ok(());
    let key = SecretBox::<[u8; KEY_BYTES]>::init_with_mut(|key| {
        filled = SystemRandom::new().fill(key);
    });
    filled.map_err(|_| PkiError::Generate {
        what: "the encryption key".to_owned(),
        reason: "the system gives no random numbers".to_owned(),
    })?;
    let key = SecretString::from(BASE64_STANDARD.encode(key.expose_secret()));
    let text = format!(
        "apiVersion: apiserver.config.k8s.io/v1\n\
         kind: EncryptionConfiguration\n\
         resources:\n\
         - resources: [secrets]\n\
         \x20 providers:\n\
         \x20 - secretbox:\n\
         \x20     keys:\n\
         \x20     - name: k1\n\
         \x20       secret: {}\n\
         \x20 - identity: {{}}\n",
        key.expose_secret()
    );
    Ok(text.into())
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn every_encryption_key_is_random_and_of_the_right_length() {
        let (one, two) = (
            encryption_configuration().unwrap(),
            encryption_configuration().unwrap(),
        );
        assert_ne!(one.expose_secret(), two.expose_secret());
        let read: Value = serde_saphyr::from_str(one.expose_secret()).unwrap();
        let providers = &read["resources"][0]["providers"];
        let key = providers[0]["secretbox"]["keys"][0]["secret"]
            .as_str()
            .unwrap();
        assert_eq!(BASE64_STANDARD.decode(key).unwrap().len(), KEY_BYTES);
        assert_eq!(read["resources"][0]["resources"][0], "secrets");
        assert!(providers[1]["identity"].is_object(), "{providers}");
    }

    #[test]
    fn encryption_key_is_not_in_debug_output() {
        let made = encryption_configuration().unwrap();
        assert!(!format!("{made:?}").contains("secretbox"));
    }
}
