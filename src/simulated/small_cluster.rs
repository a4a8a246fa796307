//! Test only: a small cluster `canary` on the simulated AWS, for the tests of what lies outside its stacks.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use super::{Balancer, BalancerKind, Maker, Place, Simulated};
use crate::cloud::{ChangeSetLifetime, ChangeSetRequest, Cloud, Comparison, LiveStack, Protection};
use crate::common::Clock;
use crate::common::tags::{TAG_CLUSTER, TAG_STACK};

/// Kubernetes of this cluster.
pub fn ours() -> Maker {
    Maker::Kubernetes("canary".to_owned())
}

/// The tag that its cloud controller manager gives, and more.
pub fn owned(more: &[(&str, &str)]) -> Value {
    let all = [("kubernetes.io/cluster/canary", "owned")];
    let tags = all.iter().chain(more);
    tags.map(|(key, value)| json!({"Key": key, "Value": value}))
        .collect()
}

/// A VPC with a subnet and the nodes' group.
pub fn network() -> Value {
    let tags = owned(&[]);
    json!({"Resources": {
        "Vpc": {"Type": "AWS::EC2::VPC", "Properties": {"CidrBlock": "10.0.0.0/16"}},
        "NetA": {"Type": "AWS::EC2::Subnet", "Properties": {"VpcId": {"Ref": "Vpc"}, "Tags": tags}},
        "NodeSg": {"Type": "AWS::EC2::SecurityGroup", "Properties": {
            "GroupDescription": "nodes", "VpcId": {"Ref": "Vpc"}, "Tags": tags}},
    }, "Outputs": {"VpcId": {"Value": {"Ref": "Vpc"}}, "NetA": {"Value": {"Ref": "NetA"}},
        "NodeSg": {"Value": {"Ref": "NodeSg"}}}})
}

/// A group of so many machines in that network, whose template gives them and their disks these tags.
pub fn machines(tags: &Value, least: usize) -> Value {
    let most = least + 1;
    json!({"Parameters": {"NetA": {"Type": "String"}, "NodeSg": {"Type": "String"}}, "Resources": {
        "Template": {"Type": "AWS::EC2::LaunchTemplate", "Properties": {"LaunchTemplateData": {
            "SecurityGroupIds": [{"Ref": "NodeSg"}],
            "TagSpecifications": [
                {"ResourceType": "instance", "Tags": tags},
                {"ResourceType": "volume", "Tags": tags}]}}},
        "Group": {"Type": "AWS::AutoScaling::AutoScalingGroup", "Properties": {
            "MinSize": least.to_string(), "MaxSize": most.to_string(), "VPCZoneIdentifier": [{"Ref": "NetA"}],
            "LaunchTemplate": {"LaunchTemplateId": {"Ref": "Template"}}}}}})
}

/// Creates stacks one after another, each with what it takes of the outputs of those before. Where things are made.
pub async fn create(cloud: &Simulated, templates: &[(&str, Value)]) -> Place {
    let mut outputs = BTreeMap::new();
    for (name, template) in templates {
        outputs.extend(add(cloud, name, template, &outputs).await);
    }
    Place {
        vpc: outputs["VpcId"].clone(),
        subnets: vec![outputs["NetA"].clone()],
        node_group: Some(outputs["NodeSg"].clone()),
    }
}

/// Creates one more stack, with what it takes of these outputs. Its own.
pub(crate) async fn add(
    cloud: &Simulated,
    name: &str,
    template: &Value,
    outputs: &BTreeMap<String, String>,
) -> BTreeMap<String, String> {
    let open = Protection {
        termination: false,
        policy: None,
    };
    let request = request(name, template, outputs);
    let id = cloud.create(&request, &open).await.unwrap();
    settled(cloud, &id).await.outputs
}

fn request(name: &str, template: &Value, outputs: &BTreeMap<String, String>) -> ChangeSetRequest {
    let takes = template["Parameters"].as_object();
    let takes = takes.into_iter().flat_map(|all| all.keys());
    let kind = name.trim_start_matches("canary-").to_owned();
    ChangeSetRequest {
        stack: name.to_owned(),
        template: template.to_string(),
        bucket: None,
        parameters: takes
            .map(|key| (key.clone(), outputs[key].clone()))
            .collect(),
        capabilities: Vec::new(),
        tags: BTreeMap::from([
            (TAG_CLUSTER.to_owned(), "canary".to_owned()),
            (TAG_STACK.to_owned(), kind),
        ]),
        token: format!("create-{name}"),
        lifetime: ChangeSetLifetime::Run,
        comparison: Comparison::Template,
    }
}

/// Deletes a stack by its name and waits for it.
pub(crate) async fn delete(cloud: &Simulated, stack: &str) -> LiveStack {
    let all = cloud.stacks(Some("canary")).await.unwrap();
    let id = all.into_iter().find(|one| one.name == stack).unwrap().id;
    let token = format!("delete-{}", cloud.writes().len());
    cloud.delete(&id, &token).await.unwrap();
    settled(cloud, &id).await
}

/// A stack when its operation is over.
async fn settled(cloud: &Simulated, id: &str) -> LiveStack {
    loop {
        let stack = cloud.stack(id).await.unwrap().unwrap();
        if !stack.status.is_in_progress() {
            return stack;
        }
        cloud.sleep(Duration::from_secs(1)).await;
    }
}

/// A load balancer for `default/web`.
pub fn balancer(place: &Place, kind: BalancerKind, maker: Maker) -> Balancer {
    Balancer {
        kind,
        maker,
        service: "default/web".to_owned(),
        place: place.clone(),
        again_after: None,
        protected: false,
    }
}
