//! Calls of the trait `Cloud` for failures and their recovery, on the emulated AWS.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use kube_cfn::cloud::aws::Aws;
use kube_cfn::cloud::{
    ChangeSetLifetime, Cloud, CloudError, DeletionPolicy, Difference, DriftReport, Finding,
    OnFailure, Protection, StackOperation, StackStatus, Store,
};
use serde_json::{Value, json};

use crate::support::{OPEN, aws, created, follow, proposal, story};
use crate::world::given;

/// Rules for the stack of one test, as long as it lives.
struct Rules {
    file: PathBuf,
    stack: String,
}

impl Rules {
    fn of(stack: &str) -> Self {
        let file = format!("{stack}-{}.json", std::process::id());
        Self {
            file: Path::new(&given("KUBE_CFN_TEST_RULES")).join(file),
            stack: stack.to_owned(),
        }
    }

    fn set(&self, mut rules: Value) {
        for rule in rules.as_array_mut().expect("a list of rules") {
            rule["stack"] = self.stack.clone().into();
        }
        // A half-written file is not what the test means.
        let half = self.file.with_extension("half");
        fs::write(&half, rules.to_string()).expect("written");
        fs::rename(&half, &self.file).expect("in its place");
    }

    fn none(&self) {
        let _ = fs::remove_file(&self.file);
    }
}

impl Drop for Rules {
    fn drop(&mut self) {
        self.none();
    }
}

/// Parameters by logical id, the cheapest resources there are.
fn notes(values: &[(&str, &str)]) -> Value {
    let note = |value: &str| json!({"Type": "AWS::SSM::Parameter", "Properties": {"Type": "String", "Value": value}});
    let resources = values
        .iter()
        .map(|(name, value)| ((*name).to_owned(), note(value)));
    let resources: serde_json::Map<_, _> = resources.collect();
    json!({"Parameters": {"Cidr": {"Type": "String"}}, "Resources": resources})
}

async fn status(aws: &Aws, id: &str) -> StackStatus {
    let stack = aws.stack(id).await.expect("read").expect("there");
    stack.status
}

