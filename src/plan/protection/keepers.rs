//! What keeps a resource that is deleted or replaced, as a template has it and with CloudFormation's defaults: the two
//! policies, and for a database its automated backups.

use serde_json::Value;

use super::super::deletion;

pub(super) const DATABASE: &str = "AWS::RDS::DBInstance";

/// A part of what keeps a resource when it is deleted or replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Keeper {
    Deletion,
    UpdateReplace,
    Backups,
}

impl Keeper {
    pub(super) const ALL: [Self; 3] = [Self::Deletion, Self::UpdateReplace, Self::Backups];

    pub(super) fn attribute(self) -> &'static str {
        match self {
            Self::Deletion => "DeletionPolicy",
            Self::UpdateReplace => "UpdateReplacePolicy",
            Self::Backups => "DeleteAutomatedBackups",
        }
    }

    /// Its value in a template, with CloudFormation's defaults.
    pub(super) fn value(self, template: &Value, id: &str, of_type: &str) -> String {
        let body = &template["Resources"][id];
        match self {
            Self::Deletion => deletion::policy(template, id, of_type),
            Self::UpdateReplace => body["UpdateReplacePolicy"]
                .as_str()
                .unwrap_or("Delete")
                .to_owned(),
            Self::Backups if of_type == DATABASE => {
                let value = &body["Properties"]["DeleteAutomatedBackups"];
                let kept = *value == Value::Bool(false) || value == "false";
                (!kept).to_string()
            }
            Self::Backups => "true".to_owned(),
        }
    }

    /// Whether it keeps the data.
    pub(super) fn keeps(self, template: &Value, id: &str, of_type: &str) -> bool {
        let value = self.value(template, id, of_type);
        matches!(
            value.as_str(),
            "Snapshot" | "Retain" | "RetainExceptOnCreate" | "false"
        )
    }
}

/// What becomes of a resource by its policies, in words: they differ where it holds for a replacement alone.
pub(super) fn kept(live: &Value, id: &str, of_type: &str) -> String {
    let [deleted, replaced] = [Keeper::Deletion, Keeper::UpdateReplace].map(|keeper| match keeper
        .value(live, id, of_type)
        .as_str()
    {
        "Snapshot" => DeletedAs::Snapshot,
        "Retain" | "RetainExceptOnCreate" => DeletedAs::Kept,
        _ => DeletedAs::Gone,
    });
    let backups = if Keeper::Backups.keeps(live, id, of_type) {
        ", automated backups kept"
    } else {
        ""
    };
    let text = match (deleted, replaced) {
        (DeletedAs::Snapshot, DeletedAs::Snapshot) => "a last snapshot".to_owned(),
        (DeletedAs::Kept, DeletedAs::Kept) => "kept in the account".to_owned(),
        (DeletedAs::Gone, replaced) => {
            format!(
                "{} when replaced; deleted with the cluster",
                replaced.words()
            )
        }
        (deleted, replaced) => format!(
            "{} when replaced; {} when the cluster is deleted",
            replaced.words(),
            deleted.words()
        ),
    };
    text + backups
}

/// What a policy does.
#[derive(Clone, Copy)]
enum DeletedAs {
    Snapshot,
    Kept,
    Gone,
}

impl DeletedAs {
    fn words(self) -> &'static str {
        match self {
            Self::Snapshot => "a last snapshot",
            Self::Kept => "kept",
            Self::Gone => "deleted",
        }
    }
}
