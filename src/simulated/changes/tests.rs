//! What counts as a change, and how grave it is.

use super::*;
use crate::templates::evaluate::UNKNOWN;
use serde_json::json;

struct StackResources;

impl Resources for StackResources {
    fn reference(&self, id: &str) -> Option<String> {
        Some(format!("{id}-1"))
    }

    fn attribute(&self, id: &str, name: &str) -> Option<String> {
        Some(format!("{id}-1.{name}"))
    }
}

fn ask_with(
    before: &Value,
    after: &Value,
    parameters: [&[(&str, &str)]; 2],
    tags: [&[(&str, &str)]; 2],
) -> Vec<ResourceChange> {
    let map = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
        let pairs = pairs.iter();
        pairs
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect()
    };
    let [was, is] = parameters.map(map);
    let [were, are] = tags.map(map);
    changes(&ChangeSetInput {
        before: TemplateVersion {
            template: before,
            parameters: &was,
            tags: &were,
        },
        after: TemplateVersion {
            template: after,
            parameters: &is,
            tags: &are,
        },
        pseudo: Pseudo {
            account: "1",
            region: "eu-west-1",
            stack_id: "arn",
            stack_name: "s",
        },
        resources: &StackResources,
    })
}

fn ask(before: &Value, after: &Value) -> Vec<ResourceChange> {
    ask_with(before, after, [&[], &[]], [&[], &[]])
}

fn short(changes: &[ResourceChange]) -> Vec<String> {
    let word = |change: &ResourceChange| {
        let paths: Vec<_> = change.properties.iter().map(|p| p.path.as_str()).collect();
        let (action, replacement) = (&change.action, change.replacement);
        format!(
            "{} {action:?} {replacement:?} {}",
            change.logical_id,
            paths.join(" ")
        )
    };
    changes.iter().map(word).collect()
}

#[test]
fn identical_templates_have_no_changes() {
    let template = json!({"Resources": {"A": {"Type": "AWS::EC2::VPC"}}, "Outputs": {}});
    assert_eq!(ask(&template, &template), []);
    assert_eq!(ask(&template, &template.clone()), []);
}

#[test]
fn changes_are_added_removed_modified_or_replaced() {
    let before = json!({"Resources": {
        "Gone": {"Type": "AWS::EC2::Volume", "DeletionPolicy": "Snapshot"},
        "Vpc": {"Type": "AWS::EC2::VPC", "Properties": {"CidrBlock": "10.0.0.0/16"}},
        "Same": {"Type": "AWS::EC2::EIP", "Properties": {"Domain": "vpc"}},
        "Size": {"Type": "AWS::RDS::DBInstance", "Properties": {"DBInstanceClass": "a", "MultiAZ": false}},
    }});
    let after = json!({"Resources": {
        "New": {"Type": "AWS::EC2::EIP"},
        "Vpc": {"Type": "AWS::EC2::VPC", "Properties": {"CidrBlock": "10.1.0.0/16"},
            "UpdateReplacePolicy": "Retain"},
        "Same": {"Type": "AWS::EC2::EIP", "Properties": {"Domain": "vpc"}},
        "Size": {"Type": "AWS::RDS::DBInstance", "Properties": {"DBInstanceClass": "b", "MultiAZ": true}},
    }});
    let found = ask(&before, &after);
    assert_eq!(
        short(&found),
        [
            "New Add No ",
            "Size Modify Might Properties.DBInstanceClass Properties.MultiAZ",
            "Vpc Modify Yes Properties.CidrBlock UpdateReplacePolicy",
            "Gone Remove No ",
        ]
    );
    let policies: Vec<_> = found.iter().map(|change| change.deletion_policy).collect();
    assert_eq!(
        policies,
        [
            None,
            Some(DeletionPolicy::Delete),
            Some(DeletionPolicy::Retain),
            Some(DeletionPolicy::Snapshot)
        ]
    );
    let cidr = &found[2].properties[0];
    assert_eq!(cidr.before.as_deref(), Some("10.0.0.0/16"));
    assert_eq!(cidr.after.as_deref(), Some("10.1.0.0/16"));
}

