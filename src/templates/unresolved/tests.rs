//! Every kind of reference, right and wrong, in every section that may hold it.

use super::*;
use serde_json::json;

/// A template whose every reference resolves.
fn sound() -> Value {
    json!({
        "Parameters": {"Size": {"Type": "String"}},
        "Mappings": {"Sizes": {"eu-west-1": {"small": "t3"}, "eu-west-2": {"large": "t4"}}},
        "Conditions": {
            "Big": {"Fn::Equals": [{"Ref": "Size"}, {"Ref": "AWS::Region"}]},
            "Small": {"Fn::Not": [{"Condition": "Big"}]},
        },
        "Rules": {"R": {"Assertions": [{"Assert": {"Fn::Equals": [{"Ref": "Size"}, "1"]}}]}},
        "Resources": {
            "Vpc": {"Type": "X", "Condition": "Big", "DependsOn": "Net", "Properties": {
                "A": {"Ref": "Size"}, "B": [{"Fn::GetAtt": ["Net", "Arn"]}],
                "C": {"Fn::Sub": "${Net}/${Net.Outputs.A}/${AWS::Partition}/${!Literal}/${open"},
                "D": {"Fn::Sub": ["${Own}${Size}", {"Own": {"Ref": "Net"}}]},
                "E": {"Fn::If": ["Small", {"Ref": "AWS::NoValue"}, {"Fn::GetAtt": "Net.Arn"}]},
                "F": {"Fn::FindInMap": ["Sizes", {"Ref": "AWS::Region"}, "large"]},
                "G": {"Statement": [{"Condition": {"Bool": {"x": "true"}}}, {"Condition": "x"}]},
                "H": {"Fn::FindInMap": ["Sizes", "us-east-1", "small", {"DefaultValue": "t2"}]},
                "I": {"Ref": "not a function", "Other": 1},
            }},
            "Net": {"Type": "X", "DependsOn": []},
        },
        "Outputs": {"Id": {"Condition": "Small", "Value": {"Fn::Sub": "${Vpc.Arn}"}}},
    })
}

/// What is wrong with the template once `value` is at the JSON pointer `at`.
fn wrong(at: &str, value: Value) -> Vec<String> {
    let mut template = sound();
    let (parent, key) = at.rsplit_once('/').unwrap();
    template.pointer_mut(parent).unwrap()[key] = value;
    unresolved(&template)
        .iter()
        .map(ToString::to_string)
        .collect()
}

#[test]
fn sound_references_resolve() {
    assert_eq!(unresolved(&sound()), []);
    assert_eq!(
        unresolved(&json!({"Resources": {"A": null}, "Outputs": null})),
        []
    );
}

