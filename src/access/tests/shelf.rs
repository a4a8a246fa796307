//! A store in memory.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::poll_fn;
use std::task::Poll;

use secrecy::{ExposeSecret, SecretString};

use super::{KEY, Names};
use crate::cloud::{CloudError, Console, PutResult, Store};
use crate::pki::{Authority, CertificateAuthority, ServiceAccountKey};

/// A parameter store that gives way before and after everything it does, so that a test can let
/// two runs take turns, or end one, at every point where a real call could be caught.
#[derive(Default)]
pub(super) struct Shelf {
    pub plain: RefCell<BTreeMap<String, String>>,
    /// Value and KMS key by name.
    pub secret: RefCell<BTreeMap<String, (String, String)>>,
    /// Reads that still answer "there is none", as a lagging replica does.
    pub lag: Cell<u32>,
    pub denied: Cell<bool>,
    /// Where this is not nought, answers take longer or shorter by chance, so that requests which are on
    /// their way together arrive in any order.
    pub chance: Cell<u64>,
    /// Whether only the secrets may not be read.
    pub secrets_denied: Cell<bool>,
}

async fn give_way() {
    let mut gave = false;
    poll_fn(|context| {
        if std::mem::replace(&mut gave, true) {
            Poll::Ready(())
        } else {
            context.waker().wake_by_ref();
            Poll::Pending
        }
    })
    .await;
}

fn denied() -> CloudError {
    CloudError::Denied {
        caller_may_not: "arn:aws:iam::123456789012:user/ada may not".to_owned(),
        action: None,
    }
}

impl Shelf {
    async fn act<T>(&self, act: impl FnOnce() -> T) -> Result<T, CloudError> {
        self.wait().await;
        if self.denied.get() {
            return Err(denied());
        }
        let done = act();
        self.wait().await;
        Ok(done)
    }

    async fn wait(&self) {
        for _ in 0..=self.draw() {
            give_way().await;
        }
    }

    /// Nought to two more turns to wait.
    fn draw(&self) -> u64 {
        let drawn = self.chance.get().wrapping_mul(6_364_136_223_846_793_005);
        self.chance.set(drawn);
        (drawn >> 33) % 3
    }

    fn lags(&self) -> bool {
        let left = self.lag.get();
        self.lag.set(left.saturating_sub(1));
        left > 0
    }

    /// Every secret is whole, every plain copy is of the secret beside it, and none says that everything
    /// is there before it is.
    pub fn assert_sound(&self) {
        let names = Names::of("canary").unwrap();
        let (secret, plain) = (self.secret.borrow(), self.plain.borrow());
        assert!(plain.is_empty() || secret.len() == 5, "{:?}", plain.keys());
        for role in Authority::ALL {
            if let Some((bundle, key)) = secret.get(&names.secret(role)) {
                let bundle = SecretString::from(bundle.as_str());
                let authority = CertificateAuthority::from_bundle(role, &bundle).unwrap();
                assert_eq!(key, KEY);
                if let Some(copy) = plain.get(&names.certificate(role)) {
                    assert_eq!(copy, authority.certificate_pem());
                }
            } else {
                assert!(!plain.contains_key(&names.certificate(role)), "{role}");
            }
        }
        if let Some(public) = plain.get(&names.service_account_public()) {
            let (private, _) = &secret[&names.service_account_key()];
            let pair = ServiceAccountKey::from_pem(&private.as_str().into()).unwrap();
            assert_eq!(public, pair.public_pem());
        }
    }

    pub fn assert_complete(&self) {
        self.assert_sound();
        assert_eq!(self.secret.borrow().len(), 5);
        assert_eq!(self.plain.borrow().len(), 4);
    }
}

impl Store for Shelf {
    async fn parameter(&self, name: &str) -> Result<Option<String>, CloudError> {
        self.act(|| self.plain.borrow().get(name).cloned()).await
    }

    async fn secret(&self, name: &str) -> Result<Option<SecretString>, CloudError> {
        if self.secrets_denied.get() {
            return Err(denied());
        }
        self.act(|| {
            let stored = self.secret.borrow();
            let found = stored.get(name).filter(|_| !self.lags());
            found.map(|(text, _)| text.as_str().into())
        })
        .await
    }

    async fn put_secret_if_absent(
        &self,
        name: &str,
        secret: &SecretString,
        key: &str,
    ) -> Result<PutResult, CloudError> {
        self.act(|| {
            let mut stored = self.secret.borrow_mut();
            if stored.contains_key(name) {
                return PutResult::AlreadyThere;
            }
            let value = (secret.expose_secret().to_owned(), key.to_owned());
            stored.insert(name.to_owned(), value);
            PutResult::Stored
        })
        .await
    }

    async fn put_parameter_if_absent(
        &self,
        name: &str,
        value: &str,
    ) -> Result<PutResult, CloudError> {
        self.act(|| {
            let mut stored = self.plain.borrow_mut();
            if stored.contains_key(name) {
                return PutResult::AlreadyThere;
            }
            stored.insert(name.to_owned(), value.to_owned());
            PutResult::Stored
        })
        .await
    }

    async fn delete_parameters_under(&self, path: &str) -> Result<Vec<String>, CloudError> {
        self.act(|| {
            let mut gone = Vec::new();
            let mut go = |name: &str| {
                let goes = name.starts_with(path);
                if goes {
                    gone.push(name.to_owned());
                }
                !goes
            };
            self.secret.borrow_mut().retain(|name, _| go(name));
            self.plain.borrow_mut().retain(|name, _| go(name));
            gone
        })
        .await
    }

    async fn upload(&self, _: &str, _: &str, _: &[u8]) -> Result<(), CloudError> {
        unreachable!("access uploads nothing")
    }

    async fn object(&self, _: &str, _: &str) -> Result<Option<Vec<u8>>, CloudError> {
        unreachable!("access reads no object")
    }

    async fn empty_bucket(&self, _: &str) -> Result<usize, CloudError> {
        unreachable!("access empties nothing")
    }

    async fn console(&self, _: &str) -> Result<Option<Console>, CloudError> {
        unreachable!("access reads no console")
    }
}
