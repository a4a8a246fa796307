//! Taking, refusing, taking over and giving back.

use super::*;

#[tokio::test(start_paused = true)]
async fn lock_says_who_runs_what_since_when() {
    let cloud = cloud();
    assert_eq!(read(&cloud, "canary").await, Ok(None));
    let lease = take(&cloud, "alice").await.expect("free");
    let running = read(&cloud, "canary").await.expect("asked").expect("held");
    let text = running.to_string();
    let since = format!("since {:.0}", cloud.now());
    for part in ["`apply` by arn:aws:iam::", "on alice)", "run alice", &since] {
        assert!(text.contains(part), "{part} in {text}");
    }
    lease.release(Duration::from_secs(5)).await;
    assert_eq!(read(&cloud, "canary").await, Ok(None));
    let parameter = &cloud.parameters()[NAME];
    assert_eq!(parameter.key, None, "no secret is in it");
}

#[tokio::test(start_paused = true)]
async fn living_holder_is_named_within_a_renewal_and_a_free_lock_is_taken_at_once() {
    let (alice, bob) = (cloud(), "bob");
    let other = alice.another(None);
    let lease = take(&alice, "alice").await.expect("free");
    let ((taken, seconds), ()) = tokio::join!(timed(&other, bob), hold(&lease, &alice, 60));
    assert_eq!(holder(&taken), "alice");
    assert!(seconds <= 25, "{seconds}");
    lease.release(Duration::from_secs(5)).await;
    let (taken, seconds) = timed(&other, bob).await;
    assert!(taken.is_ok());
    assert_eq!(seconds, 0);
}

#[tokio::test(start_paused = true)]
async fn holder_elsewhere_that_is_gone_is_taken_over_after_ninety_seconds() {
    let alice = cloud();
    let other = alice.another(None);
    drop(take(&alice, "alice").await.expect("free"));
    let said = RefCell::new(Vec::new());
    let start = other.now();
    let say = |text| said.borrow_mut().push(text);
    let taken = acquire(&other, claim(&other, "bob"), None, say).await;
    assert!(taken.is_ok());
    assert!((90..=93).contains(&elapsed(start, other.now()).as_secs()));
    let said = said.into_inner();
    assert_eq!(said.len(), 2, "{said:?}");
    assert!(said[0].contains("waiting up to 90s"), "{said:?}");
    assert!(said[1].contains("has not renewed it for 90s"), "{said:?}");
    assert_eq!(stored(&other).await.run, "bob");
}

#[tokio::test(start_paused = true)]
async fn time_since_an_earlier_look_counts() {
    let alice = cloud();
    let other = alice.another(None);
    drop(take(&alice, "alice").await.expect("free"));
    let (seen, running) = observe(&other, "canary").await.expect("asked").expect("it");
    assert_eq!(running.map(|running| running.run).as_deref(), Some("alice"));
    other.sleep(STALE).await;
    let start = other.now();
    let taken = acquire(&other, claim(&other, "bob"), Some(seen), |_| ()).await;
    assert!(taken.is_ok());
    assert_eq!(elapsed(start, other.now()).as_secs(), 0);
}

#[tokio::test(start_paused = true)]
async fn holder_on_this_machine_is_known_at_once() {
    let cloud = cloud();
    let here = |run: &str| Claim::new("canary", OperationVerb::Delete, run, "arn", cloud.now());
    let lease = acquire(&cloud, here("first"), None, |_| ()).await;
    let lease = lease.expect("free");
    let refused = acquire(&cloud, here("second"), None, |_| ()).await.err();
    let Some(LockError::Held { is_here: true, .. }) = refused else {
        panic!("{refused:?}")
    };
    let refused = observe(&cloud, "canary").await.err();
    assert!(matches!(
        refused,
        Some(LockError::Held { is_here: true, .. })
    ));
    // It hangs: it lives, and renews its lock no more.
    drop(lease);
    cloud.sleep(STALE).await;
    assert!(observe(&cloud, "canary").await.is_ok());
    let start = cloud.now();
    let taken = acquire(&cloud, here("third"), None, |_| ()).await;
    assert!(taken.is_ok());
    assert!((90..=93).contains(&elapsed(start, cloud.now()).as_secs()));
    cloud.delete_parameter(NAME).await.expect("deleted");

    let mut ended = here("ended");
    let mut child = std::process::Command::new("true").spawn().expect("started");
    ended.process.pid = child.id();
    child.wait().expect("ended");
    drop(acquire(&cloud, ended, None, |_| ()).await.expect("free"));
    assert_eq!(read(&cloud, "canary").await, Ok(None));
    let start = cloud.now();
    let said = RefCell::new(String::new());
    let taken = acquire(&cloud, here("next"), None, |text| drop(said.replace(text))).await;
    assert!(taken.is_ok());
    assert_eq!(elapsed(start, cloud.now()).as_secs(), 0);
    assert!(said.borrow().contains("has ended"), "{said:?}");
}

#[tokio::test(start_paused = true)]
async fn lock_of_another_version_is_held_and_garbage_is_taken_after_its_time() {
    let cloud = cloud();
    let newer = r#"{"schema": 2, "replaces": 0, "token": "newer", "what": 1}"#;
    cloud.write_parameter(NAME, newer).await.expect("written");
    let (taken, _) = tokio::join!(take(&cloud, "bob"), async {
        cloud.sleep(Duration::from_secs(10)).await;
        let renewed = newer.replace("\"replaces\": 0", "\"replaces\": 1");
        cloud.write_parameter(NAME, &renewed).await
    });
    assert_eq!(holder(&taken), "another run holds the operation lock");
    cloud
        .write_parameter(NAME, "garbage")
        .await
        .expect("written");
    let (taken, seconds) = timed(&cloud, "bob").await;
    assert!(taken.is_ok() && (90..=93).contains(&seconds), "{seconds}");
}

#[tokio::test(start_paused = true)]
async fn without_the_right_to_write_there_is_no_lock() {
    let cloud = cloud();
    let denied = CloudError::Denied {
        caller_may_not: "no".to_owned(),
        action: Some("ssm:PutParameter".to_owned()),
    };
    strike(
        &cloud,
        "put_parameter_if_absent",
        9,
        FaultKind::Refused(denied.clone()),
    );
    assert_eq!(
        take(&cloud, "bob").await.err(),
        Some(LockError::Cloud(denied))
    );
}

#[tokio::test(start_paused = true)]
async fn lock_that_can_not_be_deleted_is_free_at_once() {
    let alice = cloud();
    let denied = CloudError::Denied {
        caller_may_not: "no".to_owned(),
        action: Some("ssm:DeleteParameters".to_owned()),
    };
    let lease = take(&alice, "alice").await.expect("free");
    strike(
        &alice,
        "delete_parameter",
        1,
        FaultKind::Refused(denied.clone()),
    );
    assert_eq!(lease.remove().await, Err(denied));
    assert!(stored(&alice).await.ended.is_some());
    let other = alice.another(None);
    let (taken, seconds) = timed(&other, "bob").await;
    assert!(taken.is_ok() && seconds == 0, "{seconds}");
}

#[tokio::test(start_paused = true)]
async fn deleted_cluster_leaves_no_lock() {
    let cloud = cloud();
    let lease = take(&cloud, "alice").await.expect("free");
    lease.remove().await.expect("removed");
    assert!(cloud.parameters().is_empty());
    assert!(writes(&cloud, "/x").await);
}
