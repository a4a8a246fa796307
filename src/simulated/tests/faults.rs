//! Everything that can go wrong between a question and its answer.

use super::*;

fn with(faults: Faults) -> Simulated {
    Simulated::new(World { faults, ..steady() })
}

#[tokio::test(start_paused = true)]
async fn a_throttled_call_has_no_effect() {
    let cloud = with(Faults {
        throttle: 1.0,
        ..Faults::default()
    });
    let answer = cloud.create(&wanted("s", &network("x"), "t"), &OPEN).await;
    assert_eq!(answer, Err(CloudError::Throttled("create".to_owned())));
    assert_eq!(cloud.stacks_now(), []);
    assert_eq!(cloud.calls().by_verb()["create"], 1);
}

#[tokio::test(start_paused = true)]
async fn an_unreachable_cloud_does_nothing_and_a_lost_answer_hides_what_was_done() {
    let ask = wanted("s", &network("x"), "t");
    let cloud = with(Faults {
        unreachable: 1.0,
        ..Faults::default()
    });
    let answer = cloud.create(&ask, &OPEN).await;
    assert!(matches!(answer, Err(CloudError::Unreachable { .. })));
    assert_eq!(cloud.stacks_now(), []);
    cloud.revive(Faults {
        lost_answer: 1.0,
        ..Faults::default()
    });
    let answer = cloud.create(&ask, &OPEN).await;
    assert!(matches!(answer, Err(CloudError::Unreachable { .. })));
    assert_eq!(cloud.stacks_now().len(), 1);
    cloud.revive(Faults::default());
    let id = cloud.create(&ask, &OPEN).await.unwrap();
    assert_eq!(cloud.stacks_now()[0].id, id);
}

#[tokio::test(start_paused = true)]
async fn a_chance_between_strikes_now_and_then_and_the_same_again_with_the_same_seed() {
    async fn struck(seed: u64) -> Vec<bool> {
        let faults = Faults {
            throttle: 0.3,
            ..Faults::default()
        };
        let cloud = Simulated::new(World {
            seed,
            faults,
            ..World::default()
        });
        let mut struck = Vec::new();
        for _ in 0..60 {
            struck.push(cloud.in_progress_stacks().await.is_err());
        }
        struck
    }
    let first = struck(5).await;
    let times = first.iter().filter(|struck| **struck).count();
    assert!((8..30).contains(&times), "{times} of 60");
    assert_eq!(first, struck(5).await);
    assert_ne!(first, struck(6).await);
}

#[tokio::test(start_paused = true)]
async fn a_stale_read_tells_of_what_was() {
    let cloud = with(Faults {
        stale_read: 1.0,
        stale_for: Duration::from_secs(20),
        ..Faults::default()
    });
    let id = cloud
        .create(&wanted("s", &network("x"), "t"), &OPEN)
        .await
        .unwrap();
    let mut unseen = false;
    for _ in 0..20 {
        cloud.sleep(Duration::from_millis(200)).await;
        unseen |= cloud.stack(&id).await.unwrap().is_none();
    }
    assert!(
        unseen,
        "a stack that is only just there is not seen at times"
    );
    let found = rest(&cloud, &id).await;
    assert_eq!(found.status, StackStatus::CreateComplete);
    let mut behind = false;
    for _ in 0..20 {
        let seen = cloud.stack(&id).await.unwrap().unwrap();
        behind |= seen.status == StackStatus::CreateInProgress;
    }
    assert!(behind);
    cloud.sleep(Duration::from_secs(21)).await;
    let seen = cloud.stack(&id).await.unwrap().unwrap();
    assert_eq!(seen.status, StackStatus::CreateComplete);
    assert!(cloud.in_progress_stacks().await.unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn late_doubled_and_shuffled_events_are_all_there_in_the_end() {
    let cloud = with(Faults {
        late_events: 0.5,
        duplicate_pages: 0.5,
        reorder: 0.5,
        ..Faults::default()
    });
    let id = cloud
        .create(&wanted("s", &network("x"), "t"), &OPEN)
        .await
        .unwrap();
    let asked = Asked {
        stack_id: id.clone(),
        token: Some("t".to_owned()),
    };
    let (mut seen, mut heard, mut doubled, mut late) = (HashSet::new(), Vec::new(), false, false);
    for _ in 0..60 {
        for event in cloud.events(&asked, &seen.clone()).await.unwrap() {
            late |= heard
                .last()
                .is_some_and(|last: &StackEvent| last.at > event.at);
            doubled |= !seen.insert(event.id.clone());
            heard.push(event);
        }
        cloud.sleep(Duration::from_secs(1)).await;
    }
    let all: HashSet<String> = cloud.history().into_iter().map(|event| event.id).collect();
    assert_eq!(seen, all);
    assert!(
        doubled && late,
        "doubled {doubled}, late or shuffled {late}"
    );
}

#[tokio::test(start_paused = true)]
async fn credentials_expire_after_so_many_calls() {
    let cloud = with(Faults {
        expire_after: Some(2),
        ..Faults::default()
    });
    assert!(cloud.identity().await.is_ok());
    assert!(cloud.in_progress_stacks().await.is_ok());
    for _ in 0..2 {
        let answer = cloud.in_progress_stacks().await;
        assert!(matches!(answer, Err(CloudError::Credentials { .. })));
    }
    cloud.revive(Faults::default());
    assert!(cloud.in_progress_stacks().await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_killed_caller_gets_no_answer_and_the_cloud_goes_on_without_it() {
    for (when, stacks) in [(Moment::BeforeEffect, 0), (Moment::AfterEffect, 1)] {
        let kill_after = Some(Kill { call: 2, when });
        let cloud = with(Faults {
            kill_after,
            ..Faults::default()
        });
        let ask = wanted("s", &network("x"), "t");
        let life = async {
            cloud.in_progress_stacks().await.unwrap();
            let _ = cloud.create(&ask, &OPEN).await;
            panic!("answered");
        };
        tokio::select! {
            () = life => {}
            () = cloud.killed() => {}
        }
        assert_eq!(cloud.stacks_now().len(), stacks);
        let waiting =
            tokio::time::timeout(Duration::from_mins(1), cloud.in_progress_stacks()).await;
        assert!(waiting.is_err(), "the dead get no answers");
        cloud.revive(Faults::default());
        let id = cloud.create(&ask, &OPEN).await.unwrap();
        let found = rest(&cloud, &id).await;
        assert_eq!(found.status, StackStatus::CreateComplete);
        assert_eq!(cloud.writes().len(), 1);
    }
}
