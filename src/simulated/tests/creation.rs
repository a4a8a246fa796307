//! Creating stacks.

use super::*;

#[tokio::test(start_paused = true)]
async fn resources_start_after_their_dependencies() {
    let cloud = Simulated::new(steady());
    let id = made(&cloud, "s", &network("10.0.0.0/16")).await;
    let shown = lines(&events(&cloud, &id).await);
    let wanted = [
        "0 s CREATE_IN_PROGRESS User Initiated",
        "6 Vpc CREATE_IN_PROGRESS",
        "6 Ip CREATE_IN_PROGRESS",
        "7 Vpc CREATE_IN_PROGRESS Resource creation Initiated",
        "8 Ip CREATE_IN_PROGRESS Resource creation Initiated",
        "18 Vpc CREATE_COMPLETE",
        "18 NetA CREATE_IN_PROGRESS",
        "18 NetB CREATE_IN_PROGRESS",
        "18 NetA CREATE_IN_PROGRESS Resource creation Initiated",
        "18 NetB CREATE_IN_PROGRESS Resource creation Initiated",
        "22 NetA CREATE_COMPLETE",
        "22 NetB CREATE_COMPLETE",
        "23 Ip CREATE_COMPLETE",
        "33 s CREATE_COMPLETE",
    ];
    assert_eq!(shown, wanted);
}

#[tokio::test(start_paused = true)]
async fn stack_outputs_are_resource_attributes() {
    let cloud = Simulated::new(steady());
    let id = cloud
        .create(&wanted("s", &network("x"), "t"), &OPEN)
        .await
        .unwrap();
    let early = cloud.stack(&id).await.unwrap().unwrap();
    assert_eq!(
        (early.status, early.outputs.len()),
        (StackStatus::CreateInProgress, 0)
    );
    rest(&cloud, &id).await;
    let found = cloud.stack(&id).await.unwrap().unwrap();
    assert!(
        found.outputs["VpcId"].starts_with("vpc-0"),
        "{:?}",
        found.outputs
    );
    let resources = cloud.resources(&id).await.unwrap();
    let vpc = resources
        .iter()
        .find(|one| one.logical_id == "Vpc")
        .unwrap();
    assert_eq!(vpc.physical_id.as_ref(), Some(&found.outputs["VpcId"]));
    assert_eq!(
        (found.cluster.as_str(), found.kind.as_str()),
        ("canary", "s")
    );
}

