//! Updates that go well.

use super::*;

#[tokio::test(start_paused = true)]
async fn update_touches_changed_resources_and_cleans_up() {
    let cloud = Simulated::new(steady());
    let id = made(&cloud, "s", &network("x")).await;
    let mut next = network("x");
    next["Resources"]["NetC"] = next["Resources"]["NetB"].take();
    next["Resources"].as_object_mut().unwrap().remove("NetB");
    next["Resources"]["Ip"]["Properties"]["Tags"] = json!([{"Key": "a", "Value": "b"}]);
    let found = updated(&cloud, "s", &next).await;
    assert_eq!(found.status, StackStatus::UpdateComplete);
    let shown = events(&cloud, &id).await;
    assert_eq!(
        way(&shown, "s"),
        [
            "UPDATE_IN_PROGRESS",
            "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS",
            "UPDATE_COMPLETE"
        ]
    );
    assert_eq!(way(&shown, "Ip"), ["UPDATE_IN_PROGRESS", "UPDATE_COMPLETE"]);
    assert_eq!(
        way(&shown, "NetB"),
        ["DELETE_IN_PROGRESS", "DELETE_COMPLETE"]
    );
    assert_eq!(way(&shown, "NetC").last().unwrap(), "CREATE_COMPLETE");
    assert_eq!(way(&shown, "Vpc"), Vec::<String>::new());
    let ids: Vec<_> = cloud.resources(&id).await.unwrap();
    assert!(ids.iter().all(|one| one.logical_id != "NetB"));
    assert_eq!(cloud.template(&id).await.unwrap(), next);
    let write = cloud.writes().pop().unwrap();
    assert_eq!(
        (write.verb, write.deleted),
        ("execute", vec!["NetB".to_owned()])
    );
}

#[tokio::test(start_paused = true)]
async fn replacement_creates_before_it_deletes() {
    let cloud = Simulated::new(steady());
    let id = made(&cloud, "s", &network("10.0.0.0/16")).await;
    let before = cloud.stack(&id).await.unwrap().unwrap();
    let found = updated(&cloud, "s", &network("10.1.0.0/16")).await;
    assert_ne!(before.outputs["VpcId"], found.outputs["VpcId"]);
    assert_ne!(before.outputs["NetA"], found.outputs["NetA"]);
    let shown = events(&cloud, &id).await;
    let reason = reason_of(&shown, "Vpc", "UPDATE_IN_PROGRESS");
    assert!(
        reason.contains("requires the creation of a new physical resource"),
        "{reason}"
    );
    assert_eq!(
        way(&shown, "Vpc"),
        [
            "UPDATE_IN_PROGRESS",
            "UPDATE_IN_PROGRESS",
            "UPDATE_COMPLETE",
            "DELETE_IN_PROGRESS",
            "DELETE_COMPLETE"
        ]
    );
    assert_eq!(way(&shown, "Ip"), Vec::<String>::new());
    let old = shown
        .iter()
        .rev()
        .find(|event| event.logical_id == "Vpc")
        .unwrap();
    assert_eq!(old.physical_id.as_ref(), Some(&before.outputs["VpcId"]));
    let vpc = &cloud.resources(&id).await.unwrap()[0];
    assert_eq!(vpc.status.as_str(), "UPDATE_COMPLETE");
    let lost: Vec<_> = cloud.losses();
    assert_eq!(lost.len(), 3);
    assert!(lost.iter().all(|loss| loss.how == RemovalCause::Replaced));
    assert_eq!(
        cloud.writes().pop().unwrap().replaced,
        ["Vpc", "NetA", "NetB"]
    );
}

#[tokio::test(start_paused = true)]
async fn update_replace_policy_applies_to_the_old_resource() {
    for (policy, last, deletion_policy) in [
        ("Retain", "DELETE_SKIPPED", DeletionPolicy::Retain),
        ("Snapshot", "DELETE_COMPLETE", DeletionPolicy::Snapshot),
        ("Delete", "DELETE_COMPLETE", DeletionPolicy::Delete),
    ] {
        let template = |name: &str| {
            let mut template = database("a", false);
            template["Resources"]["Db"]["UpdateReplacePolicy"] = json!(policy);
            template["Resources"]["Db"]["Properties"]["DBName"] = json!(name);
            template
        };
        let cloud = Simulated::new(steady());
        let id = made(&cloud, "s", &template("one")).await;
        updated(&cloud, "s", &template("two")).await;
        let shown = events(&cloud, &id).await;
        assert_eq!(way(&shown, "Db").last().unwrap(), last);
        let loss = cloud.losses().pop().unwrap();
        assert_eq!(
            (loss.logical_id.as_str(), loss.deletion_policy),
            ("Db", deletion_policy)
        );
        assert_eq!(loss.token.as_deref(), Some("execute-1"));
    }
}

