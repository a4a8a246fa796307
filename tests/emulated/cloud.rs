//! The trait `Cloud` on the emulated AWS.

use std::collections::BTreeMap;

use aws_credential_types::Credentials;
use kube_cfn::cloud::aws::{Aws, Settings};
use kube_cfn::cloud::{ChangeAction, Cloud, CloudError, OnFailure, Protection, StackStatus};
use serde_json::json;

use crate::support::{OPEN, REGION, account, aws, created, follow, network, proposal, story};

#[tokio::test]
pub async fn the_caller_is_known_with_account_and_region() {
    let identity = aws(1).await.identity().await.expect("known");
    assert_eq!(identity.account, account(1));
    assert_eq!(identity.region, REGION);
    assert!(
        identity.caller.starts_with("arn:aws:"),
        "{}",
        identity.caller
    );
}

#[tokio::test]
pub async fn a_stack_is_created_updated_and_deleted_with_all_events() {
    let aws = aws(2).await;
    let id = created(&aws, "canary-network", &network("first")).await;

    let found = aws.stacks(Some("canary")).await.expect("listed");
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].id, id);
    assert_eq!(found[0].kind, "network");
    assert_eq!(found[0].parameters["Cidr"], "10.7.0.0/16");
    assert!(found[0].outputs["VpcId"].starts_with("vpc-"));
    assert_eq!(aws.stacks(Some("production")).await, Ok(Vec::new()));
    assert_eq!(aws.template(&id).await, Ok(network("first")));

    let mut wanted = proposal("canary-network", &network("second"), "change-1");
    wanted.template = {
        let mut template = network("second");
        template["Resources"]["Note"] = json!({
            "Type": "AWS::SSM::Parameter",
            "Properties": {"Type": "String", "Value": "hello", "Name": "/canary/note"}
        });
        template.to_string()
    };
    let change_set = aws.create_change_set(&wanted).await.expect("proposed");
    assert_eq!(change_set.stack_id, id);
    let actions: BTreeMap<_, _> = change_set
        .changes
        .iter()
        .map(|change| (change.logical_id.as_str(), change.action.clone()))
        .collect();
    assert_eq!(actions["Note"], ChangeAction::Add);
    assert_eq!(actions["Vpc"], ChangeAction::Modify);

    aws.execute(&change_set, "execute-1", OnFailure::Rollback)
        .await
        .expect("begun");
    let followed = follow(&aws, &id, "execute-1").await;
    let update_log = story(&followed);
    assert_eq!(update_log[0], "canary-network UPDATE_IN_PROGRESS");
    assert_eq!(
        update_log.last().map(String::as_str),
        Some("canary-network UPDATE_COMPLETE")
    );
    aws.execute(&change_set, "execute-1", OnFailure::Rollback)
        .await
        .expect("the same execution asked for twice is one");

    let resources = aws.resources(&id).await.expect("listed");
    assert_eq!(resources.len(), 2);

    aws.delete(&id, "delete-1").await.expect("begun");
    let delete_log = story(&follow(&aws, &id, "delete-1").await);
    assert_eq!(delete_log[0], "canary-network DELETE_IN_PROGRESS");
    let gone = aws
        .stack(&id)
        .await
        .expect("deleted stacks are known by ARN");
    assert_eq!(
        gone.map(|stack| stack.status),
        Some(StackStatus::DeleteComplete)
    );
    assert_eq!(aws.stack("canary-network").await, Ok(None));
}

#[tokio::test]
pub async fn a_change_set_without_changes_is_empty_and_deleted() {
    let aws = aws(3).await;
    created(&aws, "canary-network", &network("same")).await;
    let wanted = proposal("canary-network", &network("same"), "change-1");
    let change_set = aws.create_change_set(&wanted).await.expect("proposed");
    assert!(change_set.changes.is_empty(), "{change_set:?}");
    let error = aws
        .execute(&change_set, "execute-1", OnFailure::Rollback)
        .await;
    assert!(
        matches!(error, Err(CloudError::NotFound(_))),
        "the change set is gone: {error:?}"
    );
    aws.delete_change_set(&change_set)
        .await
        .expect("gone is as good");
}

#[tokio::test]
pub async fn a_change_set_can_be_created_again_and_deleted() {
    let aws = aws(4).await;
    created(&aws, "canary-network", &network("first")).await;
    let wanted = proposal("canary-network", &network("second"), "change-1");
    let first = aws.create_change_set(&wanted).await.expect("proposed");
    let again = aws
        .create_change_set(&wanted)
        .await
        .expect("proposed again");
    assert_eq!(first, again);
    aws.delete_change_set(&first).await.expect("discarded");
    let error = aws.execute(&first, "execute-1", OnFailure::Rollback).await;
    assert!(matches!(error, Err(CloudError::NotFound(_))), "{error:?}");
}

