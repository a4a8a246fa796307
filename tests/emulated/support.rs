//! An account of its own for every test, small templates, and following an operation to its end.

use kube_cfn::common::tags::{TAG_CLUSTER, TAG_STACK};
use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use aws_credential_types::Credentials;
use kube_cfn::cloud::aws::{Aws, Settings};
use kube_cfn::cloud::{
    ChangeSetRequest, Cloud, Protection, StackEvent, StackOperation, StackStatus,
};
use serde_json::{Value, json};

pub const REGION: &str = "eu-west-1";

/// Nobody else's account: the access key is the account on the emulated AWS, and it may run on.
pub fn account(number: u32) -> String {
    format!("1{:07}{number:04}", std::process::id() % 10_000_000)
}

pub async fn aws(number: u32) -> Aws {
    let endpoint = std::env::var("KUBE_CFN_TEST_ENDPOINT")
        .expect("no emulated AWS: run the tests through tests/run, which starts one");
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
pub fn network(name: &str) -> Value {
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

pub fn proposal(stack: &str, template: &Value, token: &str) -> ChangeSetRequest {
    ChangeSetRequest {
        stack: stack.to_owned(),
        template: template.to_string(),
        bucket: None,
        parameters: pairs(&[("Cidr", "10.7.0.0/16")]),
        capabilities: vec!["CAPABILITY_NAMED_IAM".to_owned()],
        tags: pairs(&[(TAG_CLUSTER, "canary"), (TAG_STACK, "network")]),
        token: token.to_owned(),
        lifetime: kube_cfn::cloud::ChangeSetLifetime::Run,
        comparison: kube_cfn::cloud::Comparison::Template,
    }
}

pub fn pairs(list: &[(&str, &str)]) -> BTreeMap<String, String> {
    list.iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect()
}

pub const OPEN: Protection = Protection {
    termination: false,
    policy: None,
};

/// Follows an operation to its end, as `apply` does: many polls, no event twice.
pub async fn follow(aws: &Aws, stack_id: &str, token: &str) -> Vec<StackEvent> {
    let operation = StackOperation {
        stack_id: stack_id.to_owned(),
        token: Some(token.to_owned()),
    };
    let mut seen = HashSet::new();
    let mut all: Vec<StackEvent> = Vec::new();
    for _ in 0..100 {
        let news = aws.events(&operation, &seen).await.expect("events");
        for event in news {
            assert!(
                seen.insert(event.id.clone()),
                "{} was returned twice",
                event.id
            );
            all.push(event);
        }
        let last = all
            .iter()
            .rev()
            .find_map(|event| event.stack_status.as_ref());
        if last.is_some_and(|status| !status.is_in_progress()) {
            return all;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    panic!("the operation {token} does not end: {all:?}");
}

pub fn story(events: &[StackEvent]) -> Vec<String> {
    let line = |event: &StackEvent| format!("{} {}", event.logical_id, event.status);
    events.iter().map(line).collect()
}

pub async fn created(aws: &Aws, stack: &str, template: &Value) -> String {
    let token = format!("create-{stack}");
    let wanted = proposal(stack, template, &token);
    let id = aws.create(&wanted, &OPEN).await.expect("created");
    let events = follow(aws, &id, &token).await;
    let last = events.last().and_then(|event| event.stack_status.clone());
    assert_eq!(last, Some(StackStatus::CreateComplete));
    id
}
