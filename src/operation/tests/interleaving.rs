//! Two at once, slow holders, lost answers: never two that both write.

use super::*;

/// Two that want a lock whose holder is gone, with turns between request and effect.
#[tokio::test(start_paused = true)]
async fn one_of_two_takers_gets_the_lock() {
    for seed in 0..200 {
        let first = Simulated::new(SimulationConfig {
            seed,
            faults: Faults {
                turns: 0..=4,
                ..Faults::default()
            },
            ..SimulationConfig::default()
        });
        let (bob, carol) = (first.another(None), first.another(None));
        if seed % 2 == 0 {
            drop(take(&first, "alice").await.expect("free"));
        }
        let contend = async |cloud: &Simulated, host: &str| {
            let taken = take(cloud, host).await;
            if let Ok(lease) = &taken {
                hold(lease, cloud, 100).await;
                assert_eq!(lease.lost_to(), None, "seed {seed}");
            }
            holder(&taken)
        };
        let (b, c) = tokio::join!(contend(&bob, "bob"), contend(&carol, "carol"));
        let ends = [b.as_str(), c.as_str()];
        assert!(
            ends == ["nobody", "bob"] || ends == ["carol", "nobody"],
            "seed {seed}: {ends:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn slow_holder_notices_its_loss_and_writes_nothing_before() {
    let alice = cloud();
    let bob = alice.another(None);
    let slow = take(&alice, "alice").await.expect("free");
    hold(&slow, &alice, 30).await;
    // It gets no processor time for two minutes.
    let taken = take(&bob, "bob").await.expect("stale");
    assert!(!writes(&alice, "/late").await);
    let (written, ()) = tokio::join!(writes(&alice, "/later"), hold(&slow, &alice, 25));
    assert!(!written);
    slow.lost().await;
    assert!(slow.lost_to().is_some_and(|who| who.contains("on bob")));
    assert!(writes(&bob, "/good").await);
    slow.release(Duration::from_secs(5)).await;
    hold(&taken, &bob, 60).await;
    assert_eq!(taken.lost_to(), None);
    assert_eq!(stored(&bob).await.run, "bob");
}

#[tokio::test(start_paused = true)]
async fn taken_between_read_and_write_of_a_slow_holder() {
    let alice = cloud();
    let bob = alice.another(None);
    let slow = take(&alice, "alice").await.expect("free");
    let mut text = stored(&alice).await;
    let taken = take(&bob, "bob").await.expect("stale");
    // Alice had read before Bob wrote: her write lands over his.
    text.replaces += 1;
    alice
        .write_parameter(NAME, &text.text())
        .await
        .expect("written");
    assert_eq!(
        read(&bob, "canary").await,
        Ok(None),
        "a void record says nothing"
    );
    let carol = alice.another(None);
    let (third, ()) = tokio::join!(take(&carol, "carol"), hold(&taken, &bob, 60));
    assert_eq!(holder(&third), "bob");
    assert_eq!(taken.lost_to(), None);
    hold(&slow, &alice, 25).await;
    assert!(slow.lost_to().is_some());
}

#[tokio::test(start_paused = true)]
async fn lost_answers_lose_no_lock() {
    let cloud = cloud();
    strike(
        &cloud,
        "put_parameter_if_absent",
        1,
        FaultKind::AnswerLost(unreachable()),
    );
    let lease = take(&cloud, "alice").await.expect("ours");
    strike(
        &cloud,
        "write_parameter",
        2,
        FaultKind::AnswerLost(unreachable()),
    );
    hold(&lease, &cloud, 100).await;
    assert_eq!(lease.lost_to(), None);
    assert!(writes(&cloud, "/x").await);
    drop(lease);
    strike(
        &cloud,
        "write_parameter",
        1,
        FaultKind::AnswerLost(unreachable()),
    );
    let lease = take(&cloud, "bob").await.expect("stale");
    hold(&lease, &cloud, 100).await;
    assert_eq!(lease.lost_to(), None);
}

#[tokio::test(start_paused = true)]
async fn reads_that_lag_lose_no_lock() {
    let cloud = cloud();
    drop(take(&cloud, "alice").await.expect("free"));
    let lease = take(&cloud, "bob").await.expect("stale");
    strike(
        &cloud,
        "versioned_parameter",
        2,
        FaultKind::Stale(Duration::from_secs(30)),
    );
    hold(&lease, &cloud, 100).await;
    assert_eq!(lease.lost_to(), None);
    assert!(stored(&cloud).await.renewals >= 4);
}

#[tokio::test(start_paused = true)]
async fn failing_renewals_are_said_and_hold_writes_back_until_they_work_again() {
    let cloud = cloud();
    let lease = take(&cloud, "alice").await.expect("free");
    let throttled = CloudError::Throttled("PutParameter".to_owned());
    strike(&cloud, "write_parameter", 14, FaultKind::Refused(throttled));
    let said = RefCell::new(Vec::new());
    let note = |text| said.borrow_mut().push(text);
    let work = async {
        cloud.sleep(Duration::from_secs(50)).await;
        assert!(writes(&cloud, "/early").await);
        cloud.sleep(Duration::from_secs(15)).await;
        assert!(!writes(&cloud, "/held-back").await);
        cloud.sleep(Duration::from_mins(1)).await;
        assert!(writes(&cloud, "/again").await);
    };
    lease.hold(note, work).await;
    let said = said.into_inner();
    assert_eq!(said.len(), 2, "{said:?}");
    assert!(said[0].contains("could not be renewed: AWS asks to slow down"));
    assert_eq!(said[1], "the operation lock is renewed again");
    assert_eq!(lease.lost_to(), None);
}

#[tokio::test(start_paused = true)]
async fn deleted_lock_is_made_again() {
    let cloud = cloud();
    let lease = take(&cloud, "alice").await.expect("free");
    hold(&lease, &cloud, 50).await;
    cloud.delete_parameter(NAME).await.expect("deleted");
    hold(&lease, &cloud, 50).await;
    assert_eq!(lease.lost_to(), None);
    assert_eq!(stored(&cloud).await.run, "alice");
}

#[tokio::test(start_paused = true)]
async fn releasing_takes_no_longer_than_it_may_and_never_frees_what_is_not_held() {
    let alice = cloud();
    let bob = alice.another(None);
    let slow = take(&alice, "alice").await.expect("free");
    let taken = take(&bob, "bob").await.expect("stale");
    slow.release(Duration::from_secs(5)).await;
    assert_eq!(stored(&bob).await.run, "bob");
    let hanging = async {
        bob.change_faults(|faults| faults.unreachable = 1.0);
        let start = bob.now();
        taken.release(Duration::from_millis(700)).await;
        elapsed(start, bob.now()).as_secs()
    };
    assert_eq!(hanging.await, 0);
}
