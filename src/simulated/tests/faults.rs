//! Everything that can go wrong between a question and its answer.

use std::collections::BTreeSet;

use super::*;

fn with(faults: Faults) -> Simulated {
    Simulated::new(SimulationConfig { faults, ..steady() })
}

#[tokio::test(start_paused = true)]
async fn throttled_call_has_no_effect() {
    let cloud = with(Faults {
        throttle: 1.0,
        ..Faults::default()
    });
    let answer = cloud.create(&wanted("s", &network("x"), "t"), &OPEN).await;
    assert_eq!(answer, Err(CloudError::Throttled("create".to_owned())));
    assert_eq!(cloud.all_stacks(), []);
    assert_eq!(cloud.calls().by_verb()["create"], 1);
}

#[tokio::test(start_paused = true)]
async fn unreachable_has_no_effect_and_a_lost_answer_has() {
    let ask = wanted("s", &network("x"), "t");
    let cloud = with(Faults {
        unreachable: 1.0,
        ..Faults::default()
    });
    let answer = cloud.create(&ask, &OPEN).await;
    assert!(matches!(answer, Err(CloudError::Unreachable { .. })));
    assert_eq!(cloud.all_stacks(), []);
    cloud.restart(Faults {
        lost_answer: 1.0,
        ..Faults::default()
    });
    let answer = cloud.create(&ask, &OPEN).await;
    assert!(matches!(answer, Err(CloudError::Unreachable { .. })));
    assert_eq!(cloud.all_stacks().len(), 1);
    cloud.restart(Faults::default());
    let id = cloud.create(&ask, &OPEN).await.unwrap();
    assert_eq!(cloud.all_stacks()[0].id, id);
}