#[tokio::test]
pub async fn an_invalid_template_is_refused_with_the_message_of_aws() {
    let aws = aws(5).await;
    let mut wrong = network("x");
    wrong["Outputs"]["VpcId"]["Value"] = json!({"Ref": "Nobody"});
    let wanted = proposal("canary-network", &wrong, "create-1");
    let error = aws.create(&wanted, &OPEN).await.expect_err("wrong");
    assert_eq!(
        error.to_string(),
        "AWS refused CreateStack of canary-network: Template format error: Unresolved resource \
         dependencies [Nobody] in the Outputs block of the template"
    );
    assert_eq!(aws.stack("canary-network").await, Ok(None));
}

#[tokio::test]
pub async fn a_change_of_a_stack_that_is_not_there_is_not_found() {
    let aws = aws(6).await;
    let wanted = proposal("canary-network", &network("x"), "change-1");
    let error = aws.create_change_set(&wanted).await;
    assert_eq!(
        error,
        Err(CloudError::NotFound("stack canary-network".to_owned()))
    );
}

#[tokio::test]
pub async fn the_same_creation_asked_for_twice_is_one_stack_and_another_is_a_conflict() {
    let aws = aws(7).await;
    let wanted = proposal("canary-network", &network("x"), "create-1");
    let first = aws.create(&wanted, &OPEN).await.expect("created");
    let again = aws.create(&wanted, &OPEN).await.expect("the same");
    assert_eq!(first, again);
    let other = proposal("canary-network", &network("x"), "create-2");
    let error = aws.create(&other, &OPEN).await;
    assert!(matches!(error, Err(CloudError::Conflict(_))), "{error:?}");
}

#[tokio::test]
pub async fn a_protected_stack_is_not_deleted_until_protection_is_off() {
    let aws = aws(8).await;
    let deny = json!({"Statement": [
        {"Effect": "Deny", "Action": "Update:Replace", "Principal": "*", "Resource": "*"}
    ]});
    let closed = Protection {
        termination: true,
        policy: Some(deny),
    };
    let wanted = proposal("canary-network", &network("x"), "create-1");
    let id = aws.create(&wanted, &closed).await.expect("created");
    follow(&aws, &id, "create-1").await;
    let found = aws.stack(&id).await.expect("found").expect("there");
    assert!(found.termination_protection);
    let error = aws.delete(&id, "delete-1").await.expect_err("protected");
    assert!(
        error.to_string().contains("TerminationProtection"),
        "{error}"
    );

    aws.set_protection(&id, &OPEN).await.expect("opened");
    aws.delete(&id, "delete-2").await.expect("begun");
    follow(&aws, &id, "delete-2").await;
}

#[tokio::test]
pub async fn a_failed_creation_is_followed_to_the_end_of_its_rollback() {
    let aws = aws(9).await;
    let mut template = network("x");
    template["Resources"]["Subnet"] = json!({
        "Type": "AWS::EC2::Subnet",
        "Properties": {"VpcId": {"Ref": "Vpc"}, "CidrBlock": "192.168.0.0/24"}
    });
    let wanted = proposal("canary-network", &template, "create-1");
    let id = aws.create(&wanted, &OPEN).await.expect("begun");
    let followed = follow(&aws, &id, "create-1").await;
    let failed = followed
        .iter()
        .find(|event| event.status.as_str() == "CREATE_FAILED");
    let failed = failed.expect("the subnet fails");
    assert_eq!(failed.logical_id, "Subnet");
    assert!(failed.reason.is_some());
    let last = followed.last().and_then(|event| event.stack_status.clone());
    assert_eq!(last, Some(StackStatus::RollbackComplete));
}

/// Gathers what is traced on this thread.
#[tokio::test]
pub async fn an_unreachable_endpoint_is_no_answer() {
    let credentials = Credentials::new(account(16), "test", None, None, "test");
    let settings = Settings {
        profile: None,
        region: Some(REGION.to_owned()),
    };
    let aws = Aws::connect_to("http://127.0.0.1:1", credentials, &settings)
        .await
        .expect("nothing is sent yet");
    let error = aws.identity().await.expect_err("nobody there");
    assert!(error.is_transient());
    assert!(error.to_string().contains("refused"), "{error}");
}
