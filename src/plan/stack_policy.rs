//! The resources that a stack policy protects from replacement and deletion, and the policy without some.

use std::collections::BTreeSet;

use serde_json::Value;

const RESOURCE: &str = "LogicalResourceId/";

/// The resources that a stack policy, if any, denies to replace or delete, where it names them.
pub fn protected_resources(policy: Option<&Value>) -> BTreeSet<String> {
    policy
        .into_iter()
        .flat_map(denials)
        .flat_map(names)
        .filter_map(|name| name.strip_prefix(RESOURCE).map(str::to_owned))
        .collect()
}

/// The policy without its denials for these resources.
pub fn relaxed(policy: &Value, resources: &BTreeSet<String>) -> Value {
    let mut policy = policy.clone();
    let Some(statements) = policy.get_mut("Statement").and_then(Value::as_array_mut) else {
        return policy;
    };
    for statement in statements.iter_mut().filter(|one| one["Effect"] == "Deny") {
        let left: Vec<Value> = names(statement)
            .filter(|name| {
                let id = name.strip_prefix(RESOURCE);
                id.is_none_or(|id| !resources.contains(id))
            })
            .map(Value::from)
            .collect();
        statement["Resource"] = Value::Array(left);
    }
    statements.retain(|statement| names(statement).next().is_some());
    policy
}

fn denials(policy: &Value) -> impl Iterator<Item = &Value> {
    let statements = policy.get("Statement").and_then(Value::as_array);
    let all = statements.into_iter().flatten();
    all.filter(|statement| statement["Effect"] == "Deny")
}

/// `Resource` of a statement: one name or several.
fn names(statement: &Value) -> impl Iterator<Item = &str> {
    let resource = &statement["Resource"];
    let several = resource.as_array().into_iter().flatten();
    several.chain([resource]).filter_map(Value::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn relaxed_policy_allows_only_the_named_resources() {
        let policy = json!({"Statement": [
            {"Effect": "Allow", "Action": "Update:*", "Principal": "*", "Resource": "*"},
            {"Effect": "Deny", "Action": ["Update:Replace"], "Principal": "*",
             "Resource": ["LogicalResourceId/Db", "LogicalResourceId/Net"]},
        ]});
        let both = BTreeSet::from(["Db".to_owned(), "Net".to_owned()]);
        assert_eq!(protected_resources(Some(&policy)), both);
        let one = relaxed(&policy, &BTreeSet::from(["Db".to_owned()]));
        assert_eq!(
            protected_resources(Some(&one)),
            BTreeSet::from(["Net".to_owned()])
        );
        assert_eq!(one["Statement"].as_array().map(Vec::len), Some(2));
        let none = relaxed(&policy, &both);
        assert_eq!(none["Statement"], json!([policy["Statement"][0]]));
    }
}
