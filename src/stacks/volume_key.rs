//! Whether the cluster's key lets Auto Scaling launch machines whose disks are encrypted under it: an overridden
//! template may not. Rule: Amazon EC2 Auto Scaling User Guide, "Required AWS KMS key policy for use with encrypted
//! volumes".

use serde_json::Value;

use super::{DesignError, KEY_ARN, Stack, StackKind};

/// What the service-linked role of Auto Scaling needs.
const ACTIONS: [&str; 2] = ["kms:CreateGrant", "kms:GenerateDataKeyWithoutPlaintext"];
const ROLE: &str = "AWSServiceRoleForAutoScaling";

/// An error where a launch template names the key and the base's key policy does not serve Auto Scaling.
pub(super) fn check(stacks: &[Stack]) -> Result<(), DesignError> {
    let Some(user) = stacks.iter().find(|stack| encrypts_disks(stack)) else {
        return Ok(());
    };
    let base = stacks.iter().find(|stack| stack.kind == StackKind::Base);
    let policies = base.into_iter().flat_map(key_policies);
    let statements: Vec<&Value> = policies.flatten().collect();
    let missing = ACTIONS
        .into_iter()
        .find(|action| !statements.iter().any(|statement| allows(statement, action)));
    match missing {
        None => Ok(()),
        Some(action) => Err(DesignError::KeyPolicy {
            stack: user.name.clone(),
            action,
        }),
    }
}

fn resources<'a>(stack: &'a Stack, of_type: &'static str) -> impl Iterator<Item = &'a Value> {
    let all = stack.template.get("Resources").and_then(Value::as_object);
    let all = all.into_iter().flat_map(|all| all.values());
    all.filter(move |body| body["Type"] == of_type)
}

fn encrypts_disks(stack: &Stack) -> bool {
    resources(stack, "AWS::EC2::LaunchTemplate").any(|body| {
        let disks = &body["Properties"]["LaunchTemplateData"]["BlockDeviceMappings"];
        let mut disks = disks.as_array().into_iter().flatten();
        disks.any(|disk| disk["Ebs"]["KmsKeyId"]["Ref"] == KEY_ARN)
    })
}

fn key_policies(base: &Stack) -> impl Iterator<Item = &Vec<Value>> {
    resources(base, "AWS::KMS::Key")
        .filter_map(|key| key["Properties"]["KeyPolicy"]["Statement"].as_array())
}

/// Whether a statement allows an action to that role, as principal or by a condition on it.
fn allows(statement: &Value, action: &str) -> bool {
    let named = |part: &str| statement[part].to_string().contains(ROLE);
    statement["Effect"] == "Allow"
        && (named("Principal") || named("Condition"))
        && match &statement["Action"] {
            Value::String(one) => matches_action(one, action),
            Value::Array(all) => {
                let mut all = all.iter().filter_map(Value::as_str);
                all.any(|one| matches_action(one, action))
            }
            _ => false,
        }
}

/// Case does not matter in IAM; a star stands at the end.
fn matches_action(pattern: &str, action: &str) -> bool {
    let (pattern, action) = (pattern.to_ascii_lowercase(), action.to_ascii_lowercase());
    match pattern.strip_suffix('*') {
        Some(start) => action.starts_with(start),
        None => pattern == action,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn statement_allows_by_pattern_and_role() {
        let statement = |action: Value, condition: Value| json!({"Effect": "Allow", "Action": action, "Condition": condition});
        let role = json!({"ArnEquals": {"aws:PrincipalArn": {"Fn::Sub": format!("role/{ROLE}")}}});
        assert!(allows(&statement(json!("kms:*"), role.clone()), ACTIONS[0]));
        assert!(allows(
            &statement(json!(["kms:GenerateDataKey*"]), role.clone()),
            ACTIONS[1]
        ));
        assert!(!allows(
            &statement(json!(["kms:GenerateDataKey"]), role),
            ACTIONS[1]
        ));
        assert!(!allows(&statement(json!("kms:*"), Value::Null), ACTIONS[0]));
    }
}
