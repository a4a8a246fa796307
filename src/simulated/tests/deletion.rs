//! Deleting stacks, and what prevents it.

use super::*;

#[tokio::test(start_paused = true)]
async fn deleted_stack_is_found_by_arn_only() {
    let cloud = Simulated::new(steady());
    let id = made(&cloud, "s", &network("x")).await;
    let found = deleted(&cloud, &id).await;
    assert_eq!(found.status, StackStatus::DeleteComplete);
    let shown = lines(&events(&cloud, &id).await);
    let place = |text: &str| shown.iter().position(|line| line.contains(text)).unwrap();
    assert!(
        place("NetA DELETE_COMPLETE") < place("Vpc DELETE_IN_PROGRESS"),
        "{shown:#?}"
    );
    assert_eq!(cloud.stacks(Some("canary")).await.unwrap(), []);
    assert!(cloud.stack(&id).await.unwrap().is_some());
    assert_eq!(cloud.stack("s").await.unwrap(), None);
    let again = made(&cloud, "s", &network("x")).await;
    assert_ne!(again, id);
}

#[tokio::test(start_paused = true)]
async fn deletion_policies_decide_what_is_retained() {
    let mut template = database("a", false);
    template["Resources"]["Keep"] = json!({"Type": "AWS::EC2::Volume", "DeletionPolicy": "Retain"});
    let cloud = Simulated::new(steady());
    let id = made(&cloud, "s", &template).await;
    deleted(&cloud, &id).await;
    let shown = events(&cloud, &id).await;
    assert_eq!(way(&shown, "Keep"), ["DELETE_SKIPPED"]);
    let mut policies: Vec<_> = cloud
        .losses()
        .into_iter()
        .map(|loss| (loss.logical_id, loss.deletion_policy))
        .collect();
    policies.sort_by(|a, b| a.0.cmp(&b.0));
    assert_eq!(
        policies,
        [
            ("Db".to_owned(), DeletionPolicy::Snapshot),
            ("Keep".to_owned(), DeletionPolicy::Retain)
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn termination_protection_refuses_deletion() {
    let cloud = Simulated::new(steady());
    let id = made(&cloud, "s", &network("x")).await;
    let protected = Protection {
        termination: true,
        policy: None,
    };
    cloud.set_protection(&id, &protected).await.unwrap();
    let shown = refusal(cloud.delete(&id, "d").await);
    assert!(
        shown.contains("cannot be deleted while TerminationProtection is enabled"),
        "{shown}"
    );
    cloud.set_protection(&id, &OPEN).await.unwrap();
    assert_eq!(
        deleted(&cloud, &id).await.status,
        StackStatus::DeleteComplete
    );
}

#[tokio::test(start_paused = true)]
async fn deletion_protection_of_a_database_fails_the_deletion() {
    let cloud = Simulated::new(steady());
    let id = made(&cloud, "s", &database("a", true)).await;
    let found = deleted(&cloud, &id).await;
    assert_eq!(found.status, StackStatus::DeleteFailed);
    let shown = events(&cloud, &id).await;
    assert!(
        reason_of(&shown, "Db", "DELETE_FAILED").contains("Cannot delete protected DB Instance")
    );
    assert_eq!(cloud.losses(), []);
    assert!(cloud.change_property("s", "Db", "DeletionProtection", json!(false)));
    cloud.delete(&id, "again").await.unwrap();
    assert_eq!(rest(&cloud, &id).await.status, StackStatus::DeleteComplete);
}

#[tokio::test(start_paused = true)]
async fn subnet_used_by_another_stack_cannot_be_deleted() {
    let cloud = Simulated::new(steady());
    let id = made(&cloud, "s", &network("x")).await;
    let outputs = cloud.stack(&id).await.unwrap().unwrap().outputs;
    let nat = json!({"Parameters": {"Net": {"Type": "String"}}, "Resources": {
        "Nat": {"Type": "AWS::EC2::NatGateway", "Properties": {"SubnetId": {"Ref": "Net"}}}}});
    let mut ask = wanted("edge", &nat, "t");
    ask.parameters
        .insert("Net".to_owned(), outputs["NetA"].clone());
    let edge = cloud.create(&ask, &OPEN).await.unwrap();
    rest(&cloud, &edge).await;
    let found = deleted(&cloud, &id).await;
    assert_eq!(found.status, StackStatus::DeleteFailed);
    let shown = events(&cloud, &id).await;
    let reason = reason_of(&shown, "NetA", "DELETE_FAILED");
    assert!(
        reason.contains("has dependencies and cannot be deleted"),
        "{reason}"
    );
    assert_eq!(way(&shown, "Vpc"), Vec::<String>::new());
    deleted(&cloud, &edge).await;
    cloud.delete(&id, "again").await.unwrap();
    assert_eq!(rest(&cloud, &id).await.status, StackStatus::DeleteComplete);
}

#[tokio::test(start_paused = true)]
async fn bucket_with_objects_cannot_be_deleted() {
    let template = json!({"Resources": {"B": {"Type": "AWS::S3::Bucket"}},
        "Outputs": {"B": {"Value": {"Ref": "B"}}}});
    let cloud = Simulated::new(steady());
    let id = made(&cloud, "s", &template).await;
    let bucket = cloud.stack(&id).await.unwrap().unwrap().outputs["B"].clone();
    cloud.upload(&bucket, "key", b"bytes").await.unwrap();
    cloud.upload(&bucket, "key", b"bytes").await.unwrap();
    assert_eq!(deleted(&cloud, &id).await.status, StackStatus::DeleteFailed);
    assert_eq!(cloud.empty_bucket(&bucket).await.unwrap(), 1);
    cloud.delete(&id, "again").await.unwrap();
    assert_eq!(rest(&cloud, &id).await.status, StackStatus::DeleteComplete);
    assert!(matches!(
        cloud.upload(&bucket, "key", b"x").await,
        Err(CloudError::NotFound(_))
    ));
    assert_eq!(cloud.empty_bucket(&bucket).await.unwrap(), 0);
}

#[tokio::test(start_paused = true)]
async fn deletion_interrupts_a_creation_but_not_an_update() {
    let cloud = Simulated::new(steady());
    let id = cloud
        .create(&wanted("s", &network("x"), "t"), &OPEN)
        .await
        .unwrap();
    cloud.sleep(Duration::from_secs(10)).await;
    assert_eq!(
        deleted(&cloud, &id).await.status,
        StackStatus::DeleteComplete
    );

    let id = made(&cloud, "s", &database("a", false)).await;
    let set = cloud
        .create_change_set(&wanted("s", &database("b", false), "p"))
        .await
        .unwrap();
    cloud.execute(&set, "x", OnFailure::Rollback).await.unwrap();
    let shown = cloud.delete(&id, "e").await;
    assert!(matches!(shown, Err(CloudError::Conflict(_))), "{shown:?}");
}

#[tokio::test(start_paused = true)]
async fn deletion_is_idempotent_by_token() {
    let cloud = Simulated::new(SimulationConfig {
        failures: vec![failing("Vpc", Operation::Delete)],
        ..steady()
    });
    let id = made(&cloud, "s", &network("x")).await;
    deleted(&cloud, &id).await;
    assert_eq!(deleted(&cloud, &id).await.status, StackStatus::DeleteFailed);
    assert_eq!(cloud.writes().len(), 2);
    cloud.delete(&id, "other").await.unwrap();
    assert_eq!(rest(&cloud, &id).await.status, StackStatus::DeleteComplete);
}
