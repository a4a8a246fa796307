//! Permissions: sizes of policies, and the pods' roles.

use kube_cfn::node::Role;
use kube_cfn::stacks::StackKind;
use kube_cfn::templates::Templates;
use serde_json::{Value, json};

use super::iam::covers;
use super::{of_type, stack};
use crate::support::specs;

/// As long as what AWS puts in may be: the longest region, a bucket's and a key's whole name.
fn filled_in(value: &Value) -> Value {
    match value {
        Value::Object(entries) => match entries.iter().next() {
            Some((key, Value::String(text))) if key == "Fn::Sub" => text
                .replace("${AWS::Partition}", "aws")
                .replace("${AWS::Region}", "ap-southeast-2")
                .replace("${AWS::AccountId}", "123456789012")
                .replace("${StateBucket.Arn}", &"b".repeat(76))
                // IAM's own, which CloudFormation hands on.
                .replace("${!aws:userid}", "USER")
                .into(),
            Some((key, _)) if key == "Fn::GetAtt" => "k".repeat(90).into(),
            _ => entries
                .iter()
                .map(|(key, value)| (key.clone(), filled_in(value)))
                .collect(),
        },
        Value::Array(values) => values.iter().map(filled_in).collect(),
        other => other.clone(),
    }
}

#[test]
fn policies_fit_the_limits_of_iam() {
    let mut spec = specs::production();
    spec.name = "n".repeat(28);
    let base = &stack(&spec, &StackKind::Base);
    let size = |policy: &Value| {
        let document = filled_in(&policy["Properties"]["PolicyDocument"]).to_string();
        assert!(
            !document.contains("${") && !document.contains("Fn::"),
            "{document}"
        );
        document.len()
    };
    let mut seen = 0;
    for (id, policy) in of_type(base, "AWS::IAM::Policy") {
        assert!(size(policy) <= 10_240, "{id}: {}", size(policy));
        seen += 1;
    }
    for (id, policy) in of_type(base, "AWS::IAM::ManagedPolicy") {
        assert!(size(policy) <= 6_144, "{id}: {}", size(policy));
        seen += 1;
    }
    assert_eq!(seen, 5);
}

#[test]
fn pod_roles_trust_their_service_account_only() {
    let base = &stack(&specs::production(), &StackKind::Base);
    for (id, account, addon) in [
        ("EbsCsiRole", "ebs-csi-controller-sa", "aws-ebs-csi-driver"),
        (
            "ClusterAutoscalerRole",
            "cluster-autoscaler",
            "cluster-autoscaler",
        ),
    ] {
        let trust = &base.template["Resources"][id]["Properties"]["AssumeRolePolicyDocument"];
        let text = trust["Fn::Sub"].as_str().unwrap();
        let text = text
            .replace(
                "${OidcBucket.RegionalDomainName}",
                "bucket.s3.eu-west-1.amazonaws.com",
            )
            .replace("${OidcProvider}", "arn:provider");
        let trust: Value = serde_json::from_str(&text).unwrap();
        let statement = &trust["Statement"][0];
        assert_eq!(statement["Principal"], json!({"Federated": "arn:provider"}));
        assert_eq!(
            statement["Condition"],
            json!({"StringEquals": {
                "bucket.s3.eu-west-1.amazonaws.com:aud": "sts.amazonaws.com",
                "bucket.s3.eu-west-1.amazonaws.com:sub":
                    format!("system:serviceaccount:kube-system:{account}"),
            }})
        );
        let templates = Templates::new(None).unwrap();
        let tree = kube_cfn::node::files(&specs::production(), Role::ControlPlane, &templates);
        let path = format!("etc/kube-cfn/addons/values/{addon}.yaml");
        let tree = tree.unwrap();
        let values = tree.iter().find(|file| file.path == path).unwrap();
        assert!(
            values.text.contains(&format!("name: {account} ")),
            "{addon}"
        );
    }
}