/// Where in the sound template, the value there instead, and the message.
#[rustfmt::skip]
const BROKEN: &[(&str, &str, &str)] = &[
    (PROPERTY, r#"{"Ref": "Siz"}"#, "resource Vpc, Properties.A: Ref names `Siz`, which is neither a parameter nor a resource"),
    (PROPERTY, r#"{"Ref": "AWS::Regoin"}"#, "resource Vpc, Properties.A: Ref names `AWS::Regoin`, which is neither a parameter nor a resource"),
    (PROPERTY, r#"[0, {"B": {"Ref": "Siz"}}]"#, "resource Vpc, Properties.A[1].B: Ref names `Siz`, which is neither a parameter nor a resource"),
    (PROPERTY, r#"{"Ref": ["Size"]}"#, "resource Vpc, Properties.A: Ref does not have the form a name"),
    (PROPERTY, r#"{"Fn::GetAtt": ["Nett", "Arn"]}"#, "resource Vpc, Properties.A: Fn::GetAtt names `Nett`, which is not a resource"),
    (PROPERTY, r#"{"Fn::GetAtt": ["Size", "Arn"]}"#, "resource Vpc, Properties.A: Fn::GetAtt names `Size`, which is not a resource"),
    (PROPERTY, r#"{"Fn::GetAtt": "Nett.Arn"}"#, "resource Vpc, Properties.A: Fn::GetAtt names `Nett`, which is not a resource"),
    (PROPERTY, r#"{"Fn::GetAtt": "Net"}"#, "resource Vpc, Properties.A: Fn::GetAtt does not have the form [resource, attribute]"),
    (PROPERTY, r#"{"Fn::GetAtt": ["Net", {"Ref": "Siz"}]}"#, "resource Vpc, Properties.A.Fn::GetAtt[1]: Ref names `Siz`, which is neither a parameter nor a resource"),
    (PROPERTY, r#"{"Fn::Sub": "x ${Siz}"}"#, "resource Vpc, Properties.A: Fn::Sub names `Siz`, which is neither a parameter nor a resource"),
    (PROPERTY, r#"{"Fn::Sub": "x ${Nett.Arn}"}"#, "resource Vpc, Properties.A: Fn::Sub names `Nett`, which is not a resource"),
    (PROPERTY, r#"{"Fn::Sub": ["${Own}${Owm}", {"Own": 1}]}"#, "resource Vpc, Properties.A: Fn::Sub names `Owm`, which is neither a parameter nor a resource"),
    (PROPERTY, r#"{"Fn::Sub": ["${Own}", {"Own": {"Ref": "Siz"}}]}"#, "resource Vpc, Properties.A.Fn::Sub[1].Own: Ref names `Siz`, which is neither a parameter nor a resource"),
    (PROPERTY, r#"{"Fn::Sub": ["${Size}"]}"#, "resource Vpc, Properties.A: Fn::Sub does not have the form text, or [text, {name: value}]"),
    (PROPERTY, r#"{"Fn::If": ["Bigg", 1, 2]}"#, "resource Vpc, Properties.A: Fn::If names `Bigg`, which is not a condition"),
    (PROPERTY, r#"{"Fn::If": ["Big", 1]}"#, "resource Vpc, Properties.A: Fn::If does not have the form [condition, value, value]"),
    (PROPERTY, r#"{"Fn::If": ["Big", {"Ref": "Siz"}, 2]}"#, "resource Vpc, Properties.A.Fn::If[1]: Ref names `Siz`, which is neither a parameter nor a resource"),
    (PROPERTY, r#"{"Fn::FindInMap": ["Size", "a", "b"]}"#, "resource Vpc, Properties.A: Fn::FindInMap names `Size`, which is not a mapping"),
    (PROPERTY, r#"{"Fn::FindInMap": ["Sizes", "us-east-1", "small"]}"#, "resource Vpc, Properties.A: Fn::FindInMap names `us-east-1`, which is not a key of the mapping `Sizes`"),
    (PROPERTY, r#"{"Fn::FindInMap": ["Sizes", "eu-west-1", "large"]}"#, "resource Vpc, Properties.A: Fn::FindInMap names `large`, which is not a key of the mapping `Sizes`"),
    (PROPERTY, r#"{"Fn::FindInMap": ["Sizes", {"Ref": "Size"}, "huge"]}"#, "resource Vpc, Properties.A: Fn::FindInMap names `huge`, which is not a key of the mapping `Sizes`"),
    (PROPERTY, r#"{"Fn::FindInMap": "Sizes"}"#, "resource Vpc, Properties.A: Fn::FindInMap does not have the form [mapping, key, key]"),
    ("/Resources/Net/DependsOn", r#""Size""#, "resource Net, DependsOn: DependsOn names `Size`, which is not a resource"),
    ("/Resources/Net/DependsOn", r#"["Vpc", "Vpcc"]"#, "resource Net, DependsOn[1]: DependsOn names `Vpcc`, which is not a resource"),
    ("/Resources/Net/DependsOn", r#"{"Ref": "Vpc"}"#, "resource Net, DependsOn: DependsOn does not have the form a name"),
    ("/Resources/Net/Condition", r#""Bigg""#, "resource Net, Condition: Condition names `Bigg`, which is not a condition"),
    ("/Resources/Net/UpdatePolicy", r#"{"A": {"Ref": "Siz"}}"#, "resource Net, UpdatePolicy.A: Ref names `Siz`, which is neither a parameter nor a resource"),
    ("/Resources/Net/Metadata", r#"{"A": {"Ref": "Siz"}}"#, "resource Net, Metadata.A: Ref names `Siz`, which is neither a parameter nor a resource"),
    ("/Outputs/Id/Condition", r#""Bigg""#, "output Id, Condition: Condition names `Bigg`, which is not a condition"),
    ("/Outputs/Id/Value", r#"{"Fn::GetAtt": ["Nett", "Arn"]}"#, "output Id, Value: Fn::GetAtt names `Nett`, which is not a resource"),
    ("/Conditions/Small", r#"{"Fn::Not": [{"Condition": "Bigg"}]}"#, "condition Small, Fn::Not[0]: Condition names `Bigg`, which is not a condition"),
    ("/Conditions/Small", r#"{"Condition": "Bigg"}"#, "condition Small: Condition names `Bigg`, which is not a condition"),
    ("/Conditions/Small", r#"{"Fn::Equals": [{"Ref": "Vpc"}, ""]}"#, "condition Small, Fn::Equals[0]: Ref names `Vpc`, which is not a parameter"),
    ("/Rules/R/RuleCondition", r#"{"Fn::Equals": [{"Ref": "Siz"}, ""]}"#, "rule R, RuleCondition.Fn::Equals[0]: Ref names `Siz`, which is not a parameter"),
];
const PROPERTY: &str = "/Resources/Vpc/Properties/A";

#[test]
fn unresolved_references_are_located() {
    for (at, value, said) in BROKEN {
        let found = wrong(at, serde_json::from_str(value).unwrap());
        assert_eq!(found, [*said], "{value} at {at}");
    }
}

#[test]
fn unresolved_reference_lists_valid_names() {
    let mut template = sound();
    template["Resources"]["Vpc"]["Properties"] = json!([
        {"Ref": "X"}, {"Fn::GetAtt": "X.Arn"}, {"Fn::If": ["X", 1, 2]},
        {"Fn::FindInMap": ["X", "a", "b"]}, {"Fn::FindInMap": ["Sizes", "eu-west-2", "X"]},
    ]);
    let found = unresolved(&template);
    let choices: Vec<String> = found.iter().map(|one| one.choices.join(" ")).collect();
    let all = format!("Size {} Vpc Net", PSEUDO_PARAMETERS.join(" "));
    assert_eq!(
        choices,
        [all.as_str(), "Vpc Net", "Big Small", "Sizes", "large"]
    );
}
