//! How the simulated cloud behaves, on small templates.

mod creation;
mod deletion;
mod faults;
mod looking;
mod machines;
mod outside;
mod rollback;
mod sets;
mod updates;

use crate::common::tags::{TAG_CLUSTER, TAG_STACK};
use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use serde_json::{Value, json};

use super::*;
use crate::cloud::{
    ChangeSet, ChangeSetLifetime, ChangeSetRequest, Cloud, CloudError, DeletionPolicy, LiveStack,
    OnFailure, Protection, StackEvent, StackOperation, StackStatus, Store,
};

pub const OPEN: Protection = Protection {
    termination: false,
    policy: None,
};

/// A network with two subnets, and an address beside.
pub fn network(cidr: &str) -> Value {
    json!({"Resources": {
        "Vpc": {"Type": "AWS::EC2::VPC", "Properties": {"CidrBlock": cidr}},
        "NetA": {"Type": "AWS::EC2::Subnet", "Properties": {"VpcId": {"Ref": "Vpc"}, "CidrBlock": "a"}},
        "NetB": {"Type": "AWS::EC2::Subnet", "Properties": {"VpcId": {"Ref": "Vpc"}, "CidrBlock": "b"}},
        "Ip": {"Type": "AWS::EC2::EIP", "Properties": {"Domain": "vpc"}},
    }, "Outputs": {"VpcId": {"Value": {"Ref": "Vpc"}}, "NetA": {"Value": {"Ref": "NetA"}}}})
}

/// A database, protected or not, of a class.
pub fn database(class: &str, protected: bool) -> Value {
    json!({"Resources": {
        "Db": {"Type": "AWS::RDS::DBInstance", "DeletionPolicy": "Snapshot",
            "UpdateReplacePolicy": "Snapshot",
            "Properties": {"DBInstanceClass": class, "DeletionProtection": protected, "DBName": "app"}},
    }, "Outputs": {"Host": {"Value": {"Fn::GetAtt": ["Db", "Endpoint.Address"]}}}})
}

pub fn wanted(stack: &str, template: &Value, token: &str) -> ChangeSetRequest {
    ChangeSetRequest {
        stack: stack.to_owned(),
        template: template.to_string(),
        bucket: None,
        parameters: BTreeMap::new(),
        capabilities: vec!["CAPABILITY_IAM".to_owned()],
        tags: BTreeMap::from([
            (TAG_CLUSTER.to_owned(), "canary".to_owned()),
            (
                TAG_STACK.to_owned(),
                stack.trim_start_matches("canary-").to_owned(),
            ),
        ]),
        token: token.to_owned(),
        lifetime: ChangeSetLifetime::Run,
        comparison: crate::cloud::Comparison::Template,
    }
}

/// Everything takes its median.
pub fn steady() -> SimulationConfig {
    SimulationConfig {
        noise: Noise::None,
        ..SimulationConfig::default()
    }
}

pub fn failing(id: &str, operation: Operation) -> ResourceFailure {
    ResourceFailure {
        stack: "s".to_owned(),
        logical_id: id.to_owned(),
        operation,
        reason: None,
        boot: None,
        times: 1,
    }
}

/// Creates a stack and waits for it. Its ARN.
pub async fn made(cloud: &Simulated, stack: &str, template: &Value) -> String {
    let token = format!("create-{stack}");
    let id = cloud
        .create(&wanted(stack, template, &token), &OPEN)
        .await
        .unwrap();
    rest(cloud, &id).await;
    id
}

/// Waits until no operation runs on a stack. Returns the stack.
pub async fn rest(cloud: &Simulated, id: &str) -> LiveStack {
    loop {
        let all = cloud.all_stacks();
        let found = all.into_iter().find(|found| found.id == id).unwrap();
        if !found.status.is_in_progress() {
            return found;
        }
        cloud.sleep(Duration::from_secs(1)).await;
    }
}

/// Proposes and executes an update, and waits for it.
pub async fn updated(cloud: &Simulated, stack: &str, template: &Value) -> LiveStack {
    let set = cloud
        .create_change_set(&wanted(stack, template, "propose"))
        .await
        .unwrap();
    executed(cloud, &set).await
}

pub async fn executed(cloud: &Simulated, set: &ChangeSet) -> LiveStack {
    let token = format!("execute-{}", cloud.writes().len());
    cloud
        .execute(set, &token, OnFailure::Rollback)
        .await
        .unwrap();
    rest(cloud, &set.stack_id).await
}

/// Deletes a stack and waits for it.
pub async fn deleted(cloud: &Simulated, id: &str) -> LiveStack {
    cloud.delete(id, "delete").await.unwrap();
    rest(cloud, id).await
}

/// Events of the newest operation.
pub async fn events(cloud: &Simulated, id: &str) -> Vec<StackEvent> {
    let newest = StackOperation {
        stack_id: id.to_owned(),
        token: None,
    };
    cloud.events(&newest, &HashSet::new()).await.unwrap()
}

/// Events as `second id STATUS reason`.
pub fn lines(events: &[StackEvent]) -> Vec<String> {
    let line = |event: &StackEvent| {
        let second = event.at.duration_since(stack::timestamp(0)).as_secs();
        let reason = event.reason.as_deref().unwrap_or_default();
        format!("{second} {} {} {reason}", event.logical_id, event.status)
            .trim_end()
            .to_owned()
    };
    events.iter().map(line).collect()
}

/// The statuses that one resource, or the stack, went through.
pub fn way(events: &[StackEvent], id: &str) -> Vec<String> {
    let of = events.iter().filter(|event| event.logical_id == id);
    of.map(|event| event.status.to_string()).collect()
}

pub fn reason_of(events: &[StackEvent], id: &str, status: &str) -> String {
    let is = |event: &&StackEvent| event.logical_id == id && event.status.as_str() == status;
    let found = events.iter().find(is).unwrap();
    found.reason.clone().unwrap_or_default()
}

pub fn refusal<T: std::fmt::Debug>(answer: Result<T, CloudError>) -> String {
    answer.unwrap_err().to_string()
}
