//! The stack policy: what an update may neither replace nor delete, whatever the template says.

use serde_json::{Value, json};

use crate::catalog::resources;

/// The policy of a template; `None` where nothing in it has to be kept.
pub(super) fn of(template: &Value) -> Option<Value> {
    let resources = template.get("Resources")?.as_object()?;
    let kept: Vec<_> = resources
        .iter()
        .filter(|(_, resource)| {
            resource
                .get("Type")
                .and_then(Value::as_str)
                .is_some_and(is_kept)
        })
        .map(|(id, _)| format!("LogicalResourceId/{id}"))
        .collect();
    if kept.is_empty() {
        return None;
    }
    Some(json!({
        "Statement": [
            { "Effect": "Allow", "Principal": "*", "Action": "Update:*", "Resource": "*" },
            {
                "Effect": "Deny",
                "Principal": "*",
                "Action": ["Update:Replace", "Update:Delete"],
                "Resource": kept,
            },
        ]
    }))
}

/// What holds data, and what others rely on: an etcd member is known to the others by its address, the API to all by
/// its load balancer or its name.
fn is_kept(resource_type: &str) -> bool {
    resources::stored_data(resource_type).is_some() || resources::relied_on(resource_type).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stack_policy_protects_data_resources() {
        let template = json!({ "Resources": {
            "Vpc": { "Type": "AWS::EC2::VPC" }, "Gateway": { "Type": "AWS::EC2::InternetGateway" },
        }});
        let policy = of(&template).unwrap();
        assert_eq!(
            policy["Statement"][1]["Resource"],
            json!(["LogicalResourceId/Vpc"])
        );
        assert_eq!(
            of(&json!({ "Resources": { "A": { "Type": "AWS::EC2::EIP" } } })),
            None
        );
    }
}