async fn settled(aws: &Aws, id: &str) -> StackStatus {
    for _ in 0..100 {
        let now = status(aws, id).await;
        if !now.is_in_progress() {
            return now;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    panic!("{id} does not settle");
}

#[tokio::test]
async fn in_progress_stacks_are_listed() {
    let aws = aws(30).await;
    let rules = Rules::of("moving-notes");
    rules.set(json!([{"op": "create", "logical": "A", "delay": 2}]));
    let wanted = proposal("moving-notes", &notes(&[("A", "1")]), "create-1");
    let id = aws.create(&wanted, &OPEN).await.expect("begun");
    let moving = aws.in_progress_stacks().await.expect("listed");
    assert_eq!(moving, [id.clone()].into());
    settled(&aws, &id).await;
    assert_eq!(aws.in_progress_stacks().await, Ok([].into()));
}

#[tokio::test]
async fn a_change_set_of_a_killed_run_is_reused_once() {
    let aws = aws(31).await;
    let id = created(&aws, "twice-notes", &notes(&[("A", "1"), ("Old", "1")])).await;
    let template = notes(&[("A", "2")]);
    let first = aws
        .create_change_set(&proposal("twice-notes", &template, "run-1"))
        .await;
    let first = first.expect("proposed");
    let second = aws
        .create_change_set(&proposal("twice-notes", &template, "run-2"))
        .await;
    assert_eq!(
        second.as_ref(),
        Ok(&first),
        "what a killed run left is used"
    );
    let mut saved = proposal("twice-notes", &template, "run-3");
    saved.lifetime = ChangeSetLifetime::Persistent;
    let saved = aws.create_change_set(&saved).await.expect("proposed");
    assert_ne!(saved.id, first.id);

    let gone = first.changes.iter().find(|one| one.logical_id == "Old");
    assert_eq!(
        gone.and_then(|one| one.deletion_policy),
        Some(DeletionPolicy::Delete)
    );
    let listed = aws.change_sets(&id).await.expect("listed");
    let mut ids: Vec<_> = listed.iter().map(|one| one.id.clone()).collect();
    ids.sort();
    let mut wanted = [first.id.clone(), saved.id.clone()];
    wanted.sort();
    assert_eq!(ids, wanted);
    assert!(listed.iter().all(|one| one.name.starts_with("kube-cfn-")));
    assert_eq!(
        aws.change_set(&saved.id, &id).await,
        Ok(Some(saved.clone()))
    );

    aws.execute(&saved, "execute-1", OnFailure::Rollback)
        .await
        .expect("begun");
    follow(&aws, &id, "execute-1").await;
    assert_eq!(aws.change_set(&saved.id, &id).await, Ok(None), "executed");
    assert_eq!(
        aws.change_set(&first.id, &id).await,
        Ok(None),
        "deleted with it"
    );

    let back = notes(&[("A", "1")]);
    let back = aws
        .create_change_set(&proposal("twice-notes", &back, "run-4"))
        .await;
    aws.execute(&back.expect("proposed"), "execute-2", OnFailure::Rollback)
        .await
        .expect("begun");
    follow(&aws, &id, "execute-2").await;
    let second = aws
        .create_change_set(&proposal("twice-notes", &template, "run-5"))
        .await;
    assert_eq!(
        second.expect("proposed").changes.len(),
        1,
        "its name is free again"
    );
}

#[tokio::test]
async fn a_stack_policy_is_read_as_it_was_set() {
    let aws = aws(32).await;
    let id = created(&aws, "policy-notes", &notes(&[("A", "1")])).await;
    assert_eq!(aws.policy(&id).await, Ok(None));
    let deny = json!({"Statement": [
        {"Effect": "Deny", "Action": "Update:Delete", "Principal": "*", "Resource": "*"}
    ]});
    let closed = Protection {
        termination: false,
        policy: Some(deny.clone()),
    };
    aws.set_protection(&id, &closed).await.expect("set");
    assert_eq!(aws.policy(&id).await, Ok(Some(deny)));
}

#[tokio::test]
async fn a_failed_rollback_continues_with_resources_to_skip() {
    let aws = aws(33).await;
    let id = created(&aws, "stuck-notes", &notes(&[("A", "1"), ("B", "1")])).await;
    let rules = Rules::of("stuck-notes");
    rules.set(json!([
        {"op": "update", "logical": "B", "fail": "no", "times": 1},
        {"op": "update", "logical": "A", "fail": "stuck", "skip": 1}
    ]));
    let wanted = proposal("stuck-notes", &notes(&[("A", "2"), ("B", "2")]), "run-1");
    let change_set = aws.create_change_set(&wanted).await.expect("proposed");
    aws.execute(&change_set, "execute-1", OnFailure::Rollback)
        .await
        .expect("begun");
    let followed = follow(&aws, &id, "execute-1").await;
    let last = followed.last().and_then(|event| event.stack_status.clone());
    assert_eq!(last, Some(StackStatus::UpdateRollbackFailed));

    let skip = ["A".to_owned()];
    aws.continue_rollback(&id, &skip, "go-on-1")
        .await
        .expect("begun");
    let followed = story(&follow(&aws, &id, "go-on-1").await);
    assert_eq!(followed[0], "stuck-notes UPDATE_ROLLBACK_IN_PROGRESS");
    assert_eq!(
        followed.last().map(String::as_str),
        Some("stuck-notes UPDATE_ROLLBACK_COMPLETE")
    );
    let again = aws.continue_rollback(&id, &skip, "go-on-1").await;
    assert_eq!(again, Ok(()), "the same wish is not refused afterwards");
    let error = aws.continue_rollback(&id, &[], "go-on-2").await;
    assert!(
        matches!(error, Err(CloudError::Refused { .. })),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_cancelled_update_is_seen_by_its_followers() {
    let aws = aws(34).await;
    let id = created(&aws, "cancelled-notes", &notes(&[("A", "1"), ("B", "1")])).await;
    let rules = Rules::of("cancelled-notes");
    rules.set(json!([{"op": "update", "logical": "A", "delay": 2, "times": 1}]));
    let wanted = proposal(
        "cancelled-notes",
        &notes(&[("A", "2"), ("B", "2")]),
        "run-1",
    );
    let change_set = aws.create_change_set(&wanted).await.expect("proposed");
    aws.execute(&change_set, "execute-1", OnFailure::Rollback)
        .await
        .expect("begun");
    aws.cancel_update(&id, "cancel-1").await.expect("cancelled");
    let followed = story(&follow(&aws, &id, "execute-1").await);
    assert_eq!(followed[0], "cancelled-notes UPDATE_IN_PROGRESS");
    assert!(followed.contains(&"cancelled-notes UPDATE_ROLLBACK_IN_PROGRESS".to_owned()));
    assert_eq!(
        followed.last().map(String::as_str),
        Some("cancelled-notes UPDATE_ROLLBACK_COMPLETE")
    );
    let again = aws.cancel_update(&id, "cancel-1").await;
    assert_eq!(again, Ok(()), "it was heard");
    let error = aws.cancel_update(&id, "cancel-2").await;
    assert!(
        matches!(error, Err(CloudError::Refused { .. })),
        "{error:?}"
    );
}

#[tokio::test]
async fn manual_changes_are_drift() {
    let aws = aws(35).await;
    let id = created(&aws, "drift-notes", &notes(&[("A", "1"), ("B", "1")])).await;
    assert_eq!(aws.drift(&id).await, Ok(DriftReport::default()));
    let rules = Rules::of("drift-notes");
    rules.set(json!([
        {"op": "drift", "logical": "A", "actual": {"/Value": "by hand"}},
        {"op": "drift", "logical": "B", "gone": true}
    ]));
    let mut drift = aws.drift(&id).await.expect("found").resources;
    drift.sort_by(|one, other| one.logical_id.cmp(&other.logical_id));
    assert_eq!(drift.len(), 2);
    assert_eq!(
        drift[0].differences,
        [Difference {
            path: "Properties.Value".to_owned(),
            expected: Some("1".to_owned()),
            actual: Some("by hand".to_owned()),
        }]
    );
    assert!(!drift[0].deleted && drift[1].deleted, "{drift:?}");
}

#[tokio::test]
async fn early_validation_refuses_with_every_finding_and_warns_beside_the_change_set() {
    let aws = aws(36).await;
    let id = created(&aws, "valid-notes", &notes(&[("A", "1")])).await;
    let rules = Rules::of("valid-notes");
    let finding = |reason: &str, mode: &str| {
        json!({"op": "validate", "logical": "A", "path": "/Properties/Value", "reason": reason,
               "mode": mode})
    };
    let ours = |reason: &str| Finding {
        logical_id: Some("A".to_owned()),
        path: Some("Properties.Value".to_owned()),
        reason: reason.to_owned(),
    };
    rules.set(json!([
        finding("too long", "FAIL"),
        finding("too loud", "FAIL")
    ]));
    let wanted = proposal("valid-notes", &notes(&[("A", "2")]), "run-1");
    let error = aws.create_change_set(&wanted).await.expect_err("refused");
    let CloudError::Invalid {
        stack, findings, ..
    } = error
    else {
        panic!("{error:?}");
    };
    assert_eq!(stack, "valid-notes");
    assert_eq!(findings, [ours("too long"), ours("too loud")]);
    assert_eq!(
        aws.change_sets(&id).await,
        Ok(Vec::new()),
        "nothing is left"
    );

    rules.set(json!([finding("nearly too long", "WARN")]));
    let proposed = aws
        .create_change_set(&wanted)
        .await
        .expect("a warning is no refusal");
    assert_eq!(proposed.warnings, [ours("nearly too long")]);
}

#[tokio::test]
async fn hook_and_validation_failures_keep_their_reasons() {
    let aws = aws(37).await;
    let rules = Rules::of("hook-notes");
    rules.set(json!([
        {"op": "hook", "logical": "A", "hook": "MyOrg::Notes::Quiet", "reason": "too loud"}
    ]));
    let wanted = proposal("hook-notes", &notes(&[("A", "1")]), "create-1");
    let id = aws.create(&wanted, &OPEN).await.expect("begun");
    let followed = follow(&aws, &id, "create-1").await;
    let reason = |logical: &str| {
        let failed = followed
            .iter()
            .find(|event| event.logical_id == logical && event.status.as_str() == "CREATE_FAILED");
        failed.and_then(|event| event.reason.clone())
    };
    assert_eq!(
        reason("A").as_deref(),
        Some("hook MyOrg::Notes::Quiet refused: too loud")
    );

    let rules = Rules::of("refused-notes");
    rules.set(json!([
        {"op": "validate", "logical": "A", "path": "/Properties/Value", "reason": "too long"}
    ]));
    let wanted = proposal("refused-notes", &notes(&[("A", "1")]), "create-1");
    let id = aws.create(&wanted, &OPEN).await.expect("begun");
    settled(&aws, &id).await;
    let operation = StackOperation {
        stack_id: id,
        token: None,
    };
    let followed = aws.events(&operation, &[].into()).await.expect("events");
    let failed = followed
        .iter()
        .find(|event| event.status.as_str() == "CREATE_FAILED");
    let reason = failed.and_then(|event| event.reason.as_deref());
    assert_eq!(reason, Some("A Properties.Value: too long"));
}

#[tokio::test]
async fn the_console_of_a_groups_newest_machine_is_read_also_after_its_end() {
    let aws = aws(38).await;
    let rules = Rules::of("console-pool");
    rules.set(json!([
        {"op": "console", "logical": "Pool", "text": "\u{1b}[1mcloud-init\u{1b}[0m: 403\r\n\r\nlogin: "},
        {"op": "create", "logical": "Pool", "signal": "FAILURE"}
    ]));
    let template = json!({
        "Parameters": {"Cidr": {"Type": "String"}},
        "Resources": {
            "Vpc": {"Type": "AWS::EC2::VPC", "Properties": {"CidrBlock": "10.30.0.0/16"}},
            "Subnet": {"Type": "AWS::EC2::Subnet", "Properties": {"VpcId": {"Ref": "Vpc"},
                "CidrBlock": "10.30.0.0/24", "AvailabilityZone": "eu-west-1a"}},
            "Machine": {"Type": "AWS::EC2::LaunchTemplate", "Properties": {"LaunchTemplateData":
                {"ImageId": "ami-1", "InstanceType": "t4g.small"}}},
            "Pool": {"Type": "AWS::AutoScaling::AutoScalingGroup",
                "CreationPolicy": {"ResourceSignal": {"Count": 1, "Timeout": "PT15M"}},
                "Properties": {"MinSize": "1", "MaxSize": "1",
                    "VPCZoneIdentifier": [{"Ref": "Subnet"}],
                    "LaunchTemplate": {"LaunchTemplateId": {"Ref": "Machine"},
                        "Version": {"Fn::GetAtt": ["Machine", "LatestVersionNumber"]}}}}
        }
    });
    let wanted = proposal("console-pool", &template, "create-1");
    let id = aws.create(&wanted, &OPEN).await.expect("begun");
    let followed = follow(&aws, &id, "create-1").await;
    assert_eq!(settled(&aws, &id).await, StackStatus::RollbackComplete);
    let group = followed
        .iter()
        .filter(|event| event.logical_id == "Pool")
        .find_map(|event| event.physical_id.clone())
        .expect("it was made");
    let console = aws.console(&group).await.expect("read").expect("it spoke");
    assert!(console.instance.starts_with("i-"), "{}", console.instance);
    assert_eq!(console.lines, ["cloud-init: 403", "login:"]);
    assert_eq!(aws.console("nobody").await, Ok(None));
}
