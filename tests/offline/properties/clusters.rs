//! The wanted clusters: two synthetic ones, and a real one as designed.

use kube_cfn::common::tags::{TAG_CLUSTER, TAG_STACK};
use std::sync::OnceLock;

use kube_cfn::spec::Nat;
use kube_cfn::stacks::{self, Input, Source, Stack, StackKind};
use kube_cfn::templates::Templates;
use serde_json::{Value, json};

use crate::support::specs;

/// What may be wanted of one cluster; the first is what stands at the start.
pub struct Family {
    pub cluster: &'static str,
    pub region: &'static str,
    /// About as many calls as a run makes.
    pub calls: u64,
    pub variants: Vec<Vec<Stack>>,
}

/// Three stacks, or four, of what is made in seconds: most seeds, because a run costs what it asks.
pub fn tiny() -> &'static Family {
    static ALL: OnceLock<Family> = OnceLock::new();
    ALL.get_or_init(|| Family {
        cluster: "tiny",
        region: "eu-west-1",
        calls: 40,
        variants: vec![
            few(10, "a", &[]),
            few(20, "a", &[]),
            few(10, "b", &[]),
            few(20, "a", &[StackKind::ControlPlane]),
            few(20, "b", &[StackKind::ControlPlane]),
        ],
    })
}

/// A bucket for a database: another size is a change in place, another zone a replacement.
fn few(size: u64, zone: &str, more: &[StackKind]) -> Vec<Stack> {
    use StackKind as K;
    let mut all = cluster("tiny", &("VpcId", K::Network), "", None, "", &[]);
    let usual = [K::Base, K::Network, K::Database];
    all.retain(|stack| usual.contains(&stack.kind) || more.contains(&stack.kind));
    for stack in &mut all {
        let template = &mut stack.template;
        match stack.kind {
            K::Base => {
                let bucket = json!({"Ref": "Bucket"});
                template["Outputs"]["RoleName"]["Value"] = bucket;
                let resources = template["Resources"].as_object_mut().unwrap();
                resources.shift_remove("Role");
            }
            K::Database => {
                template["Resources"]["Database"]["Type"] = json!("AWS::S3::Bucket");
                template["Resources"]["Database"]["Properties"] = json!({
                    "BucketName": format!("data-{zone}"), "Tags": [{"Key": "size", "Value": size},
                    {"Key": "vpc", "Value": {"Ref": "VpcId"}}]});
            }
            K::ControlPlane => {
                let group = &mut template["Resources"]["Group"];
                group["Type"] = json!("AWS::EC2::LaunchTemplate");
                group["Properties"] = json!({"LaunchTemplateData":
                    {"UserData": {"Fn::Sub": "${VpcId} ${RoleName}"}}});
            }
            _ => {}
        }
    }
    all
}

/// Few resources and one of each kind of stack.
pub fn small() -> &'static Family {
    static ALL: OnceLock<Family> = OnceLock::new();
    let host = || ("ApiHost", StackKind::Edge);
    let of = |class, snapshot, nat, pools: &[&str]| {
        let mut all = cluster("small", &host(), class, snapshot, nat, pools);
        for stack in &mut all {
            // Pools are done only when their machines have joined the control plane.
            if matches!(stack.kind, StackKind::ControlPlane | StackKind::Pool(_)) {
                let signals = json!({"ResourceSignal": {"Count": 1, "Timeout": "PT25M"}});
                stack.template["Resources"]["Group"]["CreationPolicy"] = signals;
            }
        }
        all
    };
    ALL.get_or_init(|| Family {
        cluster: "small",
        region: "eu-west-1",
        calls: 180,
        variants: vec![
            of("c1", None, "public", &["workers"]),
            of("c2", None, "public", &["workers"]),
            of("c1", None, "private", &["workers"]),
            of("c1", None, "public", &["workers", "batch"]),
            of("c2", None, "private", &["batch"]),
            of("c1", Some("snap-1"), "public", &["workers"]),
            of("c2", Some("snap-1"), "private", &["workers", "batch"]),
        ],
    })
}

/// The real design of a cluster, and of changes to it.
pub fn real() -> &'static Family {
    static ALL: OnceLock<Family> = OnceLock::new();
    ALL.get_or_init(|| {
        let first = specs::canary();
        let mut class = first.clone();
        "db.m7g.large".clone_into(&mut class.database.as_mut().unwrap().class);
        let mut nat = first.clone();
        nat.network.nat = Nat::Regional;
        let mut pool = first.clone();
        let mut second = pool.pools[0].clone();
        "batch".clone_into(&mut second.name);
        pool.pools.push(second);
        let mut restored = class.clone();
        let snapshot = "arn:aws:rds:eu-west-1:123456789012:snapshot:before";
        restored.database.as_mut().unwrap().restore_from = Some(snapshot.to_owned());
        let templates = Templates::new(None).unwrap();
        let all = [first, class, nat, pool, restored];
        let variants = all.map(|spec| stacks::design(&spec, &templates).unwrap());
        Family {
            cluster: "canary",
            region: "eu-west-1",
            calls: 240,
            variants: variants.into(),
        }
    })
}

