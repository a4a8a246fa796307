//! What the intrinsic functions of a template come to, given parameters and what the resources are.
//! Functions that no template of ours uses (`Fn::Transform`, `Fn::Cidr`, …) stay as they are written.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

use super::references::{Piece, pieces};

/// Stands for a value that is decided only when a change is made.
pub const UNKNOWN: &str = "(known after apply)";

/// What is known of the resources that a template refers to.
pub trait Resources {
    /// What `Ref` gives; `None` when it is not known yet.
    fn reference(&self, id: &str) -> Option<String>;

    /// What `Fn::GetAtt` gives; `None` when it is not known yet.
    fn attribute(&self, id: &str, name: &str) -> Option<String>;
}

/// The values of the pseudo parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pseudo<'a> {
    pub account: &'a str,
    pub region: &'a str,
    pub stack_id: &'a str,
    pub stack_name: &'a str,
}

/// Everything that a value can refer to.
#[derive(Clone, Copy)]
pub struct Scope<'a> {
    pub template: &'a Value,
    pub parameters: &'a BTreeMap<String, String>,
    pub pseudo: Pseudo<'a>,
    pub resources: &'a dyn Resources,
}

/// The partition of a region: the second word of every ARN there.
pub fn partition(region: &str) -> &'static str {
    match region.split('-').next() {
        Some("cn") => "aws-cn",
        _ if region.starts_with("us-gov-") => "aws-us-gov",
        _ => "aws",
    }
}

/// A value as text: strings as they are, everything else as JSON.
pub fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

