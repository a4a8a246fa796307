//! The parameters of the authorities beside their copy: what a restore does, and what can be saved where
//! nothing has a value.

use super::format::table;
use crate::access::Inventory;
use crate::access::restore::{RestoreAction, RestoreItem, RestorePlan, RestoreSource};

/// A line for each parameter.
pub fn restore(plan: &RestorePlan, has_copy: bool) -> String {
    let row = |item: &RestoreItem| {
        let (mark, text) = match &item.action {
            RestoreAction::Keep if has_copy => ("ok", "stored, as in the copy".to_owned()),
            RestoreAction::Keep => ("ok", "stored".to_owned()),
            RestoreAction::Differs => ("!!", "stored with another value than the copy".to_owned()),
            RestoreAction::OtherKey(key) => ("!!", format!("stored under another key, {key}")),
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

/// What to do about stored parameters that are not what the copy has, or are under another key.
pub fn conflict_help(plan: &RestorePlan, listed: &Inventory, cluster: &str) -> String {
    let other_key = |item: &RestoreItem| matches!(item.action, RestoreAction::OtherKey(_));
    if plan.items.iter().any(other_key) {
        return format!(
            "if the copy has them (`--plan` shows it), `{}`, then `kube-cfn certs restore {cluster}`",
            listed.clear_foreign()
        );
    }
    format!(
        "where the stored value is the right one, `kube-cfn certs backup {cluster}` replaces the copy; where \
         the copy is, delete the parameter (`aws ssm delete-parameter --name NAME`) and restore again"
    )
}

/// What can still be saved of lost parameters: the disks of control-plane nodes hold the same text.
pub fn lost_help(plan: &RestorePlan, key: &str) -> String {
    let lost = plan
        .items
        .iter()
        .filter(|item| matches!(item.action, RestoreAction::Lost));
    let mut help = String::from(
        "as long as one control-plane node runs, its disk has them: open a session (`aws ssm start-session \
         --target INSTANCE`), join the files in this order into one, and store it",
    );
    help.extend(lost.map(|item| put_again(item, key)));
    help.push_str(
        "\nWithout a machine: without encryption.yaml every Secret in etcd and in its snapshots is unreadable; \
         without a key of an authority no certificate can be issued and no machine joins; without sa.key all \
         tokens of service accounts end. Nothing replaces them in this cluster.",
    );
    help
}

/// The files that hold a parameter's text, and the command that stores it.
fn put_again(item: &RestoreItem, key: &str) -> String {
    let parameter = &item.parameter;
    let (kind, under) = if parameter.is_secret {
        ("SecureString", format!(" --key-id {key}"))
    } else {
        ("String", String::new())
    };
    format!(
        "\n  {}: {}\n    aws ssm put-parameter --name {} --type {kind}{under} --value file://FILE",
        parameter.short,
        parameter.node_files.join(" "),
        parameter.name,
    )
}
