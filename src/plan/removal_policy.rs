//! What CloudFormation does with a resource that is removed, or with the old one of a replacement: as CloudFormation
//! says, else from the template's policies with AWS's defaults.

use serde_json::Value;

use super::deletion;
use super::risk::Effect;
use crate::cloud::{DeletionPolicy, ResourceChange};

/// What CloudFormation does with the old resource. The policy of a removal is in the template of today.
/// That of a replacement is in both; where they differ, the harsher one holds.
pub fn of(
    change: &ResourceChange,
    effect: Effect,
    before: Option<&Value>,
    after: &Value,
) -> DeletionPolicy {
    if let Some(action) = change.deletion_policy {
        return action;
    }
    let (id, of_type) = (&change.logical_id, &change.resource_type);
    if effect == Effect::Remove {
        let template = before.unwrap_or(after);
        return named(&deletion::policy(template, id, of_type));
    }
    // Without the attribute CloudFormation deletes the old one, a database too (user guide,
    // "UpdateReplacePolicy attribute").
    let replaced = |template: &Value| {
        let policy = template["Resources"][id]["UpdateReplacePolicy"].as_str();
        policy.map_or(DeletionPolicy::Delete, named)
    };
    let old = before.map_or(DeletionPolicy::Retain, replaced);
    old.min(replaced(after))
}

/// A policy by its name in a template; one that nobody knows is taken for the worst.
pub(super) fn named(policy: &str) -> DeletionPolicy {
    match policy {
        "Retain" | "RetainExceptOnCreate" => DeletionPolicy::Retain,
        "Snapshot" => DeletionPolicy::Snapshot,
        _ => DeletionPolicy::Delete,
    }
}

/// Days in which a deleted key can be called back: deleting it only schedules its end, 7 to 30 days later, 30
/// unless said otherwise (KMS, `ScheduleKeyDeletion`).
pub fn key_window(properties: &Value) -> u64 {
    properties["PendingWindowInDays"].as_u64().unwrap_or(30)
}