#[tokio::test(start_paused = true)]
async fn create_is_idempotent_by_token() {
    let cloud = Simulated::new(steady());
    let ask = wanted("s", &network("x"), "t");
    let first = cloud.create(&ask, &OPEN).await.unwrap();
    assert_eq!(cloud.create(&ask, &OPEN).await.unwrap(), first);
    let other = cloud.create(&wanted("s", &network("x"), "u"), &OPEN).await;
    assert_eq!(refusal(other), "Stack [s] already exists");
    assert_eq!(cloud.writes().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn create_failure_cancels_siblings_and_rolls_back() {
    let cloud = Simulated::new(SimulationConfig {
        failures: vec![failing("NetA", Operation::Create)],
        ..steady()
    });
    let id = made(&cloud, "s", &network("x")).await;
    let shown = events(&cloud, &id).await;
    assert_eq!(
        way(&shown, "s"),
        [
            "CREATE_IN_PROGRESS",
            "ROLLBACK_IN_PROGRESS",
            "ROLLBACK_COMPLETE"
        ]
    );
    for sibling in ["NetB", "Ip"] {
        assert_eq!(
            reason_of(&shown, sibling, "CREATE_FAILED"),
            "Resource creation cancelled"
        );
    }
    let cause = reason_of(&shown, "NetA", "CREATE_FAILED");
    assert!(
        cause.contains("is not authorized to perform: ec2:CreateSubnet"),
        "{cause}"
    );
    let summary = reason_of(&shown, "s", "ROLLBACK_IN_PROGRESS");
    let (begin, end) = (
        "The following resource(s) failed to create: [NetA, ",
        "Rollback requested by user.",
    );
    assert!(
        summary.starts_with(begin) && summary.ends_with(end),
        "{summary}"
    );
    let lines = lines(&shown);
    let place = |text: &str| lines.iter().position(|line| line.contains(text)).unwrap();
    assert!(place("NetB DELETE_COMPLETE") < place("Vpc DELETE_IN_PROGRESS"));
    let left = cloud.resources(&id).await.unwrap();
    assert!(
        left.iter()
            .all(|one| one.status.as_str() == "DELETE_COMPLETE")
    );
}

#[tokio::test(start_paused = true)]
async fn retained_resource_survives_a_create_rollback() {
    let mut template = network("x");
    template["Resources"]["Vpc"]["DeletionPolicy"] = json!("Retain");
    let cloud = Simulated::new(SimulationConfig {
        failures: vec![failing("NetA", Operation::Create)],
        ..steady()
    });
    let id = made(&cloud, "s", &template).await;
    let shown = events(&cloud, &id).await;
    assert_eq!(way(&shown, "Vpc").last().unwrap(), "DELETE_SKIPPED");
    assert_eq!(
        cloud.stack(&id).await.unwrap().unwrap().status,
        StackStatus::RollbackComplete
    );
}

#[tokio::test(start_paused = true)]
async fn failed_create_rollback_names_the_resources() {
    let cloud = Simulated::new(SimulationConfig {
        failures: vec![
            failing("NetA", Operation::Create),
            failing("Vpc", Operation::Delete),
        ],
        ..steady()
    });
    let id = made(&cloud, "s", &network("x")).await;
    let found = cloud.stack(&id).await.unwrap().unwrap();
    assert_eq!(found.status, StackStatus::RollbackFailed);
    let shown = "The following resource(s) failed to delete: [Vpc]. ";
    assert_eq!(found.reason.as_deref(), Some(shown));
}

#[tokio::test(start_paused = true)]
async fn group_without_signals_fails_at_its_timeout() {
    let template = json!({"Resources": {
        "G": {"Type": "AWS::AutoScaling::AutoScalingGroup",
            "CreationPolicy": {"ResourceSignal": {"Count": 2, "Timeout": "PT15M"}}},
    }});
    let cloud = Simulated::new(SimulationConfig {
        failures: vec![failing("G", Operation::Create)],
        ..steady()
    });
    let id = cloud
        .create(&wanted("s", &template, "t"), &OPEN)
        .await
        .unwrap();
    cloud.sleep(Duration::from_mins(10)).await;
    let group = cloud.resources(&id).await.unwrap()[0]
        .physical_id
        .clone()
        .unwrap();
    let console = cloud.console(&group).await.unwrap().unwrap();
    assert!(
        console
            .lines
            .last()
            .unwrap()
            .starts_with("kube-cfn boot failed: "),
        "{console:?}"
    );
    rest(&cloud, &id).await;
    let shown = events(&cloud, &id).await;
    let words = "Received 0 SUCCESS signal(s) out of 2.  Unable to satisfy 100% \
                 MinSuccessfulInstancesPercent requirement";
    assert_eq!(reason_of(&shown, "G", "CREATE_FAILED"), words);
    assert!(
        lines(&shown)
            .iter()
            .any(|line| line.starts_with("906 G CREATE_FAILED"))
    );
    // Terminated machines are shown for a while.
    assert_eq!(cloud.console(&group).await.unwrap(), Some(console));
}

#[tokio::test(start_paused = true)]
async fn invalid_create_request_has_no_effect() {
    let cloud = Simulated::new(steady());
    let template = json!({"Parameters": {"A": {"Type": "String"}},
        "Resources": {"R": {"Type": "AWS::IAM::Role"}}});
    let mut ask = wanted("s", &template, "t");
    let missing = refusal(cloud.create(&ask, &OPEN).await);
    assert!(
        missing.contains("Parameters: [A] must have values"),
        "{missing}"
    );
    ask.parameters.insert("A".to_owned(), "a".to_owned());
    ask.capabilities.clear();
    let unacknowledged = refusal(cloud.create(&ask, &OPEN).await);
    assert!(
        unacknowledged.contains("CAPABILITY_IAM"),
        "{unacknowledged}"
    );
    assert_eq!((cloud.all_stacks(), cloud.writes()), (vec![], vec![]));
}

#[tokio::test(start_paused = true)]
async fn same_seed_gives_the_same_events() {
    async fn history_of(seed: u64) -> Vec<StackEvent> {
        let cloud = Simulated::new(SimulationConfig {
            seed,
            failures: vec![failing("NetB", Operation::Create)],
            ..SimulationConfig::default()
        });
        made(&cloud, "other", &database("a", false)).await;
        made(&cloud, "s", &network("x")).await;
        cloud.history()
    }
    let first = history_of(1).await;
    assert_eq!(first, history_of(1).await);
    assert_ne!(first, history_of(2).await);
}
