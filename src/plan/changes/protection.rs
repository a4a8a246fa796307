//! What an update takes off the protection of data: removal policies, the waiting time of a key, deletion
//! protection, backups and versions that are kept. Such a change touches no data, so CloudFormation shows it as a
//! plain one; the deletion that comes after it loses what was kept until then. Pure.

use serde_json::Value;

use super::{Pair, Verdict};
use crate::cloud::DeletionPolicy;
use crate::plan::recovery::is_data;
use crate::plan::removal_policy::{key_window, named};
use crate::plan::{deletion, resources_of};

/// What protects less afterwards.
pub(super) fn lowered(pair: Pair<'_>) -> Vec<Verdict> {
    let (before, wanted) = (pair.before, &pair.stack.template);
    let mut all = Vec::new();
    for resource in resources_of(wanted) {
        let (id, of_type) = (&resource.logical_id, resource.resource_type.as_str());
        let (old, new) = (&before["Resources"][id], &wanted["Resources"][id]);
        if old["Type"] != new["Type"] || !is_data(of_type) {
            continue;
        }
        all.extend(policies(id, of_type, before, wanted));
        all.extend(properties(
            id,
            of_type,
            &old["Properties"],
            &new["Properties"],
        ));
    }
    all.into_iter().map(Verdict::Warning).collect()
}

/// The two removal policies of a resource.
fn policies<'a>(
    id: &'a str,
    of_type: &'a str,
    before: &'a Value,
    wanted: &'a Value,
) -> impl Iterator<Item = String> + 'a {
    let replaced = |template: &Value| {
        let policy = template["Resources"][id]["UpdateReplacePolicy"].as_str();
        policy.unwrap_or("Delete").to_owned()
    };
    let deleted = |template: &Value| deletion::policy(template, id, of_type);
    let pairs = [
        ("deleted", deleted(before), deleted(wanted)),
        ("replaced", replaced(before), replaced(wanted)),
    ];
    pairs.into_iter().filter_map(move |(when, was, is)| {
        (named(&is) < named(&was)).then(|| {
            let text = match named(&is) {
                DeletionPolicy::Delete => "nothing of it is kept any more",
                DeletionPolicy::Snapshot => "only a snapshot is kept",
                DeletionPolicy::Retain => "it is kept",
            };
            format!("{id}: when it is {when}, {text} ({was} until now)")
        })
    })
}

/// Properties that protect data.
fn properties(id: &str, of_type: &str, was: &Value, is: &Value) -> Option<String> {
    match of_type {
        "AWS::KMS::Key" => {
            let (days, until_now) = (key_window(is), key_window(was));
            (days < until_now).then(|| {
                format!("{id}: a deleted key can be called back for {days} days only, instead of {until_now}")
            })
        }
        "AWS::S3::Bucket" => {
            let kept = |of: &Value| of["VersioningConfiguration"]["Status"] == "Enabled";
            (kept(was) && !kept(is)).then(|| {
                format!("{id}: versions of overwritten and deleted objects are not kept any more")
            })
        }
        "AWS::RDS::DBInstance" => database(id, was, is),
        _ => None,
    }
}

fn database(id: &str, was: &Value, is: &Value) -> Option<String> {
    let protected = |of: &Value| of["DeletionProtection"] == true;
    let backups_stay = |of: &Value| of["DeleteAutomatedBackups"] == false;
    let mut lost = Vec::new();
    if protected(was) && !protected(is) {
        lost.push("deletion protection goes off: from then on the database can be deleted");
    }
    if backups_stay(was) && !backups_stay(is) {
        lost.push("its automated backups will be deleted with it");
    }
    (!lost.is_empty()).then(|| format!("{id}: {}", lost.join("; ")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::changes::Live;
    use crate::stacks::{Stack, StackKind};
    use serde_json::json;
    use std::collections::BTreeMap;

    fn lowered(was: &Value, is: &Value) -> Vec<String> {
        let template = |body: &Value| json!({"Resources": {"It": body}});
        let stack = Stack {
            kind: StackKind::Database,
            name: "canary-database".to_owned(),
            template: template(is),
            inputs: Vec::new(),
            capabilities: Vec::new(),
            tags: BTreeMap::new(),
            policy: None,
            termination_protection: false,
            objects: Vec::new(),
        };
        let verdicts = super::lowered(Pair {
            cluster: "canary",
            stack: &stack,
            id: "",
            before: &template(was),
            outputs: &BTreeMap::new(),
            live: Live::default(),
        });
        let text = |verdict| match verdict {
            Verdict::Warning(text) => text,
            other => panic!("{other:?}"),
        };
        verdicts.into_iter().map(text).collect()
    }

    fn resource(of_type: &str, body: Value) -> Value {
        let mut body = body;
        body["Type"] = json!(of_type);
        body
    }

    /// `was` to `is` is said to protect less; back, and no change, is not.
    fn one_way(of_type: &str, was: Value, is: Value, words: &str) {
        let (was, is) = (resource(of_type, was), resource(of_type, is));
        let all = lowered(&was, &is);
        assert_eq!(all.len(), 1, "{all:?}");
        assert!(all[0].contains(words), "{all:?}");
        assert_eq!(lowered(&is, &was), Vec::<String>::new());
        assert_eq!(lowered(&was, &was), Vec::<String>::new());
    }

    #[test]
    fn every_lowered_protection_is_named() {
        const VOLUME: &str = "AWS::EC2::Volume";
        const DB: &str = "AWS::RDS::DBInstance";
        for (of_type, was, is, words) in [
            (
                VOLUME,
                json!({"DeletionPolicy": "Snapshot"}),
                json!({"DeletionPolicy": "Delete"}),
                "when it is deleted, nothing of it is kept any more (Snapshot until now)",
            ),
            (
                VOLUME,
                json!({"UpdateReplacePolicy": "Retain"}),
                json!({"UpdateReplacePolicy": "Snapshot"}),
                "when it is replaced, only a snapshot is kept (Retain until now)",
            ),
            // The default of a database is a snapshot.
            (
                DB,
                json!({}),
                json!({"DeletionPolicy": "Delete"}),
                "nothing of it is kept",
            ),
            (
                DB,
                json!({"Properties": {"DeletionProtection": true, "DeleteAutomatedBackups": false}}),
                json!({"Properties": {"DeletionProtection": false}}),
                "can be deleted; its automated backups will be deleted with it",
            ),
            (
                "AWS::KMS::Key",
                json!({}),
                json!({"Properties": {"PendingWindowInDays": 7}}),
                "for 7 days only, instead of 30",
            ),
            (
                "AWS::S3::Bucket",
                json!({"Properties": {"VersioningConfiguration": {"Status": "Enabled"}}}),
                json!({"Properties": {"VersioningConfiguration": {"Status": "Suspended"}}}),
                "are not kept any more",
            ),
        ] {
            one_way(of_type, was, is, words);
        }
    }

    #[test]
    fn other_resources_and_other_types_are_silent() {
        let kept = resource("AWS::EC2::EIP", json!({"DeletionPolicy": "Retain"}));
        let gone = resource("AWS::EC2::EIP", json!({}));
        assert_eq!(lowered(&kept, &gone), Vec::<String>::new());
        let volume = resource("AWS::EC2::Volume", json!({"DeletionPolicy": "Retain"}));
        assert_eq!(lowered(&volume, &gone), Vec::<String>::new());
    }
}