#[test]
fn dependents_of_a_replaced_resource_might_be_replaced() {
    let template = |cidr: &str| {
        json!({"Resources": {
            "Vpc": {"Type": "AWS::EC2::VPC", "Properties": {"CidrBlock": cidr}},
            "Net": {"Type": "AWS::EC2::Subnet", "Properties": {"VpcId": {"Ref": "Vpc"}}},
            "Far": {"Type": "AWS::EC2::NatGateway", "Properties": {"SubnetId": {"Ref": "Net"}}},
        }})
    };
    let found = ask(&template("10.0.0.0/16"), &template("10.1.0.0/16"));
    assert_eq!(
        short(&found),
        [
            "Vpc Modify Yes Properties.CidrBlock",
            "Net Modify Might Properties.VpcId",
            "Far Modify Might Properties.SubnetId",
        ]
    );
    let subnet = &found[1].properties[0];
    assert_eq!(subnet.after.as_deref(), Some(UNKNOWN));
    assert_eq!(subnet.before.as_deref(), Some("Vpc-1"));
    assert_eq!(subnet.cause.as_deref(), Some("Vpc"));
}

#[test]
fn changed_parameter_is_the_cause() {
    let template = json!({
        "Parameters": {"ImageId": {"Type": "String"}, "Unused": {"Type": "String"}},
        "Resources": {"L": {"Type": "AWS::EC2::LaunchTemplate", "Properties":
            {"LaunchTemplateData": {"ImageId": {"Ref": "ImageId"}}}},
            "G": {"Type": "AWS::AutoScaling::AutoScalingGroup", "Properties":
            {"LaunchTemplate": {"Version": {"Fn::GetAtt": ["L", "LatestVersionNumber"]}}}}}});
    let found = ask_with(
        &template,
        &template,
        [
            &[("ImageId", "ami-1"), ("Unused", "1")],
            &[("ImageId", "ami-2"), ("Unused", "2")],
        ],
        [&[], &[]],
    );
    assert_eq!(
        short(&found),
        [
            "L Modify No Properties.LaunchTemplateData.ImageId",
            "G Modify Might Properties.LaunchTemplate.Version",
        ]
    );
    assert_eq!(found[0].properties[0].cause.as_deref(), Some("ImageId"));
    assert_eq!(found[1].properties[0].cause.as_deref(), Some("L"));
    let unused = ask_with(
        &template,
        &template,
        [
            &[("ImageId", "x"), ("Unused", "1")],
            &[("ImageId", "x"), ("Unused", "2")],
        ],
        [&[], &[]],
    );
    assert_eq!(unused, []);
}

#[test]
fn tags_change_taggable_resources_and_outputs_the_stack() {
    let template = json!({"Resources": {
        "A": {"Type": "AWS::EC2::VPC"}, "B": {"Type": "AWS::EC2::Route"}}});
    let found = ask_with(&template, &template, [&[], &[]], [&[], &[("team", "core")]]);
    assert_eq!(short(&found), ["A Modify No Tags"]);
    let mut other = template.clone();
    other["Outputs"] = json!({"X": {"Value": {"Ref": "A"}}});
    assert_eq!(short(&ask(&template, &other)), ["s Modify No Outputs"]);
}

#[test]
fn metadata_is_a_change_and_a_policy_alone_is_not() {
    let with = |policy: &str, sentence: &str| {
        json!({"Resources": {"V": {"Type": "AWS::EC2::Volume", "DeletionPolicy": policy,
            "Metadata": {"Description": sentence}}}})
    };
    assert_eq!(ask(&with("Delete", "a"), &with("Snapshot", "a")), []);
    let found = ask(&with("Delete", "a"), &with("Snapshot", "b"));
    assert_eq!(short(&found), ["V Modify No Metadata DeletionPolicy"]);
}