impl Scope<'_> {
    /// What a value comes to. `None` is `AWS::NoValue`: as if it were not written.
    pub fn evaluate(&self, value: &Value) -> Option<Value> {
        match value {
            Value::Object(map) => match only_entry(map) {
                Some((name, inner)) if is_function(name) => self.function(name, inner, value),
                _ => Some(Value::Object(self.members(map))),
            },
            Value::Array(items) => {
                let items = items.iter().filter_map(|item| self.evaluate(item));
                Some(Value::Array(items.collect()))
            }
            plain => Some(plain.clone()),
        }
    }

    /// What a value comes to, as text; empty for `AWS::NoValue`.
    pub fn text(&self, value: &Value) -> String {
        match value {
            Value::String(plain) => plain.clone(),
            other => self.evaluate(other).as_ref().map(text).unwrap_or_default(),
        }
    }

    fn members(&self, map: &Map<String, Value>) -> Map<String, Value> {
        let member = |(key, inner): (&String, &Value)| Some((key.clone(), self.evaluate(inner)?));
        map.iter().filter_map(member).collect()
    }

    fn function(&self, name: &str, inner: &Value, whole: &Value) -> Option<Value> {
        let strings = |text: String| Some(Value::String(text));
        match name {
            "Ref" => self.reference(inner.as_str().unwrap_or_default()),
            "Fn::GetAtt" => strings(self.attribute(inner)),
            "Fn::Sub" => strings(self.substitute(inner)),
            "Fn::Join" => strings(self.join(inner)),
            "Fn::Base64" => strings(self.base64(inner)),
            "Fn::Select" => self.select(inner),
            "Fn::Split" => Some(self.split(inner)),
            "Fn::FindInMap" => self.find_in_map(inner),
            "Fn::GetAZs" => {
                let zone = |letter| Value::String(format!("{}{letter}", self.pseudo.region));
                Some(Value::Array(["a", "b", "c"].map(zone).to_vec()))
            }
            "Fn::If" => {
                let [test, yes, no] = parts(inner);
                self.evaluate(if self.holds_named(test) { yes } else { no })
            }
            "Fn::Equals" | "Fn::Not" | "Fn::And" | "Fn::Or" | "Condition" => {
                Some(Value::Bool(self.holds(whole)))
            }
            _ => Some(whole.clone()),
        }
    }

    fn reference(&self, name: &str) -> Option<Value> {
        if let Some(value) = self.parameters.get(name) {
            return Some(self.parameter(name, value));
        }
        let declared = self
            .template
            .get("Parameters")
            .and_then(|all| all.get(name));
        if let Some(default) = declared.and_then(|parameter| parameter.get("Default")) {
            return Some(self.parameter(name, &text(default)));
        }
        if name == "AWS::NoValue" {
            return None;
        }
        Some(Value::String(self.named(name)))
    }

    fn parameter(&self, name: &str, value: &str) -> Value {
        let declared = self
            .template
            .get("Parameters")
            .and_then(|all| all.get(name));
        let of_type = declared.and_then(|one| one.get("Type")?.as_str());
        let of_type = of_type.unwrap_or_default();
        if of_type == "CommaDelimitedList" || of_type.starts_with("List<") {
            let items = value.split(',').map(|item| item.trim().to_owned());
            Value::Array(items.map(Value::String).collect())
        } else {
            Value::String(value.to_owned())
        }
    }

    /// A pseudo parameter or a resource.
    fn named(&self, name: &str) -> String {
        let pseudo = &self.pseudo;
        match name {
            "AWS::AccountId" => pseudo.account.to_owned(),
            "AWS::Region" => pseudo.region.to_owned(),
            "AWS::StackId" => pseudo.stack_id.to_owned(),
            "AWS::StackName" => pseudo.stack_name.to_owned(),
            "AWS::Partition" => partition(pseudo.region).to_owned(),
            "AWS::URLSuffix" if partition(pseudo.region) == "aws-cn" => {
                "amazonaws.com.cn".to_owned()
            }
            "AWS::URLSuffix" => "amazonaws.com".to_owned(),
            id => known(self.resources.reference(id)),
        }
    }

    fn attribute(&self, inner: &Value) -> String {
        match inner {
            Value::Array(words) => {
                let id = words.first().and_then(Value::as_str).unwrap_or_default();
                let name = words.get(1).map(|name| self.text(name));
                known(self.resources.attribute(id, &name.unwrap_or_default()))
            }
            Value::String(path) => self.attribute_at(path),
            _ => UNKNOWN.to_owned(),
        }
    }

    fn attribute_at(&self, path: &str) -> String {
        let (id, name) = path.split_once('.').unwrap_or((path, ""));
        known(self.resources.attribute(id, name))
    }

    fn substitute(&self, inner: &Value) -> String {
        let (pattern, own) = match inner {
            Value::Array(items) => (
                items.first().and_then(Value::as_str).unwrap_or_default(),
                items.get(1).and_then(Value::as_object),
            ),
            other => (other.as_str().unwrap_or_default(), None),
        };
        let mut written = String::new();
        for piece in pieces(pattern) {
            match piece {
                Piece::Text(plain) => written.push_str(plain),
                Piece::Name(name) => match own.and_then(|own| own.get(name)) {
                    Some(value) => written.push_str(&self.text(value)),
                    None if name.contains('.') => written.push_str(&self.attribute_at(name)),
                    None => {
                        let value = self.reference(name);
                        written.push_str(&value.as_ref().map(text).unwrap_or_default());
                    }
                },
            }
        }
        written
    }

    fn join(&self, inner: &Value) -> String {
        let [separator, list] = parts(inner);
        let list = self.evaluate(list);
        let words = list.as_ref().and_then(Value::as_array);
        let words: Vec<String> = words.into_iter().flatten().map(text).collect();
        words.join(separator.as_str().unwrap_or_default())
    }

    fn base64(&self, inner: &Value) -> String {
        let plain = self.text(inner);
        if plain.contains(UNKNOWN) {
            return UNKNOWN.to_owned();
        }
        STANDARD.encode(plain)
    }

    fn select(&self, inner: &Value) -> Option<Value> {
        let [index, list] = parts(inner);
        let index: usize = self.text(index).parse().ok()?;
        let list = self.evaluate(list)?;
        list.as_array()?.get(index).cloned()
    }

    fn split(&self, inner: &Value) -> Value {
        let [separator, whole] = parts(inner);
        let whole = self.text(whole);
        let words = whole.split(separator.as_str().unwrap_or(","));
        Value::Array(words.map(|word| Value::String(word.to_owned())).collect())
    }

    fn find_in_map(&self, inner: &Value) -> Option<Value> {
        let [map, first, second] = parts(inner);
        let maps = self.template.get("Mappings")?;
        let row = maps.get(self.text(map))?.get(self.text(first))?;
        row.get(self.text(second)).cloned()
    }

    fn holds_named(&self, name: &Value) -> bool {
        let conditions = self.template.get("Conditions");
        let condition = name.as_str().and_then(|name| conditions?.get(name));
        condition.is_some_and(|condition| self.holds(condition))
    }

    /// Whether a condition holds.
    pub fn holds(&self, condition: &Value) -> bool {
        let Some((name, inner)) = condition.as_object().and_then(only_entry) else {
            return condition.as_bool().unwrap_or_default();
        };
        let all = inner.as_array().map_or(&[][..], Vec::as_slice);
        match name.as_str() {
            "Fn::Equals" => {
                let [one, other] = parts(inner);
                self.text(one) == self.text(other)
            }
            "Fn::Not" => !all.iter().any(|one| self.holds(one)),
            "Fn::And" => all.iter().all(|one| self.holds(one)),
            "Fn::Or" => all.iter().any(|one| self.holds(one)),
            "Condition" => self.holds_named(inner),
            _ => false,
        }
    }
}

fn known(value: Option<String>) -> String {
    value.unwrap_or_else(|| UNKNOWN.to_owned())
}

fn only_entry(map: &Map<String, Value>) -> Option<(&String, &Value)> {
    if map.len() == 1 {
        map.iter().next()
    } else {
        None
    }
}

fn is_function(name: &str) -> bool {
    name == "Ref" || name.starts_with("Fn::")
}