fn cluster(
    cluster: &str,
    host: &(&str, StackKind),
    class: &str,
    snapshot: Option<&str>,
    nat: &str,
    pools: &[&str],
) -> Vec<Stack> {
    use StackKind as K;
    let vpc = ("VpcId", K::Network);
    let role = ("RoleName", K::Base);
    let mut database = json!({"DBInstanceClass": class, "VPCSecurityGroups": [{"Ref": "VpcId"}]});
    if let Some(snapshot) = snapshot {
        database["DBName"] = json!(snapshot);
    }
    let group = json!({"Group": {"Type": "AWS::AutoScaling::AutoScalingGroup", "Properties": {
        "MinSize": "1", "MaxSize": "2", "AvailabilityZones": [{"Ref": host.0}, {"Ref": "RoleName"}]}}});
    let mut all = vec![
        stack(
            K::Base,
            &json!({"Key": {"Type": "AWS::KMS::Key", "Properties": {}},
                "Bucket": {"Type": "AWS::S3::Bucket", "Properties": {}},
                "Role": {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": {}}}}),
            &json!({"StateBucket": {"Ref": "Bucket"}, "RoleName": {"Ref": "Role"},
                "KeyArn": {"Fn::GetAtt": ["Key", "Arn"]}}),
            &[],
        ),
        stack(
            K::Network,
            &json!({"Vpc": {"Type": "AWS::EC2::VPC", "Properties": {"CidrBlock": "10.0.0.0/16"}}}),
            &json!({"VpcId": {"Ref": "Vpc"}}),
            &[],
        ),
        stack(
            K::Edge,
            &json!({"Nat": {"Type": "AWS::EC2::NatGateway", "Properties": {
                    "ConnectivityType": nat, "SubnetId": {"Ref": "VpcId"}}},
                "Lb": {"Type": "AWS::ElasticLoadBalancingV2::LoadBalancer", "Properties": {
                    "Subnets": [{"Ref": "VpcId"}]}}}),
            &json!({"ApiHost": {"Fn::GetAtt": ["Lb", "DNSName"]}}),
            std::slice::from_ref(&vpc),
        ),
        stack(
            K::Database,
            &json!({"Database": {"Type": "AWS::RDS::DBInstance", "DeletionPolicy": "Snapshot",
                "UpdateReplacePolicy": "Snapshot", "Properties": database}}),
            &json!({"Endpoint": {"Ref": "Database"}}),
            &[vpc],
        ),
        stack(
            K::ControlPlane,
            &group,
            &json!({}),
            &[host.clone(), role.clone()],
        ),
    ];
    all[3].policy = Some(json!({"Statement": [
        {"Effect": "Allow", "Action": "Update:*", "Principal": "*", "Resource": "*"},
        {"Effect": "Deny", "Action": ["Update:Replace", "Update:Delete"], "Principal": "*",
            "Resource": ["LogicalResourceId/Database"]}]}));
    for name in pools {
        let kind = K::Pool((*name).to_owned());
        all.push(stack(
            kind,
            &group,
            &json!({}),
            &[host.clone(), role.clone()],
        ));
    }
    for stack in &mut all {
        stack.name = stack.kind.stack_name(cluster);
        stack
            .tags
            .insert(TAG_CLUSTER.to_owned(), cluster.to_owned());
    }
    all
}

pub fn stack(
    kind: StackKind,
    resources: &Value,
    outputs: &Value,
    needs: &[(&str, StackKind)],
) -> Stack {
    let mut template = json!({"Resources": resources});
    for (parameter, _) in needs {
        template["Parameters"][*parameter] = json!({"Type": "String"});
    }
    for (key, value) in outputs.as_object().unwrap() {
        template["Outputs"][key] = json!({"Value": value});
    }
    let input = |(parameter, from): &(&str, StackKind)| Input {
        parameter: (*parameter).to_owned(),
        source: Source::Output {
            stack: from.clone(),
            key: (*parameter).to_owned(),
        },
    };
    Stack {
        name: String::new(),
        template,
        inputs: needs.iter().map(input).collect(),
        capabilities: vec!["CAPABILITY_NAMED_IAM".to_owned()],
        tags: [(TAG_STACK.to_owned(), kind.to_string())].into(),
        policy: None,
        termination_protection: false,
        objects: Vec::new(),
        kind,
    }
}
