//! The traits `Cloud` and `Store` on the emulated AWS. Every test has an account of its own.

use std::collections::{BTreeMap, HashSet};
use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_credential_types::Credentials;
use kube_cfn::cloud::aws::{Aws, Settings};
use kube_cfn::cloud::{
    ChangeAction, Cloud, CloudError, Kept, Operation, Proposal, Protection, StackEvent,
    StackStatus, Store, TAG_CLUSTER, TAG_STACK,
};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

const REGION: &str = "eu-west-1";

/// Nobody else's account: the access key is the account on the emulated AWS, and it may run on.
fn account(number: u32) -> String {
    format!("1{:07}{number:04}", std::process::id() % 10_000_000)
}

async fn aws(number: u32) -> Aws {
    let endpoint = std::env::var("KUBE_CFN_TEST_ENDPOINT")
        .expect("start the emulated AWS: tests/emulator/run cargo test");
    let credentials = Credentials::new(account(number), "test", None, None, "test");
    let settings = Settings {
        profile: None,
        region: Some(REGION.to_owned()),
    };
    Aws::connect_to(&endpoint, credentials, &settings)
        .await
        .expect("an endpoint, a region and credentials are given")
}

/// A VPC of a changeable name, with one parameter and one output.
fn network(name: &str) -> Value {
    json!({
        "Parameters": {"Cidr": {"Type": "String"}},
        "Resources": {
            "Vpc": {
                "Type": "AWS::EC2::VPC",
                "Properties": {
                    "CidrBlock": {"Ref": "Cidr"},
                    "Tags": [{"Key": "Name", "Value": name}]
                }
            }
        },
        "Outputs": {"VpcId": {"Value": {"Ref": "Vpc"}}}
    })
}

fn proposal(stack: &str, template: &Value, token: &str) -> Proposal {
    Proposal {
        stack: stack.to_owned(),
        template: template.to_string(),
        bucket: None,
        parameters: pairs(&[("Cidr", "10.7.0.0/16")]),
        capabilities: vec!["CAPABILITY_NAMED_IAM".to_owned()],
        tags: pairs(&[(TAG_CLUSTER, "canary"), (TAG_STACK, "network")]),
        token: token.to_owned(),
    }
}

fn pairs(list: &[(&str, &str)]) -> BTreeMap<String, String> {
    list.iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect()
}

const OPEN: Protection = Protection {
    termination: false,
    policy: None,
};