/// The first items of an argument list; null where one is missing.
fn parts<const N: usize>(list: &Value) -> [&Value; N] {
    std::array::from_fn(|index| list.get(index).unwrap_or(&Value::Null))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    struct Two;

    impl Resources for Two {
        fn reference(&self, id: &str) -> Option<String> {
            (id == "Vpc").then(|| "vpc-1".to_owned())
        }

        fn attribute(&self, id: &str, name: &str) -> Option<String> {
            (id == "Vpc").then(|| format!("vpc-1/{name}"))
        }
    }

    fn come_to(value: &Value) -> Option<Value> {
        let template = json!({
            "Parameters": {
                "Given": {"Type": "String"}, "Default": {"Type": "String", "Default": "usual"},
                "List": {"Type": "CommaDelimitedList"},
            },
            "Mappings": {"Sizes": {"eu-west-1": {"small": "t3"}}},
            "Conditions": {
                "Yes": {"Fn::Equals": [{"Ref": "Given"}, "here"]},
                "No": {"Fn::Not": [{"Condition": "Yes"}]},
                "Both": {"Fn::And": [{"Condition": "Yes"}, {"Fn::Or": [{"Condition": "No"}]}]},
            },
        });
        let parameters = BTreeMap::from([
            ("Given".to_owned(), "here".to_owned()),
            ("List".to_owned(), "a, b".to_owned()),
        ]);
        let scope = Scope {
            template: &template,
            parameters: &parameters,
            pseudo: Pseudo {
                account: "123456789012",
                region: "eu-west-1",
                stack_id: "arn:stack",
                stack_name: "canary-base",
            },
            resources: &Two,
        };
        scope.evaluate(value)
    }

    #[test]
    fn intrinsic_functions_are_evaluated() {
        let cases = [
            (json!({"Ref": "Given"}), json!("here")),
            (json!({"Ref": "Default"}), json!("usual")),
            (json!({"Ref": "List"}), json!(["a", "b"])),
            (json!({"Ref": "Vpc"}), json!("vpc-1")),
            (json!({"Fn::GetAtt": ["Vpc", "A.B"]}), json!("vpc-1/A.B")),
            (json!({"Fn::GetAtt": "Vpc.Arn"}), json!("vpc-1/Arn")),
            (
                json!({"Fn::Sub": "${AWS::Partition}:${Vpc}:${Vpc.Arn}:${!Kept}:$x"}),
                json!("aws:vpc-1:vpc-1/Arn:${Kept}:$x"),
            ),
            (
                json!({"Fn::Sub": ["${A}-${Given}", {"A": {"Ref": "Vpc"}}]}),
                json!("vpc-1-here"),
            ),
            (
                json!({"Fn::Join": ["-", ["a", {"Ref": "Given"}]]}),
                json!("a-here"),
            ),
            (
                json!({"Fn::Base64": {"Fn::Sub": "${Given}"}}),
                json!("aGVyZQ=="),
            ),
            (json!({"Fn::Select": ["1", {"Ref": "List"}]}), json!("b")),
            (
                json!({"Fn::Select": [0, {"Fn::Split": ["/", "x/y"]}]}),
                json!("x"),
            ),
            (
                json!({"Fn::FindInMap": ["Sizes", {"Ref": "AWS::Region"}, "small"]}),
                json!("t3"),
            ),
            (json!({"Fn::If": ["Yes", 1, 2]}), json!(1)),
            (json!({"Fn::If": ["No", 1, 2]}), json!(2)),
            (json!({"Fn::If": ["Both", 1, 2]}), json!(2)),
            (
                json!({"Fn::GetAZs": ""}),
                json!(["eu-west-1a", "eu-west-1b", "eu-west-1c"]),
            ),
            (
                json!({"A": {"Ref": "AWS::NoValue"}, "B": 1}),
                json!({"B": 1}),
            ),
            (json!([{"Ref": "AWS::NoValue"}, "x"]), json!(["x"])),
        ];
        for (written, wanted) in cases {
            assert_eq!(come_to(&written), Some(wanted), "{written}");
        }
        assert_eq!(come_to(&json!({"Ref": "AWS::NoValue"})), None);
    }

    #[test]
    fn unknown_values_are_marked_in_results() {
        assert_eq!(come_to(&json!({"Ref": "Later"})), Some(json!(UNKNOWN)));
        let inside = come_to(&json!({"Fn::Sub": "arn/${Later.Arn}"}));
        assert_eq!(inside, Some(json!("arn/(known after apply)")));
        let packed = come_to(&json!({"Fn::Base64": {"Fn::Sub": "x ${Later}"}}));
        assert_eq!(packed, Some(json!(UNKNOWN)));
    }

    #[test]
    fn partition_follows_the_region() {
        let of = ["eu-west-1", "us-gov-west-1", "cn-north-1"].map(partition);
        assert_eq!(of, ["aws", "aws-us-gov", "aws-cn"]);
    }
}
