//! The content of a change set: from the SDK's types to [`ResourceChange`]. Pure.
//! CloudFormation reports one property in several details and calls a replacement certain that is not
//! (values known only after apply): both are corrected here.

use aws_sdk_cloudformation::types;

use crate::cloud::{
    ChangeAction, DeletionPolicy, KNOWN_AFTER_APPLY, PropertyChange, Replacement, ResourceChange,
};

/// CloudFormation's word for a value that another resource's change decides.
const UNKNOWN_YET: &str = "{{changeSet:KNOWN_AFTER_APPLY}}";

/// Maps one resource's change. Property changes come merged, in the order of the answer.
pub(super) fn resource_change(change: types::ResourceChange) -> ResourceChange {
    let details = change.details.unwrap_or_default();
    let stated = replacement(change.replacement.as_ref(), change.policy_action.as_ref());
    let mut properties: Vec<Merged> = Vec::new();
    for detail in details.iter().filter(|detail| is_change(detail)) {
        let one = Merged::of(detail);
        match properties.iter_mut().find(|known| known.path == one.path) {
            Some(known) => known.merge(one),
            None => properties.push(one),
        }
    }
    let properties: Vec<_> = properties.into_iter().map(Merged::finish).collect();
    ResourceChange {
        logical_id: change.logical_resource_id.unwrap_or_default(),
        physical_id: change.physical_resource_id.filter(|id| !id.is_empty()),
        resource_type: change.resource_type.unwrap_or_default(),
        action: action(change.action.as_ref()),
        replacement: demote(stated, &properties),
        deletion_policy: change.policy_action.as_ref().and_then(deletion_policy),
        properties,
    }
}

fn action(action: Option<&types::ChangeAction>) -> ChangeAction {
    match action {
        Some(types::ChangeAction::Add) => ChangeAction::Add,
        Some(types::ChangeAction::Modify) => ChangeAction::Modify,
        Some(types::ChangeAction::Remove) => ChangeAction::Remove,
        Some(other) => ChangeAction::Other(other.as_str().to_owned()),
        None => ChangeAction::Other("unnamed".to_owned()),
    }
}

/// An unknown value counts as `Might`: the plan then asks once too often.
fn replacement(
    stated: Option<&types::Replacement>,
    policy: Option<&types::PolicyAction>,
) -> Replacement {
    let replaces = policy.is_some_and(|policy| policy.as_str().starts_with("ReplaceAnd"));
    match stated {
        Some(types::Replacement::True) => Replacement::Yes,
        None | Some(types::Replacement::False) if replaces => Replacement::Yes,
        None | Some(types::Replacement::False) => Replacement::No,
        Some(_) => Replacement::Might,
    }
}

/// A replacement is certain only when some property certainly causes it. CloudFormation says `True`
/// also for values it does not know yet (cloudformation-coverage-roadmap#2113).
fn demote(stated: Replacement, properties: &[PropertyChange]) -> Replacement {
    let causes = || properties.iter().map(|property| property.recreates);
    let uncertain = causes().any(|cause| cause == Replacement::Might);
    let certain = causes().any(|cause| cause == Replacement::Yes);
    if stated == Replacement::Yes && uncertain && !certain {
        Replacement::Might
    } else {
        stated
    }
}

/// CloudFormation names a policy only for what it removes or replaces.
fn deletion_policy(policy: &types::PolicyAction) -> Option<DeletionPolicy> {
    let word = policy.as_str();
    match word.strip_prefix("ReplaceAnd").unwrap_or(word) {
        "Delete" => Some(DeletionPolicy::Delete),
        "Snapshot" => Some(DeletionPolicy::Snapshot),
        "Retain" => Some(DeletionPolicy::Retain),
        _ => None,
    }
}

fn is_change(detail: &types::ResourceChangeDetail) -> bool {
    detail.target.is_some()
        && detail.change_source.as_ref() != Some(&types::ChangeSource::NoModification)
}

/// The details of one path, gathered.
#[derive(Debug)]
struct Merged {
    path: String,
    before: Option<String>,
    after: Option<String>,
    /// By static evaluation: CloudFormation knows the value.
    sure: Option<Replacement>,
    /// By dynamic evaluation: the value may turn out to be the old one.
    unsure: Option<Replacement>,
    cause: Option<String>,
}

impl Merged {
    fn of(detail: &types::ResourceChangeDetail) -> Self {
        let target = detail.target.as_ref();
        let recreates = recreates(target.and_then(|target| target.requires_recreation.as_ref()));
        let is_static = detail.evaluation.as_ref() == Some(&types::EvaluationType::Static);
        let value = |value: Option<&String>| value.map(|text| readable(text));
        Self {
            path: target.map_or_else(String::new, path),
            before: value(target.and_then(|target| target.before_value.as_ref())),
            after: value(target.and_then(|target| target.after_value.as_ref())),
            sure: is_static.then_some(recreates),
            unsure: (!is_static).then_some(recreates),
            cause: detail
                .causing_entity
                .clone()
                .filter(|cause| !cause.is_empty()),
        }
    }

    fn merge(&mut self, other: Self) {
        self.before = self.before.take().or(other.before);
        self.after = self.after.take().or(other.after);
        self.sure = self.sure.max(other.sure);
        self.unsure = self.unsure.max(other.unsure);
        self.cause = self.cause.take().or(other.cause);
    }

    fn finish(self) -> PropertyChange {
        let unknown = self
            .after
            .as_ref()
            .is_some_and(|after| after.contains(KNOWN_AFTER_APPLY));
        let ceiling = |recreates: Replacement| recreates.min(Replacement::Might);
        let recreates = match (self.sure, self.unsure) {
            (Some(sure), _) if unknown => ceiling(sure),
            (Some(sure), _) => sure,
            (None, unsure) => ceiling(unsure.unwrap_or(Replacement::No)),
        };
        PropertyChange {
            path: self.path,
            before: self.before,
            after: self.after,
            recreates,
            cause: self.cause,
        }
    }
}

fn recreates(stated: Option<&types::RequiresRecreation>) -> Replacement {
    match stated {
        Some(types::RequiresRecreation::Always) => Replacement::Yes,
        None | Some(types::RequiresRecreation::Never) => Replacement::No,
        Some(_) => Replacement::Might,
    }
}

fn readable(value: &str) -> String {
    value.replace(UNKNOWN_YET, KNOWN_AFTER_APPLY)
}

/// The steps of a JSON pointer: `Tags`, `0`, `Value` of `/Tags/0/Value`.
pub(super) fn steps(pointer: &str) -> Vec<String> {
    let steps = pointer.split('/').skip(1);
    steps
        .map(|step| step.replace("~1", "/").replace("~0", "~"))
        .collect()
}

/// A JSON string without its quotes; everything else unchanged.
pub(super) fn plain(value: &str) -> String {
    serde_json::from_str::<String>(value).unwrap_or_else(|_| value.to_owned())
}

/// `Properties.Tags.0.Value` from the pointer `/Properties/Tags/0/Value`; without one, from the
/// attribute and the property's name.
fn path(target: &types::ResourceTargetDefinition) -> String {
    if let Some(pointer) = target.path.as_deref().filter(|path| path.starts_with('/')) {
        return steps(pointer).join(".");
    }
    let attribute = target
        .attribute
        .as_ref()
        .map_or("Properties", |attribute| attribute.as_str());
    match target.name.as_deref().filter(|name| !name.is_empty()) {
        Some(name) => format!("{attribute}.{name}"),
        None => attribute.to_owned(),
    }
}

#[cfg(test)]
mod tests;
