//! The room as a whole over a store in memory: two runs at once, crashes, limits, the cache.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::poll_fn;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use base64::Engine as _;
use jiff::Timestamp;
use proptest::prelude::{ProptestConfig, any, proptest};
use secrecy::{ExposeSecret, SecretString};

use super::*;
use crate::cloud::{CloudError, Kept, Store};
use crate::pki::{Authority, CertificateAuthority, Facts, ServiceAccountKey};

const KEY: &str = "arn:aws:kms:eu-west-1:123456789012:key/k";

/// A parameter store that gives way before and after everything it does, so that a test can let
/// two runs take turns, or end one, at every point where a real call could be caught.
#[derive(Default)]
struct Shelf {
    plain: RefCell<BTreeMap<String, String>>,
    /// Value and KMS key by name.
    secret: RefCell<BTreeMap<String, (String, String)>>,
    /// Reads that still answer "there is none", as a lagging replica does.
    lag: Cell<u32>,
    denied: Cell<bool>,
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

impl Shelf {
    async fn act<T>(&self, act: impl FnOnce() -> T) -> Result<T, CloudError> {
        give_way().await;
        if self.denied.get() {
            return Err(CloudError::Denied {
                caller_may_not: "arn:aws:iam::123456789012:user/ada may not".to_owned(),
                action: None,
            });
        }
        let done = act();
        give_way().await;
        Ok(done)
    }

    fn lags(&self) -> bool {
        let left = self.lag.get();
        self.lag.set(left.saturating_sub(1));
        left > 0
    }

    /// Every secret is whole and every plain copy is of the secret beside it.
    fn assert_sound(&self) {
        let names = Names::of("canary").unwrap();
        let (secret, plain) = (self.secret.borrow(), self.plain.borrow());
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

    fn assert_complete(&self) {
        self.assert_sound();
        assert_eq!(self.secret.borrow().len(), 4);
        assert_eq!(self.plain.borrow().len(), 4);
    }
}

impl Store for Shelf {
    async fn parameter(&self, name: &str) -> Result<Option<String>, CloudError> {
        self.act(|| self.plain.borrow().get(name).cloned()).await
    }

    async fn secret(&self, name: &str) -> Result<Option<SecretString>, CloudError> {
        self.act(|| {
            let stored = self.secret.borrow();
            let found = stored.get(name).filter(|_| !self.lags());
            found.map(|(text, _)| text.as_str().into())
        })
        .await
    }

    async fn keep_secret(
        &self,
        name: &str,
        secret: &SecretString,
        key: &str,
    ) -> Result<Kept, CloudError> {
        self.act(|| {
            let mut stored = self.secret.borrow_mut();
            if stored.contains_key(name) {
                return Kept::AlreadyThere;
            }
            let value = (secret.expose_secret().to_owned(), key.to_owned());
            stored.insert(name.to_owned(), value);
            Kept::Stored
        })
        .await
    }

    async fn keep_parameter(&self, name: &str, value: &str) -> Result<Kept, CloudError> {
        self.act(|| {
            let mut stored = self.plain.borrow_mut();
            if stored.contains_key(name) {
                return Kept::AlreadyThere;
            }
            stored.insert(name.to_owned(), value.to_owned());
            Kept::Stored
        })
        .await
    }

    async fn forget_parameters(&self, path: &str) -> Result<Vec<String>, CloudError> {
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

    async fn empty_bucket(&self, _: &str) -> Result<usize, CloudError> {
        unreachable!("access empties nothing")
    }
}

type Answer = Result<Ensured, AccessError>;

/// A run that advances one step at a time; dropping it is a crash.
struct Run<'a> {
    future: Pin<Box<dyn Future<Output = Answer> + 'a>>,
    answer: Option<Ensured>,
}

impl<'a> Run<'a> {
    fn new(shelf: &'a Shelf) -> Self {
        Self {
            future: Box::pin(ensure_authorities(shelf, "canary", KEY, now())),
            answer: None,
        }
    }

    /// Takes at most `count` steps; returns how many it took.
    fn steps(&mut self, count: usize) -> usize {
        let mut context = Context::from_waker(Waker::noop());
        for taken in 0..count {
            if self.answer.is_some() {
                return taken;
            }
            if let Poll::Ready(answer) = self.future.as_mut().poll(&mut context) {
                self.answer = Some(answer.unwrap());
            }
        }
        count
    }