/// The same in words. `template` is the one that the resource is under.
pub fn words(change: &ResourceChange, action: DeletionPolicy, template: &Value) -> String {
    let properties = &template["Resources"][&change.logical_id]["Properties"];
    let instance = change.resource_type == "AWS::RDS::DBInstance";
    // RDS keeps automated backups only where the template says so (`DeleteAutomatedBackups`).
    let backups = match &properties["DeleteAutomatedBackups"] {
        _ if !instance => "",
        Value::Bool(false) => "; automated backups are kept",
        Value::String(word) if word == "false" => "; automated backups are kept",
        _ => "; automated backups are deleted too",
    };
    match (action, change.resource_type.as_str()) {
        (DeletionPolicy::Retain, _) => "stays in the account, outside the stack".to_owned(),
        (DeletionPolicy::Snapshot, _) => format!("a last snapshot is taken{backups}"),
        (DeletionPolicy::Delete, "AWS::KMS::Key") => {
            let days = key_window(properties);
            format!(
                "disabled at once, deleted after {days} days; until then the deletion can be cancelled"
            )
        }
        (DeletionPolicy::Delete, "AWS::S3::Bucket") => {
            "deleted if it is empty; one that holds anything stays, outside the stack".to_owned()
        }
        (DeletionPolicy::Delete, _) => format!("deleted with everything in it{backups}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cloud::{ChangeAction, Replacement};
    use serde_json::json;

    fn change(of_type: &str, deletion_policy: Option<DeletionPolicy>) -> ResourceChange {
        ResourceChange {
            logical_id: "It".to_owned(),
            physical_id: None,
            resource_type: of_type.to_owned(),
            action: ChangeAction::Modify,
            replacement: Replacement::Yes,
            deletion_policy,
            properties: Vec::new(),
        }
    }

    fn template(delete: Option<&str>, replace: Option<&str>) -> Value {
        let mut body = json!({"Properties": {"DeleteAutomatedBackups": false}});
        for (name, policy) in [("DeletionPolicy", delete), ("UpdateReplacePolicy", replace)] {
            if let Some(policy) = policy {
                body[name] = json!(policy);
            }
        }
        json!({"Resources": {"It": body}})
    }

    #[test]
    fn deletion_policy_uses_aws_defaults() {
        const DB: &str = "AWS::RDS::DBInstance";
        const VOLUME: &str = "AWS::EC2::Volume";
        use Effect::{MightReplace, Remove, Replace};
        for (of_type, delete, replace, effect, action) in [
            (DB, None, None, Remove, DeletionPolicy::Snapshot),
            (DB, None, None, Replace, DeletionPolicy::Delete),
            (
                DB,
                Some("Delete"),
                Some("Snapshot"),
                Remove,
                DeletionPolicy::Delete,
            ),
            (
                DB,
                Some("Delete"),
                Some("Snapshot"),
                MightReplace,
                DeletionPolicy::Snapshot,
            ),
            (VOLUME, None, None, Remove, DeletionPolicy::Delete),
            (
                VOLUME,
                Some("Snapshot"),
                None,
                Remove,
                DeletionPolicy::Snapshot,
            ),
            (
                VOLUME,
                Some("Snapshot"),
                None,
                Replace,
                DeletionPolicy::Delete,
            ),
            (
                VOLUME,
                Some("RetainExceptOnCreate"),
                None,
                Remove,
                DeletionPolicy::Retain,
            ),
            (
                VOLUME,
                None,
                Some("Perhaps"),
                Replace,
                DeletionPolicy::Delete,
            ),
        ] {
            let template = template(delete, replace);
            let is = of(&change(of_type, None), effect, Some(&template), &template);
            assert_eq!(is, action, "{of_type} {delete:?} {replace:?} {effect:?}");
        }
    }

    #[test]
    fn stricter_update_replace_policy_counts_unless_cloudformation_decides() {
        let (kept, gone) = (
            template(None, Some("Retain")),
            template(None, Some("Delete")),
        );
        let one = change("AWS::EC2::Volume", None);
        assert_eq!(
            of(&one, Effect::Replace, Some(&kept), &gone),
            DeletionPolicy::Delete
        );
        assert_eq!(
            of(&one, Effect::Replace, Some(&gone), &kept),
            DeletionPolicy::Delete
        );
        assert_eq!(
            of(&one, Effect::Replace, Some(&kept), &kept),
            DeletionPolicy::Retain
        );
        let decided = change("AWS::EC2::Volume", Some(DeletionPolicy::Snapshot));
        assert_eq!(
            of(&decided, Effect::Replace, Some(&gone), &gone),
            DeletionPolicy::Snapshot
        );
    }

    #[test]
    fn policy_action_in_words() {
        const DB: &str = "AWS::RDS::DBInstance";
        let kept = template(None, None);
        let say = |of_type: &str, action, template: &Value| {
            words(&change(of_type, None), action, template)
        };
        assert_eq!(
            say(DB, DeletionPolicy::Snapshot, &kept),
            "a last snapshot is taken; automated backups are kept"
        );
        let bare = json!({"Resources": {"It": {"Properties": {"PendingWindowInDays": 7}}}});
        assert_eq!(
            say(DB, DeletionPolicy::Delete, &bare),
            "deleted with everything in it; automated backups are deleted too"
        );
        assert_eq!(
            say("AWS::EC2::Volume", DeletionPolicy::Snapshot, &kept),
            "a last snapshot is taken"
        );
        assert_eq!(
            say(DB, DeletionPolicy::Retain, &kept),
            "stays in the account, outside the stack"
        );
        assert!(say("AWS::KMS::Key", DeletionPolicy::Delete, &bare).contains("after 7 days"));
        assert!(
            say("AWS::S3::Bucket", DeletionPolicy::Delete, &bare)
                .starts_with("deleted if it is empty")
        );
    }
}
