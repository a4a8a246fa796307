//! Watching the holder of the lock.

use super::*;

#[tokio::test(start_paused = true)]
async fn holder_is_followed_while_it_renews_and_until_it_gives_the_lock_back() {
    let alice = cloud();
    let other = alice.another(None);
    let watch = HolderWatch::new(&other, "canary");
    assert!(!watch.goes_on().await);
    let lease = take(&alice, "alice").await.expect("free");
    let looks = async {
        for _ in 0..40 {
            assert!(watch.goes_on().await);
            assert_eq!(watch.silent(), None);
            other.sleep(Duration::from_secs(10)).await;
        }
    };
    tokio::join!(looks, hold(&lease, &alice, 400));
    lease.release(Duration::from_secs(5)).await;
    assert!(!watch.goes_on().await);
    assert_eq!(watch.silent(), None, "it ended as it should");
}

#[tokio::test(start_paused = true)]
async fn holder_elsewhere_that_is_gone_is_watched_for_ninety_seconds() {
    let alice = cloud();
    let other = alice.another(None);
    drop(take(&alice, "alice").await.expect("free"));
    let watch = HolderWatch::new(&other, "canary");
    let mut looks = 0;
    while watch.goes_on().await {
        looks += 1;
        other.sleep(Duration::from_secs(10)).await;
    }
    assert_eq!(looks, 9);
    let said = watch.silent().expect("it says so");
    assert!(
        said.contains("run alice") && said.contains("not renewed it for 90s"),
        "{said}"
    );
}

#[tokio::test(start_paused = true)]
async fn holder_on_this_machine_is_watched_while_its_process_lives() {
    let cloud = cloud();
    let claim = Claim::new("canary", OperationVerb::Delete, "r", "arn", cloud.now());
    drop(acquire(&cloud, claim, None, |_| ()).await.expect("free"));
    let watch = HolderWatch::new(&cloud, "canary");
    assert!(watch.goes_on().await);
    cloud.sleep(STALE * 3).await;
    assert!(watch.goes_on().await);
}

#[tokio::test(start_paused = true)]
async fn lock_of_a_later_version_counts_as_held() {
    let cloud = cloud();
    let newer = r#"{"schema": 2, "replaces": 0, "token": "newer", "what": 1}"#;
    cloud.write_parameter(NAME, newer).await.expect("written");
    let watch = HolderWatch::new(&cloud, "canary");
    assert!(watch.goes_on().await);
    strike(
        &cloud,
        "versioned_parameter",
        99,
        FaultKind::Refused(unreachable()),
    );
    assert!(
        watch.goes_on().await,
        "what was seen counts without an answer"
    );
}