    fn finish(mut self) -> Ensured {
        self.steps(usize::MAX);
        self.answer.unwrap()
    }
}

fn now() -> Timestamp {
    "2026-11-23T10:00:00Z".parse().unwrap()
}

fn later(minutes: i64) -> Timestamp {
    now() + jiff::SignedDuration::from_mins(minutes)
}

fn limits() -> Limits {
    Limits {
        ttl_seconds: 8 * 3600,
        max_ttl_seconds: 24 * 3600,
    }
}

fn request(user: &str, ttl_seconds: Option<u64>) -> MintRequest {
    MintRequest {
        user: user.to_owned(),
        groups: vec!["kube-cfn:admins".to_owned()],
        ttl_seconds,
    }
}

fn cache_key(user: &str) -> CacheKey {
    CacheKey {
        cluster: "canary".to_owned(),
        scope: "123456789012/eu-west-1".to_owned(),
        request: request(user, None),
    }
}

/// Both runs agree on everything, and each secret was made by exactly one of them.
fn assert_one_won_each(one: &Ensured, two: &Ensured) {
    assert_eq!(one.facts, two.facts);
    assert_eq!(one.certificate_pem, two.certificate_pem);
    assert_eq!(one.service_accounts, two.service_accounts);
    let mut made: Vec<_> = one.made.iter().chain(&two.made).collect();
    made.sort();
    made.dedup();
    assert_eq!(made.len(), 4);
    assert_eq!(one.made.len() + two.made.len(), 4);
}

#[test]
fn a_second_run_uses_what_is_there() {
    let shelf = Shelf::default();
    let first = Run::new(&shelf).finish();
    assert!(first.created());
    let second = Run::new(&shelf).finish();
    assert!(!second.created());
    assert_one_won_each(&first, &second);
    shelf.assert_complete();
}

#[test]
fn of_two_runs_at_once_one_wins_at_every_point() {
    let alone = Run::new(&Shelf::default()).steps(usize::MAX);
    for ahead in 0..=alone {
        for meanwhile in 0..=alone {
            let shelf = Shelf::default();
            let (mut one, mut two) = (Run::new(&shelf), Run::new(&shelf));
            one.steps(ahead);
            two.steps(meanwhile);
            shelf.assert_sound();
            assert_one_won_each(&one.finish(), &two.finish());
            shelf.assert_complete();
        }
    }
}

#[test]
fn a_crash_at_any_point_is_finished_by_the_next_run() {
    let alone = Run::new(&Shelf::default()).steps(usize::MAX);
    for reached in 0..=alone {
        for reached_again in [0, reached / 2, reached, reached + 1] {
            let shelf = Shelf::default();
            let (mut one, mut two) = (Run::new(&shelf), Run::new(&shelf));
            one.steps(reached);
            drop(one);
            shelf.assert_sound();
            two.steps(reached_again);
            drop(two);
            shelf.assert_sound();
            Run::new(&shelf).finish();
            shelf.assert_complete();
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn any_order_of_three_runs_ends_the_same(turns in proptest::collection::vec(any::<u8>(), 150)) {
        let shelf = Shelf::default();
        let mut runs = [Run::new(&shelf), Run::new(&shelf), Run::new(&shelf)];
        for turn in turns {
            runs[usize::from(turn % 3)].steps(1);
            shelf.assert_sound();
        }
        let [one, two, three] = runs.map(Run::finish);
        assert_eq!((&one.facts, &two.facts), (&two.facts, &three.facts));
        assert_eq!(one.made.len() + two.made.len() + three.made.len(), 4);
        shelf.assert_complete();
    }
}

#[tokio::test(start_paused = true)]
async fn a_read_that_lags_behind_the_write_is_asked_again() {
    let shelf = Shelf::default();
    let first = ensure_authorities(&shelf, "canary", KEY, now())
        .await
        .unwrap();
    shelf.lag.set(4);
    let second = ensure_authorities(&shelf, "canary", KEY, now())
        .await
        .unwrap();
    assert_one_won_each(&first, &second);
    shelf.lag.set(u32::MAX);
    let never = ensure_authorities(&shelf, "canary", KEY, now()).await;
    assert!(matches!(never, Err(AccessError::Vanished(_))));
}

#[tokio::test(start_paused = true)]
async fn a_certificate_left_by_another_cluster_stops_the_run() {
    let shelf = Shelf::default();
    ensure_authorities(&shelf, "canary", KEY, now())
        .await
        .unwrap();
    shelf
        .secret
        .borrow_mut()
        .remove("/kube-cfn/canary/cp/ca.key");
    let error = ensure_authorities(&shelf, "canary", KEY, now())
        .await
        .unwrap_err();
    let message = error.to_string();
    assert!(
        message.starts_with(
            "/kube-cfn/canary/pub/ca.crt does not belong to /kube-cfn/canary/cp/ca.key"
        ),
        "{message}"
    );
    assert_eq!(forget(&shelf, "canary").await.unwrap().len(), 8);
    assert!(
        ensure_authorities(&shelf, "canary", KEY, now())
            .await
            .unwrap()
            .created()
    );
}

#[tokio::test(start_paused = true)]
async fn minting_needs_authorities_and_the_right_to_read_them() {
    let shelf = Shelf::default();
    let none = mint(&shelf, "canary", &request("ada", None), limits(), now()).await;
    assert_eq!(
        none.unwrap_err().to_string(),
        "the cluster canary has no authorities in this account and region yet: \
         run `kube-cfn apply canary` first"
    );
    let none = authority_certificate(&shelf, "canary").await;
    assert!(matches!(none, Err(AccessError::NoAuthorities(_))));
    shelf.denied.set(true);
    let denied = mint(&shelf, "canary", &request("ada", None), limits(), now()).await;
    assert_eq!(
        denied.unwrap_err().to_string(),
        "no permission to read /kube-cfn/canary/cp/ca.key: \
         arn:aws:iam::123456789012:user/ada may not; IAM decides who may: \
         this takes ssm:GetParameter on it and kms:Decrypt on the cluster's key"
    );
}

#[tokio::test(start_paused = true)]
async fn a_lifetime_is_the_default_or_what_is_asked_up_to_the_limit() {
    let shelf = Shelf::default();
    ensure_authorities(&shelf, "canary", KEY, now())
        .await
        .unwrap();
    for (asked, minutes) in [(None, 8 * 60), (Some(60), 1), (Some(24 * 3600), 24 * 60)] {
        let made = mint(&shelf, "canary", &request("ada", asked), limits(), now()).await;
        assert_eq!(made.unwrap().expires, later(minutes));
    }
    let long = request("ada", Some(24 * 3600 + 1));
    let error = mint(&shelf, "canary", &long, limits(), now())
        .await
        .unwrap_err();
    assert!(matches!(
        error,
        AccessError::TooLong {
            asked: 86401,
            most: 86400
        }
    ));
}

#[tokio::test(start_paused = true)]
async fn a_stored_text_that_is_no_authority_is_named_not_quoted() {
    let shelf = Shelf::default();
    let junk = ("hunter2".to_owned(), KEY.to_owned());
    shelf
        .secret
        .borrow_mut()
        .insert("/kube-cfn/canary/cp/ca.key".to_owned(), junk);
    let error = mint(&shelf, "canary", &request("ada", None), limits(), now())
        .await
        .unwrap_err();
    let message = format!("{error} {error:?}");
    assert!(message.contains("/kube-cfn/canary/cp/ca.key"), "{message}");
    assert!(!message.contains("hunter2"), "{message}");
}

#[tokio::test(start_paused = true)]
async fn a_fresh_credential_is_used_again_and_an_old_one_is_not() {
    let (shelf, place) = (Shelf::default(), tempfile::tempdir().unwrap());
    ensure_authorities(&shelf, "canary", KEY, now())
        .await
        .unwrap();
    let cache = Cache::at(place.path().join("cache"));
    let key = cache_key("ada");
    let ask = async |at| {
        credential(&shelf, &cache, &key, limits(), None, at)
            .await
            .unwrap()
    };
    let first = ask(now()).await;
    // Eight hours less a tenth.
    for minutes in [0, 60, 432] {
        assert_eq!(
            ask(later(minutes)).await.certificate_pem,
            first.certificate_pem
        );
    }
    let renewed = ask(later(433)).await;
    assert_ne!(renewed.certificate_pem, first.certificate_pem);
    assert_eq!(
        ask(later(434)).await.certificate_pem,
        renewed.certificate_pem
    );
    assert_ne!(
        ask(now()).await.certificate_pem,
        renewed.certificate_pem,
        "a clock set back"
    );
}

#[tokio::test(start_paused = true)]
async fn a_cached_credential_is_for_one_user_and_one_authority() {
    let (shelf, place) = (Shelf::default(), tempfile::tempdir().unwrap());
    ensure_authorities(&shelf, "canary", KEY, now())
        .await
        .unwrap();
    let cache = Cache::at(place.path());
    let made = credential(&shelf, &cache, &cache_key("ada"), limits(), None, now())
        .await
        .unwrap();
    let trusted = made.authority();
    assert!(
        cache
            .find(&cache_key("ada"), trusted.as_deref(), now())
            .is_some()
    );
    assert!(
        cache
            .find(&cache_key("ada"), Some("another"), now())
            .is_none()
    );
    assert!(cache.find(&cache_key("bob"), None, now()).is_none());
    let mut elsewhere = cache_key("ada");
    elsewhere.scope = "123456789012/us-east-1".to_owned();
    assert!(cache.find(&elsewhere, None, now()).is_none());
    cache.forget("canary").unwrap();
    assert!(cache.find(&cache_key("ada"), None, now()).is_none());
    cache.forget("canary").unwrap();
}

#[tokio::test(start_paused = true)]
async fn the_cache_is_closed_to_others_or_does_not_count() {
    let (shelf, place) = (Shelf::default(), tempfile::tempdir().unwrap());
    ensure_authorities(&shelf, "canary", KEY, now())
        .await
        .unwrap();
    let (cache, key) = (Cache::at(place.path().join("deep/cache")), cache_key("ada"));
    let issued = credential(&shelf, &cache, &key, limits(), None, now())
        .await
        .unwrap();
    let directory = place.path().join("deep/cache/canary");
    let file = std::fs::read_dir(&directory)
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().mode() & 0o777;
    let set = |path: &std::path::Path, mode| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    assert_eq!((mode(&file), mode(&directory)), (0o600, 0o700));
    set(&file, 0o640);
    assert!(cache.find(&key, None, now()).is_none());
    set(&file, 0o600);
    assert!(cache.find(&key, None, now()).is_some());
    set(&directory, 0o755);
    assert!(cache.find(&key, None, now()).is_none());
    cache.keep(&key, &issued).unwrap();
    assert_eq!(mode(&directory), 0o700);
    std::fs::write(&file, "{\"certificate\": ").unwrap();
    assert!(cache.find(&key, None, now()).is_none());
    assert!(
        credential(&shelf, &cache, &key, limits(), None, now())
            .await
            .is_ok()
    );
    assert!(
        cache.find(&key, None, now()).is_some(),
        "the broken file was replaced"
    );
}

#[tokio::test(start_paused = true)]
async fn a_cache_that_cannot_be_written_does_not_keep_anybody_out() {
    let (shelf, place) = (Shelf::default(), tempfile::tempdir().unwrap());
    ensure_authorities(&shelf, "canary", KEY, now())
        .await
        .unwrap();
    let blocked = place.path().join("file");
    std::fs::write(&blocked, "").unwrap();
    let cache = Cache::at(&blocked);
    assert!(
        credential(&shelf, &cache, &cache_key("ada"), limits(), None, now())
            .await
            .is_ok()
    );
}

#[tokio::test(start_paused = true)]
async fn the_plugin_answers_in_the_words_of_kubectl() {
    let shelf = Shelf::default();
    ensure_authorities(&shelf, "canary", KEY, now())
        .await
        .unwrap();
    let made = mint(&shelf, "canary", &request("ada", None), limits(), now())
        .await
        .unwrap();
    let answer: serde_json::Value =
        serde_json::from_str(made.exec_credential().expose_secret()).unwrap();
    assert_eq!(answer["apiVersion"], "client.authentication.k8s.io/v1");
    assert_eq!(
        answer["status"]["expirationTimestamp"],
        "2026-11-23T18:00:00Z"
    );
    assert_eq!(
        answer["status"]["clientCertificateData"],
        made.certificate_pem
    );
    assert_eq!(answer["status"]["clientKeyData"], made.key.expose_secret());
    let shown = format!("{made:?} {:?}", made.exec_credential());
    assert!(!shown.contains("BEGIN"), "{shown}");
}

#[tokio::test(start_paused = true)]
async fn the_authority_that_kubectl_trusts_is_read_from_what_it_tells() {
    let shelf = Shelf::default();
    let ensured = ensure_authorities(&shelf, "canary", KEY, now())
        .await
        .unwrap();
    let data = base64::engine::general_purpose::STANDARD.encode(&ensured.certificate_pem);
    let info = serde_json::json!({
        "kind": "ExecCredential",
        "spec": {"interactive": false, "cluster": {"certificate-authority-data": data}},
    });
    let facts = Facts::of_pem("it", &ensured.certificate_pem).unwrap();
    assert_eq!(
        authority_of_exec_info(&info.to_string()),
        Some(facts.fingerprint)
    );
    for silent in [
        "",
        "{}",
        "{\"spec\":{\"cluster\":{\"certificate-authority-data\":\"?\"}}}",
    ] {
        assert_eq!(authority_of_exec_info(silent), None);
    }
}
