//! Two runs at once, crashes, and what was there before.

use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use proptest::prelude::{ProptestConfig, any, proptest};
use secrecy::ExposeSecret as _;

use super::*;
use crate::cloud::Store as _;
use crate::pki::{Authority, CertificateAuthority, ServiceAccountKey};

type Answer = Result<EnsuredAuthorities, AccessError>;

/// A run that advances one step at a time; dropping it is a crash.
struct Run<'a> {
    future: Pin<Box<dyn Future<Output = Answer> + 'a>>,
    answer: Option<EnsuredAuthorities>,
}

impl<'a> Run<'a> {
    fn new(cloud: &'a Simulated) -> Self {
        Self {
            future: Box::pin(ensure(cloud)),
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

    fn finish(mut self) -> EnsuredAuthorities {
        self.steps(usize::MAX);
        self.answer.unwrap()
    }
}

/// A cloud in which each call takes one turn before its effect and one after.
async fn steady() -> Simulated {
    cloud_with(1, 1..=1).await
}

/// A cloud whose answers arrive in an order of their own.
async fn unsteady(seed: usize) -> Simulated {
    cloud_with(seed as u64 * 2 + 1, 1..=3).await
}

/// Every secret is whole, every plain copy is of the secret beside it, and none says that everything
/// is there before it is.
fn assert_sound(cloud: &Simulated) {
    let names = ParameterNames::of("canary").unwrap();
    let (secret, plain): (BTreeMap<_, _>, BTreeMap<_, _>) = cloud
        .parameters()
        .into_iter()
        .partition(|(_, stored)| stored.key.is_some());
    let plain: BTreeMap<_, _> = plain
        .into_iter()
        .map(|(name, stored)| (name, stored.value.expose_secret().to_owned()))
        .collect();
    assert!(plain.is_empty() || secret.len() == 5, "{:?}", plain.keys());
    for role in Authority::ALL {
        if let Some(stored) = secret.get(&names.secret(role)) {
            let authority = CertificateAuthority::from_bundle(role, &stored.value).unwrap();
            assert_eq!(stored.key, Some(key(cloud)));
            if let Some(copy) = plain.get(&names.certificate(role)) {
                assert_eq!(copy, authority.certificate_pem());
            }
        } else {
            assert!(!plain.contains_key(&names.certificate(role)), "{role}");
        }
    }
    if let Some(public) = plain.get(&names.service_account_public()) {
        let private = &secret[&names.service_account_key()];
        let pair = ServiceAccountKey::from_pem(&private.value).unwrap();
        assert_eq!(public, pair.public_pem());
    }
}

fn assert_complete(cloud: &Simulated) {
    assert_sound(cloud);
    let all = cloud.parameters();
    let secrets = all.values().filter(|stored| stored.key.is_some()).count();
    assert_eq!((secrets, all.len() - secrets), (5, 4));
}

/// Both runs agree on everything, and each secret was made by exactly one of them.
fn assert_one_won_each(one: &EnsuredAuthorities, two: &EnsuredAuthorities) {
    assert_eq!(one.facts, two.facts);
    assert_eq!(one.certificate_pem, two.certificate_pem);
    assert_eq!(one.service_accounts, two.service_accounts);
    let mut made: Vec<_> = one.made.iter().chain(&two.made).collect();
    made.sort();
    made.dedup();
    assert_eq!(made.len(), 5);
    assert_eq!(one.made.len() + two.made.len(), 5);
}

#[tokio::test(start_paused = true)]
async fn second_run_uses_stored_authorities() {
    let cloud = steady().await;
    let first = Run::new(&cloud).finish();
    assert!(first.created());
    let second = Run::new(&cloud).finish();
    assert!(!second.created());
    assert_one_won_each(&first, &second);
    assert_complete(&cloud);
}

/// Two lists, then nine parameters, each read and written: one after another they are twenty requests.
#[tokio::test(start_paused = true)]
async fn parameters_are_read_and_written_in_parallel() {
    let request = 2;
    let cloud = steady().await;
    let taken = Run::new(&cloud).steps(usize::MAX);
    assert_complete(&cloud);
    assert!(taken <= 6 * request + 1, "{taken} steps");
}

#[tokio::test(start_paused = true)]
async fn existing_authorities_need_no_access_to_secrets() {
    let cloud = steady().await;
    deny(&cloud, Some("secret"));
    let refused = ensure(&cloud).await;
    assert!(matches!(refused, Err(AccessError::Denied { .. })));
    cloud.restart(turns_of(1..=1));
    let first = Run::new(&cloud).finish();
    deny(&cloud, Some("secret"));
    let second = ensure(&cloud).await.unwrap();
    assert!(!second.created());
    assert_eq!(second.facts, first.facts);
    assert_eq!(second.certificate_pem, first.certificate_pem);
}

#[tokio::test(start_paused = true)]
async fn concurrent_runs_agree_at_every_step() {
    let alone = Run::new(&unsteady(0).await).steps(usize::MAX);
    for ahead in 0..=alone {
        for meanwhile in 0..=alone {
            let cloud = unsteady(ahead * 100 + meanwhile).await;
            let (mut one, mut two) = (Run::new(&cloud), Run::new(&cloud));
            one.steps(ahead);
            two.steps(meanwhile);
            assert_sound(&cloud);
            assert_one_won_each(&one.finish(), &two.finish());
            assert_complete(&cloud);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn next_run_completes_a_crashed_run() {
    let alone = Run::new(&unsteady(0).await).steps(usize::MAX);
    for reached in 0..=alone {
        for reached_again in [0, reached / 2, reached, reached + 1] {
            let cloud = unsteady(reached * 100 + reached_again).await;
            let (mut one, mut two) = (Run::new(&cloud), Run::new(&cloud));
            one.steps(reached);
            drop(one);
            assert_sound(&cloud);
            two.steps(reached_again);
            drop(two);
            assert_sound(&cloud);
            Run::new(&cloud).finish();
            assert_complete(&cloud);
        }
    }
}

/// Runs something on a paused clock.
fn in_virtual_time<T>(work: impl Future<Output = T>) -> T {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder.enable_time().start_paused(true).build().unwrap();
    runtime.block_on(work)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn any_interleaving_of_three_runs_agrees(
        seed in any::<u16>(),
        turns in proptest::collection::vec(any::<u8>(), 150),
    ) {
        in_virtual_time(async move {
            let cloud = unsteady(usize::from(seed)).await;
            let mut runs = [Run::new(&cloud), Run::new(&cloud), Run::new(&cloud)];
            for turn in turns {
                runs[usize::from(turn % 3)].steps(1);
                assert_sound(&cloud);
            }
            let [one, two, three] = runs.map(Run::finish);
            assert_eq!((&one.facts, &two.facts), (&two.facts, &three.facts));
            assert_eq!(one.made.len() + two.made.len() + three.made.len(), 5);
            assert_complete(&cloud);
        });
    }
}

#[tokio::test(start_paused = true)]
async fn stale_read_is_retried() {
    let cloud = steady().await;
    let first = ensure(&cloud).await.unwrap();
    lag(&cloud, 4);
    let second = ensure(&cloud).await.unwrap();
    assert_one_won_each(&first, &second);
    lag(&cloud, u32::MAX);
    let never = ensure(&cloud).await;
    assert!(matches!(never, Err(AccessError::Vanished(_))));
}

#[tokio::test(start_paused = true)]
async fn certificate_of_another_cluster_is_refused() {
    let cloud = steady().await;
    ensure(&cloud).await.unwrap();
    lose(&cloud, "cp/ca.key");
    let error = ensure(&cloud).await.unwrap_err();
    let message = error.to_string();
    assert!(
        message.starts_with(
            "/kube-cfn/canary/pub/ca.crt does not belong to /kube-cfn/canary/cp/ca.key"
        ),
        "{message}"
    );
    assert_eq!(
        cloud
            .delete_parameters_under("/kube-cfn/canary/", None)
            .await
            .unwrap()
            .len(),
        9
    );
    assert!(ensure(&cloud).await.unwrap().created());
}