#[tokio::test(start_paused = true)]
async fn random_faults_are_repeatable_by_seed() {
    async fn struck(seed: u64) -> Vec<bool> {
        let faults = Faults {
            throttle: 0.3,
            ..Faults::default()
        };
        let cloud = Simulated::new(SimulationConfig {
            seed,
            faults,
            ..SimulationConfig::default()
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
async fn stale_read_shows_an_earlier_state() {
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
async fn late_duplicate_and_reordered_events_are_complete() {
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
    let asked = StackOperation {
        stack_id: id.clone(),
        token: Some("t".to_owned()),
    };
    let (mut seen, mut received, mut doubled, mut late) =
        (HashSet::new(), Vec::new(), false, false);
    for _ in 0..60 {
        for event in cloud.events(&asked, &seen.clone()).await.unwrap() {
            late |= received
                .last()
                .is_some_and(|last: &StackEvent| last.at > event.at);
            doubled |= !seen.insert(event.id.clone());
            received.push(event);
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
async fn credentials_expire_after_a_number_of_calls() {
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
    cloud.restart(Faults::default());
    assert!(cloud.in_progress_stacks().await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn crashed_process_gets_no_answer() {
    for (when, stacks) in [(CrashPoint::BeforeEffect, 0), (CrashPoint::AfterEffect, 1)] {
        let crash_at = Some(Crash { call: 2, when });
        let cloud = with(Faults {
            crash_at,
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
            () = cloud.crashed() => {}
        }
        assert_eq!(cloud.all_stacks().len(), stacks);
        let waiting =
            tokio::time::timeout(Duration::from_mins(1), cloud.in_progress_stacks()).await;
        assert!(waiting.is_err(), "a crashed process gets no answers");
        cloud.restart(Faults::default());
        let id = cloud.create(&ask, &OPEN).await.unwrap();
        let found = rest(&cloud, &id).await;
        assert_eq!(found.status, StackStatus::CreateComplete);
        assert_eq!(cloud.writes().len(), 1);
    }
}

fn strike(verb: &'static str, after: u32, times: u32, kind: FaultKind) -> CallFault {
    CallFault {
        verb: Some(verb),
        about: Some("s".to_owned()),
        after,
        times,
        kind,
    }
}

#[tokio::test(start_paused = true)]
async fn scripted_fault_affects_its_calls_only() {
    let cloud = Simulated::new(steady());
    let no = CloudError::Throttled("no".to_owned());
    let refused = FaultKind::Refused(no.clone());
    cloud.change_faults(|faults| faults.calls.push(strike("stack", 1, 2, refused)));
    for fails in [false, true, true, false] {
        assert_eq!(cloud.stack("other").await, Ok(None));
        assert_eq!(cloud.in_progress_stacks().await, Ok(BTreeSet::new()));
        assert_eq!(cloud.stack("s").await.is_err(), fails);
    }
    let lost = FaultKind::AnswerLost(no.clone());
    cloud.change_faults(|faults| faults.calls.push(strike("create", 0, 1, lost)));
    let answer = cloud.create(&wanted("s", &network("x"), "t"), &OPEN).await;
    assert_eq!((answer, cloud.all_stacks().len()), (Err(no), 1));
    let calls = cloud.calls();
    let newest = calls.all().last().unwrap();
    assert_eq!((newest.verb, newest.about.as_str()), ("create", "s"));
}

#[tokio::test(start_paused = true)]
async fn scripted_stale_read_shows_an_earlier_state() {
    let cloud = Simulated::new(steady());
    let id = made(&cloud, "s", &network("x")).await;
    let stale = FaultKind::Stale(Duration::from_secs(30));
    cloud.change_faults(|faults| faults.calls.push(strike("stack", 0, 1, stale.clone())));
    let seen = cloud.stack(&id).await.unwrap().unwrap();
    assert_eq!(seen.status, StackStatus::CreateInProgress);
    cloud.put_parameter_if_absent("/p", "v").await.unwrap();
    cloud.change_faults(|faults| {
        faults.calls.push(CallFault {
            about: None,
            ..strike("parameter", 0, 1, stale)
        });
    });
    assert_eq!(cloud.parameter("/p").await, Ok(None));
    assert_eq!(cloud.parameter("/p").await, Ok(Some("v".to_owned())));
}

#[tokio::test(start_paused = true)]
async fn late_event_is_readable_after_newer_ones() {
    let cloud = with(Faults {
        late: vec![LateEvent {
            logical_id: "Vpc".to_owned(),
            status: "CREATE_COMPLETE",
            by: Duration::from_mins(5),
        }],
        ..Faults::default()
    });
    let id = made(&cloud, "s", &network("x")).await;
    let done = |all: &[StackEvent]| way(all, "Vpc").iter().any(|one| one == "CREATE_COMPLETE");
    assert!(!done(&events(&cloud, &id).await));
    cloud.sleep(Duration::from_mins(5)).await;
    assert!(done(&events(&cloud, &id).await));
}

#[tokio::test(start_paused = true)]
async fn disabled_rollback_stops_at_the_failure() {
    let cloud = Simulated::new(steady());
    cloud.fail(failing("NetA", Operation::Create));
    let first = wanted("s", &network("x"), "t");
    let id = cloud.create(&first, &OPEN).await.unwrap();
    let stack = "s".to_owned();
    assert!(cloud.apply_external_change(&ExternalChange::DisableRollback { stack }));
    let found = rest(&cloud, &id).await;
    assert_eq!(found.status, StackStatus::CreateFailed);
    let set = cloud.create_change_set(&first).await.unwrap();
    let ids: Vec<&str> = set
        .changes
        .iter()
        .map(|one| one.logical_id.as_str())
        .collect();
    assert_eq!(ids, ["NetA", "NetB", "Ip"]);
    let answer = cloud.execute(&set, "e", OnFailure::Rollback).await;
    assert!(refusal(answer).contains("use the disable-rollback parameter"));
    cloud
        .execute(&set, "e", OnFailure::DoNothing)
        .await
        .unwrap();
    let found = rest(&cloud, &id).await;
    assert_eq!(found.status, StackStatus::UpdateComplete);
    assert!(found.outputs.contains_key("NetA"));
}