#[tokio::test(start_paused = true)]
async fn launch_template_change_makes_a_new_version() {
    let template = |image: &str| {
        json!({"Resources": {
            "L": {"Type": "AWS::EC2::LaunchTemplate",
                "Properties": {"LaunchTemplateData": {"ImageId": image}}},
            "G": {"Type": "AWS::AutoScaling::AutoScalingGroup", "Properties": {"LaunchTemplate":
                {"Version": {"Fn::GetAtt": ["L", "LatestVersionNumber"]}}}},
        }, "Outputs": {"V": {"Value": {"Fn::GetAtt": ["L", "LatestVersionNumber"]}}}})
    };
    let cloud = Simulated::new(steady());
    let id = made(&cloud, "s", &template("ami-1")).await;
    let found = updated(&cloud, "s", &template("ami-2")).await;
    assert_eq!(found.outputs["V"], "2");
    let shown = events(&cloud, &id).await;
    assert_eq!(way(&shown, "G"), ["UPDATE_IN_PROGRESS", "UPDATE_COMPLETE"]);
}

#[tokio::test(start_paused = true)]
async fn possible_change_without_a_difference_is_skipped() {
    let template = |sentence: &str| {
        json!({"Resources": {
            "K": {"Type": "AWS::KMS::Key", "Properties": {"Description": sentence}},
            "A": {"Type": "AWS::EC2::Volume", "Properties": {"KmsKeyId": {"Fn::GetAtt": ["K", "Arn"]}}},
        }})
    };
    let cloud = Simulated::new(steady());
    let id = made(&cloud, "s", &template("one")).await;
    let set = cloud
        .create_change_set(&wanted("s", &template("two"), "p"))
        .await
        .unwrap();
    let named: Vec<_> = set
        .changes
        .iter()
        .map(|one| one.logical_id.as_str())
        .collect();
    assert_eq!(named, ["K", "A"]);
    executed(&cloud, &set).await;
    assert_eq!(way(&events(&cloud, &id).await, "A"), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn stack_policy_denies_updates() {
    let policy = json!({"Statement": [
        {"Effect": "Allow", "Principal": "*", "Action": "Update:*", "Resource": "*"},
        {"Effect": "Deny", "Principal": "*", "Action": ["Update:Replace", "Update:Delete"],
         "Resource": ["LogicalResourceId/Vpc"]}]});
    let cloud = Simulated::new(steady());
    let id = made(&cloud, "s", &network("10.0.0.0/16")).await;
    let protection = Protection {
        termination: false,
        policy: Some(policy.clone()),
    };
    cloud.set_protection(&id, &protection).await.unwrap();
    assert_eq!(cloud.policy(&id).await.unwrap(), Some(policy));
    let found = updated(&cloud, "s", &network("10.1.0.0/16")).await;
    assert_eq!(found.status, StackStatus::UpdateRollbackComplete);
    let reason = reason_of(&events(&cloud, &id).await, "Vpc", "UPDATE_FAILED");
    assert!(
        reason.contains("does not allow [Update:Replace]"),
        "{reason}"
    );
    let mut without = network("10.0.0.0/16");
    for id in ["Vpc", "NetA", "NetB"] {
        without["Resources"].as_object_mut().unwrap().remove(id);
    }
    without["Outputs"] = json!({});
    let found = updated(&cloud, "s", &without).await;
    assert_eq!(found.status, StackStatus::UpdateRollbackComplete);
    assert_eq!(cloud.losses(), []);
    cloud.set_protection(&id, &OPEN).await.unwrap();
    assert_eq!(
        updated(&cloud, "s", &without).await.status,
        StackStatus::UpdateComplete
    );
}