/// What a role's own policy lets a machine do with an object of the state bucket.
fn actions_on(policy: &Value, user_id: &str, key: &str) -> Vec<String> {
    let list = |value: &Value| {
        value
            .as_array()
            .cloned()
            .unwrap_or_else(|| vec![value.clone()])
    };
    let arn = |resource: &Value| {
        let text = resource["Fn::Sub"].as_str().or(resource.as_str());
        text.unwrap_or_default()
            .replace("${StateBucket.Arn}", "BUCKET")
            .replace("${!aws:userid}", user_id)
    };
    let mut found = Vec::new();
    for statement in list(&policy["Properties"]["PolicyDocument"]["Statement"]) {
        let meant = list(&statement["Resource"])
            .iter()
            .any(|resource| covers(&arn(resource), &format!("BUCKET/{key}")));
        if statement["Effect"] == "Allow" && meant {
            let actions = list(&statement["Action"]);
            found.extend(actions.iter().filter_map(Value::as_str).map(str::to_owned));
        }
    }
    found.retain(|action| action.starts_with("s3:"));
    found
}

#[test]
fn a_machine_writes_only_its_own_boot_logs() {
    let base = &stack(&specs::production(), &StackKind::Base);
    let lists = |statement: &Value| statement["Action"] == "s3:ListBucket";
    for role in ["ControlPlanePolicy", "NodePolicy"] {
        let policy = &base.template["Resources"][role];
        let own = actions_on(policy, "AROA1:i-1", "boot/AROA1:i-1/20261130T010203Z.log");
        assert_eq!(own, ["s3:PutObject"], "{role}");
        for other in [
            "boot/AROA1:i-2/a.log",
            "boot/AROA1:i-1",
            "boot/a.log",
            "boot/AROA2:i-1/a.log",
        ] {
            assert!(
                actions_on(policy, "AROA1:i-1", other).is_empty(),
                "{role} {other}"
            );
        }
        // What else there is shows that the question is asked rightly.
        assert!(actions_on(policy, "AROA1:i-1", "bundles/pool-batch-0.tar.gz").len() <= 1);
        let statements = policy["Properties"]["PolicyDocument"]["Statement"]
            .as_array()
            .unwrap();
        for statement in statements.iter().filter(|statement| lists(statement)) {
            assert_eq!(
                statement["Condition"],
                json!({"StringLike": {"s3:prefix": "etcd/*"}})
            );
        }
        let encrypts = statements
            .iter()
            .any(|one| one["Action"] == "kms:GenerateDataKey");
        assert!(encrypts, "{role}");
    }
    let snapshot = actions_on(
        &base.template["Resources"]["ControlPlanePolicy"],
        "A:i-1",
        "etcd/a.db",
    );
    assert_eq!(snapshot.len(), 3, "{snapshot:?}");
    let rules = &base.template["Resources"]["StateBucket"]["Properties"]["LifecycleConfiguration"];
    let expires = |rule: &&Value| rule["Prefix"] == "boot/" && rule["ExpirationInDays"] == 30;
    assert!(
        rules["Rules"]
            .as_array()
            .unwrap()
            .iter()
            .any(|rule| expires(&rule))
    );
}

/// The approval of new nodes must not depend on the policy of an addon.
#[test]
fn the_control_plane_may_find_machines_and_nothing_wider() {
    let base = &stack(&specs::production(), &StackKind::Base);
    let actions = |role: &str| {
        let policy = &base.template["Resources"][role]["Properties"]["PolicyDocument"];
        let statements = policy["Statement"].as_array().unwrap();
        let allowed = statements.iter().filter(|one| one["Effect"] == "Allow");
        let all = allowed.flat_map(|one| match &one["Action"] {
            Value::Array(all) => all.clone(),
            one => vec![one.clone()],
        });
        all.map(|one| one.as_str().unwrap().to_owned())
            .filter(|one| one.starts_with("autoscaling:") || one.starts_with("ec2:"))
            .collect::<Vec<_>>()
    };
    let mut own = actions("ControlPlanePolicy");
    own.sort();
    assert_eq!(
        own,
        [
            "autoscaling:DescribeAutoScalingGroups",
            "ec2:AttachVolume",
            "ec2:DescribeInstances",
            "ec2:DescribeVolumes",
        ]
    );
    assert_eq!(actions("NodePolicy"), Vec::<String>::new());
}
