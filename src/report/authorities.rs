//! The parameters of the authorities beside their copy: what a restore does, and what can be saved where
//! nothing has a value.

use super::format::table;
use crate::access::Inventory;
use crate::access::copy::COPY_KEY;
use crate::access::restore::{RestoreAction, RestoreItem, RestorePlan, RestoreSource};

/// A line for each parameter.
pub fn restore(plan: &RestorePlan, has_copy: bool) -> String {
    let row = |item: &RestoreItem| {
        let (mark, text) = match &item.action {
            RestoreAction::Keep if has_copy => ("ok", "stored, as in the copy".to_owned()),
            RestoreAction::Keep => ("ok", "stored".to_owned()),
            RestoreAction::Differs => ("!!", "stored with another value than the copy".to_owned()),
            RestoreAction::OtherKey { key, in_copy } => {
                let copy = if *in_copy {
                    "the copy has it"
                } else {
                    "the copy does not have it"
                };
                ("!!", format!("stored under another key, {key}; {copy}"))
            }
            RestoreAction::Mismatched => ("!!", "not of the secret that it belongs to".to_owned()),
            RestoreAction::Put { from, .. } => (
                "+",
                match from {
                    RestoreSource::Copy => "missing: restored from the copy".to_owned(),
                    RestoreSource::Secret => {
                        "missing: restored from the secret beside it".to_owned()
                    }
                },
            ),
            RestoreAction::Lost if has_copy => ("!!", "missing, also in the copy".to_owned()),
            RestoreAction::Lost => ("!!", "missing, and there is no copy".to_owned()),
        };
        vec![mark.to_owned(), item.parameter.short.clone(), text]
    };
    table(&["", "PARAMETER", "STATE"], plan.items.iter().map(row))
}

/// What to do about parameters that keep a restore from being done.
pub fn conflict_help(plan: &RestorePlan, listed: &Inventory, cluster: &str) -> String {
    let names = |fits: &dyn Fn(&RestoreAction) -> bool| -> Vec<&str> {
        let items = plan.items.iter().filter(|item| fits(&item.action));
        items.map(|item| item.parameter.name.as_str()).collect()
    };
    let saved = names(&|action| matches!(action, RestoreAction::OtherKey { in_copy: true, .. }));
    let unsaved = names(&|action| matches!(action, RestoreAction::OtherKey { in_copy: false, .. }));
    let mismatched = names(&|action| matches!(action, RestoreAction::Mismatched));
    let mut help = Vec::new();
    let region = listed.region();
    if !unsaved.is_empty() {
        help.push(format!(
            "{}: delete nothing; as long as that key can be used, save the value (`aws ssm get-parameter{region} \
             --with-decryption --name NAME`)",
            unsaved.join(", ")
        ));
    }
    if !saved.is_empty() {
        help.push(format!(
            "the copy has the others: `{}`, then `kube-cfn certs restore {cluster}`",
            listed.delete_command(&saved)
        ));
    }
    if !mismatched.is_empty() {
        help.push(format!(
            "{}: one of the pair was replaced; find out which one the machines have (docs: access, the authorities \
             and their copy), and store that one again",
            mismatched.join(", ")
        ));
    }
    if help.is_empty() {
        help.push(format!(
            "where the stored value is the right one, `kube-cfn certs backup {cluster}` puts it into the copy; where \
             the copy's is, delete the parameter (`{}`) and restore again",
            listed.delete_command(&["NAME"])
        ));
    }
    help.join("; ")
}

/// What can still be saved of lost parameters: earlier versions of the copy, and the disks of control-plane nodes, which
/// hold the same text.
pub fn lost_help(plan: &RestorePlan, listed: &Inventory, bucket: &str, key: &str) -> String {
    let lost = plan
        .items
        .iter()
        .filter(|item| matches!(item.action, RestoreAction::Lost));
    let region = listed.region();
    let mut help = format!(
        "earlier versions of the copy stay in the bucket: `aws s3api list-object-versions{region} --bucket {bucket} --prefix \
         {COPY_KEY}` lists them, `aws s3api copy-object{region} --bucket {bucket} --key {COPY_KEY} --copy-source \
         '{bucket}/{COPY_KEY}?versionId=VERSION'` brings one back, then restore again.
As long as one control-plane \
         node runs, its disk has them too: open a session (`aws ssm start-session{region} --target INSTANCE`), join \
         the files in this order into one, and store it",
    );
    help.extend(lost.map(|item| put_again(item, &region, key)));
    help.push_str(
        "\nWithout either: without encryption.yaml every Secret in etcd and in its snapshots is unreadable; \
         without a key of an authority no certificate can be issued and no machine joins; without sa.key all \
         tokens of service accounts end. Nothing replaces them in this cluster.",
    );
    help
}

/// The files that hold a parameter's text, and the command that stores it.
fn put_again(item: &RestoreItem, region: &str, key: &str) -> String {
    let parameter = &item.parameter;
    let (kind, under) = if parameter.is_secret {
        ("SecureString", format!(" --key-id {key}"))
    } else {
        ("String", String::new())
    };
    format!(
        "\n  {}: {}\n    aws ssm put-parameter{region} --name {} --type {kind}{under} --value file://FILE",
        parameter.short,
        parameter.node_files.join(" "),
        parameter.name,
    )
}
