//! Who may do what: sizes of policies, and the pods' roles.

use kube_cfn::node::Role;
use kube_cfn::templates::Templates;
use serde_json::{Value, json};

use super::{design, of_type};
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
fn policies_fit_into_what_iam_takes() {
    let mut spec = specs::production();
    spec.name = "n".repeat(28);
    let base = &design(&spec)[0];
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
fn a_pods_role_trusts_its_service_account_alone() {
    let base = &design(&specs::production())[0];
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
        let tree = kube_cfn::node::tree(&specs::production(), Role::ControlPlane, &templates);
        let path = format!("etc/kube-cfn/addons/values/{addon}.yaml");
        let tree = tree.unwrap();
        let values = tree.iter().find(|file| file.path == path).unwrap();
        assert!(
            values.text.contains(&format!("name: {account} ")),
            "{addon}"
        );
    }
}
