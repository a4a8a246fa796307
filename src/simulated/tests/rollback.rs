//! Updates that fail, and their rollback.

use super::*;

fn config(failures: Vec<ResourceFailure>, stuck: &[&str]) -> SimulationConfig {
    let stuck = stuck.iter().map(|id| RollbackFailure {
        stack: "s".to_owned(),
        logical_id: (*id).to_owned(),
        reason: None,
        times: 1,
    });
    SimulationConfig {
        failures,
        faults: Faults {
            rollback_fails: stuck.collect(),
            ..Faults::default()
        },
        ..steady()
    }
}

fn next() -> Value {
    let mut next = network("10.1.0.0/16");
    next["Resources"]["Ip"]["Properties"]["Tags"] = json!([{"Key": "a", "Value": "b"}]);
    next["Resources"]["New"] = json!({"Type": "AWS::EC2::EIP"});
    next
}

#[tokio::test(start_paused = true)]
async fn failed_update_is_rolled_back() {
    let cloud = Simulated::new(steady());
    let before_template = network("10.0.0.0/16");
    let id = made(&cloud, "s", &before_template).await;
    let before = cloud.stack(&id).await.unwrap().unwrap();
    cloud.fail(failing("NetA", Operation::Create));
    let found = updated(&cloud, "s", &next()).await;
    assert_eq!(found.status, StackStatus::UpdateRollbackComplete);
    assert_eq!(
        (&found.outputs, &found.tags),
        (&before.outputs, &before.tags)
    );
    assert_eq!(cloud.template(&id).await.unwrap(), before_template);
    let shown = events(&cloud, &id).await;
    assert_eq!(
        way(&shown, "s"),
        [
            "UPDATE_IN_PROGRESS",
            "UPDATE_ROLLBACK_IN_PROGRESS",
            "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS",
            "UPDATE_ROLLBACK_COMPLETE"
        ]
    );
    assert_eq!(way(&shown, "New").last().unwrap(), "DELETE_COMPLETE");
    let resources = cloud.resources(&id).await.unwrap();
    let vpc = resources
        .iter()
        .find(|one| one.logical_id == "Vpc")
        .unwrap();
    assert_eq!(vpc.physical_id.as_ref(), Some(&before.outputs["VpcId"]));
    assert!(resources.iter().all(|one| one.logical_id != "New"));
    let again = cloud
        .create_change_set(&wanted("s", &before_template, "p"))
        .await
        .unwrap();
    assert_eq!(again.changes, []);
    assert!(cloud.losses().iter().all(|loss| matches!(
        loss.how,
        RemovalCause::CreateRolledBack | RemovalCause::UpdateRolledBack
    )));
}

#[tokio::test(start_paused = true)]
async fn failed_update_in_place_cancels_siblings() {
    let cloud = Simulated::new(config(vec![failing("Ip", Operation::Update)], &[]));
    let id = made(&cloud, "s", &network("x")).await;
    let mut next = network("x");
    for name in ["Ip", "NetA"] {
        next["Resources"][name]["Properties"]["Tags"] = json!([{"Key": "a", "Value": "b"}]);
    }
    let found = updated(&cloud, "s", &next).await;
    assert_eq!(found.status, StackStatus::UpdateRollbackComplete);
    let shown = events(&cloud, &id).await;
    assert_eq!(
        reason_of(&shown, "NetA", "UPDATE_FAILED"),
        "Resource update cancelled"
    );
    let summary = reason_of(&shown, "s", "UPDATE_ROLLBACK_IN_PROGRESS");
    assert_eq!(
        summary,
        "The following resource(s) failed to update: [Ip, NetA]. "
    );
}

#[tokio::test(start_paused = true)]
async fn failed_rollback_is_continued_and_skips_the_named_resources() {
    for skip in [vec![], vec!["Ip".to_owned()]] {
        let failures = vec![failing("NetA", Operation::Update)];
        let mut config = config(failures, &["Ip"]);
        config.faults.rollback_fails[0].times = if skip.is_empty() { 1 } else { 9 };
        let cloud = Simulated::new(config);
        let id = made(&cloud, "s", &network("x")).await;
        let mut next = network("x");
        for name in ["Ip", "NetA"] {
            next["Resources"][name]["Properties"]["Tags"] = json!([{"Key": "a", "Value": "b"}]);
        }
        let found = updated(&cloud, "s", &next).await;
        assert_eq!(found.status, StackStatus::UpdateRollbackFailed);
        let shown = "The following resource(s) failed to update: [Ip]. ";
        assert_eq!(found.reason.as_deref(), Some(shown));
        let wrong = cloud.continue_rollback(&id, &["Vpc".to_owned()], "w").await;
        assert!(refusal(wrong).contains("Resource [Vpc] is not in UPDATE_FAILED"));
        cloud.continue_rollback(&id, &skip, "on").await.unwrap();
        cloud.continue_rollback(&id, &skip, "on").await.unwrap();
        let found = rest(&cloud, &id).await;
        assert_eq!(
            found.status,
            StackStatus::UpdateRollbackComplete,
            "{skip:?}"
        );
        let asked = StackOperation {
            stack_id: id.clone(),
            token: Some("on".to_owned()),
        };
        let shown = cloud.events(&asked, &HashSet::new()).await.unwrap();
        assert_eq!(way(&shown, "s")[0], "UPDATE_ROLLBACK_IN_PROGRESS");
        let newest = events(&cloud, &id).await;
        assert_eq!(
            way(&newest, "s")[0],
            "UPDATE_IN_PROGRESS",
            "all of the update"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn update_can_be_cancelled_until_cleanup() {
    let cloud = Simulated::new(steady());
    let id = made(&cloud, "s", &database("a", false)).await;
    let set = cloud
        .create_change_set(&wanted("s", &database("b", false), "p"))
        .await
        .unwrap();
    cloud.execute(&set, "x", OnFailure::Rollback).await.unwrap();
    cloud.sleep(Duration::from_secs(30)).await;
    cloud.cancel_update(&id, "c").await.unwrap();
    let found = rest(&cloud, &id).await;
    assert_eq!(found.status, StackStatus::UpdateRollbackComplete);
    let shown = events(&cloud, &id).await;
    assert_eq!(
        reason_of(&shown, "Db", "UPDATE_FAILED"),
        "Resource update cancelled"
    );
    assert!(
        shown
            .iter()
            .all(|event| event.token.as_deref() == Some("x"))
    );
    let late = refusal(cloud.cancel_update(&id, "d").await);
    assert!(
        late.contains("cannot be called from current stack status"),
        "{late}"
    );
}
