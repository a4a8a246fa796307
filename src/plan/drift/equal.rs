//! Whether both sides of a difference say the same: IAM gives one policy several forms, and returns not always the one
//! that it was given. A list of one is its member: "when an element takes an array and only one value is included, the
//! brackets are optional"
//! (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html>).

use serde_json::Value;

use super::super::protection::documents;
use crate::cloud::Difference;

/// The properties that are policies in IAM's language.
const POLICIES: [&str; 3] = ["AssumeRolePolicyDocument", "PolicyDocument", "KeyPolicy"];

/// Whether a difference is one of form. Elsewhere than in policies nothing is taken for the same.
pub(super) fn is_same(difference: &Difference) -> bool {
    let (Some(expected), Some(actual)) = (&difference.expected, &difference.actual) else {
        return false;
    };
    let mut steps = difference.path.split('.').skip(1);
    if !steps.next().is_some_and(|first| POLICIES.contains(&first)) {
        return false;
    }
    let (expected, actual) = (value(expected), value(actual));
    match steps.next() {
        None => {
            let is_policy = |one: &Value| one.get("Statement").is_some();
            is_policy(&expected)
                && is_policy(&actual)
                && expected.get("Version") == actual.get("Version")
                && documents::compare(&expected, &actual).is_empty()
        }
        Some(_) => member(&expected) == member(&actual),
    }
}

fn value(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned()))
}

fn member(value: &Value) -> &Value {
    match value.as_array().map(Vec::as_slice) {
        Some([one]) => one,
        _ => value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn same(path: &str, expected: &str, actual: &str) -> bool {
        is_same(&Difference {
            path: format!("Properties.{path}"),
            expected: Some(expected.to_owned()),
            actual: Some(actual.to_owned()),
        })
    }

    #[test]
    fn drift_of_a_policy_counts_only_where_it_says_something_else() {
        let policy = |action: &str, version: &str| {
            format!(
                r#"{{"Version":"{version}","Statement":[{{"Effect":"Allow","Action":{action}}}]}}"#
            )
        };
        let one = policy(r#""sts:AssumeRole""#, "2012-10-17");
        let list = policy(r#"["sts:AssumeRole"]"#, "2012-10-17");
        assert!(same("AssumeRolePolicyDocument", &one, &list));
        let old = policy(r#""sts:AssumeRole""#, "2008-10-17");
        assert!(!same("AssumeRolePolicyDocument", &one, &old));
        let wider = policy(r#"["sts:AssumeRole","sts:TagSession"]"#, "2012-10-17");
        assert!(!same("AssumeRolePolicyDocument", &one, &wider));
        assert!(!same("AssumeRolePolicyDocument", &one, "{}"));
        let part = "AssumeRolePolicyDocument.Statement.0.Action";
        assert!(same(part, "sts:AssumeRole", r#"["sts:AssumeRole"]"#));
        assert!(!same(part, "sts:AssumeRole", r#"["sts:TagSession"]"#));
        assert!(
            !same("Subnets", "a", r#"["a"]"#),
            "only a policy has two forms"
        );
    }
}
