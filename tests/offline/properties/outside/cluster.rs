//! A small cluster with everything that what lies outside the stacks is tied to: subnets, groups, machines, a database.

use std::sync::OnceLock;

use kube_cfn::common::tags::TAG_CLUSTER;
use kube_cfn::stacks::{Stack, StackKind as K};
use serde_json::{Value, json};

use super::super::clusters::{real, stack};

/// A cluster that is deleted.
pub struct Design {
    pub cluster: &'static str,
    pub stacks: &'static [Stack],
    /// Stack and logical id of a pool's group.
    pub pool: (String, &'static str),
    /// Names of outputs of the network: subnets, the nodes' group.
    pub subnets: [&'static str; 2],
    pub node_group: &'static str,
    /// The bucket and the key of the base.
    pub left: [&'static str; 2],
}

const CLUSTER: &str = "small";

/// The small one.
pub fn small() -> Design {
    static ALL: OnceLock<Vec<Stack>> = OnceLock::new();
    Design {
        cluster: CLUSTER,
        stacks: ALL.get_or_init(designed),
        pool: (format!("{CLUSTER}-pool-workers"), "Group"),
        subnets: ["NetA", "NetB"],
        node_group: "NodeSg",
        left: ["Bucket", "Key"],
    }
}

/// The real one, as the templates have it.
pub fn canary() -> Design {
    let family = real();
    let stacks = &family.variants[0];
    let pool = stacks.iter().find(|one| matches!(one.kind, K::Pool(_)));
    let pool = pool.expect("a pool");
    let mut groups = pool.resources().map(|(id, _)| id);
    let group = groups.find(|id| id.starts_with("Group")).expect("a group");
    Design {
        cluster: family.cluster,
        stacks,
        pool: (pool.name.clone(), group),
        subnets: ["PrivateSubnetA", "PublicSubnetA"],
        node_group: "NodeSg",
        left: ["StateBucket", "Key"],
    }
}

fn owned() -> Value {
    json!([{"Key": format!("kubernetes.io/cluster/{CLUSTER}"), "Value": "owned"}])
}

fn machines(interface: &Value, placed: &Value, count: &str) -> Value {
    json!({
        "Template": {"Type": "AWS::EC2::LaunchTemplate", "Properties": {"LaunchTemplateData": {
            "NetworkInterfaces": [interface],
            "TagSpecifications": [
                {"ResourceType": "instance", "Tags": tagged()},
                {"ResourceType": "volume", "Tags": tagged()}]}}},
        "Group": {"Type": "AWS::AutoScaling::AutoScalingGroup", "Properties": {
            "MinSize": count, "MaxSize": "3", "VPCZoneIdentifier": placed,
            "LaunchTemplate": {"LaunchTemplateId": {"Ref": "Template"}}}}})
}

/// The tags of machines and their disks: what the stack's own would be, and Kubernetes's.
fn tagged() -> Value {
    let mut tags = owned();
    let own = [(TAG_CLUSTER, CLUSTER), ("kube-cfn/stack", "pool-workers")];
    for (key, value) in own {
        let all = tags.as_array_mut().expect("a list");
        all.push(json!({"Key": key, "Value": value}));
    }
    tags
}

fn network() -> Stack {
    let subnet = json!({"Type": "AWS::EC2::Subnet", "Properties": {"VpcId": {"Ref": "Vpc"}, "Tags": owned()}});
    let group = |of: &str| {
        json!({"Type": "AWS::EC2::SecurityGroup", "Properties": {
            "GroupDescription": of, "VpcId": {"Ref": "Vpc"}, "Tags": owned()}})
    };
    let rule = |from: &str| {
        json!({"Type": "AWS::EC2::SecurityGroupIngress", "Properties": {
            "GroupId": {"Ref": "NodeSg"}, "SourceSecurityGroupId": {"Ref": from}}})
    };
    let outputs = ["Vpc", "NetA", "NetB", "NodeSg", "NlbSg"];
    let outputs = outputs.map(|id| {
        let name = if id == "Vpc" { "VpcId" } else { id };
        (name.to_owned(), json!({"Ref": id}))
    });
    stack(
        K::Network,
        &json!({
            "Vpc": {"Type": "AWS::EC2::VPC", "Properties": {"CidrBlock": "10.0.0.0/16"}},
            "Internet": {"Type": "AWS::EC2::InternetGateway"},
            "Attachment": {"Type": "AWS::EC2::VPCGatewayAttachment", "Properties": {
                "VpcId": {"Ref": "Vpc"}, "InternetGatewayId": {"Ref": "Internet"}}},
            "Routes": {"Type": "AWS::EC2::RouteTable", "Properties": {"VpcId": {"Ref": "Vpc"}}},
            "Endpoint": {"Type": "AWS::EC2::VPCEndpoint", "Properties": {"VpcId": {"Ref": "Vpc"}}},
            "NetA": subnet, "NetB": subnet,
            "NodeSg": group("nodes"), "NlbSg": group("balancer"),
            "FromNodes": rule("NodeSg"), "FromBalancer": rule("NlbSg")}),
        &Value::Object(outputs.into_iter().collect()),
        &[],
    )
}

fn designed() -> Vec<Stack> {
    let [vpc, net_a, net_b, nodes, balancers] =
        ["VpcId", "NetA", "NetB", "NodeSg", "NlbSg"].map(|key| (key, K::Network));
    let host = ("ApiHost", K::Edge);
    let subnets = json!([{"Ref": "NetA"}, {"Ref": "NetB"}]);
    let mut control = machines(
        &json!({"DeviceIndex": 0, "NetworkInterfaceId": {"Ref": "Eni"}}),
        &json!([{"Ref": "NetA"}]),
        "1",
    );
    control["Eni"] = json!({"Type": "AWS::EC2::NetworkInterface", "Properties": {
        "SubnetId": {"Ref": "NetA"}, "GroupSet": [{"Ref": "NodeSg"}], "Description": {"Ref": "ApiHost"}}});
    control["EtcdVolume"] = json!({"Type": "AWS::EC2::Volume", "DeletionPolicy": "Snapshot",
        "Properties": {"Size": 10, "Tags": tagged()}});
    let workers = machines(
        &json!({"DeviceIndex": 0, "Groups": [{"Ref": "NodeSg"}], "Description": {"Ref": "ApiHost"}}),
        &subnets,
        "2",
    );
    let mut all = vec![
        stack(
            K::Base,
            &json!({"Key": {"Type": "AWS::KMS::Key"}, "Bucket": {"Type": "AWS::S3::Bucket"}}),
            &json!({"StateBucket": {"Ref": "Bucket"}}),
            &[],
        ),
        network(),
        stack(
            K::Edge,
            &json!({"Address": {"Type": "AWS::EC2::EIP"},
                "Nat": {"Type": "AWS::EC2::NatGateway", "Properties": {"SubnetId": {"Ref": "NetA"},
                    "AllocationId": {"Fn::GetAtt": ["Address", "AllocationId"]}}},
                "Lb": {"Type": "AWS::ElasticLoadBalancingV2::LoadBalancer", "Properties": {
                    "Subnets": subnets, "SecurityGroups": [{"Ref": "NlbSg"}]}},
                "Targets": {"Type": "AWS::ElasticLoadBalancingV2::TargetGroup", "Properties": {
                    "VpcId": {"Ref": "VpcId"}}}}),
            &json!({"ApiHost": {"Fn::GetAtt": ["Lb", "DNSName"]}}),
            &[vpc, net_a.clone(), net_b.clone(), balancers],
        ),
        stack(
            K::Database,
            &json!({"Subnets": {"Type": "AWS::RDS::DBSubnetGroup", "Properties": {"SubnetIds": subnets}},
                "Database": {"Type": "AWS::RDS::DBInstance", "DeletionPolicy": "Snapshot", "Properties": {
                    "AllocatedStorage": "20", "DeleteAutomatedBackups": false,
                    "EnableCloudwatchLogsExports": ["postgresql", "upgrade"],
                    "DBSubnetGroupName": {"Ref": "Subnets"}, "VPCSecurityGroups": [{"Ref": "NodeSg"}]}}}),
            &json!({}),
            &[net_a.clone(), net_b.clone(), nodes.clone()],
        ),
        stack(
            K::ControlPlane,
            &control,
            &json!({}),
            &[net_a.clone(), nodes.clone(), host.clone()],
        ),
        stack(
            K::Pool("workers".to_owned()),
            &workers,
            &json!({}),
            &[net_a, net_b, nodes, host],
        ),
    ];
    for stack in &mut all {
        stack.name = stack.kind.stack_name(CLUSTER);
        let tag = (TAG_CLUSTER.to_owned(), CLUSTER.to_owned());
        stack.tags.extend([tag]);
    }
    all
}