/// Follows an operation to its end, as `apply` does: many looks, nothing told twice.
async fn follow(aws: &Aws, stack_id: &str, token: &str) -> Vec<StackEvent> {
    let operation = Operation {
        stack_id: stack_id.to_owned(),
        token: Some(token.to_owned()),
    };
    let mut seen = HashSet::new();
    let mut all: Vec<StackEvent> = Vec::new();
    for _ in 0..100 {
        let news = aws.events(&operation, &seen).await.expect("events");
        for event in news {
            assert!(seen.insert(event.id.clone()), "{} was told twice", event.id);
            all.push(event);
        }
        let last = all
            .iter()
            .rev()
            .find_map(|event| event.stack_status.as_ref());
        if last.is_some_and(|status| !status.is_moving()) {
            return all;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    panic!("the operation {token} does not end: {all:?}");
}

fn story(events: &[StackEvent]) -> Vec<String> {
    let line = |event: &StackEvent| format!("{} {}", event.logical_id, event.status);
    events.iter().map(line).collect()
}

async fn created(aws: &Aws, stack: &str, template: &Value) -> String {
    let token = format!("create-{stack}");
    let wanted = proposal(stack, template, &token);
    let id = aws.create(&wanted, &OPEN).await.expect("created");
    let events = follow(aws, &id, &token).await;
    let last = events.last().and_then(|event| event.stack_status.clone());
    assert_eq!(last, Some(StackStatus::CreateComplete));
    id
}

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
pub async fn a_stack_is_created_changed_and_deleted_and_every_step_is_told() {
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
    let change_set = aws.propose(&wanted).await.expect("proposed");
    assert_eq!(change_set.stack_id, id);
    let actions: BTreeMap<_, _> = change_set
        .changes
        .iter()
        .map(|change| (change.logical_id.as_str(), change.action.clone()))
        .collect();
    assert_eq!(actions["Note"], ChangeAction::Add);
    assert_eq!(actions["Vpc"], ChangeAction::Modify);

    aws.execute(&change_set, "execute-1").await.expect("begun");
    let told = follow(&aws, &id, "execute-1").await;
    let story_of_update = story(&told);
    assert_eq!(story_of_update[0], "canary-network UPDATE_IN_PROGRESS");
    assert_eq!(
        story_of_update.last().map(String::as_str),
        Some("canary-network UPDATE_COMPLETE")
    );
    aws.execute(&change_set, "execute-1")
        .await
        .expect("the same execution asked for twice is one");

    let resources = aws.resources(&id).await.expect("listed");
    assert_eq!(resources.len(), 2);

    aws.delete(&id, "delete-1").await.expect("begun");
    let story_of_delete = story(&follow(&aws, &id, "delete-1").await);
    assert_eq!(story_of_delete[0], "canary-network DELETE_IN_PROGRESS");
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
pub async fn a_proposal_that_changes_nothing_is_empty_and_leaves_nothing_behind() {
    let aws = aws(3).await;
    created(&aws, "canary-network", &network("same")).await;
    let wanted = proposal("canary-network", &network("same"), "change-1");
    let change_set = aws.propose(&wanted).await.expect("proposed");
    assert!(change_set.changes.is_empty(), "{change_set:?}");
    let error = aws.execute(&change_set, "execute-1").await;
    assert!(
        matches!(error, Err(CloudError::NotFound(_))),
        "the change set is gone: {error:?}"
    );
    aws.discard(&change_set).await.expect("gone is as good");
}

#[tokio::test]
pub async fn a_proposal_can_be_made_again_and_thrown_away() {
    let aws = aws(4).await;
    created(&aws, "canary-network", &network("first")).await;
    let wanted = proposal("canary-network", &network("second"), "change-1");
    let first = aws.propose(&wanted).await.expect("proposed");
    let again = aws.propose(&wanted).await.expect("proposed again");
    assert_eq!(first, again);
    aws.discard(&first).await.expect("discarded");
    let error = aws.execute(&first, "execute-1").await;
    assert!(matches!(error, Err(CloudError::NotFound(_))), "{error:?}");
}

#[tokio::test]
pub async fn a_wrong_template_is_refused_in_awss_words() {
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
    let error = aws.propose(&wanted).await;
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
pub async fn a_protected_stack_is_not_deleted_until_it_is_opened() {
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

    aws.protect(&id, &OPEN).await.expect("opened");
    aws.delete(&id, "delete-2").await.expect("begun");
    follow(&aws, &id, "delete-2").await;
}

#[tokio::test]
pub async fn a_creation_that_fails_is_told_to_the_end_of_its_rollback() {
    let aws = aws(9).await;
    let mut template = network("x");
    template["Resources"]["Subnet"] = json!({
        "Type": "AWS::EC2::Subnet",
        "Properties": {"VpcId": {"Ref": "Vpc"}, "CidrBlock": "192.168.0.0/24"}
    });
    let wanted = proposal("canary-network", &template, "create-1");
    let id = aws.create(&wanted, &OPEN).await.expect("begun");
    let told = follow(&aws, &id, "create-1").await;
    let failed = told
        .iter()
        .find(|event| event.status.as_str() == "CREATE_FAILED");
    let failed = failed.expect("the subnet fails");
    assert_eq!(failed.logical_id, "Subnet");
    assert!(failed.reason.is_some());
    let last = told.last().and_then(|event| event.stack_status.clone());
    assert_eq!(last, Some(StackStatus::RollbackComplete));
}

#[tokio::test]
pub async fn of_two_secrets_the_first_is_kept_and_read_back() {
    let aws = aws(10).await;
    let name = "/kube-cfn/canary/pki/ca";
    assert!(aws.secret(name).await.expect("asked").is_none());
    let first = SecretString::from("first");
    let second = SecretString::from("second");
    let key = "alias/aws/ssm";
    assert_eq!(aws.keep_secret(name, &first, key).await, Ok(Kept::Stored));
    assert_eq!(
        aws.keep_secret(name, &second, key).await,
        Ok(Kept::AlreadyThere)
    );
    let read = aws.secret(name).await.expect("asked").expect("kept");
    assert_eq!(read.expose_secret(), "first");
    let sealed = aws.parameter(name).await.expect("asked").expect("kept");
    assert_ne!(sealed, "first", "it is stored encrypted");
}

#[tokio::test]
pub async fn a_value_is_kept_once_and_all_under_a_path_are_forgotten() {
    let aws = aws(11).await;
    for number in 10..35 {
        let name = format!("/kube-cfn/canary/deep/{number}");
        assert_eq!(aws.keep_parameter(&name, "x").await, Ok(Kept::Stored));
    }
    let other = "/kube-cfn/canary2/1";
    assert_eq!(aws.keep_parameter(other, "mine").await, Ok(Kept::Stored));
    assert_eq!(
        aws.keep_parameter(other, "yours").await,
        Ok(Kept::AlreadyThere)
    );

    let forgotten = aws
        .forget_parameters("/kube-cfn/canary")
        .await
        .expect("gone");
    assert_eq!(forgotten.len(), 25);
    assert_eq!(forgotten[0], "/kube-cfn/canary/deep/10");
    assert_eq!(aws.parameter("/kube-cfn/canary/deep/10").await, Ok(None));
    assert_eq!(aws.parameter(other).await, Ok(Some("mine".to_owned())));
    let again = aws.forget_parameters("/kube-cfn/canary").await;
    assert_eq!(again, Ok(Vec::new()));
}

#[tokio::test]
pub async fn a_secret_too_long_is_refused_without_being_told() {
    let aws = aws(12).await;
    let long = SecretString::from("abc".repeat(2000));
    let error = aws
        .keep_secret("/kube-cfn/long", &long, "alias/aws/ssm")
        .await;
    let error = error.expect_err("too long");
    assert_eq!(
        error.to_string(),
        "AWS refused PutParameter of /kube-cfn/long: the value has 6000 bytes, a standard \
         parameter takes 4096"
    );
}

/// Gathers what is traced on this thread.
#[derive(Clone, Default)]
struct Trace(Arc<Mutex<Vec<u8>>>);

impl Write for Trace {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("no panic").write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
pub async fn no_secret_is_traced_at_any_level() {
    let trace = Trace::default();
    let writer = trace.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(move || writer.clone())
        .finish();
    let guard = tracing::subscriber::set_default(subscriber);
    let aws = aws(17).await;
    let secret = SecretString::from("tell-nobody");
    let kept = aws.keep_secret("/kube-cfn/secret", &secret, "alias/aws/ssm");
    assert_eq!(kept.await, Ok(Kept::Stored));
    let read = aws.secret("/kube-cfn/secret").await.expect("asked");
    assert_eq!(read.expect("kept").expose_secret(), "tell-nobody");
    drop(guard);
    let traced = String::from_utf8(trace.0.lock().expect("no panic").clone()).expect("text");
    assert!(traced.contains("PutParameter"), "nothing was traced");
    assert!(!traced.contains("tell-nobody"), "the secret was traced");
}

/// A bucket with versions, made the way the tool makes one.
async fn bucket(aws: &Aws, stack: &str, name: &str) -> String {
    let template = json!({
        "Parameters": {"Cidr": {"Type": "String"}},
        "Resources": {"Bucket": {
            "Type": "AWS::S3::Bucket",
            "Properties": {
                "BucketName": name,
                "VersioningConfiguration": {"Status": "Enabled"}
            }
        }}
    });
    created(aws, stack, &template).await
}

#[tokio::test]
pub async fn a_bucket_is_emptied_and_can_then_be_deleted() {
    let aws = aws(13).await;
    let name = format!("kube-cfn-emptied-{}", account(13));
    let id = bucket(&aws, "canary-base", &name).await;
    for key in ["a", "b", "deep/c"] {
        aws.upload(&name, key, b"one").await.expect("put");
        aws.upload(&name, key, b"one").await.expect("known");
    }
    assert_eq!(aws.empty_bucket(&name).await, Ok(3));
    assert_eq!(aws.empty_bucket(&name).await, Ok(0));
    assert_eq!(aws.empty_bucket("kube-cfn-never-was").await, Ok(0));
    aws.delete(&id, "delete-1").await.expect("begun");
    let last = follow(&aws, &id, "delete-1").await.pop();
    assert_eq!(
        last.and_then(|event| event.stack_status),
        Some(StackStatus::DeleteComplete)
    );
}

#[tokio::test]
pub async fn an_object_for_a_bucket_that_is_not_there_is_not_found() {
    let aws = aws(14).await;
    let error = aws.upload("kube-cfn-nowhere", "a", b"one").await;
    assert_eq!(
        error,
        Err(CloudError::NotFound("bucket kube-cfn-nowhere".to_owned()))
    );
}

#[tokio::test]
pub async fn a_large_template_travels_through_the_bucket() {
    let aws = aws(15).await;
    let name = format!("kube-cfn-templates-{}", account(15));
    bucket(&aws, "canary-base", &name).await;
    let mut large = network("x");
    large["Metadata"] = json!({"Padding": "x".repeat(60_000)});
    let mut wanted = proposal("canary-network", &large, "create-1");
    let error = aws.create(&wanted, &OPEN).await.expect_err("no bucket");
    assert!(error.to_string().contains("51200"), "{error}");

    wanted.bucket = Some(name.clone());
    let id = aws.create(&wanted, &OPEN).await.expect("begun");
    follow(&aws, &id, "create-1").await;
    assert_eq!(aws.template(&id).await, Ok(large.clone()));

    large["Resources"]["Vpc"]["Properties"]["EnableDnsHostnames"] = json!(true);
    let mut changed = proposal("canary-network", &large, "change-1");
    changed.bucket.clone_from(&wanted.bucket);
    let change_set = aws.propose(&changed).await.expect("proposed");
    assert_eq!(change_set.changes.len(), 1);
    assert_eq!(aws.empty_bucket(&name).await, Ok(2));
}

#[tokio::test]
pub async fn nobody_at_the_endpoint_is_told_as_no_answer() {
    let credentials = Credentials::new(account(16), "test", None, None, "test");
    let settings = Settings {
        profile: None,
        region: Some(REGION.to_owned()),
    };
    let aws = Aws::connect_to("http://127.0.0.1:1", credentials, &settings)
        .await
        .expect("nothing is sent yet");
    let error = aws.identity().await.expect_err("nobody there");
    assert!(error.is_passing());
    assert!(error.to_string().contains("refused"), "{error}");
}
