//! Stack policies: whether an update may touch a resource.

use serde_json::Value;

/// Which statement forbids an action (`Update:Replace`) on a resource; `None` when it is allowed.
/// Without any policy everything is.
pub(super) fn forbidden(
    policy: Option<&Value>,
    action: &str,
    logical_id: &str,
    resource_type: &str,
) -> Option<String> {
    let policy = policy?;
    let statements = policy.get("Statement");
    let mut allowed = false;
    for (number, statement) in items(statements).iter().enumerate() {
        let applies = matches(statement, "Action", action)
            && matches(
                statement,
                "Resource",
                &format!("LogicalResourceId/{logical_id}"),
            )
            && of_type(statement, resource_type);
        match statement.get("Effect").and_then(Value::as_str) {
            Some("Deny") if applies => {
                return Some(refusal(&format!("[#{}]", number + 1), action, logical_id));
            }
            Some("Allow") if applies => allowed = true,
            _ => {}
        }
    }
    (!allowed).then(|| refusal("[none]", action, logical_id))
}

fn refusal(statement: &str, action: &str, logical_id: &str) -> String {
    format!(
        "Action denied by stack policy: Statement {statement} does not allow [{action}] for resource \
         [LogicalResourceId/{logical_id}]"
    )
}

/// A value that may be one or many.
fn items(value: Option<&Value>) -> Vec<&Value> {
    match value {
        Some(Value::Array(all)) => all.iter().collect(),
        Some(one) => vec![one],
        None => Vec::new(),
    }
}

fn matches(statement: &Value, key: &str, wanted: &str) -> bool {
    let patterns = |key: &str| -> Vec<&str> {
        let all = items(statement.get(key)).into_iter();
        all.filter_map(Value::as_str).collect()
    };
    let not = patterns(&format!("Not{key}"));
    if !not.is_empty() {
        return !not.iter().any(|pattern| fits(pattern, wanted));
    }
    patterns(key).iter().any(|pattern| fits(pattern, wanted))
}

fn of_type(statement: &Value, resource_type: &str) -> bool {
    let Some(condition) = statement.get("Condition") else {
        return true;
    };
    ["StringEquals", "StringLike"].iter().any(|operator| {
        let wanted = condition
            .get(*operator)
            .and_then(|all| all.get("ResourceType"));
        let wanted = items(wanted).into_iter().filter_map(Value::as_str);
        wanted
            .into_iter()
            .any(|pattern| fits(pattern, resource_type))
    })
}

/// Whether a text fits a pattern with stars.
fn fits(pattern: &str, text: &str) -> bool {
    let mut pieces = pattern.split('*');
    let first = pieces.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else {
        return false;
    };
    let mut last = None;
    for piece in pieces {
        if let Some(previous) = last.replace(piece) {
            let Some(at) = str::find(rest, previous) else {
                return false;
            };
            rest = rest.get(at + previous.len()..).unwrap_or_default();
        }
    }
    last.map_or(rest.is_empty(), |last| rest.ends_with(last))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn policy_star_matches_anything() {
        assert!(fits("*", "anything"));
        assert!(fits("Update:*", "Update:Replace"));
        assert!(fits(
            "LogicalResourceId/Etcd*A",
            "LogicalResourceId/EtcdVolumeA"
        ));
        assert!(!fits(
            "LogicalResourceId/Etcd*A",
            "LogicalResourceId/EtcdVolumeB"
        ));
        assert!(fits("Update:Modify", "Update:Modify"));
        assert!(!fits("Update:Modify", "Update:ModifyX"));
    }

    #[test]
    fn policy_denies_by_default_and_deny_wins() {
        let policy = json!({"Statement": [
            {"Effect": "Allow", "Principal": "*", "Action": "Update:*", "Resource": "*"},
            {"Effect": "Deny", "Principal": "*", "Action": ["Update:Replace", "Update:Delete"],
             "Resource": ["LogicalResourceId/Db"]}]});
        let word = |action, id| forbidden(Some(&policy), action, id, "AWS::X");
        assert_eq!(word("Update:Modify", "Db"), None);
        assert_eq!(word("Update:Replace", "Other"), None);
        assert_eq!(
            word("Update:Replace", "Db").as_deref(),
            Some(
                "Action denied by stack policy: Statement [#2] does not allow [Update:Replace] for \
                 resource [LogicalResourceId/Db]"
            )
        );
        assert!(forbidden(Some(&json!({"Statement": []})), "Update:Modify", "A", "X").is_some());
        assert_eq!(forbidden(None, "Update:Delete", "A", "X"), None);
    }
}
