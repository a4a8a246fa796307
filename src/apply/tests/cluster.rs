//! The stacks of a small cluster, and changes to them.

use serde_json::{Map, Value, json};

use crate::common::tags::{TAG_CLUSTER, TAG_STACK};
use crate::stacks::{Input, Object, STATE_BUCKET, Source, Stack, StackKind};

pub const CLUSTER: &str = "canary";
pub const LB: &str = "AWS::ElasticLoadBalancingV2::LoadBalancer";
pub const GROUP: &str = "AWS::AutoScaling::AutoScalingGroup";
/// A type that is in no table: five seconds for everything.
pub const PLAIN: &str = "AWS::X";

pub type Needs<'a> = &'a [(&'a str, StackKind, &'a str)];

/// A stack whose template has these resources and outputs.
pub fn stack(
    kind: StackKind,
    resources: &[(&str, &str)],
    outputs: &[(&str, &str)],
    needs: Needs<'_>,
) -> Stack {
    let body = |(id, of_type): &(&str, &str)| {
        let sentence = format!("the {id} of {kind}");
        let body =
            json!({"Type": of_type, "Metadata": {"Description": sentence}, "Properties": {}});
        ((*id).to_owned(), body)
    };
    let resources: Map<String, Value> = resources.iter().map(body).collect();
    let mut template = json!({"Resources": resources});
    for (key, value) in outputs {
        template["Outputs"][*key] = json!({"Value": value});
    }
    let tags = [
        (TAG_CLUSTER, CLUSTER.to_owned()),
        (TAG_STACK, kind.to_string()),
    ];
    let mut stack = Stack {
        name: kind.stack_name(CLUSTER),
        template,
        inputs: Vec::new(),
        capabilities: vec!["CAPABILITY_IAM".to_owned()],
        tags: tags.map(|(key, value)| (key.to_owned(), value)).into(),
        policy: None,
        termination_protection: false,
        objects: Vec::new(),
        kind,
    };
    for (parameter, from, key) in needs {
        takes(&mut stack, parameter, from, key);
    }
    stack
}

/// A stack takes one more output of another.
pub fn takes(stack: &mut Stack, parameter: &str, from: &StackKind, key: &str) {
    stack.template["Parameters"][parameter] = json!({"Type": "String"});
    stack.inputs.push(Input {
        parameter: parameter.to_owned(),
        source: Source::Output {
            stack: from.clone(),
            key: key.to_owned(),
        },
    });
}

/// The six stacks of a small cluster.
pub fn stacks() -> Vec<Stack> {
    use StackKind as K;
    let network = [("VpcId", K::Network, "VpcId")];
    let nodes = [
        ("Profile", K::Base, "Profile"),
        ("Host", K::Edge, "ApiHost"),
    ];
    let mut base = stack(
        K::Base,
        &[
            ("Key", "AWS::KMS::Key"),
            ("Role", "AWS::IAM::Role"),
            ("StateBucket", "AWS::S3::Bucket"),
        ],
        &[(STATE_BUCKET, "bucket-1"), ("Profile", "profile-1")],
        &[],
    );
    *property(&mut base, "StateBucket", "BucketName") = json!("bucket-1");
    let mut control = stack(K::ControlPlane, &[("SlotA", GROUP)], &[], &nodes);
    control.objects.push(Object {
        key: "node/1.tar.gz".to_owned(),
        bytes: vec![1],
    });
    vec![
        base,
        stack(
            K::Network,
            &[("Vpc", "AWS::EC2::VPC")],
            &[("VpcId", "vpc-1")],
            &[],
        ),
        stack(
            K::Edge,
            &[("Nat", "AWS::EC2::NatGateway"), ("Lb", LB)],
            &[("ApiHost", "api.example")],
            &network,
        ),
        stack(
            K::Database,
            &[("Database", "AWS::RDS::DBInstance")],
            &[("Endpoint", "db.example")],
            &network,
        ),
        control,
        stack(
            K::Pool("workers".to_owned()),
            &[("Group", GROUP)],
            &[],
            &nodes,
        ),
    ]
}

/// The network alone: one stack is enough for most faults.
pub fn network() -> Vec<Stack> {
    only(&StackKind::Network)
}

/// One stack alone, that needs nothing.
pub fn only(kind: &StackKind) -> Vec<Stack> {
    let mut all = stacks();
    all.retain(|stack| stack.kind == *kind);
    for stack in &mut all {
        stack.inputs.clear();
        stack.objects.clear();
        if let Some(template) = stack.template.as_object_mut() {
            template.remove("Parameters");
        }
    }
    all
}

pub fn of<'a>(stacks: &'a mut [Stack], kind: &StackKind) -> &'a mut Stack {
    let mut all = stacks.iter_mut();
    all.find(|stack| stack.kind == *kind)
        .expect("a stack of that kind")
}

/// A property of a resource.
pub fn property<'a>(stack: &'a mut Stack, id: &str, name: &str) -> &'a mut Value {
    &mut stack.template["Resources"][id]["Properties"][name]
}

/// Wants another value for a property. Its type decides what that does to the resource.
pub fn changed(mut stacks: Vec<Stack>, kind: &StackKind, id: &str, name: &str) -> Vec<Stack> {
    *property(of(&mut stacks, kind), id, name) = json!("altered");
    stacks
}

/// Changes the first resource of one stack in place.
pub fn altered_in(mut stacks: Vec<Stack>, kind: &StackKind) -> Vec<Stack> {
    let id = if *kind == StackKind::Edge {
        "Lb".to_owned()
    } else {
        let first = of(&mut stacks, kind).resources().next();
        first.expect("a resource").0.to_owned()
    };
    changed(stacks, kind, &id, "Altered")
}

pub fn altered(kind: &StackKind) -> Vec<Stack> {
    altered_in(stacks(), kind)
}

/// The database's properties whose change replaces it, or might.
pub const REPLACES: &str = "DBName";
pub const MIGHT_REPLACE: &str = "AvailabilityZone";
